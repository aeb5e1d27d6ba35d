//! When each workspace runs next. Pure: schedules, last runs and the time in, names that are due out.
//!
//! A clock may jump. Forward, the runs in between were missed: one makes up for all of them, and how many they were is
//! told. Back, what counts as the last run is taken to be now, so that nothing waits for a time that was wrong.

use std::time::Duration;

use archive_format::{Outcome, Run, RunOutcome};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::capture::STOPPED_EARLY;
use crate::config::value::Schedule;

/// More missed runs of one workspace than this are not counted one by one.
const MISSED_MAX: u64 = 10_000;

/// After so many killed runs in a row the next one is still begun at once.
const KILLED_MAX: u32 = 3;

/// A clock that went back by less than this was only set right.
const STEP_BACK: Duration = Duration::from_secs(60);

/// What is known of a workspace's last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub started: Timestamp,
    /// Whether it stopped before everything was visited, and is to be gone on with.
    pub unfinished: bool,
}

impl LastRun {
    /// How many runs of the catalogue `of` looks at.
    pub const LOOKED_AT: u32 = KILLED_MAX + 1;

    /// From the runs of the catalogue, newest first. One that was killed (it has no end) is gone on with like one that was
    /// stopped; but where several in a row were killed the next waits for its schedule, since whatever killed them could be
    /// the runs themselves.
    pub fn of(runs: &[Run]) -> Option<Self> {
        let run = runs.first()?;
        let unfinished = match &run.outcome {
            Some(RunOutcome::Snapshot(_, outcome)) => *outcome == Outcome::Partial,
            Some(RunOutcome::Failed(why)) => why == STOPPED_EARLY,
            None => {
                let killed = runs.iter().take_while(|run| run.outcome.is_none());
                killed.count() <= KILLED_MAX as usize
            }
        };
        Some(Self {
            started: run.started,
            unfinished,
        })
    }
}

/// A run that is to begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The workspace.
    pub workspace: String,
    /// How many runs of the schedule were missed, besides the one that this is.
    pub missed: u64,
}

/// One workspace's turn.
#[derive(Clone, Debug)]
struct Turn {
    workspace: String,
    schedule: Schedule,
    /// How much later than its schedule it runs.
    delay: Duration,
    /// Up to when the schedule is served: the beginning of the last run.
    since: Timestamp,
    /// When it runs next; `None` while it runs, and where it never comes again.
    next: Option<Timestamp>,
}

/// All turns.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    turns: Vec<Turn>,
    /// The last time that was seen.
    seen: Option<Timestamp>,
}

impl Agenda {
    /// Adds a workspace. A run that was missed since the last one, or that was stopped half-way, is due now; a workspace
    /// that never ran waits for its schedule.
    pub fn add(
        &mut self,
        workspace: &str,
        schedule: Schedule,
        delay: Duration,
        last: Option<LastRun>,
        now: Timestamp,
    ) {
        let since = last.map_or(now - delay, |last| last.started.min(now));
        let mut turn = Turn {
            workspace: workspace.to_owned(),
            schedule,
            delay,
            since,
            next: None,
        };
        turn.next = match last {
            Some(last) if last.unfinished => Some(now),
            _ => turn.after(since),
        };
        self.turns.push(turn);
    }

    /// The runs that are to begin, at most so many, the longest overdue first. They are not due again before `ran`.
    pub fn due(&mut self, now: Timestamp, at_most: usize) -> Vec<Due> {
        self.notice(now);
        let mut due: Vec<&mut Turn> = self
            .turns
            .iter_mut()
            .filter(|turn| turn.next.is_some_and(|next| next <= now))
            .collect();
        due.sort_by(|one, other| (one.next, &one.workspace).cmp(&(other.next, &other.workspace)));
        let begin = |turn: &mut Turn| {
            let missed = turn.passed(now).saturating_sub(1);
            turn.next = None;
            Due {
                workspace: turn.workspace.clone(),
                missed,
            }
        };
        due.into_iter().take(at_most).map(begin).collect()
    }

    /// Records a run that ended. What a run of this process could not finish would not finish a moment later: it waits for
    /// its schedule.
    pub fn ran(&mut self, workspace: &str, started: Timestamp, now: Timestamp) {
        for turn in &mut self.turns {
            if turn.workspace == workspace {
                turn.since = started.min(now);
                turn.next = turn.after(turn.since);
            }
        }
    }

    /// A run of this workspace is under way; it is not due before `ran`.
    pub fn runs(&mut self, workspace: &str) {
        for turn in &mut self.turns {
            if turn.workspace == workspace {
                turn.next = None;
            }
        }
    }

    /// The next turn: its moment and workspace.
    pub fn next(&self) -> Option<(Timestamp, &str)> {
        let turns = self.turns.iter();
        turns
            .filter_map(|turn| Some((turn.next?, turn.workspace.as_str())))
            .min()
    }

    /// When each workspace runs next, and how much later than its schedule that is; no time while it runs.
    pub fn turns(&self) -> impl Iterator<Item = (&str, Option<Timestamp>, Duration)> {
        self.turns
            .iter()
            .map(|turn| (turn.workspace.as_str(), turn.next, turn.delay))
    }

    /// Whether a workspace has a turn.
    pub fn has(&self, workspace: &str) -> bool {
        self.turns.iter().any(|turn| turn.workspace == workspace)
    }

    /// Whether no workspace has one.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Looks at the time; where the clock went back, turns are not left waiting for a time that was wrong.
    fn notice(&mut self, now: Timestamp) {
        let went_back = self.seen.is_some_and(|seen| {
            seen.duration_since(now) > STEP_BACK.try_into().unwrap_or_default()
        });
        self.seen = Some(now);
        if !went_back {
            return;
        }
        for turn in &mut self.turns {
            turn.since = turn.since.min(now);
            if turn.next.is_some() {
                turn.next = turn.after(turn.since.max(now - turn.delay));
            }
        }
    }
}

impl Turn {
    /// The first run after the schedule was served up to a moment.
    fn after(&self, since: Timestamp) -> Option<Timestamp> {
        Some(self.schedule.next_after(since)? + self.delay)
    }

    /// How many runs of the schedule are due.
    fn passed(&self, now: Timestamp) -> u64 {
        let mut count = 0;
        let mut since = self.since;
        while count < MISSED_MAX
            && let Some(next) = self.schedule.next_after(since)
            && next + self.delay <= now
        {
            since = next;
            count += 1;
        }
        count
    }
}

/// By how much a workspace's runs are later than its schedule: the same share of the jitter each time, so that it is known
/// beforehand and a fleet does not begin at once.
pub fn delay(workspace: &str, jitter: Duration) -> Duration {
    let digest = Sha256::digest(workspace.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let seconds = jitter.as_secs();
    match seconds {
        0 => Duration::ZERO,
        _ => Duration::from_secs(u64::from_be_bytes(first) % seconds),
    }
}

#[cfg(test)]
mod tests;
