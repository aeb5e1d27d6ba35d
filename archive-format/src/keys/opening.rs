//! Opens key files with the keys at hand: tries few files, spends a bounded amount of work, and says which file was it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use zeroize::Zeroizing;

use super::envelope::{self, Unopened};
use super::file::{KeyFileName, KeySort};
use super::{Identity, KeyChain};
use crate::log::{KeyFile, Keys};
use crate::magic::{EDITIONS_TRIED, PASSPHRASES_MAX, RECORD_BYTES_MAX};
use crate::storage::StorageFault;
use crate::{Digest, Error, Storage};

/// Passphrases that are tried on files at most, while one repository is opened: each may take seconds.
const PASSPHRASE_TRIALS_MAX: u32 = 2 * PASSPHRASES_MAX;

/// A secret, and the file that it came from.
#[derive(Debug)]
pub(super) struct Opened<T> {
    pub(super) file: KeyFile,
    pub(super) secret: T,
}

/// The files to try, and the keys to try on them.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    storage: &'a dyn Storage,
    /// The machine's key, which opens meta alone.
    machine: Option<Identity>,
    owners: &'a [Identity],
    /// By sort, the newest edition first.
    files: BTreeMap<KeySort, Vec<KeyFileName>>,
    /// The digests that the log names, and the entry in which it does.
    named: Option<(u64, &'a Keys)>,
    passphrase_trials: u32,
    /// The passphrase's number whose file opened first: its others are tried before those of other numbers.
    number: Option<u32>,
}

impl<'a> Opening<'a> {
    /// Tries what lies in the storage.
    pub(super) async fn by_listing(
        storage: &'a dyn Storage,
        keys: &'a KeyChain,
    ) -> Result<Self, Error> {
        let names = storage
            .list("keys/")
            .try_filter_map(|file| async move { Ok(KeyFileName::parse(file.name.as_str())) });
        let mut names: Vec<KeyFileName> = names.try_collect().await?;
        if names.is_empty() {
            return Err(Error::Damaged {
                name: crate::FileName::key(1, "meta")?,
                reason: "it is missing".to_owned(),
            });
        }
        names.sort_unstable_by(|left, right| right.cmp(left));
        Ok(Self::new(storage, keys, names, None))
    }

    /// Tries what a log entry names.
    pub(super) fn by_entry(
        storage: &'a dyn Storage,
        keys: &'a KeyChain,
        number: u64,
        entry: &'a Keys,
    ) -> Self {
        let names = entry.files.iter();
        let names = names.filter_map(|file| KeyFileName::parse(&file.name));
        Self::new(storage, keys, names.collect(), Some((number, entry)))
    }

    fn new(
        storage: &'a dyn Storage,
        keys: &'a KeyChain,
        names: Vec<KeyFileName>,
        named: Option<(u64, &'a Keys)>,
    ) -> Self {
        let mut files: BTreeMap<KeySort, Vec<KeyFileName>> = BTreeMap::new();
        for name in names {
            files.entry(name.sort).or_default().push(name);
        }
        Self {
            storage,
            machine: keys
                .machine
                .as_ref()
                .map(|machine| machine.identity.clone().into()),
            owners: &keys.owners,
            files,
            named,
            passphrase_trials: 0,
            number: None,
        }
    }

    /// Opens a file of this sort: the first that a key at hand opens, and that `read` takes for one. None where no key
    /// fits any. In a file that the log names nothing may be wrong; of those that merely lie there, the next is tried.
    pub(super) async fn open<T>(
        &mut self,
        sort: KeySort,
        read: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Option<Opened<T>>, Error> {
        let mut names = self.files.remove(&sort).unwrap_or_default();
        if let Some(number) = self.number {
            names.sort_by_key(|name| name.passphrase.is_some_and(|other| other != number));
        }
        let mut editions = Vec::new();
        let mut damage = None;
        for name in names {
            let holders = self.holders(&name);
            if holders.is_empty() {
                continue;
            }
            if !editions.contains(&name.edition) {
                editions.push(name.edition);
            }
            if editions.len() > EDITIONS_TRIED {
                break;
            }
            let failed = match self.try_file(&name, holders, &read).await {
                Ok(Some(opened)) => {
                    self.number = self.number.or(name.passphrase);
                    return Ok(Some(opened));
                }
                Ok(None) => continue,
                Err(error) => error,
            };
            if self.named.is_some() || !failed.is_damage() {
                return Err(failed);
            }
            damage.get_or_insert(failed);
        }
        damage.map_or(Ok(None), Err)
    }

    /// The keys that could open a file of this name.
    fn holders(&self, name: &KeyFileName) -> Vec<Identity> {
        let machine = self.machine.as_ref();
        let machine = machine.filter(|_| name.sort == KeySort::Meta && name.passphrase.is_none());
        let owners = self.owners.iter();
        owners
            .filter(|owner| owner.is_passphrase() == name.passphrase.is_some())
            .chain(machine)
            .cloned()
            .collect()
    }

    async fn try_file<T>(
        &mut self,
        name: &KeyFileName,
        holders: Vec<Identity>,
        read: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Option<Opened<T>>, Error> {
        let Some((file, stored)) = self.stored(name).await? else {
            return Ok(None);
        };
        let stored = Arc::new(stored);
        let mut damage = None;
        for holder in holders {
            if holder.is_passphrase() {
                self.passphrase_trials += 1;
                if self.passphrase_trials > PASSPHRASE_TRIALS_MAX {
                    return Ok(None);
                }
            }
            let stored = Arc::clone(&stored);
            let opened = tokio::task::spawn_blocking(move || envelope::open_for(&stored, &holder));
            let opened = opened
                .await
                .map_err(|_| Error::Worker { what: "decryption" })?;
            let damaged = |reason: String| {
                let name = name.to_file_name()?;
                Err(Error::Damaged { name, reason })
            };
            match opened {
                Ok(plain) => {
                    let text =
                        std::str::from_utf8(&plain).map(|text| Zeroizing::new(text.to_owned()));
                    let Ok(text) = text else {
                        return damaged("it is not text".to_owned());
                    };
                    // What opens and is no key was put there by somebody else.
                    return match read(&text) {
                        Ok(secret) => Ok(Some(Opened { file, secret })),
                        Err(error) => damaged(error.to_string()),
                    };
                }
                Err(Unopened::NoKeyFits) => {}
                Err(Unopened::Damaged(reason)) => damage = Some(reason),
            }
        }
        match damage {
            Some(reason) => Err(Error::Damaged {
                name: name.to_file_name()?,
                reason,
            }),
            None => Ok(None),
        }
    }

    /// The bytes of a file and their digest. One that the log names must be there and be the one; one that was listed
    /// may be gone by now.
    async fn stored(&self, name: &KeyFileName) -> Result<Option<(KeyFile, Bytes)>, Error> {
        let file_name = name.to_file_name()?;
        let stored = self.storage.read(&file_name, RECORD_BYTES_MAX).await;
        let stored = match (stored, self.named) {
            (Ok(stored), _) => stored,
            (Err(error), None) if error.fault == StorageFault::NotFound => return Ok(None),
            (Err(error), Some((number, _))) if error.fault == StorageFault::NotFound => {
                return Err(Error::Damaged {
                    name: file_name,
                    reason: format!("it is missing, and log entry {number} names it"),
                });
            }
            (Err(error), _) if error.fault == StorageFault::TooLarge => {
                return Err(Error::Damaged {
                    name: file_name,
                    reason: "it is too large".to_owned(),
                });
            }
            (Err(error), _) => return Err(error.into()),
        };
        let file = KeyFile {
            name: name.to_string(),
            sha256: Digest::of(&stored),
        };
        match self.named {
            Some((number, entry)) if !entry.files.contains(&file) => Err(Error::Forged {
                what: file.name,
                reason: format!("it is not the file that log entry {number} names"),
            }),
            _ => Ok(Some((file, stored))),
        }
    }
}
