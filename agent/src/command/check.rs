//! `mlark check`: whether the repository is what it was when it was written. It changes nothing.

use std::sync::atomic::Ordering;

use archive_format::check::{Damage, Depth, Event};
use archive_format::{CheckReport, check};
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;
use crate::ui::progress::Counters;

/// How many touched items are shown of each damage.
const ITEMS_SHOWN: usize = 10;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark check                                     log, signatures, manifests, and every pack's digest
  mlark check --read-data --identity-file owner.key")]
pub struct Args {
    /// Open and hash every object as well; needs an owner's identity
    #[arg(long)]
    read_data: bool,
}

/// Checks.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_damaged_repository().await?;
    let depth = if args.read_data {
        Depth::ReadData
    } else {
        Depth::Structure
    };
    let progress = session.ui.progress("check");
    let counters = progress.counters();
    let mut events = |event: Event| show_progress(&counters, &event);
    let report = check(&repository, depth, &mut events)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    progress.finish();
    show(session, &report, args.read_data);
    Ok(if report.is_sound() {
        ExitStatus::Done
    } else {
        ExitStatus::Damage
    })
}

fn show_progress(counters: &Counters, event: &Event) {
    match event {
        Event::Stage { what, total } => {
            counters.doing(*what);
            counters.items.store(0, Ordering::Relaxed);
            counters
                .items_total
                .store(total.unwrap_or(0), Ordering::Relaxed);
        }
        Event::Done { bytes } => {
            counters.items.fetch_add(1, Ordering::Relaxed);
            counters.bytes.fetch_add(*bytes, Ordering::Relaxed);
        }
        _ => {}
    }
}

fn show(session: &Session, report: &CheckReport, read_data: bool) {
    let ui = &session.ui;
    if ui.json() {
        ui.document(&json!({
            "outcome": if report.is_sound() { "sound" } else { "damaged" },
            "damages": report.damages.iter().map(damage_row).collect::<Vec<Value>>(),
            "warnings": report.warnings,
            "entries": report.entries,
            "packs": report.packs,
            "lines": report.lines,
            "objects": report.objects,
            "bytes": report.bytes,
        }));
        return;
    }
    for damage in &report.damages {
        show_damage(session, damage);
    }
    let objects = if read_data {
        format!(", {}", amount::counted(report.objects, "object"))
    } else {
        String::new()
    };
    let seen = format!(
        "{} log entries, {}, {} items{objects}, {} read",
        amount::count(report.entries),
        amount::counted(report.packs, "pack"),
        amount::count(report.lines),
        amount::size(report.bytes),
    );
    if report.is_sound() {
        ui.line(&format!("Sound: {seen}"));
    } else {
        let count = amount::counted(report.damages.len() as u64, "damage");
        ui.line(&format!("Damaged: {count} found; {seen}"));
        ui.line("  next: bring the damaged files back from a copy, or back up again: what is damaged is then stored anew");
    }
}

fn show_damage(session: &Session, damage: &Damage) {
    let ui = &session.ui;
    ui.line(&format!("damaged: {}: {}", damage.name, damage.reason));
    for (snapshot, item) in damage.items.iter().take(ITEMS_SHOWN) {
        ui.line(&format!("  touches {item} of {snapshot}"));
    }
    if let Some(more) = damage
        .items
        .len()
        .checked_sub(ITEMS_SHOWN)
        .filter(|more| *more > 0)
    {
        ui.line(&format!("  and {more} more; --json lists them"));
    }
}

fn damage_row(damage: &Damage) -> Value {
    let items = damage.items.iter().map(
        |(snapshot, item)| json!({ "snapshot": snapshot.to_string(), "item": item.to_string() }),
    );
    json!({
        "name": damage.name,
        "reason": damage.reason,
        "snapshots": damage.snapshots.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "items": items.collect::<Vec<Value>>(),
    })
}
