//! When each workspace runs next. Pure: schedules, last runs and the time in, a moment out.

use archive_format::{Outcome, Run, RunOutcome};
use jiff::Timestamp;

use crate::config::value::Schedule;

/// What is known of a workspace's last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub started: Timestamp,
    /// Whether it stopped before everything was visited, and is to be gone on with.
    pub unfinished: bool,
}

impl LastRun {
    /// From the catalogue. A killed run (without an end) waits for its schedule: whatever killed it could do so again.
    pub fn of(run: &Run) -> Self {
        Self {
            started: run.started,
            unfinished: matches!(run.outcome, Some(RunOutcome::Snapshot(_, Outcome::Partial))),
        }
    }
}

/// One workspace's turn.
#[derive(Clone, Debug)]
struct Turn {
    workspace: String,
    schedule: Schedule,
    next: Option<Timestamp>,
}

/// All turns.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    turns: Vec<Turn>,
}

impl Agenda {
    /// Adds a workspace. A run that was missed since the last one, or that was stopped half-way, is due now; a workspace
    /// that never ran waits for its schedule.
    pub fn add(
        &mut self,
        workspace: &str,
        schedule: Schedule,
        last: Option<LastRun>,
        now: Timestamp,
    ) {
        let next = next(&schedule, last, now);
        self.turns.push(Turn {
            workspace: workspace.to_owned(),
            schedule,
            next,
        });
    }

    /// Records a run that just ended.
    pub fn ran(&mut self, workspace: &str, last: LastRun, now: Timestamp) {
        for turn in self
            .turns
            .iter_mut()
            .filter(|turn| turn.workspace == workspace)
        {
            // What a run of this process could not finish would not finish a moment later: it waits for its schedule.
            let last = LastRun {
                unfinished: false,
                ..last
            };
            turn.next = next(&turn.schedule, Some(last), now);
        }
    }

    /// The next turn: its moment and workspace.
    pub fn next(&self) -> Option<(Timestamp, String)> {
        self.turns
            .iter()
            .filter_map(|turn| Some((turn.next?, turn.workspace.clone())))
            .min()
    }
}

fn next(schedule: &Schedule, last: Option<LastRun>, now: Timestamp) -> Option<Timestamp> {
    let missed = last.is_some_and(|last| {
        last.unfinished
            || schedule
                .last_before(now)
                .is_some_and(|due| due > last.started)
    });
    if missed {
        Some(now)
    } else {
        schedule.next_after(now)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn agenda(last: Option<(&str, bool)>, now: &str) -> Agenda {
        let mut agenda = Agenda::default();
        let schedule = Schedule::new("0 2 * * *", None, at(now)).unwrap();
        let last = last.map(|(started, unfinished)| LastRun {
            started: at(started),
            unfinished,
        });
        agenda.add("prod", schedule, last, at(now));
        agenda
    }

    fn moment(agenda: &Agenda) -> Timestamp {
        agenda.next().unwrap().0
    }

    #[test]
    fn a_run_missed_while_the_machine_was_off_is_made_up_for_once() {
        let now = "2026-11-23T09:00:00Z";
        let mut agenda = agenda(Some(("2026-11-20T02:00:00Z", false)), now);
        assert_eq!(moment(&agenda), at(now), "three nights were missed");
        let ran = LastRun {
            started: at(now),
            unfinished: false,
        };
        agenda.ran("prod", ran, at("2026-11-23T09:30:00Z"));
        assert_eq!(moment(&agenda), at("2026-11-24T02:00:00Z"));
    }

    #[test]
    fn a_run_that_took_longer_than_its_interval_is_followed_by_one_not_two() {
        let mut agenda = agenda(None, "2026-11-23T01:00:00Z");
        assert_eq!(moment(&agenda), at("2026-11-23T02:00:00Z"));
        let ran = LastRun {
            started: at("2026-11-23T02:00:00Z"),
            unfinished: false,
        };
        agenda.ran("prod", ran, at("2026-11-25T05:00:00Z"));
        assert_eq!(moment(&agenda), at("2026-11-25T05:00:00Z"));
        let ran = LastRun {
            started: at("2026-11-25T05:00:00Z"),
            unfinished: false,
        };
        agenda.ran("prod", ran, at("2026-11-25T06:00:00Z"));
        assert_eq!(moment(&agenda), at("2026-11-26T02:00:00Z"));
    }

    #[test]
    fn a_run_stopped_half_way_goes_on_when_the_daemon_starts_again() {
        let now = "2026-11-23T02:30:00Z";
        assert_eq!(
            moment(&agenda(Some(("2026-11-23T02:00:00Z", true)), now)),
            at(now)
        );
        assert_eq!(
            moment(&agenda(Some(("2026-11-23T02:00:00Z", false)), now)),
            at("2026-11-24T02:00:00Z")
        );
    }
}
