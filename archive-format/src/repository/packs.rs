//! Which packs are there, and which of them may be named: the catalogue against the listing of the store.

use futures::{StreamExt, TryStreamExt};

use super::{Inner, Notice};
use crate::catalogue::objects::{GONE, PackRow, READ_ONLY, SWEPT, USABLE};
use crate::keys::envelope::{self, Unopened};
use crate::magic::INDEX_BYTES_MAX;
use crate::pack::index::Index;
use crate::storage::StorageFault;
use crate::{Error, FileName, PackName};

/// Index files that are read at once.
const INDEXES_AT_ONCE: usize = 8;

/// Index files are added to the catalogue together once they have so many objects and frames: up to 64 MiB. Each time
/// most pages of a large catalogue are written, so fewer at once would cost much.
const ROWS_AT_ONCE: usize = 1_000_000;

/// Packs or index files of a listing, sorted by name, with their sizes.
type Listed = [(PackName, u64)];

fn size_in(listed: &Listed, name: &PackName) -> Option<u64> {
    let place = listed.binary_search_by(|(other, _)| other.cmp(name)).ok()?;
    listed.get(place).map(|(_, size)| *size)
}

impl Inner {
    /// Compares the catalogue's packs with those that are there: an index proves its pack, so something new is named in
    /// a pack only where both are listed with the right size. New index files are read; where one is missing or damaged
    /// the pack's own table serves, for reading.
    pub(crate) async fn sync_packs(&self, notices: &mut Vec<Notice>) -> Result<(), Error> {
        self.will_list_packs().await?;
        let indexes = self.listed("index/").await?;
        let packs = self.listed("packs/").await?;
        let known = self.sync_known(&indexes, &packs, notices).await?;
        let is_new = |name: &PackName| known.binary_search(name).is_err();
        let new: Vec<PackName> = indexes
            .iter()
            .map(|(name, _)| *name)
            .filter(is_new)
            .collect();
        // Index files that a sweep has not deleted yet say nothing about packs that it has.
        let swept = self.catalogue.swept_of(new.clone()).await?;
        let is_left =
            |name: &PackName| swept.binary_search(name).is_ok() && size_in(&packs, name).is_none();
        let new: Vec<PackName> = new.into_iter().filter(|name| !is_left(name)).collect();
        let (mut broken, mut added, mut rows) = (Vec::new(), Vec::new(), 0);
        let mut read = futures::stream::iter(new)
            .map(|name| async move { (name, self.read_index(&name).await) })
            .buffer_unordered(INDEXES_AT_ONCE);
        while let Some((name, index)) = read.next().await {
            let there = size_in(&packs, &name);
            let reason = match index {
                Ok(index) if there == Some(index.stored_bytes) => {
                    rows += index.table.objects.len() + index.table.frames.len();
                    added.push((index, USABLE));
                    if rows >= ROWS_AT_ONCE {
                        self.catalogue.add_packs(std::mem::take(&mut added)).await?;
                        rows = 0;
                    }
                    continue;
                }
                Ok(index) => {
                    // What it held is known all the same: `check` says what is lost with it.
                    self.catalogue.add_pack_as(index, GONE).await?;
                    "its pack is gone or has another size".to_owned()
                }
                // Swept meanwhile by another machine.
                Err(Error::Storage(error)) if error.fault == StorageFault::NotFound => continue,
                Err(Error::Storage(error)) if error.fault == StorageFault::TooLarge => {
                    error.to_string()
                }
                Err(error @ (Error::Storage(_) | Error::NoKey(_) | Error::Worker { .. })) => {
                    return Err(error);
                }
                Err(error) => error.to_string(),
            };
            self.add_by_own_table(&name, there, true).await?;
            broken.push((FileName::index(&name), name, reason));
        }
        self.catalogue.add_packs(added).await?;
        self.tell_broken(broken, notices).await?;
        let without = |name: &PackName| size_in(&indexes, name).is_none() && is_new(name);
        for (name, size) in packs.iter().filter(|(name, _)| without(name)) {
            self.add_by_own_table(name, Some(*size), false).await?;
        }
        Ok(())
    }

    /// Says of each pack in the catalogue what may be done with it now; gives their names, sorted.
    async fn sync_known(
        &self,
        indexes: &Listed,
        packs: &Listed,
        notices: &mut Vec<Notice>,
    ) -> Result<Vec<PackName>, Error> {
        let (mut known, mut changed, mut after) = (Vec::new(), Vec::new(), None);
        let (mut gone, mut deleted) = (Vec::new(), Vec::new());
        loop {
            let page = self.catalogue.pack_names(after, 4096).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name);
            for row in page {
                if row.state == SWEPT {
                    match size_in(packs, &row.name) {
                        Some(_) => known.push(row.name),
                        None => deleted.push(row.name),
                    }
                    continue;
                }
                let (state, reason) = state_of(&row, indexes, packs);
                if state != row.state {
                    changed.push((row.name, state));
                    let file = FileName::pack(&row.name);
                    gone.extend(reason.map(|reason| (file, row.name, reason.to_owned())));
                }
                known.push(row.name);
            }
        }
        self.tell_broken(gone, notices).await?;
        self.catalogue.set_states(changed).await?;
        self.catalogue.drop_packs(deleted).await?;
        Ok(known)
    }

    /// Tells of packs that are gone and of index files that cannot be used. Where another machine swept some since the
    /// log was read that is no damage.
    async fn tell_broken(
        &self,
        broken: Vec<(FileName, PackName, String)>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        if broken.is_empty() {
            return Ok(());
        }
        self.read_log(false, notices).await?;
        let names = broken.iter().map(|(_, name, _)| *name).collect();
        let swept = self.catalogue.swept_of(names).await?;
        for (file, name, reason) in broken {
            if swept.binary_search(&name).is_err() {
                let name = file.to_string();
                notices.push(Notice::Damaged { name, reason });
            }
        }
        Ok(())
    }

    /// Adds a pack by the table at its end, where the keys at hand open it. Nothing new is named in it, unless a repair
    /// looked at it; without an index it may be one that is just being written.
    async fn add_by_own_table(
        &self,
        name: &PackName,
        stored_bytes: Option<u64>,
        index_is_damaged: bool,
    ) -> Result<(), Error> {
        let Some(stored_bytes) = stored_bytes else {
            return Ok(());
        };
        let index = match self.objects.own_table(*name, stored_bytes).await {
            Ok(index) => index,
            Err(error @ Error::Worker { .. }) => return Err(error),
            // No key, no whole pack: what it holds is not known here.
            Err(error) => {
                tracing::debug!(pack = %name, %error, "the table of a pack without an index cannot be read");
                return Ok(());
            }
        };
        let tabled = index_is_damaged && self.catalogue.repaired(*name).await?.tabled;
        let state = if tabled { USABLE } else { READ_ONLY };
        self.catalogue.add_pack_as(index, state).await
    }

    /// The packs named below a folder, sorted, with the sizes of the files. Foreign names are passed over.
    pub(crate) async fn listed(&self, prefix: &str) -> Result<Vec<(PackName, u64)>, Error> {
        let mut files = self.storage.list(prefix);
        let mut names = Vec::new();
        while let Some(file) = files.try_next().await? {
            let name = file
                .name
                .as_str()
                .rsplit('/')
                .next()
                .and_then(|name| name.parse::<PackName>().ok());
            if let Some(name) = name
                && [FileName::pack(&name), FileName::index(&name)].contains(&file.name)
            {
                names.push((name, file.size));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads one index file.
    pub(crate) async fn read_index(&self, pack: &PackName) -> Result<Index, Error> {
        let name = FileName::index(pack);
        let stored = self.storage.read(&name, INDEX_BYTES_MAX).await?;
        let (ring, pack) = (self.ring(), *pack);
        let read = tokio::task::spawn_blocking(move || {
            let damaged = |reason: String| Error::Damaged {
                name: name.clone(),
                reason,
            };
            let index = if ring.encrypted {
                let plain =
                    envelope::open(&stored, ring.meta.iter()).map_err(
                        |unopened| match unopened {
                            Unopened::NoKeyFits => {
                                damaged("it is not encrypted to the meta key".to_owned())
                            }
                            Unopened::Damaged(reason) => damaged(reason),
                        },
                    )?;
                Index::from_bytes(&plain)
            } else {
                Index::from_bytes(&stored)
            };
            let index = index.map_err(|error| match error {
                error @ (Error::UnknownVersion { .. } | Error::UnknownFlag { .. }) => error,
                error => damaged(error.to_string()),
            })?;
            if index.pack != pack || index.header.is_empty() == ring.encrypted {
                return Err(damaged("it belongs to another pack".to_owned()));
            }
            Ok(index)
        });
        read.await
            .map_err(|_| Error::Worker { what: "decryption" })?
    }
}

fn state_of(row: &PackRow, indexes: &Listed, packs: &Listed) -> (i64, Option<&'static str>) {
    if size_in(packs, &row.name) != Some(row.stored_bytes) {
        return (GONE, Some("the pack is gone or has another size"));
    }
    if row.damaged || row.replaced {
        return (READ_ONLY, None);
    }
    match size_in(indexes, &row.name) {
        Some(_) => (USABLE, None),
        None if row.tabled => (USABLE, None),
        // One that never had an index is no news.
        None if row.state == READ_ONLY => (READ_ONLY, None),
        None => (READ_ONLY, Some("its index is gone")),
    }
}
