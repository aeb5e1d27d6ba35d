//! `mlark status`: for three in the morning. Is there a good backup, how old is it, what is missing, what to type next.

use std::collections::BTreeSet;

use archive_format::{Repository, SnapshotRecord};
use serde_json::json;

use crate::command::drill::evidence;
use crate::config::value::Schedule;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::gone;
use crate::health::{Facts, Health, State};
use crate::keeping::Standing;
use crate::part;
use crate::session::Session;
use crate::session::patterns::pattern;
use crate::ui::{Table, Tone, amount};

/// How many runs of a workspace are looked at.
const RUNS: u32 = 100;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mlark status\n  mlark status --json")]
pub struct Args {}

/// Shows how everything stands.
pub async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let archive = |error| Failure::of_archive(&error);
    let history = repository.history().await.map_err(archive)?;
    let healths = healths(session, &repository, &history).await?;
    let stored = repository.stored_bytes().await.map_err(archive)?;
    let (number, hash) = repository.head().await.map_err(archive)?;
    let head = format!("{number}:{hash}");
    let place = repository.storage().describe();
    let part = part::of(&repository);
    let drills = evidence::newest(&repository).await?;
    let locks = Standing::read(session, &repository).await;
    if session.ui.json() {
        session.ui.document(&json!({
            "healthy": healths.iter().all(|health| health.state.is_well()),
            "repository": {
                "id": repository.id().to_string(), "url": place, "bytes": stored, "head": head,
                "encrypted": repository.record().encryption.is_some(), "part": part.part,
                "locks": locks.as_ref().map(Standing::value),
            },
            "workspaces": healths,
            "drills": drills.values().map(evidence::document).collect::<Vec<_>>(),
        }));
        return Ok(ExitStatus::Done);
    }
    show_workspaces(session, &healths);
    let ui = &session.ui;
    ui.line(&format!(
        "repository  {place}: {} stored",
        amount::size(stored)
    ));
    ui.line(&format!("head        {head}"));
    for drill in drills.values() {
        ui.line(&format!(
            "drill       {}",
            evidence::line(drill, session.context.clock.now())
        ));
    }
    if let Some(locks) = &locks {
        ui.line(&locks.line());
    }
    ui.line(&part.line());
    if healths.is_empty() {
        ui.line("next: add a [[workspace]] to the configuration, then `mlark backup`");
    }
    for health in &healths {
        if let Some(next) = &health.next {
            ui.toned(&[(Some(Tone::Strong), "next: "), (None, next)]);
        }
    }
    Ok(ExitStatus::Done)
}

/// The health of every workspace of the configuration, then of those that only the repository knows, by its history.
pub async fn healths(
    session: &Session,
    repository: &Repository,
    history: &[SnapshotRecord],
) -> Result<Vec<Health>, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let accepted = repository.accepted().await.map_err(archive)?;
    let now = session.context.clock.now();
    // What a pattern means is known by its snapshots.
    let configured: Vec<&str> = session
        .config
        .workspace
        .iter()
        .filter(|entry| pattern(&entry.url).is_none())
        .map(|entry| entry.name.as_str())
        .collect();
    let others: BTreeSet<&str> = history
        .iter()
        .map(|record| record.workspace.as_str())
        .filter(|name| !configured.contains(name))
        .collect();
    let gone = gone::known(session, repository).await?;
    let mut healths = Vec::new();
    for workspace in configured.into_iter().chain(others) {
        let runs = repository
            .catalogue()
            .runs(Some(workspace), RUNS)
            .await
            .map_err(archive)?;
        let schedule = session.schedule(workspace)?;
        let facts = Facts {
            workspace,
            snapshots: history
                .iter()
                .filter(|record| record.workspace == workspace)
                .collect(),
            accepted: &accepted,
            runs: &runs,
            schedule: schedule.as_ref(),
            gone: gone.contains(workspace),
            now,
        };
        healths.push(facts.judge());
    }
    Ok(healths)
}

impl Session {
    /// The schedule of a workspace of the configuration, where it has one.
    pub fn schedule(&self, workspace: &str) -> Result<Option<Schedule>, Failure> {
        let entry = self.entry_of(workspace);
        let Some((entry, pattern)) =
            entry.and_then(|entry| Some((entry, entry.schedule.as_ref()?)))
        else {
            return Ok(None);
        };
        Schedule::new(pattern, entry.timezone.as_deref(), self.context.clock.now())
            .map(Some)
            .map_err(|why| {
                Failure::usage("The schedule is refused")
                    .on(workspace)
                    .why(why)
            })
    }
}

fn show_workspaces(session: &Session, healths: &[Health]) {
    let now = session.context.clock.now();
    let mut table = Table::new(&[
        "workspace",
        "state",
        "last good",
        "age",
        "items",
        "gaps",
        "failed runs",
        "next run",
    ])
    .right(&[4, 5, 6]);
    for health in healths {
        let good = health.last_good.as_ref();
        let state = match health.running_since {
            Some(since) => format!(
                "{}, running for {}",
                health.state.as_str(),
                amount::span(now.duration_since(since).unsigned_abs())
            ),
            None => health.state.as_str().to_owned(),
        };
        table.row([
            health.workspace.clone(),
            state,
            good.map_or_else(|| "never".to_owned(), |good| amount::moment(good.time)),
            good.map_or_else(String::new, |good| amount::age(good.time, now)),
            good.map_or_else(String::new, |good| amount::count(good.items)),
            amount::count(health.gaps),
            amount::count(health.failed_runs),
            match (health.next_run, health.state) {
                (Some(next), _) => amount::age(next, now),
                (None, State::Gone) => "never".to_owned(),
                (None, _) => "no schedule".to_owned(),
            },
        ]);
    }
    if !table.is_empty() {
        session.ui.table(&table);
    }
    for health in healths {
        if let Some(why) = &health.last_failure {
            session.ui.toned(&[
                (Some(Tone::Bad), "last failure of "),
                (None, &format!("{}: {why}", health.workspace)),
            ]);
        }
    }
}
