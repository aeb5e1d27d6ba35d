//! Chunk lists: the chunks of a large file, as a tree of objects in meta packs. Layout in FORMAT.md.

use crate::magic::{CHUNK_LIST_MAGIC, TREE_DEPTH_MAX};
use crate::{Address, Chunk, Error};

/// The most records in one object of a list.
pub(crate) const RECORDS_MAX: usize = 8192;

/// The fewest, but for the last.
const RECORDS_MIN: usize = 256;

const HEAD_BYTES: usize = 16;

/// Whether an object of the list ends after this record.
pub(crate) fn ends(records: &[Chunk]) -> bool {
    let Some(last) = records.last() else {
        return false;
    };
    let [a, b, ..] = last.address.as_bytes();
    records.len() >= RECORDS_MAX
        || (records.len() >= RECORDS_MIN && u16::from_be_bytes([*a, *b]) % 1024 == 0)
}

/// One object of a list. At depth 1 the records are chunks; above, objects of the level below with the bytes that they
/// cover.
pub(crate) fn to_bytes(depth: u8, records: &[Chunk]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + records.len() * 40);
    bytes.extend_from_slice(&CHUNK_LIST_MAGIC);
    bytes.extend_from_slice(&[depth, 0, 0, 0, 0, 0, 0, 0]);
    for record in records {
        bytes.extend_from_slice(record.address.as_bytes());
        bytes.extend_from_slice(&record.size.to_le_bytes());
    }
    bytes
}

/// Reads one object of a list, which must have this depth.
pub(crate) fn parse(bytes: &[u8], depth: u8) -> Result<Vec<Chunk>, Error> {
    let refused = |reason: &str| Error::Json {
        what: "a chunk list".to_owned(),
        reason: reason.to_owned(),
    };
    let (head, records) = bytes
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or_else(|| refused("it is cut off"))?;
    if head[..8] != CHUNK_LIST_MAGIC || head[9..] != [0; 7] {
        return Err(refused("it does not begin with its magic"));
    }
    if head[8] != depth || depth == 0 || depth > TREE_DEPTH_MAX {
        return Err(refused("its depth is not the one expected"));
    }
    let (records, rest) = records.as_chunks::<40>();
    if !rest.is_empty() || records.len() > RECORDS_MAX || records.is_empty() {
        return Err(refused("its length is not that of a list"));
    }
    records
        .iter()
        .map(|record| {
            let (address, size) = record.split_at(32);
            Ok(Chunk {
                address: Address::from_slice(address)?,
                size: u64::from_le_bytes(size.try_into().unwrap_or_default()),
            })
        })
        .collect()
}
