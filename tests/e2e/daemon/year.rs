//! A year of the daemon in virtual time: real backups of a workspace of twenty items that changes each day, with faults,
//! days without a service, restarts, days when the clocks change, and a clock that jumps. Run in a process of its own, whose
//! memory and open files are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive_format::{KeyChain, LocalStorage, OpenOptions, Outcome, Repository, Run, RunOutcome};
use http::Method;
use jiff::{SignedDuration, Timestamp, ToSpan};
use mlark::config::environment::Environment;
use mlark::shutdown::Shutdown;
use mlark::{Context, ExitStatus, Sink};
use mlark_tests::apart;
use mlark_tests::length::short_or_long;
use serde_json::json;
use simulator::arm::WorkspaceSpec;
use simulator::clock::RuntimeClock;
use simulator::faults::{Fault, Rule};
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::{Caller, Settings, Simulator, SimulatorTransport};
use tokio::time::Instant;
use workspace::Clock;

use super::almanac::{Jump, Keep, Shift, ZONE, half_past_two, kept, runs, shown};
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
/// What the process may grow by after its first months, in KiB and open files.
const GROWTH_KIB: u64 = 24 << 10;
const GROWTH_FILES: u64 = 4;

/// How many days it runs.
fn days() -> i64 {
    short_or_long(SHORT_DAYS, LONG_DAYS)
}

/// Standard error, kept.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The cloud, the machine, and the time.
struct Year<'a> {
    folder: &'a Path,
    simulator: Simulator,
    spec: WorkspaceSpec,
    start: Timestamp,
    since: Instant,
    said: Said,
}

impl Year<'_> {
    fn truth(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }

    /// The machine's clock.
    fn clock(&self, jumps: Vec<Jump>) -> Clock {
        let (start, since) = (self.start, self.since);
        Clock::new(move || shown(&jumps, start + since.elapsed()))
    }

    async fn mlark(&self, words: &[&str], jumps: &[Jump], stop: Shutdown) -> ExitStatus {
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            transport: Some(Arc::new(SimulatorTransport::new(&self.simulator))),
            clock: self.clock(jumps.to_vec()),
            stdout: Sink::new(std::io::sink()),
            stderr: Sink::new(self.said.clone()),
            shutdown: stop,
            ..Context::of_process()
        };
        let config = self.folder.join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap()];
        all.extend(words);
        mlark::run(all, context).await
    }

    fn configure(&self) {
        let at = self.folder.display();
        let arm = self.simulator.state().cloud.arm_url();
        let WorkspaceSpec {
            subscription,
            group,
            name,
            ..
        } = &self.spec;
        std::fs::write(self.folder.join("secret"), CLIENT_SECRET).unwrap();
        let text = format!(
            "[repository]\nurl = \"{at}/repository\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\ntenant_id = \"{TENANT}\"\n\
             client_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{at}/secret\"\n\
             [[workspace]]\nname = \"prod\"\n\
             url = \"azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}\"\n\
             schedule = \"30 2 * * *\"\ntimezone = \"{ZONE}\"\n\
             [retention]\nkeep_last = {}\nkeep_daily = {}\nkeep_weekly = {}\nkeep_monthly = {}\ngrace = \"7d\"\n",
            KEEP.last, KEEP.daily, KEEP.weekly, KEEP.monthly
        );
        std::fs::write(self.folder.join("mlark.toml"), text).unwrap();
    }

    /// Puts an environment of the workspace, of this day.
    fn put(&self, item: i64, day: i64) {
        let WorkspaceSpec {
            subscription,
            group,
            name,
            ..
        } = &self.spec;
        let target = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{name}\
             /environments/e{item}/versions/1?api-version=2024-04-01"
        );
        let body = json!({"properties": {
            "image": "python:3.12", "tags": {"day": day.to_string(), "item": item.to_string()},
        }});
        let reply = Caller::new(&self.simulator).arm(Method::PUT, &target, Some(&body));
        assert!(reply.status.is_success(), "{reply:?}");
    }

    /// The workspace's life: a change each noon, faults on some days, nothing at all on others.
    async fn live(&self, until: Timestamp) {
        for day in 0.. {
            let noon = self.start + SignedDuration::from_hours(24 * day);
            if noon >= until {
                return;
            }
            self.wait_until(noon).await;
            // What the cloud remembers of requests must not be taken for the daemon's memory.
            self.simulator.assert_no_early_retries();
            self.simulator.state().arrivals.reset();
            if day % OUTAGE_EVERY == OUTAGE_EVERY - 1 {
                let dead = Fault::Status {
                    status: 503,
                    code: None,
                };
                self.simulator.set_faults(1, vec![Rule::always(dead)]);
                continue;
            }
            self.simulator.set_faults(1, Vec::new());
            self.put(day % 20, day);
            if day % FAULTS_EVERY == FAULTS_EVERY - 1 {
                let seed = u64::try_from(day).unwrap();
                self.simulator.set_faults(seed, mix(seed));
            }
        }
    }

    async fn wait_until(&self, moment: Timestamp) {
        let left = moment.duration_since(self.truth());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }

    /// The daemon for one shift.
    async fn work(&self, shift: Shift, jumps: &[Jump]) {
        self.wait_until(shift.from).await;
        let stop = Shutdown::default();
        let asked = stop.clone();
        let end = async {
            self.wait_until(shift.to).await;
            asked.request();
        };
        let (status, ()) = tokio::join!(self.mlark(&["daemon", "--no-progress"], jumps, stop), end);
        assert_eq!(status, ExitStatus::Done);
    }

    async fn repository(&self) -> Repository {
        let storage = Arc::new(LocalStorage::new(self.folder.join("repository")));
        let options = OpenOptions {
            cache: self.folder.join("cache"),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "mlark test".to_owned(),
        };
        let keys = KeyChain::default();
        Repository::open(storage, keys, options).await.unwrap()
    }
}

/// The daemon's shifts: off for some minutes every other week, for three days once, and stopped within a run twice.
fn shifts(start: Timestamp) -> Vec<Shift> {
    let end = start + SignedDuration::from_hours(24 * days());
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
    let at = |day: i64, hours: i64| start + SignedDuration::from_hours(24 * day + hours);
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
    let (early, late) = (figure("early files"), figure("late files"));
    assert!(late <= early + GROWTH_FILES, "{early} files, then {late}");
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_year_ends_as_an_independent_model_says"]
async fn the_year() {
    let folder = apart::folder().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let clock = RuntimeClock::starting_at(start);
    let year = Year {
        folder: &folder,
        simulator: Simulator::with_clock(Settings::default(), Arc::new(clock)),
        spec: WorkspaceSpec::new(
            "a0000000-0000-4000-8000-00000000000a",
            "rg",
            "ws",
            "westeurope",
        ),
        start,
        since: Instant::now(),
        said: Said::default(),
    };
    year.simulator.create_workspace(&year.spec);
    (0..20).for_each(|item| year.put(item, -1));
    year.configure();
    let made = year.mlark(&["init", "--unencrypted"], &[], Shutdown::default());
    assert_eq!(made.await, ExitStatus::Done);

    let (shifts, jumps) = (shifts(start), jumps(start));
    let work = async {
        for (number, shift) in shifts.iter().enumerate() {
            if shift.cuts {
                // Slow, so that the end of the shift falls into the run.
                let slow = Rule::always(Fault::Slow { ms: 20_000 });
                let before = shift.to - 10.minutes();
                let ((), ()) = tokio::join!(year.work(*shift, &jumps), async {
                    year.wait_until(before).await;
                    year.simulator.set_faults(1, vec![slow]);
                });
                year.simulator.set_faults(1, Vec::new());
            } else {
                year.work(*shift, &jumps).await;
            }
            if number == 1 {
                apart::tell("early KiB", resident_kib());
                apart::tell("early files", open_files());
            }
        }
    };
    let end = start + SignedDuration::from_hours(24 * days());
    tokio::join!(work, year.live(end));
    apart::tell("late KiB", resident_kib());
    apart::tell("late files", open_files());
    judge(&year, &shifts, &jumps).await;
}

/// Compares what is there with the model.
async fn judge(year: &Year<'_>, shifts: &[Shift], jumps: &[Jump]) {
    let repository = year.repository().await;
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
    let text = String::from_utf8(year.said.0.lock().unwrap().clone()).unwrap();
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
    for item in 0..20 {
        let line = newest
            .item("environments", &format!("e{item}"), Some("1"))
            .await
            .unwrap()
            .unwrap();
        let document = newest.document(&line.documents[0]).await.unwrap();
        let day = document["properties"]["tags"]["day"]
            .as_str()
            .unwrap()
            .parse::<i64>()
            .unwrap();
        let wanted = (0..days())
            .filter(|day| day % 20 == item && day % OUTAGE_EVERY != OUTAGE_EVERY - 1)
            .max()
            .unwrap();
        assert_eq!(day, wanted, "e{item}");
    }
    let sound = year
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
