//! A repository: made by `init`, opened with keys, and from then on the place from which snapshots are written and read.

mod append;
mod checkpoints;
mod editions;
pub(crate) mod history;
mod holders;
mod init;
pub(crate) mod key_files;
mod open;
pub(crate) mod packs;
mod rekey;
mod resolve;
mod said;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::keys::ring::{Ring, RingCell};
use crate::log::chain::Chain;
use crate::read::objects::Objects;
use crate::removal::KnownReplacements;
use crate::{
    Catalogue, EntryHash, Error, KeyChain, KeyLack, MachineKey, Recipient, Record, RepositoryId,
    Resolved, Signer, SnapshotId, SnapshotReader, SnapshotRecord, SnapshotWriter, Storage,
};

pub(crate) use append::Author;
pub use holders::{Holder, KeySet, RevokedMachine};
pub use rekey::KeysChanged;
pub use said::Said;

/// What `init` is told.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// For whom contents are encrypted. At least one, unless `unencrypted`.
    pub owners: Vec<Recipient>,
    /// Whether nothing is encrypted. Signatures stay.
    pub unencrypted: bool,
    /// A pack is closed at about this size; 64 MiB is usual.
    pub pack_bytes: u64,
    /// This machine's name, for people.
    pub label: String,
    /// The program, such as `mlark 0.1.0`.
    pub program: String,
    /// The time.
    pub now: Timestamp,
}

/// A repository just made.
#[derive(Debug)]
pub struct Initialised {
    /// What it is.
    pub record: Record,
    /// This machine's key: to be written to `key_file` before anything else.
    pub machine_key: MachineKey,
}

/// How a repository is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The folder for caches: the catalogue lies in `<cache>/<repository id>/`, temporary packs too.
    pub cache: PathBuf,
    /// Signers to trust. Empty: those that the repository's own owners introduced.
    pub trusted_signers: Vec<Signer>,
    /// An entry that the log must hold, from a place outside.
    pub expect_head: Option<(u64, EntryHash)>,
    /// Whether a log with damaged entries is opened all the same, for reading what is left.
    pub tolerate_damage: bool,
    /// The program, such as `mlark 0.1.0`.
    pub program: String,
}

/// Something that happened while opening, to be told to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The catalogue was broken: it was moved aside to this path, and made anew.
    CatalogueRebuilt {
        /// Where the broken one lies now.
        moved_to: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// A file of the repository is damaged or of no use; reading went on without it.
    Damaged {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An entry of the log counts for nothing.
    PassedOver {
        /// Its number.
        entry: u64,
        /// Who signed it.
        signer: Signer,
        /// What is wrong with it; none where its signer was revoked before it.
        reason: Option<String>,
    },
    /// A checkpoint was due and could not be written: who opens the repository anew has more of the log to read.
    NoCheckpoint {
        /// The entry at which it was due.
        entry: u64,
        /// Why.
        reason: String,
    },
}

/// What this process can do with the repository, by the keys that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Sign and write; read names and sizes.
    Agent,
    /// Read contents.
    Owner,
}

/// An open repository. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) record: Record,
    pub(crate) ring: RingCell,
    /// The keys at hand, for editions of the key files to come.
    pub(crate) keys: KeyChain,
    pub(crate) catalogue: Catalogue,
    pub(crate) objects: Objects,
    pub(crate) chain: tokio::sync::Mutex<Chain>,
    notices: Vec<Notice>,
    /// What is to be told since it was opened.
    late: std::sync::Mutex<Vec<Notice>>,
    /// This repository's folder in the cache.
    pub(crate) folder: PathBuf,
    pub(crate) program: String,
    tolerate_damage: bool,
    /// What is known of packs whose place others took.
    pub(crate) repacked: KnownReplacements,
}

impl Inner {
    /// The repository's own keys, as they are now.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.get()
    }
}

impl Repository {
    /// Makes a repository. Refuses a place where one is, and a store that does not keep to create-only writes.
    pub async fn init(
        storage: Arc<dyn Storage>,
        options: InitOptions,
    ) -> Result<Initialised, Error> {
        init::init(storage, options).await
    }

    /// Opens a repository: reads its record, its keys, the new entries of its log, and brings the catalogue up to date.
    pub async fn open(
        storage: Arc<dyn Storage>,
        keys: KeyChain,
        options: OpenOptions,
    ) -> Result<Self, Error> {
        open::open(storage, keys, options).await
    }

    /// What it means that a place has no `repository.json`: nothing is there, or a repository lost it.
    pub async fn without_record(storage: &dyn Storage) -> Error {
        open::no_record(storage).await
    }

    /// Its id.
    pub fn id(&self) -> RepositoryId {
        self.inner.record.id
    }

    /// Its record.
    pub fn record(&self) -> &Record {
        &self.inner.record
    }

    /// Where it lies.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    /// What opening it had to tell.
    pub fn notices(&self) -> &[Notice] {
        &self.inner.notices
    }

    /// What the keys at hand allow.
    pub fn part(&self) -> Part {
        match self.contents_lack() {
            None => Part::Owner,
            Some(_) => Part::Agent,
        }
    }

    /// Why contents do not open with the keys at hand, where they do not.
    pub fn contents_lack(&self) -> Option<KeyLack> {
        self.inner.ring().data_lack()
    }

    /// Whether this machine's signing key is at hand and introduced, so that snapshots can be written.
    pub async fn can_write(&self) -> bool {
        let chain = self.inner.chain.lock().await;
        let ring = self.inner.ring();
        ring.machine
            .as_ref()
            .is_some_and(|machine| chain.knows(&machine.signer()))
    }

    /// The database of this machine about the repository.
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// The newest entry of the log that is known here: its number and its hash.
    pub async fn head(&self) -> Result<(u64, EntryHash), Error> {
        let end = self.inner.catalogue.log_end().await?;
        end.ok_or_else(|| Error::Damaged {
            name: crate::FileName::log(1),
            reason: "it is missing".to_owned(),
        })
    }

    /// Reads entries that others wrote since, and index files. Gives what there is to tell.
    pub async fn refresh(&self) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        self.inner.read_log(false, &mut notices).await?;
        self.inner.write_head().await?;
        self.inner.sync_packs(&mut notices).await?;
        notices.extend(self.late_notices());
        Ok(notices)
    }

    /// All snapshots that are not forgotten, oldest first.
    pub async fn history(&self) -> Result<Vec<SnapshotRecord>, Error> {
        self.inner.catalogue.snapshots().await
    }

    /// The record of a snapshot, also of one that is forgotten or whose signer was revoked; none where the log names none.
    pub async fn record_of(&self, id: SnapshotId) -> Result<Option<SnapshotRecord>, Error> {
        let records = self.inner.catalogue.records_of(vec![id]).await?;
        Ok(records.into_iter().next())
    }

    /// The workspaces that ever had a snapshot, also those of which all are forgotten.
    pub async fn workspaces(&self) -> Result<BTreeSet<String>, Error> {
        self.inner.catalogue.workspaces().await
    }

    /// Suspect snapshots that a person accepted.
    pub async fn accepted(&self) -> Result<Vec<SnapshotId>, Error> {
        self.inner.catalogue.accepted().await
    }

    /// The snapshot that a name means: an id, a unique prefix of one, `latest`, `latest:W`, `latest-any:W`, `W@TIME`
    /// (the newest not after that time). A suspect one is meant only by its id and by `latest-any`, until accepted.
    pub async fn resolve(&self, name: &str) -> Result<Resolved, Error> {
        match resolve::resolve(self.history().await?, &self.accepted().await?, name) {
            Err(error @ Error::SnapshotUnknown { .. }) => {
                Err(self.revoked(name).await?.unwrap_or(error))
            }
            resolved => resolved,
        }
    }

    /// Whether a name means a snapshot that counts for nothing.
    async fn revoked(&self, name: &str) -> Result<Option<Error>, Error> {
        let wanted = name.to_ascii_uppercase();
        let revoked = self.inner.catalogue.revoked_snapshots().await?;
        let found = revoked
            .into_iter()
            .find(|(id, _, _)| !wanted.is_empty() && id.to_string().starts_with(&wanted));
        Ok(found.map(|(id, entry, signer)| Error::Revoked { id, entry, signer }))
    }

    /// Reads a snapshot.
    pub fn snapshot(&self, record: &SnapshotRecord) -> SnapshotReader {
        SnapshotReader::new(self.clone(), record.clone())
    }

    /// Begins a snapshot of a workspace. Needs this machine's key.
    pub async fn begin(
        &self,
        workspace: &str,
        identity: Value,
        started: Timestamp,
    ) -> Result<SnapshotWriter, Error> {
        SnapshotWriter::begin(self.clone(), workspace.to_owned(), identity, started).await
    }

    /// How many bytes its packs take, by what the index says.
    pub async fn stored_bytes(&self) -> Result<u64, Error> {
        self.inner.catalogue.stored_bytes().await
    }

    /// Makes the lines and reaches of the catalogue anew where they are missing. Gives what there is to tell.
    pub async fn rebuild_catalogue(&self) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        self.inner.read_log(false, &mut notices).await?;
        self.inner.sync_packs(&mut notices).await?;
        self.inner.rebuild_lines(&mut notices).await?;
        Ok(notices)
    }
}
