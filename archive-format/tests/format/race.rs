//! Several writers at one repository meet only at the log.

use std::sync::Arc;

use archive_format::{Depth, Error, Outcome, check};
use futures::TryStreamExt;
use serde_json::json;

use crate::stores::{Backend, azurite};
use crate::world::{Tested, Thing, World, backup, complete, model, noise, now, put, restore};

#[tokio::test(flavor = "multi_thread")]
async fn four_writers_at_once_all_commit() -> Tested {
    four_writers(Backend::Local).await
}

#[tokio::test(flavor = "multi_thread")]
async fn four_writers_at_once_on_azurite_all_commit() -> Tested {
    match azurite() {
        Some(_) => four_writers(Backend::Azurite).await,
        None => Ok(()),
    }
}

async fn four_writers(backend: Backend) -> Tested {
    let world = Arc::new(World::on(backend, true, 1 << 20).await?);
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..4_u64 {
        let world = Arc::clone(&world);
        writers.spawn(async move {
            let repository = world
                .open_at(world.storage(), &format!("cache-{number}"))
                .await?;
            let things: Vec<Thing> = (0..5)
                .map(|n| {
                    model(
                        &format!("m-{n}"),
                        noise(100_000 + n as usize, n + number % 2 * 100),
                    )
                })
                .collect();
            for _ in 0..3 {
                let record = backup(&repository, &things).await?;
                assert_eq!(restore(&repository, &record).await?, things);
            }
            Ok::<_, crate::world::Failure>(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let entries: Vec<_> = world.storage().list("log/").try_collect().await?;
    assert_eq!(entries.len(), 13);
    // Whoever comes next finds each of them complete.
    let repository = world.open().await?;
    let history = repository.history().await?;
    assert_eq!(history.len(), 12);
    for record in &history {
        assert_eq!(record.outcome, Outcome::Complete);
        assert_eq!(restore(&repository, record).await?.len(), 5);
    }
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    assert_eq!(report.entries, 13);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_commits_partly_and_then_wholly() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    put(&writer, &model("a", noise(1000, 1))).await?;
    let partial = writer
        .commit(archive_format::Commit {
            outcome: archive_format::Outcome::Partial,
            ..complete()
        })
        .await?;
    put(&writer, &model("b", noise(1000, 2))).await?;
    let whole = writer.commit(complete()).await?;
    assert_eq!(partial.run, whole.run);
    assert_ne!(partial.id, whole.id);
    assert_eq!(restore(&repository, &partial).await?.len(), 1);
    assert_eq!(restore(&repository, &whole).await?.len(), 2);
    assert_eq!(repository.resolve("latest").await?.record, whole);
    assert_eq!(
        repository
            .resolve(&partial.id.to_string().to_lowercase())
            .await?
            .record,
        partial
    );
    let unknown = repository.resolve("latest:other").await;
    assert!(matches!(unknown, Err(Error::SnapshotUnknown { .. })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_from_the_folder_of_one_that_was_dropped() -> Tested {
    let world = World::new(false).await?;
    let repository = world.open().await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    put(&writer, &model("a", noise(300_000, 1))).await?;
    drop(writer);
    assert_eq!(world.files("packs").len(), 0);
    let record = backup(&repository, &[model("a", noise(300_000, 1))]).await?;
    assert_eq!(restore(&repository, &record).await?.len(), 1);
    let left = std::fs::read_dir(
        world
            .folder
            .path()
            .join("cache")
            .join(repository.id().to_string())
            .join("runs"),
    )?;
    assert_eq!(left.count(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_share_one_cache() -> Tested {
    let world = World::new(true).await?;
    // Both are open before either writes, as a daemon and a command are.
    let (daemon, command) = (world.open().await?, world.open().await?);
    let first = backup(&daemon, &[model("a", noise(1000, 1))]).await?;
    let second = backup(&command, &[model("b", noise(1000, 2))]).await?;
    let third = backup(&daemon, &[model("c", noise(1000, 3))]).await?;
    daemon.refresh().await?;
    command.refresh().await?;
    for repository in [&daemon, &command] {
        assert_eq!(repository.head().await?.0, 4);
        let history = repository.history().await?;
        assert_eq!(history, [first.clone(), second.clone(), third.clone()]);
        for record in &history {
            restore(repository, record).await?;
        }
    }
    Ok(())
}
