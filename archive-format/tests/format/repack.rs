//! Repacking: what is needed of packs that hold much else moves into new ones, and nothing is lost by it, whoever writes,
//! reads, sweeps or dies meanwhile.

mod deceived;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive_format::{
    Depth, Error, FileName, Grace, KeyLack, PackName, RepackEvent, Repacked, Repository,
    SnapshotRecord, Sparing, Sparse, Storage, check,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use crate::checkpoints::{reads_zstd, second_reader};
use crate::faulty::{Fault, Faulty};
use crate::meanwhile::{Meanwhile, Request};
use crate::memory::Memory;
use crate::stock::has;
use crate::world::{
    Tested, Thing, World, backup, complete, floats, model, noise, now, put, restore,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn days_later(days: u32) -> Timestamp {
    now().saturating_add(DAY * days).unwrap_or(Timestamp::MAX)
}

/// What stays from the first snapshot to the last: one large object and many small ones beside it.
fn kept() -> Thing {
    let mut kept = model("kept", floats(40_000, 1));
    kept.files.push(("small.txt".to_owned(), noise(3_000, 2)));
    kept
}

/// What only the first snapshot has, many times as large.
fn gone() -> Thing {
    let mut gone = model("gone", noise(500_000, 3));
    gone.files.push(("small.txt".to_owned(), noise(3_000, 4)));
    gone
}

fn new(number: u64) -> Thing {
    model("new", noise(30_000, 100 + number))
}

/// A repository whose first snapshot is forgotten, and whose second needs little of the packs of the first.
async fn sparse_in(world: &World) -> Tested<(Repository, SnapshotRecord)> {
    let repository = world.open().await?;
    let first = backup(&repository, &[gone(), kept()]).await?;
    let second = backup(&repository, &[kept(), new(0)]).await?;
    repository.forget(&[first.id], "a test", now()).await?;
    Ok((repository, second))
}

async fn over_memory() -> Tested<(Arc<Memory>, World)> {
    let memory = Arc::new(Memory::new(now()));
    let world = World::over(memory.clone(), false, 2 << 20).await?;
    Ok((memory, world))
}

async fn look(repository: &Repository, grace: &Grace, at: Timestamp) -> Tested<Sparse> {
    Ok(repository.sparse(10, grace, at, &mut |_| {}).await?)
}

pub(crate) async fn repack(repository: &Repository) -> Result<Repacked, Error> {
    repack_at(repository, &Grace::default(), now()).await
}

async fn repack_at(
    repository: &Repository,
    grace: &Grace,
    at: Timestamp,
) -> Result<Repacked, Error> {
    repository
        .repack(10, grace, at, &|| false, &mut |_| {})
        .await
}

async fn sweep(repository: &Repository) -> Tested<u64> {
    let swept = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    assert!(swept.failure.is_none(), "{swept:?}");
    assert_eq!(swept.garbage.contested, []);
    Ok(swept.deleted)
}

/// Everything is there and right, for a machine that knows nothing yet.
async fn is_sound(world: &World, cache: &str, expected: &[(&SnapshotRecord, &[Thing])]) -> Tested {
    let fresh = world.open_at(world.storage(), cache).await?;
    assert_eq!(fresh.notices(), [], "{cache}");
    for depth in [Depth::Structure, Depth::ReadData] {
        let report = check(&fresh, depth, &mut |_| {}).await?;
        assert_eq!(report.damages, [], "{cache}");
    }
    let found = fresh.garbage(&Grace::default(), now()).await?;
    assert_eq!(found.contested, [], "{cache}");
    for (record, things) in expected {
        let mut things = things.to_vec();
        things.sort_by(|left, right| left.name.cmp(&right.name));
        assert_eq!(
            restore(&fresh, record).await?,
            things,
            "{cache}: {}",
            record.id
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_needed_moves_and_the_rest_is_freed() -> Tested {
    for encrypted in [true, false] {
        let world = World::with_packs(encrypted, 2 << 20).await?;
        let (repository, second) = sparse_in(&world).await?;
        sweep(&repository).await?;
        let before = repository.stored_bytes().await?;
        assert!(before > 600_000, "nothing was freed: {before}");
        let files = world.files("");
        let found = look(&repository, &Grace::default(), now()).await?;
        assert_eq!(world.files(""), files, "a look changes nothing");
        // Its files, and the document beside them is the same as that of what is kept but for its name.
        assert_eq!(found.packs.len(), 2, "{found:?}");
        assert!(found.unused_bytes() > 500_000, "{found:?}");
        let done = repack(&repository).await?;
        assert_eq!(done.found, found);
        assert_eq!((done.replaced, done.written), (2, 2), "{done:?}");
        assert_eq!(done.replaced_bytes, found.bytes());
        assert_eq!(done.entries, [repository.head().await?.0]);
        is_sound(
            &world,
            "before the sweep",
            &[(&second, &[kept(), new(0)][..])],
        )
        .await?;
        assert_eq!(sweep(&repository).await?, 2);
        let after = repository.stored_bytes().await?;
        assert!(after + 500_000 < before, "{before} → {after}");
        is_sound(
            &world,
            "after the sweep",
            &[(&second, &[kept(), new(0)][..])],
        )
        .await?;
        // There is nothing more to do.
        let again = repack(&repository).await?;
        assert_eq!(again, Repacked::default());
        // What lies in the new packs is known.
        let third = backup(&repository, &[kept(), new(0)]).await?;
        assert_eq!(third.bytes.new, 0);
        second_reader_finds_the_same(&world)?;
    }
    Ok(())
}

fn second_reader_finds_the_same(world: &World) -> Tested {
    if !has(&["python3", "age"]) || !reads_zstd()? {
        return Ok(());
    }
    let told = second_reader(world, &["verify"])?;
    assert!(told.contains("2 snapshots"), "{told}");
    assert!(!told.contains("refused"), "{told}");
    let into = world.folder.path().join("restored");
    let into = into.to_str().ok_or("a path")?;
    let told = second_reader(world, &["restore", "latest", into])?;
    assert!(told.contains("3 files"), "{told}");
    assert!(!told.contains("refused"), "{told}");
    assert!(
        told.contains("0 objects from packs that the snapshot does not name"),
        "{told}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_repacked_is_repacked_again() -> Tested {
    let (_, world) = over_memory().await?;
    let repository = world.open().await?;
    let all: Vec<Thing> = (0..4)
        .map(|number| {
            let name = format!("model-{number}");
            model(&name, noise(200_000 << number, number))
        })
        .collect();
    let mut last = backup(&repository, &all).await?;
    let (mut sizes, mut replaced) = (Vec::new(), 0);
    for left in (1..4).rev() {
        let next = backup(&repository, &all[..left]).await?;
        repository.forget(&[last.id], "a test", now()).await?;
        last = next;
        replaced += repack(&repository).await?.replaced;
        sweep(&repository).await?;
        sizes.push(repository.stored_bytes().await?);
        is_sound(&world, &format!("{left}"), &[(&last, &all[..left])]).await?;
    }
    assert!(replaced >= 3);
    assert!(sizes.is_sorted_by(|left, right| left > &(right + 150_000)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshots_that_need_a_pack_are_many_and_all_keep_what_they_hold() -> Tested {
    let (_, world) = over_memory().await?;
    let repository = world.open().await?;
    let things: Vec<Thing> = (0..6)
        .map(|number| model(&format!("m{number}"), noise(100_000, number)))
        .collect();
    let first = backup(&repository, &things).await?;
    let mut left = Vec::new();
    for (place, thing) in things.iter().enumerate().take(3) {
        let some = vec![thing.clone(), new(place as u64)];
        left.push((backup(&repository, &some).await?, some));
    }
    repository.forget(&[first.id], "a test", now()).await?;
    repack(&repository).await?;
    sweep(&repository).await?;
    let expected: Vec<_> = left
        .iter()
        .map(|(record, things)| (record, things.as_slice()))
        .collect();
    is_sound(&world, "all", &expected).await?;
    // One of them is forgotten later, and what only it needed goes, through the packs that took their place.
    let (record, _) = left.remove(0);
    repository.forget(&[record.id], "a test", now()).await?;
    repack(&repository).await?;
    let before = repository.stored_bytes().await?;
    sweep(&repository).await?;
    assert!(repository.stored_bytes().await? + 100_000 < before);
    let expected: Vec<_> = left
        .iter()
        .map(|(record, things)| (record, things.as_slice()))
        .collect();
    is_sound(&world, "less", &expected).await
}

async fn commit_stubbornly(
    writer: &archive_format::SnapshotWriter,
    things: &[Thing],
) -> Tested<(SnapshotRecord, BTreeSet<String>)> {
    let mut again = BTreeSet::new();
    for _ in 0..5 {
        match writer.commit(complete()).await {
            Ok(record) => return Ok((record, again)),
            Err(Error::Gone { items }) => {
                for thing in things {
                    if items.iter().any(|item| item.name == thing.name) {
                        put(writer, thing).await?;
                        again.insert(thing.name.clone());
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err("the writer was hit again and again".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_knew_the_old_packs_loses_nothing() -> Tested {
    for swept in [false, true] {
        let (_, world) = over_memory().await?;
        let (repository, second) = sparse_in(&world).await?;
        let other = world.open_at(world.storage(), "writer").await?;
        let writer = other.begin("prod", json!({}), now()).await?;
        // It counts on the old packs for what is needed and for what is not.
        let things = [gone(), kept(), new(1)];
        for thing in &things {
            put(&writer, thing).await?;
        }
        assert_eq!(writer.written().new, 30_000);
        let done = repack(&repository).await?;
        assert!(done.replaced > 0);
        if swept {
            assert!(sweep(&repository).await? > 0);
        }
        let (record, again) = commit_stubbornly(&writer, &things).await?;
        // What was carried over is found in the new packs, and not stored once more.
        assert_eq!(again, BTreeSet::from(["gone".to_owned()]), "swept: {swept}");
        let expected = [
            (&second, &[kept(), new(0)][..]),
            (&record, &[gone(), kept(), new(1)][..]),
        ];
        is_sound(&world, "before", &expected).await?;
        sweep(&repository).await?;
        is_sound(&world, "after", &expected).await?;
        assert_eq!(sweep(&repository).await?, 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_while_it_repacks_keeps_the_packs_that_it_names() -> Tested {
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let other = world.open_at(world.storage(), "writer").await?;
    let third = Arc::new(std::sync::Mutex::new(None));
    let act = {
        let third = third.clone();
        move || async move {
            // It takes everything from the packs that are being replaced.
            let record = backup(&other, &[gone(), kept()]).await?;
            assert_eq!(record.bytes.new, 0);
            *third.lock().map_err(|_| "poisoned")? = Some(record);
            Ok(())
        }
    };
    let storage = Meanwhile::new(memory.clone(), Request::Create, "log/", act);
    let repacking = world.open_at(storage.clone(), "repacking").await?;
    let done = repack(&repacking).await?;
    assert!(storage.happened());
    assert!(done.replaced > 0, "{done:?}");
    let third = third.lock().map_err(|_| "poisoned")?.take();
    let third = third.ok_or("nothing was committed")?;
    let expected = [
        (&second, &[kept(), new(0)][..]),
        (&third, &[gone(), kept()][..]),
    ];
    is_sound(&world, "before", &expected).await?;
    sweep(&repository).await?;
    is_sound(&world, "after", &expected).await?;
    // Once that is forgotten the old packs go.
    backup(&repository, &[kept(), new(0)]).await?;
    repository.forget(&[third.id], "a test", now()).await?;
    assert!(sweep(&repository).await? > 0);
    is_sound(&world, "without it", &expected[..1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_write_it_loses_nothing_and_the_next_one_goes_on() -> Tested {
    for fault in [Fault::Crash, Fault::CrashAfter] {
        for at in 0.. {
            let world = World::with_packs(at % 2 == 0, 2 << 20).await?;
            let (repository, second) = sparse_in(&world).await?;
            drop(repository);
            let expected = [(&second, &[kept(), new(0)][..])];
            let faulty = Arc::new(Faulty::new(world.storage(), fault, at));
            let crashing = world.open_at(faulty.clone(), "crashing").await?;
            let ended = repack(&crashing).await;
            drop(crashing);
            let written = faulty.writes();
            is_sound(&world, "crashed", &expected).await?;
            let again = world.open_at(world.storage(), "again").await?;
            let packs = world.files("packs").len();
            let done = repack(&again).await?;
            if written > 6 && fault == Fault::CrashAfter {
                assert_eq!(done.written, 0, "{at}: what was written is found");
            }
            assert!(world.files("packs").len() >= packs);
            sweep(&again).await?;
            is_sound(&world, "again", &expected).await?;
            assert!(again.stored_bytes().await? < 400_000, "{fault:?} at {at}");
            if ended.is_ok() && written <= at {
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn raced_by_a_sweep_that_spares_nobody_it_names_nothing_that_is_gone() -> Tested {
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let sweeper = world.open_at(world.storage(), "sweeper").await?;
    let act = move || async move {
        // The new packs are there, and nobody names them yet.
        assert!(sweep(&sweeper).await? > 0);
        Ok(())
    };
    let storage = Meanwhile::new(memory.clone(), Request::Create, "log/", act);
    let repacking = world.open_at(storage.clone(), "repacking").await?;
    let done = repack(&repacking).await?;
    assert!(storage.happened());
    assert_eq!((done.replaced, done.entries.len()), (0, 0), "{done:?}");
    let expected = [(&second, &[kept(), new(0)][..])];
    is_sound(&world, "raced", &expected).await?;
    assert!(repack(&repository).await?.replaced > 0);
    sweep(&repository).await?;
    is_sound(&world, "again", &expected).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_an_owners_key_looks_and_repacks_nothing() -> Tested {
    let world = World::with_packs(true, 2 << 20).await?;
    sparse_in(&world).await?;
    let machine = world.open_as_machine("machine").await?;
    let found = look(&machine, &Grace::default(), now()).await?;
    assert_eq!(found.packs.len(), 2);
    let files = world.files("");
    let refused = repack(&machine).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::MachineOnly))),
        "{refused:?}"
    );
    assert_eq!(world.files(""), files);
    // Where nothing is encrypted, the owners' word is still needed.
    let world = World::with_packs(false, 2 << 20).await?;
    sparse_in(&world).await?;
    let repository = world.open().await?;
    let stranger = archive_format::MachineKey::generate(repository.id(), "second")?;
    repository
        .add_machine(stranger.introduction(), now())
        .await?;
    let keys = archive_format::KeyChain {
        machine: Some(stranger),
        owners: Vec::new(),
    };
    let second = Repository::open(world.storage(), keys, world.options("second")).await?;
    let refused = repack(&second).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::OwnersSigning))),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_with_damage_stays_and_the_others_are_repacked() -> Tested {
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let largest = memory.names("packs/").into_iter();
    let largest = largest.max_by_key(|name| memory.bytes(name).map_or(0, |bytes| bytes.len()));
    let name = largest.ok_or("no pack")?;
    let mut harmed = memory.bytes(&name).ok_or("no bytes")?.to_vec();
    // All of its frames, so that what is needed is hit, and what is not.
    let frames = harmed.len() - 1_000;
    for byte in harmed.iter_mut().take(frames) {
        *byte ^= 1;
    }
    memory.lose(&name);
    memory.create(&name, Bytes::from(harmed)).await?;
    let mut told = Vec::new();
    let done = repository
        .repack(10, &Grace::default(), now(), &|| false, &mut |event| {
            told.extend(match event {
                RepackEvent::Damaged { pack, .. } => Some(pack),
                _ => None,
            });
        })
        .await?;
    let hurt: PackName = name.as_str().rsplit('/').next().ok_or("no name")?.parse()?;
    assert_eq!(told, [hurt]);
    assert_eq!(done.damaged.len(), 1);
    assert_eq!(done.replaced, 1, "that of the documents: {done:?}");
    sweep(&repository).await?;
    assert!(memory.bytes(&name).is_some(), "it stays");
    let fresh = world.open_at(world.storage(), "fresh").await?;
    let report = check(&fresh, Depth::Digests, &mut |_| {}).await?;
    let damaged: Vec<&str> = report
        .damages
        .iter()
        .map(|damage| damage.name.as_str())
        .collect();
    assert_eq!(damaged, [name.as_str()]);
    assert_eq!(report.damages[0].snapshots, [second.id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_is_spared_for_a_grace_period_and_read_from_its_new_place_later() -> Tested
{
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let week = Grace {
        usual: 7 * DAY,
        ..Grace::default()
    };
    // As long as what was forgotten lately may be wanted back, its packs stay as they are.
    let found = look(&repository, &week, days_later(3)).await?;
    assert_eq!(found.packs, []);
    assert!(
        matches!(found.spared[..], [spared] if matches!(spared.sparing, Sparing::Forgotten(_))),
        "{found:?}"
    );
    // Who opened it before knows nothing of what comes.
    let reader = world.open_at(world.storage(), "reader").await?;
    let reading = reader.snapshot(&second);
    memory.set_now(days_later(8));
    let done = repack_at(&repository, &week, days_later(8)).await?;
    assert_eq!(done.replaced, 2, "{done:?}");
    let found = repository.garbage(&week, days_later(9)).await?;
    let replaced = found
        .spared
        .iter()
        .find(|spared| spared.sparing == Sparing::Replaced(done.entries[0]));
    assert_eq!(
        replaced.map(|spared| (spared.packs, spared.bytes, spared.until)),
        Some((2, done.replaced_bytes, Some(days_later(15))))
    );
    let swept = repository.sweep(&week, days_later(16), &mut |_| {}).await?;
    assert!(swept.deleted >= 2, "{swept:?}");
    assert_eq!(
        restore(reading.repository(), &second).await?,
        [kept(), new(0)]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_ends_with_what_it_has_and_goes_on_later() -> Tested {
    let (_, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let asked = AtomicU64::new(0);
    // Once for the snapshot that is looked at, once for the first pack.
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 1;
    let done = repository
        .repack(10, &Grace::default(), now(), &stop, &mut |_| {})
        .await?;
    assert!(done.stopped);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!((done.replaced, done.entries.len()), (1, 1), "{done:?}");
    let rest = repack(&repository).await?;
    assert_eq!((rest.replaced, rest.stopped), (1, false), "{rest:?}");
    sweep(&repository).await?;
    is_sound(&world, "after", &[(&second, &[kept(), new(0)][..])]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_not_swept_while_one_that_took_its_place_is_missing() -> Tested {
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let before: BTreeSet<FileName> = memory.names("packs/").into_iter().collect();
    repack(&repository).await?;
    // The store lost a new pack; what it holds lies in the old one, as long as that is there.
    for name in memory.names("packs/") {
        if !before.contains(&name) {
            memory.lose(&name);
        }
    }
    sweep(&repository).await?;
    let fresh = world.open_at(world.storage(), "fresh").await?;
    assert_eq!(restore(&fresh, &second).await?, [kept(), new(0)]);
    // The snapshot needs what is lost, and no item of it is hurt by that.
    let report = check(&fresh, Depth::Structure, &mut |_| {}).await?;
    assert_eq!(report.damages.len(), 2, "{report:?}");
    for damage in &report.damages {
        assert_eq!(damage.snapshots, [second.id], "{damage:?}");
        assert_eq!(damage.items, [], "{damage:?}");
    }
    Ok(())
}
