//! Who holds keys: owners of each sort, machines, and what becomes of them when keys are added, removed, made anew.

use archive_format::{
    Error, Identity, IdentityFile, InitOptions, KeyChain, KeyLack, MachineKey, Pair, Recipient,
    Repository,
};

use crate::world::{Tested, World, backup, model, noise, now, options, restore};

/// Little work, so that tests take no minute.
pub(crate) const WORK: Option<u8> = Some(4);

pub(crate) fn passphrase(text: &str) -> Tested<Recipient> {
    Ok(Recipient::passphrase(text.to_owned().into(), WORK)?)
}

/// Opens it with these owners' keys alone, with a cache of this name.
pub(crate) async fn open_as(
    world: &World,
    owners: Vec<Identity>,
    cache: &str,
) -> Result<Repository, Error> {
    let keys = KeyChain {
        machine: None,
        owners,
    };
    Repository::open(world.storage(), keys, world.options(cache)).await
}

pub(crate) fn by_passphrase(text: &str) -> Vec<Identity> {
    vec![Identity::passphrase(text.to_owned().into())]
}

fn names(world: &World) -> Vec<String> {
    let names = world.files("keys").into_iter();
    names
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_added_after_ten_backups_opens_the_first_pack() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let mut records = Vec::new();
    for number in 0..10 {
        let thing = model(&format!("m-{number}"), noise(2000, number));
        records.push((
            backup(&repository, std::slice::from_ref(&thing)).await?,
            thing,
        ));
    }
    let packs = world.files("packs");
    let late = Pair::generate();
    let changed = repository
        .add_owner(late.to_recipient(), "late", now())
        .await?;
    assert_eq!((changed.entry, changed.edition), (12, 2));
    assert_eq!(changed.kept, []);
    assert_eq!(names(&world), ["2-data.age", "2-meta.age", "2-sign.age"]);
    assert_eq!(world.files("packs"), packs, "no pack is touched");
    let opened = open_as(&world, vec![late.into()], "late").await?;
    for (record, thing) in records {
        assert_eq!(restore(&opened, &record).await?, [thing]);
    }
    // The machine goes on with the files of the new edition.
    backup(&repository, &[]).await?;
    backup(&world.open().await?, &[]).await?;
    let keys = repository.keys().await?;
    let shown: Vec<_> = keys
        .holders
        .iter()
        .map(|held| (held.holder.label.as_str(), held.since))
        .collect();
    assert_eq!(shown, [("owner", 1), ("machine", 1), ("late", 12)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_and_an_x25519_owner_each_open_everything() -> Tested {
    let world = World::with_owners(vec![
        Pair::generate().to_recipient(),
        passphrase("correct horse")?,
        passphrase("battery staple")?,
    ])
    .await?;
    let thing = model("a", noise(5000, 1));
    let record = backup(
        &world.open_as_machine("machine").await?,
        std::slice::from_ref(&thing),
    )
    .await?;
    for text in ["correct horse", "battery staple"] {
        let repository = open_as(
            &world,
            by_passphrase(text),
            text.split(' ').next().unwrap_or("x"),
        )
        .await?;
        assert_eq!(
            restore(&repository, &record).await?,
            std::slice::from_ref(&thing)
        );
    }
    let wrong = open_as(&world, by_passphrase("wrong"), "wrong").await;
    assert!(
        matches!(wrong, Err(Error::NoKey(KeyLack::NoneFits))),
        "{wrong:?}"
    );
    let names = names(&world);
    for name in [
        "1-data.age",
        "1-data-p1.age",
        "1-meta-p2.age",
        "1-sign-p2.age",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_a_passphrase_alone_has_its_files_and_the_machines() -> Tested {
    let world = World::with_owners(vec![passphrase("only this")?]).await?;
    assert_eq!(
        names(&world),
        [
            "1-data-p1.age",
            "1-meta-p1.age",
            "1-meta.age",
            "1-sign-p1.age"
        ]
    );
    let thing = model("a", noise(5000, 1));
    let record = backup(
        &world.open_as_machine("machine").await?,
        std::slice::from_ref(&thing),
    )
    .await?;
    let owner = open_as(&world, by_passphrase("only this"), "owner").await?;
    assert_eq!(
        restore(&owner, &record).await?,
        std::slice::from_ref(&thing)
    );
    // Another owner comes without the files of the passphrase being made anew, for which nobody else could.
    let other = Pair::generate();
    owner.add_owner(other.to_recipient(), "", now()).await?;
    assert_eq!(
        names(&world),
        [
            "1-data-p1.age",
            "1-meta-p1.age",
            "1-sign-p1.age",
            "2-data.age",
            "2-meta.age",
            "2-sign.age"
        ]
    );
    let owner = open_as(&world, by_passphrase("only this"), "fresh").await?;
    let other = open_as(&world, vec![other.into()], "other").await?;
    for repository in [&owner, &other] {
        assert_eq!(
            restore(repository, &record).await?,
            std::slice::from_ref(&thing)
        );
    }
    // New pairs need the passphrase, the right one.
    for given in [vec![], vec![passphrase("another")?]] {
        let refused = other.rotate_keys(given, now()).await;
        assert!(matches!(refused, Err(Error::Holder { .. })), "{refused:?}");
    }
    other
        .rotate_keys(
            vec![passphrase("another")?, passphrase("only this")?],
            now(),
        )
        .await?;
    let newer = backup(
        &world.open_as_machine("machine").await?,
        &[model("b", noise(5000, 2))],
    )
    .await?;
    let owner = open_as(&world, by_passphrase("only this"), "fresh").await?;
    assert_eq!(restore(&owner, &newer).await?, [model("b", noise(5000, 2))]);
    assert_eq!(restore(&owner, &record).await?, [thing]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removed_one_is_not_in_the_newest_key_set() -> Tested {
    let removed = Pair::generate();
    let world = World::with_owners(vec![
        Pair::generate().to_recipient(),
        removed.to_recipient(),
    ])
    .await?;
    backup(
        &world.open_as_machine("machine").await?,
        &[model("a", noise(1000, 1))],
    )
    .await?;
    let as_removed = || open_as(&world, vec![removed.clone().into()], "removed");
    let repository = as_removed().await?;
    let old: Vec<_> = world
        .files("keys")
        .into_iter()
        .map(|path| Ok((path.clone(), std::fs::read(path)?)))
        .collect::<Tested<_>>()?;
    let keys = repository.keys().await?;
    let name = removed.to_recipient().to_string();
    // He may remove himself; then his key opens nothing any more.
    let changed = repository.remove_holder(&name, now()).await?;
    assert_eq!(changed.kept, []);
    assert!(repository.keys().await?.find(&name).is_err());
    assert!(keys.find(&name).is_ok());
    let out = as_removed().await;
    assert!(
        matches!(out, Err(Error::NoKey(KeyLack::NoneFits | KeyLack::Removed))),
        "{out:?}"
    );
    // Somebody puts the old files back: his key opens them, and is told that it counts no more.
    for (path, bytes) in &old {
        std::fs::write(path, bytes)?;
    }
    let out = open_as(&world, vec![removed.clone().into()], "fresh").await;
    assert!(
        matches!(out, Err(Error::NoKey(KeyLack::Removed))),
        "{out:?}"
    );
    for name in names(&world).iter().filter(|name| name.starts_with("2-")) {
        let text = std::fs::read(world.root().join("keys").join(name))?;
        let opened = age::Decryptor::new(text.as_slice())?
            .decrypt(std::iter::once(&parse(&removed)? as &dyn age::Identity));
        assert!(opened.is_err(), "{name}");
    }
    Ok(())
}

fn parse(pair: &Pair) -> Tested<age::x25519::Identity> {
    use secrecy::ExposeSecret;
    let text = pair.to_secret_text();
    Ok(text
        .expose_secret()
        .parse()
        .map_err(|error: &str| error.to_owned())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_stays_and_nobody_is_added_twice() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let refused = repository.remove_holder("owner", now()).await;
    assert!(
        matches!(refused, Err(Error::Holder { ref reason, .. }) if reason.contains("last owner")),
        "{refused:?}"
    );
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let twice = repository
        .add_owner(owner.to_recipient(), "again", now())
        .await;
    assert!(matches!(twice, Err(Error::Holder { .. })), "{twice:?}");
    let unknown = repository.remove_holder("nobody", now()).await;
    assert!(matches!(unknown, Err(Error::Holder { .. })), "{unknown:?}");
    assert_eq!(names(&world), ["1-data.age", "1-meta.age", "1-sign.age"]);
    // With the machine's key alone nothing of this can be done.
    let machine = world.open_as_machine("machine").await?;
    let refused = machine
        .add_owner(Pair::generate().to_recipient(), "x", now())
        .await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::OwnersSigning))),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_pairs_open_what_is_to_come_and_old_ones_do_not() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    // A second machine is open all the time.
    let machine = world.open_as_machine("machine").await?;
    let before = backup(&machine, &[model("a", noise(3000, 1))]).await?;
    let old_packs = world.files("packs");
    let old_data = world.secrets("data")?;
    repository.rotate_keys(Vec::new(), now()).await?;
    let after = backup(&machine, &[model("b", noise(3000, 2))]).await?;
    repository.refresh().await?;
    let new_data = world.secrets("data")?;
    assert_eq!((old_data.len(), new_data.len()), (1, 2));
    assert_eq!(
        new_data[1].to_public_text(),
        old_data[0].to_public_text(),
        "newest first, the old one behind"
    );
    for pack in world.files("packs") {
        let old = old_packs.contains(&pack);
        let opens = |pair: &Pair| world.opens(&pack, pair);
        assert!(
            !opens(&old_data[0])? || old,
            "{} opens with the old key",
            pack.display()
        );
        if !old {
            continue;
        }
        assert!(!opens(&new_data[0])?);
    }
    for (cache, record, thing) in [
        ("one", &before, model("a", noise(3000, 1))),
        ("two", &after, model("b", noise(3000, 2))),
    ] {
        let fresh = world.open_at(world.storage(), cache).await?;
        assert_eq!(restore(&fresh, record).await?, std::slice::from_ref(&thing));
        assert_eq!(restore(&repository, record).await?, [thing]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_writes_once_it_is_introduced_and_until_it_is_removed() -> Tested {
    for encrypted in [true, false] {
        let world = World::new(encrypted).await?;
        let repository = world.open().await?;
        let second = MachineKey::generate(repository.id(), "second")?;
        let line = second.introduction().to_string();
        assert_eq!(
            line.parse::<archive_format::keys::Introduction>()?,
            second.introduction()
        );
        let keys = || KeyChain {
            machine: Some(second.clone()),
            owners: Vec::new(),
        };
        let open = || Repository::open(world.storage(), keys(), world.options("second"));
        if encrypted {
            let early = open().await;
            assert!(
                matches!(early, Err(Error::NoKey(KeyLack::NoneFits))),
                "{early:?}"
            );
        } else {
            assert!(!open().await?.can_write().await);
        }
        repository.add_machine(second.introduction(), now()).await?;
        let opened = open().await?;
        let record = backup(&opened, &[model("a", noise(1000, 1))]).await?;
        repository.remove_holder("second", now()).await?;
        // What it wrote stays, it writes no more, and its key never comes back.
        assert_eq!(repository.history().await?, std::slice::from_ref(&record));
        let late = backup(&opened, &[model("b", noise(1000, 2))]).await;
        let late = late.err().ok_or("a removed machine wrote")?.to_string();
        assert!(late.contains("removed") || late.contains("took"), "{late}");
        let again = repository.add_machine(second.introduction(), now()).await;
        assert!(matches!(again, Err(Error::Holder { .. })), "{again:?}");
        let fresh = world.open_at(world.storage(), "fresh").await?;
        assert_eq!(fresh.history().await?, [record]);
        let other = World::new(encrypted).await?;
        let foreign = repository
            .add_machine(other.machine.introduction(), now())
            .await;
        assert!(matches!(foreign, Err(Error::Holder { .. })), "{foreign:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_that_differ_or_are_older_are_refused_by_name() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    backup(&repository, &[model("a", noise(1000, 1))]).await?;
    let first: Vec<_> = world
        .files("keys")
        .into_iter()
        .map(|path| Ok((path.clone(), std::fs::read(path)?)))
        .collect::<Tested<_>>()?;
    repository.rotate_keys(Vec::new(), now()).await?;
    drop(repository);
    let second = world.files("keys");
    // An older edition is put back in place of the newer one.
    let kept: Vec<_> = second
        .iter()
        .map(|path| Ok((path.clone(), std::fs::read(path)?)))
        .collect::<Tested<_>>()?;
    for (path, bytes) in &first {
        std::fs::write(path, bytes)?;
    }
    for path in &second {
        std::fs::remove_file(path)?;
    }
    for cache in ["cache", "stranger"] {
        let refused = world.open_at(world.storage(), cache).await;
        let text = refused.err().ok_or("an old edition was taken")?.to_string();
        assert!(text.contains("keys/2-"), "{text}");
    }
    // The same once entries behind the change are there, which the older keys do not open; it is no entry's fault.
    for (path, bytes) in &kept {
        std::fs::write(path, bytes)?;
    }
    backup(&world.open_as_machine("machine").await?, &[]).await?;
    for path in &second {
        std::fs::remove_file(path)?;
    }
    for cache in ["cache", "late stranger"] {
        let refused = world.open_at(world.storage(), cache).await;
        let text = refused.err().ok_or("an old edition was taken")?.to_string();
        assert!(text.contains("keys/2-"), "{text}");
    }
    for (path, bytes) in &kept {
        std::fs::write(path, bytes)?;
    }
    for cache in ["cache", "late stranger"] {
        let repository = world.open_at(world.storage(), cache).await?;
        assert_eq!(
            repository.history().await?.len(),
            2,
            "what was refused is read again"
        );
    }
    // The file of the newer edition is there and holds something else, which opens.
    for (path, bytes) in &kept {
        std::fs::write(path, bytes)?;
    }
    for (path, _) in &first {
        std::fs::remove_file(path)?;
    }
    world.open_at(world.storage(), "stranger").await?;
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let secrets = world.secrets("data")?;
    let mut text = String::new();
    for pair in &secrets {
        use secrecy::ExposeSecret;
        text.push_str(pair.to_file_text(now()).expose_secret());
    }
    let recipient: age::x25519::Recipient = owner
        .to_public_text()
        .parse()
        .map_err(|error: &str| error.to_owned())?;
    std::fs::write(
        world.root().join("keys/2-data.age"),
        age::encrypt(&recipient, text.as_bytes())?,
    )?;
    for cache in ["cache", "other stranger"] {
        let refused = world.open_at(world.storage(), cache).await;
        assert!(
            matches!(refused, Err(Error::Forged { ref what, .. }) if what == "keys/2-data.age"),
            "{refused:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_that_nobody_named_do_not_stand_in_the_way() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let recipient: age::x25519::Recipient = owner
        .to_public_text()
        .parse()
        .map_err(|error: &str| error.to_owned())?;
    // What anybody can put there who may write: noise, and a key of his own, wrapped for the owner.
    use secrecy::ExposeSecret;
    let own = Pair::generate().to_file_text(now());
    for sort in ["data", "meta", "sign"] {
        std::fs::write(
            world.root().join(format!("keys/7-{sort}.age")),
            noise(500, 7),
        )?;
        let wrapped = age::encrypt(&recipient, own.expose_secret().as_bytes())?;
        std::fs::write(world.root().join(format!("keys/9-{sort}.age")), wrapped)?;
    }
    std::fs::write(world.root().join("keys/export-01.age"), b"an export's")?;
    let fresh = world.open_at(world.storage(), "fresh").await?;
    let record = backup(&fresh, &[model("a", noise(1000, 1))]).await?;
    assert_eq!(restore(&fresh, &record).await?.len(), 1);
    // The next edition goes around the names that are taken.
    std::fs::write(world.root().join("keys/2-sign.age"), b"left by a crash")?;
    let changed = repository.rotate_keys(Vec::new(), now()).await?;
    assert_eq!(changed.edition, 3);
    assert!(
        !names(&world)
            .iter()
            .any(|name| name.starts_with("2-") || name.starts_with("1-"))
    );
    assert!(names(&world).contains(&"export-01.age".to_owned()));
    world.open_at(world.storage(), "again").await?;
    Ok(())
}

#[test]
fn a_passphrase_that_asks_for_hours_of_work_is_not_tried() -> Tested {
    for work in [0, 21, 63, 64] {
        assert!(Recipient::passphrase("x".to_owned().into(), Some(work)).is_err());
    }
    assert!(Recipient::passphrase(String::new().into(), WORK).is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_asks_for_hours_of_work_is_damage() -> Tested {
    let world = World::with_owners(vec![passphrase("only this")?]).await?;
    let path = world.root().join("keys/1-meta-p1.age");
    let bytes = std::fs::read(&path)?;
    // `-> scrypt SALT 4`: the work is the only number of that line.
    let text: Vec<u8> = bytes
        .windows(3)
        .position(|part| part == b" 4\n")
        .map(|at| [&bytes[..at], b" 40\n", &bytes[at + 3..]].concat())
        .ok_or("no work factor")?;
    std::fs::write(&path, text)?;
    let refused = open_as(&world, by_passphrase("only this"), "x").await;
    assert!(
        matches!(refused, Err(Error::Damaged { ref reason, .. }) if reason.contains("work factor of 40")),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unencrypted_repository_has_machines_and_no_owners() -> Tested {
    let world = World::new(false).await?;
    let repository = world.open().await?;
    let refused = repository
        .add_owner(Pair::generate().to_recipient(), "x", now())
        .await;
    assert!(matches!(refused, Err(Error::Holder { .. })), "{refused:?}");
    let refused = repository.rotate_keys(Vec::new(), now()).await;
    assert!(matches!(refused, Err(Error::Holder { .. })), "{refused:?}");
    let keys = repository.keys().await?;
    assert_eq!((keys.edition, keys.entry, keys.owners()), (1, 1, 0));
    assert_eq!(keys.holders[0].holder.recipient, None);
    assert_eq!(world.files("keys").len(), 0);
    // A machine that was introduced later has no right to introduce others.
    let second = MachineKey::generate(repository.id(), "second")?;
    repository.add_machine(second.introduction(), now()).await?;
    let keys = KeyChain {
        machine: Some(second),
        owners: Vec::new(),
    };
    let second = Repository::open(world.storage(), keys, world.options("second")).await?;
    let third = MachineKey::generate(repository.id(), "third")?;
    let refused = second.add_machine(third.introduction(), now()).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::OwnersSigning))),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn init_refuses_too_many_passphrases() -> Tested {
    let world = World::new(false).await?;
    let storage = archive_format::LocalStorage::new(world.folder.path().join("many"));
    let owners = (0..9)
        .map(|number| passphrase(&number.to_string()))
        .collect::<Tested<Vec<_>>>()?;
    let refused = Repository::init(
        std::sync::Arc::new(storage),
        InitOptions {
            owners,
            unencrypted: false,
            ..options(None, 64 << 20)
        },
    );
    assert!(matches!(refused.await, Err(Error::Limit { limit: 8, .. })));
    Ok(())
}

#[test]
fn secrets_of_owners_never_appear_in_debug_output() -> Tested {
    let recipient = passphrase("hunter2")?;
    let identity = Identity::passphrase("hunter2".to_owned().into());
    let shown = format!(
        "{recipient:?} {recipient} {identity:?} {:?}",
        identity.to_recipient()
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let refused = IdentityFile::parse("AGE-SECRET-KEY-1HUNTER2")
        .err()
        .ok_or("it was taken")?;
    assert!(!format!("{refused} {refused:?}").contains("HUNTER2"));
    let refused = IdentityFile::parse("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n")
        .err()
        .ok_or("it was taken")?;
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    Ok(())
}
