//! The daemon is killed (SIGKILL) at random moments over a week of hourly runs, in a process of its own whose time is
//! virtual. The next start goes on by itself, what is stored is sound after each kill, and packs that no entry names are
//! gone when their grace is over.
//!
//! Between two processes the files that were written get the time of the kill, since the file system knows the true time
//! alone: so their age is what it would be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use archive_format::{Grace, PackName, Repository, Run};
use jiff::{SignedDuration, Timestamp, ToSpan};
use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus, Sink};
use mlark_tests::apart;
use mlark_tests::length::{figures, is_long, short_or_long};

use super::site::{ITEMS, Said, Site, hours_after, open};

/// So far ahead that no file which has the true time can be taken for one that was given another.
const START: &str = "2126-03-04T11:30:00Z";
const SHORT_KILLS: u64 = 8;
const LONG_KILLS: u64 = 50;
/// A process is killed in one of the first so many hours that it sees begin.
const HOURS_MAX: u64 = 6;
/// How far into a run it is killed: up to so many hundredths of what a run takes.
const PERCENT_MAX: u64 = 110;
const GRACE_HOURS: i64 = 12;
/// A process frees space after a complete run, when the grace of something is over, at most once an hour.
const FREED_WITHIN_HOURS: i64 = GRACE_HOURS + 1 + 2;
/// One kill in so many comes as soon as a pack is stored, which is before the entry that names it.
const AT_A_PACK: u64 = 4;
/// How often it is looked whether the moment has come, in true time.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// A run that is due begins within this.
const LATE: SignedDuration = SignedDuration::from_secs(61);
/// Nobody is waited for longer than this, in true time.
const PATIENCE: Duration = Duration::from_secs(300);

/// The daemon in a process of its own.
struct Session {
    child: Child,
    /// What its clock shows, told a second before each hour and five minutes after it.
    ticks: Receiver<Timestamp>,
    /// The last of them.
    seen: Timestamp,
}

impl Session {
    fn start(folder: &Path, from: Timestamp, until: Timestamp) -> Self {
        std::fs::write(folder.join("session"), format!("{from} {until}")).unwrap();
        let mut command = apart::command("daemon::killed::the_daemon", folder).unwrap();
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, ticks) = channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Some(second) = apart::figure_in(&line, "second") {
                    let second = i64::try_from(second).unwrap();
                    let _ = sender.send(Timestamp::from_second(second).unwrap());
                }
            }
        });
        Self {
            child,
            ticks,
            seen: from,
        }
    }

    /// Waits for the next tick of that sort.
    fn tick(&mut self, begins: bool) {
        loop {
            let tick = self.ticks.recv_timeout(PATIENCE).expect("it goes on");
            self.seen = tick;
            if is_before_the_hour(tick) == begins {
                return;
            }
        }
    }

    /// Kills it in the last of so many hours that begin.
    fn kill(mut self, hours: u64, when: &dyn Fn(Instant) -> bool) -> Timestamp {
        (0..hours).for_each(|_| self.tick(true));
        let began = Instant::now();
        while !when(began) {
            match self.ticks.recv_timeout(LOOK_EVERY) {
                Ok(tick) => self.seen = tick,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it ended by itself"),
            }
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.seen = self.ticks.iter().last().unwrap_or(self.seen);
        // Before the next tick, which it did not come to tell.
        self.seen + 5.minutes()
    }

    fn end(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

fn is_before_the_hour(tick: Timestamp) -> bool {
    tick.as_second() % 3600 == 3599
}

/// Random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Gives every file of the true time another.
fn stamp(folder: &Path, moment: Timestamp) {
    let year_2100 = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    for path in files(folder) {
        let file = File::options().append(true).open(path).unwrap();
        if file.metadata().unwrap().modified().unwrap() < year_2100 {
            file.set_modified(SystemTime::from(moment)).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    for entry in entries.map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(drop).unwrap(),
        }
    }
}

/// What is there after a kill, seen without touching what the next start will find.
struct Look {
    runs: Vec<Run>,
    /// Packs that no live snapshot needs.
    unnamed: Vec<PackName>,
}

impl Look {
    async fn take(folder: &Path, now: Timestamp) -> Self {
        let own = tempfile::tempdir().unwrap();
        copy(&folder.join("cache"), own.path());
        let place = folder.join("repository");
        let repository: Repository = open(&place, own.path()).await;
        let runs = repository.catalogue().runs(None, 10_000).await.unwrap();
        let found = repository.garbage(&Grace::default(), now).await.unwrap();
        let said = Said::default();
        let context = Context {
            environment: Environment::from_iter([(
                "XDG_CACHE_HOME".to_owned(),
                own.path().join("check").display().to_string(),
            )]),
            stdout: Sink::new(said.clone()),
            stderr: Sink::new(said.clone()),
            ..Context::of_process()
        };
        let words = [
            "mlark",
            "--config",
            "/dev/null",
            "--repository",
            place.to_str().unwrap(),
            "check",
            "--read-data",
        ];
        let sound = mlark::run(words, context).await;
        assert_eq!(sound, ExitStatus::Done, "{}", said.text());
        Self {
            runs,
            unnamed: found.packs.into_iter().chain(found.left).collect(),
        }
    }
}

#[tokio::test]
async fn a_daemon_that_is_killed_at_random_moments_goes_on_by_itself_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let repository = folder.join("repository");
    let start: Timestamp = START.parse().unwrap();
    let kills = short_or_long(SHORT_KILLS, LONG_KILLS);
    let mut dice = Dice(17);

    // Undisturbed first, to know how long a run takes.
    let mut calm = Session::start(folder, start, hours_after(start, 3));
    calm.tick(true);
    let began = Instant::now();
    calm.tick(false);
    let length = began.elapsed();
    calm.end();
    let mut now = hours_after(start, 3);
    stamp(&repository, now);

    let (mut cut, mut orphans) = (0, 0);
    let mut unnamed: BTreeMap<PackName, Timestamp> = BTreeMap::new();
    let mut goes_on: Vec<Timestamp> = Vec::new();
    for kill in 0..kills {
        let hours = 1 + dice.below(HOURS_MAX);
        let after = length.mul_f64(dice.below(PERCENT_MAX) as f64 / 100.0);
        let from = now + 1.minute();
        let session = Session::start(folder, from, hours_after(from, 24));
        let packs = repository.join("packs");
        let before = std::cell::OnceCell::new();
        now = session.kill(hours, &|began| match kill % AT_A_PACK {
            0 => files(&packs).len() > *before.get_or_init(|| files(&packs).len()),
            _ => began.elapsed() >= after,
        });
        stamp(&repository, now);
        let look = Look::take(folder, now).await;
        let hour = Timestamp::from_second(now.as_second() / 3600 * 3600).unwrap();
        let is_whole = |run: &&Run| run.started >= hour && run.finished.is_some();
        if look.runs.iter().find(is_whole).is_none() {
            cut += 1;
            goes_on.push(now + 1.minute());
        }
        unnamed.retain(|name, _| look.unnamed.contains(name));
        for name in look.unnamed {
            unnamed.entry(name).or_insert_with(|| {
                orphans += 1;
                now
            });
        }
        for (name, since) in &unnamed {
            let age = now.duration_since(*since);
            let limit = SignedDuration::from_hours(FREED_WITHIN_HOURS);
            assert!(age <= limit, "{name} has been left over for {age:#}");
        }
    }

    let from = now + 1.minute();
    now = hours_after(from, FREED_WITHIN_HOURS);
    Session::start(folder, from, now).end();
    let look = Look::take(folder, now).await;
    assert_eq!(look.unnamed, [], "left over at the end");
    assert_eq!(files(&repository.join(".tmp")), Vec::<PathBuf>::new());
    let cache = files(&folder.join("cache"));
    let abandoned = cache
        .iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "runs"));
    assert_eq!(abandoned.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    for moment in &goes_on {
        let run = look.runs.iter().find(|run| {
            let late = run.started.duration_since(*moment);
            (SignedDuration::ZERO..=LATE).contains(&late)
        });
        assert!(run.is_some(), "nothing was gone on with at {moment}");
    }
    let hours = now.duration_since(start).as_hours();
    assert!(
        look.runs.len() as i64 > hours * 9 / 10,
        "runs were left out"
    );
    assert!(cut * 2 > kills, "{cut} of {kills} kills cut a run short");
    assert!(orphans > 0, "no kill left a pack behind");
    if is_long() {
        let days = hours / 24;
        let line = format!(
            "the daemon killed {kills} times within {days} days of hourly runs, {cut} times within a run: {} runs, sound after \
             each kill; {orphans} packs that no entry named were left by kills, none stayed",
            look.runs.len()
        );
        figures(&line).unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_daemon_that_is_killed_at_random_moments_goes_on_by_itself_and_leaves_nothing_behind"]
async fn the_daemon() {
    let folder = apart::folder().unwrap();
    let session = std::fs::read_to_string(folder.join("session")).unwrap();
    let (from, until) = session.split_once(' ').unwrap();
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    let site = Site::new(&folder, from);
    let place = site.workspace("ws");
    // As it became by this hour.
    let hour = |moment: Timestamp| moment.as_second() / 3600;
    let turn = |turn: i64| site.put(&place, turn % ITEMS, turn);
    (hour(from) - ITEMS + 1..=hour(from)).for_each(turn);
    let rest = format!(
        "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 * * * *\"\n\
         [retention]\nkeep_last = 100000\ngrace = \"{GRACE_HOURS}h\"\n",
        place.url()
    );
    site.configure(None, &rest);
    if !folder.join("repository").exists() {
        site.init().await;
    }
    let tell = |moment: Timestamp| apart::tell("second", moment.as_second().unsigned_abs());
    let life = async {
        for hour in hour(from) + 1.. {
            let begins = Timestamp::from_second(hour * 3600).unwrap();
            site.wait_until(begins - 1.second()).await;
            turn(hour);
            tell(begins - 1.second());
            site.wait_until(begins + 5.minutes()).await;
            tell(begins + 5.minutes());
        }
    };
    tokio::select! {
        () = site.daemon_until(until, &[]) => {}
        () = life => {}
    }
}
