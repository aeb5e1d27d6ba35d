//! What happens to a file: a bit turns, a part is lost, all of it is, another of its kind stands in its place, or something
//! is put behind it.

use std::path::Path;

use crate::world::Tested;
use mlark_tests::length::short_or_long;

/// Damage to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// A bit is turned at this share of the file, in percent.
    Flip(usize),
    Truncate,
    Empty,
    Delete,
    Swap,
    Append,
}

impl Harm {
    /// All of them; of the many places for a bit the long form takes fifty.
    pub(super) fn all() -> Vec<Self> {
        let places = short_or_long(4, 50);
        let flips = (0..places).map(|place| Self::Flip(place * 100 / (places - 1)));
        let others = [
            Self::Truncate,
            Self::Empty,
            Self::Delete,
            Self::Swap,
            Self::Append,
        ];
        flips.chain(others).collect()
    }

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flip(_) => "flip",
            Self::Truncate => "truncate",
            Self::Empty => "empty",
            Self::Delete => "delete",
            Self::Swap => "swap",
            Self::Append => "append",
        }
    }

    /// Does it to a file; `other` is what stands in its place after a swap.
    pub(super) fn strike(self, path: &Path, other: &Path) -> Tested {
        let mut bytes = std::fs::read(path)?;
        match self {
            Self::Flip(percent) => {
                let place = (bytes.len() - 1) * percent / 100;
                bytes[place] ^= 0x10;
            }
            Self::Truncate => bytes.truncate(bytes.len() * 2 / 3),
            Self::Empty => bytes.clear(),
            Self::Append => bytes.extend_from_slice(b"more"),
            Self::Delete => return Ok(std::fs::remove_file(path)?),
            Self::Swap => bytes = std::fs::read(other)?,
        }
        Ok(std::fs::write(path, bytes)?)
    }
}
