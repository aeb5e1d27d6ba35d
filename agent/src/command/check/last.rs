//! When this machine last checked the repository, and what came of it: a small file beside the catalogue, for `mlark
//! status`, the page and the metrics. It proves nothing to anybody else.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::remembered;

/// The file's name in the cache of the repository.
const NAME: &str = "checked.json";

/// A check that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheck {
    /// When it ended.
    pub time: Timestamp,
    /// How deep it looked, as the options of `mlark check` are named; `digests` without one.
    pub depth: String,
    /// Whether it found no damage.
    pub sound: bool,
}

impl LastCheck {
    /// Remembers a check.
    pub async fn keep(&self, cache: &Path) -> std::io::Result<()> {
        remembered::keep(&cache.join(NAME), self).await
    }

    /// The last one; none where the file is missing or is not one of these.
    pub async fn read(cache: &Path) -> Option<Self> {
        remembered::read(&cache.join(NAME)).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_check_is_remembered_and_nonsense_is_none() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(LastCheck::read(cache.path()).await, None);
        let check = LastCheck {
            time: Timestamp::UNIX_EPOCH,
            depth: "digests".to_owned(),
            sound: true,
        };
        check.keep(cache.path()).await.unwrap();
        assert_eq!(LastCheck::read(cache.path()).await, Some(check));
        std::fs::write(cache.path().join(NAME), "{").unwrap();
        assert_eq!(LastCheck::read(cache.path()).await, None);
    }
}
