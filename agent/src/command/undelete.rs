//! `mlark undelete`: brings back what somebody deleted, from the newest snapshot that has it, into the workspace that it
//! came from.

use archive_format::{Outcome, Repository, SnapshotRecord};
use restore::{Origin, holds};
use workspace::Identity;

use super::restore::{Choices, apply, open};
use super::snapshots::unknown_workspace;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark undelete notebooks/Users/anna/report.ipynb
  mlark undelete models/churn:7 --yes
  mlark undelete 'jobs/brave_fox_1234//outputs/model/**'")]
pub struct Args {
    /// What to bring back: all of it from the newest snapshot that has all of it
    #[arg(required = true)]
    selector: Vec<String>,
    /// Of this workspace; needed where several had it
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
    /// Change the workspace without asking
    #[arg(short, long)]
    yes: bool,
}

/// Brings back.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    session.selection(&args.selector)?;
    let repository = session.open_repository_with_contents().await?;
    let record = newest_with(args, session, &repository).await?;
    let into = home(session, &record)?;
    session.ui.note(&format!(
        "From {} of {}",
        record.id,
        amount::moment(record.started)
    ));
    let request = open::request(session, &args.selector, &into, &Choices::default())?;
    let opened = open::snapshot(session, &repository, &record)?;
    let target = open::target(session, &into, false).await?;
    let plan = apply::planned(session, &opened, &target, &request).await?;
    let how = apply::How {
        fresh: true,
        yes: args.yes,
    };
    let carried = apply::carry_out(session, &opened, &target, &plan, how).await?;
    Ok(carried.status)
}

/// The newest snapshot that has everything that is asked for. One that was cut off may have it in part, and is taken where
/// no other has it.
async fn newest_with(
    args: &Args,
    session: &Session,
    repository: &Repository,
) -> Result<SnapshotRecord, Failure> {
    let history = repository.history().await;
    let mut history = history.map_err(|error| Failure::of_archive(&error))?;
    if let Some(wanted) = &args.workspace {
        let mut known = history.iter().map(|record| record.workspace.as_str());
        if !known.clone().any(|name| name == wanted) {
            return Err(unknown_workspace(wanted, &mut known));
        }
        history.retain(|record| record.workspace == *wanted);
    }
    history.reverse();
    history.sort_by_key(|record| record.outcome == Outcome::Partial);
    let mut found: Vec<SnapshotRecord> = Vec::new();
    for record in history {
        let known = found
            .iter()
            .any(|other| other.workspace == record.workspace);
        if !known && has_all(args, session, repository, &record).await? {
            found.push(record);
        }
    }
    let what = args.selector.join(" ");
    if found.len() > 1 {
        let names: Vec<String> = found.into_iter().map(|record| record.workspace).collect();
        return Err(Failure::usage("Several workspaces had it")
            .on(what)
            .why(names.join(", "))
            .next("say which one with --workspace"));
    }
    let none = match args.selector.len() {
        1 => "No snapshot has it",
        _ => "No snapshot has all of it",
    };
    found.pop().ok_or_else(|| {
        Failure::usage(none)
            .on(what)
            .next("`mlark find NAME` says which snapshots have what")
    })
}

async fn has_all(
    args: &Args,
    session: &Session,
    repository: &Repository,
    record: &SnapshotRecord,
) -> Result<bool, Failure> {
    let origin = Origin::from(&repository.snapshot(record));
    let now = session.context.clock.now();
    for selector in args.selector.iter().filter(|text| !text.starts_with('!')) {
        let has = holds(&origin, std::slice::from_ref(selector), now).await;
        if !has.map_err(|error| Failure::of_restore(&error))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The workspace that a snapshot was taken of: as the configuration names it, else by its address.
pub(crate) fn home(session: &Session, record: &SnapshotRecord) -> Result<String, Failure> {
    let mut named = session.config.workspace.iter();
    if named.any(|entry| entry.name == record.workspace) {
        return Ok(record.workspace.clone());
    }
    let identity = serde_json::from_value(record.identity.clone());
    let unknown = |why: &dyn std::fmt::Display| {
        Failure::failed("The workspace of a snapshot is not known")
            .on(record.id)
            .why(why)
    };
    match identity.map_err(|error| unknown(&error))? {
        Identity::Folder(path) => Ok(path.display().to_string()),
        identity => match identity.name() {
            Some(name) => Ok(name.to_string()),
            None => Err(unknown(&"its name is none that Azure gives")),
        },
    }
}
