//! A lock period: each snapshot keeps every pack that it refers to, the reused ones too, from deletion for so long, with what
//! is needed to read them: their index, the log, the record and the keys. Nothing here shortens a lock.
//!
//! Keys of exports are left out: deleting one is how an export is erased. Checkpoints are derived, and left out too.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{Lists, garbage};
use crate::storage::{ColdState, ColdStorage, Lock, LockMode, StorageError, StorageFault};
use crate::{Error, FileName, Repository, SnapshotRecord};

/// So many locks are under way at once.
const AT_ONCE: usize = 16;

/// A lock is made longer than the period by this share of it, so that the snapshots of the next days find most of theirs
/// long enough, and ask for nothing.
const AHEAD: u32 = 10;

/// How long a snapshot keeps what it refers to, and how firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockPeriod {
    /// From its end on.
    pub length: Duration,
    /// How firmly.
    pub mode: LockMode,
}

/// What locking for a snapshot did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocksSet {
    /// Files that are kept at least for the period.
    pub files: u64,
    /// Those whose lock was set or made longer now.
    pub extended: u64,
    /// When the first of them ends.
    pub nearest: Option<Timestamp>,
}

/// How the packs of live snapshots are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Packs with a lock that has not ended.
    pub locked: u64,
    /// Packs without one.
    pub unlocked: u64,
    /// When the first of these locks ends.
    pub nearest: Option<Timestamp>,
}

impl Repository {
    /// Extends the lock of everything that a snapshot needs. Run again it asks only for what is missing.
    ///
    /// # Errors
    /// [`Error::Storage`] with [`StorageFault::Unsupported`] where the store has no locks of single files.
    pub async fn lock_snapshot(
        &self,
        record: &SnapshotRecord,
        period: LockPeriod,
        now: Timestamp,
    ) -> Result<LocksSet, Error> {
        let inner = &self.inner;
        let cold = self.locking().await?;
        let (least, until) = ends(period.length, now);
        let packs = Lists::default().packs_of(inner, record).await?;
        let files = packs.iter().map(FileName::index);
        let mut wanted: BTreeSet<FileName> = files.collect();
        wanted.extend(packs.iter().map(FileName::pack));
        let mut set = LocksSet::default();
        for folder in ["packs/", "index/", "log/", "keys/", "repository.json"] {
            let always = !matches!(folder, "packs/" | "index/");
            let states = cold.states(folder).map_err(Error::from);
            let states = states.try_filter(|(name, _)| {
                let is_export = name.as_str().starts_with("keys/export-");
                std::future::ready((always && !is_export) || wanted.contains(name))
            });
            let mut done = states
                .map_ok(|(name, state)| async move {
                    let done = extend(cold, &name, &state, least, lock_of(&state, until, period));
                    done.await.map_err(Error::from)
                })
                .try_buffer_unordered(AT_ONCE)
                .boxed();
            while let Some((extended, ends)) = done.try_next().await? {
                set.files += 1;
                set.extended += u64::from(extended);
                set.nearest = Some(set.nearest.map_or(ends, |nearest| nearest.min(ends)));
            }
        }
        Ok(set)
    }

    /// How the packs of live snapshots are kept now.
    pub async fn locks(&self, now: Timestamp) -> Result<Locks, Error> {
        let inner = &self.inner;
        let cold = self.locking().await?;
        let needed = garbage::needed(inner, None, &Lists::default()).await?;
        let needed: BTreeSet<FileName> = needed.iter().map(FileName::pack).collect();
        let mut locks = Locks::default();
        let mut states = cold.states("packs/");
        while let Some((name, state)) = states.try_next().await? {
            let lock = state.lock.filter(|lock| lock.until > now);
            match (needed.contains(&name), lock) {
                (false, _) => {}
                (true, None) => locks.unlocked += 1,
                (true, Some(lock)) => {
                    locks.locked += 1;
                    let nearest = locks.nearest.map_or(lock.until, |it| it.min(lock.until));
                    locks.nearest = Some(nearest);
                }
            }
        }
        Ok(locks)
    }

    /// The store's locks, where it has locks of single files.
    async fn locking(&self) -> Result<&dyn ColdStorage, Error> {
        let storage = &self.inner.storage;
        let unsupported = |why: &str| {
            Error::Storage(StorageError {
                act: "lock",
                name: "packs".to_owned(),
                place: storage.describe(),
                fault: StorageFault::Unsupported,
                source: why.into(),
            })
        };
        let Some(cold) = storage.cold() else {
            return Err(unsupported("it keeps no file from deletion"));
        };
        match cold.keeping().await {
            Ok(keeping) if keeping.by_file => Ok(cold),
            Ok(_) => Err(unsupported(
                "the container has no version-level immutability",
            )),
            // A signature of the container alone may not ask about it; then the first lock tells.
            Err(error) if error.fault == StorageFault::Denied => Ok(cold),
            Err(error) => Err(error.into()),
        }
    }
}

/// Until when a lock must last at least, and until when it is set where it does not: to the second, as stores keep it.
fn ends(period: Duration, now: Timestamp) -> (Timestamp, Timestamp) {
    let after = |length: Duration| {
        let end = now.checked_add(length).unwrap_or(Timestamp::MAX);
        Timestamp::from_second(end.as_second().saturating_add(1)).unwrap_or(Timestamp::MAX)
    };
    (after(period), after(period + period / AHEAD))
}

/// The lock that a file is to get: a locked one stays locked.
fn lock_of(state: &ColdState, until: Timestamp, period: LockPeriod) -> Lock {
    let mode = state.lock.map_or(period.mode, |lock| lock.mode);
    Lock {
        until,
        mode: mode.max(period.mode),
    }
}

/// Sets a file's lock where it ends too early or is not firm enough; gives whether it did, and when the lock ends.
async fn extend(
    cold: &dyn ColdStorage,
    name: &FileName,
    state: &ColdState,
    least: Timestamp,
    wanted: Lock,
) -> Result<(bool, Timestamp), StorageError> {
    match state.lock {
        Some(lock) if lock.until >= least && lock.mode >= wanted.mode => Ok((false, lock.until)),
        lock => {
            // One that lasts longer only becomes firmer.
            let until = lock.map_or(wanted.until, |lock| lock.until.max(wanted.until));
            cold.lock(name, Lock { until, ..wanted }).await?;
            Ok((true, until))
        }
    }
}
