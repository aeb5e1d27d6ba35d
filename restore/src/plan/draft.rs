//! Making a plan: each item of the survey, in order, is compared with the target, and what the tables say is written
//! down as a step and rows. It reads both sides and writes to neither.

use std::collections::{BTreeMap, BTreeSet};

use workspace::kind::{Origin, Restore};
use workspace::{ItemId, Kind};

use super::decide::{Amount, Verdict};
use super::listing::Listing;
use super::survey::{Candidate, Names};
use super::{Seen, Sighting};
use crate::snapshot::Loaded;
use crate::world::World;
use crate::{Action, Error, Event, Loss, ManualStep, Observer, OnConflict, Step, Work};

mod again;
mod content;
mod document;
mod file;
mod finish;
mod job;
mod nowhere;
mod times;

/// A plan that is being made.
pub(crate) struct Draft<'a> {
    pub(crate) world: World<'a>,
    pub(crate) listing: Listing<'a>,
    pub(crate) on_conflict: OnConflict,
    names: Names,
    found_runs: BTreeMap<String, Vec<workspace::azure::RunFound>>,
    pub(crate) steps: Vec<Step>,
    archives: Vec<Step>,
    open: Vec<finish::Open>,
    directories: Vec<times::Directory>,
    resubmissions: Vec<Step>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) manual: Vec<ManualStep>,
    /// The machines that items ask for which the target does not have: by size how many, and the first item that does.
    pub(crate) machines: BTreeMap<String, (u64, ItemId)>,
    pub(crate) runs: BTreeMap<String, String>,
    sightings: BTreeMap<ItemId, Seen>,
    /// Items of the target that steps so far make.
    made: BTreeSet<ItemId>,
    /// Items of the snapshot that the target has under another name.
    elsewhere: BTreeSet<ItemId>,
}

/// The item that is being planned: its candidate, and the steps that come before its own.
pub(crate) struct Turn {
    pub(crate) id: ItemId,
    pub(crate) pulled: Option<String>,
    pub(crate) needs: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl<'a> Draft<'a> {
    /// Nothing is planned yet.
    pub(crate) fn new(
        world: World<'a>,
        listing: Listing<'a>,
        names: Names,
        on_conflict: OnConflict,
    ) -> Self {
        Self {
            world,
            listing,
            on_conflict,
            names,
            found_runs: BTreeMap::new(),
            steps: Vec::new(),
            archives: Vec::new(),
            open: Vec::new(),
            directories: Vec::new(),
            resubmissions: Vec::new(),
            losses: Vec::new(),
            manual: Vec::new(),
            machines: BTreeMap::new(),
            runs: BTreeMap::new(),
            sightings: BTreeMap::new(),
            made: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
        }
    }

    /// Plans every candidate, in order.
    pub(crate) async fn fill(
        &mut self,
        candidates: Vec<Candidate>,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        for (kind, gap) in self.names.of_kinds() {
            self.losses.push(Loss::of_kind(kind, gap));
        }
        self.search_runs(&candidates).await?;
        let mut pulled: BTreeMap<ItemId, Option<String>> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            pulled.insert(candidate.node.id.clone(), candidate.pulled);
            nodes.push(candidate.node);
        }
        let sorted = super::order::sort(nodes);
        let total = sorted.len() as u64;
        let mut numbers: Vec<Option<u32>> = Vec::with_capacity(sorted.len());
        let ids: Vec<ItemId> = sorted.iter().map(|(node, _)| node.id.clone()).collect();
        for (index, (node, before)) in sorted.into_iter().enumerate() {
            let (mut needs, mut after) = (Vec::new(), Vec::new());
            for at in before {
                let (Some(Some(number)), Some(id)) = (numbers.get(at), ids.get(at)) else {
                    continue;
                };
                if node.needs.contains(id) {
                    needs.push(*number);
                } else {
                    after.push(*number);
                }
            }
            let turn = Turn {
                pulled: pulled.remove(&node.id).flatten(),
                id: node.id,
                needs,
                after,
            };
            numbers.push(self.item(&turn).await?);
            observer.event(Event::Planning {
                done: index as u64 + 1,
                total,
            });
        }
        self.quota_by_hand();
        self.append_finishes().await?;
        self.append_resubmissions();
        self.append_archives();
        self.append_times();
        Ok(())
    }

    /// Plans one item; answers the number of its step where that changes something.
    async fn item(&mut self, turn: &Turn) -> Result<Option<u32>, Error> {
        let Some(kind) = Kind::find(&turn.id.kind) else {
            let verdict =
                Verdict::nothing(Action::Impossible, "this version does not know the kind");
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        };
        if !self.world.azure.offers(kind) && !self.world.azure.is_registry() {
            // A registry's own document.
            let verdict = Verdict::nothing(Action::Map, "the target is a workspace");
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        }
        if !self.world.azure.offers(kind) {
            let reason = format!("the target is a registry, which has no {}", kind.name);
            let verdict = Verdict::nothing(Action::Impossible, reason);
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        }
        match kind.restore {
            _ if !self.world.include.takes(kind) => self.unasked(kind, turn).await,
            _ if kind.origin == Origin::Workspace && !self.world.azure.is_made() => {
                self.workspace(kind, turn).await
            }
            Restore::Never => Ok(self.never(kind, turn).await?),
            Restore::Put | Restore::PendingUpload => self.document(kind, turn).await,
            Restore::Run => self.job(kind, turn).await,
            Restore::Files => self.file(kind, turn).await,
        }
    }

    /// A kind that is written only when asked for, and was not.
    async fn unasked(&mut self, kind: &'static Kind, turn: &Turn) -> Result<Option<u32>, Error> {
        let target = self.world.map_item(&turn.id);
        if self.listing.has(&target).await? {
            let verdict = Verdict::nothing(Action::Map, "the target has one of this name");
            return Ok(self.push(turn, Work::Nothing, target, verdict));
        }
        let word = kind.asked.word().unwrap_or_default();
        let reason = format!("it is made only with --include {word}");
        self.losses.push(Loss::new(
            &turn.id,
            Action::Manual,
            "the item",
            reason.clone(),
            "plan with it, or make one of this name by hand",
        ));
        self.make_by_hand(kind, &turn.id, &target);
        if let Some(loaded) = self.world.load(&turn.id).await? {
            self.count_machines(kind, &loaded);
        }
        let verdict = Verdict::nothing(Action::Manual, reason);
        Ok(self.push(turn, Work::Nothing, target, verdict))
    }

    /// A kind that is listed and never written.
    async fn never(&mut self, kind: &'static Kind, turn: &Turn) -> Result<Option<u32>, Error> {
        let target = self.world.map_item(&turn.id);
        let there = self.listing.has(&target).await?;
        if let Some(loaded) = self.world.load(&turn.id).await? {
            let actual = match there {
                true => self.world.get(&target).await?,
                false => None,
            };
            let actual = actual.and_then(|listed| listed.document);
            let actual = actual.as_ref().map(|it| &it.value);
            self.settle_by_hand(kind, &loaded, actual, None);
        }
        let verdict = if there {
            Verdict::nothing(Action::Map, "the target has one of this name")
        } else {
            for (what, reason, substitute) in kind.losses {
                self.losses.push(Loss::new(
                    &turn.id,
                    Action::Manual,
                    *what,
                    *reason,
                    *substitute,
                ));
            }
            Verdict::nothing(
                Action::Manual,
                "the target has none of this name, and mlark makes none",
            )
        };
        Ok(self.push(turn, Work::Nothing, target, verdict))
    }

    /// The workspace itself, which is made before everything else.
    async fn workspace(&mut self, kind: &'static Kind, turn: &Turn) -> Result<Option<u32>, Error> {
        let target = self.world.map_item(&turn.id);
        if let Some(loaded) = self.world.load(&turn.id).await? {
            let planned = self.world.azure.document().value.clone();
            self.settle_by_hand(kind, &loaded, Some(&planned), None);
        }
        let why = "it is not there; made from the snapshot's document of the source";
        let verdict = Verdict::nothing(Action::Create, why);
        Ok(self.push(turn, Work::Workspace, target, verdict))
    }

    /// Writes a step down; answers its number where it changes something.
    fn push(&mut self, turn: &Turn, work: Work, target: ItemId, verdict: Verdict) -> Option<u32> {
        let number = self.steps.len() as u32 + 1;
        let changes = verdict.action.changes();
        let reason = match &turn.pulled {
            Some(why) => format!("{}; {why}", verdict.reason),
            None => verdict.reason,
        };
        if verdict.action == Action::Impossible {
            self.losses.push(Loss::new(
                &turn.id,
                Action::Impossible,
                "the item",
                reason.clone(),
                "",
            ));
        }
        if changes {
            self.made.insert(target.clone());
        }
        self.steps.push(Step {
            step: number,
            item: turn.id.clone(),
            action: verdict.action,
            work: if changes { work } else { Work::Nothing },
            target,
            reason,
            needs: turn.needs.clone(),
            after: turn.after.clone(),
            overwrite: verdict.overwrite,
            files: verdict.amount.files,
            bytes: verdict.amount.bytes,
        });
        changes.then_some(number)
    }

    /// Notes that an item must be archived at the very end.
    fn archive_later(&mut self, turn: &Turn, target: &ItemId, main: Option<u32>) {
        self.archives.push(Step {
            step: 0,
            item: turn.id.clone(),
            action: Action::Create,
            work: Work::Archive,
            target: target.clone(),
            reason: "archived at the source; a service takes that only for what exists".to_owned(),
            needs: main.into_iter().collect(),
            after: Vec::new(),
            overwrite: false,
            files: 0,
            bytes: 0,
        });
    }

    /// Archive flags come last, those of containers after those of their versions, which they hide.
    fn append_archives(&mut self) {
        let mut archives = std::mem::take(&mut self.archives);
        archives.sort_by_key(|step| step.target.version.is_none());
        let last = self.steps.len() as u32;
        let (mut all_before, mut versions): (Vec<u32>, Vec<u32>) =
            ((1..=last).collect(), Vec::new());
        all_before.retain(|number| {
            let step = usize::try_from(*number)
                .ok()
                .and_then(|number| self.steps.get(number - 1));
            step.is_some_and(|step| step.action.changes() && step.work != Work::Files)
        });
        for mut step in archives {
            step.step = self.steps.len() as u32 + 1;
            let same = |number: &u32| {
                let other = usize::try_from(*number)
                    .ok()
                    .and_then(|number| self.steps.get(number - 1));
                other.is_some_and(|other| {
                    other.target.kind == step.target.kind && other.target.name == step.target.name
                })
            };
            step.after = all_before
                .iter()
                .chain(&versions)
                .filter(|number| same(number))
                .copied()
                .collect();
            if step.target.version.is_some() {
                versions.push(step.step);
            }
            self.steps.push(step);
        }
    }

    /// What the snapshot could not save of an item.
    fn gaps(&mut self, loaded: &Loaded) {
        for gap in &loaded.item.gaps {
            let what = gap.file.as_deref().unwrap_or("the item");
            self.losses.push(Loss::new(
                &loaded.id,
                Action::Create,
                format!("gap {what}"),
                format!("the snapshot does not have it: {}", gap.reason),
                "",
            ));
        }
    }

    /// Whether a step so far makes an item; without a version any version will do.
    fn is_made(&self, id: &ItemId) -> bool {
        if id.version.is_some() {
            return self.made.contains(id);
        }
        let mut same = self.made.range(id.clone()..);
        same.next()
            .is_some_and(|made| made.kind == id.kind && made.name == id.name)
    }

    /// Notes what was seen of an item of the target.
    async fn sight(&mut self, id: &ItemId) -> Result<(), Error> {
        if !self.sightings.contains_key(id) {
            let seen = self.listing.seen(id).await?;
            self.sightings.insert(id.clone(), seen);
        }
        Ok(())
    }

    /// Everything that was seen.
    pub(crate) fn sightings(&mut self) -> Vec<Sighting> {
        std::mem::take(&mut self.sightings)
            .into_iter()
            .map(|(item, seen)| Sighting { item, seen })
            .collect()
    }

    /// An item that the names of the snapshot have and the snapshot does not: it is read from the same manifest, so
    /// this is damage.
    fn vanished(id: &ItemId) -> Error {
        Error::snapshot(id.to_string(), "the manifest lists it and does not hold it")
    }

    /// What a whole item amounts to, where its bytes have a place.
    fn whole(loaded: &Loaded, has_place: bool) -> Amount {
        if has_place {
            loaded.amount()
        } else {
            Amount::default()
        }
    }
}
