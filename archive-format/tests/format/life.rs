//! The whole life of a repository, on every store with the same result.

use std::sync::Arc;

use archive_format::{Catalogue, Depth, Grace, Holdings, Repository, Storage, check};
use futures::TryStreamExt;

use crate::stores::{Backend, azurite};
use crate::world::{Tested, Thing, World, backup, model, noise, now, restore};

/// What must be the same on every store.
#[derive(Debug, PartialEq)]
struct Life {
    entries: u64,
    packs: usize,
    indexes: usize,
    swept: u64,
    needed: u64,
    lines: u64,
    /// What the catalogue holds once it is made anew. How many objects a list of packs is cut into depends on the packs'
    /// names, which are random, so objects are not counted.
    held: Holdings,
    /// The names of all files that have no digest for a name.
    named: Vec<String>,
}

/// A few models: one stays, one changes every day.
fn day(day: u64) -> Vec<Thing> {
    vec![
        model("constant", noise(400_000, 1)),
        model("daily", noise(300_000, 100 + day)),
        model("small", noise(1_000, 200 + day / 2)),
    ]
}

async fn count(storage: &Arc<dyn Storage>, prefix: &str) -> usize {
    use futures::StreamExt;
    storage.list(prefix).count().await
}

/// What everybody names alike: packs and their index files have names of their own in every repository.
async fn named(storage: &Arc<dyn Storage>) -> Tested<Vec<String>> {
    let files: Vec<_> = storage.list("").try_collect().await?;
    let names = files.iter().map(|file| file.name.to_string());
    let mut names: Vec<String> = names
        .filter(|name| !name.starts_with("packs/") && !name.starts_with("index/"))
        .collect();
    names.sort();
    Ok(names)
}

async fn sound(repository: &Repository) -> Tested<archive_format::CheckReport> {
    let report = check(repository, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    assert_eq!(report.warnings, 0);
    Ok(report)
}

/// Init, five backups, forget, sweep, check, rebuild, restore.
async fn live(backend: Backend, encrypted: bool) -> Tested<Life> {
    let world = World::on(backend, encrypted, 256 << 10).await?;
    let storage = world.storage();
    let repository = world.open().await?;
    let mut records = Vec::new();
    for number in 0..5 {
        records.push(backup(&repository, &day(number)).await?);
    }
    sound(&repository).await?;
    let before = count(&storage, "packs/").await;
    let ids: Vec<_> = records[..3].iter().map(|record| record.id).collect();
    let done = repository.forget(&ids, "a test", now()).await?;
    assert_eq!((done.forgotten.len(), done.held.len()), (3, 0));
    let swept = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    assert!(swept.failure.is_none() && swept.undeleted == 0, "{swept:?}");
    assert_eq!(swept.deleted, swept.garbage.packs.len() as u64);
    assert!(swept.deleted >= 6, "{swept:?}");
    let packs = count(&storage, "packs/").await;
    assert_eq!(packs as u64, before as u64 - swept.deleted);
    sound(&repository).await?;
    assert_eq!(
        repository.garbage(&Grace::default(), now()).await?.packs,
        [],
        "nothing is left"
    );
    // The catalogue is made anew here, and on a machine that was never here: both hold the same.
    let folder = world.options("cache").cache;
    drop(repository);
    Catalogue::clear(&folder.join(world.machine.repository().to_string())).await?;
    let cleared = world.open().await?;
    assert_eq!(cleared.notices(), []);
    let held = cleared.catalogue().holdings().await?;
    assert_eq!(held.packs as usize, packs);
    let rebuilt = world.open_at(Arc::clone(&storage), "another cache").await?;
    assert_eq!(rebuilt.notices(), []);
    assert_eq!(rebuilt.catalogue().holdings().await?, held);
    let report = sound(&rebuilt).await?;
    let history = rebuilt.history().await?;
    assert_eq!(history, records[3..]);
    let mut restored = Vec::new();
    for record in &history {
        restored.push(restore(&rebuilt, record).await?);
    }
    assert_eq!(restored, [day(3), day(4)]);
    // Life goes on: what was swept is stored again.
    let again = backup(&rebuilt, &day(0)).await?;
    assert_eq!(restore(&rebuilt, &again).await?, day(0));
    Ok(Life {
        entries: report.entries,
        packs,
        indexes: count(&storage, "index/").await,
        swept: swept.deleted,
        needed: swept.garbage.needed,
        lines: report.lines,
        held: Holdings { objects: 0, ..held },
        named: named(&storage).await?,
    })
}

/// On this store all is as on the local disk.
async fn is_the_same_on(backend: Backend) -> Tested {
    for encrypted in [true, false] {
        let local = live(Backend::Local, encrypted).await?;
        assert_eq!(local.entries, 8);
        assert_eq!(live(backend, encrypted).await?, local, "{backend:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_repository_is_the_same_in_memory_as_on_the_local_disk() -> Tested {
    is_the_same_on(Backend::Memory).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_repository_is_the_same_on_azurite_as_on_the_local_disk() -> Tested {
    match azurite() {
        Some(_) => is_the_same_on(Backend::Azurite).await,
        None => Ok(()),
    }
}
