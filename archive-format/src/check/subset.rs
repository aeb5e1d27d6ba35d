//! Which packs a check of a part reads: a rule that everybody who knows the repository can follow.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::{EntryHash, Error, PackName};

/// A part of the packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// `n/t`: the packs whose name's first four bytes, as a big-endian number, leave n − 1 when divided by t. The t parts
    /// together are all packs, and each part stays the same while packs come and go.
    Part {
        /// n, from 1.
        number: u32,
        /// t.
        of: u32,
    },
    /// `P%`: that share of the packs, rounded up. They are taken in the order of the SHA-256 of the newest log entry's
    /// hash and the pack's name, so that each entry brings others.
    Share {
        /// P in thousandths.
        thousandths: u32,
    },
}

impl Subset {
    /// The packs that are read, of all that are there.
    pub(crate) fn of(self, head: &EntryHash, packs: &[PackName]) -> BTreeSet<PackName> {
        match self {
            Self::Part { number, of } => packs
                .iter()
                .filter(|name| {
                    let [a, b, c, d, ..] = *name.as_bytes();
                    u32::from_be_bytes([a, b, c, d]) % of.max(1) == number.saturating_sub(1)
                })
                .copied()
                .collect(),
            Self::Share { thousandths } => {
                let mut ranked: Vec<([u8; 32], PackName)> = packs
                    .iter()
                    .map(|name| {
                        let hash = Sha256::new().chain_update(head.as_bytes());
                        (hash.chain_update(name.as_bytes()).finalize().into(), *name)
                    })
                    .collect();
                ranked.sort_unstable();
                let count = (packs.len() as u64 * u64::from(thousandths)).div_ceil(100_000);
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                ranked
                    .into_iter()
                    .take(count)
                    .map(|(_, name)| name)
                    .collect()
            }
        }
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { number, of } => write!(f, "{number}/{of}"),
            Self::Share { thousandths } => write!(f, "{}%", f64::from(*thousandths) / 1000.0),
        }
    }
}

impl FromStr for Subset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || -> Option<Self> {
            if let Some(share) = text.strip_suffix('%') {
                let share: f64 = share.trim().parse().ok()?;
                let thousandths = (share * 1000.0).round();
                return (thousandths >= 1.0 && share <= 100.0).then_some(Self::Share {
                    thousandths: thousandths as u32,
                });
            }
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.trim().parse().ok()?, of.trim().parse().ok()?);
            (1..=of)
                .contains(&number)
                .then_some(Self::Part { number, of })
        };
        read().ok_or_else(|| Error::Id {
            what: "a part of the packs, such as 5% or 1/7",
            text: text.chars().take(80).collect(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn packs(count: u32) -> Vec<PackName> {
        (0..count)
            .map(|number| PackName::from_bytes(Sha256::digest(number.to_le_bytes()).into()))
            .collect()
    }

    #[test]
    fn parts_together_are_all_packs_and_each_is_read_once() {
        let all = packs(1000);
        let head = EntryHash::of(b"head");
        let mut seen = BTreeSet::new();
        for number in 1..=7 {
            for name in (Subset::Part { number, of: 7 }).of(&head, &all) {
                assert!(seen.insert(name));
            }
        }
        assert_eq!(seen.len(), all.len());
    }

    #[test]
    fn a_share_is_as_large_as_it_says_the_same_again_and_another_after_the_next_entry() {
        let all = packs(999);
        let share: Subset = "5%".parse().unwrap();
        let first = share.of(&EntryHash::of(b"1"), &all);
        assert_eq!(first.len(), 50);
        assert_eq!(first, share.of(&EntryHash::of(b"1"), &all));
        assert_ne!(first, share.of(&EntryHash::of(b"2"), &all));
        assert_eq!(
            share.of(&EntryHash::of(b"1"), &all[..3]).len(),
            1,
            "never none"
        );
    }

    #[test]
    fn words_that_mean_no_part_are_refused() {
        for text in [
            "", "5", "0%", "101%", "-1%", "nan%", "0/3", "4/3", "1/0", "a/b", "1/2/3",
        ] {
            assert!(text.parse::<Subset>().is_err(), "{text}");
        }
        assert_eq!("2.5%".parse::<Subset>().unwrap().to_string(), "2.5%");
        assert_eq!("2/3".parse::<Subset>().unwrap().to_string(), "2/3");
        assert_eq!("100%".parse::<Subset>().unwrap().to_string(), "100%");
    }
}
