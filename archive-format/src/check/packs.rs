//! Every pack is there, has the digest that is its name, and its index belongs to it. No key is needed for that.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::finding::Finding;
use super::{Checking, Depth, is_finding};
use crate::pack::Class;
use crate::removal::Lists;
use crate::storage::{StorageFault, Thaw};
use crate::{Error, FileName, PackName, SnapshotRecord};

/// Bytes of a pack that are read at once.
const PART_BYTES: u64 = 4 << 20;

impl Checking<'_> {
    pub(super) async fn packs(&mut self) -> Result<(), Error> {
        self.foreign_files().await?;
        let needed = self.needed().await?;
        let mut indexes = self.inner.listed("index/").await?;
        let mut listed = self.inner.listed("packs/").await?;
        self.without_swept(&needed, &mut listed, &mut indexes)
            .await?;
        self.stage("packs", Some(listed.len() as u64));
        let has = |list: &[(PackName, u64)], name: &PackName| {
            list.binary_search_by(|(other, _)| other.cmp(name)).is_ok()
        };
        for name in needed.iter().filter(|name| !has(&listed, name)) {
            self.pack_lost(name, "it is missing", true).await?;
        }
        let mut read = self.read_whole(&listed).await?;
        self.without_archived(&listed, &mut read).await?;
        for (name, size) in &listed {
            let is_needed = needed.contains(name);
            if !is_needed {
                self.warn(FileName::pack(name), "no snapshot needs this pack");
            }
            if read.contains(name) {
                self.pack(name, *size, is_needed).await?;
            }
            if !has(&indexes, name) {
                self.index_lost(name, is_needed).await?;
            }
        }
        for (name, _) in &indexes {
            match listed.binary_search_by(|(other, _)| other.cmp(name)) {
                Ok(place) => {
                    let is_needed = needed.contains(name);
                    self.index(name, listed[place].1, is_needed).await?;
                }
                Err(_) if needed.contains(name) => {}
                Err(_) => self.warn(FileName::index(name), "its pack is not there"),
            }
        }
        Ok(())
    }

    /// Packs in an archive tier cannot be read before they are brought back: that is no damage, and it is said. Their tiers
    /// are asked for by listing, since each read in vain would be paid.
    async fn without_archived(
        &mut self,
        listed: &[(PackName, u64)],
        read: &mut BTreeSet<PackName>,
    ) -> Result<(), Error> {
        let storage = self.inner.storage.as_ref();
        if self.depth == Depth::Structure || storage.cold().is_none() {
            return Ok(());
        }
        let names = listed.iter().map(|(name, _)| FileName::pack(name));
        let names = names.collect();
        let thaw = Thaw::look(storage, &names, Timestamp::UNIX_EPOCH).await?;
        storage.use_copies(thaw.copied);
        for file in thaw.archived.iter().chain(&thaw.returning) {
            let last = file.name.as_str().rsplit('/').next();
            if let Some(name) = last.and_then(|name| name.parse().ok()) {
                self.report.archived += u64::from(read.remove(&name));
                self.archived.insert(name);
            }
        }
        if self.report.archived > 0 {
            let reason = format!(
                "{} of them are in an archive tier, and were not read",
                self.report.archived
            );
            self.warn("packs", &reason);
        }
        Ok(())
    }

    /// What was swept means nothing any more, unless a snapshot needs it: then somebody swept what he must not.
    async fn without_swept(
        &mut self,
        needed: &BTreeSet<PackName>,
        packs: &mut Vec<(PackName, u64)>,
        indexes: &mut Vec<(PackName, u64)>,
    ) -> Result<(), Error> {
        let listed = packs.iter().chain(&*indexes).map(|(name, _)| *name);
        let mut swept = self.inner.catalogue.swept_of(listed.collect()).await?;
        swept.dedup();
        for name in &swept {
            let reason = match needed.contains(name) {
                true => {
                    "a sweep names it although a snapshot needs it: its signer must not be trusted"
                }
                false => "it was swept and is not deleted yet; the next prune deletes it",
            };
            self.warn(FileName::pack(name), reason);
        }
        let stays = |(name, _): &(PackName, u64)| {
            needed.contains(name) || swept.binary_search(name).is_err()
        };
        packs.retain(stays);
        indexes.retain(stays);
        Ok(())
    }

    /// The packs of which every byte is read.
    async fn read_whole(&self, listed: &[(PackName, u64)]) -> Result<BTreeSet<PackName>, Error> {
        let names: Vec<PackName> = listed.iter().map(|(name, _)| *name).collect();
        Ok(match self.depth {
            Depth::Structure => BTreeSet::new(),
            Depth::Digests | Depth::ReadData => names.into_iter().collect(),
            Depth::ReadSubset(subset) => match self.inner.catalogue.log_end().await? {
                Some((_, head)) => subset.of(&head, &names),
                None => BTreeSet::new(),
            },
        })
    }

    /// The packs that live snapshots need, and those with the lists of sweep entries.
    async fn needed(&mut self) -> Result<BTreeSet<PackName>, Error> {
        let mut needed = self.inner.sweep_lists().await?;
        for record in self.inner.catalogue.snapshots().await? {
            match packs_of(self.inner, &record).await {
                Ok(packs) => needed.extend(packs),
                Err(error) if is_finding(&error) => {
                    let name = format!("the list of packs of snapshot {}", record.id);
                    self.findings
                        .push(Finding::of_snapshot(name, error, record.id));
                    needed.extend(&record.pack_list_packs);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(needed)
    }

    async fn pack_lost(
        &mut self,
        name: &PackName,
        reason: &str,
        is_needed: bool,
    ) -> Result<(), Error> {
        let finding = Finding::of_pack(FileName::pack(name), reason, *name);
        self.found_in_pack(name, finding, is_needed).await
    }

    /// Keeps a finding about a pack. What a repair entered into the log and no snapshot needs harms nobody any more.
    pub(super) async fn found_in_pack(
        &mut self,
        name: &PackName,
        finding: Finding,
        is_needed: bool,
    ) -> Result<(), Error> {
        let known = self.inner.catalogue.repaired(*name).await?.damaged;
        if known && !is_needed {
            let reason = format!(
                "{}; a repair knows it, and no snapshot needs it",
                finding.reason
            );
            self.warn(&finding.name, &reason);
        } else {
            self.findings.push(Finding { known, ..finding });
        }
        Ok(())
    }

    /// Hashes a whole pack; on demand, and where it is damaged, opens every object in it.
    async fn pack(&mut self, name: &PackName, size: u64, is_needed: bool) -> Result<(), Error> {
        let digest = match self.digest(name, size).await {
            Ok(digest) => digest,
            // Swept by another machine meanwhile, or gone: needed ones are missed below.
            Err(Error::Storage(error)) if error.fault == StorageFault::NotFound => {
                return self.pack_lost(name, "it is missing", is_needed).await;
            }
            Err(error) => return Err(error),
        };
        self.report.packs += 1;
        let mut finding = (digest != *name).then(|| {
            let reason = "its bytes do not have the digest that is its name";
            Finding::of_pack(FileName::pack(name), reason, *name)
        });
        let can_open = self.inner.objects.keys(Class::Files).is_ok();
        if self.depth.reads_data() || (finding.is_some() && can_open) {
            finding = self.read_objects(name, size, finding).await?;
        }
        match finding {
            Some(finding) => self.found_in_pack(name, finding, is_needed).await,
            None => {
                self.whole.insert(*name);
                Ok(())
            }
        }
    }

    async fn digest(&mut self, name: &PackName, size: u64) -> Result<PackName, Error> {
        let digest = self.hash(name, size).await?;
        self.done(size);
        Ok(digest)
    }

    /// The SHA-256 of a pack as it is stored.
    pub(super) async fn hash(&self, name: &PackName, size: u64) -> Result<PackName, Error> {
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
        Ok(PackName::from_bytes(hash.finalize().into()))
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
                // Copies of archived packs, which a restore reads in their place.
                Some("thawed") => digest.is_some(),
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
    Lists::default().packs_of(inner, record).await
}
