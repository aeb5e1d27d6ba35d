//! The catalogue is a cache: its loss, its corruption and its future do no harm. What only it knows, it keeps.

use archive_format::{Error, GapEntry, LineKey, Notice, Outcome, RunOutcome, SnapshotId};

use crate::world::{Tested, World, backup, model, noise, now, restore};

fn catalogue_of(world: &World) -> std::path::PathBuf {
    world
        .folder
        .path()
        .join("cache")
        .join(world.machine.repository().to_string())
        .join("catalogue.sqlite")
}

/// Waits until nobody has it open: the thread that owns the connection may still be closing it.
fn closed(path: &std::path::Path) {
    while path.with_extension("sqlite-wal").exists() {
        std::thread::yield_now();
    }
}

async fn with_broken(break_it: impl Fn(&std::path::Path) -> Tested, told: bool) -> Tested {
    let world = World::new(true).await?;
    let things = [model("a", noise(100_000, 1)), model("b", noise(50, 2))];
    let repository = world.open().await?;
    let record = backup(&repository, &things).await?;
    let lines = repository.catalogue().lines(record.id, 0, 10).await?;
    drop(repository);
    let path = catalogue_of(&world);
    closed(&path);
    break_it(&path)?;
    let repository = world.open().await?;
    let rebuilt = repository.notices().iter().any(
        |notice| matches!(notice, Notice::CatalogueRebuilt { moved_to, .. } if moved_to.exists()),
    );
    assert_eq!(rebuilt, told, "{:?}", repository.notices());
    assert_eq!(repository.catalogue().lines(record.id, 0, 10).await?, lines);
    assert_eq!(restore(&repository, &record).await?, things);
    let packs = world.files("packs");
    backup(&repository, &things).await?;
    assert_eq!(world.files("packs"), packs, "what is there is known again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalogue_is_made_anew() -> Tested {
    with_broken(|path| Ok(std::fs::remove_file(path)?), false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalogue_is_moved_aside_and_said() -> Tested {
    with_broken(
        |path| {
            Ok(std::fs::write(
                path,
                b"this is no database, it is text of some length",
            )?)
        },
        true,
    )
    .await?;
    with_broken(
        |path| {
            let mut bytes = std::fs::read(path)?;
            for byte in &mut bytes[5000..20_000] {
                *byte ^= 0x5a;
            }
            Ok(std::fs::write(path, bytes)?)
        },
        true,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_catalogue_is_moved_aside() -> Tested {
    with_broken(
        |path| {
            rusqlite::Connection::open(path)?.execute_batch("PRAGMA application_id = 7")?;
            Ok(())
        },
        true,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_catalogue_is_a_named_error_and_stays_as_it_is() -> Tested {
    let world = World::new(true).await?;
    backup(&world.open().await?, &[model("a", noise(1000, 1))]).await?;
    let path = catalogue_of(&world);
    closed(&path);
    rusqlite::Connection::open(&path)?.execute_batch("PRAGMA user_version = 99")?;
    let bytes = std::fs::read(&path)?;
    let refused = world.open().await;
    assert!(
        matches!(refused, Err(Error::CatalogueNewer { found: 99, .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(&path)?, bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_gaps_are_remembered() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let catalogue = repository.catalogue();
    let (first, second) = (
        SnapshotId::new(now())?,
        SnapshotId::new("2030-01-01T00:00:00Z".parse()?)?,
    );
    catalogue.run_began(first, "prod", now()).await?;
    catalogue.run_began(second, "prod", now()).await?;
    catalogue
        .run_ended(first, now(), RunOutcome::Failed("no network".to_owned()))
        .await?;
    let runs = catalogue.runs(Some("prod"), 10).await?;
    assert_eq!(
        runs.iter().map(|run| run.id).collect::<Vec<_>>(),
        [second, first]
    );
    assert_eq!(runs[0].outcome, None);
    assert_eq!(
        runs[1].outcome,
        Some(RunOutcome::Failed("no network".to_owned()))
    );
    catalogue
        .run_ended(
            second,
            now(),
            RunOutcome::Snapshot(second, Outcome::Suspect),
        )
        .await?;
    assert_eq!(
        catalogue.runs(None, 1).await?[0].outcome,
        Some(RunOutcome::Snapshot(second, Outcome::Suspect))
    );
    assert_eq!(catalogue.runs(Some("other"), 10).await?, []);

    let gap = |file: &str, reason: &str| GapEntry {
        file: Some(file.to_owned()),
        reason: reason.to_owned(),
        known: false,
    };
    let item = LineKey::new("models", "x", Some("3"));
    let later = "2027-01-01T00:00:00Z".parse()?;
    catalogue
        .gaps_seen(
            "prod",
            now(),
            vec![
                (item.clone(), gap("a", "gone")),
                (item.clone(), gap("b", "gone")),
            ],
        )
        .await?;
    catalogue
        .gaps_seen("prod", later, vec![(item.clone(), gap("b", "forbidden"))])
        .await?;
    let gaps = catalogue.gaps(None).await?;
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].first, gaps[0].last, gaps[0].reason.as_str()),
        (now(), later, "forbidden")
    );
    assert_eq!((&gaps[0].item, gaps[0].file.as_deref()), (&item, Some("b")));
    Ok(())
}
