//! A repository on disk, a clock that only tests move, and backups run against them in-process.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive_format::{
    Identity, InitOptions, Item, KeyChain, LocalStorage, OpenOptions, Outcome, Repository,
    SnapshotReader, SnapshotRecord,
};
use jiff::Timestamp;
use mlark::capture::{Error, Event, Observer, Policy, Report, back_up};
use mlark::shutdown::Shutdown;
use tempfile::TempDir;
use tokio::time::Instant;
use workspace::{Clock, Workspace};

/// Where tests back up to.
pub(crate) struct Bench {
    _folder: TempDir,
    pub(crate) repository: Repository,
    start: Timestamp,
    since: Instant,
    /// What every backup is told; tests change it.
    pub(crate) policy: Policy,
    pub(crate) stop: Shutdown,
    pub(crate) seen: Seen,
}

impl Bench {
    /// A repository that nobody has to have a key for.
    pub(crate) async fn unencrypted() -> Self {
        Self::new(Vec::new()).await
    }

    /// A repository for one owner, opened with the machine's key alone.
    pub(crate) async fn encrypted() -> Self {
        Self::new(vec![Identity::generate()]).await
    }

    async fn new(owners: Vec<Identity>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (start, since) = (START.parse().unwrap(), Instant::now());
        let storage = Arc::new(LocalStorage::new(folder.path().join("repository")));
        let options = InitOptions {
            owners: owners.iter().map(Identity::to_recipient).collect(),
            unencrypted: owners.is_empty(),
            pack_bytes: 64 << 20,
            label: "bench".to_owned(),
            program: "mlark test".to_owned(),
            now: start,
        };
        let made = Repository::init(storage.clone(), options).await.unwrap();
        let keys = KeyChain {
            machine: Some(made.machine_key),
            owners: Vec::new(),
        };
        let options = OpenOptions {
            cache: folder.path().join("cache"),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "mlark test".to_owned(),
        };
        let repository = Repository::open(storage, keys, options).await.unwrap();
        Self {
            _folder: folder,
            repository,
            policy: Policy::new("prod", clock(start, since)),
            start,
            since,
            stop: Shutdown::default(),
            seen: Seen::default(),
        }
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The clock of everything here.
    pub(crate) fn clock(&self) -> Clock {
        clock(self.start, self.since)
    }

    /// One backup.
    pub(crate) async fn try_back_up(&self, source: &dyn Workspace) -> Result<Report, Error> {
        back_up(
            source,
            &self.repository,
            &self.policy,
            &self.seen,
            &self.stop,
        )
        .await
    }

    /// One backup that must end in a report.
    pub(crate) async fn back_up(&self, source: &dyn Workspace) -> Report {
        self.try_back_up(source).await.unwrap()
    }

    /// The snapshots, oldest first.
    pub(crate) async fn history(&self) -> Vec<SnapshotRecord> {
        self.repository.history().await.unwrap()
    }

    /// The newest snapshot.
    pub(crate) async fn newest(&self) -> SnapshotReader {
        let history = self.history().await;
        self.repository.snapshot(history.last().unwrap())
    }

    /// An item of the newest snapshot.
    pub(crate) async fn item(&self, kind: &str, name: &str, version: Option<&str>) -> Option<Item> {
        self.newest().await.item(kind, name, version).await.unwrap()
    }

    /// The outcomes of all snapshots, oldest first.
    pub(crate) async fn outcomes(&self) -> Vec<Outcome> {
        let history = self.history().await;
        history.iter().map(|record| record.outcome).collect()
    }
}

/// A clock that moves as tokio's timer does, which tests pause.
fn clock(start: Timestamp, since: Instant) -> Clock {
    Clock::new(move || start + since.elapsed())
}

/// Lets hours pass.
pub(crate) async fn pass(hours: u64) {
    tokio::time::advance(Duration::from_secs(3600 * hours)).await;
}

/// When every test begins.
pub(crate) const START: &str = "2026-11-23T02:00:00Z";

/// What happened, as the observer saw it.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Vec<String>>);

impl Seen {
    /// The events so far, and forgets them.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Seen {
    fn event(&self, event: &Event<'_>) {
        let text = match event {
            Event::File(id, path) => format!("read {id}//{path}"),
            Event::Item(id, outcome) => format!("{outcome:?} {id}"),
            Event::Gap(gap) => format!("gap {}", gap.item),
            Event::Partial(_) => "partial".to_owned(),
            Event::NotOffered(kind, _) => format!("no {}", kind.name),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

/// Writes a file, with its parents.
pub(crate) fn write(root: &Path, path: &str, content: &[u8]) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}
