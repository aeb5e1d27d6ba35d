//! Where a repository lies: few methods, each with what a store must guarantee.

pub mod cold;
mod local;
mod name;
pub mod object;
mod probe;
mod streaming;
pub mod thaw;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

pub use cold::{ColdState, ColdStorage, Keeping, Lock, LockMode, Priority, Tier, Way};
pub use local::LocalStorage;
pub use name::FileName;
pub use object::ObjectStorage;
pub(crate) use probe::{Deletes, probe};
pub use streaming::{Incoming, StreamingStorage};
pub use thaw::{Frozen, Thaw};

/// What became of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The file was not there and is now there, whole and durable.
    New,
    /// A file of this name is there already; it was not touched.
    Exists,
}

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock; none where the store does not say. Only politeness rests on it.
    pub modified: Option<Timestamp>,
}

/// What a file is for: a store with tiers keeps by it what is seldom read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileUse {
    /// It is read whenever the repository is opened, listed or checked.
    #[default]
    Names,
    /// A data pack: it is read only where contents are, in a restore or a check of them.
    Contents,
}

/// What came of deleting copies of archived files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopiesDeleted {
    /// How many are gone.
    pub deleted: u64,
    /// How many the store did not delete.
    pub left: u64,
    /// Their bytes.
    pub left_bytes: u64,
    /// Why, of the first of them.
    pub why: Option<String>,
}

/// What a store keeps of a file that was deleted for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// Earlier versions that can still be read, or brought back.
    Versions {
        /// So many.
        count: u64,
        /// Why they are not deleted.
        why: String,
    },
    /// It is not known whether it keeps any.
    Unknown {
        /// Why.
        why: String,
    },
}

/// How a storage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFault {
    /// There is no such file.
    NotFound,
    /// The container or bucket itself does not exist.
    NoStore,
    /// The file is there and its tier cannot be read before it is brought back to another.
    Archived,
    /// Access was refused.
    Denied,
    /// It is not known whether the write took place. Only a create may fail so.
    Unclear,
    /// The file is larger than the caller allows.
    TooLarge,
    /// The file ends before the range that was asked for.
    TooShort,
    /// A lock or a hold keeps the file as it is.
    Kept,
    /// The store, or its container, is not made for what was asked.
    Unsupported,
    /// Anything else; nothing was written.
    Other,
}

/// An error of a storage.
#[derive(Debug, thiserror::Error)]
#[error("Failed to {act} {name} in {place}")]
pub struct StorageError {
    /// What was done: `create`, `read`, `list`, `delete`, `move`, `rehydrate`, `lock`, `hold`.
    pub act: &'static str,
    /// On which file or prefix.
    pub name: String,
    /// In which storage, as it describes itself; no secret, no query of a URL.
    pub place: String,
    /// How it failed.
    pub fault: StorageFault,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StorageError {
    /// Whether the file is there and is longer or shorter than anything that was written under its name: it is damaged.
    pub fn is_of_wrong_length(&self) -> bool {
        matches!(self.fault, StorageFault::TooLarge | StorageFault::TooShort)
    }
}

/// A store of files that are written once.
///
/// Every store is strongly consistent: what one call wrote, every later call of anybody sees. Retries of an
/// implementation never repeat a create, unless it can tell its own file from another's.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync {
    /// A name for people, such as a path or a URL, without secrets.
    fn describe(&self) -> String;

    /// Creates a file with these bytes, all or nothing: a reader sees no file or the whole of it. Of several who create
    /// the same name at once exactly one gets [`Created::New`]. After it the bytes are durable.
    /// Where the answer was lost the error says [`StorageFault::Unclear`], and the caller settles it by reading.
    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError>;

    /// The same with the bytes of a local file, which may be removed afterwards and must not be changed any more: a
    /// store on the same disk may link it. A store with tiers keeps it by its use; the bytes are the same in each.
    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        used: FileUse,
    ) -> Result<Created, StorageError>;

    /// A whole file, at most `limit` bytes; larger is [`StorageFault::TooLarge`], found out before it is read.
    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError>;

    /// Bytes of a file. Exactly the range, or an error: a file that ends before it is [`StorageFault::TooShort`].
    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError>;

    /// The length of a file, none where it does not exist.
    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError>;

    /// Every file whose name begins with `prefix`, which may be empty or end within a part, in any order, page by page.
    /// Temporary files of the store are not listed, nor is what has a name that no repository file can have.
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>>;

    /// Deletes a file; one that is not there counts as deleted. Only a stored sweep entry, or a superseding key file or
    /// checkpoint, allows it (removal rules 5), and nothing that writes snapshots ever calls it.
    async fn delete(&self, name: &FileName) -> Result<(), StorageError>;

    /// Deletes a file so that nobody reads it again: with the earlier versions of it that a store keeps by itself. What could
    /// not be deleted is told; only the file itself gone is certain. It may be done again.
    async fn delete_for_ever(&self, name: &FileName) -> Result<Remains, StorageError> {
        self.delete(name).await?;
        Ok(Remains::Nothing)
    }

    /// Removes what writes that were cut off before this moment left under temporary names; gives how many files. A store
    /// whose service sees to that itself has nothing to do.
    async fn tidy(&self, before: Timestamp) -> Result<u64, StorageError> {
        let _ = before;
        Ok(0)
    }

    /// Whether whoever uses this store may delete its files, where that is known without trying.
    fn deletes(&self) -> Option<bool> {
        None
    }

    /// Tiers, locks and holds, where the store has such.
    fn cold(&self) -> Option<&dyn ColdStorage> {
        None
    }

    /// Deletes the copies of archived files that were read here, or told by [`Storage::use_copies`]; those that somebody else had made
    /// stay. Nothing needs them: without its copy a file is archived as before.
    async fn delete_copies(&self) -> Result<CopiesDeleted, StorageError> {
        Ok(CopiesDeleted::default())
    }

    /// Tells that these files are archived and have a copy under [`FileName::copy`] that can be read, so that the copy is
    /// read in their place at once. An archived file of which that is not told is asked for first, which costs a request.
    fn use_copies(&self, names: Vec<FileName>) {
        let _ = names;
    }
}
