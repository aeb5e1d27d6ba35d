//! The bytes of a file of a share: written ranges in an expanse of zeros.
//!
//! A file is created with its size and no bytes; ranges come later and in any order. What was never written reads as
//! zeros and is in no range list. No memory is taken for it.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::blob::Content;

/// Zeros, to read what was never written.
static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// A sparse file.
#[derive(Clone, Debug, Default)]
pub struct Extents {
    size: u64,
    written: BTreeMap<u64, Content>,
}

impl Extents {
    /// A file of zeros.
    pub fn sparse(size: u64) -> Self {
        Self {
            size,
            written: BTreeMap::new(),
        }
    }

    /// A file that was written whole.
    pub fn whole(content: Content) -> Self {
        let size = content.size();
        let mut file = Self::sparse(size);
        if size > 0 {
            file.written.insert(0, content);
        }
        file
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Cuts the file or extends it with zeros.
    pub fn resize(&mut self, size: u64) {
        if size < self.size {
            self.clear(size..self.size);
        }
        self.size = size;
    }

    /// Writes bytes at a position; the caller has checked that they fit.
    pub fn update(&mut self, at: u64, bytes: Bytes) {
        let size = bytes.len() as u64;
        self.clear(at..at + size);
        if size > 0 {
            self.written.insert(at, bytes.into());
        }
    }

    /// Makes a range zeros again.
    pub fn clear(&mut self, range: Range<u64>) {
        let touched: Vec<u64> = self
            .written
            .range(..range.end)
            .rev()
            .take_while(|(start, content)| *start + content.size() > range.start)
            .map(|(start, _)| *start)
            .collect();
        for start in touched {
            let Some(content) = self.written.remove(&start) else {
                continue;
            };
            let end = start + content.size();
            if start < range.start {
                self.written
                    .insert(start, content.slice(0..range.start - start));
            }
            if end > range.end {
                self.written
                    .insert(range.end, content.slice(range.end - start..end - start));
            }
        }
    }

    /// The written ranges, adjoining ones as one, first and last byte included.
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (start, content) in &self.written {
            let last = start + content.size() - 1;
            match ranges.last_mut() {
                Some(before) if before.1 + 1 == *start => before.1 = last,
                _ => ranges.push((*start, last)),
            }
        }
        ranges
    }

    /// The bytes of a range. What lies beyond the end is left out.
    pub fn read(&self, range: Range<u64>) -> Content {
        let end = range.end.min(self.size);
        let mut parts = Vec::new();
        let mut at = range.start;
        for (start, content) in &self.written {
            let last = start + content.size();
            if last <= at || *start >= end {
                continue;
            }
            parts.extend(zeros(at..*start));
            let from = at.max(*start);
            parts.push(content.slice(from - start..end.min(last) - start));
            at = end.min(last);
        }
        parts.extend(zeros(at..end));
        Content::concat(parts)
    }

    /// All bytes.
    pub fn content(&self) -> Content {
        self.read(0..self.size)
    }
}

/// Zeros for a range that may be empty or backward.
fn zeros(range: Range<u64>) -> Vec<Content> {
    let mut parts = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let size = (range.end - at).min(ZEROS.len() as u64);
        parts.push(Bytes::from_static(&ZEROS[..size as usize]).into());
        at += size;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overwrite_each_other_and_gaps_read_as_zeros() {
        let mut file = Extents::sparse(10);
        file.update(2, Bytes::from_static(b"abcdef"));
        file.update(4, Bytes::from_static(b"XY"));
        file.clear(6..7);
        assert_eq!(&file.content().to_bytes()[..], b"\0\0abXY\0f\0\0");
        assert_eq!(file.ranges(), [(2, 5), (7, 7)]);
        assert_eq!(&file.read(3..6).to_bytes()[..], b"bXY");
        file.resize(4);
        file.resize(5);
        assert_eq!(&file.content().to_bytes()[..], b"\0\0ab\0");
    }
}
