//! What is needed, and which packs hold little of it: the manifests of all live snapshots are read, and every object that
//! they lead to is marked.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use jiff::Timestamp;

use super::{RepackEvent, Sparse, SparsePack};
use crate::catalogue::marks::{Marks, Share};
use crate::read::walk::Walk;
use crate::removal::garbage::{self, Politeness, SparedGroups, Stock};
use crate::removal::{Grace, Lists};
use crate::repository::Inner;
use crate::storage::Thaw;
use crate::{Address, Error, FileName, Line, PackName, Repository, SnapshotReader, SnapshotRecord};

/// Objects that are marked together.
const MARKS_TOGETHER: usize = 8192;

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) lists: Lists,
    /// Every object that the snapshots of `entries` lead to.
    pub(super) marks: Marks,
    /// The pieces and chunk lists that were gone through to their ends. A mark as such says nothing of that: any file may have
    /// the bytes of a list.
    walked: Marks,
    /// The numbers of the entries of the snapshots that were looked at.
    pub(super) entries: BTreeSet<u64>,
    pub(super) sparse: Sparse,
}

/// Whether more of a pack than so many percent is needed by nobody.
fn is_above(share: &Share, percent: u8) -> bool {
    u128::from(share.unmarked_bytes) * 100 > u128::from(share.frames_bytes) * u128::from(percent)
}

impl Survey {
    /// Looks at everything. `stop` is asked before each snapshot; then there is no answer.
    pub(super) async fn make(
        repository: &Repository,
        max_unused_percent: u8,
        grace: &Grace,
        now: Timestamp,
        stop: &(dyn Fn() -> bool + Send + Sync),
        events: &mut (dyn FnMut(RepackEvent) + Send),
    ) -> Result<Option<Self>, Error> {
        let inner = &repository.inner;
        let stock = Stock::list(inner).await?;
        // The packs of a snapshot that the log has now are among those that are listed after it.
        inner.read_log(false, &mut Vec::new()).await?;
        inner.sync_packs(&mut Vec::new()).await?;
        let mut survey = Self {
            lists: Lists::default(),
            marks: Marks::begin(&inner.catalogue).await?,
            walked: Marks::begin(&inner.catalogue).await?,
            entries: BTreeSet::new(),
            sparse: Sparse::default(),
        };
        if !survey.mark_all(repository, stop, events).await? {
            survey.end().await?;
            return Ok(None);
        }
        let needed = garbage::needed(inner, Some(&stock), &survey.lists).await?;
        let polite = Politeness::read(inner, grace, now, &survey.lists).await?;
        let mut spared = SparedGroups::default();
        for share in survey.marks.shares().await? {
            if !is_above(&share, max_unused_percent) {
                continue;
            }
            let files = stock.files(&share.pack);
            let Some(files) = files.filter(|_| needed.contains(&share.pack)) else {
                continue;
            };
            match polite.spares(&share.pack, files) {
                Some((sparing, until)) => spared.add(sparing, until, files.bytes),
                None => survey.sparse.packs.push(SparsePack {
                    pack: share.pack,
                    bytes: files.bytes,
                    unused_bytes: share.unmarked_bytes.min(files.bytes),
                }),
            }
        }
        survey.sparse.spared = spared.into_list();
        survey.leave_archived(inner, now).await?;
        // By their shares, without fractions: a/b before c/d where a·d > c·b.
        survey.sparse.packs.sort_by_key(|pack| pack.pack);
        survey.sparse.packs.sort_by(|left, right| {
            let times = |unused: u64, bytes: u64| u128::from(unused) * u128::from(bytes);
            times(right.unused_bytes, left.bytes).cmp(&times(left.unused_bytes, right.bytes))
        });
        Ok(Some(survey))
    }

    /// What lies in an archive tier cannot be read, and to have it back costs more than its room there.
    async fn leave_archived(&mut self, inner: &Inner, now: Timestamp) -> Result<(), Error> {
        if inner.storage.cold().is_none() || self.sparse.packs.is_empty() {
            return Ok(());
        }
        let files: BTreeMap<FileName, PackName> = (self.sparse.packs.iter())
            .map(|sparse| (FileName::pack(&sparse.pack), sparse.pack))
            .collect();
        let names = files.keys().cloned().collect();
        let thaw = Thaw::look(inner.storage.as_ref(), &names, now).await?;
        let frozen = thaw.archived.iter().chain(&thaw.returning);
        let frozen = frozen.map(|file| &file.name).chain(&thaw.copied);
        // Of a pack that is on its way back or has a copy the name may be that of the copy: its last part is the same.
        let frozen: BTreeSet<PackName> = frozen
            .filter_map(|name| name.as_str().rsplit('/').next()?.parse().ok())
            .collect();
        let before = self.sparse.packs.len();
        self.sparse
            .packs
            .retain(|sparse| !frozen.contains(&sparse.pack));
        self.sparse.archived = (before - self.sparse.packs.len()) as u64;
        Ok(())
    }

    /// Marks what all live snapshots lead to; false where it was stopped.
    async fn mark_all(
        &mut self,
        repository: &Repository,
        stop: &(dyn Fn() -> bool + Send + Sync),
        events: &mut (dyn FnMut(RepackEvent) + Send),
    ) -> Result<bool, Error> {
        let catalogue = &repository.inner.catalogue;
        let entries = catalogue.live_entries().await?;
        let records = catalogue.snapshots().await?;
        events(RepackEvent::Looking {
            snapshots: records.len() as u64,
        });
        for record in &records {
            if stop() {
                return Ok(false);
            }
            match self.mark(repository, record).await {
                Ok(()) => self.entries.extend(entries.get(&record.id)),
                // Forgotten meanwhile, and swept.
                Err(Error::Forgotten { .. }) => {}
                Err(error) => return Err(error),
            }
            events(RepackEvent::Looked);
        }
        Ok(true)
    }

    async fn mark(&self, repository: &Repository, record: &SnapshotRecord) -> Result<(), Error> {
        let reader = repository.snapshot(record);
        match self.mark_lines(&reader, record).await {
            Ok(()) => Ok(()),
            Err(error) => Err(reader.explain(error).await),
        }
    }

    async fn mark_lines(
        &self,
        reader: &SnapshotReader,
        record: &SnapshotRecord,
    ) -> Result<(), Error> {
        let objects = &reader.repository().inner.objects;
        let mut walk = Walk::new(record.manifest, None);
        let mut lines = 0;
        while let Some(piece) = walk.next(objects).await? {
            lines += piece.count;
            if self.was_walked(piece.address).await? {
                continue;
            }
            let mut addresses = Vec::new();
            for line in walk.lines(objects, &piece).await? {
                self.mark_lists(reader, &line).await?;
                addresses.extend(line.addresses());
            }
            self.marks.add(addresses).await?;
            self.walked.add(vec![piece.address]).await?;
        }
        record.expect_lines(lines)
    }

    async fn was_walked(&self, address: Address) -> Result<bool, Error> {
        Ok(!self.walked.of(vec![address]).await?.is_empty())
    }

    /// Gives up what was noted, but for what was found.
    pub(super) async fn end(self) -> Result<Sparse, Error> {
        self.walked.end().await?;
        self.marks.end().await?;
        Ok(self.sparse)
    }

    /// Marks what the chunk lists of a line lead to.
    async fn mark_lists(&self, reader: &SnapshotReader, line: &Line) -> Result<(), Error> {
        for file in &line.files {
            let Some(content) = &file.content else {
                continue;
            };
            let Some(list) = content.chunk_list else {
                continue;
            };
            if self.was_walked(list.address).await? {
                continue;
            }
            let mut addresses: Vec<Address> = Vec::new();
            let mut below = reader.list_addresses(content);
            while let Some(address) = below.try_next().await? {
                addresses.push(address);
                if addresses.len() >= MARKS_TOGETHER {
                    self.marks.add(std::mem::take(&mut addresses)).await?;
                }
            }
            self.marks.add(addresses).await?;
            self.walked.add(vec![list.address]).await?;
        }
        Ok(())
    }
}
