//! The files below `keys/`: which of the repository's own secrets one holds, in which edition, and for whom.

use std::fmt;

use crate::magic::PASSPHRASES_MAX;
use crate::{Error, FileName};

/// One of the repository's own secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeySort {
    /// Opens data packs.
    Data,
    /// Opens meta packs, index and log.
    Meta,
    /// Signs `keys` entries.
    Sign,
}

impl KeySort {
    pub(crate) const ALL: [Self; 3] = [Self::Data, Self::Meta, Self::Sign];

    /// The word in the file's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Meta => "meta",
            Self::Sign => "sign",
        }
    }
}

/// A key file by what its name says: `keys/<edition>-<sort>.age`, a passphrase's own `keys/<edition>-<sort>-p<n>.age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyFileName {
    pub(crate) edition: u32,
    pub(crate) sort: KeySort,
    /// The number of the passphrase among the owners, from 1.
    pub(crate) passphrase: Option<u32>,
}

impl KeyFileName {
    /// Reads a file's name; none for one that is no key file of an edition, such as an export's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (edition, rest) = name
            .strip_prefix("keys/")?
            .strip_suffix(".age")?
            .split_once('-')?;
        let (word, passphrase) = match rest.split_once("-p") {
            Some((word, number)) => (word, Some(number.parse().ok()?)),
            None => (rest, None),
        };
        let sort = KeySort::ALL.into_iter().find(|sort| sort.word() == word)?;
        let parsed = Self {
            edition: edition.parse().ok()?,
            sort,
            passphrase,
        };
        let counts = passphrase.is_none_or(|number| (1..=PASSPHRASES_MAX).contains(&number));
        (counts && parsed.edition > 0 && parsed.to_string() == name).then_some(parsed)
    }

    pub(crate) fn to_file_name(self) -> Result<FileName, Error> {
        FileName::new(self.to_string())
    }
}

impl fmt::Display for KeyFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys/{}-{}", self.edition, self.sort.word())?;
        match self.passphrase {
            Some(number) => write!(f, "-p{number}.age"),
            None => f.write_str(".age"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        for name in [
            "keys/1-data.age",
            "keys/12-meta-p3.age",
            "keys/4294967295-sign.age",
        ] {
            assert_eq!(
                KeyFileName::parse(name).map(|name| name.to_string()),
                Some(name.to_owned())
            );
        }
        for name in [
            "keys/export-01.age",
            "keys/01-data.age",
            "keys/0-data.age",
            "keys/1-data-p0.age",
            "keys/1-data-p9.age",
            "keys/1-data-p01.age",
            "keys/1-other.age",
            "keys/4294967296-data.age",
            "keys/1-data",
            "log/0000000001",
        ] {
            assert_eq!(KeyFileName::parse(name), None, "{name}");
        }
    }
}
