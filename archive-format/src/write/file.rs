//! Stores one file from a stream: cut, hashed, taken in chunk by chunk.
//!
//! A file of one small chunk needs no turn. A larger one takes a slot, since it holds buffers; hashing the whole and its
//! chunks is one job for a worker thread.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::{FileError, SnapshotWriter};
use crate::magic::LINE_CHUNKS_MAX;
use crate::pack::Class;
use crate::read::chunks;
use crate::{Address, Chunk, ChunkList, ChunkParameters, Content, Digest, Error};

/// Until a buffer holds this, a file takes no slot.
const SMALL_BYTES: usize = 256 << 10;

/// A file up to this length is cut and hashed where one is: it takes some 40 µs.
const INLINE_BYTES: usize = 32 << 10;

/// Chunks of one file that are taken in at once.
const CHUNKS_AT_ONCE: usize = 2;

pub(super) async fn store<S, E>(
    writer: &SnapshotWriter,
    class: Class,
    stream: S,
) -> Result<Content, FileError<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + 'static,
{
    let parameters = writer.repository.record().chunks.clone();
    // Room for a chunk, and some more, so that the rest is not moved for each chunk.
    let full_bytes = parameters.usual_bytes() / 2 * 3;
    let mut stream = pin!(stream);
    let mut cutter = Cutter::new(parameters);
    let mut list = ListBuilder::default();
    let mut under_way = VecDeque::new();
    let mut slot = None;
    let mut last = false;
    while !last {
        match stream.next().await {
            Some(Ok(bytes)) => cutter.buffer.extend_from_slice(&bytes),
            Some(Err(error)) => return Err(FileError::Source(error)),
            None => last = true,
        }
        if slot.is_none() && cutter.buffer.len() > SMALL_BYTES {
            let taken = writer.slots.acquire().await;
            slot = Some(taken.map_err(|_| Error::Worker { what: "the writer" })?);
            cutter.buffer.reserve(full_bytes + SMALL_BYTES);
        }
        if !last && cutter.buffer.len() < full_bytes {
            continue;
        }
        let cut;
        (cutter, cut) = run_cutter(writer, cutter, last).await?;
        for (address, bytes) in cut {
            if under_way.len() >= CHUNKS_AT_ONCE
                && let Some(oldest) = under_way.pop_front()
            {
                list.push(writer, taken_in(oldest).await?).await?;
            }
            under_way.push_back(take_in(writer, class, address, bytes));
        }
    }
    for chunk in under_way {
        list.push(writer, taken_in(chunk).await?).await?;
    }
    let (size, sha256) = cutter.finish();
    let (chunks, chunk_list) = list.finish(writer).await?;
    Ok(Content {
        size,
        sha256,
        chunks,
        chunk_list,
    })
}

type Taken = JoinHandle<Result<Chunk, Error>>;

/// Takes a chunk in, in a task of its own: one that is polled only now and then would keep a turn at the processor
/// from all others.
fn take_in(writer: &SnapshotWriter, class: Class, address: Address, bytes: Bytes) -> Taken {
    let packer = Arc::clone(&writer.packer);
    tokio::spawn(async move {
        let size = bytes.len() as u64;
        packer.store_hashed(class, address, bytes).await?;
        Ok(Chunk { address, size })
    })
}

async fn taken_in(chunk: Taken) -> Result<Chunk, Error> {
    chunk.await.map_err(|_| Error::Worker {
        what: "taking a chunk in",
    })?
}

/// The buffer of a file and the hash of all of it that was cut off.
#[derive(Debug)]
struct Cutter {
    parameters: ChunkParameters,
    buffer: Vec<u8>,
    hash: Sha256,
    size: u64,
}

impl Cutter {
    fn new(parameters: ChunkParameters) -> Self {
        Self {
            parameters,
            buffer: Vec::new(),
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// Cuts off what can be cut. A chunk is a copy: one that is a part of the buffer would keep all of it in memory.
    fn cut(&mut self, last: bool) -> Vec<(Address, Bytes)> {
        let mut chunks = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.parameters.cut(&self.buffer[begin..], last) {
            let chunk = &self.buffer[begin..begin + length];
            self.hash.update(chunk);
            // Up to the first cut the file and its chunk are the same bytes.
            let address = match self.size {
                0 => Address::from_bytes(self.hash.clone().finalize().into()),
                _ => Address::of(chunk),
            };
            chunks.push((address, Bytes::copy_from_slice(chunk)));
            self.size += length as u64;
            begin += length;
        }
        self.buffer.drain(..begin);
        chunks
    }

    fn finish(self) -> (u64, Digest) {
        (self.size, Digest::from_bytes(self.hash.finalize().into()))
    }
}

type Cut = Vec<(Address, Bytes)>;

async fn run_cutter(
    writer: &SnapshotWriter,
    mut cutter: Cutter,
    last: bool,
) -> Result<(Cutter, Cut), Error> {
    if cutter.buffer.len() <= INLINE_BYTES {
        let cut = cutter.cut(last);
        return Ok((cutter, cut));
    }
    let turn = writer.packer.worker().await?;
    let cutting = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let cut = cutter.cut(last);
        (cutter, cut)
    });
    cutting.await.map_err(|_| Error::Worker {
        what: "cutting a file",
    })
}

/// Gathers the chunks of a file; where there are many, writes the tree of lists as it grows.
#[derive(Debug, Default)]
struct ListBuilder {
    /// The open object of each depth, from 1 on.
    levels: Vec<Vec<Chunk>>,
    chunks: u64,
}

impl ListBuilder {
    async fn push(&mut self, writer: &SnapshotWriter, chunk: Chunk) -> Result<(), Error> {
        self.chunks += 1;
        let mut record = chunk;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let records = &mut self.levels[level];
            records.push(record);
            if !chunks::ends(records) {
                break;
            }
            record = store_list(writer, level, std::mem::take(records)).await?;
        }
        Ok(())
    }

    async fn finish(
        mut self,
        writer: &SnapshotWriter,
    ) -> Result<(Vec<Chunk>, Option<ChunkList>), Error> {
        if self.chunks <= LINE_CHUNKS_MAX as u64 {
            return Ok((self.levels.into_iter().next().unwrap_or_default(), None));
        }
        let mut level = 0;
        loop {
            let records = std::mem::take(&mut self.levels[level]);
            let above = self.levels.get_mut(level + 1);
            let lone = records.len() == 1 && level > 0;
            match above {
                // Nothing was closed below: this is the top. A list of a single list is that list.
                None if lone => {
                    let depth = level as u8;
                    return Ok((Vec::new(), Some(self.top(records[0].address, depth))));
                }
                None => {
                    let stored = store_list(writer, level, records).await?;
                    return Ok((Vec::new(), Some(self.top(stored.address, level as u8 + 1))));
                }
                Some(above) => {
                    if !records.is_empty() {
                        above.push(store_list(writer, level, records).await?);
                    }
                }
            }
            level += 1;
        }
    }

    fn top(&self, address: Address, depth: u8) -> ChunkList {
        ChunkList {
            address,
            depth,
            chunks: self.chunks,
        }
    }
}

/// Stores one object of a list; the record for the level above covers its bytes.
async fn store_list(
    writer: &SnapshotWriter,
    level: usize,
    records: Vec<Chunk>,
) -> Result<Chunk, Error> {
    let bytes = chunks::to_bytes(level as u8 + 1, &records);
    let stored = writer.packer.store(Class::Meta, bytes.into()).await?;
    Ok(Chunk {
        address: stored.address,
        size: records.iter().map(|record| record.size).sum(),
    })
}
