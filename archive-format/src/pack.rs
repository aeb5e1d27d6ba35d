//! Packs: many objects in one file, which stock `tar`, `zstd` and `sha256sum` read (and `age`, where encrypted).
//!
//! A pack is a tar stream in independent zstd frames; after the tar's end come a skippable frame with mlark's table and
//! one with the seek table of zstd's seekable format. The whole is one age file where the repository is encrypted.

mod codec;
pub(crate) mod index;
pub(crate) mod member;
pub(crate) mod open;
mod pool;
pub(crate) mod scan;
mod table;
pub(crate) mod tail;
pub(crate) mod writer;

pub(crate) use codec::{Codec, Encoded, Unread, extract};
pub(crate) use pool::{CodecPool, turns_at_once};
pub use table::{Frame, ObjectRow, Table};

/// What a pack holds, which decides to whom it is encrypted and what it dies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Documents and secrets: data.
    Documents,
    /// Files: data.
    Files,
    /// Logs and outputs of jobs: data.
    Outputs,
    /// Manifests, lists of chunks and packs: meta.
    Meta,
}

impl Class {
    /// All of them, in the order in which they are written out.
    pub(crate) const ALL: [Self; 4] = [Self::Documents, Self::Files, Self::Outputs, Self::Meta];

    /// The number in a pack's table.
    pub fn code(self) -> u8 {
        match self {
            Self::Documents => 1,
            Self::Files => 2,
            Self::Outputs => 3,
            Self::Meta => 16,
        }
    }

    /// Reads the number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

#[cfg(test)]
mod tests;
