//! Makes frames of objects and objects of frames. Every frame made is decompressed and hashed again before it is given
//! out: what is stored is what was meant.

use std::io::Cursor;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, ParamSwitch, compress_bound, get_frame_content_size};

use super::member::{self, BLOCK};
use super::table::{Frame, ObjectRow};
use crate::magic::{FRAME_BYTES_MAX, ONE_FRAME_PLANES_BYTES};
use crate::planes::{self, Choice, Encoding};
use crate::{Address, Error};

/// How a frame is compressed.
#[derive(Clone, Copy, Debug)]
struct Effort {
    level: i32,
    /// Bytes that zstd's search steps over where it found no match; 0: as the level has it.
    step: u32,
}

const PLAIN: Effort = Effort { level: 3, step: 0 };
/// Planes of floats have few matches; what makes them smaller is that some bytes are more frequent than others. A search
/// that looks at every byte takes twice as long and leaves more to store, since what it finds by chance costs more than
/// the literals.
const PLANES: Effort = Effort { level: 1, step: 32 };
const NOISE: Effort = Effort { level: -5, step: 0 };

/// What the bounds of several frames may be more than that of one.
const FRAMES_ROOM: usize = 1 << 10;

/// Frames with the objects in them. `frame` of a row counts from the first frame here.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// The frames one after another.
    pub(crate) stored: Vec<u8>,
    /// Their sizes.
    pub(crate) frames: Vec<Frame>,
    /// What lies in them.
    pub(crate) objects: Vec<ObjectRow>,
}

/// The state that is kept from frame to frame, so that buffers and tables are not allocated anew. What a buffer holds
/// between two uses means nothing.
pub(crate) struct Codec {
    compressor: Compressor<'static>,
    sampler: Compressor<'static>,
    decompressor: Decompressor<'static>,
    tar: Vec<u8>,
    joined: Vec<u8>,
    plain: Vec<u8>,
}

/// The first bytes of a buffer, which grows where it is too short.
fn room(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

impl Codec {
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |source| Error::Compress { source };
        let mut compressor = Compressor::new(PLAIN.level).map_err(failed)?;
        compressor
            .set_parameter(CParameter::ChecksumFlag(true))
            .and_then(|()| compressor.set_parameter(CParameter::ContentSizeFlag(true)))
            .map_err(failed)?;
        Ok(Self {
            compressor,
            sampler: Compressor::new(planes::SAMPLE_LEVEL).map_err(failed)?,
            decompressor: Decompressor::new().map_err(failed)?,
            tar: Vec::new(),
            joined: Vec::new(),
            plain: Vec::new(),
        })
    }

    /// One large object, in frames of its own: by planes where a sample says that it helps.
    pub(crate) fn encode_large(
        &mut self,
        address: &Address,
        bytes: &[u8],
    ) -> Result<Encoded, Error> {
        let choice = planes::choose_with(&mut self.sampler, bytes);
        self.encode_alone(address, bytes, choice)
    }

    /// One large object as it is, in a frame of its own.
    pub(crate) fn encode_plain(
        &mut self,
        address: &Address,
        bytes: &[u8],
    ) -> Result<Encoded, Error> {
        let choice = Choice {
            encoding: Encoding::Plain,
            incompressible: false,
        };
        self.encode_alone(address, bytes, choice)
    }

    fn encode_alone(
        &mut self,
        address: &Address,
        bytes: &[u8],
        choice: Choice,
    ) -> Result<Encoded, Error> {
        let encoding = choice.encoding;
        let effort = match (encoding, choice.incompressible) {
            (_, true) => NOISE,
            (Encoding::Plain, false) => PLAIN,
            _ => PLANES,
        };
        let mut buffer = std::mem::take(&mut self.tar);
        let tar_bytes = BLOCK + bytes.len() + member::padding(bytes.len());
        let tar = room(&mut buffer, tar_bytes);
        tar[..BLOCK].copy_from_slice(&member::header(address, encoding, bytes.len()));
        planes::split_over(encoding, bytes, &mut tar[BLOCK..BLOCK + bytes.len()]);
        tar[BLOCK + bytes.len()..].fill(0);
        let mut encoded = Encoded {
            stored: Vec::with_capacity(compress_bound(tar_bytes) + FRAMES_ROOM),
            ..Encoded::default()
        };
        let mut rest = &*tar;
        if encoding != Encoding::Plain && bytes.len() < ONE_FRAME_PLANES_BYTES {
            // zstd has one Huffman table for each 128 KiB block, so small planes would share one: a frame each.
            let plane = bytes.len() / encoding.width();
            for number in 0..encoding.width() - 1 {
                let length = if number == 0 { BLOCK + plane } else { plane };
                let (frame, others) = rest.split_at(length);
                self.compress(frame, effort, &mut encoded)?;
                rest = others;
            }
        }
        self.compress(rest, effort, &mut encoded)?;
        self.tar = buffer;
        encoded.objects.push(ObjectRow {
            address: *address,
            frame: 0,
            offset: BLOCK as u32,
            length: bytes.len() as u32,
            encoding,
        });
        self.verify(&encoded)?;
        Ok(encoded)
    }

    /// Members that share one frame: the tar bytes, and what lies where in them.
    pub(crate) fn encode_shared(
        &mut self,
        tar: &[u8],
        objects: Vec<ObjectRow>,
    ) -> Result<Encoded, Error> {
        let mut encoded = Encoded {
            objects,
            ..Encoded::default()
        };
        self.compress(tar, PLAIN, &mut encoded)?;
        self.verify(&encoded)?;
        Ok(encoded)
    }

    /// A frame without objects: the end of the tar.
    pub(crate) fn encode_bare(&mut self, tar: &[u8]) -> Result<Encoded, Error> {
        self.encode_shared(tar, Vec::new())
    }

    fn compress(&mut self, plain: &[u8], effort: Effort, into: &mut Encoded) -> Result<(), Error> {
        let failed = |source| Error::Compress { source };
        // zstd leaves literals as they are where the step is given, unless it is told otherwise.
        let literals = match effort.step {
            0 => ParamSwitch::Auto,
            _ => ParamSwitch::Enable,
        };
        for parameter in [
            CParameter::CompressionLevel(effort.level),
            CParameter::TargetLength(effort.step),
            CParameter::LiteralCompressionMode(literals),
        ] {
            self.compressor.set_parameter(parameter).map_err(failed)?;
        }
        let begin = into.stored.len();
        into.stored.reserve(compress_bound(plain.len()));
        let mut end = behind(&mut into.stored);
        let length = self
            .compressor
            .compress_to_buffer(plain, &mut end)
            .map_err(failed)?;
        into.stored = end.into_inner();
        into.stored.truncate(begin + length);
        into.frames.push(Frame {
            stored_bytes: length as u32,
            plain_bytes: plain.len() as u32,
        });
        Ok(())
    }

    /// Decompresses the frames again and hashes every object in them.
    fn verify(&mut self, encoded: &Encoded) -> Result<(), Error> {
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        self.decompress_behind(&encoded.stored, &encoded.frames, &mut plain)?;
        let result = encoded.objects.iter().try_for_each(|row| {
            let data = data_of(&plain, row)?;
            if row.encoding == Encoding::Plain {
                return check(data, row);
            }
            let joined = room(&mut self.joined, data.len());
            planes::join_over(row.encoding, data, joined);
            check(joined, row)
        });
        self.plain = plain;
        result
    }

    /// Decompresses frames that lie one after another. A frame that states or holds another size than its row is
    /// refused before anything is allocated for it.
    pub(crate) fn decompress(&mut self, stored: &[u8], frames: &[Frame]) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        self.decompress_behind(stored, frames, &mut plain)?;
        Ok(plain)
    }

    /// The same behind what `plain` holds.
    fn decompress_behind(
        &mut self,
        stored: &[u8],
        frames: &[Frame],
        plain: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut rest = stored;
        for frame in frames {
            let wanted = frame.plain_bytes as usize;
            let (bytes, others) = rest
                .split_at_checked(frame.stored_bytes as usize)
                .ok_or_else(|| bad_frame("it is cut off"))?;
            rest = others;
            let stated =
                get_frame_content_size(bytes).map_err(|_| bad_frame("it is no zstd frame"))?;
            if stated != Some(wanted as u64) || u64::from(frame.plain_bytes) > FRAME_BYTES_MAX {
                return Err(bad_frame("it does not state the size that the table has"));
            }
            let begin = plain.len();
            plain.reserve(wanted);
            let mut end = behind(plain);
            let length = self
                .decompressor
                .decompress_to_buffer(bytes, &mut end)
                .map_err(|error| bad_frame(&format!("it does not decompress: {error}")))?;
            *plain = end.into_inner();
            if length != wanted || plain.len() != begin + wanted {
                return Err(bad_frame("it has another length than the table says"));
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(bad_frame("something follows it"))
        }
    }

    /// Lets go of what is larger than this in the buffers.
    pub(super) fn shrink(&mut self, kept_bytes: usize) {
        for buffer in [&mut self.tar, &mut self.joined, &mut self.plain] {
            if buffer.capacity() > kept_bytes {
                buffer.truncate(kept_bytes);
                buffer.shrink_to(kept_bytes);
            }
        }
    }

    /// Takes one object out of frames that begin with its own, and checks it.
    pub(crate) fn extract_from(
        &mut self,
        stored: &[u8],
        frames: &[Frame],
        row: &ObjectRow,
    ) -> Result<Vec<u8>, Unread> {
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        self.decompress_behind(stored, frames, &mut plain)
            .map_err(Unread::Frames)?;
        let object = extract(&plain, row).map_err(Unread::Object);
        self.plain = plain;
        object
    }
}

/// Why an object was not taken out of its frames.
pub(crate) enum Unread {
    /// The frames are damaged.
    Frames(Error),
    /// They hold something else.
    Object(Error),
}

/// What takes the place behind the bytes of a vector, which it holds meanwhile.
fn behind(bytes: &mut Vec<u8>) -> Cursor<Vec<u8>> {
    let begin = bytes.len() as u64;
    let mut end = Cursor::new(std::mem::take(bytes));
    end.set_position(begin);
    end
}

/// Takes an object out of its frames and checks it. `plain` begins with the row's frame.
pub(crate) fn extract(plain: &[u8], row: &ObjectRow) -> Result<Vec<u8>, Error> {
    let data = data_of(plain, row)?;
    let mut object = Vec::with_capacity(data.len());
    planes::join(row.encoding, data, &mut object);
    check(&object, row)?;
    Ok(object)
}

/// What frames hold of an object.
fn data_of<'a>(plain: &'a [u8], row: &ObjectRow) -> Result<&'a [u8], Error> {
    let begin = row.offset as usize;
    let data = plain.get(begin..begin + row.length as usize);
    data.ok_or_else(|| Error::Object {
        address: row.address,
        reason: "its frames end before it does".to_owned(),
    })
}

fn check(object: &[u8], row: &ObjectRow) -> Result<(), Error> {
    if Address::of(object) == row.address {
        return Ok(());
    }
    Err(Error::Object {
        address: row.address,
        reason: "its bytes do not have the digest that is its name".to_owned(),
    })
}

fn bad_frame(reason: &str) -> Error {
    Error::Json {
        what: "a frame".to_owned(),
        reason: reason.to_owned(),
    }
}
