//! Cuts a stream of bytes into pieces for an upload and, where it is long, into files; hashes each file as it is stored.

use std::io::{self, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

/// The length of a piece.
const PIECE_BYTES: usize = 1 << 20;

/// What comes out.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes of a file.
    Bytes(Bytes),
    /// The file is whole: its length, and its SHA-256 in hex. Another may follow.
    End(u64, String),
}

/// A writer whose bytes go into a channel.
#[derive(Debug)]
pub(crate) struct Cut {
    out: mpsc::Sender<Piece>,
    /// The length of a file; none: there is one.
    part_bytes: Option<u64>,
    buffer: Vec<u8>,
    written: u64,
    sha256: Sha256,
}

impl Cut {
    /// Writes into this channel.
    pub(crate) fn new(out: mpsc::Sender<Piece>, part_bytes: Option<u64>) -> Self {
        Self {
            out,
            part_bytes,
            buffer: Vec::with_capacity(PIECE_BYTES),
            written: 0,
            sha256: Sha256::new(),
        }
    }

    /// Ends the last file.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.end_part()
    }

    fn end_part(&mut self) -> io::Result<()> {
        self.send_buffer()?;
        let sha256 = hex::encode(std::mem::take(&mut self.sha256).finalize());
        let end = Piece::End(std::mem::take(&mut self.written), sha256);
        self.send(end)
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        self.sha256.update(&full);
        self.send(Piece::Bytes(Bytes::from(full)))
    }

    fn send(&mut self, piece: Piece) -> io::Result<()> {
        self.out
            .blocking_send(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = PIECE_BYTES - self.buffer.len();
        if let Some(part_bytes) = self.part_bytes {
            if self.written >= part_bytes {
                self.end_part()?;
                room = PIECE_BYTES;
            }
            let left = usize::try_from(part_bytes - self.written).unwrap_or(usize::MAX);
            room = room.min(left);
        }
        let taken = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.written += taken as u64;
        if self.buffer.len() == PIECE_BYTES {
            self.send_buffer()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test says where")]

    use super::*;

    fn cut(bytes: &[u8], part_bytes: Option<u64>) -> Vec<Vec<u8>> {
        let (out, mut pieces) = mpsc::channel(1024);
        let mut cut = Cut::new(out, part_bytes);
        for some in bytes.chunks(777) {
            cut.write_all(some).unwrap();
        }
        cut.finish().unwrap();
        let (mut files, mut open) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Bytes(bytes) => open.extend_from_slice(&bytes),
                Piece::End(size, sha256) => {
                    assert_eq!(size, open.len() as u64);
                    assert_eq!(sha256, hex::encode(Sha256::digest(&open)));
                    files.push(std::mem::take(&mut open));
                }
            }
        }
        assert!(open.is_empty());
        files
    }

    #[test]
    fn a_stream_is_cut_at_its_length_and_put_together_it_is_the_same() {
        let bytes: Vec<u8> = (0..3_500_000_u32).map(|n| (n % 251) as u8).collect();
        for (part_bytes, expected) in [
            (None, vec![3_500_000]),
            (
                Some(1_000_000),
                vec![1_000_000, 1_000_000, 1_000_000, 500_000],
            ),
            (Some(3_500_000), vec![3_500_000]),
            (Some(1_750_000), vec![1_750_000, 1_750_000]),
        ] {
            let files = cut(&bytes, part_bytes);
            let lengths: Vec<usize> = files.iter().map(Vec::len).collect();
            assert_eq!(lengths, expected);
            assert_eq!(files.concat(), bytes);
        }
        assert_eq!(cut(&[], Some(10)), vec![Vec::<u8>::new()]);
    }
}
