//! `mlark prune`: frees the space of packs that no snapshot needs, on demand also of those that hold little of what is needed.
//! It waits for nobody, and a backup may run meanwhile.

mod repack;

use std::sync::atomic::Ordering;

use archive_format::{Garbage, Grace, Repository, Spared, Sparing, SweepEvent, Swept};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::retention::forgetting::grace;
use crate::session::Session;
use crate::ui::amount;
use crate::ui::progress::Counters;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark prune --dry-run     what would be freed, what is spared, why and until when
  mlark prune
  mlark prune --repack --dry-run
  mlark prune --repack --max-unused 25 --identity-file owner.key")]
pub struct Args {
    /// Only show it
    #[arg(long)]
    dry_run: bool,
    /// First write what is needed of packs that hold much else into new packs; needs an owner's identity
    #[arg(long)]
    repack: bool,
    /// Repack packs of which no snapshot needs more than this share, in percent; 10 where it is not given
    #[arg(long, value_name = "PERCENT", requires = "repack", value_parser = clap::value_parser!(u8).range(0..=99))]
    max_unused: Option<u8>,
}

/// Prunes.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let grace = grace(session, &repository).await?;
    let now = session.context.clock.now();
    let max_unused = args.max_unused.unwrap_or(repack::MAX_UNUSED);
    if args.dry_run {
        return plan(args, session, &repository, &grace, now).await;
    }
    let mut repacked = None;
    if args.repack {
        let done = repack::run(session, &repository, max_unused, &grace, now).await?;
        if !session.ui.json() {
            repack::show(session, &done);
        }
        repacked = Some(done);
    }
    let status = repacked.as_ref().map_or(ExitStatus::Done, repack::status);
    let repacked = repacked.map(|done| repack::document(&done, max_unused));
    if status == ExitStatus::Interrupted {
        if let (true, Some(repacked)) = (session.ui.json(), repacked) {
            session
                .ui
                .document(&json!({"dry_run": false, "repack": repacked}));
        }
        return Ok(status);
    }
    let progress = session.ui.progress("prune");
    let counters = progress.counters();
    let swept = repository
        .sweep(&grace, now, &mut |event| count(&counters, &event))
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    progress.finish();
    Ok(status.and(show(session, &swept, repacked)))
}

/// Shows what would be done.
async fn plan(
    args: &Args,
    session: &Session,
    repository: &Repository,
    grace: &Grace,
    now: Timestamp,
) -> Result<ExitStatus, Failure> {
    let max_unused = args.max_unused.unwrap_or(repack::MAX_UNUSED);
    let mut sparse = None;
    if args.repack {
        sparse = repack::look(session, repository, max_unused, grace, now).await?;
        if sparse.is_none() {
            return Ok(ExitStatus::Interrupted);
        }
    }
    let found = repository.garbage(grace, now).await;
    let found = found.map_err(|error| Failure::of_archive(&error))?;
    if session.ui.json() {
        let mut document = document(&found);
        document["dry_run"] = json!(true);
        if let Some(sparse) = &sparse {
            document["repack"] = repack::plan_document(sparse, max_unused);
        }
        session.ui.document(&document);
        return Ok(ExitStatus::Done);
    }
    if let Some(sparse) = &sparse {
        repack::show_plan(session, sparse);
    }
    show_plan(session, &found);
    Ok(ExitStatus::Done)
}

fn count(counters: &Counters, event: &SweepEvent) {
    match event {
        SweepEvent::Deleting { packs } => {
            counters.doing("deleting");
            counters.items_total.store(*packs, Ordering::Relaxed);
        }
        SweepEvent::Deleted { bytes } => {
            counters.items.fetch_add(1, Ordering::Relaxed);
            counters.bytes.fetch_add(*bytes, Ordering::Relaxed);
        }
        _ => {}
    }
}

fn show_plan(session: &Session, found: &Garbage) {
    let packs = (found.packs.len() + found.left.len()) as u64;
    session.ui.line(&format!(
        "Would free {} of {}",
        amount::size(found.bytes + found.left_bytes),
        amount::counted(packs, "pack"),
    ));
    show_rest(session, found);
}

fn show(session: &Session, swept: &Swept, repacked: Option<Value>) -> ExitStatus {
    if let Some(failure) = &swept.failure {
        let left = amount::counted(swept.undeleted, "pack");
        session.ui.warn(&format!(
            "{left} could not be deleted: {}",
            crate::failure::chain(failure)
        ));
    }
    if session.ui.json() {
        let mut document = document(&swept.garbage);
        document["dry_run"] = json!(false);
        document["deleted"] = json!(swept.deleted);
        document["deleted_bytes"] = json!(swept.deleted_bytes);
        document["undeleted"] = json!(swept.undeleted);
        if let Some(repacked) = repacked {
            document["repack"] = repacked;
        }
        session.ui.document(&document);
    } else {
        session.ui.line(&format!(
            "Freed {} of {}",
            amount::size(swept.deleted_bytes),
            amount::counted(swept.deleted, "pack"),
        ));
        show_rest(session, &swept.garbage);
        if swept.undeleted > 0 {
            session
                .ui
                .note("Nothing is lost: the next `mlark prune` deletes them");
        }
    }
    if swept.undeleted == 0 {
        ExitStatus::Done
    } else {
        ExitStatus::Failed
    }
}

fn show_rest(session: &Session, found: &Garbage) {
    for spared in &found.spared {
        session.ui.line(&format!(
            "  {} of {} stay{}: {}",
            amount::size(spared.bytes),
            amount::counted(spared.packs, "pack"),
            if spared.packs == 1 { "s" } else { "" },
            reason(spared)
        ));
    }
    session.ui.line(&format!(
        "  {} of {} needed by snapshots",
        amount::size(found.needed_bytes),
        amount::counted(found.needed, "pack"),
    ));
}

fn reason(spared: &Spared) -> String {
    let until = match spared.until {
        Some(until) => format!(", until {}", amount::moment(until)),
        None => String::new(),
    };
    match spared.sparing {
        Sparing::Forgotten(id) => format!("snapshot {id} was forgotten lately{until}"),
        Sparing::Replaced(entry) => {
            format!(
                "log entry {entry} replaced them lately, and somebody may be reading them{until}"
            )
        }
        Sparing::Held(id) => format!("run {id} asked for them{until}"),
        Sparing::Young => format!("a run may be about to name them, since they are young{until}"),
        Sparing::Locked => format!("the store keeps them locked{until}"),
        Sparing::OnHold => "a legal hold keeps them".to_owned(),
        _ => "the store does not say how old they are".to_owned(),
    }
}

fn document(found: &Garbage) -> Value {
    json!({
        "packs": found.packs.len(),
        "bytes": found.bytes,
        "left": found.left.len(),
        "left_bytes": found.left_bytes,
        "needed": found.needed,
        "needed_bytes": found.needed_bytes,
        "spared": found.spared.iter().map(spared_value).collect::<Vec<Value>>(),
    })
}

fn spared_value(spared: &Spared) -> Value {
    let (reason, snapshot, run) = match spared.sparing {
        Sparing::Forgotten(id) => ("forgotten", Some(id), None),
        Sparing::Held(id) => ("held", None, Some(id)),
        Sparing::Replaced(_) => ("replaced", None, None),
        Sparing::Young => ("young", None, None),
        Sparing::Locked => ("locked", None, None),
        Sparing::OnHold => ("on-hold", None, None),
        _ => ("undated", None, None),
    };
    json!({
        "reason": reason,
        "snapshot": snapshot.map(|id| id.to_string()),
        "run": run.map(|id| id.to_string()),
        "packs": spared.packs,
        "bytes": spared.bytes,
        "until": spared.until.map(|until| until.to_string()),
    })
}
