//! Decrypts a part of a pack: only the age chunks that a range touches are read and opened.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;

use crate::keys::{Pair, envelope};

/// The stored bytes that hold a plain range, for a pack with this header length.
pub(crate) fn stored_range(plain: &Range<u64>, header: usize, stored_bytes: u64) -> Range<u64> {
    let step = envelope::CHUNK_BYTES + envelope::TAG_BYTES;
    let header = header as u64;
    let begin = header + plain.start / envelope::CHUNK_BYTES * step;
    let end = header + plain.end.div_ceil(envelope::CHUNK_BYTES) * step;
    begin.min(stored_bytes)..end.min(stored_bytes)
}

/// A file of which only the header and one part are at hand.
struct Part {
    header: Bytes,
    part: Bytes,
    part_at: u64,
    position: u64,
    length: u64,
}

impl BufRead for Part {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let header = self.header.len() as u64;
        if self.position < header {
            Ok(&self.header[self.position as usize..])
        } else if self.position >= self.length {
            Ok(&[])
        } else {
            self.position
                .checked_sub(self.part_at)
                .and_then(|at| self.part.get(at as usize..))
                .filter(|rest| !rest.is_empty())
                .ok_or_else(|| io::Error::other("a part was needed that was not read"))
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }
}

impl Read for Part {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.fill_buf()?;
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::other("a place before the beginning"))?;
        Ok(self.position)
    }
}

/// The plain bytes of `plain`, from the stored bytes `part` that [`stored_range`] named.
pub(crate) fn decrypt<'a>(
    header: &[u8],
    part: Bytes,
    stored: &Range<u64>,
    stored_bytes: u64,
    plain: &Range<u64>,
    pairs: impl Iterator<Item = &'a Pair>,
) -> Result<Vec<u8>, envelope::Unopened> {
    let damaged = |error: io::Error| envelope::Unopened::Damaged(error.to_string());
    let held = part.len() as u64;
    let file = Part {
        header: Bytes::copy_from_slice(header),
        part,
        part_at: stored.start,
        position: 0,
        length: stored_bytes,
    };
    let mut reader = envelope::reader(header, file, pairs)?;
    if plain.start >= envelope::CHUNK_BYTES {
        // Seeking to the very beginning of a chunk makes the reader look for the file's end; one byte further does not.
        let inside = plain.start / envelope::CHUNK_BYTES * envelope::CHUNK_BYTES + 1;
        reader.seek(SeekFrom::Start(inside)).map_err(damaged)?;
    }
    reader.seek(SeekFrom::Start(plain.start)).map_err(damaged)?;
    let length = plain.end - plain.start;
    // No more than the part that is at hand can hold.
    let mut out = Vec::with_capacity(usize::try_from(length.min(held)).unwrap_or_default());
    reader.take(length).read_to_end(&mut out).map_err(damaged)?;
    if out.len() as u64 != length {
        return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(out)
}
