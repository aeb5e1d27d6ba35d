//! Which snapshots retention keeps, with every reason. Pure: the same snapshots, rules and zone give the same answer.
//!
//! The rules are restic's: going from the newest snapshot back, each of `last`, `hourly`, … keeps the newest of a period
//! until it has kept its number, and the very oldest while it has not. What is not finished yet does not count.

mod calendar;
pub mod forgetting;

use std::collections::BTreeSet;
use std::time::Duration;

use archive_format::{Outcome, SnapshotId, SnapshotRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::calendar::Every;
use crate::capture;
use crate::config::Retention;

/// What is kept of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How many, by period; a period that is not there keeps nothing.
    counts: Vec<(Every, u32)>,
    /// Everything not older than this, counted back from the newest snapshot.
    within: Option<Duration>,
    /// Everything with one of these tags.
    tags: Vec<String>,
}

impl Rules {
    /// The rules of a workspace's own table where it has them, those of `[retention]` elsewhere; and more tags that keep.
    pub fn new(own: Option<&Retention>, general: &Retention, tags: &[String]) -> Self {
        let count = |every: Every| {
            let of = |table: &Retention| match every {
                Every::One => table.keep_last,
                Every::Hour => table.keep_hourly,
                Every::Day => table.keep_daily,
                Every::Week => table.keep_weekly,
                Every::Month => table.keep_monthly,
                Every::Year => table.keep_yearly,
            };
            own.and_then(of).or_else(|| of(general))
        };
        let counts = Every::ALL
            .into_iter()
            .filter_map(|every| Some((every, count(every).filter(|count| *count > 0)?)));
        let within = own
            .and_then(|own| own.keep_within)
            .or(general.keep_within)
            .map(|period| period.duration());
        let configured = own
            .and_then(|own| own.keep_tags.as_ref())
            .or(general.keep_tags.as_ref());
        Self {
            counts: counts.collect(),
            within,
            tags: configured
                .into_iter()
                .flatten()
                .chain(tags)
                .cloned()
                .collect(),
        }
    }

    /// Whether there is no rule at all: then everything is kept.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.within.is_none()
    }
}

/// A snapshot, as far as retention looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: SnapshotId,
    /// When its run began: by this it is old or young.
    pub started: Timestamp,
    /// When it was committed.
    pub finished: Timestamp,
    /// How it ended; a suspect one that was accepted is complete.
    pub outcome: Outcome,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether a person protected it.
    pub protected: bool,
    /// The kinds that it has items of.
    pub kinds: BTreeSet<String>,
    /// The kinds that could not be listed to their end, so that it may lack items of them.
    pub unlisted: BTreeSet<String>,
}

impl Candidate {
    /// What retention needs of a record.
    pub fn new(record: &SnapshotRecord, accepted: &[SnapshotId], protected: &[SnapshotId]) -> Self {
        let outcome = match record.outcome {
            Outcome::Suspect if accepted.contains(&record.id) => Outcome::Complete,
            outcome => outcome,
        };
        let kinds = record.items.iter();
        let kinds = kinds.filter(|(_, counts)| counts.saved + counts.unchanged > 0);
        Self {
            kinds: kinds.map(|(kind, _)| kind.clone()).collect(),
            unlisted: capture::unlisted(record).map(str::to_owned).collect(),
            id: record.id,
            started: record.started,
            finished: record.finished,
            outcome,
            tags: record.tags.clone(),
            protected: protected.contains(&record.id),
        }
    }

    /// Whether it has all that there was of a kind, and that was something.
    fn holds(&self, kind: &str) -> bool {
        self.kinds.contains(kind) && !self.unlisted.contains(kind)
    }

    fn age(&self) -> (Timestamp, Timestamp, SnapshotId) {
        (self.started, self.finished, self.id)
    }
}

/// Why a snapshot is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No rule is set.
    NoRule,
    /// A suspect snapshot waits for a person's word.
    Suspect(SnapshotId),
    /// Protected.
    Protected,
    /// It has this tag.
    Tag(String),
    /// It is the newest complete one.
    Newest,
    /// It is the newest that has this kind whole; newer ones could not list it to its end.
    Unlisted(String),
    /// It is the newest partial one, and no complete one is newer.
    Unfinished,
    /// It is not older than that.
    Within,
    /// The newest of its period.
    Period(Every),
    /// The oldest, while so few periods have a snapshot.
    Oldest(Every),
}

impl Reason {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::NoRule => "no rule is set".to_owned(),
            Self::Suspect(id) => format!("suspect snapshot {id} waits to be accepted"),
            Self::Protected => "protected".to_owned(),
            Self::Tag(tag) => format!("tag {tag}"),
            Self::Newest => "newest complete".to_owned(),
            Self::Unlisted(kind) => {
                format!("newest with all {kind}, which could not be listed since")
            }
            Self::Unfinished => "not finished yet".to_owned(),
            Self::Within => "within".to_owned(),
            Self::Period(every) => every.word().to_owned(),
            Self::Oldest(every) => format!("oldest, {}", every.word()),
        }
    }
}

/// What becomes of each snapshot of one workspace, in the order given: the reasons why it is kept; none: it is forgotten.
pub fn decide(snapshots: &[Candidate], rules: &Rules, zone: &TimeZone) -> Vec<Vec<Reason>> {
    let suspect = snapshots
        .iter()
        .find(|snapshot| snapshot.outcome == Outcome::Suspect);
    if let Some(suspect) = suspect {
        return vec![vec![Reason::Suspect(suspect.id)]; snapshots.len()];
    }
    if rules.is_empty() {
        return vec![vec![Reason::NoRule]; snapshots.len()];
    }
    let mut newest_first: Vec<usize> = (0..snapshots.len()).collect();
    newest_first.sort_by_key(|place| std::cmp::Reverse(snapshots[*place].age()));
    let mut kept = vec![Vec::new(); snapshots.len()];
    keep_by_name(snapshots, &newest_first, rules, &mut kept);
    let complete: Vec<usize> = newest_first
        .iter()
        .copied()
        .filter(|place| snapshots[*place].outcome == Outcome::Complete)
        .collect();
    keep_unlisted(snapshots, &complete, &mut kept);
    for (every, count) in &rules.counts {
        keep_by_period(snapshots, &complete, (*every, *count), zone, &mut kept);
    }
    kept
}

/// What is kept whatever the calendar says.
fn keep_by_name(
    snapshots: &[Candidate],
    newest_first: &[usize],
    rules: &Rules,
    kept: &mut [Vec<Reason>],
) {
    let is = |outcome: Outcome| move |place: &&usize| snapshots[**place].outcome == outcome;
    let complete = newest_first.iter().find(is(Outcome::Complete));
    let partial = newest_first.iter().find(is(Outcome::Partial));
    if let Some(place) = complete {
        kept[*place].push(Reason::Newest);
    }
    if let Some(place) = partial
        && complete.is_none_or(|complete| snapshots[*complete].age() < snapshots[*place].age())
    {
        kept[*place].push(Reason::Unfinished);
    }
    let newest = newest_first.first().map(|place| snapshots[*place].started);
    let since = newest
        .zip(rules.within)
        .map(|(newest, within)| newest.checked_sub(within).unwrap_or(Timestamp::MIN));
    for (snapshot, reasons) in snapshots.iter().zip(kept) {
        if snapshot.protected {
            reasons.push(Reason::Protected);
        }
        let tagged = rules.tags.iter().find(|tag| snapshot.tags.contains(tag));
        reasons.extend(tagged.map(|tag| Reason::Tag(tag.clone())));
        if since.is_some_and(|since| snapshot.started >= since) {
            reasons.push(Reason::Within);
        }
    }
}

/// Of each kind that the newest snapshot could not list to its end, the newest that has it whole.
fn keep_unlisted(snapshots: &[Candidate], newest_first: &[usize], kept: &mut [Vec<Reason>]) {
    let Some(newest) = newest_first.first() else {
        return;
    };
    for kind in &snapshots[*newest].unlisted {
        let whole = newest_first
            .iter()
            .find(|place| snapshots[**place].holds(kind));
        if let Some(place) = whole {
            kept[*place].push(Reason::Unlisted(kind.clone()));
        }
    }
}

/// The newest of each period, so many; and the oldest of all while they are fewer.
fn keep_by_period(
    snapshots: &[Candidate],
    newest_first: &[usize],
    (every, count): (Every, u32),
    zone: &TimeZone,
    kept: &mut [Vec<Reason>],
) {
    let mut left = count;
    let mut last = None;
    for (number, place) in newest_first.iter().enumerate() {
        if left == 0 {
            return;
        }
        let period = every.period(snapshots[*place].started, zone, number);
        if last != Some(period) {
            kept[*place].push(Reason::Period(every));
            last = Some(period);
            left -= 1;
        } else if number + 1 == newest_first.len() {
            kept[*place].push(Reason::Oldest(every));
        }
    }
}

#[cfg(test)]
mod tests;
