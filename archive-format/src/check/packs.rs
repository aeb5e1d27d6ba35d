//! Every pack is there, has the digest that is its name, and its index belongs to it. No key is needed for that.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};

use super::{Checking, Depth, Finding, is_finding};
use crate::pack::scan;
use crate::read::packs;
use crate::storage::StorageFault;
use crate::{Error, FileName, PackName, SnapshotRecord};

/// Bytes of a pack that are read at once.
const PART_BYTES: u64 = 4 << 20;

impl Checking<'_> {
    pub(super) async fn packs(&mut self) -> Result<(), Error> {
        self.foreign_files().await?;
        let needed = self.needed().await?;
        let indexes = self.inner.listed("index/").await?;
        let listed = self.inner.listed("packs/").await?;
        self.stage("packs", Some(listed.len() as u64));
        let has = |list: &[(PackName, u64)], name: &PackName| {
            list.binary_search_by(|(other, _)| other.cmp(name)).is_ok()
        };
        for name in needed.iter().filter(|name| !has(&listed, name)) {
            self.pack_lost(name, "it is missing");
        }
        for (name, size) in &listed {
            let is_needed = needed.contains(name);
            if !is_needed {
                self.warn(FileName::pack(name), "no snapshot needs this pack");
            }
            if !has(&indexes, name) {
                if is_needed {
                    self.findings
                        .push(Finding::new(FileName::index(name), "it is missing"));
                } else {
                    self.warn(FileName::pack(name), "it has no index");
                }
            }
            self.pack(name, *size).await?;
        }
        for (name, _) in &indexes {
            if !has(&listed, name) {
                if !needed.contains(name) {
                    self.warn(FileName::index(name), "its pack is not there");
                }
                continue;
            }
            self.index(name).await?;
        }
        Ok(())
    }

    /// The packs that live snapshots need.
    async fn needed(&mut self) -> Result<BTreeSet<PackName>, Error> {
        let mut needed = BTreeSet::new();
        for record in self.inner.catalogue.snapshots().await? {
            match packs_of(self.inner, &record).await {
                Ok(packs) => needed.extend(packs),
                Err(error) if is_finding(&error) => {
                    let name = format!("the list of packs of snapshot {}", record.id);
                    let mut finding = Finding::new(name, error);
                    finding.snapshots.push(record.id);
                    self.findings.push(finding);
                    needed.extend(&record.pack_list_packs);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(needed)
    }

    fn pack_lost(&mut self, name: &PackName, reason: &str) {
        let mut finding = Finding::new(FileName::pack(name), reason);
        finding.pack = Some(*name);
        self.findings.push(finding);
    }

    /// Hashes a whole pack; on demand opens every object in it.
    async fn pack(&mut self, name: &PackName, size: u64) -> Result<(), Error> {
        let digest = match self.digest(name, size).await {
            Ok(digest) => digest,
            // Swept by another machine meanwhile, or gone: needed ones are missed below.
            Err(Error::Storage(error)) if error.fault == StorageFault::NotFound => {
                self.pack_lost(name, "it is missing");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.packs += 1;
        let mut finding = (digest != *name).then(|| {
            let mut finding = Finding::new(
                FileName::pack(name),
                "its bytes do not have the digest that is its name",
            );
            finding.pack = Some(*name);
            finding
        });
        if self.depth == Depth::ReadData {
            finding = self.read_objects(name, finding).await?;
        }
        self.findings.extend(finding);
        Ok(())
    }

    async fn digest(&mut self, name: &PackName, size: u64) -> Result<PackName, Error> {
        let file = FileName::pack(name);
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < size {
            let end = size.min(at + PART_BYTES);
            let part = self.inner.storage.read_range(&file, at..end).await?;
            at = end;
            let hashing = tokio::task::spawn_blocking(move || {
                hash.update(&part);
                hash
            });
            hash = hashing
                .await
                .map_err(|_| Error::Worker { what: "hashing" })?;
        }
        self.done(size);
        Ok(PackName::from_bytes(hash.finalize().into()))
    }

    /// An index opens, and is the table of its pack, where the keys at hand open that.
    async fn index(&mut self, name: &PackName) -> Result<(), Error> {
        let file = FileName::index(name);
        let hurt = [file.to_string(), FileName::pack(name).to_string()];
        if self
            .findings
            .iter()
            .any(|finding| hurt.contains(&finding.name))
        {
            return Ok(());
        }
        match self.compare_index(name).await {
            Ok(()) => Ok(()),
            Err(error) if is_finding(&error) => {
                self.findings.push(Finding::new(file, error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn compare_index(&self, name: &PackName) -> Result<(), Error> {
        let index = self.inner.read_index(name).await?;
        let damaged = |reason: &str| Error::Damaged {
            name: FileName::index(name),
            reason: reason.to_owned(),
        };
        if self.inner.storage.size(&FileName::pack(name)).await? != Some(index.stored_bytes) {
            return Err(damaged("its pack has another size"));
        }
        if self.inner.objects.keys(index.table.class).is_err() {
            return Ok(());
        }
        let frames = index
            .table
            .frames
            .iter()
            .map(|frame| u64::from(frame.stored_bytes))
            .sum();
        let tail = self.inner.objects.tail(&index, frames).await;
        let tail = tail.map_err(|error| match error {
            Error::Damaged { reason, .. } => damaged(&reason),
            error => error,
        })?;
        scan::check_tail(&tail, &index).map_err(|error| damaged(&error.to_string()))
    }

    /// Files that no version of the format has.
    async fn foreign_files(&mut self) -> Result<(), Error> {
        let mut files = self.inner.storage.list("");
        let mut foreign = Vec::new();
        while let Some(file) = files.try_next().await? {
            let name = file.name.as_str();
            let digest = name
                .rsplit('/')
                .next()
                .and_then(|last| last.parse::<PackName>().ok());
            let ours = match name.split('/').next() {
                Some("packs") => digest.is_some_and(|pack| FileName::pack(&pack) == file.name),
                Some("index") => digest.is_some_and(|pack| FileName::index(&pack) == file.name),
                Some("log" | "keys" | "checkpoints" | "probe") => name.split('/').count() == 2,
                _ => file.name == FileName::record(),
            };
            if !ours {
                foreign.push(file.name);
            }
        }
        for name in foreign {
            self.warn(name, "it is no file of a repository");
        }
        Ok(())
    }
}

/// All packs that a snapshot needs, those of the list itself too.
pub(crate) async fn packs_of(
    inner: &crate::repository::Inner,
    record: &SnapshotRecord,
) -> Result<BTreeSet<PackName>, Error> {
    let mut all: BTreeSet<PackName> = record.pack_list_packs.iter().copied().collect();
    let mut count = 0;
    for address in &record.pack_list {
        let names = packs::parse_list(&inner.objects.get(*address).await?)?;
        count += names.len() as u64;
        all.extend(names);
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
