//! `mlark forget`: what the retention rules keep no longer, or snapshots by name. Their content stays readable to nobody,
//! and stays where it is until `mlark prune`.

use std::collections::{BTreeMap, BTreeSet};

use archive_format::{Held, Repository, SnapshotId, SnapshotRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::snapshots::unknown_workspace;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::retention::{Candidate, Reason, Rules, decide};
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

/// What becomes of one snapshot.
#[derive(Debug)]
struct Row {
    record: SnapshotRecord,
    /// Whether it is forgotten.
    forgotten: bool,
    /// Why it is kept, or forgotten.
    reasons: Vec<String>,
}

/// Forgets.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let rows = if args.snapshot.is_empty() {
        by_rules(args, session, &repository).await?
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

fn held_text(why: Held) -> String {
    match why {
        Held::Protected => Reason::Protected.text(),
        Held::Suspect(id) => Reason::Suspect(id).text(),
        Held::Newest => "it is the newest of its workspace".to_owned(),
        _ => "it is not there any more".to_owned(),
    }
}

/// Forgets, and gives those that the log holds by now.
async fn forget(
    session: &Session,
    repository: &Repository,
    ids: &[SnapshotId],
    reason: &str,
) -> Result<Vec<(SnapshotId, Held)>, Failure> {
    let now = session.context.clock.now();
    let done = repository.forget(ids, reason, now).await;
    done.map(|done| done.held)
        .map_err(|error| Failure::of_archive(&error))
}

async fn by_rules(
    args: &Args,
    session: &Session,
    repository: &Repository,
) -> Result<Vec<Row>, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let history = repository.history().await.map_err(archive)?;
    let accepted = repository.accepted().await.map_err(archive)?;
    let protected = repository.protected().await.map_err(archive)?;
    let mut of_workspace: BTreeMap<String, Vec<SnapshotRecord>> = BTreeMap::new();
    for record in history {
        let records = of_workspace.entry(record.workspace.clone()).or_default();
        records.push(record);
    }
    if let Some(wanted) = &args.workspace {
        if !of_workspace.contains_key(wanted) {
            let known = of_workspace.keys().map(String::as_str);
            return Err(unknown_workspace(wanted, known));
        }
        of_workspace.retain(|workspace, _| workspace == wanted);
    }
    let mut rows = Vec::new();
    for (workspace, records) in of_workspace {
        let (rules, zone) = rules(session, &workspace, &args.keep_tag);
        let candidates: Vec<Candidate> = records
            .iter()
            .map(|record| Candidate::new(record, &accepted, &protected))
            .collect();
        let decided = decide(&candidates, &rules, &zone);
        rows.extend(
            records
                .into_iter()
                .zip(decided)
                .map(|(record, kept)| row(record, &kept)),
        );
    }
    let ids: Vec<SnapshotId> = rows
        .iter()
        .filter(|row| row.forgotten)
        .map(|row| row.record.id)
        .collect();
    let held = if args.dry_run {
        repository.would_forget(&ids).await.map_err(archive)?.held
    } else {
        forget(session, repository, &ids, "retention").await?
    };
    // Somebody protected one meanwhile, or a backup turned out suspect.
    for row in &mut rows {
        if let Some((_, why)) = held.iter().find(|(id, _)| *id == row.record.id) {
            row.forgotten = false;
            row.reasons = vec![held_text(*why)];
        }
    }
    Ok(rows)
}

/// The rules of a workspace and the time zone of its days. One that the configuration does not name any more has the
/// general rules.
fn rules(session: &Session, workspace: &str, tags: &[String]) -> (Rules, TimeZone) {
    let config = &session.config;
    let entry = config
        .workspace
        .iter()
        .find(|entry| entry.name == workspace);
    let own = entry.and_then(|entry| entry.retention.as_ref());
    let zone = entry
        .and_then(|entry| entry.timezone.as_deref())
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC);
    (Rules::new(own, &config.retention, tags), zone)
}

fn row(record: SnapshotRecord, kept: &[Reason]) -> Row {
    let mut reasons: Vec<String> = kept.iter().map(Reason::text).collect();
    if reasons.is_empty() {
        reasons.push("no rule keeps it".to_owned());
    }
    Row {
        record,
        forgotten: kept.is_empty(),
        reasons,
    }
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
