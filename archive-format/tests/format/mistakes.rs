//! The mistakes that a protocol of commit and removal can hold, each driven to the interleaving where it loses data.
//! `archive-format/tests/mistakes/` has each as a patch of the code, and says which of these tests catches it; `run.sh` there
//! puts them in one by one and sees them fail.

use std::sync::Arc;

use archive_format::{
    Depth, Error, FileName, Grace, Held, Repository, SnapshotId, SnapshotRecord, Storage, check,
};
use serde_json::json;

use crate::faulty::{Fault, Faulty};
use crate::meanwhile::{Meanwhile, Request};
use crate::memory::Memory;
use crate::world::{
    Tested, Thing, World, backup, complete, model, noise, now, options, put, restore,
};

/// A repository in memory with one snapshot of the shared thing, and a second so that the first may be forgotten.
struct Stage {
    memory: Arc<Memory>,
    world: Arc<World>,
    first: SnapshotId,
}

fn shared() -> Thing {
    model("shared", noise(200_000, 1))
}

fn own(number: u64) -> Thing {
    model("own", noise(100_000, 10 + number))
}

impl Stage {
    async fn new() -> Tested<Self> {
        let memory = Arc::new(Memory::new(now()));
        let world = Arc::new(World::over(memory.clone(), false, 1 << 20).await?);
        let repository = world.open_at(memory.clone(), "first").await?;
        let first = backup(&repository, &[shared()]).await?.id;
        backup(&repository, &[model("other", noise(1_000, 2))]).await?;
        Ok(Self {
            memory,
            world,
            first,
        })
    }

    async fn open(&self, cache: &str) -> Tested<Repository> {
        self.open_through(self.memory.clone(), cache).await
    }

    async fn open_through(&self, storage: Arc<dyn Storage>, cache: &str) -> Tested<Repository> {
        Ok(self.world.open_at(storage, cache).await?)
    }

    /// Whoever comes next finds everything that is not forgotten, and the log whole.
    async fn is_sound(&self, expected: &[(&SnapshotRecord, &[Thing])]) -> Tested {
        let fresh = self.open("the next one").await?;
        assert_eq!(fresh.notices(), []);
        let report = check(&fresh, Depth::ReadData, &mut |_| {}).await?;
        assert_eq!(report.damages, []);
        let found = fresh.garbage(&Grace::default(), now()).await?;
        assert_eq!(found.contested, [], "a sweep names what is needed");
        for (record, things) in expected {
            let mut things = things.to_vec();
            things.sort_by(|left, right| left.name.cmp(&right.name));
            assert_eq!(restore(&fresh, record).await?, things, "{}", record.id);
        }
        self.log_is_whole();
        Ok(())
    }

    /// Its numbers are all there, and nothing was deleted that may not be.
    fn log_is_whole(&self) {
        let numbers: Vec<String> = self
            .memory
            .names("log/")
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected: Vec<String> = (1..=numbers.len())
            .map(|number| format!("log/{number:010}"))
            .collect();
        assert_eq!(numbers, expected);
        self.memory.only_what_may_go_was_deleted();
    }
}

async fn sweep(repository: &Repository) -> Tested<u64> {
    let swept = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    assert!(swept.failure.is_none(), "{swept:?}");
    Ok(swept.deleted)
}

/// Commits; items whose packs were swept are stored again, as a backup does.
async fn commit_stubbornly(
    writer: &archive_format::SnapshotWriter,
    things: &[Thing],
) -> Tested<(SnapshotRecord, u32)> {
    for hits in 0..5 {
        match writer.commit(complete()).await {
            Ok(record) => return Ok((record, hits)),
            Err(Error::Gone { items }) => {
                for thing in things {
                    if items.iter().any(|item| item.name == thing.name) {
                        put(writer, thing).await?;
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err("the writer was hit again and again".into())
}

/// `M_STALE`: packs of the cache are checked against the log before the commit.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_swept_since_a_run_began_is_written_again() -> Tested {
    let stage = Stage::new().await?;
    let (repository, sweeper) = (stage.open("writer").await?, stage.open("sweeper").await?);
    let things = [shared(), own(1)];
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in &things {
        put(&writer, thing).await?;
    }
    sweeper.forget(&[stage.first], "a test", now()).await?;
    assert!(sweep(&sweeper).await? > 0);
    let (record, hits) = commit_stubbornly(&writer, &things).await?;
    assert_eq!(hits, 1);
    stage.is_sound(&[(&record, &things)]).await
}

/// `M_NOREREAD`: after "exists" the commit is computed anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_loses_its_number_looks_again_at_what_was_swept() -> Tested {
    let stage = Stage::new().await?;
    let sweeper = stage.open("sweeper").await?;
    let first = stage.first;
    let act = move || async move {
        sweeper.forget(&[first], "a test", now()).await?;
        assert!(sweep(&sweeper).await? > 0);
        Ok(())
    };
    let storage = Meanwhile::new(stage.memory.clone(), Request::Create, "log/", act);
    let repository = stage.open_through(storage.clone(), "writer").await?;
    let things = [shared(), own(1)];
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in &things {
        put(&writer, thing).await?;
    }
    let (record, hits) = commit_stubbornly(&writer, &things).await?;
    assert!(storage.happened());
    assert_eq!(hits, 1);
    assert_eq!(storage.deletes(), [], "a writer deletes nothing");
    stage.is_sound(&[(&record, &things)]).await
}

/// `M_SWEEPBLIND`, `M_SWEEPLOST`, `M_DELFIRST`: a sweep that loses its number computes its garbage anew, and deletes
/// nothing before its entry is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_loses_its_number_spares_what_was_committed_meanwhile() -> Tested {
    let stage = Stage::new().await?;
    let repository = stage.open("writer").await?;
    let things = [shared(), own(1)];
    let committed = Arc::new(std::sync::Mutex::new(None));
    let act = {
        let (committed, things, memory) = (committed.clone(), things.clone(), stage.memory.clone());
        move || async move {
            let packs = memory.names("packs/").len();
            // The writer finds the shared thing in the pack of the forgotten snapshot.
            let record = backup(&repository, &things).await?;
            assert!(memory.names("packs/").len() > packs);
            *committed.lock().map_err(|_| "poisoned")? = Some(record);
            Ok(())
        }
    };
    let forgetting = stage.open("forgetting").await?;
    forgetting.forget(&[stage.first], "a test", now()).await?;
    // The moment is before the sweep's entry; its listing and its first computation are done.
    let storage = Meanwhile::new(stage.memory.clone(), Request::Create, "log/", act);
    let sweeper = stage.open_through(storage.clone(), "sweeper").await?;
    sweep(&sweeper).await?;
    assert!(storage.happened());
    let record = committed.lock().map_err(|_| "poisoned")?.take();
    let record = record.ok_or("nothing was committed")?;
    assert!(record.bytes.new < 150_000, "the shared thing was known");
    stage.is_sound(&[(&record, &things)]).await
}

/// `M_DELFIRST`: a sweep that dies before its entry has deleted nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_cannot_store_its_entry_deletes_nothing() -> Tested {
    let stage = Stage::new().await?;
    let sweeper = stage.open("sweeper").await?;
    sweeper.forget(&[stage.first], "a test", now()).await?;
    let before = stage.memory.names("packs/");
    stage.memory.close_log(true);
    let refused = sweep(&sweeper).await;
    stage.memory.close_log(false);
    assert!(refused.is_err());
    assert_eq!(stage.memory.names("packs/"), before);
    let again = backup(&sweeper, &[shared()]).await?;
    assert_eq!(again.bytes.new, 0, "what was not swept is used");
    stage.is_sound(&[(&again, &[shared()])]).await
}

/// `M_REUSE`: names never come back, so a delete that comes late hits nothing that anybody needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_comes_late_hits_nothing_that_is_needed() -> Tested {
    let stage = Stage::new().await?;
    let sweeper = stage.open("sweeper").await?;
    let before = stage.memory.names("packs/");
    sweeper.forget(&[stage.first], "a test", now()).await?;
    sweep(&sweeper).await?;
    let swept: Vec<_> = before
        .into_iter()
        .filter(|name| stage.memory.bytes(name).is_none())
        .collect();
    assert_eq!(
        swept.len(),
        4,
        "two data packs, a manifest and a list: {swept:?}"
    );
    // The same bytes again, by a machine that has nothing in its cache.
    let repository = stage.open("writer").await?;
    let record = backup(&repository, &[shared()]).await?;
    // Somebody repeats the deletes of the stored sweep, years late.
    for name in &swept {
        stage.memory.lose(name);
    }
    stage.is_sound(&[(&record, &[shared()])]).await
}

/// `M_ORPHNOSWEEP`: packs that no entry names are checked at the commit like all others.
#[tokio::test(flavor = "multi_thread")]
async fn packs_of_a_crashed_run_that_were_swept_are_written_again() -> Tested {
    let stage = Stage::new().await?;
    let things = [own(1), own_other()];
    let crashing = stage.open("crashing").await?;
    stage.memory.close_log(true);
    assert!(backup(&crashing, &things).await.is_err());
    stage.memory.close_log(false);
    drop(crashing);
    let (repository, sweeper) = (stage.open("writer").await?, stage.open("sweeper").await?);
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in &things {
        put(&writer, thing).await?;
    }
    assert_eq!(writer.written().new, 0, "the crashed run's packs are used");
    assert!(sweep(&sweeper).await? > 0);
    let (record, hits) = commit_stubbornly(&writer, &things).await?;
    assert_eq!(hits, 1);
    stage.is_sound(&[(&record, &things)]).await
}

fn own_other() -> Thing {
    model("another", noise(50_000, 99))
}

/// `M_ORPHNOHEAD`: an index proves its pack, so a run that dies anywhere leaves nothing that misleads the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_between_pack_and_index_misleads_nobody() -> Tested {
    for at in 0..12 {
        let stage = Stage::new().await?;
        let faulty = Arc::new(Faulty::new(stage.memory.clone(), Fault::Crash, at));
        let crashing = stage.open_through(faulty, "crashing").await?;
        let things = [own(1)];
        if backup(&crashing, &things).await.is_ok() {
            return Ok(());
        }
        let repository = stage.open("writer").await?;
        let record = backup(&repository, &things).await?;
        stage.is_sound(&[(&record, &things)]).await?;
    }
    Err("the run never ended".into())
}

/// `M_ABORTDEL`: a writer that gives up leaves its packs, since somebody may use them already.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_gives_up_deletes_nothing() -> Tested {
    let stage = Stage::new().await?;
    let giving_up = stage.open("giving up").await?;
    let sweeper = stage.open("sweeper").await?;
    let writer = giving_up.begin("prod", json!({}), now()).await?;
    put(&writer, &shared()).await?;
    put(&writer, &own(1)).await?;
    // Its pack is stored, and another run finds it there.
    stage.memory.close_log(true);
    assert!(writer.commit(complete()).await.is_err());
    stage.memory.close_log(false);
    let other = stage.open("other").await?;
    let record = backup(&other, &[own(1)]).await?;
    assert_eq!(record.bytes.new, 0);
    // Then what it relied on is swept, and it gives up.
    sweeper.forget(&[stage.first], "a test", now()).await?;
    assert!(sweep(&sweeper).await? > 0);
    let deleted = stage.memory.deleted();
    let hit = writer.commit(complete()).await;
    assert!(matches!(hit, Err(Error::Gone { .. })), "{hit:?}");
    drop(writer);
    assert_eq!(stage.memory.deleted(), deleted);
    stage.is_sound(&[(&record, &[own(1)])]).await
}

/// `M_LOGDEL`: no entry is ever deleted, so a number never becomes free. A sleeper finds its number taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_slept_for_years_finds_its_number_taken() -> Tested {
    let stage = Stage::new().await?;
    let stage = Arc::new(stage);
    let act = {
        let (stage, busy) = (Arc::clone(&stage), stage.open("busy").await?);
        move || async move {
            // More entries than a checkpoint waits for, and every other reason to tidy up.
            for number in 0..300 {
                backup(&busy, &[own(number % 3)]).await?;
            }
            busy.forget(&[stage.first], "a test", now()).await?;
            assert!(sweep(&busy).await? > 0);
            stage.log_is_whole();
            Ok(())
        }
    };
    let storage = Meanwhile::new(stage.memory.clone(), Request::Create, "log/", act);
    let repository = stage.open_through(storage.clone(), "writer").await?;
    let things = [shared(), own(7)];
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in &things {
        put(&writer, thing).await?;
    }
    let (record, _) = commit_stubbornly(&writer, &things).await?;
    assert!(storage.happened());
    stage.is_sound(&[(&record, &things)]).await
}

/// `CKDROP`: swept names are in checkpoints too, so who begins at one uses no pack that somebody may still delete.
#[tokio::test(flavor = "multi_thread")]
async fn who_begins_at_a_checkpoint_uses_nothing_that_was_swept_before_it() -> Tested {
    let stage = Stage::new().await?;
    let sweeper = stage.open("sweeper").await?;
    sweeper.forget(&[stage.first], "a test", now()).await?;
    let before = stage.memory.names("packs/");
    // Its deletes do not come: only that of the probe does.
    stage.memory.allow_deletes(Some(1));
    let swept = sweeper.sweep(&Grace::default(), now(), &mut |_| {}).await?;
    stage.memory.allow_deletes(None);
    assert!(
        swept.failure.is_some() && !swept.garbage.packs.is_empty(),
        "{swept:?}"
    );
    assert_eq!(stage.memory.names("packs/"), before);
    sweeper.write_checkpoint().await?.ok_or("no checkpoint")?;
    stage.memory.take_requests();
    let repository = stage.open("a stranger").await?;
    let first = ("read", "log/0000000001".to_owned());
    assert!(
        !stage.memory.take_requests().contains(&first),
        "it began at the checkpoint"
    );
    let record = backup(&repository, &[shared()]).await?;
    // The deletes come at last, from whoever was asleep.
    for name in &swept.garbage.packs {
        stage.memory.lose(&FileName::index(name));
        stage.memory.lose(&FileName::pack(name));
    }
    stage.is_sound(&[(&record, &[shared()])]).await?;
    assert!(record.bytes.new >= 200_000, "it was stored again");
    Ok(())
}

/// Rule 8: a writer that was hit puts a hold, and the next sweep spares what it relies on and what it writes anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_hit_once_is_spared_until_it_committed() -> Tested {
    let stage = Stage::new().await?;
    let second = {
        let repository = stage.open("more").await?;
        backup(&repository, &[own_other()]).await?;
        backup(&repository, &[model("other", noise(1_000, 2))]).await?;
        repository.history().await?
    };
    let (repository, sweeper) = (stage.open("writer").await?, stage.open("sweeper").await?);
    let things = [shared(), own(1), own_other()];
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in &things {
        put(&writer, thing).await?;
    }
    sweeper.forget(&[stage.first], "a test", now()).await?;
    sweep(&sweeper).await?;
    let hit = writer.commit(complete()).await;
    assert!(matches!(hit, Err(Error::Gone { .. })), "{hit:?}");
    // What it still relies on is forgotten as well, and everything is swept that may be.
    let rest: Vec<SnapshotId> = second.iter().map(|record| record.id).collect();
    sweeper.forget(&rest, "a test", now()).await?;
    sweep(&sweeper).await?;
    let (record, hits) = commit_stubbornly(&writer, &things).await?;
    assert_eq!(hits, 1, "only what the first sweep named was lost");
    stage.is_sound(&[(&record, &things)]).await?;
    // Its hold ended with the commit.
    let found = sweeper.garbage(&Grace::default(), now()).await?;
    assert_eq!(found.spared, []);
    Ok(())
}

/// Rule 2: what a forget names is computed anew for every number.
#[tokio::test(flavor = "multi_thread")]
async fn a_forget_that_loses_its_number_spares_what_was_protected_meanwhile() -> Tested {
    let stage = Stage::new().await?;
    let (other, first) = (stage.open("other").await?, stage.first);
    let act = move || async move { Ok(other.protect(&[first], true, now()).await?) };
    let storage = Meanwhile::new(stage.memory.clone(), Request::Create, "log/", act);
    let forgetting = stage.open_through(storage.clone(), "forgetting").await?;
    let done = forgetting.forget(&[first], "a test", now()).await?;
    assert!(storage.happened());
    assert_eq!(done.forgotten, []);
    assert_eq!(done.held, [(first, Held::Protected)]);
    let live = stage.open("the next one").await?.history().await?;
    assert!(live.iter().any(|record| record.id == first));
    Ok(())
}

/// Rule 10: a store that takes a second create of a name is refused, by `init` and before a sweep.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_overwrites_is_refused_by_init_and_before_a_sweep() -> Tested {
    let memory = Arc::new(Memory::new(now()));
    memory.overwrite(true);
    let refused = Repository::init(memory.clone(), options(None, 1 << 20)).await;
    assert!(
        matches!(refused, Err(Error::CreateNotExclusive { .. })),
        "{refused:?}"
    );
    assert_eq!(memory.names("log/"), []);
    // One that was sound when the repository was made, and is no more: behind another gateway.
    let stage = Stage::new().await?;
    let sweeper = stage.open("sweeper").await?;
    sweeper.forget(&[stage.first], "a test", now()).await?;
    let before = (stage.memory.names("log/"), stage.memory.names("packs/"));
    stage.memory.overwrite(true);
    let refused = sweeper.sweep(&Grace::default(), now(), &mut |_| {}).await;
    assert!(
        matches!(refused, Err(Error::CreateNotExclusive { .. })),
        "{refused:?}"
    );
    let after = (stage.memory.names("log/"), stage.memory.names("packs/"));
    assert_eq!(after, before);
    Ok(())
}
