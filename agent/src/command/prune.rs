//! `mlark prune`: frees the space of packs that no snapshot needs. It waits for nobody, and a backup may run meanwhile.

use std::sync::atomic::Ordering;

use archive_format::{Garbage, Spared, Sparing, SweepEvent, Swept};
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
  mlark prune")]
pub struct Args {
    /// Only show it
    #[arg(long)]
    dry_run: bool,
}

/// Prunes.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let grace = grace(session, &repository).await?;
    let now = session.context.clock.now();
    let archive = |error| Failure::of_archive(&error);
    if args.dry_run {
        let found = repository.garbage(&grace, now).await.map_err(archive)?;
        show_plan(session, &found);
        return Ok(ExitStatus::Done);
    }
    let progress = session.ui.progress("prune");
    let counters = progress.counters();
    let swept = repository
        .sweep(&grace, now, &mut |event| count(&counters, &event))
        .await
        .map_err(archive)?;
    progress.finish();
    show(session, &swept)
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
    if session.ui.json() {
        let mut document = document(found);
        document["dry_run"] = json!(true);
        session.ui.document(&document);
        return;
    }
    let packs = (found.packs.len() + found.left.len()) as u64;
    session.ui.line(&format!(
        "Would free {} of {}",
        amount::size(found.bytes + found.left_bytes),
        amount::counted(packs, "pack"),
    ));
    show_rest(session, found);
}

fn show(session: &Session, swept: &Swept) -> Result<ExitStatus, Failure> {
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
    Ok(if swept.undeleted == 0 {
        ExitStatus::Done
    } else {
        ExitStatus::Failed
    })
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
