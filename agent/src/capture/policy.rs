//! What a backup of one workspace takes and when it trusts what it took before: the configuration in the pipeline's words.
//!
//! It reads no file and no variable; whoever calls the pipeline fills it in.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use workspace::select::{Attributes, Selection, Verdict};
use workspace::{FilePath, ItemId, Kind};

use crate::clock::Clock;

/// When a loss of items makes a snapshot suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The share that must be lost, in percent; exactly this much is no loss yet.
    pub lost_percent: u8,
    /// The least number of items.
    pub at_least: u64,
}

impl Default for Guard {
    /// 20 % and 10 items.
    fn default() -> Self {
        Self {
            lost_percent: 20,
            at_least: 10,
        }
    }
}

impl Guard {
    /// Whether so many of so many gone is a loss.
    pub(super) fn is_loss(&self, gone: u64, of: u64) -> bool {
        let share = u128::from(gone) * 100;
        gone >= self.at_least && share > u128::from(of) * u128::from(self.lost_percent)
    }
}

/// A gap that is accepted, until a day.
#[derive(Clone, Debug)]
pub struct KnownGap {
    /// Which items or files.
    pub selection: Selection,
    /// Why it is accepted.
    pub reason: String,
    /// From when on it counts as failed again; never, where there is none.
    pub until: Option<Timestamp>,
}

/// What one backup does.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The workspace's name in snapshots.
    pub name: String,
    /// What is taken: the selection of the configuration and of the command line. `!` selectors exclude.
    pub selection: Selection,
    /// Trusts no validator and no settled job: everything is read and asked again.
    pub full: bool,
    /// The snapshot's tags.
    pub tags: Vec<String>,
    /// The most bytes that are taken of one item of a kind; the files of a larger one are left out, its document is kept.
    pub item_max: BTreeMap<&'static str, u64>,
    /// Whether credentials are stored. They never are in an unencrypted repository.
    pub secrets: bool,
    /// How long after its end a job may still change.
    pub settling: Duration,
    /// How long a settled job is not asked about again.
    pub full_every: Duration,
    /// When a loss makes the snapshot suspect.
    pub guard: Guard,
    /// Gaps that are accepted.
    pub known_gaps: Vec<KnownGap>,
    /// A partial snapshot is made at least this often.
    pub partial_every: Duration,
    /// Only lists and counts; stores nothing.
    pub dry_run: bool,
    /// When the run began, where that was before the workspace was open; none: it begins now.
    pub began: Option<Timestamp>,
    /// The time of day.
    pub clock: Clock,
}

impl Policy {
    /// The defaults of the configuration for a workspace of this name.
    pub fn new(name: impl Into<String>, clock: Clock) -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            name: name.into(),
            selection: Selection::everything(),
            full: false,
            tags: Vec::new(),
            item_max: BTreeMap::new(),
            secrets: false,
            settling: 24 * HOUR,
            full_every: 30 * 24 * HOUR,
            guard: Guard::default(),
            known_gaps: Vec::new(),
            partial_every: HOUR,
            dry_run: false,
            began: None,
            clock,
        }
    }
}

/// A name that no pattern but one for a whole kind takes: no service gives it.
const NO_NAME: &str = "\u{1}";

impl Policy {
    /// What the selection says of an item, by what is known of it.
    pub(super) fn verdict(&self, id: &ItemId, known: &dyn Attributes) -> Verdict {
        self.selection.matches_item(id, known)
    }

    /// Whether the selection leaves out one file of an item that it takes.
    pub(super) fn leaves_out(&self, id: &ItemId, known: &dyn Attributes, file: &FilePath) -> bool {
        self.selection.matches_file(id, file, known) == Verdict::No
    }

    /// Why a gap is accepted, if it is. No file: a gap of the item; no item: one of the whole kind.
    pub(super) fn known_gap(
        &self,
        kind: &'static Kind,
        id: Option<&ItemId>,
        file: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        let whole = ItemId::new(kind.name, NO_NAME);
        let id = id.unwrap_or(&whole);
        let path = file.and_then(|file| FilePath::new(file).ok());
        let holds = |known: &&KnownGap| {
            let accepted = match &path {
                Some(path) => known.selection.matches_file(id, path, &()),
                None => known.selection.matches_item(id, &()),
            };
            accepted == Verdict::Yes && known.until.is_none_or(|until| now < until)
        };
        self.known_gaps
            .iter()
            .find(holds)
            .map(|known| known.reason.clone())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails where an unwrap fails")]
mod tests {
    use super::*;

    #[test]
    fn a_known_gap_is_accepted_until_its_day() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let mut policy = Policy::new("prod", Clock::system());
        policy.known_gaps = vec![KnownGap {
            selection: Selection::parse(["data/old:*"], now).unwrap(),
            reason: "store removed in 2024".to_owned(),
            until: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        }];
        let data = Kind::find("data").unwrap();
        let old = ItemId::versioned("data", "old", "3");
        let known = |id: &ItemId, now| policy.known_gap(data, Some(id), Some("a.csv"), now);
        assert_eq!(known(&old, now).as_deref(), Some("store removed in 2024"));
        assert_eq!(known(&ItemId::versioned("data", "new", "3"), now), None);
        assert_eq!(known(&old, "2027-01-01T00:00:00Z".parse().unwrap()), None);
        assert_eq!(policy.known_gap(data, None, None, now), None);
    }

    #[test]
    fn a_kind_that_may_not_be_listed_is_accepted_by_its_name() {
        let now = Timestamp::UNIX_EPOCH;
        let mut policy = Policy::new("prod", Clock::system());
        policy.known_gaps = vec![KnownGap {
            selection: Selection::parse(["data"], now).unwrap(),
            reason: "no right".to_owned(),
            until: None,
        }];
        let kind = |name| Kind::find(name).unwrap();
        assert!(policy.known_gap(kind("data"), None, None, now).is_some());
        assert!(policy.known_gap(kind("jobs"), None, None, now).is_none());
    }
}
