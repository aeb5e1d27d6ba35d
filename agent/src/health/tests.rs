//! Health over made-up histories.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use archive_format::RunId;
use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn snapshot(started: &str, outcome: &str) -> SnapshotRecord {
    let id = SnapshotId::new(at(started)).unwrap();
    serde_json::from_value(json!({
        "id": id, "run": id, "workspace": "prod", "identity": {}, "started": started, "finished": started,
        "outcome": outcome, "program": "test", "manifest": "00".repeat(32), "lines": 0,
        "pack_list": [], "pack_list_packs": [], "packs": 0,
    }))
    .unwrap()
}

fn failed(started: &str) -> Run {
    Run {
        id: RunId::new(at(started)).unwrap(),
        workspace: "prod".to_owned(),
        started: at(started),
        finished: Some(at(started)),
        outcome: Some(RunOutcome::Failed("Cannot reach login".to_owned())),
    }
}

fn judge(snapshots: &[SnapshotRecord], accepted: &[SnapshotId], runs: &[Run], now: &str) -> Health {
    let schedule = Schedule::new("0 2 * * *", None, at(now)).unwrap();
    Facts {
        workspace: "prod",
        snapshots: snapshots.iter().collect(),
        accepted,
        runs,
        schedule: Some(&schedule),
        gone: false,
        now: at(now),
    }
    .judge()
}

#[test]
fn nobody_waits_for_a_workspace_that_is_gone_but_a_suspect_snapshot_is_still_told() {
    let schedule = Schedule::new("0 2 * * *", None, at("2026-11-30T12:00:00Z")).unwrap();
    let runs = [failed("2026-11-23T02:00:00Z")];
    let judged = |outcome| {
        let history = [
            snapshot("2026-11-21T02:00:00Z", "complete"),
            snapshot("2026-11-22T02:00:00Z", outcome),
        ];
        let facts = Facts {
            workspace: "team.ws",
            snapshots: history.iter().collect(),
            accepted: &[],
            runs: &runs,
            schedule: Some(&schedule),
            gone: true,
            now: at("2026-11-30T12:00:00Z"),
        };
        facts.judge()
    };
    let gone = judged("complete");
    assert_eq!(
        (gone.state, gone.next_run, gone.next),
        (State::Gone, None, None)
    );
    assert_eq!(judged("suspect").state, State::Suspect);
}

#[test]
fn last_nights_complete_snapshot_is_good_and_yesterdays_is_late_by_morning() {
    let night = [snapshot("2026-11-23T02:00:00Z", "complete")];
    let health = judge(&night, &[], &[], "2026-11-23T12:00:00Z");
    assert_eq!(health.state, State::Good);
    assert_eq!(health.next_run, Some(at("2026-11-24T02:00:00Z")));
    assert_eq!(
        judge(&night, &[], &[], "2026-11-24T03:00:00Z").state,
        State::Good,
        "the run may still go on"
    );
    assert_eq!(
        judge(&night, &[], &[], "2026-11-24T08:30:00Z").state,
        State::Late
    );
}

#[test]
fn a_backup_that_missed_two_nights_is_late_also_before_the_third_is() {
    let night = [snapshot("2026-11-21T02:00:00Z", "complete")];
    for now in ["2026-11-23T02:30:00Z", "2026-11-23T07:00:00Z"] {
        assert_eq!(judge(&night, &[], &[], now).state, State::Late, "{now}");
    }
}

#[test]
fn the_next_moment_at_which_a_run_is_late_is_half_its_interval_after_it_was_due_and_at_most_six_hours()
 {
    let next = |pattern, now| {
        let schedule = Schedule::new(pattern, None, at(now)).unwrap();
        super::next_late(&schedule, at(now)).unwrap()
    };
    let nightly = |now| next("0 2 * * *", now);
    assert_eq!(nightly("2026-11-23T02:30:00Z"), at("2026-11-23T08:00:00Z"));
    assert_eq!(nightly("2026-11-23T08:00:00Z"), at("2026-11-24T08:00:00Z"));
    let hourly = next("0 * * * *", "2026-11-23T02:31:00Z");
    assert_eq!(hourly, at("2026-11-23T03:30:00Z"));
}

#[test]
fn what_was_good_is_failing_where_it_is_not_known_any_more() {
    let night = [snapshot("2026-11-23T02:00:00Z", "complete")];
    let mut health = judge(&night, &[], &[], "2026-11-23T12:00:00Z");
    health.fail("The repository cannot be reached");
    assert_eq!(health.state, State::Failing);
    assert_eq!(health.next.as_deref(), Some("mlark backup prod"));
    let mut late = judge(&night, &[], &[], "2026-11-24T12:00:00Z");
    late.fail("The repository cannot be reached");
    assert_eq!(late.state, State::Late, "the worse one stays");
}

#[test]
fn runs_that_fail_hide_no_lateness() {
    let history = [snapshot("2026-11-22T02:00:00Z", "complete")];
    let runs = [failed("2026-11-23T02:00:00Z")];
    let state = |now| judge(&history, &[], &runs, now).state;
    assert_eq!(state("2026-11-23T07:00:00Z"), State::Failing);
    assert_eq!(state("2026-11-23T08:30:00Z"), State::Late);
    let health = judge(&history, &[], &runs, "2026-11-30T12:00:00Z");
    assert_eq!((health.state, health.failed_runs), (State::Late, 1));
    assert!(health.last_failure.is_some(), "why is told all the same");
}

#[test]
fn a_partial_snapshot_alone_is_no_good_backup() {
    let partial = [snapshot("2026-11-23T02:00:00Z", "partial")];
    let health = judge(&partial, &[], &[], "2026-11-23T12:00:00Z");
    assert_eq!(health.state, State::Never);
    assert_eq!(health.next.as_deref(), Some("mlark backup prod"));
}

#[test]
fn a_suspect_snapshot_stays_suspect_until_it_is_accepted() {
    let history = [
        snapshot("2026-11-22T02:00:00Z", "complete"),
        snapshot("2026-11-23T02:00:00Z", "suspect"),
    ];
    let now = "2026-11-23T03:00:00Z";
    let health = judge(&history, &[], &[], now);
    assert_eq!(health.state, State::Suspect);
    assert_eq!(health.last_good.unwrap().id, history[0].id.to_string());
    assert_eq!(
        judge(&history, &[history[1].id], &[], now).state,
        State::Good
    );
}

#[test]
fn failed_runs_count_only_since_the_last_good_snapshot() {
    let history = [snapshot("2026-11-22T02:00:00Z", "complete")];
    let runs = [
        failed("2026-11-23T02:00:00Z"),
        failed("2026-11-21T02:00:00Z"),
    ];
    let health = judge(&history, &[], &runs, "2026-11-23T03:00:00Z");
    assert_eq!((health.state, health.failed_runs), (State::Failing, 1));
    assert_eq!(health.last_failure.as_deref(), Some("Cannot reach login"));
}
