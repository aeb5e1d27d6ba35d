//! Sealed exports as the repository knows them: what the log says of each, and the key that opens it.
//!
//! Write order: the key file, the export at its destination, its log entry. A crash leaves a key that opens nothing whole.
//! Erasing goes the other way round: first the entry that says so, then the key is deleted; run again it deletes what a
//! crash or a store left. Without the key the export is noise, wherever it lies.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use zeroize::Zeroizing;

use crate::keys::{Identity, Pair, Recipient, envelope};
use crate::log::{Body, Erase, Export};
use crate::magic::RECORD_BYTES_MAX;
use crate::repository::{Author, Inner};
use crate::storage::{Created, Remains, StorageFault};
use crate::{Error, FileName, KeyLack, Repository, Signer, SnapshotId};

/// The id of an export: a ULID in small letters, since it stands in names of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExportId(Ulid);

impl ExportId {
    /// A new one, made at this time.
    pub fn new(now: Timestamp) -> Result<Self, Error> {
        SnapshotId::new(now)?.to_string().parse()
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().to_ascii_lowercase())
    }
}

impl FromStr for ExportId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ulid::from_string(text).map(Self).map_err(|_| Error::Id {
            what: "the id of an export",
            text: text.chars().take(80).collect(),
        })
    }
}

impl TryFrom<String> for ExportId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ExportId> for String {
    fn from(id: ExportId) -> Self {
        id.to_string()
    }
}

/// An export that the log names.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownExport {
    /// The entry that says so.
    pub entry: u64,
    /// When it was written.
    pub time: Timestamp,
    /// Who signed it.
    pub signer: Signer,
    /// What it says.
    pub export: Export,
    /// The tombstone, where its key was erased.
    pub erased: Option<Erased>,
}

/// The entry that says that an export's key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Its number.
    pub entry: u64,
    /// When it was written.
    pub time: Timestamp,
}

impl Inner {
    pub(crate) async fn exports(&self) -> Result<Vec<KnownExport>, Error> {
        let mut known: Vec<KnownExport> = Vec::new();
        for (entry, signer, body) in self.counting("export").await? {
            if let Body::Export(export) = body.body {
                known.push(KnownExport {
                    entry,
                    time: body.time,
                    signer,
                    export: *export,
                    erased: None,
                });
            }
        }
        for (entry, _, body) in self.counting("erase").await? {
            let Body::Erase(erase) = body.body else {
                continue;
            };
            let time = body.time;
            let mut named = known.iter_mut();
            if let Some(named) = named.find(|known| known.export.export == erase.export) {
                named.erased.get_or_insert(Erased { entry, time });
            }
        }
        Ok(known)
    }

    pub(crate) async fn export_keys(&self) -> Result<BTreeSet<ExportId>, Error> {
        let mut files = self.storage.list(FileName::EXPORT_KEYS);
        let mut there = BTreeSet::new();
        while let Some(file) = files.try_next().await? {
            there.extend(file.name.export());
        }
        Ok(there)
    }
}

impl Repository {
    /// All exports that the log names, oldest first; those that a revoked signer wrote too late are left out.
    pub async fn exports(&self) -> Result<Vec<KnownExport>, Error> {
        self.inner.exports().await
    }

    /// The exports whose key files are there, by a listing: of an erased one the key is still to be deleted.
    pub async fn export_keys(&self) -> Result<BTreeSet<ExportId>, Error> {
        self.inner.export_keys().await
    }

    /// Makes the key pair of a new export, and stores its secret, wrapped for the owners and these auditors. The owners'
    /// part is one recipient, the repository's data key: whoever is an owner, today or later, opens it.
    pub async fn create_export_key(
        &self,
        export: ExportId,
        auditors: &[Recipient],
        now: Timestamp,
    ) -> Result<Pair, Error> {
        let data = self.inner.chain.lock().await.data.clone();
        let holders: Vec<&Recipient> = data.iter().chain(auditors).collect();
        if holders.is_empty() {
            return Err(Error::Key {
                what: "recipient",
                reason: "nothing is encrypted in this repository, so the key of an export needs a recipient of its own".to_owned(),
            });
        }
        if let Some(passphrase) = holders.iter().find(|holder| holder.is_passphrase()) {
            return Err(Error::Key {
                what: "recipient",
                reason: format!("{passphrase} stands alone in an age file"),
            });
        }
        let pair = Pair::generate();
        let text = pair.to_file_text(now);
        let stored = envelope::seal_for(&holders, text.expose_secret().as_bytes())?;
        let name = FileName::export_key(&export);
        match self.storage().create(&name, Bytes::from(stored)).await? {
            Created::New => Ok(pair),
            Created::Exists => Err(Error::Damaged {
                name,
                reason: "it was there before the export".to_owned(),
            }),
        }
    }

    /// The key pair of an export; none where its file is not there, because it was erased or there never was one. Of one that
    /// the log calls erased there is none either, though a store that refused to delete it may still have the file.
    pub async fn export_key(&self, export: ExportId) -> Result<Option<Pair>, Error> {
        let known = self.exports().await?;
        let mut named = known.iter().filter(|known| known.export.export == export);
        if named.any(|known| known.erased.is_some()) {
            return Ok(None);
        }
        let name = FileName::export_key(&export);
        let stored = match self.storage().read(&name, RECORD_BYTES_MAX).await {
            Ok(stored) => stored,
            Err(error) if error.fault == StorageFault::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let data = self.inner.ring().data.clone();
        let owners = self.inner.keys.owners.clone();
        let holders = data.into_iter().map(Identity::from).chain(owners);
        let holders = holders.collect();
        open_export_key(export, stored, holders).await.map(Some)
    }

    /// Writes that an export lies at its destination. Gives the entry's number.
    pub async fn log_export(&self, export: Export, now: Timestamp) -> Result<u64, Error> {
        let body = Body::Export(Box::new(export));
        self.say(body, now).await
    }

    /// Erases an export for ever: writes so, and deletes its key with the versions of it that the store keeps; gives what remains of
    /// it. Whether a hold forbids it is the caller's to know. Where the entry is there already, only the key is deleted.
    pub async fn erase_export(
        &self,
        export: ExportId,
        now: Timestamp,
    ) -> Result<(Erased, Remains), Error> {
        let known = self.exports().await?;
        let known = known.iter().find(|known| known.export.export == export);
        let erased = match known.and_then(|known| known.erased) {
            Some(erased) => erased,
            None => Erased {
                entry: self.say(Body::Erase(Erase { export }), now).await?,
                time: now,
            },
        };
        let key = FileName::export_key(&export);
        let remains = self.storage().delete_for_ever(&key).await?;
        Ok((erased, remains))
    }

    /// Who signs what this process adds: this machine, where the owners introduced it, else the owners where their key is at hand.
    pub async fn signer(&self) -> Option<Signer> {
        if matches!(self.author().await, Author::Owners) {
            return Some(self.inner.record.owners_signer);
        }
        let machine = self.inner.ring().machine.as_ref().map(|key| key.signer());
        let chain = self.inner.chain.lock().await;
        machine.filter(|signer| chain.knows(signer))
    }

    /// Adds an entry that this machine signs, or the owners where it is none of the repository's.
    async fn say(&self, body: Body, now: Timestamp) -> Result<u64, Error> {
        let inner = &self.inner;
        let author = self.author().await;
        let compute = || {
            let body = body.clone();
            async move { Ok(Some(body)) }.boxed()
        };
        let run = SnapshotId::new(now)?;
        let number = inner.append_as(author, run, now, compute).await?;
        number.ok_or(Error::Worker {
            what: "the log entry",
        })
    }

    /// Whether an entry about an export could be written now: to be known before anything is exported.
    pub async fn check_author(&self) -> Result<(), Error> {
        let signer = self.inner.signing(self.author().await)?.signer();
        let chain = self.inner.chain.lock().await;
        match (chain.damaged, chain.refusal(&signer)) {
            (Some(entry), _) => Err(Error::LogDamaged { entry }),
            (None, Some(reason)) => Err(Error::NoSigner { reason }),
            (None, None) => Ok(()),
        }
    }

    async fn author(&self) -> Author {
        match self.can_write().await {
            false if self.inner.ring().owners.is_some() && self.owners_count().await => {
                Author::Owners
            }
            _ => Author::Machine,
        }
    }

    /// Whether entries that the owners sign are believed here.
    async fn owners_count(&self) -> bool {
        let chain = self.inner.chain.lock().await;
        let pinned = chain.pinned();
        pinned.is_empty() || pinned.contains(&self.inner.record.owners_signer)
    }
}

/// The key pair in the stored key file of an export, by whichever of these holders opens it: for an auditor, who was given the
/// file and does not open the repository.
///
/// # Errors
/// [`Error::NoKey`] where none of them does, [`Error::Damaged`] where it is no such file.
pub async fn open_export_key(
    export: ExportId,
    stored: Bytes,
    holders: Vec<Identity>,
) -> Result<Pair, Error> {
    let damaged = |reason: String| Error::Damaged {
        name: FileName::export_key(&export),
        reason,
    };
    let opened = tokio::task::spawn_blocking(move || {
        let mut damage = None;
        for holder in holders {
            match envelope::open_for(&stored, &holder) {
                Ok(plain) => return Ok(Some(plain)),
                Err(envelope::Unopened::NoKeyFits) => {}
                Err(envelope::Unopened::Damaged(reason)) => damage = Some(reason),
            }
        }
        damage.map_or(Ok(None), Err)
    });
    let opened: Option<Zeroizing<Vec<u8>>> = opened
        .await
        .map_err(|_| Error::Worker { what: "decryption" })?
        .map_err(damaged)?;
    let plain = opened.ok_or(Error::NoKey(KeyLack::NoneFits))?;
    let text = std::str::from_utf8(&plain).map_err(|_| damaged("it is no text".to_owned()))?;
    let pairs = Pair::parse_file(text).map_err(|error| damaged(error.to_string()))?;
    let pair = pairs.into_iter().next();
    pair.ok_or_else(|| damaged("it holds no key".to_owned()))
}

#[cfg(test)]
mod tests;
