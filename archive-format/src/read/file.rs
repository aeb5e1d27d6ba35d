//! The bytes of a file: some chunks ahead, each fetched by a task of its own, so that it goes on while the chunk before it is
//! hashed and written.

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::SnapshotReader;
use crate::{Chunk, Content, Digest, Error};

/// Chunks of one file that are fetched at once.
const CHUNKS_AHEAD: usize = 3;

/// Fetches a chunk in a task of its own, which ends where nobody waits for it any more.
async fn fetched(reader: SnapshotReader, chunk: Chunk) -> Result<Bytes, Error> {
    let mut task = JoinSet::new();
    task.spawn(async move { reader.sized_object(chunk.address, chunk.size).await });
    match task.join_next().await {
        Some(Ok(bytes)) => bytes,
        Some(Err(_)) | None => Err(Error::Worker {
            what: "fetching a chunk",
        }),
    }
}

/// The file's only chunk, where that has the same digest and size as the file.
fn only_chunk(content: &Content) -> Option<Chunk> {
    match content.chunks[..] {
        [chunk]
            if chunk.size == content.size
                && chunk.address.as_bytes() == content.sha256.as_bytes() =>
        {
            Some(chunk)
        }
        _ => None,
    }
}

impl SnapshotReader {
    /// The bytes of a file, chunk by chunk. Each is checked against its address before it is given out, the whole
    /// against its size and SHA-256 at the end: a stream that ends without an error is right. Needs a Tokio runtime.
    pub fn file(&self, content: &Content) -> BoxStream<'static, Result<Bytes, Error>> {
        let reader = self.clone();
        if let Some(chunk) = only_chunk(content) {
            // It is checked against the same digest.
            let only = async move { reader.sized_object(chunk.address, chunk.size).await };
            return stream::once(only).boxed();
        }
        let chunks = self
            .chunks(content)
            .map(move |chunk| {
                let reader = reader.clone();
                async move { fetched(reader, chunk?).await }
            })
            .buffered(CHUNKS_AHEAD)
            .boxed();
        let state = (chunks, Sha256::new(), 0_u64, content.clone());
        let differs = || Error::Forged {
            what: "A file's list of chunks".to_owned(),
            reason: "together they do not have the size and SHA-256 that the manifest says"
                .to_owned(),
        };
        stream::try_unfold(state, move |(mut chunks, hash, read, content)| async move {
            let Some(bytes) = chunks.try_next().await? else {
                let same =
                    read == content.size && hash.finalize()[..] == content.sha256.as_bytes()[..];
                return if same { Ok(None) } else { Err(differs()) };
            };
            let read = read + bytes.len() as u64;
            if read > content.size {
                return Err(differs());
            }
            let hashing = tokio::task::spawn_blocking(move || {
                let mut hash = hash;
                hash.update(&bytes);
                (hash, bytes)
            });
            let (hash, bytes) = hashing
                .await
                .map_err(|_| Error::Worker { what: "hashing" })?;
            Ok(Some((bytes, (chunks, hash, read, content))))
        })
        .boxed()
    }

    /// The bytes of many small files at once, by their SHA-256, checked. A file is left out where it is not a single small
    /// object, and where it cannot be read: [`SnapshotReader::file`] reads it, or says why not. All of them are in memory
    /// together.
    pub async fn small_files(&self, contents: &[&Content]) -> HashMap<Digest, Bytes> {
        let only = contents.iter().filter_map(|content| only_chunk(content));
        let chunks: Vec<Chunk> = only.collect();
        let objects = &self.repository.inner.objects;
        let addresses = chunks.iter().map(|chunk| chunk.address).collect();
        let mut found = objects.get_together(addresses).await;
        let sized = chunks.iter().filter_map(|chunk| {
            let bytes = found.remove(&chunk.address)?;
            let digest = Digest::from_bytes(*chunk.address.as_bytes());
            (bytes.len() as u64 == chunk.size).then_some((digest, bytes))
        });
        sized.collect()
    }
}
