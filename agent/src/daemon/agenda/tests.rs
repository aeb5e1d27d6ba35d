#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn agenda(pattern: &str, zone: Option<&str>, last: Option<(&str, bool)>, now: &str) -> Agenda {
    let mut agenda = Agenda::default();
    let schedule = Schedule::new(pattern, zone, at(now)).unwrap();
    let last = last.map(|(started, unfinished)| LastRun {
        started: at(started),
        unfinished,
    });
    agenda.add("prod", schedule, Duration::ZERO, last, at(now));
    agenda
}

fn nightly(last: Option<(&str, bool)>, now: &str) -> Agenda {
    agenda("0 2 * * *", None, last, now)
}

fn moment(agenda: &Agenda) -> Timestamp {
    agenda.next().unwrap().0
}

/// How many were missed besides the one that begins; `None` where none is due.
fn begins(agenda: &mut Agenda, now: &str) -> Option<u64> {
    let due = agenda.due(at(now), 8);
    assert!(due.len() <= 1);
    due.first().map(|due| due.missed)
}

#[test]
fn runs_missed_while_the_machine_was_off_are_made_up_for_once_and_counted() {
    let mut agenda = nightly(
        Some(("2026-11-20T02:00:00Z", false)),
        "2026-11-23T09:00:00Z",
    );
    assert_eq!(begins(&mut agenda, "2026-11-23T09:00:00Z"), Some(2));
    assert_eq!(begins(&mut agenda, "2026-11-23T09:00:00Z"), None, "it runs");
    agenda.ran(
        "prod",
        at("2026-11-23T09:00:00Z"),
        at("2026-11-23T09:30:00Z"),
    );
    assert_eq!(moment(&agenda), at("2026-11-24T02:00:00Z"));
}

#[test]
fn a_run_that_took_longer_than_its_interval_is_followed_by_one_not_two() {
    let mut agenda = nightly(None, "2026-11-23T01:00:00Z");
    assert_eq!(begins(&mut agenda, "2026-11-23T01:59:59Z"), None);
    assert_eq!(begins(&mut agenda, "2026-11-23T02:00:00Z"), Some(0));
    agenda.ran(
        "prod",
        at("2026-11-23T02:00:00Z"),
        at("2026-11-25T05:00:00Z"),
    );
    assert_eq!(begins(&mut agenda, "2026-11-25T05:00:00Z"), Some(1));
    agenda.ran(
        "prod",
        at("2026-11-25T05:00:00Z"),
        at("2026-11-25T06:00:00Z"),
    );
    assert_eq!(moment(&agenda), at("2026-11-26T02:00:00Z"));
}

#[test]
fn a_run_stopped_half_way_goes_on_when_the_daemon_starts_again() {
    let now = "2026-11-23T02:30:00Z";
    let last = |unfinished| Some(("2026-11-23T02:00:00Z", unfinished));
    assert_eq!(begins(&mut nightly(last(true), now), now), Some(0));
    assert_eq!(
        moment(&nightly(last(false), now)),
        at("2026-11-24T02:00:00Z")
    );
}

#[test]
fn a_clock_that_goes_back_leaves_no_workspace_waiting() {
    let mut agenda = nightly(
        Some(("2026-11-23T02:00:00Z", false)),
        "2026-11-23T03:00:00Z",
    );
    // The clock was two days ahead for a while, and a run was made in that time.
    assert_eq!(begins(&mut agenda, "2026-11-25T03:00:00Z"), Some(1));
    agenda.ran(
        "prod",
        at("2026-11-25T03:00:00Z"),
        at("2026-11-25T03:10:00Z"),
    );
    assert_eq!(begins(&mut agenda, "2026-11-23T04:00:00Z"), None);
    assert_eq!(begins(&mut agenda, "2026-11-24T02:00:00Z"), Some(0));
}

#[test]
fn a_run_whose_end_lies_before_its_beginning_counts_from_its_end() {
    let mut agenda = nightly(None, "2026-11-23T01:00:00Z");
    assert_eq!(begins(&mut agenda, "2026-11-23T02:00:00Z"), Some(0));
    agenda.ran(
        "prod",
        at("2026-11-23T02:00:00Z"),
        at("2026-11-20T02:10:00Z"),
    );
    assert_eq!(moment(&agenda), at("2026-11-21T02:00:00Z"));
}

#[test]
fn a_night_run_happens_once_on_the_days_when_clocks_change() {
    // Berlin, 2027: on 28 March 02:00 becomes 03:00, on 31 October 03:00 becomes 02:00.
    let mut spring = agenda(
        "30 2 * * *",
        Some("Europe/Berlin"),
        None,
        "2027-03-27T12:00:00Z",
    );
    assert_eq!(
        moment(&spring),
        at("2027-03-28T01:00:00Z"),
        "03:00 of the day without 02:30"
    );
    assert_eq!(begins(&mut spring, "2027-03-28T01:00:00Z"), Some(0));
    spring.ran(
        "prod",
        at("2027-03-28T01:00:00Z"),
        at("2027-03-28T01:05:00Z"),
    );
    assert_eq!(moment(&spring), at("2027-03-29T00:30:00Z"));

    let mut autumn = agenda(
        "30 2 * * *",
        Some("Europe/Berlin"),
        None,
        "2027-10-30T12:00:00Z",
    );
    assert_eq!(
        moment(&autumn),
        at("2027-10-31T00:30:00Z"),
        "the first of two"
    );
    assert_eq!(begins(&mut autumn, "2027-10-31T00:30:00Z"), Some(0));
    autumn.ran(
        "prod",
        at("2027-10-31T00:30:00Z"),
        at("2027-10-31T00:35:00Z"),
    );
    assert_eq!(moment(&autumn), at("2027-11-01T01:30:00Z"));
}

#[test]
fn every_workspace_has_its_own_constant_share_of_the_jitter() {
    let jitter = Duration::from_secs(600);
    let shares: Vec<Duration> = (0..50)
        .map(|n| delay(&format!("workspace-{n}"), jitter))
        .collect();
    assert!(shares.iter().all(|share| *share < jitter));
    assert!(shares.iter().any(|share| *share != shares[0]));
    assert_eq!(shares[7], delay("workspace-7", jitter));

    let now = at("2026-11-23T02:01:00Z");
    let mut agenda = Agenda::default();
    let schedule = Schedule::new("0 2 * * *", None, now).unwrap();
    agenda.add("prod", schedule, Duration::from_secs(300), None, now);
    assert_eq!(
        moment(&agenda),
        at("2026-11-23T02:05:00Z"),
        "its moment of this night is still to come"
    );
    assert_eq!(begins(&mut agenda, "2026-11-23T02:05:00Z"), Some(0));
}

#[test]
fn no_more_begin_than_may_and_the_longest_overdue_first() {
    let now = at("2026-11-23T09:00:00Z");
    let mut agenda = Agenda::default();
    for (name, hour) in [("late", 1), ("later", 2), ("latest", 3)] {
        let schedule = Schedule::new(&format!("0 {hour} * * *"), None, now).unwrap();
        let last = LastRun {
            started: at("2026-11-22T05:00:00Z"),
            unfinished: false,
        };
        agenda.add(name, schedule, Duration::ZERO, Some(last), now);
    }
    let names =
        |due: Vec<Due>| -> Vec<String> { due.into_iter().map(|due| due.workspace).collect() };
    assert_eq!(names(agenda.due(now, 2)), ["late", "later"]);
    assert_eq!(names(agenda.due(now, 2)), ["latest"]);
    assert_eq!(names(agenda.due(now, 2)), Vec::<String>::new());
}

#[test]
fn runs_that_were_killed_are_gone_on_with_but_not_for_ever() {
    let run = |outcome| Run {
        id: archive_format::RunId::new(at("2026-11-23T02:00:00Z")).unwrap(),
        workspace: "prod".to_owned(),
        started: at("2026-11-23T02:00:00Z"),
        finished: None,
        outcome,
    };
    let failed = |why: &str| run(Some(RunOutcome::Failed(why.to_owned())));
    let unfinished = |runs: &[Run]| LastRun::of(runs).unwrap().unfinished;
    assert_eq!(LastRun::of(&[]), None);
    for killed in 1..=3 {
        let mut runs = vec![run(None); killed];
        runs.push(failed("x"));
        assert!(unfinished(&runs), "{killed}");
    }
    assert!(!unfinished(&vec![run(None); 4]));
    assert!(unfinished(&[failed(STOPPED_EARLY)]));
    assert!(!unfinished(&[failed("the workspace is gone"), run(None)]));
}
