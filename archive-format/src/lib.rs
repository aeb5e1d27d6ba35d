//! The archive format of mlark: objects, packs, manifests, the signed log, keys, the repository and its catalogue.
//!
//! `FORMAT.md` beside this crate is its contract. This crate knows no Azure, no terminal and no environment variable: it
//! is handed a [`Storage`], keys as values and a folder for its cache, and it tells what happens through values and
//! events. It never prints, never overwrites a file of a repository, and deletes from one only what a stored log entry
//! gave up (`removal`).

mod address;
pub mod catalogue;
pub mod check;
mod chunk;
pub mod content;
pub mod copy;
pub mod diff;
mod error;
#[cfg(test)]
mod examples;
pub mod export;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod json;
pub mod keys;
pub mod log;
pub mod magic;
pub mod manifest;
pub mod pack;
pub mod planes;
pub mod read;
pub mod record;
pub mod removal;
pub mod repository;
pub mod snapshot;
pub mod storage;
pub mod write;

pub use address::{Address, Digest, EntryHash, Mac, PackName, RepositoryId, Signer};
pub use catalogue::{Catalogue, Database, GapSeen, Holdings, Occurrence, Run, RunId, RunOutcome};
pub use check::{CheckReport, Damage, Depth, Event as CheckEvent, Repaired, Subset, check, repair};
pub use chunk::ChunkParameters;
pub use content::{Chunk, ChunkList, Content};
pub use copy::{Copied, Original, copy};
pub use diff::{ItemDifference, diff};
pub use error::{Error, KeyLack};
pub use export::{Erased, ExportId, KnownExport, open_export_key};
pub use keys::{
    Decryption, Encryption, Identity, IdentityFile, KeyChain, LockedIdentity, MachineKey, Pair,
    Recipient,
};
pub use manifest::{
    Attributes, DocumentEntry, EntryKind, FileEntry, FilePath, GapEntry, Item, Line, LineKey,
    SecretEntry, Validators,
};
pub use read::{Lack, LostLines, SnapshotReader};
pub use record::Record;
pub use removal::{
    Forgotten, Garbage, Grace, Held, LockPeriod, Locks, LocksSet, RepackEvent, Repacked, Spared,
    Sparing, Sparse, SparsePack, SweepEvent, Swept,
};
pub use repository::{
    Holder, InitOptions, Initialised, KeySet, KeysChanged, Notice, OpenOptions, Part, Repository,
    RevokedMachine, Said,
};
pub use snapshot::{
    ByteCounts, FileCounts, KindCounts, Outcome, Resolved, SnapshotId, SnapshotRecord,
};
pub use storage::{FileName, LocalStorage, Storage, StorageError, StreamingStorage};
pub use write::{Commit, FileError, Lifetime, SecretPlace, SnapshotWriter, Stored};
