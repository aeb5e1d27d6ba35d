//! What a store with tiers does besides keeping files: it moves them to a tier and brings them back, keeps them as they are
//! until a day, and holds them.
//!
//! It is handed in by who has the store's address and credential. Nothing here deletes or writes over a file, and nothing
//! shortens what keeps one: [`Lock::refuses`] is asked before any request, and the service refuses it too.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{FileName, Remains, StorageError};

/// Access tiers, the warmest first. Names and least times are those of Microsoft's page "Access tiers for blob data".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Dear to keep, cheap to read.
    Hot,
    /// Paid for at least 30 days.
    Cool,
    /// Paid for at least 90 days.
    Cold,
    /// Paid for at least 180 days, and not to be read before it is brought back.
    Archive,
}

impl Tier {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hot, Self::Cool, Self::Cold, Self::Archive];

    /// Its name as configuration and output have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cool => "cool",
            Self::Cold => "cold",
            Self::Archive => "archive",
        }
    }

    /// The days for which a file in it is paid at least.
    pub fn days_least(self) -> i64 {
        match self {
            Self::Hot => 0,
            Self::Cool => 30,
            Self::Cold => 90,
            Self::Archive => 180,
        }
    }

    /// The tier of a name, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a file comes back from the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// A copy of it is made in the hot tier under [`FileName::copy`]; the file stays where it is, so that nothing is paid for
    /// leaving the archive early.
    #[default]
    Copy,
    /// The file itself moves to the hot tier; what is left of the 180 days is paid.
    InPlace,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Within 15 hours.
    #[default]
    Standard,
    /// Within an hour for files below 10 GiB, for a higher price.
    High,
}

impl Priority {
    /// How long files of which the largest has so many bytes take at most, as Microsoft's page "Blob rehydration from the
    /// archive tier" says; beyond 10 GiB it promises nothing of high priority, and an hour for each is taken.
    pub fn within(self, largest_bytes: u64) -> Duration {
        let hours = match self {
            Self::Standard => 15,
            Self::High => 1 + largest_bytes / (10 << 30),
        };
        Duration::from_secs(hours * 3600)
    }
}

/// How firmly a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Whoever may set a lock may also shorten it and take it away.
    Unlocked,
    /// Nobody can shorten it or take it away, the owner of the account neither.
    Locked,
}

impl LockMode {
    /// `locked` or `unlocked`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unlocked => "unlocked",
            Self::Locked => "locked",
        }
    }
}

/// Until when a file can be neither deleted nor written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The moment, to the second.
    pub until: Timestamp,
    /// How firmly.
    pub mode: LockMode,
}

impl Lock {
    /// Why this lock cannot become the other one: a locked one becomes longer and nothing else. `None` where it can.
    pub fn refuses(&self, new: &Self) -> Option<&'static str> {
        if self.mode == LockMode::Unlocked {
            return None;
        }
        if new.until < self.until {
            return Some("it is locked until later, and a locked retention is never shortened");
        }
        (new.mode == LockMode::Unlocked)
            .then_some("it is locked, and a locked retention is never unlocked")
    }
}

/// How a file lies in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdState {
    /// Its length in bytes.
    pub size: u64,
    /// Its tier; none where the store has none.
    pub tier: Option<Tier>,
    /// When it was last written, where the store says it.
    pub written: Option<Timestamp>,
    /// Since when it is in that tier, where the store says it.
    pub since: Option<Timestamp>,
    /// The tier that it is on its way to from the archive.
    pub returning: Option<Tier>,
    /// Its own lock; that of its container is not among it.
    pub lock: Option<Lock>,
    /// Whether it is held.
    pub held: bool,
}

impl ColdState {
    /// Whether it can be read now.
    pub fn is_readable(&self) -> bool {
        self.tier != Some(Tier::Archive) && self.returning.is_none()
    }

    /// Bytes times days that are still to be paid where it leaves its tier now.
    pub fn early_byte_days(&self, now: Timestamp) -> u64 {
        let (Some(tier), Some(since)) = (self.tier, self.since) else {
            return 0;
        };
        let days = now.duration_since(since).as_hours() / 24;
        let left = (tier.days_least() - days).max(0);
        self.size
            .saturating_mul(u64::try_from(left).unwrap_or_default())
    }
}

/// What a container keeps its files by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Each file can have a lock and a hold of its own: version-level immutability.
    pub by_file: bool,
    /// The container has a policy for all files in it.
    pub policy: bool,
    /// The container is held, with all files in it.
    pub held: bool,
}

/// A store with tiers, locks and holds.
///
/// Every act may be done twice and comes to the same. What the store cannot do is
/// [`StorageFault::Unsupported`](super::StorageFault::Unsupported).
#[async_trait]
pub trait ColdStorage: fmt::Debug + Send + Sync {
    /// What the container keeps its files by.
    async fn keeping(&self) -> Result<Keeping, StorageError>;

    /// How a file lies there, none where it does not exist. One request.
    async fn state(&self, name: &FileName) -> Result<Option<ColdState>, StorageError>;

    /// The same of every file whose name begins with `prefix`, page by page.
    fn states(&self, prefix: &str) -> BoxStream<'_, Result<(FileName, ColdState), StorageError>>;

    /// Moves a file to a tier that is no warmer way out of the archive: [`ColdStorage::rehydrate`] is.
    async fn set_tier(&self, name: &FileName, tier: Tier) -> Result<(), StorageError>;

    /// Begins to bring a file back from the archive to the hot tier; the store does the rest by itself.
    async fn rehydrate(
        &self,
        name: &FileName,
        way: Way,
        priority: Priority,
    ) -> Result<(), StorageError>;

    /// Keeps a file as it is until then. The caller has asked [`Lock::refuses`] of the lock that is there.
    async fn lock(&self, name: &FileName, lock: Lock) -> Result<(), StorageError>;

    /// Keeps a file as it is until the hold is taken away.
    async fn hold(&self, name: &FileName, held: bool) -> Result<(), StorageError>;

    /// Deletes the earlier versions of a file that was deleted; what the store keeps all the same is told.
    async fn delete_versions(&self, name: &FileName) -> Result<Remains, StorageError>;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn a_locked_retention_becomes_longer_and_nothing_else() {
        let lock = |day: &str, mode| Lock {
            until: format!("{day}T00:00:00Z").parse().unwrap(),
            mode,
        };
        let locked = lock("2030-01-01", LockMode::Locked);
        assert_eq!(locked.refuses(&lock("2030-01-01", LockMode::Locked)), None);
        assert_eq!(locked.refuses(&lock("2031-01-01", LockMode::Locked)), None);
        let shorter = locked.refuses(&lock("2029-12-31", LockMode::Locked));
        assert!(shorter.unwrap().contains("shortened"));
        let opened = locked.refuses(&lock("2031-01-01", LockMode::Unlocked));
        assert!(opened.unwrap().contains("unlocked"));
        let open = lock("2030-01-01", LockMode::Unlocked);
        assert_eq!(open.refuses(&lock("2026-01-01", LockMode::Unlocked)), None);
    }

    #[test]
    fn leaving_a_tier_early_is_paid_by_whole_days() {
        let state = |tier, since: &str| ColdState {
            size: 10,
            tier: Some(tier),
            written: None,
            since: Some(since.parse().unwrap()),
            returning: None,
            lock: None,
            held: false,
        };
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        let young = state(Tier::Archive, "2026-11-27T13:00:00Z");
        assert_eq!(young.early_byte_days(now), 10 * 179);
        let old = state(Tier::Archive, "2026-01-01T00:00:00Z");
        assert_eq!(old.early_byte_days(now), 0);
        let hot = state(Tier::Hot, "2026-11-29T00:00:00Z");
        assert_eq!(hot.early_byte_days(now), 0);
    }
}
