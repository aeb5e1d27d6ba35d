//! Runs that no list of jobs shows: logged with MLflow by notebooks and scripts, nested below others, made by a restore.
//!
//! After the jobs themselves run history is asked for all runs, or, where the snapshot before knows them all, for those
//! changed since. What it shows and no job was is taken with its record alone. What it does not show because nothing
//! changed is taken over from before; what it does not show although it shows everything is asked for by name, and only
//! then counts as gone.

use std::sync::atomic::{AtomicBool, Ordering};

use archive_format::Line;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use workspace::select::{AttributeName, AttributeValue, Verdict};
use workspace::{Content, Error as SourceError, FoundRun, ItemId, Kind};

use super::item::{BELOW, Found, UNLISTED, names_experiment};
use super::reading::is_out_of_reach;
use super::run::{ITEMS_AT_ONCE, Run};
use super::tally::Outcome;
use super::{Error, closure, reason};

/// The field of a snapshot's record that says until when all runs are known.
const KNOWN: &str = "runs_known";
/// How far before that changes are looked for: the service's lists lag, and this machine's clock may be wrong.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// A run made so shortly before the jobs were listed, or later, may be a job that the list did not show yet.
const JUST_MADE: SignedDuration = SignedDuration::from_mins(5);

/// Until when all runs are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// All that changed before this are.
    pub(super) changes: Timestamp,
    /// When they were last listed all together.
    pub(super) all: Timestamp,
}

/// What a run has read of run history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    known: Known,
    /// Whether only changes were listed.
    changes: bool,
}

impl Known {
    /// What the record of a snapshot says.
    pub(super) fn of(record: &archive_format::SnapshotRecord) -> Option<Self> {
        let known = record.more.get(KNOWN)?;
        serde_json::from_value(known.clone()).ok()
    }
}

impl Run<'_> {
    /// Since when changes are enough: the last accepted snapshot knows all runs, and not only for too long.
    fn changes_since(&self) -> Option<Known> {
        let known = self.previous.accepted().and_then(Known::of)?;
        let age = self.now().duration_since(known.all).unsigned_abs();
        (!self.policy.full && age < self.policy.full_every).then_some(known)
    }

    /// Takes the runs that were not among the jobs. Where the jobs were not listed to their end, there is no telling which
    /// those are.
    pub(super) async fn take_runs(&self, kind: &'static Kind) -> Result<(), Error> {
        let Some(counts) = self.counts.of(kind.name) else {
            return Ok(());
        };
        if !counts.whole.load(Ordering::Relaxed) || self.is_lost() {
            return Ok(());
        }
        let (before, begun) = (self.changes_since(), self.now());
        let since = before.map(|known| known.changes - OVERLAP);
        let list = match self.source.runs(since).await {
            Ok(Some(list)) => list,
            Ok(None) => return Ok(()),
            Err(error) => return self.runs_not_listed(kind, &error),
        };
        let whole = AtomicBool::new(true);
        self.drive(list.runs, ITEMS_AT_ONCE, |found| async {
            match found {
                Ok(run) => self.take_run(kind, run).await,
                Err(error) => {
                    whole.store(false, Ordering::Relaxed);
                    self.runs_not_listed(kind, &error)
                }
            }
        })
        .await?;
        if whole.load(Ordering::Relaxed) {
            let all = before.filter(|_| list.changes).map(|known| known.all);
            let known = Known {
                changes: begun,
                all: all.unwrap_or(begun),
            };
            let changes = list.changes;
            let _ = self.reading.set(Reading { known, changes });
        }
        Ok(())
    }

    async fn take_run(&self, kind: &'static Kind, run: FoundRun) -> Result<(), Error> {
        if self.staging.is_claimed(&run.listed.id.name).await? {
            return Ok(());
        }
        let experiment = run.experiment.filter(|_| !names_experiment(&run.listed));
        let Some(root) = run.root else {
            return self.take_uppermost(kind, run.listed, experiment).await;
        };
        let above = ItemId::new(kind.name, &root);
        if self.policy.verdict(&above, &()) == Verdict::No {
            return self.exclude_run(kind, &run.listed.id).await;
        }
        self.item(run.listed, Found::Below { root, experiment })
            .await
    }

    /// Takes a run that lies below no other one: as the job that it is, where it was submitted while the jobs were listed.
    async fn take_uppermost(
        &self,
        kind: &'static Kind,
        listed: workspace::Listed,
        experiment: Option<String>,
    ) -> Result<(), Error> {
        let created = (kind.attribute)(listed.document.as_slice(), &AttributeName::Created);
        let is_new = match created {
            Some(AttributeValue::Time(created)) => created >= self.started - JUST_MADE,
            _ => false,
        };
        if is_new {
            let permit = self.questions.acquire().await;
            let job = self.source.get(&listed.id).await;
            drop(permit);
            // Whatever the answer is else, the run itself is there.
            if let Ok(Some(job)) = job {
                return self.item(job, Found::Listed).await;
            }
        }
        self.item(listed, Found::Unlisted { experiment }).await
    }

    async fn exclude_run(&self, kind: &'static Kind, id: &ItemId) -> Result<(), Error> {
        if let Some(counts) = self.counts.of(kind.name)
            && self.staging.claim(&id.name).await?
        {
            counts.items.list(1);
            counts.items.settle(1, Outcome::Excluded);
            self.tell(id, Outcome::Excluded);
        }
        Ok(())
    }

    fn runs_not_listed(&self, kind: &'static Kind, error: &SourceError) -> Result<(), Error> {
        if is_out_of_reach(error) {
            self.lose(error);
        }
        if let Some(counts) = self.counts.of(kind.name) {
            counts.whole.store(false, Ordering::Relaxed);
        }
        let why = reason::of(error);
        self.kind_gap(
            kind,
            format!("Runs that are no jobs could not be listed to their end: {why}"),
        );
        Ok(())
    }

    /// Takes over what was found below or beside jobs before, and was not seen now.
    pub(super) async fn carry_runs(&self) -> Result<(), Error> {
        for kind in self.source.kinds() {
            let may_take = self.policy.selection.may_take_kind(kind.name);
            if kind.content != Content::Run || !may_take || self.policy.dry_run {
                continue;
            }
            let changes = self.reading.get().is_some_and(|reading| reading.changes);
            // What lies below others is kept with them, so those come first.
            for mark in [UNLISTED, BELOW] {
                let lines = self.previous.lines_of_kind(kind.name, changes);
                let marked = lines.try_filter(|line| {
                    std::future::ready(line.part == 0 && line.more.contains_key(mark))
                });
                self.drive(marked, ITEMS_AT_ONCE, |line| async move {
                    self.carry_run(kind, line?).await
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn carry_run(&self, kind: &'static Kind, line: Line) -> Result<(), Error> {
        let id = closure::id_of(&line);
        let Some(counts) = self.counts.of(kind.name) else {
            return Ok(());
        };
        if self.staging.is_claimed(&id.name).await? {
            return Ok(());
        }
        let found = Found::of_line(&line).unwrap_or(Found::Unlisted { experiment: None });
        if let Found::Below { root, .. } = &found
            && !self.is_kept(kind, root).await?
        {
            return Ok(());
        }
        let verdict = self.policy.verdict(&id, &());
        if verdict == Verdict::No {
            return self.exclude_run(kind, &id).await;
        }
        self.named.store(true, Ordering::Relaxed);
        let Some(before) = self.previous.item(&id).await? else {
            return Ok(());
        };
        let all = self.reading.get().is_some_and(|reading| !reading.changes);
        if before.item.settled && verdict == Verdict::Yes && !all {
            return match self.staging.claim(&id.name).await? {
                true => self.carry_whole(counts, &before).await,
                false => Ok(()),
            };
        }
        match self.source.child(&id).await {
            Ok(Some(listed)) => self.item(listed, found).await,
            Ok(None) => Ok(()),
            Err(error) if self.staging.claim(&id.name).await? => {
                self.missing(counts, &id, &found, reason::of(&error)).await
            }
            Err(_) => Ok(()),
        }
    }

    /// Whether what was below an item before is, for all that is known: something of it was not asked about, or it is in
    /// the snapshot and its children were not listed now.
    async fn is_kept(&self, kind: &'static Kind, root: &str) -> Result<bool, Error> {
        if self.staging.is_parent(root).await? {
            return Ok(true);
        }
        let above = ItemId::new(kind.name, root);
        Ok(self.is_staged(&above).await? && !self.staging.is_relisted(root).await?)
    }

    /// What the record of the snapshot says for the next run: nothing where some runs were left out or could not be
    /// listed.
    pub(super) fn runs_known(&self) -> Map<String, Value> {
        let mut more = Map::new();
        let runs = self
            .counts
            .kinds()
            .filter(|counts| counts.kind.content == Content::Run);
        let left_out: u64 = runs
            .map(|counts| counts.items.count(Outcome::Excluded))
            .sum();
        if let Some(reading) = self.reading.get().filter(|_| left_out == 0) {
            more.insert(KNOWN.to_owned(), json!(reading.known));
        }
        more
    }
}
