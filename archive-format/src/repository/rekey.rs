//! Changes of keys: who holds them, new pairs, and the line after a theft.
//!
//! Write order: the key files of a new edition, then one `keys` entry that names them, and only when that is stored the
//! superseded files go, where the storage lets them. What a crash leaves is named by no entry, and goes with the next
//! change. No pack is touched.

use std::sync::Mutex;

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::Map;

use super::append::Author;
use super::holders::same;
use super::{Inner, Repository};
use crate::keys::edition::{Secrets, Wrapping};
use crate::keys::envelope;
use crate::keys::file::{KeyFileName, KeySort};
use crate::keys::ring::Ring;
use crate::keys::{Introduction, Pair, Recipient, label};
use crate::log::{Body, HolderSort, KeyFile, KeyHolder, Keys, Revoked};
use crate::magic::{PASSPHRASES_MAX, RECORD_BYTES_MAX};
use crate::storage::{Created, StorageFault};
use crate::{Digest, EntryHash, Error, FileName, KeyLack, Signer, SnapshotId};

/// How many numbers of an edition are tried: others may be changing keys too, and crashes leave files.
const EDITIONS_AHEAD: u32 = 1000;

/// A change of keys that took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysChanged {
    /// The log entry.
    pub entry: u64,
    /// The edition of the key files from now on.
    pub edition: u32,
    /// Superseded key files that the storage did not let go, with its reason. They harm nothing.
    pub kept: Vec<(FileName, String)>,
}

/// What is to be changed.
#[derive(Clone, Debug)]
enum Change {
    AddOwner(Recipient, String),
    AddMachine(Introduction),
    Remove(KeyHolder),
    Rotate(Vec<Recipient>),
    Revoke(Signer, u64),
}

/// What a change makes of the newest `keys` entry.
struct Changed {
    holders: Vec<KeyHolder>,
    revoked: Vec<Revoked>,
    /// Passphrases that are at hand, by their numbers.
    passphrases: Vec<(u32, Recipient)>,
    /// Whether new pairs are made.
    new_pairs: bool,
}

impl Repository {
    /// Lets another owner read everything: what is there and what is to come.
    pub async fn add_owner(
        &self,
        recipient: Recipient,
        name: &str,
        now: Timestamp,
    ) -> Result<KeysChanged, Error> {
        if !self.inner.ring().encrypted {
            return Err(refused(
                name,
                "nothing is encrypted, so nobody needs a key to read",
            ));
        }
        let name = label(name, recipient.comment().unwrap_or("owner"));
        self.change(Change::AddOwner(recipient, name), now).await
    }

    /// Introduces another machine: it may write from then on.
    pub async fn add_machine(
        &self,
        machine: Introduction,
        now: Timestamp,
    ) -> Result<KeysChanged, Error> {
        if machine.repository != self.id() {
            return Err(refused(&machine.label, "its key is for another repository"));
        }
        self.change(Change::AddMachine(machine), now).await
    }

    /// Leaves a holder out of the key files from now on: by label, recipient or signer. What he read he keeps, the
    /// repository's keys of today among it; [`Repository::rotate_keys`] makes new ones for what is to come.
    pub async fn remove_holder(&self, name: &str, now: Timestamp) -> Result<KeysChanged, Error> {
        self.refresh_log().await?;
        let holder = self.keys().await?.find(name)?.clone();
        self.change(Change::Remove(holder), now).await
    }

    /// Makes new data and meta pairs for what is written from now on. The passphrases of all owners who have one are
    /// needed, since nobody else can wrap anything for them.
    pub async fn rotate_keys(
        &self,
        passphrases: Vec<Recipient>,
        now: Timestamp,
    ) -> Result<KeysChanged, Error> {
        if !self.inner.ring().encrypted {
            return Err(refused(
                "all",
                "nothing is encrypted, so there is no pair to make anew",
            ));
        }
        self.change(Change::Rotate(passphrases), now).await
    }

    /// Draws a line after an entry: what this machine signed behind it counts for nothing, what it signs from now on too.
    /// With a hash the entry must be that one.
    pub async fn revoke(
        &self,
        name: &str,
        after: (u64, Option<EntryHash>),
        now: Timestamp,
    ) -> Result<KeysChanged, Error> {
        self.refresh_log().await?;
        let signer = self.keys().await?.find_machine(name)?;
        let (after, hash) = after;
        let known = self.inner.catalogue.entry_hash(after).await?;
        if (known.is_none() && after > 0) || hash.is_some_and(|hash| known != Some(hash)) {
            return Err(Error::Rollback {
                remembered: after,
                found: if known.is_none() {
                    "missing"
                } else {
                    "another one"
                },
            });
        }
        self.change(Change::Revoke(signer, after), now).await
    }

    async fn refresh_log(&self) -> Result<(), Error> {
        self.inner.read_log(false, &mut Vec::new()).await
    }

    async fn change(&self, change: Change, now: Timestamp) -> Result<KeysChanged, Error> {
        let inner = &self.inner;
        let made = Mutex::new(None);
        let compute = || {
            async {
                let keys = inner.changed_keys(&change, now).await?;
                if let Ok(mut made) = made.lock() {
                    *made = Some(keys.clone());
                }
                Ok(Some(Body::Keys(Box::new(keys))))
            }
            .boxed()
        };
        let run = SnapshotId::new(now)?;
        let entry = match inner.append_as(Author::Owners, run, now, compute).await {
            // The key may be the right one, and the file that it opens damaged: then that is told.
            Err(lack @ Error::NoKey(KeyLack::OwnersSigning)) => {
                return Err(inner.damaged_key_file().await?.unwrap_or(lack));
            }
            entry => entry?,
        };
        // The new edition is opened at once, so that a mistake in it is found here.
        match inner.read_log(false, &mut Vec::new()).await {
            // Who leaves himself out cannot.
            Err(Error::NoKey(KeyLack::Removed)) => {}
            read => read?,
        }
        let keys = made.into_inner().ok().flatten();
        let (Some(entry), Some(keys)) = (entry, keys) else {
            return Err(Error::Worker {
                what: "the change of keys",
            });
        };
        Ok(KeysChanged {
            entry,
            edition: keys.edition,
            kept: inner.remove_superseded(&keys).await?,
        })
    }
}

impl Inner {
    /// The `keys` entry that a change makes of the log as it is. Its files are stored when this returns.
    async fn changed_keys(&self, change: &Change, now: Timestamp) -> Result<Keys, Error> {
        let ring = self.ring();
        let (before, changed) = {
            let chain = self.chain.lock().await;
            let (_, before) = chain.keys.clone().ok_or(Error::LogDamaged { entry: 1 })?;
            let next = chain.number + 1;
            let refuse = |signer: &Signer| chain.revoked_after(signer);
            let changed = change.apply(&before, next, ring.encrypted, refuse)?;
            (before, changed)
        };
        let mut keys = Keys {
            edition: before.edition.saturating_add(1),
            files: Vec::new(),
            holders: changed.holders,
            data: before.data.clone(),
            meta: before.meta.clone(),
            revoked: changed.revoked,
            more: Map::new(),
        };
        if !ring.encrypted {
            return Ok(keys);
        }
        let mut secrets = secrets(&ring)?;
        let passphrases = if changed.new_pairs {
            secrets.data.insert(0, Pair::generate());
            secrets.meta.insert(0, Pair::generate());
            keys.data = secrets.data.first().map(Pair::to_public_text);
            keys.meta = secrets.meta.first().map(Pair::to_public_text);
            self.numbered(&before, &changed.passphrases).await?
        } else {
            changed.passphrases
        };
        let wrapping = wrapping(&keys.holders, passphrases)?;
        let kept = kept_files(&before, &keys.holders, &wrapping);
        let sealed = tokio::task::spawn_blocking(move || secrets.seal(&wrapping, now));
        let sealed = sealed
            .await
            .map_err(|_| Error::Worker { what: "encryption" })??;
        (keys.edition, keys.files) = self.store_edition(keys.edition, sealed).await?;
        keys.files.extend(kept);
        Ok(keys)
    }

    /// Which passphrase belongs to which number: the one that opens its file. Each owner's must be there.
    async fn numbered(
        &self,
        before: &Keys,
        given: &[(u32, Recipient)],
    ) -> Result<Vec<(u32, Recipient)>, Error> {
        let mut numbered = Vec::new();
        for holder in &before.holders {
            let Some(number) = holder.passphrase else {
                continue;
            };
            let mut fitting = None;
            for (_, passphrase) in given {
                if self.opens(before, number, passphrase).await? {
                    fitting = Some(passphrase.clone());
                    break;
                }
            }
            let fitting = fitting.ok_or_else(|| {
                refused(
                    &holder.label,
                    "the new keys can be wrapped for this owner only with the passphrase, and it was not given",
                )
            })?;
            numbered.push((number, fitting));
        }
        Ok(numbered)
    }

    async fn opens(&self, keys: &Keys, number: u32, passphrase: &Recipient) -> Result<bool, Error> {
        let is_wanted = |file: &&KeyFile| {
            KeyFileName::parse(&file.name)
                .is_some_and(|name| name.sort == KeySort::Meta && name.passphrase == Some(number))
        };
        let (Some(file), Some(identity)) = (
            keys.files.iter().find(is_wanted),
            passphrase.to_passphrase_identity(),
        ) else {
            return Ok(false);
        };
        let name = FileName::new(file.name.clone())?;
        let stored = self.storage.read(&name, RECORD_BYTES_MAX).await?;
        if Digest::of(&stored) != file.sha256 {
            return Err(Error::Forged {
                what: file.name.clone(),
                reason: "it is not the file that the log names".to_owned(),
            });
        }
        tokio::task::spawn_blocking(move || envelope::open_for(&stored, &identity).is_ok())
            .await
            .map_err(|_| Error::Worker { what: "decryption" })
    }

    /// Creates the files of an edition, under the first number from `edition` on whose names are all free.
    async fn store_edition(
        &self,
        edition: u32,
        sealed: Vec<(KeyFileName, Bytes)>,
    ) -> Result<(u32, Vec<KeyFile>), Error> {
        let last = edition.saturating_add(EDITIONS_AHEAD);
        'editions: for edition in edition..=last {
            let mut files = Vec::new();
            for (name, bytes) in &sealed {
                let name = KeyFileName { edition, ..*name };
                if !self.create_key_file(&name.to_file_name()?, bytes).await? {
                    continue 'editions;
                }
                files.push(KeyFile {
                    name: name.to_string(),
                    sha256: Digest::of(bytes),
                });
            }
            return Ok((edition, files));
        }
        Err(Error::Limit {
            what: "The number of key files that no entry names".to_owned(),
            limit: EDITIONS_AHEAD.into(),
            found: u64::from(EDITIONS_AHEAD) + 1,
        })
    }

    /// Creates one; false where another has the name. A lost answer is settled by reading.
    async fn create_key_file(&self, name: &FileName, bytes: &Bytes) -> Result<bool, Error> {
        match self.storage.create(name, bytes.clone()).await {
            Ok(created) => Ok(created == Created::New),
            Err(error) if error.fault == StorageFault::Unclear => {
                match self.storage.read(name, RECORD_BYTES_MAX).await {
                    Ok(stored) => Ok(stored == *bytes),
                    Err(_) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes key files of older editions that the entry does not name. A storage that refuses keeps them.
    async fn remove_superseded(&self, keys: &Keys) -> Result<Vec<(FileName, String)>, Error> {
        let files = self.storage.list("keys/");
        let files: Vec<FileName> = files.map_ok(|file| file.name).try_collect().await?;
        let mut kept = Vec::new();
        for name in files {
            let superseded = KeyFileName::parse(name.as_str()).is_some_and(|parsed| {
                parsed.edition < keys.edition
                    && keys.files.iter().all(|file| file.name != name.as_str())
            });
            if superseded && let Err(error) = self.storage.delete(&name).await {
                kept.push((name, error.source.to_string()));
            }
        }
        Ok(kept)
    }
}

impl Change {
    /// What becomes of the holders. `next` is the number that the entry will have, `revoked_after` where a signer's line
    /// is drawn.
    fn apply(
        &self,
        before: &Keys,
        next: u64,
        encrypted: bool,
        revoked_after: impl Fn(&Signer) -> Option<u64>,
    ) -> Result<Changed, Error> {
        let mut changed = Changed {
            holders: before.holders.clone(),
            revoked: before.revoked.clone(),
            passphrases: Vec::new(),
            new_pairs: false,
        };
        match self {
            Self::AddOwner(recipient, name) => changed.add_owner(recipient, name)?,
            Self::AddMachine(machine) => {
                if revoked_after(&machine.signer).is_some() {
                    return Err(refused(
                        &machine.label,
                        "this key was removed or revoked and never comes back; make a new one",
                    ));
                }
                changed.add(KeyHolder {
                    sort: HolderSort::Machine,
                    label: machine.label.clone(),
                    recipient: encrypted
                        .then(|| machine.recipient.to_public_text())
                        .flatten(),
                    signer: Some(machine.signer),
                    passphrase: None,
                })?;
            }
            Self::Remove(holder) => changed.remove(holder, next)?,
            Self::Rotate(passphrases) => {
                changed.new_pairs = true;
                changed.passphrases = (1..).zip(passphrases.iter().cloned()).collect();
            }
            Self::Revoke(signer, after) => {
                if let Some(line) = revoked_after(signer).filter(|line| line <= after) {
                    return Err(refused(
                        &signer.to_string(),
                        &format!("it was revoked after entry {line} already"),
                    ));
                }
                changed.draw_line(*signer, *after);
            }
        }
        Ok(changed)
    }
}

impl Changed {
    fn add(&mut self, holder: KeyHolder) -> Result<(), Error> {
        let known = self.holders.iter().any(|known| {
            same(known, &holder) || (known.signer.is_some() && known.signer == holder.signer)
        });
        if known {
            return Err(refused(&holder.label, "it holds a key already"));
        }
        self.holders.push(holder);
        Ok(())
    }

    fn add_owner(&mut self, recipient: &Recipient, name: &str) -> Result<(), Error> {
        let mut number = None;
        if recipient.is_passphrase() {
            let taken = |number: &u32| {
                self.holders
                    .iter()
                    .any(|holder| holder.passphrase == Some(*number))
            };
            let free = (1..=PASSPHRASES_MAX).find(|number| !taken(number));
            let free = free.ok_or_else(|| {
                refused(
                    name,
                    &format!("there are {PASSPHRASES_MAX} passphrases already"),
                )
            })?;
            self.passphrases.push((free, recipient.clone()));
            number = Some(free);
        }
        self.add(KeyHolder {
            sort: HolderSort::Owner,
            label: name.to_owned(),
            recipient: recipient.to_public_text(),
            signer: None,
            passphrase: number,
        })
    }

    fn remove(&mut self, holder: &KeyHolder, next: u64) -> Result<(), Error> {
        let before = self.holders.len();
        self.holders.retain(|known| !same(known, holder));
        if self.holders.len() == before {
            return Err(refused(&holder.label, "it holds no key any more"));
        }
        let owners = self.holders.iter();
        let owners = owners.filter(|holder| holder.sort == HolderSort::Owner);
        if holder.sort == HolderSort::Owner && owners.count() == 0 {
            return Err(refused(
                &holder.label,
                "it is the last owner, and without one no backup could ever be read again",
            ));
        }
        // Its entries up to this one stay what they were.
        if let Some(signer) = holder.signer {
            self.revoked.push(Revoked {
                signer,
                after: next,
            });
        }
        Ok(())
    }

    /// One line a signer, the earlier one. Who is revoked holds no key any more.
    fn draw_line(&mut self, signer: Signer, after: u64) {
        self.holders.retain(|holder| holder.signer != Some(signer));
        self.revoked.retain(|revoked| revoked.signer != signer);
        self.revoked.push(Revoked { signer, after });
    }
}

fn refused(name: &str, reason: &str) -> Error {
    Error::Holder {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

fn secrets(ring: &Ring) -> Result<Secrets, Error> {
    match &ring.owners {
        Some(sign) if !ring.data.is_empty() && !ring.meta.is_empty() => Ok(Secrets {
            data: ring.data.clone(),
            meta: ring.meta.clone(),
            sign: sign.clone(),
        }),
        _ => Err(Error::NoKey(KeyLack::OwnersSigning)),
    }
}

/// For whom the new files are made: all but the passphrases that are not at hand.
fn wrapping(holders: &[KeyHolder], passphrases: Vec<(u32, Recipient)>) -> Result<Wrapping, Error> {
    let of = |sort: HolderSort| {
        holders
            .iter()
            .filter(move |holder| holder.sort == sort)
            .filter_map(|holder| holder.recipient.as_deref())
            .map(Recipient::parse)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Wrapping {
        owners: of(HolderSort::Owner)?,
        machines: of(HolderSort::Machine)?,
        passphrases,
    })
}

/// The files of passphrases that stay: their owners are still there, and nothing new was made for them.
fn kept_files(before: &Keys, holders: &[KeyHolder], wrapping: &Wrapping) -> Vec<KeyFile> {
    let stays = |file: &&KeyFile| {
        let number = KeyFileName::parse(&file.name).and_then(|name| name.passphrase);
        number.is_some()
            && holders.iter().any(|holder| holder.passphrase == number)
            && wrapping
                .passphrases
                .iter()
                .all(|(made, _)| Some(*made) != number)
    };
    before.files.iter().filter(stays).cloned().collect()
}
