//! The table of a pack: which object lies in which frame. Little-endian; its layout is in FORMAT.md.

use crate::magic::{
    FORMAT_VERSION, FRAME_BYTES_MAX, OBJECT_BYTES_MAX, PACK_FRAMES_MAX, PACK_OBJECTS_MAX,
    STORED_FRAME_BYTES_MAX, TABLE_MAGIC,
};
use crate::pack::Class;
use crate::planes::Encoding;
use crate::{Address, Error};

/// One zstd frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its length as stored.
    pub stored_bytes: u32,
    /// Its length decompressed.
    pub plain_bytes: u32,
}

/// Where an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// The object.
    pub address: Address,
    /// The frame in which its member's data begins. It may go on in the frames after it.
    pub frame: u32,
    /// Where the data begins in that frame, decompressed.
    pub offset: u32,
    /// The length of the data; also that of the object.
    pub length: u32,
    /// How the bytes lie in the member.
    pub encoding: Encoding,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What makes the pack's name unique for ever.
    pub random: [u8; 16],
    /// What the pack holds.
    pub class: Class,
    /// All frames of the tar, from the pack's first byte on.
    pub frames: Vec<Frame>,
    /// All objects, sorted by address, none twice.
    pub objects: Vec<ObjectRow>,
}

const HEAD_BYTES: usize = 48;
const FRAME_BYTES: usize = 8;
const OBJECT_BYTES: usize = 48;

impl Table {
    /// The table's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(
            HEAD_BYTES + self.frames.len() * FRAME_BYTES + self.objects.len() * OBJECT_BYTES + 4,
        );
        out.extend_from_slice(&TABLE_MAGIC);
        out.extend_from_slice(&(FORMAT_VERSION as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.random);
        out.extend_from_slice(&[self.class.code(), 0, 0, 0]);
        out.extend_from_slice(&(self.frames.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.objects.len() as u32).to_le_bytes());
        let plain: u64 = self
            .frames
            .iter()
            .map(|frame| u64::from(frame.plain_bytes))
            .sum();
        out.extend_from_slice(&plain.to_le_bytes());
        for frame in &self.frames {
            out.extend_from_slice(&frame.stored_bytes.to_le_bytes());
            out.extend_from_slice(&frame.plain_bytes.to_le_bytes());
        }
        for object in &self.objects {
            out.extend_from_slice(object.address.as_bytes());
            out.extend_from_slice(&object.frame.to_le_bytes());
            out.extend_from_slice(&object.offset.to_le_bytes());
            out.extend_from_slice(&object.length.to_le_bytes());
            out.extend_from_slice(&[object.encoding.code(), 0, 0, 0]);
        }
        // Reserved: the number of base objects, for objects stored as differences.
        out.extend_from_slice(&0_u32.to_le_bytes());
        out
    }

    /// Reads a table. Every count and size is checked before anything is allocated for it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader { bytes };
        if reader.array::<8>()? != TABLE_MAGIC {
            return Err(refused("it does not begin with the table's magic"));
        }
        let version = u16::from_le_bytes(reader.array()?);
        if u64::from(version) != FORMAT_VERSION {
            return Err(Error::UnknownVersion {
                what: "A pack".to_owned(),
                found: version.into(),
                known: FORMAT_VERSION,
            });
        }
        let flags = u16::from_le_bytes(reader.array()?);
        if flags != 0 {
            return Err(Error::UnknownFlag {
                what: "A pack".to_owned(),
                flag: format!("{flags:#06x}"),
            });
        }
        let random = reader.array()?;
        let [class, 0, 0, 0] = reader.array()? else {
            return Err(refused("a reserved byte is set"));
        };
        let class = Class::from_code(class).ok_or_else(|| refused("its class is unknown"))?;
        let frame_count = reader.count(PACK_FRAMES_MAX, "frames")?;
        let object_count = reader.count(PACK_OBJECTS_MAX, "objects")?;
        let plain = u64::from_le_bytes(reader.array()?);
        let wanted = frame_count * FRAME_BYTES + object_count * OBJECT_BYTES + 4;
        if reader.bytes.len() != wanted {
            return Err(refused("its length does not fit its counts"));
        }
        let frames = (0..frame_count)
            .map(|_| reader.frame())
            .collect::<Result<Vec<_>, _>>()?;
        let objects = (0..object_count)
            .map(|_| reader.object())
            .collect::<Result<Vec<_>, _>>()?;
        if u32::from_le_bytes(reader.array()?) != 0 {
            return Err(Error::UnknownFlag {
                what: "A pack".to_owned(),
                flag: "differences".to_owned(),
            });
        }
        let table = Self {
            random,
            class,
            frames,
            objects,
        };
        table.check(plain)?;
        Ok(table)
    }

    fn check(&self, plain: u64) -> Result<(), Error> {
        let ends = self.ends();
        if sum(&ends) != plain {
            return Err(refused("its frames do not add up"));
        }
        if !self
            .objects
            .is_sorted_by(|left, right| left.address < right.address)
        {
            return Err(refused("its objects are not sorted"));
        }
        let mut spans = (self.objects.iter())
            .map(|object| self.span(object, &ends))
            .collect::<Result<Vec<_>, _>>()?;
        // What lies in several frames is opened whole, so that they may be no more than one may be, and no object's that
        // others lie in: who opens those would open them all.
        spans.sort_unstable();
        let shared = |pair: &[(u32, u32)]| {
            let [(first, last), (next, end)] = *pair else {
                return false;
            };
            (first < last || next < end) && next <= last
        };
        if spans.windows(2).any(shared) {
            return Err(refused("an object of several frames shares one of them"));
        }
        Ok(())
    }

    /// Where each frame ends, all frames before it counted.
    pub(super) fn ends(&self) -> Vec<End> {
        let mut end = End::default();
        let step = |frame: &Frame| {
            end.stored += u64::from(frame.stored_bytes);
            end.plain += u64::from(frame.plain_bytes);
            end
        };
        self.frames.iter().map(step).collect()
    }

    /// The first and the last frame in which an object lies.
    fn span(&self, object: &ObjectRow, ends: &[End]) -> Result<(u32, u32), Error> {
        let first = object.frame as usize;
        let Some(frame) = self.frames.get(first) else {
            return Err(refused("an object lies in a frame that is not there"));
        };
        let begin = ends[first].before(frame);
        let object_end = begin.plain + u64::from(object.offset) + u64::from(object.length);
        if object.offset > frame.plain_bytes || object_end > sum(ends) {
            return Err(refused("an object lies outside the frames"));
        }
        let last = first + ends[first..].partition_point(|end| end.plain < object_end);
        for (what, size, limit) in [
            (
                "The frames of an object as stored",
                ends[last].stored - begin.stored,
                STORED_FRAME_BYTES_MAX,
            ),
            (
                "The frames of an object",
                ends[last].plain - begin.plain,
                FRAME_BYTES_MAX,
            ),
        ] {
            if size > limit {
                return Err(Error::Limit {
                    what: what.to_owned(),
                    limit,
                    found: size,
                });
            }
        }
        Ok((object.frame, last as u32))
    }
}

/// The length of all frames decompressed.
fn sum(ends: &[End]) -> u64 {
    ends.last().map_or(0, |end| end.plain)
}

/// What the frames up to and with one hold together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    pub(super) stored: u64,
    pub(super) plain: u64,
}

impl End {
    /// What the frames before hold, where this is the end of `frame`.
    pub(super) fn before(self, frame: &Frame) -> Self {
        Self {
            stored: self.stored - u64::from(frame.stored_bytes),
            plain: self.plain - u64::from(frame.plain_bytes),
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::Json {
        what: "a pack's table".to_owned(),
        reason: reason.to_owned(),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or_else(|| refused("it is cut off"))?;
        self.bytes = rest;
        Ok(*head)
    }

    fn count(&mut self, limit: u32, what: &str) -> Result<usize, Error> {
        let count = u32::from_le_bytes(self.array()?);
        if count > limit {
            return Err(Error::Limit {
                what: format!("The number of {what} of a pack"),
                limit: limit.into(),
                found: count.into(),
            });
        }
        Ok(count as usize)
    }

    fn frame(&mut self) -> Result<Frame, Error> {
        let stored_bytes = u32::from_le_bytes(self.array()?);
        let plain_bytes = u32::from_le_bytes(self.array()?);
        for (what, size, limit) in [
            ("A frame as stored", stored_bytes, STORED_FRAME_BYTES_MAX),
            ("A frame", plain_bytes, FRAME_BYTES_MAX),
        ] {
            if u64::from(size) > limit {
                return Err(Error::Limit {
                    what: what.to_owned(),
                    limit,
                    found: size.into(),
                });
            }
        }
        Ok(Frame {
            stored_bytes,
            plain_bytes,
        })
    }

    fn object(&mut self) -> Result<ObjectRow, Error> {
        let address = Address::from_bytes(self.array()?);
        let frame = u32::from_le_bytes(self.array()?);
        let offset = u32::from_le_bytes(self.array()?);
        let length = u32::from_le_bytes(self.array()?);
        let [code, 0, 0, 0] = self.array()? else {
            return Err(refused("a reserved byte is set"));
        };
        let encoding = Encoding::from_code(code).ok_or_else(|| Error::UnknownFlag {
            what: "A pack".to_owned(),
            flag: format!("encoding {code}"),
        })?;
        if u64::from(length) > OBJECT_BYTES_MAX {
            return Err(Error::Limit {
                what: "An object".to_owned(),
                limit: OBJECT_BYTES_MAX,
                found: length.into(),
            });
        }
        Ok(ObjectRow {
            address,
            frame,
            offset,
            length,
            encoding,
        })
    }
}
