//! What items refer to and no list showed: it is asked for by its name, so that every reference inside the workspace
//! leads to something in the snapshot. What cannot be had is a gap of its own.
//!
//! Computes are not asked for: they come and go, jobs that ran name them for ever, and none is restored unasked.

use std::sync::atomic::Ordering;

use archive_format::Line;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use workspace::kind::{Asked, Restore};
use workspace::reference::references;
use workspace::select::Verdict;
use workspace::{Content, Form, ItemId, Kind};

use super::counts::KindCounts;
use super::item::{Draft, Found};
use super::observer::Event;
use super::previous::{self, Before};
use super::run::{ITEMS_AT_ONCE, Run, outcome_of};
use super::staging::Target;
use super::tally::Outcome;
use super::{Error, reason};

/// How many targets are looked up at once.
const BATCH: u32 = 512;
/// The end of the pointer of a field that names the job whose definition an item stands for. Such an item is nothing
/// without that job, which is therefore taken whatever the selection says.
const SOURCE_JOB: &str = "/sourceJobId";

impl Run<'_> {
    /// Remembers what the documents of an item refer to.
    pub(super) async fn remember_targets(&self, draft: &Draft) -> Result<(), Error> {
        let mut targets = Vec::new();
        let documents = draft.documents.iter();
        for document in documents.filter(|document| document.form == Form::Arm) {
            for (pointer, reference) in references(draft.kind, &document.value) {
                let Some(id) = reference.item_in(&self.identity) else {
                    continue;
                };
                let known = self.counts.of(&id.kind).is_some();
                if known && id != draft.id {
                    targets.push(Target {
                        id,
                        referrer: draft.id.to_string(),
                        always: pointer.ends_with(SOURCE_JOB),
                    });
                }
            }
        }
        self.staging.targets(targets).await
    }

    /// Takes what is referred to and not there yet, and what that refers to, until nothing is missing.
    pub(super) async fn close(&self) -> Result<(), Error> {
        self.observer.event(&Event::Closing);
        self.carry_runs().await?;
        loop {
            let targets = self.staging.open_targets(BATCH).await?;
            if targets.is_empty() || self.is_lost() {
                break;
            }
            let targets = futures::stream::iter(targets);
            self.drive(targets, ITEMS_AT_ONCE, |target| self.reach(target))
                .await?;
        }
        self.carry_named().await
    }

    async fn reach(&self, target: Target) -> Result<(), Error> {
        let id = &target.id;
        let Some(counts) = self.counts.of(&id.kind) else {
            return Ok(());
        };
        if !needs_to_be_there(counts.kind, id) || self.is_staged(id).await? {
            return Ok(());
        }
        let verdict = self.policy.verdict(id, &());
        if verdict == Verdict::No && !target.always {
            return Ok(());
        }
        let before = self.previous.item(id).await?;
        if let Some(before) = before
            .as_ref()
            .filter(|before| self.was_named_lately(before))
        {
            self.named.store(true, Ordering::Relaxed);
            return self.carry_whole(counts, before).await;
        }
        let always = target.always;
        let named = Found::Named { always };
        match self.source.get(id).await {
            Ok(Some(listed)) => self.item(listed, named).await,
            Ok(None) => {
                let reason = format!("{} names it, and it does not exist", target.referrer);
                self.missing(counts, id, &named, reason).await
            }
            Err(error) => {
                let reason = format!("{} names it: {}", target.referrer, reason::of(&error));
                self.missing(counts, id, &named, reason).await
            }
        }
    }

    pub(super) async fn is_staged(&self, id: &ItemId) -> Result<bool, Error> {
        let staged = self.writer.has(&previous::key(id)).await;
        staged.map_err(|error| self.broken(error))
    }

    /// Whether an item that no list shows was asked for by its name lately.
    fn was_named_lately(&self, before: &Before) -> bool {
        let lately =
            |asked| self.now().duration_since(asked).unsigned_abs() < self.policy.full_every;
        let mut gaps = before.item.gaps.iter();
        !self.policy.full && before.item.asked.is_some_and(lately) && gaps.next().is_none()
    }

    /// Takes an item over from the snapshot before, and counts it.
    pub(super) async fn carry_whole(
        &self,
        counts: &KindCounts,
        before: &Before,
    ) -> Result<(), Error> {
        counts.items.list(1);
        if before.is_accepted {
            counts.seen_again.fetch_add(1, Ordering::Relaxed);
        }
        self.carry(counts, before).await?;
        counts.items.settle(1, Outcome::Unchanged);
        Ok(())
    }

    /// Something that is referred to and cannot be had.
    pub(super) async fn missing(
        &self,
        counts: &KindCounts,
        id: &ItemId,
        found: &Found,
        reason: String,
    ) -> Result<(), Error> {
        counts.items.list(1);
        let gap = self.gap(counts.kind, id, None, reason);
        let outcome = outcome_of(&gap);
        let mut line = Line::new(previous::key(id));
        found.mark(&mut line);
        line.gaps.push(gap);
        self.write(line, true).await?;
        counts.items.settle(1, outcome);
        self.tell(id, outcome);
        Ok(())
    }

    /// Takes over what items that were themselves taken over refer to: their documents cannot be read again, so whatever
    /// was asked for by its name lately is kept.
    async fn carry_named(&self) -> Result<(), Error> {
        if !self.named.load(Ordering::Relaxed) || self.is_lost() {
            return Ok(());
        }
        for kind in self.source.kinds() {
            let Some(counts) = self.counts.of(kind.name) else {
                continue;
            };
            if kind.content == Content::Run {
                continue;
            }
            let lines = self.previous.lines_of_kind(kind.name, false);
            let mut named = std::pin::pin!(lines.try_filter(|line| {
                let asked = line.part == 0 && line.asked.is_some();
                std::future::ready(asked)
            }));
            while let Some(line) = named.next().await {
                let id = id_of(&line?);
                let before = self.previous.item(&id).await?;
                let before = before.filter(|before| self.was_named_lately(before));
                if let Some(before) = before
                    && !self.is_staged(&id).await?
                {
                    self.carry_whole(counts, &before).await?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a reference to it has to lead somewhere: computes that are gone are named for ever, and what every workspace
/// has by the same name is not the workspace's own.
fn needs_to_be_there(kind: &Kind, id: &ItemId) -> bool {
    kind.restore != Restore::Never
        && kind.asked != Asked::Compute
        && (kind.mapped_by_name)(id, &Value::Null).is_none()
}

pub(super) fn id_of(line: &Line) -> ItemId {
    ItemId {
        kind: line.kind.clone(),
        name: line.name.clone(),
        version: line.version.clone(),
    }
}
