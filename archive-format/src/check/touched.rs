//! Which snapshots and items a damage touches: found in one walk over all manifests, and only where there is damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::TryStreamExt;

use super::finding::Touches;
use super::{Checking, Event, is_finding};
use crate::catalogue::lines;
use crate::check::packs::packs_of;
use crate::read::walk::Walk;
use crate::{
    Address, Catalogue, Error, Line, LineKey, PackName, Repository, SnapshotId, SnapshotRecord,
};

/// What this machine remembers of a repository in its folder of the cache: the snapshots, newest first, and the items of
/// the newest, at most 1,000. For the day when the repository does not open; nothing where there is no catalogue that can be used, which
/// stays as it is.
pub async fn remembered(
    folder: &Path,
) -> Result<(Vec<SnapshotId>, Vec<(SnapshotId, LineKey)>), Error> {
    let Some(catalogue) = Catalogue::remembered(folder).await? else {
        return Ok(Default::default());
    };
    let snapshots = catalogue.snapshots().await?;
    let ids: Vec<SnapshotId> = snapshots.iter().rev().map(|record| record.id).collect();
    let items = match ids.first() {
        Some(newest) => items_of(&catalogue, *newest).await?,
        None => Vec::new(),
    };
    Ok((ids, items))
}

/// The items of a snapshot as the catalogue remembers them.
async fn items_of(
    catalogue: &Catalogue,
    snapshot: SnapshotId,
) -> Result<Vec<(SnapshotId, LineKey)>, Error> {
    let keys = catalogue.item_keys(snapshot).await?.into_iter();
    Ok(keys.map(|key| (snapshot, key)).collect())
}

/// So many items are named for one damage.
pub(super) const ITEMS_MAX: usize = lines::ITEMS_MAX as usize;

/// The damaged packs, by the places of their findings.
type Hurt = BTreeMap<PackName, Vec<usize>>;

impl Checking<'_> {
    /// Finds out what all findings touch, and reports them.
    pub(super) async fn settle(&mut self, repository: &Repository) -> Result<(), Error> {
        let mut hurt = Hurt::new();
        for (place, finding) in self.findings.iter().enumerate() {
            if let Some(pack) = finding.pack() {
                hurt.entry(pack).or_default().push(place);
            }
        }
        if !hurt.is_empty() {
            self.settle_packs(repository, &hurt).await?;
        }
        for place in 0..self.findings.len() {
            if self.findings[place].touches == Touches::Everything {
                self.touch_everything(place).await?;
            }
        }
        for finding in std::mem::take(&mut self.findings) {
            let damage = finding.into_damage();
            (self.events)(Event::Damage(damage.clone()));
            self.report.damages.push(damage);
        }
        Ok(())
    }

    async fn settle_packs(&mut self, repository: &Repository, hurt: &Hurt) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for record in self.inner.catalogue.snapshots().await?.iter().rev() {
            let packs = match packs_of(self.inner, record).await {
                Ok(packs) => packs,
                Err(error) if is_finding(&error) => {
                    record.pack_list_packs.iter().copied().collect()
                }
                Err(error) => return Err(error),
            };
            let needed = hurt.iter().filter(|(pack, _)| packs.contains(*pack));
            for place in needed.flat_map(|(_, places)| places) {
                let snapshots = &mut self.findings[*place].snapshots;
                if !snapshots.contains(&record.id) {
                    snapshots.push(record.id);
                }
            }
            self.walk(repository, record, hurt, &mut seen).await?;
        }
        Ok(())
    }

    /// All snapshots, and their items from the newest on, as far as there is room.
    async fn touch_everything(&mut self, place: usize) -> Result<(), Error> {
        let snapshots = self.inner.catalogue.snapshots().await?;
        for record in snapshots.iter().rev() {
            let items = self.items_of(record.id).await?;
            let finding = &mut self.findings[place];
            finding.snapshots.push(record.id);
            let room = ITEMS_MAX.saturating_sub(finding.items.len());
            let mut named: BTreeSet<String> = (finding.items.iter())
                .map(|(_, key)| key.to_string())
                .collect();
            let items = items
                .into_iter()
                .filter(|(_, key)| named.insert(key.to_string()));
            finding.items.extend(items.take(room));
        }
        Ok(())
    }

    /// The items of a snapshot as the catalogue remembers them.
    pub(super) async fn items_of(
        &self,
        snapshot: SnapshotId,
    ) -> Result<Vec<(SnapshotId, LineKey)>, Error> {
        items_of(&self.inner.catalogue, snapshot).await
    }

    /// Pieces that cannot be read were told before; here their items are named.
    async fn walk(
        &mut self,
        repository: &Repository,
        record: &SnapshotRecord,
        hurt: &Hurt,
        seen: &mut BTreeSet<Address>,
    ) -> Result<(), Error> {
        let objects = &self.inner.objects;
        let mut walk = Walk::new(record.manifest, None);
        let root = self.lost_by(record.manifest, hurt).await?;
        if !root.is_empty() {
            for (_, key) in self.items_of(record.id).await? {
                self.note(&root, record.id, key);
            }
        }
        loop {
            let piece = match walk.next(objects).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(()),
                Err(error) if is_finding(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            if !seen.insert(piece.address) {
                continue;
            }
            let lost = self.lost_by(piece.address, hurt).await?;
            if !lost.is_empty() {
                for key in self.keys_of_piece(piece.address, &piece.first).await? {
                    self.note(&lost, record.id, key);
                }
            }
            let lines = match walk.lines(objects, &piece).await {
                Ok(lines) => lines,
                Err(error) if is_finding(&error) => continue,
                Err(error) => return Err(error),
            };
            for line in lines {
                let places = self.hurts(repository, record, &line, hurt).await?;
                self.note(&places, record.id, line.key());
            }
        }
    }

    fn note(&mut self, places: &BTreeSet<usize>, snapshot: SnapshotId, key: LineKey) {
        let key = LineKey { part: 0, ..key };
        for place in places {
            let items = &mut self.findings[*place].items;
            let known = items
                .iter()
                .rev()
                .take(ITEMS_MAX)
                .any(|(_, known)| *known == key);
            if items.len() < ITEMS_MAX && !known {
                items.push((snapshot, key.clone()));
            }
        }
    }

    /// The findings that take something from a line.
    async fn hurts(
        &self,
        repository: &Repository,
        record: &SnapshotRecord,
        line: &Line,
        hurt: &Hurt,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut places = BTreeSet::new();
        for address in line.addresses() {
            places.extend(self.lost_by(address, hurt).await?);
        }
        let reader = repository.snapshot(record);
        let contents = line.files.iter().filter_map(|file| file.content.as_ref());
        for content in contents.filter(|content| content.chunk_list.is_some()) {
            let mut chunks = reader.list_addresses(content);
            loop {
                match chunks.try_next().await {
                    Ok(Some(address)) => places.extend(self.lost_by(address, hurt).await?),
                    Ok(None) => break,
                    Err(error) if is_finding(&error) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(places)
    }

    /// The findings by which an object is lost; none where a sound copy lies elsewhere.
    async fn lost_by(&self, address: Address, hurt: &Hurt) -> Result<BTreeSet<usize>, Error> {
        let mut lost = BTreeSet::new();
        for location in self.inner.catalogue.locate(address).await? {
            let places = hurt.get(&location.pack).into_iter().flatten();
            let before = lost.len();
            lost.extend(
                places.filter(|place| self.findings[**place].takes(&location.pack, &address)),
            );
            if lost.len() == before {
                return Ok(BTreeSet::new());
            }
        }
        Ok(lost)
    }
}
