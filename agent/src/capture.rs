//! The backup of one workspace, from its listings to the commit.
//!
//! ```text
//! list kinds ─► item: compare, ask, document ─► files: compare ─► close references ─► read files ─► commit
//! ```
//!
//! Everything streams: no list of items or files is ever in memory, what has to be remembered lies in a private temporary
//! database. Nothing here prints, and nothing here changes a workspace. What cannot be saved is a gap with a reason, and
//! the rest goes on.

mod closure;
mod counts;
mod document;
mod entry;
mod error;
mod files;
mod history;
mod item;
mod keeping;
mod lines;
mod listing;
mod observer;
mod policy;
mod previous;
mod reading;
mod reason;
mod report;
mod run;
mod secret_fields;
mod secret_keeping;
mod sink;
mod staging;
mod suspect;
mod tally;
mod unlisted;

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use archive_format::{Outcome, Repository, RunOutcome, SnapshotRecord};
use tokio::sync::Semaphore;
use workspace::Workspace;

pub use error::Error;
pub use observer::{Event, Observer, Progress, Unobserved};
pub use policy::{Guard, KnownGap, Policy};
pub use report::{Bytes, Ending, GAPS_MAX, Gap, Report};
pub use tally::{Miscount, Outcome as Counted, Tally};
pub use unlisted::unlisted;

use counts::Counts;
use previous::Previous;
use run::{FILES_AT_ONCE, ITEMS_AT_ONCE, Run};
use sink::Sink;
use staging::Staging;

use crate::shutdown::Shutdown;

/// Backs up one workspace.
///
/// Ends with a report whatever was missing in the workspace. An error means that no snapshot was made, or only partial
/// ones: nothing could be listed, or the repository failed; the catalogue then has the run as failed. When `stop` is
/// requested, what was done so far is committed as a partial snapshot, from which the next run goes on.
pub async fn back_up(
    source: &dyn Workspace,
    repository: &Repository,
    policy: &Policy,
    observer: &dyn Observer,
    stop: &Shutdown,
) -> Result<Report, Error> {
    let run = begin(source, repository, policy, observer, stop).await?;
    let Sink::Snapshot(writer) = &run.writer else {
        run.list_all().await?;
        return run.report(Ending::Counted, None);
    };
    let broken = |error| run.broken(error);
    let (id, catalogue) = (writer.run(), repository.catalogue());
    observer.event(&Event::Began(id));
    let began = catalogue.run_began(id, &policy.name, run.started).await;
    began.map_err(broken)?;
    let ended = run.to_its_end().await;
    // After a failure nobody else does it.
    tokio::select! {
        () = run.release() => {}
        () = stop.wait_and(RELEASE_WHILE_STOPPING) => {}
    }
    let outcome = match &ended {
        Ok((_, Some(record))) => RunOutcome::Snapshot(record.id, record.outcome),
        Ok((_, None)) => RunOutcome::Failed(STOPPED_EARLY.to_owned()),
        Err(error) => RunOutcome::Failed(reason::words(error)),
    };
    let kept = catalogue.run_ended(id, run.now(), outcome).await;
    let (report, _) = ended?;
    kept.map_err(broken)?;
    if report.ending != Ending::Partial {
        let gaps = report.gaps.iter();
        let gaps = gaps.map(|gap| (gap.key.clone(), gap.entry())).collect();
        let seen = catalogue.gaps_seen(&policy.name, report.finished, gaps);
        seen.await.map_err(broken)?;
    }
    Ok(report)
}

/// How long after the wish to stop a share's snapshot may still be taken away.
const RELEASE_WHILE_STOPPING: Duration = Duration::from_secs(3);
/// How long after the wish to stop a commit may end.
const COMMIT_WHILE_STOPPING: Duration = Duration::from_secs(7);

/// Why a run failed that was stopped before anything was saved; the catalogue has it in these words.
pub const STOPPED_EARLY: &str = "It was stopped before anything was saved";

/// Opens what a run needs: the snapshots before, the temporary database, the writer.
async fn begin<'a>(
    source: &'a dyn Workspace,
    repository: &'a Repository,
    policy: &'a Policy,
    observer: &'a dyn Observer,
    stop: &'a Shutdown,
) -> Result<Run<'a>, Error> {
    let broken = |source| Error::Repository {
        workspace: policy.name.clone(),
        source: Box::new(source),
    };
    let started = policy.began.unwrap_or_else(|| policy.clock.now());
    let identity = source.identity().clone();
    let named = serde_json::to_value(&identity).map_err(|source| Error::Remember { source })?;
    let discovered = source.discover().await;
    let (unreached, undiscovered) = match discovered {
        Ok(unreached) => (unreached, None),
        Err(error) => (Vec::new(), Some(reason::of(&error))),
    };
    if let Some(why) = &undiscovered {
        observer.event(&Event::Undiscovered(why));
    }
    for path in &unreached {
        observer.event(&Event::Unreached(path));
    }
    let staging = Staging::new().await?;
    let previous = Previous::open(repository, &policy.name, &named, started, staging.clone());
    let previous = previous.await.map_err(broken)?;
    let writer = match policy.dry_run {
        true => Sink::Nowhere,
        false => {
            let begun = repository.begin(&policy.name, named, started).await;
            Sink::Snapshot(Box::new(begun.map_err(broken)?))
        }
    };
    Ok(Run {
        source,
        repository,
        policy,
        observer,
        stop,
        writer,
        expected_items: previous.accepted().map_or(0, SnapshotRecord::item_count),
        previous,
        staging,
        counts: Counts::new(&source.kinds()),
        identity,
        started,
        undiscovered,
        unreached,
        first_failure: Mutex::new(None),
        keeping: AtomicBool::new(false),
        kept: Mutex::new(None),
        lost: AtomicBool::new(false),
        named: AtomicBool::new(false),
        reading: OnceLock::new(),
        touched: AtomicBool::new(false),
        laying: tokio::sync::RwLock::new(()),
        questions: Semaphore::new(ITEMS_AT_ONCE),
        large_files: Semaphore::new(FILES_AT_ONCE),
    })
}

impl Run<'_> {
    /// All stages, until the end or until the wish to stop.
    async fn to_its_end(&self) -> Result<(Report, Option<SnapshotRecord>), Error> {
        let stages = async {
            self.list_all().await?;
            self.close().await?;
            self.read_files().await
        };
        let stopped = tokio::select! {
            biased;
            () = self.stop.wait() => true,
            done = stages => {
                done?;
                false
            }
        };
        tokio::select! {
            () = self.release() => {}
            () = self.stop.wait_and(RELEASE_WHILE_STOPPING) => {}
        }
        if stopped || self.is_lost() {
            return self.stop_here().await;
        }
        let suspicions = self.suspicions();
        let (outcome, ending) = match suspicions.is_empty() {
            true => (Outcome::Complete, Ending::Complete),
            false => (Outcome::Suspect, Ending::Suspect(suspicions)),
        };
        // A count that does not add up is found before the commit, which would call the snapshot whole.
        self.counts.tallies(true)?;
        let record = tokio::select! {
            record = self.commit(outcome, true) => record?,
            () = self.stop.wait_and(COMMIT_WHILE_STOPPING) => return self.partial(self.kept()),
        };
        let report = self.report(ending, Some(&record))?;
        Ok((report, Some(record)))
    }

    fn partial(
        &self,
        record: Option<SnapshotRecord>,
    ) -> Result<(Report, Option<SnapshotRecord>), Error> {
        let report = self.report(Ending::Partial, record.as_ref())?;
        Ok((report, record))
    }

    /// Commits what was done so far. Where a store keeps it waiting while everything is to stop, that is given up as if
    /// the machine had died: what is stored whole is found by the next run.
    async fn stop_here(&self) -> Result<(Report, Option<SnapshotRecord>), Error> {
        let record = tokio::select! {
            biased;
            record = self.commit_so_far() => record?,
            () = self.stop.wait_and(COMMIT_WHILE_STOPPING) => self.kept(),
        };
        self.partial(record)
    }

    fn report(&self, ending: Ending, record: Option<&SnapshotRecord>) -> Result<Report, Error> {
        let finished = ending != Ending::Partial;
        let tallies = self.counts.tallies(finished)?;
        let (listed, mut read) = self.counts.bytes();
        if ending == Ending::Counted {
            read = self.counts.bytes_left();
        }
        let written = self.writer.written();
        let (gaps, gaps_left_out) = self.counts.gaps();
        self.progress();
        Ok(Report {
            snapshot: record.map(|record| record.id),
            workspace: self.policy.name.clone(),
            ending,
            started: self.started,
            finished: self.now(),
            items: tallies.items,
            files: tallies.files,
            bytes: Bytes {
                listed,
                read,
                new: written.new,
                stored: written.stored,
            },
            requests: self.source.requests(),
            gaps,
            gaps_left_out,
            undiscovered: self.undiscovered.clone(),
            unreached: self.unreached.clone(),
            unfamiliar: self.counts.all_unfamiliar(),
            locks: None,
        })
    }
}
