//! Lists of pack names, as log entries name them: read wherever their packs lie, kept for a while since snapshots share
//! most of them, and written into packs of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt;
use jiff::Timestamp;

use crate::pack::Class;
use crate::read::packs;
use crate::repository::Inner;
use crate::write::FreshObjects;
use crate::{Address, Error, PackName, SnapshotRecord};

/// What was read for one sweep, which looks at it several times.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    lists: Mutex<HashMap<Address, Arc<Vec<PackName>>>>,
    /// When entries of the log were stored.
    times: Mutex<Arc<BTreeMap<u64, Timestamp>>>,
}

/// A list that was stored.
#[derive(Debug)]
pub(super) struct StoredList {
    pub(super) objects: Vec<Address>,
    pub(super) holders: Vec<PackName>,
}

impl Lists {
    /// All packs that a snapshot needs, those that hold its list too.
    pub(crate) async fn packs_of(
        &self,
        inner: &Inner,
        record: &SnapshotRecord,
    ) -> Result<BTreeSet<PackName>, Error> {
        Ok(self.packs_and_replaced(inner, record).await?.0)
    }

    /// The same, and the packs whose place some of them took.
    pub(super) async fn packs_and_replaced(
        &self,
        inner: &Inner,
        record: &SnapshotRecord,
    ) -> Result<(BTreeSet<PackName>, BTreeSet<PackName>), Error> {
        let named = self.named_by(inner, record).await?;
        let (mut needed, replaced) = inner.carried(record, named).await?;
        // Its own list is read from where it was put.
        needed.extend(&record.pack_list_packs);
        Ok((needed, replaced))
    }

    /// The packs that a snapshot named when it was committed: some of them may have been repacked since.
    async fn named_by(
        &self,
        inner: &Inner,
        record: &SnapshotRecord,
    ) -> Result<BTreeSet<PackName>, Error> {
        let mut all: BTreeSet<PackName> = record.pack_list_packs.iter().copied().collect();
        let mut count = 0;
        for address in &record.pack_list {
            let names = self.get(inner, *address, &record.pack_list_packs).await?;
            count += names.len() as u64;
            all.extend(names.iter());
        }
        if count == record.packs {
            Ok(all)
        } else {
            Err(Error::Json {
                what: "a list of packs".to_owned(),
                reason: "it does not name as many as the snapshot says".to_owned(),
            })
        }
    }

    async fn get(
        &self,
        inner: &Inner,
        address: Address,
        holders: &[PackName],
    ) -> Result<Arc<Vec<PackName>>, Error> {
        if let Some(names) = lock(&self.lists).get(&address) {
            return Ok(Arc::clone(names));
        }
        let names = Arc::new(inner.list_object(address, holders).await?);
        lock(&self.lists).insert(address, Arc::clone(&names));
        Ok(names)
    }

    /// When the entries of the log were stored, where the store says it: up to this entry and beyond.
    pub(super) async fn entry_times(
        &self,
        inner: &Inner,
        last: u64,
    ) -> Result<Arc<BTreeMap<u64, Timestamp>>, Error> {
        let known = Arc::clone(&lock(&self.times));
        if known.contains_key(&last) {
            return Ok(known);
        }
        let mut times = BTreeMap::new();
        let mut files = inner.storage.list("log/");
        while let Some(file) = files.try_next().await? {
            let number = file.name.as_str().strip_prefix("log/");
            let number = number.and_then(|number| number.parse().ok());
            times.extend(number.zip(file.modified));
        }
        let times = Arc::new(times);
        *lock(&self.times) = Arc::clone(&times);
        Ok(times)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// One object of a list. Where it is in no pack that is known here, the packs that the entry names are looked up:
    /// the entry may be newer than what this machine last saw of the index.
    pub(crate) async fn list_object(
        &self,
        address: Address,
        holders: &[PackName],
    ) -> Result<Vec<PackName>, Error> {
        if self.catalogue.locate(address).await?.is_empty() {
            for name in holders {
                let index = self.read_index(name).await?;
                self.catalogue.add_pack(index).await?;
            }
        }
        let bytes = self.objects.get(address).await?;
        packs::parse_list(&bytes).map_err(|error| error.of_object(address))
    }

    /// The packs that hold the lists of `sweep` entries: whoever reads the log needs them, for ever.
    pub(crate) async fn sweep_lists(&self) -> Result<BTreeSet<PackName>, Error> {
        self.catalogue.sweep_list_packs().await
    }

    /// Stores a sorted list in new packs. Nothing that is there already is used for it, since that might be swept by
    /// the very entry that names the list.
    pub(super) async fn store_list(
        &self,
        names: &[PackName],
        now: Timestamp,
    ) -> Result<StoredList, Error> {
        let fresh = FreshObjects::begin(self, now).await?;
        let mut objects = Vec::new();
        for object in packs::cut_list(names) {
            objects.push(fresh.store(Class::Meta, object.into()).await?);
        }
        let (holders, _) = fresh.finish().await?;
        Ok(StoredList { objects, holders })
    }
}
