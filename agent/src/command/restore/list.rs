//! `mlark restore list`: the restores of this machine, from its journal.

use serde_json::json;

use super::open;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Table, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mlark restore list")]
pub struct Args {}

/// Lists them.
pub async fn run(_: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let journal = open::journal(session, &repository).await?;
    let restorations = journal
        .restorations()
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    if session.ui.json() {
        session.ui.document(&json!({ "restores": restorations }));
        return Ok(ExitStatus::Done);
    }
    if restorations.is_empty() {
        session.ui.note("There are no restores");
        return Ok(ExitStatus::Done);
    }
    let mut table = Table::new(&[
        "plan", "snapshot", "target", "started", "state", "steps", "done", "failed",
    ])
    .right(&[5, 6, 7]);
    for restoration in &restorations {
        let state = restoration
            .outcome
            .as_deref()
            .unwrap_or("under way, or cut off");
        table.row([
            restoration.plan.clone(),
            restoration.snapshot.clone(),
            restoration.target.clone(),
            amount::moment(restoration.started),
            state.to_owned(),
            amount::count(restoration.steps),
            amount::count(restoration.done),
            amount::count(restoration.failed),
        ]);
    }
    session.ui.table(&table);
    Ok(ExitStatus::Done)
}
