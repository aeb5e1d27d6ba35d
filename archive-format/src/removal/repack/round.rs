//! One round of a repacking: what is needed of some packs is read, checked and written, and one entry says so.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::survey::Survey;
use super::{Repacked, SparsePack};
use crate::catalogue::objects::Location;
use crate::check::is_finding;
use crate::log::{Body, Repack, Replaced};
use crate::pack::Class;
use crate::repository::{Author, Inner};
use crate::write::FreshObjects;
use crate::{Address, Error, FileName, PackName, SnapshotId};

/// Objects of a pack that are looked up together.
const LOOKUPS: usize = 512;

/// Objects that are read at once: up to 16 MiB each.
const READS_AT_ONCE: usize = 3;

/// A round ends once so many objects were written: their addresses are held until its entry is put.
const ROUND_OBJECTS: usize = 200_000;

/// A round under way.
#[derive(Debug)]
pub(super) struct Round<'a> {
    inner: &'a Inner,
    survey: &'a Survey,
    now: Timestamp,
    /// The packs of the whole repacking: an object is not left to one of them, since that may be replaced next.
    sparse: BTreeSet<PackName>,
    fresh: FreshObjects,
    taken: Vec<Taken>,
    objects: usize,
}

/// A pack all of whose needed objects were found elsewhere or written anew.
#[derive(Debug)]
struct Taken {
    pack: PackName,
    bytes: u64,
    /// Packs that were there before and hold some of them.
    by: BTreeSet<PackName>,
    /// Objects that were written anew.
    written: Vec<Address>,
}

impl<'a> Round<'a> {
    pub(super) async fn begin(
        inner: &'a Inner,
        survey: &'a Survey,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Ok(Self {
            inner,
            survey,
            now,
            sparse: (survey.sparse.packs.iter())
                .map(|sparse| sparse.pack)
                .collect(),
            fresh: FreshObjects::begin(inner, now).await?,
            taken: Vec::new(),
            objects: 0,
        })
    }

    /// Whether it holds as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.objects >= ROUND_OBJECTS
    }

    /// Takes over what is needed of a pack. Where something needed in it is damaged the pack stays: then the answer is what.
    pub(super) async fn take(&mut self, sparse: &SparsePack) -> Result<Option<String>, Error> {
        let failure = match self.take_over(sparse).await {
            Ok(taken) => {
                self.objects += taken.written.len();
                self.taken.push(taken);
                return Ok(None);
            }
            Err(error @ Error::NoKey(_)) => return Err(error),
            Err(error) if is_finding(&error) => error,
            Err(error) => return Err(error),
        };
        // What was forgotten and swept meanwhile is no damage.
        self.inner.read_log(false, &mut Vec::new()).await?;
        let swept = self.inner.catalogue.swept_of(vec![sparse.pack]).await?;
        Ok(swept.is_empty().then(|| failure.to_string()))
    }

    async fn take_over(&self, sparse: &SparsePack) -> Result<Taken, Error> {
        let index = self.inner.read_index(&sparse.pack).await?;
        let own = self
            .inner
            .objects
            .own_table(sparse.pack, index.stored_bytes);
        let mut table = own.await?.table;
        // An index is a hint, and what one leaves out would go with the pack.
        if table != index.table {
            return Err(Error::Damaged {
                name: FileName::index(&sparse.pack),
                reason: "the pack itself says otherwise".to_owned(),
            });
        }
        // In the order in which they lie there, so that no frame is read twice.
        (table.objects).sort_unstable_by_key(|row| (row.frame, row.offset));
        let mut taken = Taken {
            pack: sparse.pack,
            bytes: sparse.bytes,
            by: BTreeSet::new(),
            written: Vec::new(),
        };
        for rows in table.objects.chunks(LOOKUPS) {
            let addresses = rows.iter().map(|row| row.address).collect();
            let needed = self.survey.marks.of(addresses).await?;
            self.take_objects(table.class, needed, &mut taken).await?;
        }
        Ok(taken)
    }

    async fn take_objects(
        &self,
        class: Class,
        needed: Vec<Address>,
        taken: &mut Taken,
    ) -> Result<(), Error> {
        let catalogue = &self.inner.catalogue;
        let copies = catalogue.copies_of(needed.clone()).await?;
        let located = catalogue.locate_all(needed.clone()).await?;
        let wanted = needed.into_iter().zip(copies).zip(located);
        let own = taken.pack;
        let mut read = stream::iter(wanted)
            .map(|((address, copies), located)| async move {
                let found = self.read(own, address, &copies, located).await?;
                Ok::<_, Error>((address, found))
            })
            .buffered(READS_AT_ONCE)
            .boxed();
        while let Some((address, found)) = read.try_next().await? {
            match found {
                Found::Elsewhere(pack) => drop(taken.by.insert(pack)),
                Found::Here(bytes) => {
                    let stored = self.fresh.store(class, bytes).await?;
                    if stored != address {
                        return Err(Error::ObjectMissing { address });
                    }
                    taken.written.push(address);
                }
            }
        }
        Ok(())
    }

    /// Reads an object: from another pack that stays, where one has a sound copy, else from this one. The digest of what is
    /// read is its address.
    async fn read(
        &self,
        own: PackName,
        address: Address,
        copies: &[PackName],
        located: Vec<Location>,
    ) -> Result<Found, Error> {
        let mut here = None;
        for place in located {
            let pack = place.pack;
            if pack == own {
                here = Some(place);
            } else if copies.contains(&pack)
                && !self.sparse.contains(&pack)
                // What a table says of a pack is believed only when it was seen.
                && self.inner.objects.read(place).await.is_ok()
            {
                return Ok(Found::Elsewhere(pack));
            }
        }
        let here = here.ok_or(Error::ObjectMissing { address })?;
        self.inner.objects.read(here).await.map(Found::Here)
    }

    /// Brings the new packs in, and then puts the entry.
    pub(super) async fn finish(self, done: &mut Repacked) -> Result<(), Error> {
        let Self {
            inner,
            survey,
            now,
            fresh,
            taken,
            ..
        } = self;
        let (packs, bytes) = fresh.finish().await?;
        done.written += packs.len() as u64;
        done.written_bytes += bytes;
        let packs: BTreeSet<PackName> = packs.into_iter().collect();
        let mut replaced = Vec::new();
        for one in taken {
            let bytes = one.bytes;
            if let Some(one) = settle(inner, one, &packs).await? {
                replaced.push((one, bytes));
            }
        }
        let said = Mutex::new(Repack::default());
        let said = &said;
        let replaced = &replaced;
        let compute = || {
            async move {
                let repack = said_of(inner, survey, replaced).await?;
                *said.lock().unwrap_or_else(PoisonError::into_inner) = repack.clone();
                let something = !repack.packs.is_empty() && !repack.entries.is_empty();
                Ok(something.then(|| Body::Repack(Box::new(repack))))
            }
            .boxed()
        };
        let run = SnapshotId::new(now)?;
        let Some(entry) = inner.append_as(Author::Owners, run, now, compute).await? else {
            return Ok(());
        };
        done.entries.push(entry);
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_said = |pack: &PackName| said.packs.iter().any(|said| said.pack == *pack);
        for (_, bytes) in replaced.iter().filter(|(one, _)| is_said(&one.pack)) {
            done.replaced += 1;
            done.replaced_bytes += bytes;
        }
        Ok(())
    }
}

/// What was found of an object.
enum Found {
    /// It lies in this pack, which stays.
    Elsewhere(PackName),
    /// It lies in no other.
    Here(Bytes),
}

/// Which packs took the place of one, once the new ones are stored. None where one of them is gone already.
async fn settle(
    inner: &Inner,
    taken: Taken,
    fresh: &BTreeSet<PackName>,
) -> Result<Option<Replaced>, Error> {
    let mut by = taken.by;
    for addresses in taken.written.chunks(LOOKUPS) {
        for copies in inner.catalogue.copies_of(addresses.to_vec()).await? {
            match copies.into_iter().find(|pack| fresh.contains(pack)) {
                Some(pack) => by.insert(pack),
                None => return Ok(None),
            };
        }
    }
    Ok(Some(Replaced {
        pack: taken.pack,
        by: by.into_iter().collect(),
    }))
}

/// What the entry says of the log as it is: without packs that were swept or replaced meanwhile, or whose place would be taken
/// by such; for those snapshots alone that were looked at, live, and need one of the packs.
async fn said_of(
    inner: &Inner,
    survey: &Survey,
    replaced: &[(Replaced, u64)],
) -> Result<Repack, Error> {
    let names = replaced.iter().map(|(one, _)| one);
    let names = names.flat_map(|one| one.by.iter().chain([&one.pack]));
    let names: BTreeSet<PackName> = names.copied().collect();
    let usable = inner.catalogue.usable_of(names.into_iter().collect());
    let usable = usable.await?;
    let is_usable = |pack: &PackName| usable.binary_search(pack).is_ok();
    let packs = replaced.iter().map(|(one, _)| one);
    let packs: Vec<Replaced> = packs
        .filter(|one| is_usable(&one.pack) && one.by.iter().all(is_usable))
        .cloned()
        .collect();
    let numbers = inner.catalogue.live_entries().await?;
    let mut entries = Vec::new();
    for record in inner.catalogue.snapshots().await? {
        let number = numbers.get(&record.id);
        let Some(number) = number.filter(|number| survey.entries.contains(number)) else {
            continue;
        };
        let needed = survey.lists.packs_of(inner, &record).await?;
        if packs.iter().any(|one| needed.contains(&one.pack)) {
            entries.push(*number);
        }
    }
    Ok(Repack { packs, entries })
}
