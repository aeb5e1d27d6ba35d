//! Reads the log forward and decides entry by entry whom to believe.
//!
//! Entry 1 is signed by the owners' key that `repository.json` names, and introduces this machine's signer; every
//! `keys` entry is signed by the owners and says who may sign from then on. Where signers are pinned, an entry counts
//! only if its signer, or the owners' key that introduced him, is among them.

use std::collections::BTreeMap;

use super::entry::{self, Header, NOTHING_BEFORE};
use super::{Body, EntryBody, Keys};
use crate::keys::Recipient;
use crate::keys::ring::Ring;
use crate::magic::ENTRY_BYTES_MAX;
use crate::storage::{Storage, StorageFault};
use crate::{EntryHash, Error, FileName, Record, Signer};

/// Where the log is known to end, and who may sign what comes next.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The last entry that was read.
    pub(crate) number: u64,
    /// Its hash.
    pub(crate) hash: EntryHash,
    /// The first entry that is damaged, where one is.
    pub(crate) damaged: Option<u64>,
    owners: Signer,
    pinned: Vec<Signer>,
    introduced: BTreeMap<Signer, String>,
    revoked: BTreeMap<Signer, u64>,
    /// To whom data packs are encrypted now.
    pub(crate) data: Option<Recipient>,
    /// To whom meta packs, index and log are encrypted now.
    pub(crate) meta: Option<Recipient>,
}

/// One entry that was read and believed.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
    pub(crate) signer: Signer,
    pub(crate) body: EntryBody,
}

impl Chain {
    /// Before the first entry.
    pub(crate) fn new(record: &Record, pinned: Vec<Signer>) -> Result<Self, Error> {
        let recipient = |text: &String| Recipient::parse(text);
        let encryption = record.encryption.as_ref();
        Ok(Self {
            number: 0,
            hash: NOTHING_BEFORE,
            damaged: None,
            owners: record.owners_signer,
            pinned,
            introduced: BTreeMap::new(),
            revoked: BTreeMap::new(),
            data: encryption.map(|keys| recipient(&keys.data)).transpose()?,
            meta: encryption.map(|keys| recipient(&keys.meta)).transpose()?,
        })
    }

    /// Whether this signer may add entries.
    pub(crate) fn knows(&self, signer: &Signer) -> bool {
        *signer == self.owners || self.introduced.contains_key(signer)
    }

    /// Takes an entry that was believed in an earlier run as read.
    pub(crate) fn resume(&mut self, number: u64, hash: EntryHash) {
        self.number = number;
        self.hash = hash;
    }

    /// What a `keys` entry changes.
    pub(crate) fn apply_keys(&mut self, keys: &Keys) -> Result<(), Error> {
        for holder in &keys.holders {
            if let Some(signer) = holder.signer {
                self.introduced.insert(signer, holder.label.clone());
            }
        }
        for revoked in &keys.revoked {
            self.revoked.insert(revoked.signer, revoked.after);
        }
        if let Some(data) = &keys.data {
            self.data = Some(Recipient::parse(data)?);
        }
        if let Some(meta) = &keys.meta {
            self.meta = Some(Recipient::parse(meta)?);
        }
        Ok(())
    }

    /// Whether an entry of this sort by this signer counts.
    pub(crate) fn trusts(&self, number: u64, signer: &Signer, sort: &str) -> Result<(), Error> {
        let unknown = Error::UnknownSigner {
            entry: number,
            signer: *signer,
        };
        if *signer == self.owners {
            // The owners' word is needed to follow the chain at all; where others are pinned, it introduces nobody.
            let pinned = self.pinned.is_empty() || self.pinned.contains(signer) || sort == "keys";
            return if pinned { Ok(()) } else { Err(unknown) };
        }
        let introduced = sort != "keys" && number > 1 && self.introduced.contains_key(signer);
        let pinned = self.pinned.is_empty()
            || self.pinned.contains(&self.owners)
            || self.pinned.contains(signer);
        let revoked = self
            .revoked
            .get(signer)
            .is_some_and(|after| number > *after);
        if introduced && pinned && !revoked {
            Ok(())
        } else {
            Err(unknown)
        }
    }

    /// Reads the next entry; none where the log ends. On an error the chain stays where it is.
    pub(crate) async fn next(
        &self,
        storage: &dyn Storage,
        ring: &Ring,
        record: &Record,
    ) -> Result<Option<Believed>, Error> {
        let number = self.number + 1;
        let name = FileName::log(number);
        let bytes = match storage.read(&name, ENTRY_BYTES_MAX).await {
            Err(error) if error.fault == StorageFault::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let (header, body) = entry::verify(&bytes, record.id, number)?;
        self.follows(&header)?;
        let body = entry::open_body(number, body, ring.encrypted, &ring.meta)?;
        self.trusts(number, &header.signer, body.body.sort())?;
        if number == 1 && !matches!(body.body, Body::Keys(_)) {
            return Err(Error::Forged {
                what: name.to_string(),
                reason: "the first entry introduces nobody".to_owned(),
            });
        }
        Ok(Some(Believed {
            number,
            hash: EntryHash::of(&bytes),
            signer: header.signer,
            body,
        }))
    }

    fn follows(&self, header: &Header) -> Result<(), Error> {
        // After a damaged entry its own hash is not what it was; the entry after it is believed by its signature.
        let after_damage = self.damaged.is_some_and(|damaged| damaged == self.number);
        if header.previous == self.hash || after_damage {
            Ok(())
        } else {
            Err(Error::Forged {
                what: FileName::log(header.entry).to_string(),
                reason: "it does not follow the entry before it".to_owned(),
            })
        }
    }

    /// Takes the entry as read.
    pub(crate) fn advance(&mut self, believed: &Believed) -> Result<(), Error> {
        if let Body::Keys(keys) = &believed.body.body {
            self.apply_keys(keys)?;
        }
        self.number = believed.number;
        self.hash = believed.hash;
        Ok(())
    }

    /// Passes over a damaged entry, for readers that take what is left.
    pub(crate) fn skip(&mut self) {
        self.number += 1;
        self.hash = NOTHING_BEFORE;
        self.damaged.get_or_insert(self.number);
    }
}
