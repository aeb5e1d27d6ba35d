//! One layer of faults for every store: it stops the world at the n-th write, as a crash would, and can lose answers.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive_format::storage::{Created, FileUse, StorageFault, StoredFile};
use archive_format::{FileName, Storage, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// What happens at the chosen write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is written, and nothing more ever is.
    Crash,
    /// It is written, its answer is lost, and nothing more ever is.
    CrashAfter,
    /// It is written and its answer is lost; all goes on.
    LostAnswer,
    /// It is not written and its answer is lost; all goes on.
    LostRequest,
}

/// A store with one fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    fault: Fault,
    at: u64,
    writes: AtomicU64,
}

impl Faulty {
    /// The fault comes at this write, counted from 0.
    pub(crate) fn new(inner: Arc<dyn Storage>, fault: Fault, at: u64) -> Self {
        Self {
            inner,
            fault,
            at,
            writes: AtomicU64::new(0),
        }
    }

    /// Writes so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    fn crashed(&self) -> bool {
        matches!(self.fault, Fault::Crash | Fault::CrashAfter) && self.writes() > self.at
    }

    fn error(&self, name: &FileName, fault: StorageFault) -> StorageError {
        StorageError {
            act: "create",
            name: name.to_string(),
            place: self.inner.describe(),
            fault,
            source: "a fault of the test".into(),
        }
    }

    async fn write(
        &self,
        name: &FileName,
        create: impl AsyncFnOnce() -> Result<Created, StorageError>,
    ) -> Result<Created, StorageError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Crash | Fault::CrashAfter if number > self.at => {
                Err(self.error(name, StorageFault::Other))
            }
            _ if number != self.at => create().await,
            Fault::Crash => Err(self.error(name, StorageFault::Other)),
            Fault::LostRequest => Err(self.error(name, StorageFault::Unclear)),
            Fault::CrashAfter | Fault::LostAnswer => {
                create().await?;
                Err(self.error(name, StorageFault::Unclear))
            }
        }
    }
}

#[async_trait]
impl Storage for Faulty {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.write(name, async || self.inner.create(name, bytes).await)
            .await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        let create = async || self.inner.create_from_file(name, file, used).await;
        self.write(name, create).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        if self.crashed() {
            return Err(self.error(name, StorageFault::Other));
        }
        self.inner.read(name, limit).await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.inner.read_range(name, range).await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        if self.crashed() {
            return Err(self.error(name, StorageFault::Other));
        }
        self.inner.size(name).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        self.inner.list(prefix)
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        self.inner.delete(name).await
    }
}
