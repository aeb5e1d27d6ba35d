//! What the daemon does when no backup is under way, on a machine that plays the owner's part: drills and exports, by their
//! schedules. Their turns are kept like those of workspaces, in an agenda of their own.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use archive_format::Repository;
use archive_format::log::DrillOutcome;
use futures::FutureExt;
use jiff::Timestamp;
use restore::Unobserved;

use super::agenda::{self, Agenda, LastRun};
use super::calls::{self, Ping};
use super::deposits::Deposit;
use super::hooks::{self, About, Hook};
use super::notify::Notifier;
use super::roster::Roster;
use super::run::Ended;
use crate::command::drill::{self, Wishes, rehearse};
use crate::config::value::Schedule;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::machine_label;

/// Something that comes by a schedule of its own. What it is called names no workspace, since it has a space.
#[derive(Clone, Debug)]
pub(super) enum Chore {
    /// A drill of the workspace whose turn it is.
    Drill,
    /// An export.
    Export(Box<Deposit>),
}

impl Chore {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Drill => "a drill".to_owned(),
            Self::Export(deposit) => {
                format!(
                    "the export of {} to {}",
                    deposit.entry.name, deposit.export.to
                )
            }
        }
    }

    /// The word that hooks and the webhook get.
    fn task(&self) -> &'static str {
        match self {
            Self::Drill => "drill",
            Self::Export(_) => "export",
        }
    }
}

/// All of them, with their turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Chores {
    pub(super) agenda: Agenda,
    known: Vec<Chore>,
}

/// How one ended, for the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// `drill` or `export`.
    pub(super) task: &'static str,
    /// What it is called.
    pub(super) name: String,
    /// The workspace that it was about, where that came to be known.
    pub(super) workspace: String,
    /// Why it failed; none where it is good.
    pub(super) failure: Option<String>,
}

impl Chores {
    /// Those of the configuration. On a machine that may not do them there are none, which is said with the reason; backups
    /// go on.
    pub(super) async fn plan(
        session: &Session,
        roster: &Roster,
        repository: &Repository,
        running: &[String],
    ) -> Result<Self, Failure> {
        let mut chores = Self::default();
        let Some(work) = session.config.owner_work() else {
            return Ok(chores);
        };
        if let Err(failure) = drill::may(repository).await {
            session.ui.complain(&failure.with_place(work));
            return Ok(chores);
        }
        let drills = session.config.drill.as_ref();
        if let Some((config, pattern)) =
            drills.and_then(|drill| Some((drill, drill.schedule.as_ref()?)))
        {
            let schedule = schedule(session, pattern, config.timezone.as_deref())?;
            chores.add(
                session,
                Chore::Drill,
                schedule,
                last_drill(repository).await?,
            );
        }
        let exports = repository.exports().await;
        let exports = exports.map_err(|error| Failure::of_archive(&error))?;
        for entry in roster.values() {
            for export in &entry.export {
                let deposit = Box::new(Deposit {
                    entry: entry.clone(),
                    export: export.clone(),
                });
                let last = exports.iter().rfind(|known| deposit.made(known));
                let last = last.map(|known| LastRun {
                    started: known.time,
                    unfinished: false,
                });
                let schedule = schedule(session, &export.schedule, entry.timezone.as_deref())?;
                chores.add(session, Chore::Export(deposit), schedule, last);
            }
        }
        for chore in &chores.known {
            if running.contains(&chore.name()) {
                chores.agenda.runs(&chore.name());
            }
        }
        Ok(chores)
    }

    fn add(&mut self, session: &Session, chore: Chore, schedule: Schedule, last: Option<LastRun>) {
        let jitter = session.config.daemon.jitter;
        let name = chore.name();
        let delay = jitter.map_or(Duration::ZERO, |jitter| {
            agenda::delay(&name, jitter.duration())
        });
        let now = session.context.clock.now();
        self.agenda.add(&name, schedule, delay, last, now);
        self.known.push(chore);
    }

    /// The one that is due the longest. It is not due again before it ran.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Chore> {
        let due = self.agenda.due(now, 1).pop()?;
        self.known
            .iter()
            .find(|chore| chore.name() == due.workspace)
            .cloned()
    }
}

fn schedule(session: &Session, pattern: &str, zone: Option<&str>) -> Result<Schedule, Failure> {
    let now = session.context.clock.now();
    Schedule::new(pattern, zone, now).map_err(|why| {
        Failure::usage("The schedule is refused")
            .on(pattern)
            .why(why)
    })
}

/// When this machine began its last drill.
async fn last_drill(repository: &Repository) -> Result<Option<LastRun>, Failure> {
    let drills = repository.drills().await;
    let drills = drills.map_err(|error| Failure::of_archive(&error))?;
    let machine = machine_label();
    let last = drills.iter().rfind(|said| said.what.machine == machine);
    Ok(last.map(|said| LastRun {
        started: said.what.started,
        unfinished: false,
    }))
}

/// One chore and what is around it.
#[derive(Debug)]
pub(super) struct ChoreRun {
    pub(super) session: Session,
    pub(super) chore: Chore,
    pub(super) notifier: Arc<Notifier>,
}

/// A chore under way. A restore cannot be handed from thread to thread, so that the daemon's own task does it.
pub(super) type UnderWay = Pin<Box<dyn Future<Output = Ended>>>;

/// Waits for the chore under way, where there is one; then there is none.
pub(super) async fn under_way(chore: &mut Option<UnderWay>) -> Ended {
    let Some(run) = chore else {
        return std::future::pending().await;
    };
    let ended = run.await;
    *chore = None;
    ended
}

impl ChoreRun {
    /// Begins it. One that breaks off ends no daemon.
    pub(super) fn begin(self) -> UnderWay {
        let (name, task) = (self.chore.name(), self.chore.task());
        let started = self.session.context.clock.now();
        let run = AssertUnwindSafe(self.go()).catch_unwind();
        Box::pin(run.map(move |ended| {
            ended.unwrap_or_else(|_| Ended {
                workspace: name.clone(),
                started,
                repository: None,
                chore: Some(Outcome {
                    task,
                    name,
                    workspace: String::new(),
                    failure: Some("it broke off".to_owned()),
                }),
            })
        }))
    }

    /// Does it, and tells how it ended.
    async fn go(self) -> Ended {
        let started = self.session.context.clock.now();
        self.notifier
            .status(&format!("{} is under way", self.chore.name()));
        let mut opened = None;
        let mut workspace = String::new();
        let done = match self.session.open_repository().await {
            Ok(repository) => {
                let done = self.attempt(&repository, &mut workspace).await;
                opened = Some(repository);
                done
            }
            Err(failure) => Err(failure),
        };
        let interrupted =
            matches!(&done, Err(failure) if failure.status == ExitStatus::Interrupted);
        let failure = done.err();
        if let Some(failure) = failure.as_ref().filter(|_| !interrupted) {
            self.tell(failure, &workspace).await;
        }
        Ended {
            workspace: self.chore.name(),
            started,
            repository: opened,
            chore: (!interrupted).then(|| Outcome {
                task: self.chore.task(),
                name: self.chore.name(),
                workspace,
                failure: failure.map(|failure| failure.sentence()),
            }),
        }
    }

    /// Does what it is; says which workspace it was about.
    async fn attempt(
        &self,
        repository: &Repository,
        workspace: &mut String,
    ) -> Result<(), Failure> {
        match &self.chore {
            Chore::Drill => self.drill(repository, workspace).await,
            Chore::Export(deposit) => {
                workspace.clone_from(&deposit.entry.name);
                deposit.make(&self.session, repository).await
            }
        }
    }

    async fn drill(&self, repository: &Repository, workspace: &mut String) -> Result<(), Failure> {
        let session = &self.session;
        let drill = session.config.drill.as_ref();
        let wishes = Wishes {
            from: drill.and_then(|drill| drill.from.as_deref()),
            into: drill.and_then(|drill| drill.into.as_deref()),
            ..Wishes::default()
        };
        let done = rehearse(session, repository, wishes, &Unobserved).await?;
        let said = &done.evidence;
        workspace.clone_from(&said.what.workspace);
        let line = drill::evidence::line(said, session.context.clock.now());
        match (said.what.outcome, done.failure) {
            (_, Some(failure)) => Err(failure),
            (DrillOutcome::Different, None) => Err(Failure::new(
                ExitStatus::Damage,
                "What a drill restored is not what the snapshot holds",
            )
            .on(workspace)
            .why(line)
            .next(drill::evidence::next(&said.what))),
            _ => {
                session.ui.note(&format!("Rehearsed: {line}"));
                Ok(())
            }
        }
    }

    /// A failed chore is told as a failed backup is.
    async fn tell(&self, failure: &Failure, workspace: &str) {
        let session = &self.session;
        session
            .ui
            .complain(&failure.clone().with_place(&self.chore.name()));
        let about = About {
            workspace: workspace.to_owned(),
            task: Some(self.chore.task()),
            outcome: Some("failed"),
            reason: Some(failure.sentence()),
            ..About::default()
        };
        if let Err(failure) = hooks::run(session, Hook::Failure, &about).await {
            session.ui.complain(&failure);
        }
        if !workspace.is_empty() {
            let text = format!("{}: {}\n", self.chore.name(), failure.sentence());
            calls::ping(session, Ping::Fail, workspace, text).await;
        }
    }
}
