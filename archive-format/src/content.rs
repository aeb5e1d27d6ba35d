//! The bytes of a file: their size, their digest, and the chunks that they were cut into.

use serde::{Deserialize, Serialize};

use crate::{Address, Digest};

/// One chunk of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chunk {
    /// The object that holds it.
    pub address: Address,
    /// Its length in bytes.
    pub size: u64,
}

/// The list of a large file's chunks: an object in meta packs, itself cut into a tree where it is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkList {
    /// The object at the top of the tree.
    pub address: Address,
    /// Its levels: 1 lists chunks, 2 lists lists of chunks, and so on.
    pub depth: u8,
    /// How many chunks there are in all.
    pub chunks: u64,
}

/// The bytes of a file as they are stored. A file of up to 16 chunks lists them; a larger one has a chunk list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the whole.
    pub sha256: Digest,
    /// The chunks, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// The list of chunks, where there are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_list: Option<ChunkList>,
}
