//! Checkpoints against the log that was just read whole: who signed them, and whether they hold its entries, all and as
//! they are. One that does not would be passed over by whoever opens the repository; here it has a name.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::finding::Finding;
use super::{Checking, is_finding};
use crate::log::chain::Chain;
use crate::log::checkpoint::Checkpoint;
use crate::storage::StorageFault;
use crate::{EntryHash, Error, FileName};

impl Checking<'_> {
    /// The checkpoints that are there. To be listed before the log: an entry that one holds was there before it.
    pub(super) async fn list_checkpoints(&mut self) -> Result<Vec<(u64, u64)>, Error> {
        let known = self.inner.list_checkpoints().await?;
        let mut files = self.inner.storage.list("checkpoints/");
        while let Some(file) = files.try_next().await? {
            let number = file.name.as_str().strip_prefix("checkpoints/");
            let number = number.and_then(|number| number.parse().ok());
            if number.is_none_or(|number| FileName::checkpoint(number) != file.name) {
                self.warn(&file.name, "it is no checkpoint");
            }
        }
        Ok(known.into_iter().collect())
    }

    /// Compares them with the hashes of the entries that were read.
    pub(super) async fn checkpoints(
        &mut self,
        listed: Vec<(u64, u64)>,
        chain: &Chain,
        hashes: &BTreeMap<u64, EntryHash>,
    ) -> Result<(), Error> {
        for (number, stored_bytes) in listed {
            let name = FileName::checkpoint(number);
            match self.inner.checkpoint(number).await {
                Ok(checkpoint) => self.checkpoint(&checkpoint, chain, hashes),
                // Superseded and deleted since it was listed.
                Err(Error::Storage(error)) if error.fault == StorageFault::NotFound => {}
                Err(error) if is_finding(&error) => {
                    self.findings.push(Finding::new(name, error));
                }
                Err(error) => return Err(error),
            }
            self.done(stored_bytes);
        }
        Ok(())
    }

    fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        chain: &Chain,
        hashes: &BTreeMap<u64, EntryHash>,
    ) {
        let header = &checkpoint.header;
        let name = FileName::checkpoint(header.entry);
        // What could not be read in the log is a finding of its own.
        let other = checkpoint.numbered().find(|(number, bytes)| {
            hashes
                .get(number)
                .is_some_and(|hash| *hash != EntryHash::of(bytes))
        });
        if let Some((number, _)) = other {
            let reason = format!("the entry {number} in it is not the one of the log");
            self.findings.push(Finding::new(name, reason));
            return;
        }
        match chain.refuses_checkpoint(header.entry, &header.signer) {
            // It was there: whoever put the checkpoint together is believed, and all else in it is true.
            None if header.entry > chain.number => {
                let reason = format!("it is missing, and {name} holds it");
                let lost = FileName::log(chain.number + 1);
                self.findings.push(Finding::new(lost, reason));
            }
            None => {}
            // As of entries behind the line: true or not, it counts for nothing, and does no harm.
            Some(reason) if chain.revoked_after(&header.signer).is_some() => {
                self.warn(name, &format!("{reason}, so it counts for nothing"));
            }
            Some(reason) => self.findings.push(Finding::new(name, reason)),
        }
    }
}
