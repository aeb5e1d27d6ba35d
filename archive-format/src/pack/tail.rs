//! Where the table lies in a pack, told by the pack's own end.
//!
//! The end names no place: its seek table says how many frames there are and how long the table's is, and both are
//! counted back from the last byte. What is found so must be what the format would have written there.

use super::index::Index;
use super::writer;
use crate::keys::envelope::{CHUNK_BYTES, TAG_BYTES};
use crate::magic::{INDEX_BYTES_MAX, PACK_FRAMES_MAX, SEEK_TABLE_MAGIC, TABLE_FRAME_MAGIC};
use crate::{Error, PackName};

/// What every pack ends with: the seek table's last record, the number of records, a byte 0, and a magic.
pub(crate) const LAST_BYTES: u64 = 17;

/// The number of records, a byte 0, and the magic.
const FOOT_BYTES: u64 = 9;

/// The magic and the length of a skippable frame.
const FRAME_HEAD_BYTES: u64 = 8;

/// A record of the seek table.
const RECORD_BYTES: u64 = 8;

/// The length before encryption of a pack with a header of this length: each age chunk has a tag, and only the last may
/// be shorter. None where the file ends too early. Without a header nothing is encrypted.
pub(crate) fn plain_bytes(stored_bytes: u64, header: usize) -> Option<u64> {
    if header == 0 {
        return Some(stored_bytes);
    }
    let payload = stored_bytes.checked_sub(header as u64)?;
    let chunks = payload.div_ceil(CHUNK_BYTES + TAG_BYTES);
    payload.checked_sub(chunks * TAG_BYTES)
}

/// Where the frame with the table begins, from the last bytes of a pack of this length before encryption.
pub(crate) fn table_at(last: &[u8], plain_bytes: u64) -> Result<u64, Error> {
    let no_seek_table = || refused("it does not end with a seek table");
    let last: &[u8; LAST_BYTES as usize] = last.try_into().map_err(|_| no_seek_table())?;
    let [a, b, c, d, _, _, _, _, e, f, g, h, zero, magic @ ..] = *last;
    let count = u32::from_le_bytes([e, f, g, h]);
    if zero != 0
        || magic != SEEK_TABLE_MAGIC.to_le_bytes()
        || count == 0
        || count > PACK_FRAMES_MAX + 1
    {
        return Err(no_seek_table());
    }
    let seek_at = plain_bytes
        .checked_sub(seek_frame_bytes(count.into()))
        .ok_or_else(|| refused("its seek table is longer than it"))?;
    // The last record is that of the table's own frame.
    let table_bytes = u64::from(u32::from_le_bytes([a, b, c, d]));
    seek_at
        .checked_sub(table_bytes)
        .filter(|_| (FRAME_HEAD_BYTES..=INDEX_BYTES_MAX).contains(&table_bytes))
        .ok_or_else(|| refused("its table is not where the seek table says"))
}

/// What the index should say, from the bytes between [`table_at`] and the end.
pub(crate) fn index(
    pack: PackName,
    stored_bytes: u64,
    header: Vec<u8>,
    tail: &[u8],
) -> Result<Index, Error> {
    let plain_bytes = plain_bytes(stored_bytes, header.len())
        .ok_or_else(|| refused("it is shorter than its header says"))?;
    let table = table_of(tail).ok_or_else(|| refused("its table is not there"))?;
    let index = Index::of_table(pack, stored_bytes, plain_bytes, header, table)?;
    if writer::tail(&index.table) == tail {
        Ok(index)
    } else {
        Err(refused("its seek table does not fit"))
    }
}

/// The table, where its skippable frame begins here (RFC 8878, 3.1.2).
fn table_of(tail: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = tail.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*magic) != TABLE_FRAME_MAGIC {
        return None;
    }
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// The length of what follows the frames of a pack: the table's frame and the seek table's.
pub(super) fn bytes_behind_frames(table_bytes: usize, frames: usize) -> u64 {
    FRAME_HEAD_BYTES + table_bytes as u64 + seek_frame_bytes(frames as u64 + 1)
}

fn seek_frame_bytes(records: u64) -> u64 {
    FRAME_HEAD_BYTES + records * RECORD_BYTES + FOOT_BYTES
}

fn refused(reason: &str) -> Error {
    Error::Json {
        what: "the end of a pack".to_owned(),
        reason: reason.to_owned(),
    }
}
