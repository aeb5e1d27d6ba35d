//! Where a machine that knows nothing of a log begins: at checkpoints, and then entry by entry.
//!
//! A checkpoint is used only if its signer is believed, its last entry is the one that the log has under that number, and
//! every entry in it stands by itself as if it had been read from the log. Whatever does not is passed over with a
//! notice, and the log is read instead. So a checkpoint spares requests and decides nothing.

#[cfg(test)]
mod tests;
pub(super) mod write;

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::{Inner, Notice};
use crate::log::chain::{Chain, Next};
use crate::log::checkpoint::{Checkpoint, CheckpointHeader};
use crate::log::line;
use crate::magic::{CHECKPOINT_BYTES_MAX, ENTRY_BYTES_MAX, SIGNED_LINE_BYTES_MAX};
use crate::storage::StorageFault;
use crate::{EntryHash, Error, FileName, Signer};

/// So many are looked at before the log is read without: whoever may write might put any number there.
const LOOKS_MAX: u32 = 32;

/// The checkpoints that are listed and not refused yet.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// By the numbers of their last entries.
    listed: BTreeMap<u64, Listed>,
    looks: u32,
    /// Those that were used, with their signers.
    used: Vec<(u64, Signer)>,
    /// What is to be told of those that were refused.
    refused: Vec<Notice>,
}

#[derive(Debug)]
struct Listed {
    stored_bytes: u64,
    /// Its first entry, once its line was read.
    first: Option<u64>,
}

/// Entries of a checkpoint that were judged, and how the chain stands behind them.
#[derive(Debug)]
struct Judged {
    chain: Chain,
    entries: Vec<Next>,
    signer: Signer,
}

impl Checkpoints {
    /// Lists them. To be done before the log is listed: an entry that a checkpoint holds was there before it.
    pub(super) async fn list(inner: &Inner) -> Self {
        let mut refused = Vec::new();
        let listed = match inner.list_checkpoints().await {
            Ok(listed) => listed,
            Err(error) => {
                refused.push(unusable("checkpoints", &error));
                BTreeMap::new()
            }
        };
        let unread = |stored_bytes| Listed {
            stored_bytes,
            first: None,
        };
        Self {
            listed: (listed.into_iter())
                .map(|(number, bytes)| (number, unread(bytes)))
                .collect(),
            refused,
            ..Self::default()
        }
    }

    /// The one that leads on from an entry: it begins at the next or before, and ends as far ahead as can be. Where the
    /// newest begin later, older ones may lead up to them.
    async fn from(&mut self, inner: &Inner, entry: u64) -> Option<u64> {
        let ahead: Vec<u64> = self
            .listed
            .range(entry + 1..)
            .map(|(number, _)| *number)
            .collect();
        let mut highest = u64::MAX;
        for number in ahead.into_iter().rev() {
            if number > highest {
                continue;
            }
            match self.first_of(inner, number).await {
                Ok(Some(first)) if first <= entry + 1 => return Some(number),
                Ok(Some(first)) => highest = first - 1,
                Ok(None) => return None,
                Err(error) => self.refuse(number, &error),
            }
        }
        None
    }

    /// The first entry of one; none where enough were looked at.
    async fn first_of(&mut self, inner: &Inner, number: u64) -> Result<Option<u64>, Error> {
        let Some(listed) = self.listed.get_mut(&number) else {
            return Ok(None);
        };
        if listed.first.is_none() && self.looks < LOOKS_MAX {
            self.looks += 1;
            let header = inner.checkpoint_header(number, listed.stored_bytes);
            listed.first = Some(header.await?.first);
        }
        Ok(listed.first)
    }

    fn refuse(&mut self, number: u64, error: &Error) {
        self.listed.remove(&number);
        self.refused
            .push(unusable(FileName::checkpoint(number), error));
    }

    /// Takes those away that were used and whose signers turned out to be revoked. Says whether there were any.
    pub(super) fn disown(&mut self, chain: &Chain) -> bool {
        let before = self.listed.len();
        for (number, signer) in std::mem::take(&mut self.used) {
            if let Some(reason) = chain.refuses_checkpoint(number, &signer) {
                let name = FileName::checkpoint(number);
                self.refuse(number, &line::forged(&name, reason));
            }
        }
        self.listed.len() < before
    }

    /// What is to be told of them.
    pub(super) fn into_notices(self) -> Vec<Notice> {
        self.refused
    }
}

fn unusable(name: impl ToString, error: &Error) -> Notice {
    Notice::Damaged {
        name: name.to_string(),
        reason: error.to_string(),
    }
}

impl Inner {
    /// The checkpoints, with the lengths of their files.
    pub(crate) async fn list_checkpoints(&self) -> Result<BTreeMap<u64, u64>, Error> {
        let mut found = BTreeMap::new();
        let mut files = self.storage.list("checkpoints/");
        while let Some(file) = files.try_next().await? {
            let number = file.name.as_str().strip_prefix("checkpoints/");
            let number = number.and_then(|number| number.parse().ok());
            if let Some(number) = number.filter(|number| FileName::checkpoint(*number) == file.name)
            {
                found.insert(number, file.size);
            }
        }
        Ok(found)
    }

    /// The line of a checkpoint, by its signature.
    async fn checkpoint_header(
        &self,
        number: u64,
        stored_bytes: u64,
    ) -> Result<CheckpointHeader, Error> {
        let name = FileName::checkpoint(number);
        let range = 0..stored_bytes.min(SIGNED_LINE_BYTES_MAX as u64);
        let line = self.storage.read_range(&name, range).await?;
        Checkpoint::header(&line, self.record.id, number)
    }

    /// A checkpoint, with all that can be verified without the log.
    pub(crate) async fn checkpoint(&self, number: u64) -> Result<Checkpoint, Error> {
        let name = FileName::checkpoint(number);
        let bytes = self.storage.read(&name, CHECKPOINT_BYTES_MAX).await?;
        let (id, ring) = (self.record.id, self.ring());
        tokio::task::spawn_blocking(move || Checkpoint::open(&bytes, id, number, &ring))
            .await
            .map_err(|_| Error::Worker {
                what: "the reading of a checkpoint",
            })?
    }

    /// Goes on by a checkpoint, where one leads on from the chain's end. `log`: the numbers that are listed, sorted.
    pub(super) async fn leap(
        &self,
        chain: &mut Chain,
        checkpoints: &mut Checkpoints,
        log: &[u64],
        notices: &mut Vec<Notice>,
    ) -> Result<bool, Error> {
        while let Some(number) = checkpoints.from(self, chain.number).await {
            match self.judge_checkpoint(chain, number).await {
                Ok(judged) => {
                    checkpoints.used.push((number, judged.signer));
                    self.take_over(chain, judged, log, notices).await?;
                    return Ok(true);
                }
                Err(error) => checkpoints.refuse(number, &error),
            }
        }
        Ok(false)
    }

    /// Judges every entry of a checkpoint that the chain has not seen, and the checkpoint by them. Changes nothing.
    async fn judge_checkpoint(&self, chain: &Chain, number: u64) -> Result<Judged, Error> {
        let name = FileName::checkpoint(number);
        let forged = |reason: &str| line::forged(&name, reason);
        let checkpoint = self.checkpoint(number).await?;
        let log = FileName::log(number);
        match self.storage.read(&log, ENTRY_BYTES_MAX).await {
            Ok(last) if EntryHash::of(&last) == checkpoint.header.hash => {}
            Ok(_) => return Err(forged("the log has another entry where it ends")),
            Err(error) if error.fault == StorageFault::NotFound => {
                return Err(forged("the log has no entry where it ends"));
            }
            Err(error) => return Err(error.into()),
        }
        let mut judged = Judged {
            chain: chain.clone(),
            entries: Vec::new(),
            signer: checkpoint.header.signer,
        };
        for (_, bytes) in (checkpoint.numbered()).filter(|(number, _)| *number > chain.number) {
            let next = self.judge_entry(&judged.chain, bytes).await?;
            match &next {
                Next::Believed(believed) => judged.chain.advance(believed)?,
                Next::Passed(passed) => judged.chain.pass(passed),
            }
            judged.entries.push(next);
        }
        match judged.chain.refuses_checkpoint(number, &judged.signer) {
            Some(reason) => Err(forged(reason)),
            None => Ok(judged),
        }
    }

    /// Keeps the entries of a checkpoint as if they had been read from the log, and sees that the log still lists them.
    async fn take_over(
        &self,
        chain: &mut Chain,
        mut judged: Judged,
        log: &[u64],
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let lost = (chain.number + 1..=judged.chain.number)
            .filter(|number| log.binary_search(number).is_err());
        for number in lost {
            let damage = self.tolerated(
                Error::Damaged {
                    name: FileName::log(number),
                    reason: "it is missing, and later entries are there".to_owned(),
                },
                number,
            )?;
            notices.push(damage);
            judged.chain.damaged.get_or_insert(number);
        }
        for next in judged.entries {
            match next {
                Next::Believed(believed) => self.remember_entry(believed).await?,
                Next::Passed(passed) => self.remember_passed(&passed, notices).await?,
            }
        }
        *chain = judged.chain;
        Ok(())
    }
}
