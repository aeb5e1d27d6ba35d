//! Forgetting and sweeping: what holds a snapshot, whom a sweep is polite to, and what a store refuses.

use std::sync::Arc;
use std::time::Duration;

use archive_format::{
    Commit, Depth, Error, FileName, Grace, Held, LocalStorage, Outcome, PackName, Repository,
    SnapshotRecord, Sparing, Storage, check,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use crate::meanwhile::{Meanwhile, Request};
use crate::memory::Memory;
use crate::world::{Tested, World, backup, complete, model, noise, now, put, restore};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn week() -> Grace {
    Grace {
        usual: 7 * DAY,
        ..Grace::default()
    }
}

fn days_later(days: u32) -> Timestamp {
    now().saturating_add(DAY * days).unwrap_or(Timestamp::MAX)
}

async fn over_memory() -> Tested<(Arc<Memory>, World)> {
    let memory = Arc::new(Memory::new(now()));
    let world = World::over(memory.clone(), true, 1 << 20).await?;
    Ok((memory, world))
}

/// A snapshot of a workspace at a time, with this outcome.
async fn snapshot(
    repository: &Repository,
    workspace: &str,
    day: u32,
    outcome: Outcome,
) -> Tested<SnapshotRecord> {
    let writer = repository
        .begin(workspace, json!({}), days_later(day))
        .await?;
    put(&writer, &model("m", noise(2_000, u64::from(day)))).await?;
    let commit = Commit {
        outcome,
        finished: days_later(day),
        ..complete()
    };
    Ok(writer.commit(commit).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_snapshot_is_said_and_the_rest_is_forgotten() -> Tested {
    let (_, world) = over_memory().await?;
    let repository = world.open().await?;
    let first = snapshot(&repository, "prod", 1, Outcome::Complete).await?;
    let second = snapshot(&repository, "prod", 2, Outcome::Complete).await?;
    let third = snapshot(&repository, "prod", 3, Outcome::Complete).await?;
    let partial = snapshot(&repository, "prod", 4, Outcome::Partial).await?;
    let other = snapshot(&repository, "other", 1, Outcome::Partial).await?;
    repository.protect(&[second.id], true, now()).await?;
    assert_eq!(repository.protected().await?, [second.id]);
    let all = [first.id, second.id, third.id, partial.id, other.id];
    let done = repository.forget(&all, "a test", now()).await?;
    assert_eq!(done.forgotten, [first.id, partial.id]);
    assert_eq!(
        done.held,
        [
            (second.id, Held::Protected),
            (third.id, Held::Newest),
            (other.id, Held::Newest)
        ]
    );
    // A suspect one holds all of its workspace, until a person's word.
    let suspect = snapshot(&repository, "prod", 5, Outcome::Suspect).await?;
    repository.protect(&[second.id], false, now()).await?;
    assert_eq!(repository.protected().await?, []);
    let done = repository
        .forget(&[second.id, first.id], "a test", now())
        .await?;
    assert_eq!(
        done.held,
        [
            (second.id, Held::Suspect(suspect.id)),
            (first.id, Held::Absent)
        ]
    );
    repository.accept(&[suspect.id], now()).await?;
    let done = repository
        .forget(&[second.id, third.id, suspect.id], "a test", now())
        .await?;
    assert_eq!(done.forgotten, [second.id, third.id]);
    assert_eq!(done.held, [(suspect.id, Held::Newest)]);
    // Another machine reads the same.
    let fresh = world.open_at(world.storage(), "fresh").await?;
    assert_eq!(fresh.history().await?, [other, suspect]);
    let gone = fresh.resolve(&first.id.to_string()).await;
    assert!(matches!(gone, Err(Error::SnapshotUnknown { .. })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_lately_and_what_is_young_is_spared() -> Tested {
    let (memory, world) = over_memory().await?;
    let repository = world.open().await?;
    let old = backup(&repository, &[model("a", noise(300_000, 1))]).await?;
    let kept = backup(&repository, &[model("b", noise(300_000, 2))]).await?;
    repository
        .forget(&[old.id], "a test", days_later(10))
        .await?;
    // A run that crashed left packs that no entry names.
    memory.set_now(days_later(12));
    leave_packs(&memory, &repository, 3).await?;
    let found = repository.garbage(&week(), days_later(16)).await?;
    assert_eq!(found.packs, []);
    let reasons: Vec<_> = found
        .spared
        .iter()
        .map(|spared| (spared.sparing, spared.until))
        .collect();
    assert_eq!(
        reasons,
        [
            (Sparing::Forgotten(old.id), Some(days_later(17))),
            (Sparing::Young, Some(days_later(19)))
        ]
    );
    let swept = repository
        .sweep(&week(), days_later(16), &mut |_| {})
        .await?;
    assert_eq!(swept.deleted, 0);
    assert_eq!(memory.deleted().len(), 1, "the probe of init, and no other");
    let swept = repository
        .sweep(&week(), days_later(18), &mut |_| {})
        .await?;
    assert_eq!(
        swept.deleted, 4,
        "documents, files, manifest and list: {swept:?}"
    );
    assert_eq!(swept.garbage.spared.len(), 1);
    let swept = repository
        .sweep(&week(), days_later(20), &mut |_| {})
        .await?;
    assert_eq!(swept.garbage.spared, []);
    assert!(swept.deleted > 0);
    // A workspace may have a grace period of its own.
    let newer = backup(&repository, &[model("b", noise(300_000, 4))]).await?;
    repository
        .forget(&[kept.id], "a test", days_later(20))
        .await?;
    let mut grace = week();
    grace.of_workspace.insert("prod".to_owned(), DAY);
    let swept = repository
        .sweep(&grace, days_later(22), &mut |_| {})
        .await?;
    assert!(swept.deleted > 0, "{swept:?}");
    assert_eq!(restore(&repository, &newer).await?.len(), 1);
    Ok(())
}

/// A run that stores its packs and dies before its entry.
async fn leave_packs(memory: &Memory, repository: &Repository, seed: u64) -> Tested {
    memory.close_log(true);
    let died = backup(repository, &[model("c", noise(300_000, seed))]).await;
    memory.close_log(false);
    assert!(died.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_store_gives_no_time_packs_that_no_entry_names_stay() -> Tested {
    let (memory, world) = over_memory().await?;
    let repository = world.open().await?;
    backup(&repository, &[model("a", noise(3_000, 1))]).await?;
    leave_packs(&memory, &repository, 3).await?;
    memory.forget_times();
    let found = repository.garbage(&week(), days_later(1000)).await?;
    let spared: Vec<_> = found
        .spared
        .iter()
        .map(|spared| (spared.sparing, spared.until))
        .collect();
    assert_eq!(spared, [(Sparing::Undated, None)]);
    assert_eq!(found.packs, []);
    let found = repository.garbage(&Grace::default(), now()).await?;
    assert!(!found.packs.is_empty(), "without grace age does not matter");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_swept_where_deletes_are_refused() -> Tested {
    let (memory, world) = over_memory().await?;
    let repository = world.open().await?;
    let old = backup(&repository, &[model("a", noise(3_000, 1))]).await?;
    backup(&repository, &[model("a", noise(3_000, 2))]).await?;
    repository.forget(&[old.id], "a test", now()).await?;
    memory.allow_deletes(Some(0));
    let head = repository.head().await?;
    let refused = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await;
    assert!(
        matches!(refused, Err(Error::DeletesRefused { .. })),
        "{refused:?}"
    );
    repository.refresh().await?;
    assert_eq!(repository.head().await?, head, "no entry was put");
    // What was not swept is still used.
    let again = backup(&repository, &[model("a", noise(3_000, 1))]).await?;
    assert_eq!(again.bytes.new, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_writer_that_died_left_under_a_temporary_name_goes_when_it_is_old() -> Tested {
    let folder = tempfile::tempdir()?;
    let storage = Arc::new(LocalStorage::new(folder.path().join("repository")));
    let world = World::over(storage, true, 1 << 20).await?;
    let repository = world.open().await?;
    snapshot(&repository, "prod", 1, Outcome::Complete).await?;
    let left = |name: &str, days: u32| -> Tested<std::path::PathBuf> {
        let path = folder.path().join("repository/.tmp").join(name);
        let file = std::fs::File::create(&path)?;
        file.set_modified(days_later(days).into())?;
        Ok(path)
    };
    let (dead, living) = (left("dead", 1)?, left("living", 5)?);
    repository
        .sweep(&week(), days_later(9), &mut |_| {})
        .await?;
    assert!(!dead.exists() && living.exists());
    // Even without any grace: its writer may be at work.
    let none = Grace::default();
    repository.sweep(&none, days_later(5), &mut |_| {}).await?;
    assert!(living.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_cut_off_is_finished_by_the_next_of_anybody() -> Tested {
    // The probe's file is deleted first, then index and pack of one pack after the other.
    for allowed in 1..8 {
        let (memory, world) = over_memory().await?;
        let repository = world.open().await?;
        let old = backup(&repository, &[model("a", noise(3_000, 1))]).await?;
        let kept = backup(&repository, &[model("a", noise(3_000, 2))]).await?;
        repository.forget(&[old.id], "a test", now()).await?;
        memory.allow_deletes(Some(allowed));
        let cut = repository
            .sweep(&Grace::default(), now(), &mut |_| {})
            .await?;
        memory.allow_deletes(None);
        assert_eq!(cut.failure.is_some(), cut.undeleted > 0, "{cut:?}");
        assert_eq!(cut.undeleted > 0, allowed < 7, "{cut:?}");
        // Readers and writers do not mind what is left, and do not use it.
        let fresh = world.open_at(world.storage(), "fresh").await?;
        assert_eq!(fresh.notices(), [], "{allowed} deletes");
        let report = check(&fresh, Depth::ReadData, &mut |_| {}).await?;
        assert_eq!(report.damages, []);
        let again = backup(&fresh, &[model("a", noise(3_000, 1))]).await?;
        assert!(again.bytes.new > 0, "what was swept is stored anew");
        let found = fresh.garbage(&Grace::default(), now()).await?;
        assert_eq!(found.left.len() as u64, cut.undeleted);
        let done = fresh.sweep(&Grace::default(), now(), &mut |_| {}).await?;
        assert_eq!(done.deleted, cut.undeleted);
        assert_eq!(done.garbage.packs, []);
        for record in [&kept, &again] {
            restore(&fresh, record).await?;
        }
        let packs = memory.names("packs/").len();
        assert_eq!(memory.names("index/").len(), packs);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_of_swept_packs_lies_in_packs_that_stay() -> Tested {
    let (memory, world) = over_memory().await?;
    let repository = world.open().await?;
    let kept = backup(&repository, &[model("a", noise(3_000, 1))]).await?;
    // A writer that crashed left many packs.
    let names: Vec<PackName> = (0..12_000_u32)
        .map(|number| PackName::of(&number.to_le_bytes()))
        .collect();
    for name in &names {
        memory
            .create(&FileName::pack(name), Bytes::from_static(b"x"))
            .await?;
    }
    let swept = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    assert_eq!(swept.deleted, 12_000);
    // Whoever reads the log for the first time finds the list, though nothing of the index is known yet.
    let fresh = world.open_at(world.storage(), "fresh").await?;
    assert_eq!(fresh.notices(), []);
    let late = names[777];
    memory
        .create(&FileName::pack(&late), Bytes::from_static(b"x"))
        .await?;
    let found = fresh.garbage(&Grace::default(), now()).await?;
    assert_eq!((found.packs, found.left), (vec![], vec![late]));
    // A later sweep leaves the list alone.
    let orphan = PackName::of(b"another");
    memory
        .create(&FileName::pack(&orphan), Bytes::from_static(b"x"))
        .await?;
    let swept = fresh.sweep(&Grace::default(), now(), &mut |_| {}).await?;
    assert_eq!(swept.garbage.packs, [orphan]);
    assert_eq!(swept.deleted, 2);
    let third = world.open_at(world.storage(), "third").await?;
    assert_eq!(third.notices(), []);
    assert_eq!(restore(&third, &kept).await?.len(), 1);
    let report = check(&third, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_during_which_others_forget_and_sweep_tells_no_damage() -> Tested {
    for prefix in ["index/", "packs/"] {
        let (memory, world) = over_memory().await?;
        let world = Arc::new(world);
        let writer = world.open_at(memory.clone(), "writer").await?;
        let old = backup(&writer, &[model("a", noise(300_000, 1))]).await?;
        let kept = backup(&writer, &[model("a", noise(300_000, 2))]).await?;
        let act = {
            let id = old.id;
            move || async move {
                writer.forget(&[id], "a test", now()).await?;
                let swept = writer.sweep(&Grace::default(), now(), &mut |_| {}).await?;
                assert_eq!(swept.deleted, 3);
                Ok(())
            }
        };
        let storage = Meanwhile::new(memory.clone(), Request::List, prefix, act);
        storage.wait();
        let checking = world.open_at(storage.clone(), "checking").await?;
        storage.go_on();
        let report = check(&checking, Depth::ReadData, &mut |_| {}).await?;
        assert!(storage.happened());
        assert_eq!(report.damages, []);
        restore(&checking, &kept).await?;
        // A reader of the forgotten one is told so, and not of damage.
        let late = world.open_at(memory.clone(), "late").await?;
        let gone = late.snapshot(&old).item("models", "a", Some("1")).await;
        assert!(matches!(gone, Err(Error::Forgotten { .. })), "{gone:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_while_others_sweep_tells_no_damage() -> Tested {
    for prefix in ["index/", "packs/"] {
        for known in [false, true] {
            let (memory, world) = over_memory().await?;
            let writer = world.open_at(memory.clone(), "writer").await?;
            let old = backup(&writer, &[model("a", noise(3_000, 1))]).await?;
            backup(&writer, &[model("a", noise(3_000, 2))]).await?;
            if known {
                world.open_at(memory.clone(), "reading").await?;
            }
            let act = move || async move {
                writer.forget(&[old.id], "a test", now()).await?;
                writer.sweep(&Grace::default(), now(), &mut |_| {}).await?;
                Ok(())
            };
            let storage = Meanwhile::new(memory.clone(), Request::List, prefix, act);
            let reading = world.open_at(storage.clone(), "reading").await?;
            assert!(storage.happened());
            assert_eq!(reading.notices(), [], "{prefix} {known}");
        }
    }
    Ok(())
}
