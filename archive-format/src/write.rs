//! Writing a snapshot.

mod commit;
mod file;
mod filler;
mod folder;
mod objects;
mod packer;
mod spool;

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use self::folder::RunFolder;
pub(crate) use self::objects::FreshObjects;
use self::packer::Packer;
use self::spool::Spool;
use crate::magic::SECRET_SALT_BYTES;
use crate::pack::Class;
use crate::{
    Address, ByteCounts, Content, Error, FileCounts, KindCounts, Line, LineKey, Original, Outcome,
    Repository, SecretEntry, SnapshotId, SnapshotRecord, json,
};

/// How long something is likely to live: packs are filled by it, so that whole packs die together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifetime {
    /// Documents and secrets.
    Documents,
    /// Files of models, code, environments, notebooks, data.
    Files,
    /// Logs, metrics and outputs of jobs.
    Outputs,
}

impl Lifetime {
    fn class(self) -> Class {
        match self {
            Self::Documents => Class::Documents,
            Self::Files => Class::Files,
            Self::Outputs => Class::Outputs,
        }
    }
}

/// An object that is in the repository, or will be by the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its address.
    pub address: Address,
    /// Its length in bytes.
    pub size: u64,
}

/// Where a secret belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// The JSON pointer in the document.
    pub pointer: String,
    /// The form of the document; none: no document carries it.
    pub form: Option<String>,
}

/// Why a file was not stored: its source failed, or the archive.
#[derive(Debug, thiserror::Error)]
pub enum FileError<E: std::error::Error + 'static> {
    /// The stream ended in an error. Nothing is wrong with the archive.
    #[error("The file could not be read")]
    Source(#[source] E),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] Error),
}

/// What a commit says besides the lines.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// How the run ended.
    pub outcome: Outcome,
    /// When it ended: now.
    pub finished: Timestamp,
    /// Items by kind.
    pub items: std::collections::BTreeMap<String, KindCounts>,
    /// Files.
    pub files: FileCounts,
    /// Bytes listed and read; `new` and `stored` are filled in by the writer.
    pub bytes: ByteCounts,
    /// Requests sent.
    pub requests: u64,
    /// Tags.
    pub tags: Vec<String>,
    /// A copy: what it is of, and when it is written, since then `finished` is the original's.
    pub copy: Option<(Original, Timestamp)>,
    /// Further fields of the record, for whoever makes snapshots; opaque here.
    pub more: Map<String, Value>,
}

/// Writes one run's snapshots. Every method may be called from many tasks at once; memory stays bounded.
#[derive(Debug)]
pub struct SnapshotWriter {
    repository: Repository,
    workspace: String,
    identity: Value,
    started: Timestamp,
    run: SnapshotId,
    committed: tokio::sync::Mutex<bool>,
    packer: Arc<Packer>,
    spool: Spool,
    slots: Semaphore,
    // The last field, since it removes the files of the others.
    _folder: RunFolder,
}

/// Files of more than one chunk that are cut at once: each has buffers of some 16 MiB.
const LARGE_FILES_AT_ONCE: usize = 4;

impl SnapshotWriter {
    pub(crate) async fn begin(
        repository: Repository,
        workspace: String,
        identity: Value,
        started: Timestamp,
    ) -> Result<Self, Error> {
        let inner = &repository.inner;
        // Another machine may have changed the keys since: packs are encrypted to those of now.
        inner.read_log(false, &mut Vec::new()).await?;
        inner.learn_repacked().await?;
        {
            let chain = inner.chain.lock().await;
            if let Some(entry) = chain.damaged {
                return Err(Error::LogDamaged { entry });
            }
            let ring = inner.ring();
            let machine = ring.machine.as_ref().ok_or(Error::NoSigner {
                reason: "no machine key was given",
            })?;
            if let Some(reason) = chain.refusal(&machine.signer()) {
                return Err(Error::NoSigner { reason });
            }
        }
        let run = SnapshotId::new(started)?;
        let repository_folder = inner.folder.clone();
        let made = tokio::task::spawn_blocking(move || {
            let folder = RunFolder::create(&repository_folder, run)?;
            let spool = Spool::create(&folder.path().join("lines.sqlite"))?;
            Ok::<_, Error>((folder, spool))
        });
        let (folder, spool) = made.await.map_err(|_| Error::Worker {
            what: "the run's folder",
        })??;
        let packer = Arc::new(Packer::begin(inner, &folder, false).await);
        Ok(Self {
            workspace,
            identity,
            started,
            run,
            committed: tokio::sync::Mutex::new(false),
            packer,
            spool,
            slots: Semaphore::new(LARGE_FILES_AT_ONCE),
            _folder: folder,
            repository,
        })
    }

    /// The run's id.
    pub fn run(&self) -> SnapshotId {
        self.run
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Stores a document as canonical JSON.
    pub async fn document(&self, document: &Value) -> Result<Stored, Error> {
        let bytes = json::canonical(document);
        // In a task of its own: whoever fills the frame that many share holds the documents of others, so it must not be
        // dropped where only this one is wanted no more.
        let packer = Arc::clone(&self.packer);
        let storing =
            tokio::spawn(async move { packer.store(Class::Documents, bytes.into()).await });
        storing.await.map_err(|_| Error::Worker {
            what: "storing a document",
        })?
    }

    /// Stores the bytes of a file as they come, in bounded memory. Its size and SHA-256 are in the answer.
    pub async fn file<S, E>(&self, lifetime: Lifetime, stream: S) -> Result<Content, FileError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        file::store(self, lifetime.class(), stream).await
    }

    /// Stores a secret, unless it is the one that `previous` names. Refused in an unencrypted repository.
    pub async fn secret(
        &self,
        place: SecretPlace,
        secret: &[u8],
        previous: Option<&SecretEntry>,
    ) -> Result<SecretEntry, Error> {
        let inner = &self.repository.inner;
        if !inner.ring().encrypted {
            return Err(Error::SecretsNeedEncryption);
        }
        let hmac = inner.ring().secret_mac(secret)?;
        if let Some(previous) = previous
            && previous.hmac == hmac
            && inner.catalogue.is_known(previous.address).await?
        {
            return Ok(SecretEntry {
                pointer: place.pointer,
                form: place.form,
                ..previous.clone()
            });
        }
        let mut salted = vec![0; SECRET_SALT_BYTES];
        getrandom::fill(&mut salted).map_err(|_| Error::Worker {
            what: "the source of random bytes",
        })?;
        salted.extend_from_slice(secret);
        let stored = self.packer.store(Class::Documents, salted.into()).await?;
        Ok(SecretEntry {
            pointer: place.pointer,
            form: place.form,
            address: stored.address,
            size: stored.size,
            hmac,
        })
    }

    /// The same secret as an entry of another repository, whose object was stored here too.
    pub(crate) fn same_secret(
        &self,
        entry: &SecretEntry,
        secret: &SecretSlice<u8>,
    ) -> Result<SecretEntry, Error> {
        let hmac = self
            .repository
            .inner
            .ring()
            .secret_mac(secret.expose_secret())?;
        Ok(SecretEntry {
            hmac,
            ..entry.clone()
        })
    }

    /// Whether an object is in a pack that may be named, or on its way there.
    pub(crate) async fn has_object(&self, address: Address) -> Result<bool, Error> {
        self.packer.has(address).await
    }

    /// Stores an object whose address was checked.
    pub(crate) async fn object(
        &self,
        class: Class,
        address: Address,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let stored = self.packer.store_hashed(class, address, bytes).await;
        stored.map(drop)
    }

    /// Whether every object that the line names is in a pack that may be named: only then may an old line be staged again.
    pub async fn reusable(&self, line: &Line) -> Result<bool, Error> {
        for address in line.addresses() {
            if !self.repository.inner.catalogue.is_known(address).await? {
                return Ok(false);
            }
        }
        for list in line
            .files
            .iter()
            .filter_map(|file| file.content.as_ref()?.chunk_list)
        {
            if commit::reach_of_list(&self.repository.inner, list.address, list.depth)
                .await?
                .is_none()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stages an item, in any order: its line of any length, which is cut into parts where needed. Replaces all parts
    /// that were staged for the item.
    pub async fn line(&self, line: Line) -> Result<(), Error> {
        self.spool.put(line, true).await
    }

    /// Stages further parts of an item, after those there.
    pub async fn append(&self, line: Line) -> Result<(), Error> {
        self.spool.put(line, false).await
    }

    /// Takes an item out again, with all its parts.
    pub async fn remove(&self, key: &LineKey) -> Result<(), Error> {
        self.spool.remove(key).await
    }

    /// Whether the item is staged.
    pub async fn has(&self, key: &LineKey) -> Result<bool, Error> {
        self.spool.has(key).await
    }

    /// Keys of staged items after `after`, in the manifest's order, at most `limit`; `part` is 0 in each.
    pub async fn keys(&self, after: Option<&LineKey>, limit: usize) -> Result<Vec<LineKey>, Error> {
        self.spool.items(after, limit).await
    }

    /// The staged lines of an item.
    pub async fn staged(&self, key: &LineKey) -> Result<Vec<Line>, Error> {
        self.spool.lines_of(key).await
    }

    /// Bytes in objects that the repository did not have (`new`), and what new packs take there so far (`stored`).
    pub fn written(&self) -> ByteCounts {
        ByteCounts {
            new: self.packer.new_bytes(),
            stored: self.packer.stored_bytes(),
            ..ByteCounts::default()
        }
    }

    /// Commits what is staged as a snapshot. May be called again later in the same run, with more staged; items that
    /// are being stored meanwhile go on.
    /// [`Error::Gone`] names items whose content must be stored again first.
    pub async fn commit(&self, commit: Commit) -> Result<SnapshotRecord, Error> {
        commit::commit(self, commit).await
    }
}

#[cfg(test)]
mod tests;
