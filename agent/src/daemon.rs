//! The daemon: waits for schedules, runs one backup after the other, obeys signals. What was missed while the machine
//! was off is made up for by the catalogue's history; a run is never doubled. It decides nothing about a backup itself.

pub mod agenda;
mod notify;
mod page;
mod watch;

use std::sync::Arc;

use archive_format::Repository;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::backup::{Wishes, back_up};
use crate::capture::{Ending, Report};
use crate::clock::sleep_until;
use crate::command::status::healths;
use crate::config::{self, read};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::session::Session;
use crate::ui::amount;

use agenda::{Agenda, LastRun};
use notify::Notifier;
use page::Page;
use watch::Watch;

/// The daemon at work.
#[derive(Debug)]
struct Daemon {
    session: Session,
    agenda: Agenda,
    metrics: Metrics,
    notifier: Arc<Notifier>,
    page: Page,
}

/// Runs the schedule until it is told to stop.
pub async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let mut daemon = Daemon::start(session.clone()).await?;
    let mut hangups = signal(SignalKind::hangup())
        .map_err(|error| Failure::failed("SIGHUP cannot be heard").why(error))?;
    daemon.notifier.ready();
    let stop = daemon.session.context.shutdown.clone();
    while !stop.requested() {
        daemon.tell_next();
        let next = daemon.agenda.next();
        tokio::select! {
            () = stop.wait() => {}
            _ = hangups.recv() => daemon.reload().await,
            name = due(&daemon.session, next) => daemon.back_up(&name, &mut hangups).await,
        }
    }
    daemon.notifier.stopping();
    daemon
        .session
        .ui
        .note("Stopping: what was done is stored, and the next run goes on from there");
    Ok(ExitStatus::Done)
}

/// Waits for the next run; for ever where there is none.
async fn due(session: &Session, next: Option<(Timestamp, String)>) -> String {
    match next {
        Some((moment, name)) => {
            sleep_until(&session.context.clock, moment).await;
            name
        }
        None => std::future::pending().await,
    }
}

impl Daemon {
    async fn start(session: Session) -> Result<Self, Failure> {
        let metrics = Metrics::default();
        let page = Page::open(session.config.daemon.listen, metrics.clone()).await?;
        let notifier = Arc::new(Notifier::new(&session));
        notifier.watch();
        let mut daemon = Self {
            agenda: Agenda::default(),
            session,
            metrics,
            notifier,
            page,
        };
        let repository = daemon.session.open_repository().await?;
        daemon.remember(&repository).await?;
        daemon.agenda = daemon.plan(&daemon.session, &repository).await?;
        if daemon.agenda.next().is_none() {
            daemon.session.ui.warn("No workspace has a schedule, so nothing will run; add `schedule` to a [[workspace]]");
        }
        Ok(daemon)
    }

    /// When each workspace runs next, by its schedule and its last run.
    async fn plan(&self, session: &Session, repository: &Repository) -> Result<Agenda, Failure> {
        let mut agenda = Agenda::default();
        let now = session.context.clock.now();
        for entry in &session.config.workspace {
            let Some(schedule) = session.schedule(&entry.name)? else {
                continue;
            };
            let runs = repository
                .catalogue()
                .runs(Some(&entry.name), 1)
                .await
                .map_err(|error| Failure::of_archive(&error))?;
            agenda.add(&entry.name, schedule, runs.first().map(LastRun::of), now);
        }
        Ok(agenda)
    }

    /// Takes what the repository knows into metrics and page.
    async fn remember(&self, repository: &Repository) -> Result<(), Failure> {
        let archive = |error| Failure::of_archive(&error);
        for record in repository.history().await.map_err(archive)? {
            self.metrics.remember(&record);
        }
        self.metrics
            .repository_bytes(repository.stored_bytes().await.map_err(archive)?);
        self.page.show(healths(&self.session, repository).await?);
        Ok(())
    }

    fn tell_next(&self) {
        let text = match self.agenda.next() {
            None => "waiting; nothing is scheduled".to_owned(),
            Some((moment, name)) => format!("waiting; {name} is next, {}", amount::moment(moment)),
        };
        self.notifier.status(&text);
        self.session.ui.detail(&text);
    }

    /// Reads the configuration again. A wrong one is refused, and the old one stays.
    async fn reload(&mut self) {
        self.notifier.reloading();
        match self.reread().await {
            Ok((config, agenda)) => {
                if config.daemon.listen != self.session.config.daemon.listen {
                    self.session
                        .ui
                        .warn("`listen` changed; it takes effect when the daemon starts again");
                }
                self.session.config = config;
                self.agenda = agenda;
                self.session.ui.note("The configuration was read again");
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

    async fn reread(&self) -> Result<(config::Config, Agenda), Failure> {
        let context = &self.session.context;
        let flag = self.session.config_file.as_deref();
        let loaded = read::load(flag, &context.environment, context.clock.now())?;
        let session = Session {
            config: loaded.config,
            ..self.session.clone()
        };
        let repository = session.open_repository().await?;
        let agenda = self.plan(&session, &repository).await?;
        Ok((session.config, agenda))
    }

    /// Runs one backup; a SIGHUP meanwhile takes effect after it.
    async fn back_up(&mut self, name: &str, hangups: &mut Signal) {
        let started = self.session.context.clock.now();
        let mut reload = false;
        let done = {
            let mut run = std::pin::pin!(self.run_one(name));
            loop {
                tokio::select! {
                    done = &mut run => break done,
                    _ = hangups.recv() => reload = true,
                }
            }
        };
        let unfinished = self.tell_done(name, done);
        let now = self.session.context.clock.now();
        self.agenda.ran(
            name,
            LastRun {
                started,
                unfinished,
            },
            now,
        );
        if reload {
            self.reload().await;
        }
    }

    async fn run_one(&self, name: &str) -> Result<Report, Failure> {
        let entries = self.session.workspaces(&[name.to_owned()])?;
        let entry = entries
            .first()
            .ok_or_else(|| Failure::usage("The workspace is gone").on(name))?;
        let repository = self.session.open_repository().await?;
        let watch = Watch::new(name, Arc::clone(&self.notifier));
        let wire = Some(self.metrics.wire());
        let done = back_up(
            &self.session,
            &repository,
            entry,
            &Wishes::default(),
            &watch,
            wire,
        )
        .await;
        if let Err(failure) = self.remember(&repository).await {
            self.session.ui.complain(&failure);
        }
        done
    }

    /// Says how a run ended; whether it is to be gone on with.
    fn tell_done(&self, name: &str, done: Result<Report, Failure>) -> bool {
        let ui = &self.session.ui;
        let report = match done {
            Ok(report) => report,
            Err(failure) => {
                self.metrics.outcome(name, "failed");
                ui.complain(&failure.with_place(name));
                return false;
            }
        };
        self.metrics
            .bytes(name, report.bytes.read, report.bytes.stored);
        self.metrics.outcome(name, report.ending.as_str());
        let snapshot = report
            .snapshot
            .map_or_else(|| "no snapshot".to_owned(), |id| id.to_string());
        let gaps = report.gaps.iter().filter(|gap| gap.known.is_none()).count() as u64
            + report.gaps_left_out;
        ui.note(&format!(
            "{name}: {} {snapshot}, {}, {} new, {}",
            report.ending.as_str(),
            amount::counted(report.items_total().listed(), "item"),
            amount::size(report.bytes.new),
            amount::counted(gaps, "gap"),
        ));
        for gap in report
            .gaps
            .iter()
            .filter(|gap| gap.known.is_none())
            .take(10)
        {
            let file = gap
                .file
                .as_deref()
                .map(|file| format!("//{file}"))
                .unwrap_or_default();
            ui.warn(&format!(
                "{name}: {}{file} was not saved: {}",
                gap.item, gap.reason
            ));
        }
        report.ending == Ending::Partial
    }
}
