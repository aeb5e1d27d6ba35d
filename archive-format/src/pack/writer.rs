//! Writes one pack into a temporary file, which is ciphertext where the repository is encrypted.
//!
//! Whoever takes it into the repository flushes it to the disk: that takes long, and no processor. So that little is left
//! to wait for then, the disk begins while the file is still being filled.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;
use sha2::{Digest as _, Sha256};

use super::index::Index;
use super::table::{Frame, ObjectRow, Table};
use super::{Class, Codec, Encoded};
use crate::keys::{Recipient, envelope};
use crate::magic::{AGE_HEADER_BYTES_MAX, SEEK_FRAME_MAGIC, SEEK_TABLE_MAGIC, TABLE_FRAME_MAGIC};
use crate::{Error, PackName};

/// What gathers before it is written: age's header, not its chunks, which go past the buffer.
const BUFFERED_BYTES: usize = 16 << 10;

/// After so many bytes the disk is told to begin with them.
const BEGUN_BYTES: u64 = 4 << 20;

/// A file that is hashed as it is written.
struct HashingFile {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    /// Those that the disk was told to begin with.
    begun: u64,
    head: Vec<u8>,
}

impl HashingFile {
    /// Linux takes the advice that bytes are not needed as the moment to write them; those that are not written yet stay.
    /// No more than a hint: the flush decides.
    fn begin_writing(&mut self) {
        #[cfg(target_os = "linux")]
        {
            let length = std::num::NonZeroU64::new(self.bytes - self.begun);
            let advice = rustix::fs::Advice::DontNeed;
            let _ = rustix::fs::fadvise(self.file.get_ref(), self.begun, length, advice);
        }
        self.begun = self.bytes;
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes - self.begun >= BEGUN_BYTES {
            self.begin_writing();
        }
        let room = AGE_HEADER_BYTES_MAX - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

enum Sink {
    Plain(HashingFile),
    Encrypted(Box<StreamWriter<HashingFile>>),
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            // age is fastest in pieces of one of its chunks.
            Self::Encrypted(writer) => bytes
                .chunks(64 << 10)
                .try_for_each(|part| writer.write_all(part)),
        }
    }
}

/// A pack that is being filled.
pub(crate) struct PackBuilder {
    path: PathBuf,
    sink: Sink,
    encrypted: bool,
    class: Class,
    frames: Vec<Frame>,
    objects: Vec<ObjectRow>,
    frame_bytes: u64,
}

impl std::fmt::Debug for PackBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackBuilder")
            .field("path", &self.path)
            .field("objects", &self.objects.len())
            .finish_non_exhaustive()
    }
}

/// A pack that is whole, not yet in the repository: bringing it there makes it durable.
#[derive(Debug)]
pub(crate) struct FinishedPack {
    pub(crate) path: PathBuf,
    pub(crate) index: Index,
}

impl PackBuilder {
    /// Begins a pack in this new file.
    pub(crate) fn create(
        path: PathBuf,
        class: Class,
        recipient: Option<&Recipient>,
    ) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|source| Error::Local {
            act: "create",
            path: path.clone(),
            source,
        })?;
        let file = HashingFile {
            file: BufWriter::with_capacity(BUFFERED_BYTES, file),
            hash: Sha256::new(),
            bytes: 0,
            begun: 0,
            head: Vec::new(),
        };
        let sink = match recipient {
            Some(recipient) => Sink::Encrypted(Box::new(envelope::writer(&[recipient], file)?)),
            None => Sink::Plain(file),
        };
        Ok(Self {
            path,
            sink,
            encrypted: recipient.is_some(),
            class,
            frames: Vec::new(),
            objects: Vec::new(),
            frame_bytes: 0,
        })
    }

    /// Bytes of frames so far.
    pub(crate) fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    /// Frames so far.
    pub(crate) fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// Objects so far.
    pub(crate) fn object_count(&self) -> usize {
        self.objects.len()
    }

    /// Adds frames with their objects.
    pub(crate) fn append(&mut self, encoded: Encoded) -> Result<(), Error> {
        let first = self.frames.len() as u32;
        self.write(&encoded.stored)?;
        self.frame_bytes += encoded.stored.len() as u64;
        self.frames.extend(encoded.frames);
        self.objects
            .extend(encoded.objects.into_iter().map(|row| ObjectRow {
                frame: row.frame + first,
                ..row
            }));
        Ok(())
    }

    /// Ends the tar, writes the tables and what is left in buffers.
    pub(crate) fn finish(self, codec: &mut Codec) -> Result<FinishedPack, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Worker {
            what: "the source of random bytes",
        })?;
        self.finish_with(random, codec)
    }

    /// The same with these random bytes.
    pub(crate) fn finish_with(
        mut self,
        random: [u8; 16],
        codec: &mut Codec,
    ) -> Result<FinishedPack, Error> {
        let end = codec.encode_bare(&[0; 1024])?;
        self.append(end)?;
        self.objects.sort_unstable_by_key(|row| row.address);
        self.objects.dedup_by_key(|row| row.address);
        let table = Table {
            random,
            class: self.class,
            frames: std::mem::take(&mut self.frames),
            objects: std::mem::take(&mut self.objects),
        };
        let tail = tail(&table);
        self.write(&tail)?;
        let plain_bytes = self.frame_bytes + tail.len() as u64;
        let file = close(self.sink).map_err(local(&self.path, "write"))?;
        let header = if self.encrypted {
            header_bytes(file.bytes, plain_bytes, &file.head)?
        } else {
            Vec::new()
        };
        Ok(FinishedPack {
            path: self.path,
            index: Index {
                pack: PackName::from_bytes(file.hash.finalize().into()),
                stored_bytes: file.bytes,
                plain_bytes,
                header,
                table,
            },
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sink
            .write_all(bytes)
            .map_err(local(&self.path, "write"))
    }
}

/// Ends the encryption and writes what is left in buffers.
fn close(sink: Sink) -> io::Result<HashingFile> {
    let mut file = match sink {
        Sink::Plain(file) => file,
        Sink::Encrypted(writer) => writer.finish()?,
    };
    file.flush()?;
    Ok(file)
}

fn local(path: &Path, act: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Local {
        act,
        path: path.to_owned(),
        source,
    }
}

/// What stands in front of the encrypted chunks: age's header and its nonce.
fn header_bytes(stored: u64, plain: u64, head: &[u8]) -> Result<Vec<u8>, Error> {
    let chunks = plain.div_ceil(envelope::CHUNK_BYTES).max(1);
    let length = stored - plain - chunks * envelope::TAG_BYTES;
    usize::try_from(length)
        .ok()
        .and_then(|length| head.get(..length))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Error::Encrypt {
            reason: "the age header is longer than 4 KiB".to_owned(),
        })
}

/// What follows the frames: one with the table, one with the seek table.
pub(crate) fn tail(table: &Table) -> Vec<u8> {
    let mut tail = skippable(TABLE_FRAME_MAGIC, &table.to_bytes());
    let seek_table = seek_table(&table.frames, tail.len());
    tail.extend(skippable(SEEK_FRAME_MAGIC, &seek_table));
    tail
}

/// A zstd skippable frame (RFC 8878, 3.1.2).
fn skippable(magic: u32, content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(content.len() + 8);
    frame.extend_from_slice(&magic.to_le_bytes());
    frame.extend_from_slice(&(content.len() as u32).to_le_bytes());
    frame.extend_from_slice(content);
    frame
}

/// The seek table of zstd's seekable format. The frame with mlark's table is listed as an empty one.
fn seek_table(frames: &[Frame], table_frame_bytes: usize) -> Vec<u8> {
    let mut table = Vec::with_capacity((frames.len() + 1) * 8 + 9);
    for frame in frames {
        table.extend_from_slice(&frame.stored_bytes.to_le_bytes());
        table.extend_from_slice(&frame.plain_bytes.to_le_bytes());
    }
    table.extend_from_slice(&(table_frame_bytes as u32).to_le_bytes());
    table.extend_from_slice(&0_u32.to_le_bytes());
    table.extend_from_slice(&(frames.len() as u32 + 1).to_le_bytes());
    table.push(0);
    table.extend_from_slice(&SEEK_TABLE_MAGIC.to_le_bytes());
    table
}
