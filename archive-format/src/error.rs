//! What can go wrong with an archive. A variant names the act or thing that failed; the cause is behind `source()`.

use std::path::PathBuf;

use crate::manifest::LineKey;
use crate::storage::{FileName, StorageError};
use crate::{Address, Signer};

/// Why no key opens what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLack {
    /// No key was given at all.
    NoneGiven,
    /// Keys were given, and none of them opens this repository.
    NoneFits,
    /// The machine's key opened names and sizes; contents need an owner's key.
    MachineOnly,
    /// The machine's key opened names and sizes, and the owner's key that was given opens nothing.
    OwnerUnfit,
    /// The key opens an older edition of the key files; the owners made a newer one without it.
    Removed,
    /// Changing keys needs the owners' signing key, which no key at hand opens.
    OwnersSigning,
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No repository lies there.
    #[error("There is no repository at {place}")]
    NotARepository {
        /// The storage, as it describes itself.
        place: String,
    },
    /// A repository lies there already.
    #[error("There is a repository at {place} already")]
    AlreadyARepository {
        /// The storage, as it describes itself.
        place: String,
    },
    /// The storage overwrites where it was told to create only, so that two commits could take the same number.
    #[error("The storage {place} does not keep to create-only writes")]
    CreateNotExclusive {
        /// The storage, as it describes itself.
        place: String,
    },
    /// The storage refuses deletes, so nothing is swept.
    #[error("The storage {place} does not allow files to be deleted, so nothing is swept")]
    DeletesRefused {
        /// The storage, as it describes itself.
        place: String,
    },
    /// A format version that this program does not know.
    #[error("{what} has format version {found}, and this program reads version {known}")]
    UnknownVersion {
        /// What has it: the repository, a pack.
        what: String,
        /// The version found.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// A feature flag that this program does not know.
    #[error("{what} needs the feature `{flag}`, which this program does not know")]
    UnknownFlag {
        /// What needs it.
        what: String,
        /// The flag.
        flag: String,
    },
    /// No key opens what was asked for.
    #[error("{}", match .0 {
        KeyLack::NoneGiven => "The repository is encrypted and no key was given",
        KeyLack::NoneFits => "None of the given keys opens the repository",
        KeyLack::MachineOnly => "The machine's key does not open contents; an owner's key does",
        KeyLack::OwnerUnfit => "The given owner's key opens no contents of this repository",
        KeyLack::Removed => "The owners took the given key out of the repository",
        KeyLack::OwnersSigning => "Changing keys and repacking need an owner's key",
    })]
    NoKey(KeyLack),
    /// The text of a key cannot be used.
    #[error("The {what} is refused: {reason}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Why; never the key itself.
        reason: String,
    },
    /// Writing needs a machine key that the repository knows.
    #[error("This machine's key does not sign for the repository: {reason}")]
    NoSigner {
        /// Why.
        reason: &'static str,
    },
    /// A signature, or what it covers, is not what it must be.
    #[error("{what} is forged or damaged: {reason}")]
    Forged {
        /// Which file.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// The log ends before an entry that was seen, or holds another one in its place.
    #[error("The log was rolled back: entry {remembered} was seen before and is {found}")]
    Rollback {
        /// The entry that is remembered.
        remembered: u64,
        /// What is there now: `missing` or `another one`.
        found: &'static str,
    },
    /// An entry that nobody trusted signed.
    #[error("Log entry {entry} is signed by {signer}, whom nobody trusted introduced")]
    UnknownSigner {
        /// The entry's number.
        entry: u64,
        /// The signer.
        signer: Signer,
    },
    /// A machine signed an entry that no machine may write, or that says nothing that can be read.
    #[error("Log entry {entry}, signed by the machine {signer}, is refused: {reason}")]
    Unfit {
        /// The entry's number.
        entry: u64,
        /// The machine's signer.
        signer: Signer,
        /// What is wrong with it.
        reason: String,
    },
    /// A snapshot that a revoked signer wrote, after the line that the owners drew.
    #[error(
        "Snapshot {id} counts for nothing: its signer {signer} was revoked before log entry {entry}"
    )]
    Revoked {
        /// The snapshot.
        id: crate::SnapshotId,
        /// The entry that holds it.
        entry: u64,
        /// Its signer.
        signer: Signer,
    },
    /// A holder of keys that cannot be what the command wants.
    #[error("The key holder `{name}` is refused: {reason}")]
    Holder {
        /// The holder, as it was named.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file of the repository is not what it must be.
    #[error("{name} is damaged: {reason}")]
    Damaged {
        /// The file.
        name: FileName,
        /// What is wrong.
        reason: String,
    },
    /// An object is not what its address says, or its frames do not hold it.
    #[error("Object {address} is damaged: {reason}")]
    Object {
        /// The object.
        address: Address,
        /// What is wrong.
        reason: String,
    },
    /// No pack that is there holds the object.
    #[error("Object {address} is in no pack of the repository")]
    ObjectMissing {
        /// The object.
        address: Address,
    },
    /// A snapshot's content was removed by `forget`.
    #[error("Snapshot {id} was forgotten")]
    Forgotten {
        /// The snapshot.
        id: crate::SnapshotId,
    },
    /// JSON that is not what the format allows.
    #[error("{what} is not valid: {reason}")]
    Json {
        /// What was read.
        what: String,
        /// Why it is refused, with the place where known.
        reason: String,
    },
    /// Something is larger than the format allows.
    #[error("{what} is too large: {found}, and at most {limit} is allowed")]
    Limit {
        /// What.
        what: String,
        /// The limit.
        limit: u64,
        /// What was found or stated.
        found: u64,
    },
    /// A path that could leave its root.
    #[error("The path `{path}` is refused: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A manifest line that the format does not allow.
    #[error("The manifest line of {key} is refused: {reason}")]
    Line {
        /// Its key.
        key: LineKey,
        /// Why.
        reason: String,
    },
    /// Text that is no id of its kind.
    #[error("`{text}` is not {what}")]
    Id {
        /// What it should be.
        what: &'static str,
        /// The text, cut short.
        text: String,
    },
    /// Secrets are kept only where contents are encrypted.
    #[error("Secrets are stored only in an encrypted repository")]
    SecretsNeedEncryption,
    /// No snapshot has this name.
    #[error("No snapshot is `{name}`")]
    SnapshotUnknown {
        /// The name.
        name: String,
    },
    /// Several snapshots begin with this text.
    #[error("`{name}` names several snapshots: {candidates}")]
    SnapshotAmbiguous {
        /// The text.
        name: String,
        /// Some of them.
        candidates: String,
    },
    /// `latest` where several workspaces have snapshots.
    #[error("`{name}` needs a workspace, since several have snapshots: {workspaces}")]
    WorkspaceAmbiguous {
        /// The name.
        name: String,
        /// The workspaces.
        workspaces: String,
    },
    /// Objects that the snapshot relies on are in no pack that may be named any more: read these items again.
    #[error("{} items rely on packs that are gone, the first is {}", .items.len(), .items.first().map(ToString::to_string).unwrap_or_default())]
    Gone {
        /// The items whose content must be stored again.
        items: Vec<LineKey>,
    },
    /// Packs of the snapshot were swept again and again while it was being committed.
    #[error("The snapshot's packs were swept {rounds} times while it was being committed")]
    Outrun {
        /// How often the commit was begun anew.
        rounds: u32,
    },
    /// The log holds damage, so nothing may be added before it is repaired.
    #[error("The log is damaged at entry {entry}, so nothing can be added to it")]
    LogDamaged {
        /// The first damaged entry.
        entry: u64,
    },
    /// A snapshot was to be copied into the repository that it is in.
    #[error("{place} is the repository that the snapshot is in")]
    CopyOntoItself {
        /// The storage, as it describes itself.
        place: String,
    },
    /// The catalogue failed.
    #[error("The catalogue failed to {act}")]
    Catalogue {
        /// What it was doing.
        act: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer program made the catalogue.
    #[error("The catalogue {} has schema {found}, and this program knows schema {known}", .path.display())]
    CatalogueNewer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The newest known here.
        known: u64,
    },
    /// A file of the cache or a local key file failed.
    #[error("Failed to {act} {}", .path.display())]
    Local {
        /// What was done.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Encryption failed.
    #[error("Encryption failed: {reason}")]
    Encrypt {
        /// Why.
        reason: String,
    },
    /// Something that is read as it is decrypted is no age file, or is damaged.
    #[error("Decryption failed: {reason}")]
    Decrypt {
        /// Why.
        reason: String,
    },
    /// Compression failed.
    #[error("Compression failed")]
    Compress {
        /// Why.
        source: std::io::Error,
    },
    /// A worker of this process ended before its answer.
    #[error("A worker ended before it was done: {what}")]
    Worker {
        /// Which.
        what: &'static str,
    },
}

impl Error {
    /// Whether the catalogue's file is damaged, so that opening the repository again would make it anew.
    pub fn is_broken_catalogue(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self, Self::Catalogue { source, .. }
            if matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)))
    }

    /// The same where it refuses what the bytes of an object say: they have the digest that is the object's name, so they
    /// were written so, and no other copy is better. Where something is written such an error is no damage.
    pub(crate) fn of_object(self, address: Address) -> Self {
        match self {
            Self::Json { .. }
            | Self::Limit { .. }
            | Self::Line { .. }
            | Self::Path { .. }
            | Self::Id { .. } => Self::Object {
                address,
                reason: self.to_string(),
            },
            other => other,
        }
    }

    /// Whether it says that bytes in the repository are damaged, forged or rolled back (the program's exit code 4).
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Forged { .. }
                | Self::Rollback { .. }
                | Self::UnknownSigner { .. }
                | Self::Unfit { .. }
                | Self::Revoked { .. }
                | Self::Damaged { .. }
                | Self::Object { .. }
                | Self::ObjectMissing { .. }
                | Self::LogDamaged { .. }
        ) || matches!(self, Self::Storage(error) if error.is_of_wrong_length())
    }
}
