//! Commits: a partial snapshot at least every hour and when the run is stopped, the whole one at the end.
//!
//! The commit comes last: whatever it names is stored before it. Content that was given up meanwhile (its pack was swept)
//! is taken anew.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use archive_format as archive;
use archive_format::{ByteCounts, Commit, FileCounts, LineKey, SnapshotRecord};
use serde_json::Map;
use workspace::ItemId;
use workspace::kind::Restore;

use super::Error;
use super::counts::{KindCounts, Tallies};
use super::item::Found;
use super::lines::Head;
use super::observer::Event;
use super::run::Run;
use super::suspect::{self, Comparison};
use super::tally::{Outcome, Tally};

/// How often content that was given up is taken anew.
const TRIES: u32 = 3;

impl Run<'_> {
    /// Whether the last partial snapshot is long enough ago and there is something new; then the caller makes one.
    pub(super) fn is_keeping_due(&self) -> bool {
        let last = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().map_or(self.started, |kept| kept.finished)
        };
        let ago = self.now().duration_since(last);
        let due = !ago.is_negative() && ago.unsigned_abs() >= self.policy.partial_every;
        due && !self.policy.dry_run
            && self.touched.load(Ordering::Relaxed)
            && !self.keeping.swap(true, Ordering::Relaxed)
    }

    /// Makes a partial snapshot.
    pub(super) async fn keep_partial(&self) -> Result<(), Error> {
        self.touched.store(false, Ordering::Relaxed);
        self.lay_down_so_far().await?;
        self.lay_down_kinds().await?;
        let kept = self.commit_once(archive::Outcome::Partial, false).await;
        self.keeping.store(false, Ordering::Relaxed);
        match kept {
            Ok(record) => self.keep(record),
            // Taken anew at the end of the run; an hour's partial snapshot is no reason to begin again.
            Err(archive::Error::Gone { .. }) => self.touched.store(true, Ordering::Relaxed),
            Err(error) => return Err(self.broken(error)),
        }
        Ok(())
    }

    /// Writes the lines of items whose files are partly read, so that the next run need not read those again.
    async fn lay_down_so_far(&self) -> Result<(), Error> {
        for (staged, id) in self.staging.fresh().await? {
            let alone = self.laying.write().await;
            match self.staging.head::<Head>(staged).await? {
                Some(mut kept) if kept.open > 0 => {
                    kept.head.line.settled = false;
                    self.write_anew(kept.head.line, Some(staged)).await?;
                }
                // It was stopped right after its last file.
                Some(_) => {
                    drop(alone);
                    self.finish_item(staged, &id).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn keep(&self, record: SnapshotRecord) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(record);
    }

    /// The partial snapshot of a run that was stopped: a new one where there is something new, else the last one.
    pub(super) async fn commit_so_far(&self) -> Result<Option<SnapshotRecord>, Error> {
        // One that was being made when the run was stopped was cut off before its commit.
        let cut_off = self.keeping.load(Ordering::Relaxed);
        if self.touched.swap(false, Ordering::Relaxed) || cut_off {
            self.lay_down_so_far().await?;
            return self
                .commit(archive::Outcome::Partial, false)
                .await
                .map(Some);
        }
        Ok(self.kept())
    }

    /// The last partial snapshot of this run.
    pub(super) fn kept(&self) -> Option<SnapshotRecord> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    /// Commits, and takes anew what the repository gave up.
    pub(super) async fn commit(
        &self,
        outcome: archive::Outcome,
        finished: bool,
    ) -> Result<SnapshotRecord, Error> {
        self.lay_down_kinds().await?;
        for again in (0..TRIES).rev() {
            match self.commit_once(outcome, finished).await {
                Ok(record) => return Ok(record),
                Err(archive::Error::Gone { items }) if again > 0 => self.take_anew(items).await?,
                Err(error) => return Err(self.broken(error)),
            }
        }
        Err(Error::Worker)
    }

    async fn commit_once(
        &self,
        outcome: archive::Outcome,
        finished: bool,
    ) -> Result<SnapshotRecord, archive::Error> {
        let tallies = self.counts.tallies(finished).unwrap_or_default();
        let (listed, read) = self.counts.bytes();
        let commit = Commit {
            outcome,
            finished: self.now(),
            items: tallies
                .items
                .iter()
                .map(|(kind, tally)| (kind.clone(), kind_counts(tally)))
                .collect(),
            files: file_counts(&tallies),
            bytes: ByteCounts {
                listed,
                read,
                ..ByteCounts::default()
            },
            requests: self.source.requests(),
            tags: self.policy.tags.clone(),
            copy: None,
            more: match outcome {
                archive::Outcome::Partial => Map::new(),
                archive::Outcome::Complete | archive::Outcome::Suspect => self
                    .runs_known()
                    .into_iter()
                    .chain(self.unlisted())
                    .collect(),
            },
        };
        let record = self.writer.commit(commit).await?;
        if outcome == archive::Outcome::Partial {
            self.observer.event(&Event::Partial(&record.id.to_string()));
        }
        Ok(record)
    }

    /// Takes items anew whose content the repository does not have any more.
    async fn take_anew(&self, keys: Vec<LineKey>) -> Result<(), Error> {
        for key in keys {
            let staged = self
                .writer
                .staged(&key)
                .await
                .map_err(|error| self.broken(error))?;
            self.previous.distrust(&key);
            let found = staged
                .as_ref()
                .map_or(Found::Named { always: true }, |line| {
                    Found::of_line(line).unwrap_or(Found::Named { always: true })
                });
            let id = ItemId {
                kind: key.kind,
                name: key.name,
                version: key.version,
            };
            let Some(counts) = self.counts.of(&id.kind) else {
                continue;
            };
            self.staging.give_back(&id.name).await?;
            let listed = match found {
                Found::Below { .. } | Found::Unlisted { .. } => self.source.child(&id).await,
                Found::Listed | Found::Named { .. } => self.source.get(&id).await,
            };
            match listed {
                Ok(Some(listed)) => self.item(listed, found).await?,
                Ok(None) => {
                    let reason = "It is gone, and so is what was stored of it before".to_owned();
                    self.missing(counts, &id, &found, reason).await?;
                }
                Err(error) => {
                    let reason = super::reason::of(&error);
                    self.missing(counts, &id, &found, reason).await?;
                }
            }
        }
        self.read_files().await
    }

    /// Why the snapshot looks like the result of an accident.
    pub(super) fn suspicions(&self) -> Vec<String> {
        if self.previous.accepted().is_none() {
            return Vec::new();
        }
        let judged = self.counts.kinds().filter(|counts| {
            counts.whole.load(Ordering::Relaxed) && counts.kind.restore != Restore::Never
        });
        judged
            .filter_map(|counts| {
                let name = counts.kind.name;
                suspect::suspicion(name, &self.comparison(counts), &self.policy.guard)
            })
            .collect()
    }

    fn comparison(&self, counts: &KindCounts) -> Comparison {
        let name = counts.kind.name;
        Comparison {
            listed: counts.items.listed(),
            seen_again: counts.seen_again.load(Ordering::Relaxed),
            before: self.previous.count(name),
            most: self.previous.most(name),
            files_before: counts.files_before.load(Ordering::Relaxed),
            files_changed: counts.files_changed.load(Ordering::Relaxed),
        }
    }
}

fn kind_counts(tally: &Tally) -> archive::KindCounts {
    archive::KindCounts {
        listed: tally.listed(),
        saved: tally.count(Outcome::Saved),
        unchanged: tally.count(Outcome::Unchanged),
        excluded: tally.count(Outcome::Excluded),
        known: tally.count(Outcome::Known),
        failed: tally.count(Outcome::Failed),
    }
}

fn file_counts(tallies: &Tallies) -> FileCounts {
    let total = tallies
        .files
        .values()
        .fold(Tally::default(), |sum, tally| sum.plus(tally));
    FileCounts {
        listed: total.listed(),
        read: total.count(Outcome::Saved),
        unchanged: total.count(Outcome::Unchanged),
        excluded: total.count(Outcome::Excluded),
        known: total.count(Outcome::Known),
        failed: total.count(Outcome::Failed),
    }
}
