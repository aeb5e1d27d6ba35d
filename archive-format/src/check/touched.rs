//! Which snapshots and items a damage touches: found in one walk over all manifests, and only where there is damage.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::{Checking, Damage, Event, is_finding};
use crate::check::packs::packs_of;
use crate::read::walk::Walk;
use crate::{Address, Error, Line, LineKey, PackName, Repository, SnapshotId, SnapshotRecord};

/// So many items are named for one damage.
const ITEMS_MAX: usize = 1000;

/// The damaged packs, by the place of their finding.
type Hurt = BTreeMap<PackName, usize>;

impl Checking<'_> {
    /// Finds out what all findings touch, and reports them.
    pub(super) async fn settle(&mut self, repository: &Repository) -> Result<(), Error> {
        let hurt: Hurt = self
            .findings
            .iter()
            .enumerate()
            .filter_map(|(place, finding)| finding.pack.map(|pack| (pack, place)))
            .collect();
        if !hurt.is_empty() {
            let mut seen = BTreeSet::new();
            for record in self.inner.catalogue.snapshots().await?.iter().rev() {
                let packs = match packs_of(self.inner, record).await {
                    Ok(packs) => packs,
                    Err(error) if is_finding(&error) => {
                        record.pack_list_packs.iter().copied().collect()
                    }
                    Err(error) => return Err(error),
                };
                for (pack, place) in &hurt {
                    if packs.contains(pack) {
                        self.findings[*place].snapshots.push(record.id);
                    }
                }
                self.walk(repository, record, &hurt, &mut seen).await?;
            }
        }
        for finding in std::mem::take(&mut self.findings) {
            let damage = Damage {
                name: finding.name,
                reason: finding.reason,
                snapshots: finding.snapshots,
                items: finding.items,
            };
            (self.events)(Event::Damage(damage.clone()));
            self.report.damages.push(damage);
        }
        Ok(())
    }

    /// Pieces that cannot be read were told before; here they are passed over.
    async fn walk(
        &mut self,
        repository: &Repository,
        record: &SnapshotRecord,
        hurt: &Hurt,
        seen: &mut BTreeSet<Address>,
    ) -> Result<(), Error> {
        let objects = &self.inner.objects;
        let mut walk = Walk::new(record.manifest, None);
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
            let lines = match walk.lines(objects, &piece).await {
                Ok(lines) => lines,
                Err(error) if is_finding(&error) => continue,
                Err(error) => return Err(error),
            };
            for line in lines {
                for place in self.hurts(repository, record, &line, hurt).await? {
                    self.note(place, record.id, &line);
                }
            }
        }
    }

    fn note(&mut self, place: usize, snapshot: SnapshotId, line: &Line) {
        let items = &mut self.findings[place].items;
        let key = LineKey {
            part: 0,
            ..line.key()
        };
        if items.len() < ITEMS_MAX && items.last().is_none_or(|(_, last)| *last != key) {
            items.push((snapshot, key));
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
            let mut chunks = reader.chunks(content);
            loop {
                match chunks.try_next().await {
                    Ok(Some(chunk)) => places.extend(self.lost_by(chunk.address, hurt).await?),
                    Ok(None) => break,
                    Err(error) if is_finding(&error) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(places)
    }

    /// The finding by which an object is lost, unless a sound copy lies elsewhere.
    async fn lost_by(&self, address: Address, hurt: &Hurt) -> Result<Option<usize>, Error> {
        let mut lost = None;
        for location in self.inner.catalogue.locate(address).await? {
            let place = hurt.get(&location.pack).copied();
            let bad = place.filter(|place| {
                let objects = &self.findings[*place].objects;
                objects
                    .as_ref()
                    .is_none_or(|objects| objects.contains(&address))
            });
            match bad {
                Some(place) => lost = Some(place),
                None => return Ok(None),
            }
        }
        Ok(lost)
    }
}
