//! Forgetting snapshots: an entry, at any time. What holds a snapshot is looked at again for every number that is tried.

use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use jiff::Timestamp;

use crate::log::{Body, Forget};
use crate::{Error, Outcome, Repository, SnapshotId, SnapshotRecord};

/// So many snapshots are forgotten by one entry.
const FORGET_MAX: usize = 10_000;

/// Why a snapshot is not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Held {
    /// It is not there: unknown, or forgotten before.
    Absent,
    /// A person protected it.
    Protected,
    /// This suspect snapshot of its workspace waits for a person's word.
    Suspect(SnapshotId),
    /// No complete snapshot of its workspace is newer; where there is no complete one, no partial one.
    Newest,
}

/// What came of a forget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Forgotten by it.
    pub forgotten: Vec<SnapshotId>,
    /// Not forgotten, and why.
    pub held: Vec<(SnapshotId, Held)>,
}

/// What the log says of snapshots, as far as forgetting is concerned.
#[derive(Debug)]
struct State {
    live: Vec<SnapshotRecord>,
    accepted: Vec<SnapshotId>,
    protected: Vec<SnapshotId>,
}

impl State {
    async fn read(repository: &Repository) -> Result<Self, Error> {
        let catalogue = &repository.inner.catalogue;
        Ok(Self {
            live: catalogue.snapshots().await?,
            accepted: catalogue.accepted().await?,
            protected: catalogue.protected().await?,
        })
    }

    /// What holds a snapshot; none where it may be forgotten.
    fn held(&self, id: SnapshotId) -> Option<Held> {
        let Some(record) = self.live.iter().find(|record| record.id == id) else {
            return Some(Held::Absent);
        };
        if self.protected.contains(&id) {
            return Some(Held::Protected);
        }
        let of_workspace = || {
            self.live
                .iter()
                .filter(|other| other.workspace == record.workspace)
        };
        let waits = |other: &&SnapshotRecord| {
            other.outcome == Outcome::Suspect && !self.accepted.contains(&other.id)
        };
        if let Some(suspect) = of_workspace().find(waits) {
            return Some(Held::Suspect(suspect.id));
        }
        let counts = |other: &&SnapshotRecord| other.outcome != Outcome::Partial;
        let newest = |found: &mut dyn Iterator<Item = &SnapshotRecord>| {
            found
                .max_by_key(|other| (other.started, other.finished))
                .map(|other| other.id)
        };
        let newest =
            newest(&mut of_workspace().filter(counts)).or_else(|| newest(&mut of_workspace()));
        (newest == Some(id)).then_some(Held::Newest)
    }

    fn part(&self, snapshots: &[SnapshotId]) -> Forgotten {
        let mut parted = Forgotten::default();
        for id in snapshots {
            match self.held(*id) {
                Some(why) => parted.held.push((*id, why)),
                None => parted.forgotten.push(*id),
            }
        }
        parted
    }
}

impl Repository {
    /// What a forget would come to now, by what is known here of the log.
    pub async fn would_forget(&self, snapshots: &[SnapshotId]) -> Result<Forgotten, Error> {
        Ok(State::read(self).await?.part(snapshots))
    }

    /// Forgets those of these snapshots that nothing holds. Their content stays until a sweep.
    pub async fn forget(
        &self,
        snapshots: &[SnapshotId],
        reason: &str,
        now: Timestamp,
    ) -> Result<Forgotten, Error> {
        let mut all = Forgotten::default();
        for some in snapshots.chunks(FORGET_MAX) {
            let done = self.forget_some(some, reason, now).await?;
            all.forgotten.extend(done.forgotten);
            all.held.extend(done.held);
        }
        Ok(all)
    }

    async fn forget_some(
        &self,
        snapshots: &[SnapshotId],
        reason: &str,
        now: Timestamp,
    ) -> Result<Forgotten, Error> {
        let parted = Mutex::new(Forgotten::default());
        let parted = &parted;
        let compute = || {
            async move {
                let found = State::read(self).await?.part(snapshots);
                let body = (!found.forgotten.is_empty()).then(|| {
                    Body::Forget(Forget {
                        snapshots: found.forgotten.clone(),
                        reason: reason.to_owned(),
                    })
                });
                *parted.lock().unwrap_or_else(PoisonError::into_inner) = found;
                Ok(body)
            }
            .boxed()
        };
        self.inner
            .append(SnapshotId::new(now)?, now, compute)
            .await?;
        let parted = parted.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(parted.clone())
    }
}
