//! Reads the log forward and decides entry by entry whom to believe.
//!
//! Entry 1 is signed by the owners' key that `repository.json` names, and introduces this machine's signer; every
//! `keys` entry is signed by the owners and says who may sign from then on, and whose entries count for nothing after
//! which number. Where signers are pinned, an entry counts only if its signer, or the owners' key that introduced him, is
//! among them.
//!
//! An entry that a machine signed truly and wrongly (a body that does not open, a `keys` entry) is *unfit*: it cannot be
//! deleted, so reading goes on to its end, and whether it stands in the way is known there: not, where the owners
//! revoked its signer before it.

use std::collections::BTreeMap;

use super::entry::{self, Header, NOTHING_BEFORE};
use super::{Body, EntryBody, Keys};
use crate::keys::Recipient;
use crate::keys::ring::Ring;
use crate::{EntryHash, Error, FileName, KeyLack, Record, Signer};

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
    /// The last entry of each revoked signer that counts.
    revoked: BTreeMap<Signer, u64>,
    /// Unfit entries that no revocation covers, with their signers and reasons.
    unfit: BTreeMap<u64, (Signer, String)>,
    /// The newest `keys` entry and its number.
    pub(crate) keys: Option<(u64, Box<Keys>)>,
    /// To whom data packs are encrypted now.
    pub(crate) data: Option<Recipient>,
    /// To whom meta packs, index and log are encrypted now.
    pub(crate) meta: Option<Recipient>,
}

/// What stands under a number.
#[derive(Debug)]
pub(crate) enum Next {
    /// An entry that is believed.
    Believed(Believed),
    /// An entry that is passed over.
    Passed(Passed),
}

/// One entry that was read and believed.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
    pub(crate) signer: Signer,
    pub(crate) body: EntryBody,
}

/// One entry that follows the one before and whose signature fits, and which counts for nothing.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
    pub(crate) signer: Signer,
    /// Why it is unfit; none where its signer was revoked before it.
    pub(crate) unfit: Option<String>,
}

/// Whether an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It does.
    Counts,
    /// Its signer was revoked before it.
    Revoked,
    /// A machine signed what only owners may.
    NotHis,
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
            unfit: BTreeMap::new(),
            keys: None,
            data: encryption.map(|keys| recipient(&keys.data)).transpose()?,
            meta: encryption.map(|keys| recipient(&keys.meta)).transpose()?,
        })
    }

    /// Whether this signer may add entries.
    pub(crate) fn knows(&self, signer: &Signer) -> bool {
        *signer == self.owners
            || (self.introduced.contains_key(signer) && !self.revoked.contains_key(signer))
    }

    /// Why this signer may not add entries, where he may not.
    pub(crate) fn refusal(&self, signer: &Signer) -> Option<&'static str> {
        if self.knows(signer) {
            None
        } else if self.revoked.contains_key(signer) {
            Some("the owners removed or revoked it")
        } else {
            Some("the owners did not introduce it")
        }
    }

    /// The last entry of a revoked signer that counts.
    pub(crate) fn revoked_after(&self, signer: &Signer) -> Option<u64> {
        self.revoked.get(signer).copied()
    }

    /// The signers that are pinned; none where everyone whom the owners introduced is believed.
    pub(crate) fn pinned(&self) -> Vec<Signer> {
        self.pinned.clone()
    }

    /// Everyone who was ever introduced, with the label.
    pub(crate) fn introduced(&self) -> &BTreeMap<Signer, String> {
        &self.introduced
    }

    /// Takes an entry that was believed in an earlier run as read.
    pub(crate) fn resume(&mut self, number: u64, hash: EntryHash) {
        self.number = number;
        self.hash = hash;
    }

    /// What a `keys` entry changes.
    pub(crate) fn apply_keys(&mut self, number: u64, keys: &Keys) -> Result<(), Error> {
        for holder in &keys.holders {
            if let Some(signer) = holder.signer {
                self.introduced.insert(signer, holder.label.clone());
            }
        }
        for revoked in &keys.revoked {
            // A line once drawn is only ever drawn earlier.
            let after = self.revoked.entry(revoked.signer).or_insert(revoked.after);
            *after = revoked.after.min(*after);
        }
        let revoked = &self.revoked;
        self.unfit
            .retain(|number, (signer, _)| !covers(revoked, *number, signer));
        if let Some(data) = &keys.data {
            self.data = Some(Recipient::parse(data)?);
        }
        if let Some(meta) = &keys.meta {
            self.meta = Some(Recipient::parse(meta)?);
        }
        self.keys = Some((number, Box::new(keys.clone())));
        Ok(())
    }

    /// Whether an entry of this sort by this signer counts.
    pub(crate) fn trusts(&self, number: u64, signer: &Signer, sort: &str) -> Result<Trust, Error> {
        let unknown = Error::UnknownSigner {
            entry: number,
            signer: *signer,
        };
        if *signer == self.owners {
            // The owners' word is needed to follow the chain at all; where others are pinned, it introduces nobody. Which
            // packs they repacked says nothing of what is in a snapshot.
            let pinned = self.pinned.is_empty()
                || self.pinned.contains(signer)
                || Body::OF_OWNERS.contains(&sort);
            return if pinned {
                Ok(Trust::Counts)
            } else {
                Err(unknown)
            };
        }
        if number == 1 || !self.introduced.contains_key(signer) {
            return Err(unknown);
        }
        if covers(&self.revoked, number, signer) {
            return Ok(Trust::Revoked);
        }
        let pinned = self.pinned.is_empty()
            || self.pinned.contains(&self.owners)
            || self.pinned.contains(signer);
        match (pinned, sort) {
            (false, _) => Err(unknown),
            (true, sort) if Body::OF_OWNERS.contains(&sort) => Ok(Trust::NotHis),
            (true, _) => Ok(Trust::Counts),
        }
    }

    /// The first entry that no revocation covers and that is unfit, as an error.
    pub(crate) fn first_unfit(&self) -> Option<Error> {
        let (number, (signer, reason)) = self.unfit.first_key_value()?;
        Some(Error::Unfit {
            entry: *number,
            signer: *signer,
            reason: reason.clone(),
        })
    }

    /// Every unfit entry that no revocation covers, with its signer.
    pub(crate) fn unfit(&self) -> impl Iterator<Item = (u64, Signer)> {
        self.unfit
            .iter()
            .map(|(number, (signer, _))| (*number, *signer))
    }

    /// Takes note of an entry that an earlier run passed over.
    pub(crate) fn note_passed(&mut self, number: u64, signer: Signer, reason: String) {
        if !covers(&self.revoked, number, &signer) {
            self.unfit.insert(number, (signer, reason));
        }
    }

    /// Judges the next entry by its stored bytes. The chain stays where it is.
    pub(crate) fn judge(&self, bytes: &[u8], ring: &Ring, record: &Record) -> Result<Next, Error> {
        let number = self.number + 1;
        let (header, body) = entry::verify(bytes, record.id, number)?;
        self.follows(&header)?;
        let hash = EntryHash::of(bytes);
        let signer = header.signer;
        let passed = |unfit| {
            Ok(Next::Passed(Passed {
                number,
                hash,
                signer,
                unfit,
            }))
        };
        if covers(&self.revoked, number, &signer) {
            return passed(None);
        }
        if signer != self.owners && !self.introduced.contains_key(&signer) {
            return Err(Error::UnknownSigner {
                entry: number,
                signer,
            });
        }
        let body = match entry::open_body(number, body, ring.encrypted, &ring.meta) {
            Ok(body) => body,
            // Whether another edition of the keys opens it is for the caller to find out.
            Err(error @ Error::NoKey(_)) => return Err(error),
            Err(error) if signer != self.owners => return passed(Some(error.to_string())),
            Err(error) => return Err(error),
        };
        let sort = body.body.sort();
        if self.trusts(number, &signer, sort)? == Trust::NotHis {
            return passed(Some(format!("only owners sign a `{sort}` entry")));
        }
        if number == 1 && !matches!(body.body, Body::Keys(_)) {
            return Err(Error::Forged {
                what: FileName::log(number).to_string(),
                reason: "the first entry introduces nobody".to_owned(),
            });
        }
        Ok(Next::Believed(Believed {
            number,
            hash,
            signer,
            body,
        }))
    }

    /// The next entry, where no key of the repository opens its body: a machine's own doing is passed over.
    pub(crate) fn unopened(
        &self,
        bytes: &[u8],
        record: &Record,
        lack: KeyLack,
    ) -> Result<Next, Error> {
        let number = self.number + 1;
        let (header, _) = entry::verify(bytes, record.id, number)?;
        if header.signer == self.owners {
            return Err(Error::NoKey(lack));
        }
        Ok(Next::Passed(Passed {
            number,
            hash: EntryHash::of(bytes),
            signer: header.signer,
            unfit: Some("no key of the repository opens it".to_owned()),
        }))
    }

    /// Why this signer's checkpoint at a number is not believed, where it is not: by the same rules as his entries.
    pub(crate) fn refuses_checkpoint(&self, number: u64, signer: &Signer) -> Option<&'static str> {
        if *signer != self.owners && !self.introduced.contains_key(signer) {
            return Some("the owners did not introduce its signer");
        }
        if covers(&self.revoked, number, signer) {
            return Some("its signer was revoked");
        }
        let pinned = self.pinned.is_empty()
            || self.pinned.contains(&self.owners)
            || self.pinned.contains(signer);
        (!pinned).then_some("its signer is not among those that are trusted")
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
            self.apply_keys(believed.number, keys)?;
        }
        self.number = believed.number;
        self.hash = believed.hash;
        Ok(())
    }

    /// Takes the entry as passed over.
    pub(crate) fn pass(&mut self, passed: &Passed) {
        if let Some(reason) = &passed.unfit {
            self.note_passed(passed.number, passed.signer, reason.clone());
        }
        self.number = passed.number;
        self.hash = passed.hash;
    }

    /// Passes over a damaged entry, for readers that take what is left.
    pub(crate) fn skip(&mut self) {
        self.number += 1;
        self.hash = NOTHING_BEFORE;
        self.damaged.get_or_insert(self.number);
    }
}

fn covers(revoked: &BTreeMap<Signer, u64>, number: u64, signer: &Signer) -> bool {
    revoked.get(signer).is_some_and(|after| number > *after)
}
