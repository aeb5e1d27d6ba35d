//! Writing checkpoints, and deleting those that newer ones supersede.
//!
//! A checkpoint is derived, so that a run never fails for want of one: what went wrong is kept as a notice, and whoever
//! adds one of the next entries tries again. Whoever writes deletes nothing; that is the sweeper's.

use std::sync::PoisonError;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::super::append::Author;
use super::super::{Inner, Notice, Repository};
use crate::log::checkpoint::{Checkpoint, body_bytes};
use crate::log::line;
use crate::magic::{CHECKPOINT_BYTES_MAX, CHECKPOINT_ENTRIES, CHECKPOINT_LOOK, ENTRY_BYTES_MAX};
use crate::storage::{Created, StorageFault};
use crate::{EntryHash, Error, FileName};

/// So many of the newest are looked at for one that is sound.
const TRIED: usize = 8;

/// Entries that are read at once.
const READS_AT_ONCE: usize = 8;

/// Plain bytes in a checkpoint: the stored ones, less the line and what encryption adds.
const PLAIN_BYTES_MAX: usize = (CHECKPOINT_BYTES_MAX - (CHECKPOINT_BYTES_MAX >> 10)) as usize;

impl Repository {
    /// Writes a checkpoint of the log as it is known here, whether one is due or not. Gives the number of its last entry;
    /// none where the newest one ends there. Needs this machine's key.
    pub async fn write_checkpoint(&self) -> Result<Option<u64>, Error> {
        let (number, _) = self.head().await?;
        self.inner.write_checkpoint(number).await
    }

    /// What is to be told since the repository was opened: each notice once.
    pub fn late_notices(&self) -> Vec<Notice> {
        let late = self.inner.late.lock();
        std::mem::take(&mut *late.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn tell_late(&self, notice: Notice) {
        let late = self.late.lock();
        late.unwrap_or_else(PoisonError::into_inner).push(notice);
    }

    /// Writes a checkpoint where the newest one ends long before the entry that was just added.
    pub(crate) async fn write_due_checkpoint(&self, entry: u64) {
        if entry < CHECKPOINT_ENTRIES || !entry.is_multiple_of(CHECKPOINT_LOOK) {
            return;
        }
        let written = match self.checkpoint_is_due(entry).await {
            Ok(true) => self.write_checkpoint(entry).await.map(drop),
            due => due.map(drop),
        };
        if let Err(error) = written {
            self.tell_late(Notice::NoCheckpoint {
                entry,
                reason: error.to_string(),
            });
        }
    }

    /// Whether no checkpoint of a believed signer ends near an entry. Its line is enough for that.
    async fn checkpoint_is_due(&self, entry: u64) -> Result<bool, Error> {
        let oldest = entry.saturating_sub(CHECKPOINT_ENTRIES) + 1;
        let listed = self.list_checkpoints().await?;
        for (number, bytes) in listed.range(oldest..=entry).rev().take(TRIED) {
            let Ok(header) = self.checkpoint_header(*number, *bytes).await else {
                continue;
            };
            let known = self.catalogue.entry_hash(*number).await?;
            let chain = self.chain.lock().await;
            let believed = chain.refuses_checkpoint(*number, &header.signer).is_none();
            if believed && known == Some(header.hash) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes one of the entries behind the newest, up to this entry or as far as one may be large; with those of the
    /// newest in front where both fit in one, so that it supersedes it.
    async fn write_checkpoint(&self, entry: u64) -> Result<Option<u64>, Error> {
        let signing = self.signing(Author::Machine)?;
        let recipient = {
            let chain = self.chain.lock().await;
            if let Some(reason) = chain.refuses_checkpoint(entry, &signing.signer()) {
                return Err(Error::NoSigner { reason });
            }
            chain.meta.clone()
        };
        let newest = self.newest_checkpoint(entry).await?;
        let from = newest.as_ref().map_or(1, |newest| newest.header.entry + 1);
        if from > entry {
            return Ok(None);
        }
        let mut entries = self.stored_entries(from, entry).await?;
        let mut first = from;
        if let Some(newest) = newest
            && body_bytes(&newest.entries) + body_bytes(&entries) <= PLAIN_BYTES_MAX
        {
            first = newest.header.first;
            entries.splice(0..0, newest.entries);
        }
        let id = self.record.id;
        let sealed = tokio::task::spawn_blocking(move || {
            Checkpoint::seal(id, first, &entries, &signing, recipient.as_ref())
        });
        let (name, number, bytes) = sealed.await.map_err(|_| Error::Worker {
            what: "the writing of a checkpoint",
        })??;
        self.create_checkpoint(&name, number, bytes.into()).await?;
        Ok(Some(number))
    }

    /// Stored entries from one number to another, or as many as a checkpoint may hold. Each is the one that was read.
    async fn stored_entries(&self, from: u64, to: u64) -> Result<Vec<Bytes>, Error> {
        let mut reads = stream::iter(from..=to)
            .map(|number| async move {
                let name = FileName::log(number);
                let bytes = self.storage.read(&name, ENTRY_BYTES_MAX).await?;
                match self.catalogue.entry_hash(number).await? {
                    Some(known) if known == EntryHash::of(&bytes) => Ok(bytes),
                    _ => Err(line::forged(
                        &name,
                        "it is another than the one that was read",
                    )),
                }
            })
            .buffered(READS_AT_ONCE);
        let (mut entries, mut held) = (Vec::new(), 0);
        while let Some(bytes) = reads.try_next().await? {
            held += body_bytes(std::slice::from_ref(&bytes));
            if held > PLAIN_BYTES_MAX {
                break;
            }
            entries.push(bytes);
        }
        Ok(entries)
    }

    /// The newest checkpoint up to an entry whose signer is believed and whose every entry is the one that was read here.
    async fn newest_checkpoint(&self, entry: u64) -> Result<Option<Checkpoint>, Error> {
        let listed = self.list_checkpoints().await?;
        for (number, _) in listed.range(..=entry).rev().take(TRIED) {
            if let Ok(checkpoint) = self.checkpoint(*number).await
                && self.is_sound(&checkpoint).await?
            {
                return Ok(Some(checkpoint));
            }
        }
        Ok(None)
    }

    async fn is_sound(&self, checkpoint: &Checkpoint) -> Result<bool, Error> {
        let header = &checkpoint.header;
        let refused = {
            let chain = self.chain.lock().await;
            chain.refuses_checkpoint(header.entry, &header.signer)
        };
        if refused.is_some() {
            return Ok(false);
        }
        for (number, bytes) in checkpoint.numbered() {
            if self.catalogue.entry_hash(number).await? != Some(EntryHash::of(bytes)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Creates one. Where the name is taken by another that is sound, somebody was quicker.
    async fn create_checkpoint(
        &self,
        name: &FileName,
        number: u64,
        bytes: Bytes,
    ) -> Result<(), Error> {
        match self.storage.create(name, bytes).await {
            Ok(Created::New) => return Ok(()),
            Ok(Created::Exists) => {}
            Err(error) if error.fault == StorageFault::Unclear => {}
            Err(error) => return Err(error.into()),
        }
        let there = self.checkpoint(number).await?;
        if self.is_sound(&there).await? {
            Ok(())
        } else {
            Err(line::forged(
                name,
                "its name is taken by one that is not believed",
            ))
        }
    }

    /// Deletes checkpoints whose entries the newest sound one holds, but for the last of them, on which readers fall back.
    /// Only for whoever deletes, and where the store does.
    pub(crate) async fn drop_superseded_checkpoints(&self) {
        if let Err(error) = self.try_to_drop().await {
            self.tell_late(Notice::Damaged {
                name: "checkpoints".to_owned(),
                reason: error.to_string(),
            });
        }
    }

    async fn try_to_drop(&self) -> Result<(), Error> {
        let head = self.chain.lock().await.number;
        let Some(newest) = self.newest_checkpoint(head).await? else {
            return Ok(());
        };
        let listed = self.list_checkpoints().await?;
        let superseded = listed.range(newest.header.first..newest.header.entry);
        for (number, _) in superseded.rev().skip(1) {
            self.storage.delete(&FileName::checkpoint(*number)).await?;
        }
        Ok(())
    }
}
