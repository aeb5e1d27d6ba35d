//! Archived files that are read from their copies.
//!
//! A request for an archived file is refused and paid for as an expensive read, so that a file once known to have a copy is
//! asked for there at once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use futures::TryStreamExt;
use futures::future::Future;

use super::ObjectStorage;
use crate::FileName;
use crate::storage::{CopiesDeleted, Storage, StorageError, StorageFault};

/// Which files have a copy, as far as this process knows. A hash of each name is kept, 8 bytes: where two names share one,
/// a file without a copy is looked for there in vain, once a read.
#[derive(Debug, Default)]
pub(super) struct Copies {
    state: RandomState,
    known: Mutex<HashSet<u64>>,
}

impl Copies {
    pub(super) fn add(&self, name: &FileName) {
        let hash = self.state.hash_one(name);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(hash);
    }

    fn is_empty(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_empty()
    }

    fn remove(&self, name: &FileName) {
        let hash = self.state.hash_one(name);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&hash);
    }

    fn has(&self, name: &FileName) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&self.state.hash_one(name))
    }
}

impl ObjectStorage {
    /// Deletes the copies of files that are known to have one.
    pub(super) async fn forget_copies(&self) -> Result<CopiesDeleted, StorageError> {
        let mut done = CopiesDeleted::default();
        if self.copies.is_empty() {
            return Ok(done);
        }
        let mut listed = self.list(FileName::COPIES);
        while let Some(copy) = listed.try_next().await? {
            let Some(original) = copy.name.original().filter(|name| self.copies.has(name)) else {
                continue;
            };
            match self.delete(&copy.name).await {
                Ok(()) => {
                    self.copies.remove(&original);
                    done.deleted += 1;
                }
                Err(error) => {
                    done.left += 1;
                    done.left_bytes += copy.size;
                    done.why.get_or_insert(error.source.to_string());
                }
            }
        }
        Ok(done)
    }

    /// Reads a file or, where it is archived, its copy.
    pub(super) async fn or_copy<T, F: Future<Output = Result<T, StorageError>>>(
        &self,
        name: &FileName,
        read: impl Fn(FileName) -> F,
    ) -> Result<T, StorageError> {
        let copy = match &self.cold {
            Some(_) => name.copy().ok(),
            None => None,
        };
        let Some(copy) = copy else {
            return read(name.clone()).await;
        };
        if self.copies.has(name) {
            match read(copy.clone()).await {
                Err(error) if error.fault == StorageFault::NotFound => {}
                done => return done,
            }
        }
        let archived = match read(name.clone()).await {
            Err(error) if error.fault == StorageFault::Archived => error,
            done => return done,
        };
        let found = read(copy).await.map_err(|error| match error.fault {
            StorageFault::NotFound | StorageFault::Archived => archived,
            _ => error,
        })?;
        self.copies.add(name);
        Ok(found)
    }
}
