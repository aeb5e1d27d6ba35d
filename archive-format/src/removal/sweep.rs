//! Sweeping: list, read the log, name the garbage in an entry, and only when that is stored delete what it names.
//!
//! Whoever is killed after the entry leaves files that everybody may delete at any time later: swept names are never
//! named again. Whoever is killed before it has changed nothing.

use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::garbage::{Stock, garbage};
use super::{Garbage, Grace, Lists};
use crate::log::{Body, Sweep};
use crate::repository::Inner;
use crate::storage::{Deletes, probe};
use crate::{Error, FileName, PackName, Repository, SnapshotId, StorageError};

/// Up to so many names stand in the entry itself.
pub(super) const NAMES_IN_ENTRY: usize = 10_000;

/// Temporary files are left alone for so long at least.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Packs that are deleted at once.
const DELETES_AT_ONCE: usize = 8;

/// What a sweep tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepEvent {
    /// So many packs are going to be deleted.
    Deleting {
        /// Packs.
        packs: u64,
    },
    /// One more is.
    Deleted {
        /// Its files' bytes.
        bytes: u64,
    },
}

/// What came of a sweep.
#[derive(Debug)]
pub struct Swept {
    /// What its entry names, and what it passed over; `left` are those of earlier sweeps that were still there.
    pub garbage: Garbage,
    /// Packs deleted, of earlier sweeps too.
    pub deleted: u64,
    /// Their files' bytes.
    pub deleted_bytes: u64,
    /// Swept packs that are still there. The next sweep deletes them.
    pub undeleted: u64,
    /// Why they are.
    pub failure: Option<StorageError>,
}

impl Repository {
    /// What a sweep would come to. Changes nothing.
    pub async fn garbage(&self, grace: &Grace, now: Timestamp) -> Result<Garbage, Error> {
        let inner = &self.inner;
        let stock = Stock::list(inner).await?;
        inner.read_log(false, &mut Vec::new()).await?;
        garbage(inner, &stock, grace, now, &Lists::default()).await
    }

    /// Sweeps, and deletes what this sweep and earlier ones name and no live snapshot needs. Refused where the store
    /// overwrites or does not delete: what was swept would be lost to deduplication and freed by nobody.
    pub async fn sweep(
        &self,
        grace: &Grace,
        now: Timestamp,
        events: &mut (dyn FnMut(SweepEvent) + Send),
    ) -> Result<Swept, Error> {
        let inner = &self.inner;
        let lists = Lists::default();
        tidy(inner, grace, now).await;
        let stock = Stock::list(inner).await?;
        inner.read_log(false, &mut Vec::new()).await?;
        let found = garbage(inner, &stock, grace, now, &lists).await?;
        let mut swept = Swept {
            garbage: found,
            deleted: 0,
            deleted_bytes: 0,
            undeleted: 0,
            failure: None,
        };
        if swept.garbage.packs.is_empty() && swept.garbage.left.is_empty() {
            return Ok(swept);
        }
        if probe(inner.storage.as_ref()).await? == Deletes::Refused {
            return Err(Error::DeletesRefused {
                place: inner.storage.describe(),
            });
        }
        swept.garbage = put(inner, &stock, grace, now, &lists).await?;
        // The entry is stored and read: what may be deleted is computed like everything else, by the log as it is now.
        let after = garbage(inner, &stock, grace, now, &lists).await?;
        swept.undeleted = after.left.len() as u64;
        delete(inner, &stock, after.left, &mut swept, events).await;
        inner.drop_superseded_checkpoints().await;
        Ok(swept)
    }
}

/// Removes what writers that died left under temporary names. A living one takes less than a day for a file.
async fn tidy(inner: &Inner, grace: &Grace, now: Timestamp) {
    let Ok(before) = now.checked_sub(grace.usual.max(DAY)) else {
        return;
    };
    if let Err(error) = inner.storage.tidy(before).await {
        tracing::debug!(%error, "temporary files stay");
    }
}

/// Puts the entry, computed anew for every number that is tried (S2 and S3). Gives what it names.
async fn put(
    inner: &Inner,
    stock: &Stock,
    grace: &Grace,
    now: Timestamp,
    lists: &Lists,
) -> Result<Garbage, Error> {
    let last = std::sync::Mutex::new(Garbage::default());
    let last = &last;
    let compute = || {
        async move {
            let found = garbage(inner, stock, grace, now, lists).await?;
            let body = match found.packs.is_empty() {
                true => None,
                false => Some(body(inner, &found.packs, now).await?),
            };
            *last
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = found;
            Ok(body)
        }
        .boxed()
    };
    inner.append(SnapshotId::new(now)?, now, compute).await?;
    let mut last = last
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(std::mem::take(&mut *last))
}

/// The entry's body. The packs of a long list are new, and in no listing that this sweep has seen; another sweep may
/// name them before this entry is stored, and then this number is taken and everything is computed anew.
async fn body(inner: &Inner, packs: &[PackName], now: Timestamp) -> Result<Body, Error> {
    let mut sweep = Sweep {
        packs: packs.to_vec(),
        list: Vec::new(),
        list_packs: Vec::new(),
    };
    if packs.len() > NAMES_IN_ENTRY {
        let list = inner.store_list(packs, now).await?;
        sweep = Sweep {
            packs: Vec::new(),
            list: list.objects,
            list_packs: list.holders,
        };
    }
    Ok(Body::Sweep(sweep))
}

/// Deletes what stored sweeps name (S4): the index first, so that one that is there still proves its pack.
async fn delete(
    inner: &Inner,
    stock: &Stock,
    names: Vec<PackName>,
    swept: &mut Swept,
    events: &mut (dyn FnMut(SweepEvent) + Send),
) {
    events(SweepEvent::Deleting {
        packs: swept.undeleted,
    });
    let mut deletes = stream::iter(names)
        .map(|name| async move {
            inner.storage.delete(&FileName::index(&name)).await?;
            inner.storage.delete(&FileName::pack(&name)).await?;
            Ok(stock.bytes(&name))
        })
        .buffer_unordered(DELETES_AT_ONCE);
    while let Some(done) = deletes.next().await {
        match done {
            Ok(bytes) => {
                swept.deleted += 1;
                swept.deleted_bytes += bytes;
                swept.undeleted -= 1;
                events(SweepEvent::Deleted { bytes });
            }
            Err(error) => {
                swept.failure = Some(error);
                break;
            }
        }
    }
}
