//! The index file of a pack: its table, its sizes, and what opens it at any place with one ranged request.
//!
//! An index is a hint: what it leads to is checked against the object's address.

use super::table::Table;
use super::tail;
use crate::magic::{AGE_HEADER_BYTES_MAX, INDEX_MAGIC};
use crate::{Error, PackName};

/// What an index file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    /// The pack.
    pub(crate) pack: PackName,
    /// The length of its file.
    pub(crate) stored_bytes: u64,
    /// Its length before encryption.
    pub(crate) plain_bytes: u64,
    /// The age header and nonce that the file begins with; empty where nothing is encrypted.
    pub(crate) header: Vec<u8>,
    /// Its table.
    pub(crate) table: Table,
}

impl Index {
    /// The bytes, before they are encrypted to the meta recipient.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let table = self.table.to_bytes();
        let mut out = Vec::with_capacity(table.len() + self.header.len() + 64);
        out.extend_from_slice(&INDEX_MAGIC);
        out.extend_from_slice(self.pack.as_bytes());
        out.extend_from_slice(&self.stored_bytes.to_le_bytes());
        out.extend_from_slice(&self.plain_bytes.to_le_bytes());
        out.extend_from_slice(&(self.header.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.header);
        out.extend_from_slice(&table);
        out
    }

    /// Reads an index file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Json {
            what: "an index".to_owned(),
            reason: reason.to_owned(),
        };
        let cut_off = || refused("it is cut off");
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut_off)?;
        if *magic != INDEX_MAGIC {
            return Err(refused("it does not begin with the index's magic"));
        }
        let (pack, rest) = rest.split_first_chunk::<32>().ok_or_else(cut_off)?;
        let (stored, rest) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
        let (plain, rest) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > AGE_HEADER_BYTES_MAX {
            return Err(refused("its age header is too long"));
        }
        let (header, rest) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        Self::of_table(
            PackName::from_bytes(*pack),
            u64::from_le_bytes(*stored),
            u64::from_le_bytes(*plain),
            header.to_vec(),
            rest,
        )
    }

    /// An index with the bytes of its pack's table.
    pub(crate) fn of_table(
        pack: PackName,
        stored_bytes: u64,
        plain_bytes: u64,
        header: Vec<u8>,
        table: &[u8],
    ) -> Result<Self, Error> {
        let index = Self {
            pack,
            stored_bytes,
            plain_bytes,
            header,
            table: Table::from_bytes(table)?,
        };
        let frames = index.table.ends().last().map_or(0, |end| end.stored);
        let behind = tail::bytes_behind_frames(table.len(), index.table.frames.len());
        if index.plain_bytes != frames + behind
            || tail::plain_bytes(stored_bytes, index.header.len()) != Some(index.plain_bytes)
        {
            return Err(Error::Json {
                what: "an index".to_owned(),
                reason: "its sizes do not fit together".to_owned(),
            });
        }
        Ok(index)
    }
}
