//! Which edition of the key files an open repository goes by: the one that the newest `keys` entry names.
//!
//! A new edition may come at any time, from another machine. Entries behind it may be encrypted to a new meta key, and
//! older files may be gone.

use super::{Inner, Notice};
use crate::keys::ring::Ring;
use crate::log::Keys;
use crate::log::chain::{Chain, Next};
use crate::magic::ENTRY_BYTES_MAX;
use crate::storage::StorageFault;
use crate::{Error, FileName, Identity, KeyLack};

/// How often the log is read on because key files that it named were superseded meanwhile.
const ROUNDS: u32 = 8;

impl Inner {
    /// The next entry. Where the keys at hand do not open it, those of a newer edition may. An honest entry is encrypted to
    /// the meta recipient that the `keys` entries before it name, so one that does not open with that key is unfit.
    pub(crate) async fn next_entry(&self, chain: &Chain) -> Result<Option<Next>, Error> {
        let name = FileName::log(chain.number + 1);
        match self.storage.read(&name, ENTRY_BYTES_MAX).await {
            Err(error) if error.fault == StorageFault::NotFound => Ok(None),
            bytes => self.judge_entry(chain, &bytes?).await.map(Some),
        }
    }

    /// The same of an entry whose stored bytes are at hand.
    pub(crate) async fn judge_entry(&self, chain: &Chain, bytes: &[u8]) -> Result<Next, Error> {
        let lack = match chain.judge(bytes, &self.ring(), &self.record) {
            Err(Error::NoKey(lack)) => lack,
            next => return next,
        };
        let held = |ring: &Ring| chain.meta.as_ref().is_none_or(|meta| ring.holds_meta(meta));
        if !held(&self.ring()) {
            let ring = self.newer_ring(chain).await?;
            if !held(&ring) {
                return Err(Error::NoKey(lack));
            }
            self.ring.set(ring);
            match chain.judge(bytes, &self.ring(), &self.record) {
                Err(Error::NoKey(_)) => {}
                next => return next,
            }
        }
        chain.unopened(bytes, &self.record, lack)
    }

    /// A newer edition of the keys than the one that was opened: whatever opens, else what the log names.
    async fn newer_ring(&self, chain: &Chain) -> Result<Ring, Error> {
        let removed = Err(Error::NoKey(KeyLack::Removed));
        let Some((number, keys)) = &chain.keys else {
            return removed;
        };
        if !self.is_holder(keys) {
            return removed;
        }
        let storage = self.storage.as_ref();
        let before = self.ring().meta.len();
        match Ring::open(storage, &self.record, &self.keys).await {
            Ok(ring) if ring.meta.len() > before => Ok(ring),
            Err(Error::NoKey(_)) => removed,
            // What is wrong with the files that the log names is said by their names.
            _ => Ring::of_entry(storage, &self.record, &self.keys, (*number, keys)).await,
        }
    }

    /// Whether a key at hand is among the holders, as far as can be told: a passphrase has no public half.
    fn is_holder(&self, keys: &Keys) -> bool {
        let own = self.keys.public_texts();
        let mut recipients = keys
            .holders
            .iter()
            .filter_map(|holder| holder.recipient.as_ref());
        self.keys.owners.iter().any(Identity::is_passphrase)
            || recipients.any(|recipient| own.contains(recipient))
    }

    /// Makes sure that the keys at hand are those of the edition that the log names, and opens that one where not.
    pub(super) async fn settle_keys(
        &self,
        chain: &mut Chain,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            let ring = self.ring();
            let Some((number, keys)) = chain.keys.clone() else {
                return Ok(());
            };
            if !ring.encrypted || ring.is_of(&keys) {
                return Ok(());
            }
            let opened = Ring::of_entry(
                self.storage.as_ref(),
                &self.record,
                &self.keys,
                (number, &keys),
            );
            let failed = match opened.await {
                Ok(ring) => {
                    self.ring.set(ring);
                    return Ok(());
                }
                Err(failed) => failed,
            };
            // Superseded while it was read?
            self.read_entries(chain, None, notices).await?;
            if chain.keys.as_ref().map(|(number, _)| *number) == Some(number) {
                return Err(failed);
            }
        }
        Err(Error::Outrun { rounds: ROUNDS })
    }
}
