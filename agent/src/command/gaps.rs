//! `mlark gaps`: what was listed and not saved, since when.

use archive_format::GapSeen;
use serde_json::{Value, json};

use super::snapshots::unknown_workspace;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Table, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark gaps
  mlark gaps --workspace prod --json")]
pub struct Args {
    /// Of this workspace only
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
}

/// Lists.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let archive = |error| Failure::of_archive(&error);
    repository.rebuild_catalogue().await.map_err(archive)?;
    let history = repository.history().await.map_err(archive)?;
    let mut workspaces = history.iter().map(|record| record.workspace.as_str());
    if let Some(wanted) = &args.workspace
        && !workspaces.clone().any(|workspace| workspace == wanted)
        && session.entry_of(wanted).is_none()
    {
        return Err(unknown_workspace(wanted, &mut workspaces));
    }
    let gaps = repository
        .catalogue()
        .gaps(args.workspace.as_deref())
        .await
        .map_err(archive)?;
    if session.ui.json() {
        let rows: Vec<Value> = gaps.iter().map(row).collect();
        session.ui.document(&json!({ "gaps": rows }));
        return Ok(ExitStatus::Done);
    }
    if gaps.is_empty() {
        session.ui.note("There are no gaps");
        return Ok(ExitStatus::Done);
    }
    let mut table = Table::new(&["first seen", "last seen", "workspace", "what", "reason"]);
    for gap in &gaps {
        let known = if gap.known { " (known)" } else { "" };
        table.row([
            amount::moment(gap.first),
            amount::moment(gap.last),
            gap.workspace.clone(),
            what(gap),
            format!("{}{known}", gap.reason),
        ]);
    }
    session.ui.table(&table);
    Ok(ExitStatus::Done)
}

fn what(gap: &GapSeen) -> String {
    match &gap.file {
        Some(file) => format!("{}//{file}", gap.item),
        None => gap.item.to_string(),
    }
}

fn row(gap: &GapSeen) -> Value {
    json!({
        "workspace": gap.workspace,
        "item": gap.item.to_string(),
        "file": gap.file,
        "reason": gap.reason,
        "known": gap.known,
        "first": gap.first.to_string(),
        "last": gap.last.to_string(),
    })
}
