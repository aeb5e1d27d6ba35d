//! A store in memory with a clock of its own, which can refuse deletes and remembers them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use archive_format::storage::{Created, FileUse, StorageFault, StoredFile};
use archive_format::{FileName, Storage, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FileName, (Bytes, Timestamp)>,
    now: Timestamp,
    deleted: Vec<FileName>,
    /// So many more deletes are allowed; none: any number.
    deletes: Option<usize>,
    undated: bool,
    log_closed: bool,
    overwrites: bool,
    checkpoints_closed: bool,
    /// What was asked for: the act and the name.
    requests: Vec<(&'static str, String)>,
}

impl Memory {
    /// A store whose clock shows this time.
    pub(crate) fn new(now: Timestamp) -> Self {
        let memory = Self::default();
        memory.set_now(now);
        memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the clock.
    pub(crate) fn set_now(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// Allows so many more deletes.
    pub(crate) fn allow_deletes(&self, deletes: Option<usize>) {
        self.state().deletes = deletes;
    }

    /// Refuses new entries of the log, or does so no more.
    pub(crate) fn close_log(&self, closed: bool) {
        self.state().log_closed = closed;
    }

    /// Takes every create, as a store does that knows no create-only rule, or does so no more.
    pub(crate) fn overwrite(&self, overwrites: bool) {
        self.state().overwrites = overwrites;
    }

    /// Says no more when files were written.
    pub(crate) fn forget_times(&self) {
        self.state().undated = true;
    }

    /// Refuses new checkpoints, or does so no more.
    pub(crate) fn close_checkpoints(&self, closed: bool) {
        self.state().checkpoints_closed = closed;
    }

    /// What was asked for since this was asked before: the act and the name or prefix.
    pub(crate) fn take_requests(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.state().requests)
    }

    fn ask(&self, act: &'static str, name: &str) {
        self.state().requests.push((act, name.to_owned()));
    }

    /// What was deleted so far.
    pub(crate) fn deleted(&self) -> Vec<FileName> {
        self.state().deleted.clone()
    }

    /// Nobody ever deletes anything but packs, index files, checkpoints and the files of probes.
    pub(crate) fn only_what_may_go_was_deleted(&self) {
        for name in self.deleted() {
            let folder = name.as_str().split('/').next();
            let allowed = ["packs", "index", "checkpoints", "probe"];
            assert!(
                folder.is_some_and(|folder| allowed.contains(&folder)),
                "{name} was deleted"
            );
        }
    }

    /// The names below a prefix.
    pub(crate) fn names(&self, prefix: &str) -> Vec<FileName> {
        let state = self.state();
        let names = state.files.keys();
        names
            .filter(|name| name.as_str().starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Takes a file away, as no repository does.
    pub(crate) fn lose(&self, name: &FileName) {
        self.state().files.remove(name);
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, name: &FileName) -> Option<Bytes> {
        self.state().files.get(name).map(|(bytes, _)| bytes.clone())
    }
}

fn error(act: &'static str, name: &FileName, fault: StorageFault) -> StorageError {
    StorageError {
        act,
        name: name.to_string(),
        place: "memory".to_owned(),
        fault,
        source: "so the test wants it".into(),
    }
}

#[async_trait]
impl Storage for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.ask("create", name.as_str());
        let mut state = self.state();
        if state.checkpoints_closed && name.as_str().starts_with("checkpoints/") {
            return Err(error("create", name, StorageFault::Denied));
        }
        if state.log_closed && name.as_str().starts_with("log/") {
            return Err(error("create", name, StorageFault::Denied));
        }
        if state.files.contains_key(name) && !state.overwrites {
            return Ok(Created::Exists);
        }
        let now = state.now;
        state.files.insert(name.clone(), (bytes, now));
        Ok(Created::New)
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        _: FileUse,
    ) -> Result<Created, StorageError> {
        let bytes = std::fs::read(file);
        let bytes = bytes.map_err(|_| error("create", name, StorageFault::Other))?;
        self.create(name, bytes.into()).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        self.ask("read", name.as_str());
        let bytes = self.bytes(name);
        let bytes = bytes.ok_or_else(|| error("read", name, StorageFault::NotFound))?;
        if bytes.len() as u64 > limit {
            return Err(error("read", name, StorageFault::TooLarge));
        }
        Ok(bytes)
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        let bytes = self.read(name, u64::MAX).await?;
        if bytes.len() as u64 >= range.end {
            Ok(bytes.slice(range.start as usize..range.end as usize))
        } else {
            Err(error("read", name, StorageFault::TooShort))
        }
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        Ok(self.bytes(name).map(|bytes| bytes.len() as u64))
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        self.ask("list", prefix);
        let state = self.state();
        let files: Vec<_> = state
            .files
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(prefix))
            .map(|(name, (bytes, time))| {
                Ok(StoredFile {
                    name: name.clone(),
                    size: bytes.len() as u64,
                    modified: (!state.undated).then_some(*time),
                })
            })
            .collect();
        stream::iter(files).boxed()
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        let mut state = self.state();
        if let Some(left) = &mut state.deletes {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| error("delete", name, StorageFault::Denied))?;
        }
        state.files.remove(name);
        state.deleted.push(name.clone());
        Ok(())
    }
}
