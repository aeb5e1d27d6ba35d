//! Reading a file of an object store, whole or in part, by exactly its name.

use std::ops::Range;

use bytes::Bytes;

use super::ObjectStorage;
use super::fault::Failed;
use crate::FileName;
use crate::storage::{StorageError, StorageFault};

impl ObjectStorage {
    /// A whole file of exactly this name.
    pub(super) async fn read_whole(
        &self,
        name: &FileName,
        limit: u64,
    ) -> Result<Bytes, StorageError> {
        let fails = |failed| self.error("read", name.as_str(), failed);
        let too_large = |size| {
            let why = format!("it has {size} bytes, and at most {limit} are allowed");
            fails(Failed::new(StorageFault::TooLarge, why.into()))
        };
        // A range keeps what a hostile store sends within the limit. An empty file has no range.
        let failed = match self.get(name, Some(0..limit.max(1)), false).await {
            Ok(found) if found.meta.size > limit => return Err(too_large(found.meta.size)),
            Ok(found) => match found.bytes().await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => return Err(fails(Failed::reading(&error))),
            },
            Err(error) => Failed::reading(&error),
        };
        if !failed.may_be_range() {
            return Err(fails(failed));
        }
        match self.look(name).await.map_err(fails)? {
            Some((0, _)) => Ok(Bytes::new()),
            _ => Err(fails(failed)),
        }
    }

    /// A part of a file of exactly this name.
    pub(super) async fn read_part(
        &self,
        name: &FileName,
        range: Range<u64>,
    ) -> Result<Bytes, StorageError> {
        let fails = |failed| self.error("read", name.as_str(), failed);
        let short = || {
            let why = format!("it ends before byte {}", range.end);
            fails(Failed::new(StorageFault::TooShort, why.into()))
        };
        let mut refused = None;
        if !range.is_empty() {
            match self.get(name, Some(range.clone()), false).await {
                Ok(found) if found.meta.size < range.end => return Err(short()),
                Ok(found) => {
                    let bytes = found.bytes().await;
                    let bytes = bytes.map_err(|error| fails(Failed::reading(&error)))?;
                    let whole = bytes.len() as u64 == range.end - range.start;
                    return if whole { Ok(bytes) } else { Err(short()) };
                }
                Err(error) => match Failed::reading(&error) {
                    failed if failed.may_be_range() => refused = Some(failed),
                    failed => return Err(fails(failed)),
                },
            }
        }
        // What a service says of a range past the end differs; the length does not.
        match (self.look(name).await.map_err(fails)?, refused) {
            (None, _) => Err(fails(Failed::new(StorageFault::NotFound, "no file".into()))),
            (Some((size, _)), _) if size < range.end => Err(short()),
            (Some(_), Some(failed)) => Err(fails(failed)),
            (Some(_), None) => Ok(Bytes::new()),
        }
    }
}
