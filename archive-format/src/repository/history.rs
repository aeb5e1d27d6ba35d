//! Brings what this machine knows up to what the repository holds: log entries, packs, and the lines of manifests.

use futures::{StreamExt, TryStreamExt};

use super::{Inner, Notice};
use crate::catalogue::entries::ReadEntry;
use crate::keys::envelope::{self, Unopened};
use crate::log::{Body, chain::Believed};
use crate::magic::INDEX_BYTES_MAX;
use crate::pack::index::Index;
use crate::read::packs;
use crate::storage::StorageFault;
use crate::{Error, FileName, KeyLack, PackName, SnapshotReader};

/// Index files that are read at once.
const INDEXES_AT_ONCE: usize = 8;

impl Inner {
    /// Reads the log to its head. `whole`: from its beginning, so that a missing number is looked for.
    pub(crate) async fn read_log(
        &self,
        whole: bool,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let mut chain = self.chain.lock().await;
        let last = if whole { self.last_entry().await? } else { 0 };
        loop {
            let number = chain.number + 1;
            let damage = match chain
                .next(self.storage.as_ref(), &self.ring, &self.record)
                .await
            {
                Ok(Some(believed)) => {
                    chain.advance(&believed)?;
                    self.remember_entry(believed).await?;
                    continue;
                }
                Ok(None) if number > last => break,
                Ok(None) => Error::Damaged {
                    name: FileName::log(number),
                    reason: "it is missing, and later entries are there".to_owned(),
                },
                Err(error) if error.is_damage() || matches!(error, Error::Json { .. }) => error,
                Err(error) => return Err(error),
            };
            if !self.tolerate_damage {
                return Err(damage);
            }
            notices.push(Notice::Damaged {
                name: FileName::log(number).to_string(),
                reason: damage.to_string(),
            });
            chain.skip();
        }
        if chain.damaged.is_none() && chain.number == 0 {
            return Err(Error::Damaged {
                name: FileName::log(1),
                reason: "it is missing".to_owned(),
            });
        }
        Ok(())
    }

    async fn last_entry(&self) -> Result<u64, Error> {
        let mut files = self.storage.list("log/");
        let mut last = 0;
        while let Some(file) = files.try_next().await? {
            let number = file
                .name
                .as_str()
                .strip_prefix("log/")
                .and_then(|number| number.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }

    /// Keeps a believed entry, with all packs that it sweeps.
    pub(crate) async fn remember_entry(&self, believed: Believed) -> Result<(), Error> {
        let mut swept = Vec::new();
        if let Body::Sweep(sweep) = &believed.body.body {
            swept.clone_from(&sweep.packs);
            for address in &sweep.list {
                swept.extend(packs::parse_list(&self.objects.get(*address).await?)?);
            }
        }
        self.catalogue
            .add_entry(ReadEntry {
                number: believed.number,
                hash: believed.hash,
                signer: believed.signer,
                body: believed.body,
                swept,
            })
            .await
    }

    /// Compares the catalogue's packs with those that are there: an index proves its pack, so a pack counts when both
    /// are listed with the right size. New index files are read; packs that are gone are named no more.
    pub(crate) async fn sync_packs(&self, notices: &mut Vec<Notice>) -> Result<(), Error> {
        let indexes = self.listed("index/").await?;
        let packs = self.listed("packs/").await?;
        let there = |list: &[(PackName, u64)], name: &PackName| {
            list.binary_search_by(|(listed, _)| listed.cmp(name))
                .ok()
                .map(|place| list[place].1)
        };
        let (mut known, mut gone, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = self.catalogue.pack_names(after, 4096).await?;
            let Some((last, _, _)) = page.last() else {
                break;
            };
            after = Some(*last);
            for (name, usable, stored_bytes) in page {
                let sound =
                    there(&indexes, &name).is_some() && there(&packs, &name) == Some(stored_bytes);
                match (sound, usable) {
                    (true, true) => known.push(name),
                    (false, true) => gone.push(name),
                    _ => {}
                }
            }
        }
        for name in &gone {
            notices.push(Notice::Damaged {
                name: FileName::pack(name).to_string(),
                reason: "the pack or its index is gone or has another size".to_owned(),
            });
        }
        self.catalogue.packs_gone(gone).await?;
        let new: Vec<PackName> = indexes
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| known.binary_search(name).is_err())
            .collect();
        let mut read = futures::stream::iter(new)
            .map(|name| async move { (name, self.read_index(&name).await) })
            .buffer_unordered(INDEXES_AT_ONCE);
        while let Some((name, index)) = read.next().await {
            let reason = match index {
                Ok(index) if there(&packs, &name) == Some(index.stored_bytes) => {
                    self.catalogue.add_pack(index).await?;
                    continue;
                }
                Ok(_) => "its pack is gone or has another size".to_owned(),
                // Swept meanwhile by another machine.
                Err(Error::Storage(error)) if error.fault == StorageFault::NotFound => continue,
                Err(error @ (Error::Storage(_) | Error::NoKey(_) | Error::Worker { .. })) => {
                    return Err(error);
                }
                Err(error) => error.to_string(),
            };
            notices.push(Notice::Damaged {
                name: FileName::index(&name).to_string(),
                reason,
            });
        }
        Ok(())
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
        let (encrypted, meta, pack) = (self.ring.encrypted, self.objects.meta.clone(), *pack);
        let read = tokio::task::spawn_blocking(move || {
            let damaged = |reason: String| Error::Damaged {
                name: name.clone(),
                reason,
            };
            let index = if encrypted {
                let plain =
                    envelope::open(&stored, meta.iter()).map_err(|unopened| match unopened {
                        Unopened::NoKeyFits => {
                            damaged("it is not encrypted to the meta key".to_owned())
                        }
                        Unopened::Damaged(reason) => damaged(reason),
                    })?;
                Index::from_bytes(&plain)
            } else {
                Index::from_bytes(&stored)
            };
            let index = index.map_err(|error| match error {
                error @ (Error::UnknownVersion { .. } | Error::UnknownFlag { .. }) => error,
                error => damaged(error.to_string()),
            })?;
            if index.pack != pack || index.header.is_empty() == encrypted {
                return Err(damaged("it belongs to another pack".to_owned()));
            }
            Ok(index)
        });
        read.await
            .map_err(|_| Error::Worker { what: "decryption" })?
    }

    /// Fills the catalogue with the lines of all live snapshots. What is damaged is passed over and said.
    pub(crate) async fn rebuild_lines(&self, notices: &mut Vec<Notice>) -> Result<(), Error> {
        for record in self.catalogue.snapshots().await? {
            if self.catalogue.holds(record.id).await? {
                continue;
            }
            if let Err(error) = SnapshotReader::keep_lines(&self.objects, &record).await {
                match error {
                    Error::NoKey(KeyLack::NoneGiven)
                    | Error::Catalogue { .. }
                    | Error::Worker { .. } => return Err(error),
                    error => notices.push(Notice::Damaged {
                        name: format!("the manifest of snapshot {}", record.id),
                        reason: error.to_string(),
                    }),
                }
            }
        }
        Ok(())
    }
}
