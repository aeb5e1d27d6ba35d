//! Every live snapshot's manifest reads from its root to its last line, everything it names is in a pack, and the
//! snapshot's list of packs names that pack.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::cover::{Lies, lies};
use super::finding::Finding;
use super::packs::packs_of;
use super::touched::ITEMS_MAX;
use super::{Checking, is_finding};
use crate::read::walk::Walk;
use crate::{Address, Error, Line, LineKey, PackName, Repository, SnapshotRecord};

/// One snapshot under the eye.
struct Looked<'a> {
    record: &'a SnapshotRecord,
    /// The packs that it names; none where its list does not read, which was told before.
    packs: Option<BTreeSet<PackName>>,
}

impl Checking<'_> {
    pub(super) async fn manifests(&mut self, repository: &Repository) -> Result<(), Error> {
        let snapshots = self.inner.catalogue.snapshots().await?;
        self.stage("manifests", Some(snapshots.len() as u64));
        // The newest first, so that damage is told of the newest snapshot that has it.
        for record in snapshots.iter().rev() {
            let packs = match packs_of(self.inner, record).await {
                Ok(packs) => Some(packs),
                Err(error) if is_finding(&error) => None,
                Err(error) => return Err(error),
            };
            let looked = Looked { record, packs };
            match self.manifest(repository, &looked).await {
                Ok(()) => {}
                Err(error) if is_finding(&error) => {
                    let name = format!("the manifest of snapshot {}", record.id);
                    self.findings
                        .push(Finding::of_snapshot(name, error, record.id));
                }
                Err(error) => return Err(error),
            }
            self.done(0);
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        repository: &Repository,
        looked: &Looked<'_>,
    ) -> Result<(), Error> {
        let objects = &self.inner.objects;
        let record = looked.record;
        let mut walk = Walk::new(record.manifest, None);
        let mut lines = 0;
        self.names(looked, record.manifest, None).await?;
        while let Some(piece) = walk.next(objects).await? {
            lines += piece.count;
            let mut needed: BTreeSet<PackName> = self
                .names(looked, piece.address, Some(&piece.first))
                .await?
                .into_iter()
                .collect();
            let is_new = !self.covers.knows(&piece.address);
            let covered = match &looked.packs {
                Some(packs) => self.covers.is_covered(&piece.address, packs),
                None => true,
            };
            if !is_new && covered {
                continue;
            }
            match walk.lines(objects, &piece).await {
                Ok(read) => {
                    for line in read {
                        self.report.lines += u64::from(is_new);
                        needed.extend(self.line(repository, looked, &line).await?);
                    }
                    self.covers.learn(piece.address, needed);
                }
                Err(error) if is_finding(&error) => {
                    let name = format!("piece {} of a manifest", piece.address);
                    let mut finding = Finding::of_snapshot(name, error, record.id);
                    let keys = self.keys_of_piece(piece.address, &piece.first).await?;
                    finding.items = keys.into_iter().map(|key| (record.id, key)).collect();
                    self.findings.push(finding);
                    self.covers.learn(piece.address, BTreeSet::new());
                }
                Err(error) => return Err(error),
            }
        }
        record.expect_lines(lines)
    }

    /// The items of a piece as the catalogue remembers them, else the first of them.
    pub(super) async fn keys_of_piece(
        &self,
        piece: Address,
        first: &LineKey,
    ) -> Result<Vec<LineKey>, Error> {
        let mut keys = self.inner.catalogue.piece_keys(piece).await?;
        if keys.is_empty() {
            keys.push(first.clone());
        }
        Ok(keys)
    }

    /// Everything that a line names lies in a pack that the snapshot names; gives these packs.
    async fn line(
        &mut self,
        repository: &Repository,
        looked: &Looked<'_>,
        line: &Line,
    ) -> Result<BTreeSet<PackName>, Error> {
        let mut needed = BTreeSet::new();
        let key = LineKey {
            part: 0,
            ..line.key()
        };
        for address in line.addresses() {
            needed.extend(self.names(looked, address, Some(&key)).await?);
        }
        let reader = repository.snapshot(looked.record);
        let lists = line.files.iter().filter_map(|file| file.content.as_ref());
        for content in lists.filter(|content| content.chunk_list.is_some()) {
            let mut chunks = reader.list_addresses(content);
            loop {
                match chunks.try_next().await {
                    Ok(Some(address)) => {
                        needed.extend(self.names(looked, address, Some(&key)).await?);
                    }
                    Ok(None) => break,
                    Err(error) if is_finding(&error) => {
                        let name = format!("a chunk list of {key}");
                        let mut finding = Finding::of_snapshot(name, error, looked.record.id);
                        finding.items.push((looked.record.id, key.clone()));
                        self.findings.push(finding);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(needed)
    }

    /// The pack in which a snapshot has an object; where there is none, that is a finding.
    async fn names(
        &mut self,
        looked: &Looked<'_>,
        address: Address,
        item: Option<&LineKey>,
    ) -> Result<Option<PackName>, Error> {
        let Some(packs) = &looked.packs else {
            return Ok(None);
        };
        let (name, reason) = match lies(&self.inner.catalogue, address, packs).await? {
            Lies::Covered(pack) => return Ok(Some(pack)),
            Lies::Elsewhere => (
                format!("the list of packs of snapshot {}", looked.record.id),
                "it leaves out a pack that the snapshot needs",
            ),
            Lies::Nowhere => {
                // It lies in one of the packs whose table nobody could read, where there are such.
                let mut told = false;
                for place in 0..self.findings.len() {
                    let pack = self.findings[place].pack();
                    let Some(pack) = pack.filter(|pack| packs.contains(pack)) else {
                        continue;
                    };
                    if !self.inner.catalogue.has_pack(pack).await? {
                        told = true;
                        self.touches(place, looked, item);
                    }
                }
                if told {
                    return Ok(None);
                }
                (
                    format!("object {address}"),
                    "it is in no pack that is there",
                )
            }
        };
        let place = self.findings.iter().position(|known| known.name == name);
        let place = place.unwrap_or_else(|| {
            self.findings.push(Finding::new(&name, reason));
            self.findings.len() - 1
        });
        self.touches(place, looked, item);
        Ok(None)
    }

    fn touches(&mut self, place: usize, looked: &Looked<'_>, item: Option<&LineKey>) {
        let finding = &mut self.findings[place];
        let id = looked.record.id;
        if !finding.snapshots.contains(&id) {
            finding.snapshots.push(id);
        }
        if let Some(item) = item
            && finding.items.len() < ITEMS_MAX
            && finding.items.iter().all(|(_, known)| known != item)
        {
            finding.items.push((id, item.clone()));
        }
    }
}
