//! What may be swept: packs that are listed, less what live snapshots need, less what was swept before, less what
//! politeness spares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;

use super::Lists;
use crate::catalogue::removal::Forgetting;
use crate::log::Body;
use crate::repository::Inner;
use crate::storage::{StorageFault, StoredFile};
use crate::{Error, FileName, PackName, SnapshotId};

/// How long what was forgotten stays, and packs that no snapshot needs yet: a run under way may be about to name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// Usually.
    pub usual: Duration,
    /// For snapshots of these workspaces.
    pub of_workspace: BTreeMap<String, Duration>,
}

/// Why a pack that no live snapshot needs is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Sparing {
    /// This snapshot needs it, and was forgotten less than the grace period ago.
    Forgotten(SnapshotId),
    /// The entry of this number says that others hold what snapshots need of it, and was put less than the grace period ago:
    /// somebody may be reading it.
    Replaced(u64),
    /// This run holds it, or may have written it since it put its hold.
    Held(SnapshotId),
    /// It is younger than the grace period.
    Young,
    /// The store does not say how old it is.
    Undated,
    /// A lock of the store keeps it.
    Locked,
    /// A legal hold keeps it.
    OnHold,
}

/// Packs that are spared for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spared {
    /// The reason.
    pub sparing: Sparing,
    /// How many packs.
    pub packs: u64,
    /// Their files' bytes.
    pub bytes: u64,
    /// When the first of them is spared no longer for it; none: that is not known.
    pub first: Option<Timestamp>,
    /// When the last of them is; none: that of one is not known.
    pub until: Option<Timestamp>,
}

/// What a sweep would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Packs that may be swept, sorted.
    pub packs: Vec<PackName>,
    /// Their files' bytes.
    pub bytes: u64,
    /// Packs that were swept before, are not deleted yet and may be, sorted.
    pub left: Vec<PackName>,
    /// Their files' bytes.
    pub left_bytes: u64,
    /// Packs that a sweep names although live snapshots need them: no honest one does. They are not deleted.
    pub contested: Vec<PackName>,
    /// Packs that are passed over.
    pub spared: Vec<Spared>,
    /// How many packs live snapshots need.
    pub needed: u64,
    /// Their files' bytes.
    pub needed_bytes: u64,
}

/// Packs and index files as they were listed.
#[derive(Debug, Default)]
pub(super) struct Stock(BTreeMap<PackName, Files>);

/// The files of one pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files {
    pub(super) bytes: u64,
    /// Whether the pack itself is there, and not its index alone.
    has_pack: bool,
    /// When the newest was written; none where the store does not say.
    modified: Option<Timestamp>,
    /// Until when the store keeps one of them at least.
    locked: Option<Timestamp>,
    /// Whether one of them is held.
    held: bool,
}

impl Stock {
    /// Lists packs and index files (S1).
    pub(super) async fn list(inner: &Inner) -> Result<Self, Error> {
        let mut stock = Self::default();
        for folder in ["packs/", "index/"] {
            let mut files = inner.storage.list(folder);
            while let Some(file) = files.try_next().await? {
                stock.take_in(&file);
            }
        }
        stock.read_locks(inner).await?;
        Ok(stock)
    }

    /// Reads which files the store keeps, where it keeps single ones.
    async fn read_locks(&mut self, inner: &Inner) -> Result<(), Error> {
        let Some(cold) = inner.storage.cold() else {
            return Ok(());
        };
        match cold.keeping().await {
            Ok(keeping) if !keeping.by_file => return Ok(()),
            // A signature of the container alone may not ask about it.
            Err(error) if error.fault != StorageFault::Denied => return Err(error.into()),
            _ => {}
        }
        for folder in ["packs/", "index/"] {
            let mut states = cold.states(folder);
            while let Some((file, state)) = states.try_next().await? {
                let last = file.as_str().rsplit('/').next();
                let name = last.and_then(|name| name.parse::<PackName>().ok());
                if let Some(files) = name.and_then(|name| self.0.get_mut(&name)) {
                    files.locked = files.locked.max(state.lock.map(|lock| lock.until));
                    files.held |= state.held;
                }
            }
        }
        Ok(())
    }

    /// Files of other names are foreign, and never touched.
    fn take_in(&mut self, file: &StoredFile) {
        let last = file.name.as_str().rsplit('/').next();
        let Some(name) = last.and_then(|name| name.parse::<PackName>().ok()) else {
            return;
        };
        if ![FileName::pack(&name), FileName::index(&name)].contains(&file.name) {
            return;
        }
        let is_pack = file.name == FileName::pack(&name);
        self.0
            .entry(name)
            .and_modify(|files| {
                files.bytes += file.size;
                files.has_pack |= is_pack;
                files.modified = match (files.modified, file.modified) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    _ => None,
                };
            })
            .or_insert(Files {
                bytes: file.size,
                has_pack: is_pack,
                modified: file.modified,
                locked: None,
                held: false,
            });
    }

    /// The bytes of a pack's files.
    pub(super) fn bytes(&self, name: &PackName) -> u64 {
        self.files(name).map_or(0, |files| files.bytes)
    }

    /// The files of a pack, where there are any.
    pub(super) fn files(&self, name: &PackName) -> Option<&Files> {
        self.0.get(name)
    }

    fn has_pack(&self, name: &PackName) -> bool {
        self.files(name).is_some_and(|files| files.has_pack)
    }
}

impl Grace {
    fn of(&self, workspace: &str) -> Duration {
        self.of_workspace
            .get(workspace)
            .copied()
            .unwrap_or(self.usual)
    }

    fn longest(&self) -> Duration {
        let own = self.of_workspace.values().copied();
        own.fold(self.usual, Duration::max)
    }
}

fn end_of(time: Timestamp, grace: Duration) -> Timestamp {
    time.checked_add(grace).unwrap_or(Timestamp::MAX)
}

/// Computes what may be swept and what may be deleted, by the log as it was read (S2).
///
/// Whoever deletes looks for himself. An entry may come from a thief of a machine's key, and the keeper of the right to
/// delete does not do his work: what a live snapshot needs stays, and what was forgotten lately, whatever sweep names it.
pub(super) async fn garbage(
    inner: &Inner,
    stock: &Stock,
    grace: &Grace,
    now: Timestamp,
    lists: &Lists,
) -> Result<Garbage, Error> {
    let needed = needed(inner, Some(stock), lists).await?;
    let polite = Politeness::read(inner, grace, now, lists).await?;
    let swept = inner
        .catalogue
        .swept_of(stock.0.keys().copied().collect())
        .await?;
    let mut found = Garbage::default();
    let mut spared = SparedGroups::default();
    for (name, files) in &stock.0 {
        let was_swept = swept.binary_search(name).is_ok();
        if needed.contains(name) {
            found.needed += 1;
            found.needed_bytes += files.bytes;
            found.contested.extend(was_swept.then_some(*name));
        } else if let Some((sparing, until)) = polite.spares(name, files) {
            spared.add(sparing, until, files.bytes);
        } else if was_swept {
            found.left.push(*name);
            found.left_bytes += files.bytes;
        } else {
            found.packs.push(*name);
            found.bytes += files.bytes;
        }
    }
    found.spared = spared.into_list();
    Ok(found)
}

/// Packs that live snapshots need, and those that hold the lists of sweep entries, which readers need for ever. Where
/// that cannot be found out nothing can be swept. With the packs that are listed it is looked whether those are among them that
/// took the place of others: as long as one is not, what they replaced is needed too.
pub(super) async fn needed(
    inner: &Inner,
    stock: Option<&Stock>,
    lists: &Lists,
) -> Result<BTreeSet<PackName>, Error> {
    let mut needed = inner.sweep_lists().await?;
    for record in inner.catalogue.snapshots().await? {
        let (packs, replaced) = lists.packs_and_replaced(inner, &record).await?;
        if let Some(stock) = stock.filter(|_| !replaced.is_empty()) {
            let missing = !packs.iter().all(|pack| stock.has_pack(pack));
            if missing || inner.catalogue.any_damaged(packs.clone()).await? {
                needed.extend(replaced);
            }
        }
        needed.extend(packs);
    }
    Ok(needed)
}

/// What is spared, by the reasons.
#[derive(Debug, Default)]
pub(super) struct SparedGroups(BTreeMap<Sparing, Spared>);

impl SparedGroups {
    pub(super) fn add(&mut self, sparing: Sparing, until: Option<Timestamp>, bytes: u64) {
        let group = self.0.entry(sparing).or_insert(Spared {
            sparing,
            packs: 0,
            bytes: 0,
            first: until,
            until,
        });
        group.packs += 1;
        group.bytes += bytes;
        group.until = group.until.zip(until).map(|(one, other)| one.max(other));
        group.first = group.first.into_iter().chain(until).min();
    }

    pub(super) fn into_list(self) -> Vec<Spared> {
        self.0.into_values().collect()
    }
}

/// Whom a sweep is polite to.
#[derive(Debug)]
pub(super) struct Politeness {
    now: Timestamp,
    /// The usual grace period.
    grace: Duration,
    /// Packs of snapshots that were forgotten lately, until when.
    forgotten: BTreeMap<PackName, (SnapshotId, Timestamp)>,
    /// Packs whose place others took lately, by the number of the entry, until when.
    replaced: BTreeMap<PackName, (u64, Timestamp)>,
    /// Packs that runs hold.
    held: BTreeMap<PackName, (SnapshotId, Option<Timestamp>)>,
    /// A run that holds something: what it wrote since then is named nowhere, so it is taken to have written every pack
    /// that was in no snapshot.
    holder: Option<(SnapshotId, Option<Timestamp>)>,
    /// Packs that some forgotten snapshot needed; only where somebody holds something.
    were_needed: BTreeSet<PackName>,
}

impl Politeness {
    pub(super) async fn read(
        inner: &Inner,
        grace: &Grace,
        now: Timestamp,
        lists: &Lists,
    ) -> Result<Self, Error> {
        let mut polite = Self {
            now,
            grace: grace.usual,
            forgotten: BTreeMap::new(),
            replaced: replaced_lately(inner, grace.longest(), now, lists).await?,
            held: BTreeMap::new(),
            holder: None,
            were_needed: BTreeSet::new(),
        };
        for (run, hold) in inner.holds(now).await? {
            for pack in &hold.packs {
                polite.held.insert(*pack, (run, hold.until));
            }
            polite.holder = Some((run, hold.until));
        }
        let mut forgotten = inner.catalogue.forgotten().await?;
        let stored = match forgotten.values().map(|by| by.entry).max() {
            None => Arc::default(),
            Some(last) => lists.entry_times(inner, last).await?,
        };
        // The store's word counts beside the writer's, who might say anything.
        let time_of =
            |by: &Forgetting| (stored.get(&by.entry)).map_or(by.said, |at| by.said.max(*at));
        let longest = grace.longest();
        // What was forgotten long ago grows with the log, and is not even looked at.
        forgotten.retain(|_, by| polite.holder.is_some() || end_of(time_of(by), longest) > now);
        let ids = forgotten.keys().copied().collect();
        for record in inner.catalogue.records_of(ids).await? {
            let Some(by) = forgotten.get(&record.id) else {
                continue;
            };
            let grace = grace.of(&record.workspace);
            let until = if grace.is_zero() {
                now
            } else {
                end_of(time_of(by), grace)
            };
            if until <= now && polite.holder.is_none() {
                continue;
            }
            let packs = match lists.packs_of(inner, &record).await {
                Ok(packs) => packs,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            if until > now {
                for pack in &packs {
                    let known = polite.forgotten.entry(*pack).or_insert((record.id, until));
                    if known.1 < until {
                        *known = (record.id, until);
                    }
                }
            }
            if polite.holder.is_some() {
                polite.were_needed.extend(packs);
            }
        }
        Ok(polite)
    }

    pub(super) fn spares(
        &self,
        name: &PackName,
        files: &Files,
    ) -> Option<(Sparing, Option<Timestamp>)> {
        if files.held {
            return Some((Sparing::OnHold, None));
        }
        if let Some(until) = files.locked.filter(|until| *until > self.now) {
            return Some((Sparing::Locked, Some(until)));
        }
        if let Some((snapshot, until)) = self.forgotten.get(name) {
            return Some((Sparing::Forgotten(*snapshot), Some(*until)));
        }
        if let Some((entry, until)) = self.replaced.get(name) {
            return Some((Sparing::Replaced(*entry), Some(*until)));
        }
        if let Some((run, until)) = self.held.get(name) {
            return Some((Sparing::Held(*run), *until));
        }
        if let Some((run, until)) = self.holder
            && !self.were_needed.contains(name)
        {
            return Some((Sparing::Held(run), until));
        }
        if self.grace.is_zero() {
            return None;
        }
        match files.modified.map(|time| end_of(time, self.grace)) {
            None => Some((Sparing::Undated, None)),
            Some(until) if until > self.now => Some((Sparing::Young, Some(until))),
            Some(_) => None,
        }
    }
}

/// Packs whose place others took less than a grace period ago.
async fn replaced_lately(
    inner: &Inner,
    grace: Duration,
    now: Timestamp,
    lists: &Lists,
) -> Result<BTreeMap<PackName, (u64, Timestamp)>, Error> {
    let mut lately = BTreeMap::new();
    if grace.is_zero() {
        return Ok(lately);
    }
    for (number, _, entry) in inner.catalogue.entries_of("repack").await? {
        let stored = lists.entry_times(inner, number).await?;
        let said = entry.time;
        let until = end_of(stored.get(&number).map_or(said, |at| said.max(*at)), grace);
        if let Body::Repack(repack) = entry.body
            && until > now
        {
            let packs = repack.packs.into_iter();
            lately.extend(packs.map(|replaced| (replaced.pack, (number, until))));
        }
    }
    Ok(lately)
}

/// Whether the list of a forgotten snapshot was swept, or is damaged: then there is nothing to be polite about.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::Storage(error) => error.fault == StorageFault::NotFound,
        Error::Json { .. } | Error::Limit { .. } => true,
        error => error.is_damage(),
    }
}
