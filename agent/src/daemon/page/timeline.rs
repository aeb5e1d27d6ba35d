//! A workspace's backups as a row of bars, the newest at the right: complete, suspect, partial, failed, and those that the
//! schedule wanted and nobody made. Each has a sign besides its colour, and says itself in words.

use std::collections::HashMap;
use std::time::Duration;

use archive_format::{Outcome, Run, RunOutcome, SnapshotId, SnapshotRecord};
use jiff::Timestamp;

use super::markup::{Html, Link};
use crate::config::value::Schedule;
use crate::ui::amount;

/// How many bars are shown.
const BARS: usize = 30;

/// How a backup went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Everything was visited.
    Complete,
    /// Too much was gone or different, and a person accepted it.
    Accepted,
    /// Too much is gone or different.
    Suspect,
    /// It was not finished.
    Partial,
    /// It failed.
    Failed,
    /// The schedule wanted it, and it was not made.
    Missing,
    /// It is under way.
    Running,
}

impl Sort {
    /// For the legend: each with its sign and meaning.
    const ALL: [Self; 7] = [
        Self::Complete,
        Self::Accepted,
        Self::Suspect,
        Self::Partial,
        Self::Failed,
        Self::Missing,
        Self::Running,
    ];

    /// The word, which is the class of the style too.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Accepted => "accepted",
            Self::Suspect => "suspect",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Running => "running",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Complete => "✓",
            Self::Accepted => "✓?",
            Self::Suspect => "?",
            Self::Partial => "½",
            Self::Failed => "✕",
            Self::Missing => "–",
            Self::Running => "…",
        }
    }

    /// How a snapshot went.
    pub(super) fn of(record: &SnapshotRecord, accepted: &[SnapshotId]) -> Self {
        match record.outcome {
            Outcome::Complete => Self::Complete,
            Outcome::Partial => Self::Partial,
            Outcome::Suspect if accepted.contains(&record.id) => Self::Accepted,
            Outcome::Suspect => Self::Suspect,
        }
    }
}

/// A bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When the run began, or should have.
    at: Timestamp,
    sort: Sort,
    snapshot: Option<SnapshotId>,
    /// What more there is to say.
    says: String,
}

/// What the bars are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct History<'a> {
    /// The workspace's snapshots, oldest first.
    pub(super) records: &'a [SnapshotRecord],
    /// Suspect ones that a person accepted.
    pub(super) accepted: &'a [SnapshotId],
    /// The runs of this machine, newest first.
    pub(super) runs: &'a [Run],
    /// The schedule, and by how much the daemon is later.
    pub(super) schedule: Option<(&'a Schedule, Duration)>,
    /// Whether a run of the daemon is under way.
    pub(super) running: bool,
    /// Whether the last good snapshot is too old: then the run that is due counts as missing already.
    pub(super) late: bool,
    /// The time.
    pub(super) now: Timestamp,
}

impl History<'_> {
    /// The newest bars, oldest first.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let mut marks = self.snapshots();
        marks.extend(self.runs());
        marks.extend(self.missing(&marks));
        marks.sort_by_key(|mark| (mark.at, mark.snapshot));
        marks.drain(..marks.len().saturating_sub(BARS));
        marks
    }

    /// Partial snapshots that a later one of the same run replaced are left out.
    fn snapshots(&self) -> Vec<Mark> {
        last_of_runs(self.records)
            .map(|record| Mark {
                at: record.started,
                sort: Sort::of(record, self.accepted),
                snapshot: Some(record.id),
                says: amount::counted(record.item_count(), "item"),
            })
            .collect()
    }

    /// Runs that left no snapshot.
    fn runs(&self) -> Vec<Mark> {
        let newest = self.runs.first().map(|run| run.id);
        let mark = |run: &Run| {
            let (sort, says) = match &run.outcome {
                Some(RunOutcome::Snapshot(..)) => return None,
                Some(RunOutcome::Failed(why)) => (Sort::Failed, why.clone()),
                None if self.running && newest == Some(run.id) => (Sort::Running, String::new()),
                None => (
                    Sort::Failed,
                    "it was cut off, or is still under way elsewhere".to_owned(),
                ),
            };
            Some(Mark {
                at: run.started,
                sort,
                snapshot: None,
                says,
            })
        };
        self.runs.iter().filter_map(mark).collect()
    }

    /// Times of the schedule, since the first known run, at which none was made before the next one came.
    fn missing(&self, made: &[Mark]) -> Vec<Mark> {
        let first = made.iter().map(|mark| mark.at).min();
        let (Some((schedule, delay)), Some(first)) = (self.schedule, first) else {
            return Vec::new();
        };
        let mut missing = Vec::new();
        let mut next = schedule.next_after(self.now);
        let mut slot = schedule.last_before(self.now);
        for _ in 0..BARS {
            let (Some(begin), Some(end)) = (slot, next) else {
                break;
            };
            if begin <= first {
                break;
            }
            let over = end + delay <= self.now || (self.late && !self.running);
            let made = made
                .iter()
                .any(|mark| begin + delay <= mark.at && mark.at < end + delay);
            if over && !made && begin + delay <= self.now {
                missing.push(Mark {
                    at: begin + delay,
                    sort: Sort::Missing,
                    snapshot: None,
                    says: "the schedule wanted one".to_owned(),
                });
            }
            next = slot;
            slot = schedule.last_before(begin - Duration::from_secs(1));
        }
        missing
    }
}

/// The last snapshot of each run, oldest first.
pub(super) fn last_of_runs(
    records: &[SnapshotRecord],
) -> impl DoubleEndedIterator<Item = &SnapshotRecord> {
    let last: HashMap<SnapshotId, SnapshotId> = records
        .iter()
        .map(|record| (record.run, record.id))
        .collect();
    records
        .iter()
        .filter(move |record| last.get(&record.run) == Some(&record.id))
}

/// Draws the bars.
pub(super) fn draw(html: &mut Html, marks: &[Mark]) {
    if marks.is_empty() {
        html.words("p", "quiet", "There was no backup yet.");
        return;
    }
    html.element(
        "ol",
        &[
            ("class", "timeline"),
            ("aria-label", "Backups, oldest first"),
        ],
        |html| {
            for mark in marks {
                html.element("li", &[], |html| draw_mark(html, mark));
            }
        },
    );
    html.element("p", &[("class", "ends quiet")], |html| {
        for mark in [marks.first(), marks.last()].into_iter().flatten() {
            html.words("span", "", &day(mark.at));
        }
    });
    html.element("ul", &[("class", "legend")], |html| {
        for sort in Sort::ALL {
            let count = marks.iter().filter(|mark| mark.sort == sort).count();
            if count > 0 {
                html.element("li", &[], |html| {
                    bar(html, sort);
                    html.text(&format!(" {count} {}", sort.word()));
                });
            }
        }
    });
}

fn draw_mark(html: &mut Html, mark: &Mark) {
    let mut says = format!("{}: {}", amount::moment(mark.at), mark.sort.word());
    if !mark.says.is_empty() {
        says.push_str(&format!(", {}", mark.says));
    }
    match mark.snapshot {
        Some(id) => {
            let link = Link::of_snapshot(&id.to_string(), "", &[]);
            html.described_link(&link, "mark", &says, |html| bar(html, mark.sort));
        }
        None => html.element(
            "span",
            &[
                ("class", "mark"),
                ("role", "img"),
                ("title", &says),
                ("aria-label", &says),
            ],
            |html| bar(html, mark.sort),
        ),
    }
}

fn bar(html: &mut Html, sort: Sort) {
    let class = match sort {
        Sort::Complete => "bar complete",
        Sort::Accepted => "bar accepted",
        Sort::Suspect => "bar suspect",
        Sort::Partial => "bar partial",
        Sort::Failed => "bar failed",
        Sort::Missing => "bar missing",
        Sort::Running => "bar running",
    };
    html.element(
        "span",
        &[("class", class), ("aria-hidden", "true")],
        |html| html.text(sort.sign()),
    );
}

/// The day of a moment, in UTC.
pub(super) fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}
