//! Copies: what comes out of the copy is what came out of the original, and a second copy writes nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use archive_format::copy::Progress;
use archive_format::{
    Commit, Copied, Error, KeyLack, Lifetime, Line, LineKey, Original, Outcome, Repository,
    SecretPlace, SnapshotRecord, copy,
};
use futures::TryStreamExt;
use jiff::ToSpan;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::faulty::{Fault, Faulty};
use crate::stores::Backend;
use crate::world::{
    Tested, Thing, World, backup, complete, floats, model, noise, now, put, restore, stream,
};

fn things() -> Vec<Thing> {
    vec![
        model("a", noise(3 << 20, 1)),
        model("b", floats(400_000, 2)),
        model("c", Vec::new()),
        model("d", b"small".to_vec()),
        // Long enough for a list of chunks.
        model("e", noise(40 << 20, 3)),
    ]
}

async fn copied(
    source: &Repository,
    record: &SnapshotRecord,
    target: &Repository,
) -> Result<Copied, Error> {
    let later = now().checked_add(100.days().hours(1)).unwrap_or(now());
    copy(source, record, target, later, &Progress::default()).await
}

async fn lines(repository: &Repository, record: &SnapshotRecord) -> Tested<Vec<Line>> {
    Ok(repository.snapshot(record).lines().try_collect().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_restores_as_the_original_between_plain_and_encrypted_on_azurite_too() -> Tested {
    for (from, to) in [(true, false), (false, true), (true, true)] {
        for backend in Backend::at_hand() {
            let world = World::with_packs(from, 4 << 20).await?;
            let other = World::on(backend, to, 1 << 20).await?;
            let (source, target) = (world.open().await?, other.open().await?);
            let record = backup(&source, &things()).await?;
            let Copied::New(there) = copied(&source, &record, &target).await? else {
                return Err("it was there already".into());
            };
            assert_eq!(restore(&target, &there).await?, things(), "{backend:?}");
            assert_eq!(
                lines(&target, &there).await?,
                lines(&source, &record).await?
            );
            assert_eq!(
                there.manifest, record.manifest,
                "equal lines, equal manifest"
            );
            assert_ne!(there.id, record.id);
            let original = Original {
                repository: source.id(),
                snapshot: record.id,
            };
            assert_eq!(there.original, Some(original));
            assert_eq!(
                (there.started, there.finished, &there.tags, there.outcome),
                (
                    record.started,
                    record.finished,
                    &record.tags,
                    record.outcome
                )
            );
            let anew = other.open_at(other.storage(), "anew").await?;
            let depth = archive_format::Depth::ReadData;
            let report = archive_format::check(&anew, depth, &mut |_| {}).await?;
            assert!(report.is_sound(), "{report:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_writes_nothing_and_a_copy_of_a_copy_is_known() -> Tested {
    let (world, other, third) = (
        World::new(true).await?,
        World::new(true).await?,
        World::new(false).await?,
    );
    let (source, target) = (world.open().await?, other.open().await?);
    let record = backup(&source, &things()[..2]).await?;
    let first = copied(&source, &record, &target).await?;
    let Copied::New(there) = &first else {
        return Err("it was there already".into());
    };
    let files = other.files("");
    let second = copied(&source, &record, &target).await?;
    assert_eq!(second, Copied::Already(there.clone()));
    assert_eq!(other.files(""), files);

    let last = third.open().await?;
    assert!(matches!(
        copied(&target, there, &last).await?,
        Copied::New(_)
    ));
    let direct = copied(&source, &record, &last).await?;
    assert!(matches!(direct, Copied::Already(_)), "by another way");
    let back = copied(&target, there, &source).await?;
    assert_eq!(back, Copied::Already(record), "it came from there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_objects_are_copied_once_and_a_changed_item_alone_is_read() -> Tested {
    let (world, other) = (World::new(true).await?, World::new(true).await?);
    let (source, target) = (world.open().await?, other.open().await?);
    let mut things = things();
    let first = backup(&source, &things).await?;
    copied(&source, &first, &target).await?;
    things[3] = model("d", noise(1 << 20, 9));
    let second = backup(&source, &things).await?;
    let progress = Progress::default();
    let copied = copy(&source, &second, &target, now(), &progress).await?;
    let Copied::New(there) = copied else {
        return Err("it was there already".into());
    };
    assert_eq!(restore(&target, &there).await?, things);
    let read = progress.bytes.load(Ordering::Relaxed);
    assert!((1 << 20..2 << 20).contains(&read), "{read} bytes were read");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_cut_off_goes_on() -> Tested {
    let world = World::with_packs(true, 1 << 20).await?;
    let source = world.open().await?;
    let record = backup(&source, &things()).await?;
    for fault in [Fault::Crash, Fault::CrashAfter] {
        let other = World::with_packs(false, 1 << 20).await?;
        let faulty = Arc::new(Faulty::new(other.storage(), fault, 40));
        let target = other.open_at(faulty, "first").await?;
        assert!(copied(&source, &record, &target).await.is_err());
        drop(target);
        let target = other.open_at(other.storage(), "second").await?;
        assert_eq!(target.history().await?, [], "nothing was committed");
        let progress = Progress::default();
        let done = copy(&source, &record, &target, now(), &progress).await?;
        let Copied::New(there) = done else {
            return Err("it was there already".into());
        };
        assert_eq!(restore(&target, &there).await?, things());
        let read = progress.bytes.load(Ordering::Relaxed);
        assert!(read < 38 << 20, "{read} bytes were read again");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_open_in_the_copy_and_go_to_no_plain_repository() -> Tested {
    let (world, other, plain) = (
        World::new(true).await?,
        World::new(true).await?,
        World::new(false).await?,
    );
    let source = world.open().await?;
    let writer = source.begin("prod", json!({}), now()).await?;
    put(&writer, &model("a", noise(1000, 1))).await?;
    let place = SecretPlace {
        pointer: "/properties/key".to_owned(),
        form: Some("arm".to_owned()),
    };
    let mut line = Line::new(LineKey::new("datastores", "d", None::<String>));
    line.secrets
        .push(writer.secret(place.clone(), b"hunter2", None).await?);
    writer.line(line).await?;
    let record = writer.commit(complete()).await?;

    let target = other.open().await?;
    let Copied::New(there) = copied(&source, &record, &target).await? else {
        return Err("it was there already".into());
    };
    let item = target
        .snapshot(&there)
        .item("datastores", "d", None)
        .await?;
    let entry = item.ok_or("it is missing")?.secrets.remove(0);
    let secret = target.snapshot(&there).secret(&entry).await?;
    assert_eq!(secret.expose_secret(), b"hunter2");
    // The next run here finds it unchanged by its HMAC.
    let writer = target.begin("prod", json!({}), now()).await?;
    let again = writer.secret(place, b"hunter2", Some(&entry)).await?;
    assert_eq!(again, entry);

    let nowhere = plain.open().await?;
    let refused = copied(&source, &record, &nowhere).await;
    assert!(
        matches!(refused, Err(Error::SecretsNeedEncryption)),
        "{refused:?}"
    );
    assert_eq!(nowhere.history().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_an_owner_here_and_a_known_machine_there() -> Tested {
    let (world, other) = (World::new(true).await?, World::new(true).await?);
    let record = backup(&world.open().await?, &things()[..1]).await?;
    let mut keys = world.keys();
    keys.owners.clear();
    let agent = Repository::open(world.storage(), keys, world.options("agent")).await?;
    let target = other.open().await?;
    let refused = copied(&agent, &record, &target).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::MachineOnly))),
        "{refused:?}"
    );
    let mut keys = other.keys();
    keys.machine = None;
    let reader = Repository::open(other.storage(), keys, other.options("reader")).await?;
    let source = world.open().await?;
    let refused = copied(&source, &record, &reader).await;
    assert!(
        matches!(refused, Err(Error::NoSigner { .. })),
        "{refused:?}"
    );
    let refused = copied(&source, &record, &source).await;
    assert!(
        matches!(refused, Err(Error::CopyOntoItself { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_suspect_is_accepted_in_the_copy_and_lifetimes_stay_apart() -> Tested {
    let (world, other) = (World::new(false).await?, World::new(false).await?);
    let (source, target) = (world.open().await?, other.open().await?);
    let writer = source.begin("prod", json!({}), now()).await?;
    put(&writer, &model("a", noise(200_000, 1))).await?;
    let log = writer
        .file(Lifetime::Outputs, stream(noise(200_000, 2)))
        .await?;
    let mut line = Line::new(LineKey::new("jobs", "j", None::<String>));
    line.files.push(archive_format::FileEntry::new(
        archive_format::FilePath::new("log.txt")?,
        Some(log),
    ));
    writer.line(line).await?;
    let suspect = Commit {
        outcome: Outcome::Suspect,
        tags: vec!["t".to_owned()],
        ..complete()
    };
    let record = writer.commit(suspect).await?;
    let first = copied(&source, &record, &target).await?;
    assert_eq!(target.accepted().await?, []);
    source.accept(&[record.id], now()).await?;
    let Copied::Already(there) = copied(&source, &record, &target).await? else {
        return Err("it was copied twice".into());
    };
    assert_eq!(first, Copied::New(there.clone()));
    assert_eq!(target.accepted().await?, [there.id]);
    assert_eq!(
        (there.outcome, there.tags),
        (Outcome::Suspect, vec!["t".to_owned()])
    );
    // Documents, files, outputs, and two packs of names.
    assert_eq!(other.files("packs").len(), world.files("packs").len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_the_source_is_no_copy() -> Tested {
    let (world, other) = (World::new(false).await?, World::new(false).await?);
    let source = world.open().await?;
    let record = backup(&source, &things()[..1]).await?;
    for pack in world.files("packs") {
        let mut bytes = std::fs::read(&pack)?;
        if bytes.len() > 1 << 20 {
            bytes[500_000] ^= 1;
            std::fs::remove_file(&pack)?;
            std::fs::write(&pack, bytes)?;
        }
    }
    let target = other.open().await?;
    let refused = copied(&world.open().await?, &record, &target).await;
    let damage = refused.err().ok_or("damage was copied")?;
    assert!(damage.is_damage(), "{damage:?}");
    assert_eq!(target.history().await?, []);
    Ok(())
}
