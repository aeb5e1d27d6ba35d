//! How late a search finds what was just made.
//!
//! The service answers searches from an index that follows its store. A client that searches right after a crash must not
//! take "not found" for "not made".

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::later;

/// How long a fresh run stays unfound: both must have passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Searches of the workspace that do not find it.
    pub searches: u32,
    /// Time of the clock.
    pub time: Duration,
}

/// What MLflow keeps besides the runs themselves.
#[derive(Debug, Default)]
pub struct Mlflow {
    /// How late searches are. No lag unless a test sets one.
    pub lag: Lag,
    fresh: BTreeMap<String, (Timestamp, u32)>,
}

impl Mlflow {
    /// Notes that a run was made.
    pub(super) fn made(&mut self, run_id: &str, now: Timestamp) {
        if self.lag != Lag::default() {
            let until = later(now, self.lag.time);
            self.fresh
                .insert(run_id.to_owned(), (until, self.lag.searches));
        }
    }

    /// Counts a search; runs that searches have caught up with are found from now on.
    pub(super) fn searched(&mut self, now: Timestamp) {
        self.fresh
            .retain(|_, (until, searches)| *searches > 0 || now < *until);
        for (_, searches) in self.fresh.values_mut() {
            *searches = searches.saturating_sub(1);
        }
    }

    /// Whether a search that was just counted finds a run.
    pub(super) fn finds(&self, run_id: &str) -> bool {
        !self.fresh.contains_key(run_id)
    }
}
