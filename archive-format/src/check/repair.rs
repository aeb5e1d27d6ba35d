//! What a check can mend by adding alone: index files are written again from their packs, and a `repair` entry says in
//! which packs nothing new may be named, so that the next backup reads again what they held. No file of the repository is
//! changed, moved or deleted.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;

use super::finding::{Damage, Finding};
use super::{CheckReport, Checking, Depth, Event, is_finding};
use crate::keys::envelope;
use crate::log::{Body, Repair};
use crate::pack::Class;
use crate::storage::{Created, StorageFault};
use crate::{Address, Error, FileName, PackName, Repository, SnapshotId};

/// So many lost objects are named in an entry.
const LOST_MAX: usize = 10_000;

/// So many hurt items are named in an entry.
const HURT_MAX: usize = 1_000;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was found before.
    pub found: CheckReport,
    /// Index files that were written again.
    pub indexes: Vec<FileName>,
    /// Index files that are damaged and stay: their packs' own tables count from now on.
    pub tables: Vec<FileName>,
    /// Packs in which nothing new is named from now on.
    pub packs: Vec<FileName>,
    /// Packs that an earlier repair named and that are whole again.
    pub mended: Vec<FileName>,
    /// Objects that no sound pack holds, where the tables tell; the entry names at most 10,000.
    pub lost: u64,
    /// The number of the entry; none where there was nothing new to say.
    pub entry: Option<u64>,
    /// The damage that remains: what these items need is lost until a backup reads it again.
    pub remaining: Vec<Damage>,
}

/// Checks, at least as deep as [`Depth::Digests`], and repairs. Needs an owner's key and this machine's.
pub async fn repair(
    repository: &Repository,
    depth: Depth,
    now: Timestamp,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Repaired, Error> {
    let inner = &repository.inner;
    inner.objects.keys(Class::Files)?;
    if !repository.can_write().await {
        return Err(Error::NoSigner {
            reason: "a repair is entered into the log",
        });
    }
    if let Some(entry) = inner.chain.lock().await.damaged {
        return Err(Error::LogDamaged { entry });
    }
    let depth = if depth == Depth::Structure {
        Depth::Digests
    } else {
        depth
    };
    let mut check = Checking::new(inner, depth, events)?;
    check.look(repository).await?;
    let mut repaired = Repaired::default();
    let mut entry = Repair::default();
    check.mend_indexes(&mut repaired, &mut entry).await?;
    check.judge_packs(&mut entry).await?;
    repaired.lost = check.lost(&mut entry).await?;
    check.settle(repository).await?;
    repaired.found = std::mem::take(&mut check.report);
    let solved: BTreeSet<String> = repaired.indexes.iter().map(ToString::to_string).collect();
    let tabled: BTreeSet<String> = entry
        .tables
        .iter()
        .map(|pack| FileName::index(pack).to_string())
        .collect();
    let remains =
        |damage: &&Damage| !solved.contains(&damage.name) && !tabled.contains(&damage.name);
    repaired.remaining = repaired
        .found
        .damages
        .iter()
        .filter(remains)
        .cloned()
        .collect();
    entry.hurt = hurt(&repaired.remaining);
    repaired.entry = put(repository, &mut entry, now).await?;
    let names =
        |packs: &[PackName], name: fn(&PackName) -> FileName| packs.iter().map(name).collect();
    repaired.tables = names(&entry.tables, FileName::index);
    repaired.packs = names(&entry.packs, FileName::pack);
    repaired.mended = names(&entry.mended, FileName::pack);
    inner.sync_packs(&mut Vec::new()).await?;
    Ok(repaired)
}

/// The hurt items, for people.
fn hurt(damages: &[Damage]) -> Vec<String> {
    let items = damages.iter().flat_map(|damage| &damage.items);
    let mut named = BTreeSet::new();
    for (snapshot, item) in items {
        if named.len() < HURT_MAX {
            named.insert(format!("{snapshot} {item}"));
        }
    }
    named.into_iter().collect()
}

/// Enters what is new into the log; another machine may have said it meanwhile. `entry` keeps what was put.
async fn put(
    repository: &Repository,
    entry: &mut Repair,
    now: Timestamp,
) -> Result<Option<u64>, Error> {
    let inner = &repository.inner;
    let wanted = entry.clone();
    let said = std::sync::Mutex::new(None);
    let compute = || {
        async {
            let mut body = wanted.clone();
            let mut fresh = (Vec::new(), Vec::new(), Vec::new());
            for pack in &wanted.packs {
                if !inner.catalogue.repaired(*pack).await?.damaged {
                    fresh.0.push(*pack);
                }
            }
            for pack in &wanted.tables {
                if !inner.catalogue.repaired(*pack).await?.tabled {
                    fresh.1.push(*pack);
                }
            }
            for pack in &wanted.mended {
                if inner.catalogue.repaired(*pack).await?.damaged {
                    fresh.2.push(*pack);
                }
            }
            (body.packs, body.tables, body.mended) = fresh;
            let nothing = body.packs.is_empty() && body.tables.is_empty() && body.mended.is_empty();
            if let Ok(mut said) = said.lock() {
                *said = Some(body.clone());
            }
            Ok((!nothing).then_some(Body::Repair(body)))
        }
        .boxed()
    };
    let put = inner.append(SnapshotId::new(now)?, now, compute).await?;
    if let Some(body) = said.into_inner().unwrap_or_default() {
        *entry = body;
    }
    match put {
        true => Ok(inner.catalogue.log_end().await?.map(|(number, _)| number)),
        false => Ok(None),
    }
}

impl Checking<'_> {
    /// Writes lost index files again. What is damaged and there cannot be replaced: then the pack's own table counts.
    async fn mend_indexes(&self, repaired: &mut Repaired, entry: &mut Repair) -> Result<(), Error> {
        for pack in self.hurt_packs(FileName::index) {
            let own = match self.own_table_of(pack).await {
                Ok(Some(own)) => own,
                Ok(None) => continue,
                Err(error) if is_finding(&error) => continue,
                Err(error) => return Err(error),
            };
            let mut bytes = own.to_bytes();
            let meta = self.inner.chain.lock().await.meta.clone();
            if let Some(meta) = &meta {
                bytes = envelope::seal(&[meta], &bytes)?;
            }
            let name = FileName::index(&pack);
            match self.inner.storage.create(&name, Bytes::from(bytes)).await {
                Ok(Created::New) => repaired.indexes.push(name),
                Ok(Created::Exists) => entry.tables.push(pack),
                Err(error) if error.fault == StorageFault::Unclear => {
                    match self.inner.read_index(&pack).await {
                        Ok(index) if index == own => repaired.indexes.push(name),
                        _ => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The table at the end of a pack that has the digest that is its name.
    async fn own_table_of(
        &self,
        pack: PackName,
    ) -> Result<Option<crate::pack::index::Index>, Error> {
        let name = FileName::pack(&pack);
        let Some(size) = self.inner.storage.size(&name).await? else {
            return Ok(None);
        };
        if !self.whole.contains(&pack) && self.hash(&pack, size).await? != pack {
            return Ok(None);
        }
        self.inner.objects.own_table(pack, size).await.map(Some)
    }

    /// The packs of findings about files of a sort.
    fn hurt_packs(&self, name: fn(&PackName) -> FileName) -> BTreeSet<PackName> {
        let packs = self.findings.iter().filter_map(|finding| {
            let of = finding.name_of_pack()?;
            (finding.name == name(&of).as_str()).then_some(of)
        });
        packs.collect()
    }

    /// Which packs are damaged, and which are whole again.
    async fn judge_packs(&self, entry: &mut Repair) -> Result<(), Error> {
        entry.packs = self.hurt_packs(FileName::pack).into_iter().collect();
        let mut after = None;
        loop {
            let page = self.inner.catalogue.pack_names(after, 4096).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name);
            let whole = page
                .iter()
                .filter(|row| row.damaged && self.whole.contains(&row.name));
            entry.mended.extend(whole.map(|row| row.name));
        }
        Ok(())
    }

    /// The objects of damaged packs that no sound pack holds.
    async fn lost(&self, entry: &mut Repair) -> Result<u64, Error> {
        let mut lost = BTreeSet::new();
        let mut count = 0;
        let hurt: Vec<&Finding> = (self.findings.iter())
            .filter(|finding| {
                finding
                    .pack()
                    .is_some_and(|pack| entry.packs.contains(&pack))
            })
            .collect();
        for pack in &entry.packs {
            let mut after = None;
            loop {
                let page = self.inner.catalogue.objects_of(*pack, after, 4096).await?;
                let Some(last) = page.last() else { break };
                after = Some(*last);
                for address in page {
                    if lost.contains(&address) || !self.is_lost(address, &hurt).await? {
                        continue;
                    }
                    count += 1;
                    if lost.len() < LOST_MAX {
                        lost.insert(address);
                    }
                }
            }
        }
        entry.lost = lost.into_iter().collect();
        Ok(count)
    }

    async fn is_lost(&self, address: Address, hurt: &[&Finding]) -> Result<bool, Error> {
        let locations = self.inner.catalogue.locate(address).await?;
        Ok(locations.iter().all(|location| {
            hurt.iter()
                .any(|finding| finding.takes(&location.pack, &address))
        }))
    }
}
