//! A year of the daemon in virtual time: real backups of a workspace of twenty items that changes each day, with faults,
//! days without a service, restarts, days when the clocks change, and a clock that jumps. Run in a process of its own, whose
//! memory and open files are looked at.

use std::collections::BTreeSet;

use archive_format::{Outcome, Run, RunOutcome};
use jiff::{SignedDuration, Timestamp, ToSpan};
use mlark::ExitStatus;
use mlark::shutdown::Shutdown;
use mlark_tests::apart;
use mlark_tests::length::{figures, is_long, short_or_long};
use simulator::faults::{Fault, Rule};

use super::almanac::{Jump, Keep, Shift, ZONE, half_past_two, kept, runs};
use super::site::{ITEMS, Place, Site, hours_after};
use crate::faults::storm::mix;

const START: &str = "2027-02-20T12:00:00Z";
/// The short form has the day in March on which the clocks change, the long one a whole year.
const SHORT_DAYS: i64 = 60;
const LONG_DAYS: i64 = 365;
const KEEP: Keep = Keep {
    last: 3,
    daily: 7,
    weekly: 4,
    monthly: 6,
};
/// One day in so many has faults, another one no service at all.
const FAULTS_EVERY: i64 = 9;
const OUTAGE_EVERY: i64 = 41;
/// From this day on the process is as large as it becomes, and a day costs what days cost.
const EARLY_DAY: i64 = 40;
/// So many days are looked at to know what one costs.
const DAYS_SEEN: usize = 20;
/// So many times as dear may a day become: by the snapshots that the rules keep longer, and not by the length of the log.
const DEARER_MAX: u64 = 2;
/// What the process may grow by after its first months, in KiB and open files.
const GROWTH_KIB: u64 = 16 << 10;
const GROWTH_FILES: u64 = 4;

/// How many days it runs.
fn days() -> i64 {
    short_or_long(SHORT_DAYS, LONG_DAYS)
}

/// The cloud, the machine, and the time; the workspace, and what each day cost.
struct Year<'a> {
    site: Site<'a>,
    place: Place,
    /// The processor's time that was used up to each noon, in milliseconds.
    noons: std::sync::Mutex<Vec<u64>>,
}

impl Year<'_> {
    fn configure(&self) {
        let rest = format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"30 2 * * *\"\ntimezone = \"{ZONE}\"\n\
             [retention]\nkeep_last = {}\nkeep_daily = {}\nkeep_weekly = {}\nkeep_monthly = {}\ngrace = \"7d\"\n",
            self.place.url(),
            KEEP.last,
            KEEP.daily,
            KEEP.weekly,
            KEEP.monthly
        );
        self.site.configure(None, &rest);
    }

    /// The workspace's life: a change each noon, faults on some days, nothing at all on others.
    async fn live(&self, until: Timestamp) {
        for day in 0.. {
            let noon = hours_after(self.site.start, 24 * day);
            if noon >= until {
                return;
            }
            self.site.wait_until(noon).await;
            self.noons.lock().unwrap().push(processor_ms());
            // What the cloud remembers of requests must not be taken for the daemon's memory.
            let simulator = &self.site.simulator;
            simulator.assert_no_early_retries();
            simulator.state().arrivals.reset();
            if day % OUTAGE_EVERY == OUTAGE_EVERY - 1 {
                let dead = Fault::Status {
                    status: 503,
                    code: None,
                };
                simulator.set_faults(1, vec![Rule::always(dead)]);
                continue;
            }
            simulator.set_faults(1, Vec::new());
            self.site.put(&self.place, day % ITEMS, day);
            if day % FAULTS_EVERY == FAULTS_EVERY - 1 {
                let seed = u64::try_from(day).unwrap();
                simulator.set_faults(seed, mix(seed));
            }
        }
    }

    /// The daemon for one shift.
    async fn work(&self, shift: Shift, jumps: &[Jump]) {
        self.site.wait_until(shift.from).await;
        self.site.daemon_until(shift.to, jumps).await;
    }

    /// What a usual day of these cost, in milliseconds of the processor: the median.
    fn usual_day(&self, days: std::ops::Range<usize>) -> u64 {
        let noons = self.noons.lock().unwrap();
        let mut costs: Vec<u64> = noons[days].windows(2).map(|two| two[1] - two[0]).collect();
        costs.sort_unstable();
        costs[costs.len() / 2]
    }
}

/// The daemon's shifts: off for some minutes every other week, for three days once, and stopped within a run twice.
fn shifts(start: Timestamp) -> Vec<Shift> {
    let end = hours_after(start, 24 * days());
    let mut shifts = Vec::new();
    let mut from = start + 1.minute();
    let mut number = 0;
    while from < end {
        number += 1;
        let mut to =
            from + SignedDuration::from_hours(13 * 24) + SignedDuration::from_mins(7 * number);
        let cuts = number % 9 == 4 || number == 3;
        if cuts {
            // A minute after a run began that is slow.
            let day = to.to_zoned(jiff::tz::TimeZone::UTC).date();
            to = half_past_two(day) + 1.minute();
        }
        let off = match number {
            2 => SignedDuration::from_hours(75),
            _ if cuts => SignedDuration::from_mins(90),
            _ => SignedDuration::from_mins(11),
        };
        let to = to.min(end);
        shifts.push(Shift { from, to, cuts });
        from = to + off;
    }
    shifts
}

/// The clock is 27 hours fast for two hours once, and five hours slow for half a day.
fn jumps(start: Timestamp) -> Vec<Jump> {
    let (first, second) = (days() * 27 / 100, days() * 55 / 100);
    let at = |day: i64, hours: i64| hours_after(start, 24 * day + hours);
    vec![
        Jump {
            from: at(first, 3),
            to: at(first, 5),
            by: SignedDuration::from_hours(27),
        },
        Jump {
            from: at(second, 8),
            to: at(second, 20),
            by: SignedDuration::from_hours(-5),
        },
    ]
}

/// The processor's time that this process used, in milliseconds (proc(5), `utime` and `stime`, in hundredths of a second).
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as u64
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[test]
fn a_year_ends_as_an_independent_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let said = apart::run("daemon::year::the_year", folder.path()).unwrap();
    let figure = |name: &str| said.figure(name).unwrap();
    assert!(
        figure("runs") > days().unsigned_abs() * 93 / 100,
        "{said:?}"
    );
    let (early, late) = (figure("early KiB"), figure("late KiB"));
    assert!(late <= early + GROWTH_KIB, "{early} KiB, then {late}");
    let files = (figure("early files"), figure("late files"));
    assert!(files.1 <= files.0 + GROWTH_FILES, "{files:?} files");
    let day = (figure("early ms"), figure("late ms"));
    assert!(day.1 <= day.0 * DEARER_MAX, "{day:?} ms a day");
    let line = format!(
        "{} simulated days of the daemon, {} runs: resident {} MiB after {} days and {} MiB at the end, open files {} and {}; a \
         usual day takes {} ms of the processor among the first months and {} ms at the end; the catalogue has {} KiB",
        days(),
        figure("runs"),
        early >> 10,
        EARLY_DAY,
        late >> 10,
        files.0,
        files.1,
        day.0,
        day.1,
        figure("catalogue KiB"),
    );
    if is_long() {
        figures(&line).unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_year_ends_as_an_independent_model_says"]
async fn the_year() {
    let folder = apart::folder().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(&folder, start);
    let year = Year {
        place: site.workspace("ws"),
        site,
        noons: std::sync::Mutex::default(),
    };
    year.configure();
    year.site.init().await;

    let (shifts, jumps) = (shifts(start), jumps(start));
    let work = async {
        for shift in &shifts {
            if shift.cuts {
                // Slow, so that the end of the shift falls into the run.
                let slow = Rule::always(Fault::Slow { ms: 20_000 });
                let before = shift.to - 10.minutes();
                let ((), ()) = tokio::join!(year.work(*shift, &jumps), async {
                    year.site.wait_until(before).await;
                    year.site.simulator.set_faults(1, vec![slow]);
                });
                year.site.simulator.set_faults(1, Vec::new());
            } else {
                year.work(*shift, &jumps).await;
            }
        }
    };
    let look = async {
        year.site
            .wait_until(hours_after(start, 24 * EARLY_DAY))
            .await;
        apart::tell("early KiB", resident_kib());
        apart::tell("early files", open_files());
    };
    let end = hours_after(start, 24 * days());
    tokio::join!(work, look, year.live(end));
    apart::tell("late KiB", resident_kib());
    apart::tell("late files", open_files());
    let last = year.noons.lock().unwrap().len();
    let early = usize::try_from(EARLY_DAY).unwrap();
    apart::tell("early ms", year.usual_day(early - DAYS_SEEN..early));
    apart::tell("late ms", year.usual_day(last - DAYS_SEEN..last));
    judge(&year, &shifts, &jumps).await;
}

/// Compares what is there with the model.
async fn judge(year: &Year<'_>, shifts: &[Shift], jumps: &[Jump]) {
    let repository = year.site.repository().await;
    let catalogue = year
        .site
        .folder
        .join("cache")
        .join(repository.id().to_string());
    let catalogue = std::fs::metadata(catalogue.join("catalogue.sqlite")).unwrap();
    apart::tell("catalogue KiB", catalogue.len() >> 10);
    let mut unused = repository.catalogue().runs(None, 10_000).await.unwrap();
    apart::tell("runs", unused.len() as u64);
    let expected = runs(shifts, jumps);
    // In the order in which they were made, which is not that of their times where the clock went back.
    let mut made = Vec::new();
    for expected in &expected {
        let near = |run: &Run| {
            let late = run.started.duration_since(expected.started);
            late.abs() <= SignedDuration::from_secs(61)
        };
        let place = unused.iter().position(near);
        let place = place.unwrap_or_else(|| panic!("{expected:?} was not made"));
        made.push(unused.swap_remove(place));
    }
    assert_eq!(unused, [], "nobody expected these");

    // Every moment of the schedule was served by a run of its own or told as missed.
    let text = year.site.said.text();
    let told: u64 = text.lines().filter_map(missed).sum();
    let missed: u64 = expected.iter().map(|run| run.missed).sum();
    assert_eq!(told, missed);
    assert!(missed >= 2, "the model has missed runs: {missed}");

    // The rules of retention were applied after each complete backup.
    let mut left: Vec<(Timestamp, bool)> = Vec::new();
    let (mut failed, mut partial) = (0, 0);
    for run in &made {
        match &run.outcome {
            Some(RunOutcome::Snapshot(_, Outcome::Complete)) => {
                left.push((run.started, true));
                let complete: Vec<Timestamp> = left
                    .iter()
                    .filter(|(_, complete)| *complete)
                    .map(|(moment, _)| *moment)
                    .collect();
                let kept = kept(&complete, KEEP);
                left.retain(|(moment, _)| kept.contains(moment));
            }
            Some(RunOutcome::Snapshot(_, Outcome::Partial)) => {
                partial += 1;
                left.push((run.started, false));
            }
            Some(RunOutcome::Failed(_)) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    let history = repository.history().await.unwrap();
    let found: BTreeSet<Timestamp> = history.iter().map(|record| record.started).collect();
    let wanted: BTreeSet<Timestamp> = left.iter().map(|(moment, _)| *moment).collect();
    assert_eq!(found, wanted);
    let outages = u64::try_from(days() / OUTAGE_EVERY).unwrap();
    assert!(
        failed >= outages && partial + failed < outages + 8,
        "{failed} failed, {partial} were cut"
    );

    // The newest snapshot holds what the workspace holds, and the repository is sound.
    let newest = repository.snapshot(history.last().unwrap());
    for item in 0..ITEMS {
        let line = newest
            .item("environments", &format!("e{item}"), Some("1"))
            .await
            .unwrap()
            .unwrap();
        let document = newest.document(&line.documents[0]).await.unwrap();
        let day = document["properties"]["tags"]["turn"]
            .as_str()
            .unwrap()
            .parse::<i64>()
            .unwrap();
        let wanted = (0..days())
            .filter(|day| day % ITEMS == item && day % OUTAGE_EVERY != OUTAGE_EVERY - 1)
            .max()
            .unwrap();
        assert_eq!(day, wanted, "e{item}");
    }
    let sound = year
        .site
        .mlark(&["check", "--read-data"], &[], Shutdown::default())
        .await;
    assert_eq!(sound, ExitStatus::Done);
}

/// How many missed runs a line tells of.
fn missed(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("mlark: warning: prod: ")?;
    let (count, _) = rest.split_once(" missed; ")?;
    match count.strip_suffix(" runs were") {
        Some(count) => count.parse().ok(),
        None => Some(1),
    }
}
