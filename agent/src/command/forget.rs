//! `mlark forget`: what the retention rules keep no longer, or snapshots by name. Their content stays readable to nobody,
//! and stays where it is until `mlark prune`.

use std::collections::BTreeSet;

use archive_format::{Held, Repository, SnapshotId, SnapshotRecord};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::retention::Reason;
use crate::retention::forgetting::{Row, Scope, by_rules, forget, held_text};
use crate::session::Session;
use crate::ui::{Table, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark forget --dry-run        what the rules of [retention] would forget, with a reason for each snapshot
  mlark forget
  mlark forget 01KA5 01KA7      these two
  mlark forget --keep-tag audit --workspace prod")]
pub struct Args {
    /// Snapshots to forget; where none is given the retention rules say which
    snapshot: Vec<String>,
    /// Of this workspace only
    #[arg(long, value_name = "WORKSPACE", conflicts_with = "snapshot")]
    workspace: Option<String>,
    /// Keep snapshots with this tag, whatever the rules say (repeatable)
    #[arg(long, value_name = "TAG", conflicts_with = "snapshot")]
    keep_tag: Vec<String>,
    /// Only show it
    #[arg(long)]
    dry_run: bool,
}

/// Forgets.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let rows = if args.snapshot.is_empty() {
        let scope = Scope {
            workspace: args.workspace.as_deref(),
            keep_tags: &args.keep_tag,
            dry_run: args.dry_run,
        };
        by_rules(session, &repository, scope).await?
    } else {
        by_name(args, session, &repository).await?
    };
    show(args, session, &rows);
    Ok(ExitStatus::Done)
}

async fn by_name(
    args: &Args,
    session: &Session,
    repository: &Repository,
) -> Result<Vec<Row>, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let mut records: Vec<SnapshotRecord> = Vec::new();
    for name in &args.snapshot {
        let record = session.resolve(repository, name).await?;
        if records.iter().all(|known| known.id != record.id) {
            records.push(record);
        }
    }
    let ids: Vec<SnapshotId> = records.iter().map(|record| record.id).collect();
    let would = repository.would_forget(&ids).await.map_err(archive)?;
    // All or nothing: who names a snapshot that is held should look again.
    refuse_held(&would.held)?;
    if !args.dry_run {
        let done = forget(session, repository, &ids, "by name").await?;
        refuse_held(&done)?;
    }
    let reasons = vec!["by name".to_owned()];
    let row = |record| Row {
        record,
        forgotten: true,
        reasons: reasons.clone(),
    };
    Ok(records.into_iter().map(row).collect())
}

fn refuse_held(held: &[(SnapshotId, Held)]) -> Result<(), Failure> {
    let Some((id, why)) = held.first() else {
        return Ok(());
    };
    let failure = Failure::usage("This snapshot is not forgotten")
        .on(id)
        .why(held_text(*why));
    Err(match why {
        Held::Protected => failure.next(format!("`mlark snapshots unprotect {id}` first")),
        Held::Suspect(id) => failure.next(format!(
            "`mlark snapshots accept {id}` first, if it is as it should be"
        )),
        Held::Newest => {
            failure.next("make a newer backup first; the newest one of a workspace stays")
        }
        _ => failure.next("`mlark snapshots` lists those that are there"),
    })
}

fn show(args: &Args, session: &Session, rows: &[Row]) {
    let (forgotten, kept): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.forgotten);
    if session.ui.json() {
        let list = |rows: &[&Row]| rows.iter().map(|row| value(row)).collect::<Vec<Value>>();
        session.ui.document(&json!({
            "dry_run": args.dry_run,
            "forgotten": list(&forgotten),
            "kept": list(&kept),
        }));
        return;
    }
    if rows.is_empty() {
        session.ui.note("There are no snapshots");
        return;
    }
    let now = session.context.clock.now();
    session.ui.table(&table(rows, now, args.dry_run));
    let count = amount::counted(forgotten.len() as u64, "snapshot");
    let left = amount::count(kept.len() as u64);
    session
        .ui
        .line(&match (args.snapshot.is_empty(), args.dry_run) {
            (true, true) => format!("{count} would be forgotten, {left} kept"),
            (true, false) => format!("{count} forgotten, {left} kept"),
            (false, true) => format!("{count} would be forgotten"),
            (false, false) => format!("{count} forgotten"),
        });
    let unruled: BTreeSet<&str> = kept
        .iter()
        .filter(|row| row.reasons == [Reason::NoRule.text()])
        .map(|row| row.record.workspace.as_str())
        .collect();
    if !unruled.is_empty() {
        session
            .ui
            .note("Set keep_daily and others under [retention], or name the snapshots to forget");
    } else if !forgotten.is_empty() && !args.dry_run {
        session
            .ui
            .note("`mlark prune` frees the space that only they needed");
    }
}

fn table(rows: &[Row], now: Timestamp, dry_run: bool) -> Table {
    let forgotten = if dry_run {
        "would be forgotten"
    } else {
        "forgotten"
    };
    let mut table = Table::new(&["snapshot", "workspace", "began", "age", "", "why"]);
    for row in rows {
        table.row([
            row.record.id.to_string(),
            row.record.workspace.clone(),
            amount::moment(row.record.started),
            amount::age(row.record.started, now),
            if row.forgotten { forgotten } else { "kept" }.to_owned(),
            row.reasons.join(", "),
        ]);
    }
    table
}

fn value(row: &Row) -> Value {
    json!({
        "id": row.record.id.to_string(),
        "workspace": row.record.workspace,
        "time": row.record.finished.to_string(),
        "started": row.record.started.to_string(),
        "tags": row.record.tags,
        "reasons": row.reasons,
    })
}
