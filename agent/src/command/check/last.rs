//! When this machine last checked the repository, and what came of it: a small file beside the catalogue, for `mlark
//! status`, the page and the metrics. It proves nothing to anybody else.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's name in the cache of the repository.
const NAME: &str = "checked.json";
/// The largest file that is read, in bytes.
const BYTES_MAX: u64 = 64 << 10;

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
    pub fn keep(&self, cache: &Path) -> std::io::Result<()> {
        let new = cache.join("checked.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, cache.join(NAME))
    }

    /// The last one; none where the file is missing or is not one of these.
    pub fn read(cache: &Path) -> Option<Self> {
        let file = cache.join(NAME);
        let small = fs::metadata(&file).is_ok_and(|about| about.len() <= BYTES_MAX);
        let text = small.then(|| fs::read_to_string(&file).ok()).flatten()?;
        serde_json::from_str(&text).ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn the_last_check_is_remembered_and_nonsense_is_none() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(LastCheck::read(cache.path()), None);
        let check = LastCheck {
            time: Timestamp::UNIX_EPOCH,
            depth: "digests".to_owned(),
            sound: true,
        };
        check.keep(cache.path()).unwrap();
        assert_eq!(LastCheck::read(cache.path()), Some(check));
        fs::write(cache.path().join(NAME), "{").unwrap();
        assert_eq!(LastCheck::read(cache.path()), None);
    }
}
