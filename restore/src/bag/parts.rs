//! An export's tar as it is stored, in one file or several that follow one another, as one source that is read from front to
//! back or here and there. It reads from the store as far ahead as a window; several windows are on their way at once where
//! it is read to the end.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use archive_format::{FileName, Storage, StorageError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::StoredFile;
use crate::Error;

/// How much is asked for at once by a reader that goes to the end.
const WINDOW_BYTES: u64 = 4 << 20;
/// How much by one that reads here and there, and at first by every other: a chunk of age, and a member of a tar that is small.
const WINDOW_BYTES_SMALL: u64 = 128 << 10;

/// A part, and where it begins in the whole.
#[derive(Clone, Debug)]
struct Part {
    name: FileName,
    begins: u64,
    size: u64,
}

/// Where an export's parts lie.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    storage: Arc<dyn Storage>,
    parts: Arc<[Part]>,
    size: u64,
}

impl Parts {
    pub(crate) fn new(storage: Arc<dyn Storage>, stored: &[StoredFile]) -> Result<Self, Error> {
        let mut size: u64 = 0;
        let mut parts = Vec::new();
        for file in stored {
            let name = FileName::new(file.name.as_str())
                .map_err(|error| Error::snapshot(file.name.as_str(), error))?;
            parts.push(Part {
                name,
                begins: size,
                size: file.size,
            });
            size = size.saturating_add(file.size);
        }
        Ok(Self {
            storage,
            parts: parts.into(),
            size,
        })
    }

    /// The bytes from a place on, at most so many: as far as the part goes that the place is in.
    fn window(&self, at: u64, most: u64) -> Option<(usize, Range<u64>)> {
        let after = self.parts.partition_point(|part| part.begins <= at);
        let index = after.checked_sub(1)?;
        let part = self.parts.get(index)?;
        let from = at - part.begins;
        let to = part.size.min(from.saturating_add(most));
        (from < to).then_some((index, from..to))
    }

    fn fetch(&self, index: usize, range: Range<u64>) -> JoinHandle<Result<Bytes, StorageError>> {
        let (storage, name) = (Arc::clone(&self.storage), self.parts[index].name.clone());
        tokio::spawn(async move { storage.read_range(&name, range).await })
    }
}

/// A window that is on its way.
struct Coming {
    at: u64,
    length: u64,
    bytes: JoinHandle<Result<Bytes, StorageError>>,
}

/// Reads parts. It blocks its thread, which is none of the runtime's.
pub(crate) struct PartsReader {
    parts: Parts,
    handle: Handle,
    at: u64,
    window: Bytes,
    coming: Option<Coming>,
    /// Whether it goes from front to back, and then the digest of each part so far.
    digests: Option<Vec<Sha256>>,
    /// Whether it reads on and on: then windows grow, and the next large one is asked for while this one is used.
    ahead: bool,
    next: u64,
}

impl PartsReader {
    /// From front to back, with the digests of the parts.
    pub(crate) fn whole(parts: Parts, handle: Handle) -> Self {
        let digests = parts.parts.iter().map(|_| Sha256::new()).collect();
        Self {
            digests: Some(digests),
            next: WINDOW_BYTES,
            ..Self::from_a_place(parts, handle)
        }
    }

    /// From a place on.
    pub(crate) fn from_a_place(parts: Parts, handle: Handle) -> Self {
        Self {
            ahead: true,
            ..Self::here_and_there(parts, handle)
        }
    }

    /// Here and there.
    pub(crate) fn here_and_there(parts: Parts, handle: Handle) -> Self {
        Self {
            parts,
            handle,
            at: 0,
            window: Bytes::new(),
            coming: None,
            digests: None,
            ahead: false,
            next: WINDOW_BYTES_SMALL,
        }
    }

    /// The digests in hex, when all was read.
    pub(crate) fn digests(self) -> Vec<String> {
        let digests = self.digests.unwrap_or_default();
        digests
            .into_iter()
            .map(|digest| hex::encode(digest.finalize()))
            .collect()
    }

    fn ask(&self, at: u64) -> Option<Coming> {
        let (index, range) = self.parts.window(at, self.next)?;
        let length = range.end - range.start;
        let guard = self.handle.enter();
        let bytes = self.parts.fetch(index, range);
        drop(guard);
        Some(Coming { at, length, bytes })
    }

    /// Fills the window from where the reader stands. Empty at the end.
    fn fill(&mut self) -> io::Result<()> {
        let coming = match self.coming.take() {
            Some(coming) if coming.at == self.at => Some(coming),
            _ => self.ask(self.at),
        };
        let Some(coming) = coming else {
            return Ok(());
        };
        if self.ahead {
            self.next = WINDOW_BYTES.min(self.next * 4);
        }
        if self.ahead && self.next == WINDOW_BYTES {
            self.coming = self.ask(coming.at + coming.length);
        }
        let bytes = self.handle.block_on(coming.bytes);
        let bytes = bytes.map_err(io::Error::other)?.map_err(io::Error::other)?;
        if let Some(digests) = &mut self.digests
            && let Some((index, _)) = self.parts.window(self.at, 1)
            && let Some(digest) = digests.get_mut(index)
        {
            digest.update(&bytes);
        }
        self.window = bytes;
        Ok(())
    }
}

impl Read for PartsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.window.is_empty() {
            self.fill()?;
        }
        let length = buffer.len().min(self.window.len());
        let piece = self.window.split_to(length);
        buffer[..length].copy_from_slice(&piece);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for PartsReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.parts.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let to = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let ahead = to
            .checked_sub(self.at)
            .filter(|ahead| *ahead <= self.window.len() as u64);
        match ahead.and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(ahead) => drop(self.window.split_to(ahead)),
            None => {
                self.window = Bytes::new();
                self.next = WINDOW_BYTES_SMALL;
            }
        }
        self.at = to;
        Ok(to)
    }
}
