//! Whether a workspace has a good backup: judged from its snapshots, the runs of this machine and its schedule. Pure;
//! `mlark status` and the daemon's page show it.

use std::time::Duration;

use archive_format::{Outcome, Run, RunOutcome, SnapshotId, SnapshotRecord};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::config::value::Schedule;
use crate::ui::amount;

/// A run that is this late is missed, however rare runs are.
const LATE_MAX: Duration = Duration::from_secs(6 * 3_600);

/// How a workspace stands, the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is a good snapshot, no older than the schedule wants.
    Good,
    /// Nothing fits the pattern by this name any more, and nobody waits for a backup.
    Gone,
    /// Runs failed since the last good snapshot, which is no older than the schedule wants.
    Failing,
    /// The last good snapshot is older than the schedule wants, whether runs failed or none was made.
    Late,
    /// The newest snapshot is suspect and nobody accepted it.
    Suspect,
    /// There is no good snapshot.
    Never,
}

impl State {
    /// All of them, the best first.
    pub const ALL: [Self; 6] = [
        Self::Good,
        Self::Gone,
        Self::Failing,
        Self::Late,
        Self::Suspect,
        Self::Never,
    ];

    /// Whether nothing is to be done.
    pub fn is_well(self) -> bool {
        matches!(self, Self::Good | Self::Gone)
    }

    /// The word that JSON and metrics have.
    pub fn as_word(self) -> &'static str {
        match self {
            Self::Never => "never",
            other => other.as_str(),
        }
    }

    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Gone => "gone",
            Self::Late => "late",
            Self::Failing => "failing",
            Self::Suspect => "suspect",
            Self::Never => "no good backup",
        }
    }
}

/// What is known of one workspace's backups.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its name.
    pub workspace: &'a str,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<&'a SnapshotRecord>,
    /// Suspect snapshots that a person accepted.
    pub accepted: &'a [SnapshotId],
    /// The runs of this machine, newest first.
    pub runs: &'a [Run],
    /// Its schedule, where it has one.
    pub schedule: Option<&'a Schedule>,
    /// Whether it is of a pattern that nothing of its name fits any more.
    pub gone: bool,
    /// The time.
    pub now: Timestamp,
}

/// How a workspace stands.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Its name.
    pub workspace: String,
    /// The judgement.
    pub state: State,
    /// The last good snapshot.
    pub last_good: Option<Seen>,
    /// The newest snapshot of any outcome.
    pub last: Option<Seen>,
    /// Items and files that the newest snapshot lacks.
    pub gaps: u64,
    /// Runs that failed since the last good snapshot.
    pub failed_runs: u64,
    /// Why the last of them failed.
    pub last_failure: Option<String>,
    /// When a run that is under way, or was killed, began.
    pub running_since: Option<Timestamp>,
    /// When the schedule comes next.
    pub next_run: Option<Timestamp>,
    /// What to type next, where something is to be done.
    pub next: Option<String>,
}

impl Health {
    /// Notes that it is not known whether what was good still is.
    pub fn fail(&mut self, why: &str) {
        if self.state == State::Good {
            self.state = State::Failing;
            self.last_failure = Some(why.to_owned());
            self.next = advice(self);
        }
    }
}

/// A snapshot as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// When it was committed.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: &'static str,
    /// The items that it holds.
    pub items: u64,
}

impl Facts<'_> {
    /// Judges.
    pub fn judge(&self) -> Health {
        let good = self
            .snapshots
            .iter()
            .rev()
            .copied()
            .find(|record| self.is_good(record));
        let last = self.snapshots.last().copied();
        let failures = self.failures_since(good.map(|record| record.started));
        let state = self.state(good, last, !failures.is_empty());
        let mut health = Health {
            workspace: self.workspace.to_owned(),
            state,
            last_good: good.map(seen),
            last: last.map(seen),
            gaps: last.map_or(0, gaps),
            failed_runs: failures.len() as u64,
            last_failure: failures.first().map(|why| (*why).to_owned()),
            running_since: self.running_since(),
            next_run: self
                .schedule
                .filter(|_| !self.gone)
                .and_then(|schedule| schedule.next_after(self.now)),
            next: None,
        };
        health.next = advice(&health);
        health
    }

    fn is_good(&self, record: &SnapshotRecord) -> bool {
        match record.outcome {
            Outcome::Complete => true,
            Outcome::Suspect => self.accepted.contains(&record.id),
            Outcome::Partial => false,
        }
    }

    fn failures_since(&self, moment: Option<Timestamp>) -> Vec<&str> {
        self.runs
            .iter()
            .filter(|run| moment.is_none_or(|moment| run.started > moment))
            .filter_map(|run| match &run.outcome {
                Some(RunOutcome::Failed(why)) => Some(why.as_str()),
                _ => None,
            })
            .collect()
    }

    fn running_since(&self) -> Option<Timestamp> {
        self.runs
            .first()
            .filter(|run| run.finished.is_none())
            .map(|run| run.started)
    }

    fn state(
        &self,
        good: Option<&SnapshotRecord>,
        last: Option<&SnapshotRecord>,
        failed: bool,
    ) -> State {
        let suspect =
            last.is_some_and(|last| last.outcome == Outcome::Suspect && !self.is_good(last));
        if self.gone && !suspect {
            return State::Gone;
        }
        let Some(good) = good else {
            return State::Never;
        };
        if suspect {
            State::Suspect
        } else if self.is_late(good.started) {
            State::Late
        } else if failed {
            State::Failing
        } else {
            State::Good
        }
    }

    /// Whether the newest run that is late by now would have been made after the last good one.
    fn is_late(&self, good: Timestamp) -> bool {
        let Some(schedule) = self.schedule else {
            return false;
        };
        let Some(due) = schedule.last_before(self.now) else {
            return false;
        };
        // While the newest is not late yet, the one before it is.
        match late_from(schedule, due).is_some_and(|late| self.now > late) {
            true => good < due,
            false => {
                let before = due - SignedDuration::from_secs(1);
                schedule.last_before(before).is_some_and(|due| good < due)
            }
        }
    }
}

/// From when on a run is late that was due: half the time to the next one, at most six hours.
fn late_from(schedule: &Schedule, due: Timestamp) -> Option<Timestamp> {
    let interval = schedule.next_after(due)?.duration_since(due).unsigned_abs();
    due.checked_add((interval / 2).min(LATE_MAX)).ok()
}

/// The next moment from which on a workspace is late where no run is made until then.
pub fn next_late(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let mut dues = [schedule.last_before(now), schedule.next_after(now)]
        .into_iter()
        .flatten();
    dues.find_map(|due| late_from(schedule, due).filter(|late| *late > now))
}

fn seen(record: &SnapshotRecord) -> Seen {
    Seen {
        id: record.id.to_string(),
        time: record.finished,
        outcome: record.outcome.as_str(),
        items: record.item_count(),
    }
}

fn gaps(record: &SnapshotRecord) -> u64 {
    record
        .items
        .values()
        .map(|counts| counts.failed)
        .sum::<u64>()
        + record.files.failed
}

fn advice(health: &Health) -> Option<String> {
    let workspace = &health.workspace;
    Some(match health.state {
        State::Never | State::Failing | State::Late => format!("mlark backup {workspace}"),
        State::Suspect => {
            let id = health
                .last
                .as_ref()
                .map_or("latest-any", |last| last.id.as_str());
            format!(
                "look at the workspace: much of it is gone or changed; if that is right: mlark snapshots accept {id}"
            )
        }
        State::Good if health.gaps > 0 => {
            let id = health
                .last
                .as_ref()
                .map_or("latest", |last| last.id.as_str());
            format!(
                "mlark ls -l {id} | grep ^gap:   ({} missing)",
                amount::count(health.gaps)
            )
        }
        State::Good | State::Gone => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests;
