//! `mlark backup`: one backup of each named workspace, one after the other.

mod estimate;
mod summary;
mod watch;

use archive_format::{Repository, SnapshotRecord};
use serde_json::{Value, json};

use crate::backup::{Wishes, back_up};
use crate::capture::{Ending, Report};
use crate::config;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::gone;
use crate::keeping;
use crate::session::Session;
use crate::ui::journal::Field;

use estimate::Estimate;
use watch::Watch;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark backup                                        every workspace of the configuration
  mlark backup prod --only models --only environments
  mlark backup ./folder --repository /srv/mlark
  mlark backup prod --dry-run                         what it would take")]
pub struct Args {
    /// Names of the configuration, workspace URLs or folders; all of the configuration where none is given
    workspace: Vec<String>,
    /// Take only this (repeatable)
    #[arg(long, value_name = "SELECTOR")]
    only: Vec<String>,
    /// Leave this out (repeatable)
    #[arg(long, value_name = "SELECTOR")]
    exclude: Vec<String>,
    /// Ask and read everything again, whatever was stored before
    #[arg(long)]
    full: bool,
    /// Tag the snapshot (repeatable)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only list and count: items, bytes, requests, hours at the read limit, storage
    #[arg(long)]
    dry_run: bool,
}

/// Backs up.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let wishes = Wishes {
        only: args.only.clone(),
        exclude: args.exclude.clone(),
        full: args.full,
        tags: args.tag.clone(),
        dry_run: args.dry_run,
    };
    session.selection(&args.only)?;
    session.selection(&args.exclude)?;
    let entries = session.workspaces(&args.workspace).await?;
    let repository = session.open_repository().await?;
    if args.workspace.is_empty() {
        let there = entries.iter().map(|entry| entry.name.as_str()).collect();
        for name in gone::note(session, &repository, &there).await? {
            gone::tell(session, &name);
        }
    }
    let mut status = ExitStatus::Done;
    let mut rows = Vec::new();
    let mut last_failure = None;
    for entry in &entries {
        if session.context.shutdown.requested() {
            status = status.and(ExitStatus::Interrupted);
            break;
        }
        let started = session.context.clock.now();
        let watch = Watch::new(session, &entry.name);
        let done = back_up(session, &repository, entry, &wishes, started, &watch, None).await;
        watch.finish();
        match done {
            Ok(report) => {
                status = status.and(status_of(&report, session));
                let estimate = match args.dry_run {
                    true => Some(Estimate::new(&report, &history(&repository).await?)),
                    false => None,
                };
                let mut row = report.to_json();
                if let Some(estimate) = &estimate {
                    row["estimate"] = estimate.value();
                }
                rows.push(row);
                keeping::warn(session, &report);
                if !session.ui.json() {
                    summary::show(session, &report, estimate.as_ref());
                }
            }
            Err(failure) => {
                status = status.and(failure.status);
                rows.push(failed_row(session, entry, started, &failure));
                let ui = session.ui.about(Field::Workspace, &entry.name);
                ui.complain(&failure);
                last_failure = Some(failure);
            }
        }
    }
    if session.ui.json() {
        let mut document = json!({ "snapshots": rows });
        if let Some(failure) = &last_failure {
            document["error"] = failure.value();
        }
        session.ui.document(&document);
    }
    Ok(status)
}

async fn history(repository: &Repository) -> Result<Vec<SnapshotRecord>, Failure> {
    let history = repository.history().await;
    history.map_err(|error| Failure::of_archive(&error))
}

/// The exit code that a report means.
pub fn status_of(report: &Report, session: &Session) -> ExitStatus {
    let gaps = if report.has_gaps() || report.lock_failure().is_some() {
        ExitStatus::Gaps
    } else {
        ExitStatus::Done
    };
    gaps.and(match &report.ending {
        Ending::Complete | Ending::Counted => ExitStatus::Done,
        Ending::Suspect(_) => ExitStatus::Gaps,
        Ending::Partial if session.context.shutdown.requested() => ExitStatus::Interrupted,
        Ending::Partial => ExitStatus::Failed,
    })
}

fn failed_row(
    session: &Session,
    entry: &config::Workspace,
    started: jiff::Timestamp,
    failure: &Failure,
) -> Value {
    json!({
        "id": null,
        "workspace": entry.name,
        "outcome": "failed",
        "started": started.to_string(),
        "finished": session.context.clock.now().to_string(),
        "items": {},
        "files": {"listed": 0, "read": 0, "unchanged": 0, "excluded": 0, "known": 0, "failed": 0},
        "bytes": {"listed": 0, "read": 0, "new": 0, "stored": 0},
        "requests": 0,
        "gaps": [],
        "reason": failure.sentence(),
    })
}
