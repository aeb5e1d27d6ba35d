//! What a year of the daemon should come to, worked out without its code: when its clock shows what, which runs that
//! makes due, and which snapshots the rules of retention leave.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The zone of the schedule, where clocks change in March and October.
pub(super) const ZONE: &str = "Europe/Berlin";

/// The machine's clock is off by so much between two moments of the true time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) by: SignedDuration,
}

/// What the machine's clock shows.
pub(super) fn shown(jumps: &[Jump], truth: Timestamp) -> Timestamp {
    let jump = jumps
        .iter()
        .find(|jump| (jump.from..jump.to).contains(&truth));
    jump.map_or(truth, |jump| truth + jump.by)
}

/// The moment of 02:30 of a day: the first of two, and 03:00 where there is none.
pub(super) fn half_past_two(day: Date) -> Timestamp {
    let zone = TimeZone::get(ZONE).unwrap();
    let at = |hour, minute| day.at(hour, minute, 0, 0).to_zoned(zone.clone()).unwrap();
    let half = at(2, 30);
    // Where 02:30 does not exist, jiff gives 03:30.
    match half.hour() {
        2 => half.timestamp(),
        _ => at(3, 0).timestamp(),
    }
}

/// Moments of the schedule after one and not after another.
fn due(after: Timestamp, until: Timestamp) -> u64 {
    let zone = TimeZone::get(ZONE).unwrap();
    let mut day = after.to_zoned(zone.clone()).date();
    let last = until.to_zoned(zone).date();
    let mut count = 0;
    while day <= last {
        let moment = half_past_two(day);
        count += u64::from(after < moment && moment <= until);
        day = day.tomorrow().unwrap();
    }
    count
}

/// A time for which the daemon ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Whether it is stopped in the middle of a run.
    pub(super) cuts: bool,
}

/// A run, by the machine's clock, and how many were missed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) started: Timestamp,
    pub(super) missed: u64,
}

/// The runs that these shifts should make, looked at minute by minute.
pub(super) fn runs(shifts: &[Shift], jumps: &[Jump]) -> Vec<Expected> {
    let mut expected: Vec<Expected> = Vec::new();
    let mut unfinished = false;
    for shift in shifts {
        let start = shown(jumps, shift.from);
        let last = expected.last().map(|run| run.started);
        let mut served = last.map_or(start, |last| last.min(start));
        let mut before = start;
        let mut truth = shift.from;
        if unfinished {
            let missed = due(served, start).saturating_sub(1);
            expected.push(Expected {
                started: start,
                missed,
            });
            served = start;
        }
        while truth < shift.to {
            let now = shown(jumps, truth);
            if before.duration_since(now) > SignedDuration::from_mins(1) {
                served = served.min(now);
            }
            before = now;
            let count = due(served, now);
            if count > 0 {
                expected.push(Expected {
                    started: now,
                    missed: count - 1,
                });
                served = now;
            }
            truth += 1.minute();
        }
        unfinished = shift.cuts;
    }
    expected
}

/// How many are kept of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub(super) last: usize,
    pub(super) daily: usize,
    pub(super) weekly: usize,
    pub(super) monthly: usize,
}

/// What is left of snapshots (by when they began) after the rules, restic's: of the newest periods the newest snapshot each,
/// and the oldest of all while a rule has not kept its number.
pub(super) fn kept(snapshots: &[Timestamp], keep: Keep) -> BTreeSet<Timestamp> {
    let zone = TimeZone::get(ZONE).unwrap();
    let mut newest_first = snapshots.to_vec();
    newest_first.sort();
    newest_first.reverse();
    let day = |moment: Timestamp| moment.to_zoned(zone.clone()).date();
    let week = |moment: Timestamp| {
        let mut day = day(moment);
        while day.weekday() != Weekday::Monday {
            day = day.yesterday().unwrap();
        }
        day
    };
    let month = |moment: Timestamp| day(moment).first_of_month();
    let mut left: BTreeSet<Timestamp> = newest_first.iter().take(keep.last).copied().collect();
    let rules: [(usize, &dyn Fn(Timestamp) -> Date); 3] = [
        (keep.daily, &day),
        (keep.weekly, &week),
        (keep.monthly, &month),
    ];
    for (number, period) in rules {
        let mut periods = BTreeSet::new();
        for moment in &newest_first {
            if periods.len() < number && periods.insert(period(*moment)) {
                left.insert(*moment);
            }
        }
        if periods.len() < number {
            left.extend(newest_first.last());
        }
    }
    left
}
