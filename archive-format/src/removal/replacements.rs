//! Which packs a snapshot needs once packs were repacked: what its list names, carried through the `repack` entries that
//! hold for it, in the log's order.
//!
//! An entry says by number for which snapshots it holds: those whose every object was looked at before it was put. So no
//! other snapshot can lose anything by it: one that was committed meanwhile or later, one that was forgotten then and
//! lives again since its forgetting counts for nothing, all need the packs that their lists name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::{Body, Repack};
use crate::repository::Inner;
use crate::storage::StorageFault;
use crate::{Error, PackName, SnapshotRecord};

/// What the `repack` entries of the log say.
#[derive(Debug, Default)]
pub(crate) struct Replacements(Vec<Replacement>);

/// What one of them says.
#[derive(Debug)]
struct Replacement {
    /// The snapshots for which it holds, by the numbers of their entries, sorted.
    entries: Vec<u64>,
    packs: BTreeMap<PackName, Vec<PackName>>,
}

impl From<Repack> for Replacement {
    fn from(mut repack: Repack) -> Self {
        repack.entries.sort_unstable();
        let mut packs: BTreeMap<PackName, Vec<PackName>> = BTreeMap::new();
        for replaced in repack.packs {
            packs.entry(replaced.pack).or_default().extend(replaced.by);
        }
        Self {
            entries: repack.entries,
            packs,
        }
    }
}

impl Replacements {
    /// Entries in the log's order.
    fn new(entries: impl Iterator<Item = Repack>) -> Self {
        Self(entries.map(Replacement::from).collect())
    }

    /// What the snapshot of an entry needs that names these packs; and what it needed on the way.
    fn carry(
        &self,
        entry: u64,
        mut packs: BTreeSet<PackName>,
    ) -> (BTreeSet<PackName>, BTreeSet<PackName>) {
        let mut replaced_all = BTreeSet::new();
        let holds = |one: &&Replacement| one.entries.binary_search(&entry).is_ok();
        for one in self.0.iter().filter(holds) {
            let mut by: Vec<PackName> = Vec::new();
            for (pack, replaced_by) in &one.packs {
                if packs.remove(pack) {
                    replaced_all.insert(*pack);
                    by.extend(replaced_by);
                }
            }
            packs.extend(by);
        }
        (packs, replaced_all)
    }
}

/// What an open repository knows of replacements.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The replacements up to the `repack` entry of this number.
    replacements: Mutex<(u64, Arc<Replacements>)>,
    /// Of the `repack` entries up to this number the catalogue has the packs.
    packs_until: tokio::sync::Mutex<u64>,
}

impl Inner {
    /// The packs that a snapshot needs whose own list names these; and those whose place others took on the way.
    pub(crate) async fn carried(
        &self,
        record: &SnapshotRecord,
        named: BTreeSet<PackName>,
    ) -> Result<(BTreeSet<PackName>, BTreeSet<PackName>), Error> {
        match self.catalogue.repacked_since(record.id).await? {
            None => Ok((named, BTreeSet::new())),
            Some((entry, newest)) => Ok(self.replacements(newest).await?.carry(entry, named)),
        }
    }

    /// All that is known here, up to the newest `repack` entry.
    async fn replacements(&self, newest: u64) -> Result<Arc<Replacements>, Error> {
        let known = || {
            let known = self.repacked.replacements.lock();
            known.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let (until, replacements) = known();
        if until == newest {
            return Ok(replacements);
        }
        let entries = self.catalogue.entries_of("repack").await?.into_iter();
        // The owners sign them, who are never revoked.
        let entries = entries.filter_map(|(_, _, entry)| match entry.body {
            Body::Repack(repack) => Some(*repack),
            _ => None,
        });
        let replacements = Arc::new(Replacements::new(entries));
        let mut kept = self
            .repacked
            .replacements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = (newest, Arc::clone(&replacements));
        Ok(replacements)
    }

    /// Takes the packs into the catalogue that `repack` entries name which were read since packs were listed: what is gone
    /// out of the packs that they replace must be found there, and is not to be stored again.
    pub(crate) async fn learn_repacked(&self) -> Result<(), Error> {
        let mut until = self.repacked.packs_until.lock().await;
        for (number, _, entry) in self.catalogue.entries_after("repack", *until).await? {
            let Body::Repack(repack) = entry.body else {
                continue;
            };
            for name in repack.packs.iter().flat_map(|replaced| &replaced.by) {
                if self.catalogue.has_pack(*name).await? {
                    continue;
                }
                match self.read_index(name).await {
                    Ok(index) => self.catalogue.add_pack(index).await?,
                    // Swept since, or damaged: the next listing says so.
                    Err(Error::Storage(error)) if error.fault != StorageFault::NotFound => {
                        return Err(error.into());
                    }
                    Err(error @ (Error::Worker { .. } | Error::Catalogue { .. })) => {
                        return Err(error);
                    }
                    Err(error) => tracing::debug!(pack = %name, %error, "no index was read"),
                }
            }
            *until = number;
        }
        Ok(())
    }

    /// Notes that packs are going to be listed, behind the entries that were read so far.
    pub(crate) async fn will_list_packs(&self) -> Result<(), Error> {
        let end = self.catalogue.log_end().await?;
        let mut until = self.repacked.packs_until.lock().await;
        *until = end.map_or(*until, |(number, _)| number.max(*until));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Replacements;
    use crate::PackName;
    use crate::log::{Repack, Replaced};

    fn pack(number: u8) -> PackName {
        PackName::from_bytes([number; 32])
    }

    fn packs(numbers: &[u8]) -> BTreeSet<PackName> {
        numbers.iter().copied().map(pack).collect()
    }

    fn repack(replaced: &[(u8, &[u8])], entries: &[u64]) -> Repack {
        let replaced = replaced.iter().map(|(from, by)| Replaced {
            pack: pack(*from),
            by: by.iter().copied().map(pack).collect(),
        });
        Repack {
            packs: replaced.collect(),
            entries: entries.to_vec(),
        }
    }

    #[test]
    fn an_entry_holds_for_the_snapshots_that_it_names_and_for_no_other() {
        let all = Replacements::new([repack(&[(1, &[8, 9]), (2, &[])], &[7, 5])].into_iter());
        assert_eq!(all.carry(5, packs(&[1, 2, 3])).0, packs(&[3, 8, 9]));
        assert_eq!(all.carry(7, packs(&[2])).0, packs(&[]));
        assert_eq!(all.carry(7, packs(&[3])).0, packs(&[3]));
        // Committed in between, forgotten then, or later.
        for other in [4, 6, 8] {
            assert_eq!(all.carry(other, packs(&[1, 2, 3])).0, packs(&[1, 2, 3]));
        }
    }

    #[test]
    fn what_took_a_packs_place_may_be_replaced_later_and_never_before() {
        let first = repack(&[(1, &[2])], &[5, 6]);
        let second = repack(&[(2, &[3])], &[5]);
        let all = Replacements::new([first.clone(), second.clone()].into_iter());
        assert_eq!(all.carry(5, packs(&[1])), (packs(&[3]), packs(&[1, 2])));
        assert_eq!(all.carry(6, packs(&[1])).0, packs(&[2]));
        // In the other order the pack came after what replaces it was said.
        let turned = Replacements::new([second, first].into_iter());
        assert_eq!(turned.carry(5, packs(&[1])).0, packs(&[2]));
    }

    #[test]
    fn a_pack_that_comes_back_to_itself_is_needed() {
        let there = repack(&[(1, &[2])], &[5]);
        let back = repack(&[(2, &[1])], &[5]);
        let all = Replacements::new([there, back, repack(&[(3, &[3])], &[5])].into_iter());
        assert_eq!(all.carry(5, packs(&[1, 3])).0, packs(&[1, 3]));
    }
}
