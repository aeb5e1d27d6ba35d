//! Two writers, two sweepers, somebody who forgets and somebody who repacks, each cut into its requests and put together in random orders, with
//! deaths at any request: what is not forgotten is always there. The same seed gives the same order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use archive_format::storage::{Created, FileUse, StoredFile};
use archive_format::{
    Depth, Error, FileName, Grace, Repository, SnapshotRecord, Storage, StorageError, check,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::json;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, LocalSet};

use crate::memory::Memory;
use crate::world::{Tested, Thing, World, backup, complete, model, noise, now, put, restore};
use mlark_tests::length::{figures, grouped, short_or_long};

/// Whose turn it is. Everybody waits before each request; one at a time goes on.
#[derive(Debug, Default)]
struct Director {
    waiting: Mutex<Vec<Waiting>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    actor: usize,
    request: String,
    go: oneshot::Sender<()>,
}

impl Director {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; whoever is killed never has one again.
    async fn turn(&self, actor: usize, request: String) {
        let (go, went) = oneshot::channel();
        self.waiting().push(Waiting { actor, request, go });
        self.arrived.notify_one();
        if went.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells the director that an actor ended, however it did.
struct TellsEnd(Arc<Director>);

impl Drop for TellsEnd {
    fn drop(&mut self) {
        self.0.arrived.notify_one();
    }
}

/// The store as one actor sees it.
#[derive(Debug)]
struct Stepped {
    inner: Arc<Memory>,
    actor: usize,
    director: Arc<Director>,
}

impl Stepped {
    async fn turn(&self, request: &str, name: &str) {
        self.director
            .turn(self.actor, format!("{request} {name}"))
            .await;
    }
}

#[async_trait]
impl Storage for Stepped {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.turn("create", name.as_str()).await;
        self.inner.create(name, bytes).await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &std::path::Path,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        self.turn("create", name.as_str()).await;
        self.inner.create_from_file(name, file, used).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        if name.as_str().starts_with("log/") {
            self.turn("read", name.as_str()).await;
        }
        self.inner.read(name, limit).await
    }

    async fn read_range(
        &self,
        name: &FileName,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StorageError> {
        self.inner.read_range(name, range).await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        self.inner.size(name).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        let prefix = prefix.to_owned();
        let listed = async move {
            self.turn("list", &prefix).await;
            self.inner.list(&prefix)
        };
        stream::once(listed).flatten().boxed()
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        self.turn("delete", name.as_str()).await;
        self.inner.delete(name).await
    }
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

/// Who acts.
const ACTORS: usize = 6;

/// What was committed, with what it must restore to.
type Committed = Arc<Mutex<Vec<(SnapshotRecord, Vec<Thing>)>>>;

struct Play {
    memory: Arc<Memory>,
    world: Arc<World>,
    director: Arc<Director>,
    committed: Committed,
}

fn things(writer: u64, run: u64) -> Vec<Thing> {
    let mut things = vec![
        model("shared", noise(4_000, 1)),
        model("own", noise(2_000, 10 + writer)),
        model("run", noise(2_000, 100 + writer * 10 + run)),
    ];
    things.sort_by(|left, right| left.name.cmp(&right.name));
    things
}

impl Play {
    async fn new() -> Tested<Self> {
        let memory = Arc::new(Memory::new(now()));
        let world = Arc::new(World::over(memory.clone(), false, 64 << 10).await?);
        let first = world.open_at(memory.clone(), "first").await?;
        let committed = Committed::default();
        for number in 0..2 {
            let things = things(7, number);
            let record = backup(&first, &things).await?;
            committed
                .lock()
                .map_err(|_| "poisoned")?
                .push((record, things));
        }
        Ok(Self {
            memory,
            world,
            director: Arc::default(),
            committed,
        })
    }

    fn start(&self, actor: usize) -> JoinHandle<Tested> {
        let storage = Arc::new(Stepped {
            inner: self.memory.clone(),
            actor,
            director: self.director.clone(),
        });
        let (world, committed, director) = (
            self.world.clone(),
            self.committed.clone(),
            self.director.clone(),
        );
        tokio::task::spawn_local(async move {
            let _told = TellsEnd(director);
            let play = async {
                let repository = world.open_at(storage, &format!("actor-{actor}")).await?;
                match actor {
                    0 | 1 => write(&repository, actor as u64, &committed).await,
                    2 | 3 => sweep(&repository).await,
                    5 => repack(&repository).await,
                    _ => forget(&repository).await,
                }
            };
            play.await
        })
    }

    /// What is not forgotten is there, and stays there when all garbage is swept.
    async fn is_sound(&self) -> Tested {
        for round in ["after", "swept"] {
            let fresh = self.world.open_at(self.memory.clone(), round).await?;
            assert_eq!(fresh.notices(), []);
            let report = check(&fresh, Depth::ReadData, &mut |_| {}).await?;
            assert_eq!(report.damages, []);
            let found = fresh.garbage(&Grace::default(), now()).await?;
            assert_eq!(found.contested, [], "a sweep names what is needed");
            let committed = self.committed.lock().map_err(|_| "poisoned")?.clone();
            for record in fresh.history().await? {
                let known = committed.iter().find(|(known, _)| known.id == record.id);
                // A writer that died after its entry could not tell of it.
                let found = restore(&fresh, &record).await?;
                assert!(
                    known.is_none_or(|(_, things)| *things == found),
                    "{}",
                    record.id
                );
            }
            repack(&fresh).await?;
            for _ in 0..2 {
                sweep(&fresh).await?;
            }
        }
        self.memory.only_what_may_go_was_deleted();
        Ok(())
    }
}

async fn write(repository: &Repository, number: u64, committed: &Committed) -> Tested {
    for run in 0..2 {
        let things = things(number, run);
        let writer = repository.begin("prod", json!({}), now()).await?;
        for thing in &things {
            put(&writer, thing).await?;
        }
        let mut hits = 0;
        let record = loop {
            match writer.commit(complete()).await {
                Ok(record) => break record,
                Err(Error::Gone { items }) if hits < 20 => {
                    hits += 1;
                    for thing in &things {
                        if items.iter().any(|item| item.name == thing.name) {
                            put(&writer, thing).await?;
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        committed
            .lock()
            .map_err(|_| "poisoned")?
            .push((record, things));
    }
    Ok(())
}

async fn sweep(repository: &Repository) -> Tested {
    for _ in 0..2 {
        let swept = repository
            .sweep(&Grace::default(), now(), &mut |_| {})
            .await?;
        assert!(swept.failure.is_none(), "{swept:?}");
    }
    Ok(())
}

async fn repack(repository: &Repository) -> Tested {
    for _ in 0..2 {
        let done = repository
            .repack(0, &Grace::default(), now(), &|| false, &mut |_| {})
            .await?;
        assert_eq!(done.damaged, []);
    }
    Ok(())
}

async fn forget(repository: &Repository) -> Tested {
    for _ in 0..3 {
        repository.refresh().await?;
        let history = repository.history().await?;
        let ids: Vec<_> = history.iter().map(|record| record.id).collect();
        repository.forget(&ids, "a test", now()).await?;
    }
    Ok(())
}

/// One order of requests.
async fn play(seed: u64) -> Tested {
    let play = Play::new().await?;
    let mut dice = Dice(seed);
    let mut actors: Vec<Option<JoinHandle<Tested>>> =
        (0..ACTORS).map(|actor| Some(play.start(actor))).collect();
    let mut trace = Vec::new();
    loop {
        let ready = loop {
            let mut ready = Vec::new();
            let mut all = true;
            for (actor, task) in actors.iter_mut().enumerate() {
                let waits = play
                    .director
                    .waiting()
                    .iter()
                    .any(|call| call.actor == actor);
                match task {
                    Some(running) if running.is_finished() && !waits => {
                        let done = running.await?;
                        assert!(
                            done.is_ok(),
                            "seed {seed}, actor {actor}: {done:?} {trace:#?}"
                        );
                        *task = None;
                    }
                    Some(_) if waits => ready.push(actor),
                    Some(_) => all = false,
                    None => {}
                }
            }
            if all {
                break ready;
            }
            play.director.arrived.notified().await;
            // A task that ended says so just before.
            tokio::task::yield_now().await;
        };
        if ready.is_empty() {
            break;
        }
        let actor = ready[dice.roll(ready.len())];
        let call = {
            let mut waiting = play.director.waiting();
            let mut calls: Vec<usize> = (0..waiting.len())
                .filter(|at| waiting[*at].actor == actor)
                .collect();
            calls.sort_by(|left, right| waiting[*left].request.cmp(&waiting[*right].request));
            waiting.swap_remove(calls[dice.roll(calls.len())])
        };
        if dice.roll(100) == 0 {
            trace.push(format!("{actor} dies before {}", call.request));
            if let Some(task) = actors[actor].take() {
                task.abort();
                let _ = task.await;
            }
            play.director.waiting().retain(|call| call.actor != actor);
        } else {
            trace.push(format!("{actor} {}", call.request));
            let _ = call.go.send(());
        }
    }
    let sound = play.is_sound().await;
    assert!(sound.is_ok(), "seed {seed}: {sound:?} {trace:#?}");
    Ok(())
}

/// Plays so many orders, on all cores.
#[test]
fn writers_sweepers_forgetting_and_repacking_in_any_order_lose_nothing() -> Tested {
    let orders = short_or_long(40, 4_000);
    let cores = std::thread::available_parallelism()?.get() as u64;
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..cores)
            .map(|first| {
                scope.spawn(move || -> Tested {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    for seed in (first..orders).step_by(cores as usize) {
                        runtime.block_on(LocalSet::new().run_until(play(seed)))?;
                    }
                    Ok(())
                })
            })
            .collect();
        for player in players {
            player.join().map_err(|_| "an order lost something")??;
        }
        Tested::Ok(())
    })?;
    figures(&format!("{} orders, 0 wrong", grouped(orders)))?;
    Ok(())
}
