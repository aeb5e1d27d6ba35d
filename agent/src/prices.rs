//! What it costs to bring files back from the archive, by a table of prices that anybody can edit.
//!
//! How operations are counted: Microsoft's pages "Map each REST operation to a price" and "Blob rehydration from the archive
//! tier". A copy is an archive read and a write in the hot tier; a move in place is an archive read, and what is left of the
//! 180 days. The estimate leaves out what the copies cost a month, which it says apart, and the network.

use std::path::Path;
use std::time::Duration;

use archive_format::storage::{Priority, Thaw, Way};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The table that comes with the program.
const OWN: &str = include_str!("prices.toml");

/// A GiB.
const GIB: f64 = (1_u64 << 30) as f64;

/// Operations that a price is for.
const OPERATIONS: f64 = 10_000.0;

/// So many files are told by name.
const NAMES_MOST: usize = 100;

/// The days of a month, as storage is billed.
const MONTH_DAYS: f64 = 30.0;

/// How often files on their way are looked at: what is asked more often costs more and comes no sooner.
pub const fn look_every(priority: Priority) -> Duration {
    match priority {
        Priority::Standard => Duration::from_secs(30 * 60),
        Priority::High => Duration::from_secs(5 * 60),
    }
}

/// Prices, where they are from, and of when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The page or agreement.
    pub source: String,
    /// The day of it.
    pub date: String,
    /// The unit of money.
    pub currency: String,
    /// The hot tier.
    pub hot: TierPrices,
    /// The cool tier.
    pub cool: TierPrices,
    /// The cold tier.
    pub cold: TierPrices,
    /// The archive.
    pub archive: ArchivePrices,
}

/// Prices of a tier.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierPrices {
    /// A GiB for a month.
    pub gib_month: f64,
    /// 10,000 writes.
    pub write: f64,
    /// 10,000 reads.
    pub read: f64,
    /// 10,000 pages of listings.
    pub list: f64,
    /// 10,000 other operations.
    pub other: f64,
    /// A GiB that is read.
    pub retrieval: f64,
}

/// Prices of the archive.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivePrices {
    /// A GiB for a month.
    pub gib_month: f64,
    /// 10,000 writes.
    pub write: f64,
    /// 10,000 reads, a return with standard priority among them.
    pub read: f64,
    /// 10,000 pages of listings.
    pub list: f64,
    /// 10,000 other operations.
    pub other: f64,
    /// A GiB that comes back with standard priority.
    pub retrieval: f64,
    /// 10,000 returns with high priority.
    pub high_read: f64,
    /// A GiB that comes back with high priority.
    pub high_retrieval: f64,
}

/// What a return takes and costs.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// Files whose return is to be asked for.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are on their way already.
    pub returning: u64,
    /// Seconds until everything is there, at most.
    pub seconds: u64,
    /// What it costs.
    pub cost: f64,
    /// What of that is paid for leaving the archive early.
    pub early: f64,
    /// What the copies cost for each day that they are kept.
    pub copies_a_day: f64,
    /// The unit of money.
    pub currency: String,
    /// Where the prices are from, and of when.
    pub prices: String,
    /// The files that are waited for, the first hundred of them by name.
    pub names: Vec<String>,
}

impl Prices {
    /// What so many bytes in the hot tier cost a day.
    pub fn kept_a_day(&self, bytes: u64) -> f64 {
        bytes as f64 / GIB * self.hot.gib_month / MONTH_DAYS
    }

    /// The prices of a file, else those of the program.
    pub fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let (text, place) = match file {
            None => (OWN.to_owned(), "the prices of the program".to_owned()),
            Some(file) => {
                let place = file.display().to_string();
                let text = std::fs::read_to_string(file).map_err(|error| {
                    Failure::usage("The prices cannot be read")
                        .on(&place)
                        .why(error)
                })?;
                (text, place)
            }
        };
        let prices: Self = toml::from_str(&text).map_err(|error| {
            Failure::usage("The prices are refused")
                .on(&place)
                .why(error.message())
                .next("copy agent/src/prices.toml, and change its numbers alone")
        })?;
        match prices
            .all()
            .into_iter()
            .all(|price| price.is_finite() && price >= 0.0)
        {
            true => Ok(prices),
            false => Err(Failure::usage("The prices are refused")
                .on(&place)
                .why("one of them is negative, or no number")),
        }
    }

    fn all(&self) -> Vec<f64> {
        let mut all = Vec::new();
        for tier in [self.hot, self.cool, self.cold] {
            all.extend([
                tier.gib_month,
                tier.write,
                tier.read,
                tier.list,
                tier.other,
                tier.retrieval,
            ]);
        }
        let it = self.archive;
        all.extend([
            it.gib_month,
            it.write,
            it.read,
            it.list,
            it.other,
            it.retrieval,
            it.high_read,
            it.high_retrieval,
        ]);
        all
    }

    /// What the return of files takes and costs, and reading them once, with so many requests for each MiB.
    pub fn estimate(
        &self,
        thaw: &Thaw,
        way: Way,
        priority: Priority,
        reads_per_mib: f64,
    ) -> Estimate {
        let sum = |count: fn(&archive_format::storage::Frozen) -> u64| -> u64 {
            thaw.archived.iter().map(count).sum()
        };
        let (files, bytes) = (thaw.archived.len() as u64, sum(|file| file.size));
        let all = thaw.archived.iter().chain(&thaw.returning);
        let within = match all.clone().map(|file| file.size).max() {
            None => Duration::ZERO,
            Some(largest) => priority.within(largest),
        };
        let early = match way {
            Way::Copy => 0.0,
            Way::InPlace => {
                sum(|file| file.early_byte_days) as f64 / GIB * self.archive.gib_month / MONTH_DAYS
            }
        };
        let (read, retrieval) = match priority {
            Priority::Standard => (self.archive.read, self.archive.retrieval),
            Priority::High => (self.archive.high_read, self.archive.high_retrieval),
        };
        let write = match way {
            Way::Copy => self.hot.write,
            Way::InPlace => 0.0,
        };
        // Each file is looked at before, and while it is on its way; a copy is looked at before it is begun.
        let looks = within.as_secs() / look_every(priority).as_secs() * 2 / 3 + 4;
        let count = files as f64;
        let operations = count * (read + write + looks as f64 * self.hot.other);
        let mib = bytes as f64 / f64::from(1 << 20);
        let reads = (count * 4.0 + mib * reads_per_mib) * self.hot.read;
        let gib = bytes as f64 / GIB;
        Estimate {
            files,
            bytes,
            returning: thaw.returning.len() as u64,
            seconds: within.as_secs(),
            cost: (operations + reads) / OPERATIONS + gib * retrieval + early,
            early,
            copies_a_day: match way {
                Way::Copy => self.kept_a_day(bytes),
                Way::InPlace => 0.0,
            },
            currency: self.currency.clone(),
            prices: format!("{}, {}", self.source, self.date),
            names: (all.take(NAMES_MOST))
                .map(|file| file.name.to_string())
                .collect(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use archive_format::FileName;
    use archive_format::storage::Frozen;

    use super::*;

    fn thaw(files: u64, gib: u64) -> Thaw {
        let frozen = |number| Frozen {
            name: FileName::new(format!("packs/{number}")).unwrap(),
            size: gib << 30,
            early_byte_days: (gib << 30) * 90,
        };
        Thaw {
            archived: (0..files).map(frozen).collect(),
            ..Thaw::default()
        }
    }

    #[test]
    fn a_terabyte_comes_back_for_what_the_table_says_a_gigabyte_does() {
        let prices = Prices::read(None).unwrap();
        let found = prices.estimate(&thaw(1000, 1), Way::Copy, Priority::Standard, 1.0);
        assert_eq!(found.names.len(), NAMES_MOST);
        assert_eq!(found.bytes, 1000 << 30);
        assert_eq!(found.seconds, 15 * 3600);
        let least = 1000.0 * prices.archive.retrieval;
        assert!(found.cost > least && found.cost < least * 1.1, "{found:?}");
        assert!(found.early.abs() < f64::EPSILON && found.copies_a_day > 0.0);
    }

    #[test]
    fn leaving_early_and_in_a_hurry_cost_more() {
        let prices = Prices::read(None).unwrap();
        let cost = |way, priority| prices.estimate(&thaw(10, 1), way, priority, 1.0).cost;
        let usual = cost(Way::Copy, Priority::Standard);
        assert!(cost(Way::Copy, Priority::High) > usual * 2.0);
        let early = 10.0 * 90.0 / 30.0 * prices.archive.gib_month;
        assert!(cost(Way::InPlace, Priority::Standard) > usual + early * 0.9);
    }

    #[test]
    fn a_table_with_a_wrong_key_or_price_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prices.toml");
        for (from, to, says) in [
            ("retrieval = 0.02", "retrieval = -0.02", "negative"),
            ("high_read", "hi_read", "hi_read"),
        ] {
            std::fs::write(&file, OWN.replacen(from, to, 1)).unwrap();
            let refused = Prices::read(Some(&file)).unwrap_err().sentence();
            assert!(refused.contains(says), "{refused}");
        }
        std::fs::write(&file, OWN.replace("USD", "EUR")).unwrap();
        assert_eq!(Prices::read(Some(&file)).unwrap().currency, "EUR");
    }
}
