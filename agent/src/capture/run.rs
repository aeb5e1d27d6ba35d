//! What all stages of one backup share: the source, the writer, what was before, the counts.
//!
//! Stages run one after the other; within a stage many items or files are worked on at once. Whatever waits is bounded:
//! neither the items of a workspace nor their files are ever held in memory together.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use archive_format::{GapEntry, LineKey, Repository, SnapshotRecord};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use workspace::{Identity, ItemId, Kind, Workspace};

use super::Error;
use super::counts::Counts;
use super::history::Reading;
use super::observer::{Event, Observer};
use super::policy::Policy;
use super::previous::{self, Previous};
use super::report::Gap;
use super::sink::Sink;
use super::staging::Staging;
use super::tally::Outcome;
use crate::shutdown::Shutdown;

/// How many items are asked about at once.
pub(super) const ITEMS_AT_ONCE: usize = 16;
/// How many files are read at once. A piece of a stream has at most 4 MiB, so that this bounds the bytes in flight.
pub(super) const FILES_AT_ONCE: usize = 8;
/// How many files of a folder of this machine are taken at once. A small one is over so soon that handing it from thread to
/// thread takes longest, which many at once share; of the large ones [`FILES_AT_ONCE`] are read.
pub(super) const LOCAL_ITEMS_AT_ONCE: usize = 64;

/// One backup under way.
pub(super) struct Run<'a> {
    pub(super) source: &'a dyn Workspace,
    pub(super) repository: &'a Repository,
    pub(super) policy: &'a Policy,
    pub(super) observer: &'a dyn Observer,
    pub(super) stop: &'a Shutdown,
    pub(super) writer: Sink,
    pub(super) previous: Previous,
    pub(super) staging: Staging,
    pub(super) counts: Counts,
    pub(super) identity: Identity,
    pub(super) started: Timestamp,
    /// Items of the last accepted snapshot: what a progress bar can go by before the listings are through.
    pub(super) expected_items: u64,
    /// Why kinds that the table does not have could not be looked for, where that was so.
    pub(super) undiscovered: Option<String>,
    /// The types below items of kinds that this version does not know which cannot be listed.
    pub(super) unreached: Vec<String>,
    /// The first failure of a kind's listing.
    pub(super) first_failure: Mutex<Option<workspace::Error>>,
    /// Whether a partial snapshot is being made.
    pub(super) keeping: AtomicBool,
    /// The last partial snapshot of this run.
    pub(super) kept: Mutex<Option<SnapshotRecord>>,
    /// Whether the workspace went out of reach in the middle.
    pub(super) lost: AtomicBool,
    /// Whether anything was taken over that was asked for by its name, or lies below another item.
    pub(super) named: AtomicBool,
    /// What was read of run history, where all of it was.
    pub(super) reading: OnceLock<Reading>,
    /// Whether anything new was written since the last commit.
    pub(super) touched: AtomicBool,
    /// Held for reading while an item is finished, for writing while the lines of one are written whose files are not all
    /// read: what was read so far must not come after the whole.
    pub(super) laying: tokio::sync::RwLock<()>,
    /// Bounds the questions about items, children of items included.
    pub(super) questions: Semaphore,
    /// Bounds the large files of this machine that are read where they are found.
    pub(super) large_files: Semaphore,
}

impl Run<'_> {
    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        self.policy.clock.now()
    }

    /// Wraps a failure of the repository.
    pub(super) fn broken(&self, source: archive_format::Error) -> Error {
        Error::Repository {
            workspace: self.policy.name.clone(),
            source: Box::new(source),
        }
    }

    /// Tells the observer how far the run is.
    pub(super) fn progress(&self) {
        let progress = self.counts.progress(self.expected_items);
        self.observer.event(&Event::Progress(progress));
    }

    /// Records that an item or a file of it was not saved: for the report, and as an entry for the manifest.
    pub(super) fn gap(
        &self,
        kind: &'static Kind,
        id: &ItemId,
        file: Option<&str>,
        reason: String,
    ) -> GapEntry {
        let known = self.policy.known_gap(kind, Some(id), file, self.now());
        let gap = Gap {
            key: previous::key(id),
            item: id.to_string(),
            file: file.map(str::to_owned),
            reason,
            known,
        };
        self.observer.event(&Event::Gap(&gap));
        let entry = gap.entry();
        self.counts.gap(gap);
        entry
    }

    /// Records that a kind as a whole could not be taken as it should be: for the report, and for a line of its own in
    /// the manifest.
    pub(super) fn kind_gap(&self, kind: &'static Kind, reason: String) {
        let gap = Gap {
            key: LineKey::of_kind(kind.name),
            item: kind.name.to_owned(),
            file: None,
            reason,
            known: self.policy.known_gap(kind, None, None, self.now()),
        };
        self.observer.event(&Event::Gap(&gap));
        if let Some(counts) = self.counts.of(kind.name) {
            counts.own_gap(gap.entry());
        }
        self.counts.gap(gap);
    }

    /// Whether the workspace is out of reach and further questions are in vain.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Works on what a stream yields, many at once, and makes a partial snapshot meanwhile when one is due: everything
    /// under way goes on, since it may hold what the commit waits for.
    pub(super) async fn drive<'r, T, S, F>(
        &'r self,
        stream: S,
        at_once: usize,
        work: impl Fn(T) -> F,
    ) -> Result<(), Error>
    where
        S: Stream<Item = T>,
        F: Future<Output = Result<(), Error>> + Send + 'r,
    {
        let mut stream = std::pin::pin!(stream);
        let mut tasks: FuturesUnordered<BoxFuture<'r, Result<(), Error>>> = FuturesUnordered::new();
        let mut ended = false;
        while !(ended && tasks.is_empty()) {
            tokio::select! {
                biased;
                Some(done) = tasks.next(), if !tasks.is_empty() => {
                    done?;
                    self.progress();
                    // Whoever waits for the wish to stop gets a look even where nothing here ever waits.
                    tokio::task::yield_now().await;
                    if self.is_keeping_due() {
                        tasks.push(self.keep_partial().boxed());
                    }
                }
                next = stream.next(), if !ended && tasks.len() < at_once => match next {
                    Some(next) => tasks.push(work(next).boxed()),
                    None => ended = true,
                },
            }
        }
        Ok(())
    }
}

/// What a gap counts as.
pub(super) fn outcome_of(gap: &GapEntry) -> Outcome {
    if gap.known {
        Outcome::Known
    } else {
        Outcome::Failed
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("workspace", &self.policy.name)
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}
