//! Who is believed: keys, signers, remembered heads; and what a forger with every public key cannot do.

use std::sync::Arc;

use archive_format::{
    Depth, EntryHash, Error, Identity, KeyChain, KeyLack, LocalStorage, MachineKey, OpenOptions,
    Pair, Repository, Signer, Storage, check,
};
use futures::TryStreamExt;
use secrecy::ExposeSecret;

use crate::world::{Tested, World, backup, model, noise, now, options, restore};

async fn open(world: &World, keys: KeyChain) -> Result<Repository, Error> {
    Repository::open(world.storage(), keys, world.options("other")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_a_wrong_key_and_the_machines_key_are_told_apart() -> Tested {
    let world = World::new(true).await?;
    let record = backup(&world.open().await?, &[model("a", noise(1000, 1))]).await?;
    let none = open(&world, KeyChain::default()).await;
    assert!(
        matches!(none, Err(Error::NoKey(KeyLack::NoneGiven))),
        "{none:?}"
    );
    let wrong = KeyChain {
        machine: None,
        owners: vec![Identity::generate()],
    };
    let wrong = open(&world, wrong).await;
    assert!(
        matches!(wrong, Err(Error::NoKey(KeyLack::NoneFits))),
        "{wrong:?}"
    );
    let other = World::new(true).await?;
    let foreign = KeyChain {
        machine: Some(other.machine.clone()),
        owners: Vec::new(),
    };
    let foreign = open(&world, foreign).await;
    assert!(
        matches!(foreign, Err(Error::NoKey(KeyLack::NoneFits))),
        "{foreign:?}"
    );
    // An owner alone reads everything and cannot write.
    let owner = KeyChain {
        machine: None,
        owners: world
            .owner
            .clone()
            .map(Identity::from)
            .into_iter()
            .collect(),
    };
    let owner = open(&world, owner).await?;
    assert_eq!(
        restore(&owner, &record).await?,
        [model("a", noise(1000, 1))]
    );
    let refused = backup(&owner, &[]).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("does not sign")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_machines_key_every_data_pack_refuses_and_every_meta_pack_opens() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let things = [model("a", noise(90_000, 1)), model("b", noise(70_000, 2))];
    let record = backup(&repository, &things).await?;
    backup(&repository, &[model("c", noise(50_000, 3))]).await?;
    // By hand: what stands in its key file, and what its key opens of the repository's own secrets.
    let text = world.machine.to_text();
    let own = text.expose_secret().lines();
    let own = own.filter_map(|line| line.strip_prefix("identity: "));
    let own = Pair::parse_file(own.collect::<Vec<_>>().join("\n").as_str())?;
    let [own] = own.as_slice() else {
        return Err("a machine has one identity".into());
    };
    assert!(!world.opens(&world.root().join("keys/1-data.age"), own)?);
    assert!(!world.opens(&world.root().join("keys/1-sign.age"), own)?);
    assert!(world.opens(&world.root().join("keys/1-meta.age"), own)?);
    let (meta, data) = (
        world.secrets("meta")?.remove(0),
        world.secrets("data")?.remove(0),
    );
    let mut opened = [0, 0];
    for pack in world.files("packs") {
        let (by_meta, by_data) = (world.opens(&pack, &meta)?, world.opens(&pack, &data)?);
        assert!(by_meta != by_data && !world.opens(&pack, own)?);
        opened[usize::from(by_data)] += 1;
    }
    assert!(opened.iter().all(|count| *count >= 2), "{opened:?}");
    // By the library: every document and every file.
    let agent = world.open_as_machine("agent").await?;
    let reader = agent.snapshot(&record);
    let mut lines = reader.lines();
    let mut refused = 0;
    while let Some(line) = lines.try_next().await? {
        let document = reader.document(&line.documents[0]).await;
        let content = line.files[0].content.clone().ok_or("no content")?;
        let file: Result<Vec<_>, _> = reader.file(&content).try_collect().await;
        for error in [document.err(), file.err()] {
            assert!(
                matches!(error, Some(Error::NoKey(KeyLack::MachineOnly))),
                "{error:?}"
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_repository_and_one_with_are_told() -> Tested {
    let folder = tempfile::tempdir()?;
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path().join("nothing")));
    let world = World::new(false).await?;
    let missing = Repository::open(
        Arc::clone(&storage),
        KeyChain::default(),
        world.options("x"),
    )
    .await;
    assert!(
        matches!(missing, Err(Error::NotARepository { .. })),
        "{missing:?}"
    );
    let again = Repository::init(world.storage(), options(None, 64 << 20)).await;
    assert!(
        matches!(again, Err(Error::AlreadyARepository { .. })),
        "{again:?}"
    );
    let no_owner = Repository::init(
        storage,
        archive_format::InitOptions {
            unencrypted: false,
            ..options(None, 64 << 20)
        },
    );
    assert!(matches!(no_owner.await, Err(Error::Key { .. })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_seen_by_a_machine_that_saw_more_and_by_an_expected_head() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    backup(&repository, &[model("a", noise(1000, 1))]).await?;
    backup(&repository, &[model("b", noise(1000, 2))]).await?;
    let (number, hash) = repository.head().await?;
    assert_eq!(number, 3);
    drop(repository);
    std::fs::remove_file(world.root().join("log/0000000003"))?;
    let seen = world.open().await;
    assert!(
        matches!(seen, Err(Error::Rollback { remembered: 3, .. })),
        "{seen:?}"
    );
    // The catalogue is lost: the head beside it remembers.
    let cache = world
        .folder
        .path()
        .join("cache")
        .join(world.machine.repository().to_string());
    for file in [
        "catalogue.sqlite",
        "catalogue.sqlite-wal",
        "catalogue.sqlite-shm",
    ] {
        let _ = std::fs::remove_file(cache.join(file));
    }
    let seen = world.open().await;
    assert!(
        matches!(seen, Err(Error::Rollback { remembered: 3, .. })),
        "{seen:?}"
    );
    // A stranger does not know better, unless told.
    let stranger =
        Repository::open(world.storage(), world.keys(), world.options("stranger")).await?;
    assert_eq!(stranger.head().await?.0, 2);
    let told = OpenOptions {
        expect_head: Some((number, hash)),
        ..world.options("told")
    };
    let told = Repository::open(world.storage(), world.keys(), told).await;
    assert!(
        matches!(told, Err(Error::Rollback { remembered: 3, .. })),
        "{told:?}"
    );
    let other = OpenOptions {
        expect_head: Some((2, EntryHash::of(b"another"))),
        ..world.options("told")
    };
    let other = Repository::open(world.storage(), world.keys(), other).await;
    assert!(
        matches!(
            other,
            Err(Error::Rollback {
                remembered: 2,
                found: "another one"
            })
        ),
        "{other:?}"
    );
    Ok(())
}

/// Copies a folder.
fn copy(from: &std::path::Path, to: &std::path::Path) -> Tested {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_another_signer_is_refused() -> Tested {
    for encrypted in [false, true] {
        let world = World::new(encrypted).await?;
        backup(&world.open().await?, &[model("a", noise(1000, 1))]).await?;
        // The thief copies the repository, signs with a key of his own, and puts his entry into ours.
        let text = world.machine.to_text();
        let own = World::new(encrypted).await?;
        let thief_text: String = text
            .expose_secret()
            .lines()
            .map(|line| match line.split_once("signing-key: ") {
                Some(("", _)) => own
                    .machine
                    .to_text()
                    .expose_secret()
                    .lines()
                    .find(|own| own.starts_with("signing-key"))
                    .unwrap_or_default()
                    .to_owned(),
                _ => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n");
        let thief = MachineKey::parse(&thief_text)?;
        assert_eq!(thief.signer(), own.machine.signer());
        let keys = KeyChain {
            machine: Some(thief),
            owners: world
                .owner
                .clone()
                .map(Identity::from)
                .into_iter()
                .collect(),
        };
        let repository = open(&world, keys).await?;
        assert!(!repository.can_write().await);
        let refused = backup(&repository, &[]).await;
        assert!(refused.is_err());
        // He gives his own key to a copy in which he owns everything, and brings that entry over.
        let theirs = own.open().await?;
        backup(&theirs, &[model("forged", noise(1000, 9))]).await?;
        std::fs::copy(
            own.root().join("log/0000000002"),
            world.root().join("log/0000000003"),
        )?;
        let forged = world.open().await;
        assert!(matches!(forged, Err(Error::Forged { .. })), "{forged:?}");
        // With his whole repository in place of ours he is told by the pinned signers.
        std::fs::remove_dir_all(world.root())?;
        copy(&own.root(), &world.root())?;
        let pinned = OpenOptions {
            trusted_signers: vec![world.machine.signer()],
            ..world.options("pinned")
        };
        let replaced = Repository::open(world.storage(), own.keys(), pinned).await;
        assert!(
            matches!(replaced, Err(Error::UnknownSigner { entry: 2, .. })),
            "{replaced:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pinned_signers_are_the_machines_or_the_owners() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    backup(&repository, &[]).await?;
    let with = |signer: Signer, cache: &str| OpenOptions {
        trusted_signers: vec![signer],
        ..world.options(cache)
    };
    let owners = repository.record().owners_signer;
    Repository::open(world.storage(), world.keys(), with(owners, "a")).await?;
    Repository::open(
        world.storage(),
        world.keys(),
        with(world.machine.signer(), "b"),
    )
    .await?;
    let other = World::new(true).await?.machine.signer();
    let refused = Repository::open(world.storage(), world.keys(), with(other, "c")).await;
    assert!(
        matches!(refused, Err(Error::UnknownSigner { .. })),
        "{refused:?}"
    );
    // A machine that was introduced since does not count where only the first is pinned.
    let second = MachineKey::generate(repository.id(), "second")?;
    repository.add_machine(second.introduction(), now()).await?;
    let keys = KeyChain {
        machine: Some(second.clone()),
        owners: Vec::new(),
    };
    let theirs = Repository::open(world.storage(), keys, world.options("second")).await?;
    backup(&theirs, &[]).await?;
    let first = || with(world.machine.signer(), "b");
    let refused = Repository::open(world.storage(), world.keys(), first()).await;
    assert!(
        matches!(refused, Err(Error::UnknownSigner { entry: 4, .. })),
        "{refused:?}"
    );
    let tolerant = OpenOptions {
        tolerate_damage: true,
        ..with(world.machine.signer(), "tolerant")
    };
    let tolerant = Repository::open(world.storage(), world.keys(), tolerant).await?;
    let report = check(&tolerant, Depth::Structure, &mut |_| {}).await?;
    assert_eq!(report.damages.len(), 1, "{report:?}");
    assert_eq!(report.damages[0].name, "log/0000000004");
    Repository::open(world.storage(), world.keys(), with(owners, "a")).await?;
    // Where its line is drawn before that entry, nothing of it is asked for.
    repository.revoke("second", (3, None), now()).await?;
    let opened = Repository::open(world.storage(), world.keys(), with(owners, "a")).await?;
    assert_eq!(opened.history().await?.len(), 1);
    // What was read under other pins is looked at again.
    let refused = Repository::open(world.storage(), world.keys(), with(other, "cache")).await;
    assert!(
        matches!(refused, Err(Error::UnknownSigner { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_versions_and_flags_are_named() -> Tested {
    let world = World::new(false).await?;
    let path = world.root().join("repository.json");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, text.replace("\"format\":1", "\"format\":2"))?;
    let newer = world.open().await;
    assert!(
        matches!(
            newer,
            Err(Error::UnknownVersion {
                found: 2,
                known: 1,
                ..
            })
        ),
        "{newer:?}"
    );
    std::fs::write(
        &path,
        text.replace("\"flags\":[]", "\"flags\":[\"differences\"]"),
    )?;
    let flagged = world.open().await;
    assert!(
        matches!(flagged, Err(Error::UnknownFlag { ref flag, .. }) if flag == "differences"),
        "{flagged:?}"
    );
    std::fs::write(
        &path,
        text.replace("\"pack_bytes\":67108864", "\"pack_bytes\":67108865"),
    )?;
    let altered = world.open().await;
    assert!(matches!(altered, Err(Error::Forged { .. })), "{altered:?}");
    Ok(())
}

#[test]
fn keys_never_appear_in_debug_output() -> Tested {
    let pair = Pair::generate();
    let secret = pair.to_secret_text();
    let identity = Identity::from(pair.clone());
    assert!(!format!("{pair:?} {identity:?}").contains(secret.expose_secret()));
    let runtime = tokio::runtime::Runtime::new()?;
    let world = runtime.block_on(World::new(true))?;
    let text = world.machine.to_text();
    let shown = format!("{:?} {:?}", world.machine, world.keys());
    for secret in text
        .expose_secret()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("key: "))
    {
        assert!(!shown.contains(secret.1), "{shown}");
    }
    assert!(!shown.contains("AGE-SECRET-KEY"));
    let read = MachineKey::parse(text.expose_secret())?;
    assert_eq!(read.to_text().expose_secret(), text.expose_secret());
    let path = world.folder.path().join("agent.key");
    read.write_new(&path)?;
    assert!(
        read.write_new(&path).is_err(),
        "a key file is never overwritten"
    );
    assert_eq!(std::fs::read_to_string(&path)?, text.expose_secret());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path)?.permissions().mode() & 0o777,
            0o600
        );
    }
    Ok(())
}
