//! The daemon: waits for schedules, runs backups side by side, obeys signals. What was missed while the machine was off is
//! made up for by the catalogue's history; a run is never doubled. It decides nothing about a backup itself.

pub mod agenda;
mod calls;
mod chores;
mod deposits;
mod hooks;
mod notices;
mod notify;
mod page;
mod roster;
mod run;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use archive_format::{Repository, SnapshotRecord};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};

use crate::command::check::last::LastCheck;
use crate::command::drill::evidence;
use crate::command::status::healths;
use crate::config::{self, read};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::gone;
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::session::Session;
use crate::session::patterns::pattern;
use crate::ui::amount;
use crate::ui::journal::Field;

use agenda::{Agenda, Due, LastRun};
use chores::{ChoreRun, Chores, UnderWay};
use notices::Notices;
use notify::Notifier;
use page::{Page, Plans};
use roster::Roster;
use run::{Ended, Pruned, Run};

/// How often workspaces are looked for that fit a pattern.
const PATTERNS_EVERY: Duration = Duration::from_secs(3_600);
/// How long the daemon may take to stop.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);
/// How long is waited before the clock is looked at again: it may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The daemon at work.
#[derive(Debug)]
struct Daemon {
    session: Session,
    /// The workspaces by name, patterns as what they mean now.
    roster: Roster,
    /// When patterns were looked at last.
    looked: Timestamp,
    agenda: Agenda,
    chores: Chores,
    /// The workspaces of runs under way, and what chores are called.
    running: Vec<String>,
    metrics: Metrics,
    notifier: Arc<Notifier>,
    notices: Notices,
    page: Page,
    pruned: Pruned,
    /// How the workspaces stood when the repository was looked into last.
    healths: Vec<Health>,
    /// Until when that holds where nothing happens.
    judged_until: Option<Timestamp>,
}

/// What a configuration means that was read again.
type Reread = (Session, Roster, Agenda, Chores, Repository);

/// Something that the daemon sees to between its runs. Whatever it is, the wish to stop breaks it off.
#[derive(Debug)]
enum Turn {
    /// SIGHUP.
    Reload,
    /// A run ended.
    Ended(Result<Ended, JoinError>),
    /// Nothing happened for a while.
    Look,
}

/// Runs the schedule until it is told to stop.
pub async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let stop = session.context.shutdown.clone();
    // Before anything that may take long: unheard, the signal ends the process. One that comes meanwhile is heard after.
    let mut hangups = signal(SignalKind::hangup())
        .map_err(|error| Failure::failed("SIGHUP cannot be heard").why(error))?;
    let mut daemon = tokio::select! {
        daemon = Daemon::start(session.clone()) => daemon?,
        () = stop.wait() => return Ok(ExitStatus::Done),
    };
    let mut runs = JoinSet::new();
    let mut chore = None;
    daemon.notifier.ready();
    while !stop.requested() {
        daemon.begin_due(&mut runs);
        daemon.begin_chore(&mut chore);
        daemon.tell_next();
        let turn = tokio::select! {
            () = stop.wait() => break,
            _ = hangups.recv() => Turn::Reload,
            Some(ended) = runs.join_next() => Turn::Ended(ended),
            ended = chores::under_way(&mut chore) => Turn::Ended(Ok(ended)),
            () = daemon.pause() => Turn::Look,
        };
        tokio::select! {
            () = daemon.take(turn) => {}
            () = stop.wait() => {}
        }
    }
    daemon.stop(runs, chore).await;
    Ok(ExitStatus::Done)
}

impl Daemon {
    async fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Reload => self.reload().await,
            Turn::Ended(ended) => self.ended(ended).await,
            Turn::Look => self.look_around().await,
        }
    }

    /// Waits for the runs to come to their safe points, and no longer than `STOP_WITHIN`: what is not there by then is
    /// dropped, which costs no more than a power cut.
    async fn stop(&mut self, mut runs: JoinSet<Ended>, chore: Option<UnderWay>) {
        self.notifier.stopping();
        let (ui, running) = (&self.session.ui, &mut self.running);
        ui.note("Stopping: what was done is stored, and the next run goes on from there");
        let stop = &self.session.context.shutdown;
        tokio::select! {
            () = async {
                let backups = async {
                    while let Some(ended) = runs.join_next().await {
                        if let Ok(ended) = ended {
                            running.retain(|name| *name != ended.workspace);
                        }
                    }
                };
                let chore = async {
                    if let Some(chore) = chore {
                        chore.await;
                    }
                };
                tokio::join!(backups, chore);
            } => return,
            () = stop.wait_and(STOP_WITHIN) => {}
        }
        // Those that ended meanwhile are not dropped.
        while let Some(ended) = runs.try_join_next() {
            if let Ok(ended) = ended {
                running.retain(|name| *name != ended.workspace);
            }
        }
        if !running.is_empty() {
            ui.warn(&format!(
                "{}: dropped, since the daemon is to stop; the next run goes on from what is stored",
                running.join(", ")
            ));
        }
        runs.shutdown().await;
    }

    async fn start(session: Session) -> Result<Self, Failure> {
        let metrics = Metrics::default();
        let page = Page::open(&session, metrics.clone()).await?;
        let notifier = Arc::new(Notifier::new(&session));
        notifier.watch();
        let repository = session.open_repository().await?;
        let mut daemon = Self {
            roster: Roster::new(),
            looked: session.context.clock.now(),
            agenda: Agenda::default(),
            chores: Chores::default(),
            running: Vec::new(),
            metrics,
            notifier,
            notices: Notices::open(&session.repository_cache(&repository)?).await,
            page,
            pruned: Pruned::default(),
            healths: Vec::new(),
            judged_until: None,
            session,
        };
        daemon.roster = roster::known(&daemon.session, &repository).await?;
        roster::note_gone(&daemon.session, &repository, &daemon.roster, &[]).await?;
        daemon.agenda = daemon
            .plan(&daemon.session, &daemon.roster, &repository)
            .await?;
        daemon.chores = Chores::plan(
            &daemon.session,
            &daemon.roster,
            &repository,
            &daemon.running,
        )
        .await?;
        daemon.plan_judgement();
        // Later on what runs say of themselves counts: one that failed leaves no snapshot.
        for record in daemon.remember(&repository).await? {
            let outcome = record.outcome.as_str();
            daemon.metrics.outcome(&record.workspace, outcome);
        }
        if daemon.agenda.is_empty() && daemon.chores.agenda.is_empty() {
            daemon.session.ui.warn("No workspace has a schedule, so nothing will run; add `schedule` to a [[workspace]]");
        }
        Ok(daemon)
    }

    /// When each workspace runs next, by its schedule and its last run.
    async fn plan(
        &self,
        session: &Session,
        roster: &Roster,
        repository: &Repository,
    ) -> Result<Agenda, Failure> {
        let mut agenda = Agenda::default();
        let now = session.context.clock.now();
        for name in roster.keys() {
            let Some(schedule) = session.schedule(name)? else {
                continue;
            };
            let runs = repository
                .catalogue()
                .runs(Some(name), LastRun::LOOKED_AT)
                .await
                .map_err(|error| Failure::of_archive(&error))?;
            let jitter = session.config.daemon.jitter;
            let delay = jitter.map_or(Duration::ZERO, |jitter| {
                agenda::delay(name, jitter.duration())
            });
            agenda.add(name, schedule, delay, LastRun::of(&runs), now);
            if self.running.contains(name) {
                agenda.runs(name);
            }
        }
        Ok(agenda)
    }

    /// Begins the runs that are due, as many as may be under way at once.
    fn begin_due(&mut self, runs: &mut JoinSet<Ended>) {
        let now = self.session.context.clock.now();
        let at_once = usize::from(self.session.config.daemon.at_once.get());
        let free = at_once.saturating_sub(self.running.len());
        for Due { workspace, missed } in self.agenda.due(now, free) {
            let Some(entry) = self.roster.get(&workspace) else {
                continue;
            };
            if missed > 0 {
                self.metrics.missed(&workspace, missed);
                let ui = self.session.ui.about(Field::Workspace, &workspace);
                ui.warn(&format!(
                    "{workspace}: {} missed; the one that begins now makes up for {}",
                    match missed {
                        1 => "a run was".to_owned(),
                        many => format!("{} runs were", amount::count(many)),
                    },
                    if missed == 1 { "it" } else { "them" },
                ));
            }
            let mut session = self.session.clone();
            session.ui = session.ui.about(Field::Workspace, &workspace);
            let run = Run {
                session,
                entry: entry.clone(),
                metrics: self.metrics.clone(),
                notifier: Arc::clone(&self.notifier),
                pruned: Arc::clone(&self.pruned),
            };
            self.running.push(workspace);
            runs.spawn(run.go());
        }
    }

    /// Begins a chore where no backup is under way: one that is due at the same time goes first.
    fn begin_chore(&mut self, under_way: &mut Option<UnderWay>) {
        if !self.running.is_empty() {
            return;
        }
        let now = self.session.context.clock.now();
        let Some(chore) = self.chores.due(now) else {
            return;
        };
        self.running.push(chore.name());
        let run = ChoreRun {
            session: self.session.clone(),
            chore,
            notifier: Arc::clone(&self.notifier),
        };
        *under_way = Some(run.begin());
    }

    /// Takes note of a run that ended.
    async fn ended(&mut self, ended: Result<Ended, JoinError>) {
        let now = self.session.context.clock.now();
        let mut opened = None;
        match ended {
            Ok(ended) => {
                self.running.retain(|name| *name != ended.workspace);
                self.agenda.ran(&ended.workspace, ended.started, now);
                self.chores.agenda.ran(&ended.workspace, ended.started, now);
                if let Some(outcome) = &ended.chore {
                    self.notices.chore(&self.session, outcome).await;
                }
                opened = ended.repository;
            }
            // Which one it was is not told; all are taken for ended, and the locks keep a run from being doubled.
            Err(error) => {
                let failure = Failure::failed("A run broke off").why(error);
                self.session.ui.complain(&failure);
                for name in std::mem::take(&mut self.running) {
                    if self.agenda.has(&name) {
                        self.metrics.outcome(&name, "failed");
                    }
                    self.agenda.ran(&name, now, now);
                    self.chores.agenda.ran(&name, now, now);
                }
            }
        }
        self.show(opened).await;
    }

    /// Shows what the repository says: the one that a run had open, which knows all that the run did.
    async fn show(&mut self, opened: Option<Repository>) {
        self.plan_judgement();
        let repository = match opened {
            Some(repository) => Ok(repository),
            None => self.session.open_repository().await,
        };
        let shown = match repository {
            Ok(repository) => self.remember(&repository).await.map(drop),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = shown {
            self.session.ui.complain(&failure);
            self.unknown(&failure).await;
        }
    }

    /// Finds out when a run that is not made will be late, whatever else happens.
    fn plan_judgement(&mut self) {
        let now = self.session.context.clock.now();
        let schedules = (self.roster.keys()).filter_map(|name| self.session.schedule(name).ok()?);
        let late = schedules.filter_map(|schedule| health::next_late(&schedule, now));
        self.judged_until = late.min();
    }

    /// What the repository holds is not known now, so nothing counts as good.
    async fn unknown(&mut self, failure: &Failure) {
        for health in &mut self.healths {
            health.fail(&failure.sentence());
            self.metrics.state(&health.workspace, health.state);
        }
        self.notices.tell(&self.session, &self.healths).await;
        self.page.judge(&self.healths);
    }

    /// Takes what the repository knows into metrics, page and notices. Gives its history.
    async fn remember(&mut self, repository: &Repository) -> Result<Vec<SnapshotRecord>, Failure> {
        let archive = |error| Failure::of_archive(&error);
        let history = repository.history().await.map_err(archive)?;
        for record in &history {
            self.metrics.remember(record);
        }
        self.metrics
            .repository_bytes(repository.stored_bytes().await.map_err(archive)?);
        let cache = self.session.repository_cache(repository)?;
        if let Some(check) = LastCheck::read(&cache).await.filter(|check| check.sound) {
            self.metrics.checked(check.time);
        }
        if let Some(drill) = evidence::last_good(repository).await? {
            let restore = Duration::from_millis(drill.what.restore_milliseconds);
            self.metrics.drilled(drill.what.finished, restore);
        }
        let healths = healths(&self.session, repository, &history).await?;
        for health in &healths {
            self.metrics.state(&health.workspace, health.state);
        }
        self.notices.tell(&self.session, &healths).await;
        self.page.show(&self.session, repository, &healths);
        self.healths = healths;
        Ok(history)
    }

    fn tell_next(&self) {
        self.page.plan(|| Plans {
            running: self.running.clone(),
            turns: self
                .agenda
                .turns()
                .map(|(name, next, delay)| (name.to_owned(), next, delay))
                .collect(),
        });
        let under_way = self.running.join(", ");
        let turns = [self.agenda.next(), self.chores.agenda.next()];
        let next = turns.into_iter().flatten().min();
        let text = match (next, self.running.is_empty()) {
            (None, true) => "waiting; nothing is scheduled".to_owned(),
            (Some((moment, name)), true) => {
                format!("waiting; {name} is next, {}", amount::moment(moment))
            }
            // A run that is under way says itself how far it is.
            (_, false) if self.running.len() == 1 => return,
            (_, false) => format!("backing up {under_way}"),
        };
        self.notifier.status(&text);
        self.session.ui.detail(&text);
    }

    /// Waits for the next run, but not long: the clock may be set meanwhile.
    fn pause(&self) -> impl Future<Output = ()> + use<> {
        let now = self.session.context.clock.now();
        let at_once = usize::from(self.session.config.daemon.at_once.get());
        let mut next = self.agenda.next().map(|(moment, _)| moment);
        if self.running.is_empty() {
            let chore = self.chores.agenda.next().map(|(moment, _)| moment);
            next = next.into_iter().chain(chore).min();
        }
        let latest = now + LOOK_EVERY;
        let moment = match next {
            Some(next) if self.running.len() < at_once => next.min(latest),
            _ => latest,
        };
        // By the timer and not by the clock, which may go back while this waits.
        let left = Duration::try_from(moment.duration_since(now)).unwrap_or_default();
        tokio::time::sleep(left.min(LOOK_EVERY))
    }

    /// Judges anew where a run that was not made is late by now, and looks for workspaces that came to fit a pattern, once in a
    /// while.
    async fn look_around(&mut self) {
        let now = self.session.context.clock.now();
        if self.judged_until.is_some_and(|until| now > until) {
            self.show(None).await;
        }
        let has_patterns = |config: &config::Config| {
            let mut urls = config.workspace.iter().map(|entry| &entry.url);
            urls.any(|url| pattern(url).is_some())
        };
        let age = now.duration_since(self.looked).unsigned_abs();
        if age < PATTERNS_EVERY || !has_patterns(&self.session.config) {
            return;
        }
        self.looked = now;
        if let Err(failure) = self.look_at_patterns().await {
            self.session.ui.complain(&failure);
        }
    }

    async fn look_at_patterns(&mut self) -> Result<(), Failure> {
        let found = roster::found(&self.session).await?;
        let (came, went) = roster::changes(&self.roster, &found);
        if came.is_empty() && went.is_empty() {
            return Ok(());
        }
        let ui = &self.session.ui;
        for name in &came {
            ui.note(&format!(
                "{name}: a new workspace fits the pattern, and is backed up from now on"
            ));
        }
        for name in &went {
            gone::tell(&self.session, name);
        }
        let repository = self.session.open_repository().await?;
        roster::note_gone(&self.session, &repository, &found, &went).await?;
        self.agenda = self.plan(&self.session, &found, &repository).await?;
        self.chores = Chores::plan(&self.session, &found, &repository, &self.running).await?;
        self.roster = found;
        self.show(Some(repository)).await;
        Ok(())
    }

    /// Reads the configuration again. A wrong one is refused, and the old one stays. Runs under way end as they began.
    async fn reload(&mut self) {
        self.notifier.reloading();
        match self.reread().await {
            Ok((session, roster, agenda, chores, repository)) => {
                let (new, old) = (&session.config.daemon, &self.session.config.daemon);
                if (new.listen, &new.token_file) != (old.listen, &old.token_file) {
                    self.session.ui.warn("`listen` or `token_file` changed; it takes effect when the daemon starts again");
                }
                self.session = session;
                self.session.keep_to_limits();
                self.roster = roster;
                self.agenda = agenda;
                self.chores = chores;
                self.session.ui.note("The configuration was read again");
                // The page shows from now on what the new configuration means, which may be another repository.
                self.show(Some(repository)).await;
            }
            Err(failure) => {
                self.session.ui.complain(&failure);
                self.session
                    .ui
                    .warn("The configuration before stays in force");
            }
        }
        self.notifier.ready();
    }

    async fn reread(&self) -> Result<Reread, Failure> {
        let context = &self.session.context;
        let flag = self.session.config_file.as_deref();
        let loaded = read::load(flag, &context.environment, context.clock.now())?;
        let mut session = self.session.clone();
        session.configure(loaded.config);
        let repository = session.open_repository().await?;
        let roster = roster::known(&session, &repository).await?;
        roster::note_gone(&session, &repository, &roster, &[]).await?;
        let agenda = self.plan(&session, &roster, &repository).await?;
        let chores = Chores::plan(&session, &roster, &repository, &self.running).await?;
        Ok((session, roster, agenda, chores, repository))
    }
}
