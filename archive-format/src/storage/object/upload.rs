//! Brings a local file into an object store, in one piece or in parts, with a bound on the memory for it.
//!
//! All uploads of a store share the memory of one pack of the usual size. A file in one piece takes its length of it; a
//! file in parts takes the length of each part while it is under way.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path as ObjectPath;
use object_store::{Attributes, MultipartUpload, PutMultipartOptions};
use tokio::sync::OwnedSemaphorePermit;

use super::{Completion, ObjectStorage};
use crate::FileName;

/// What one permit stands for.
pub(super) const UNIT_BYTES: u64 = 1 << 20;

/// A usual pack: 64 MiB, an object that came last, and its table.
pub(super) const UNITS: usize = 84;

/// Files up to this length go up in one request where parts are as safe.
pub(super) const WHOLE_BYTES_MAX: u64 = 16 << 20;

/// Files up to this length go up in one request where parts are not.
pub(super) const WHOLE_PACK_BYTES_MAX: u64 = UNITS as u64 * UNIT_BYTES;

/// The length of a part, but for the last. S3 wants at least 5 MiB and at most 10,000 parts.
pub(super) const PART_BYTES: u64 = 8 << 20;

/// Parts of one file that are under way at once.
pub(super) const PARTS_AT_ONCE: usize = 4;

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The local file.
    #[error("The local file cannot be read")]
    Local(#[from] std::io::Error),
    /// A file of this name was there before an upload in parts that would have overwritten it.
    #[error("A file of this name is there")]
    Exists,
    /// A worker of this process ended.
    #[error("A worker ended before it was done")]
    Worker,
}

impl ObjectStorage {
    async fn memory(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Error> {
        let units = bytes.div_ceil(UNIT_BYTES).min(UNITS as u64);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.memory).acquire_many_owned(units).await;
        permit.map_err(|_| Error::Worker)
    }

    pub(super) async fn put_file(
        &self,
        path: &ObjectPath,
        file: &Path,
        bytes: u64,
        attributes: Attributes,
    ) -> Result<(), Error> {
        let _memory = self.memory(bytes).await?;
        let (_, content) = read(File::open(file)?, bytes).await?;
        self.put_whole(path, content, attributes).await
    }

    pub(super) async fn put_parts(
        &self,
        name: &FileName,
        path: &ObjectPath,
        file: &Path,
        bytes: u64,
        attributes: Attributes,
    ) -> Result<(), Error> {
        let file = File::open(file)?;
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let mut upload = self.store.put_multipart_opts(path, options).await?;
        let sent = self.send(upload.as_mut(), file, bytes).await;
        self.end(name, upload.as_mut(), sent).await
    }

    /// Makes the file of its parts where all were sent; otherwise the parts are given up.
    pub(super) async fn end(
        &self,
        name: &FileName,
        upload: &mut dyn MultipartUpload,
        sent: Result<(), Error>,
    ) -> Result<(), Error> {
        let result = match sent {
            Ok(()) => self.complete(name, upload).await,
            Err(error) => Err(error),
        };
        if result.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::debug!(%name, error = %super::fault::said(&error), "parts of a file stay");
        }
        result
    }

    /// Sends the parts, a few at once.
    async fn send(
        &self,
        upload: &mut dyn MultipartUpload,
        mut file: File,
        bytes: u64,
    ) -> Result<(), Error> {
        let mut under_way = FuturesUnordered::new();
        let mut left = bytes;
        while left > 0 {
            if under_way.len() >= PARTS_AT_ONCE
                && let Some(done) = under_way.next().await
            {
                done?;
            }
            let length = left.min(PART_BYTES);
            // Parts of this file may hold all memory: they go on while this waits for some.
            let waiting = self.memory(length);
            tokio::pin!(waiting);
            let memory = loop {
                tokio::select! {
                    memory = &mut waiting => break memory?,
                    Some(done) = under_way.next() => done?,
                }
            };
            let (rest, part) = read(file, length).await?;
            file = rest;
            left -= length;
            let sent = upload.put_part(part.into());
            under_way.push(async move {
                let result = sent.await;
                drop(memory);
                result
            });
        }
        while let Some(done) = under_way.next().await {
            done?;
        }
        Ok(())
    }

    async fn complete(
        &self,
        name: &FileName,
        upload: &mut dyn MultipartUpload,
    ) -> Result<(), Error> {
        if self.options.completion == Completion::Overwrites {
            match self.look(name).await {
                Ok(None) => {}
                Ok(Some(_)) => return Err(Error::Exists),
                Err(failed) => return Err(Error::Local(std::io::Error::other(failed.source))),
            }
        }
        upload.complete().await?;
        Ok(())
    }
}

/// Reads the next bytes of a file, exactly so many.
async fn read(mut file: File, bytes: u64) -> Result<(File, Bytes), Error> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut content = vec![0; usize::try_from(bytes).map_err(std::io::Error::other)?];
        file.read_exact(&mut content)?;
        Ok((file, Bytes::from(content)))
    });
    reading.await.map_err(|_| Error::Worker)?
}
