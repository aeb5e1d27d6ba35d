//! `mlark check`: whether the repository is what it was when it was written. It changes nothing, except with `--repair`,
//! which adds and never changes, moves or deletes.

pub mod last;
mod repair;
mod unopened;

use std::sync::atomic::Ordering;

use archive_format::check::{Damage, Depth, Event, Subset};
use archive_format::{CheckReport, check};
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::held;
use crate::session::Session;
use crate::ui::amount;
use crate::ui::progress::Counters;

use last::LastCheck;

/// How many touched items are shown of each damage.
const ITEMS_SHOWN: usize = 10;

/// How many warnings are kept for the report.
const WARNINGS_MAX: usize = 1000;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark check                                     log, signatures, manifests, and every pack's digest
  mlark check --structure-only                    without reading the packs of files
  mlark check --read-data --identity-file owner.key
  mlark check --read-data-subset 1/7              another seventh each day of the week
  mlark check --repair                            writes lost index files again, and lets the next backup
                                                  read again what is lost")]
pub struct Args {
    /// Log, signatures, manifests, and that every pack is there with its size; no pack's digest
    #[arg(long)]
    structure_only: bool,
    /// Open and hash every object as well; needs an owner's identity
    #[arg(long, conflicts_with = "structure_only")]
    read_data: bool,
    /// The same with a part of the packs, the others as with --structure-only: `5%`, or `2/7` for the second of seven
    #[arg(long, value_name = "PART", conflicts_with_all = ["structure_only", "read_data"])]
    read_data_subset: Option<Subset>,
    /// Mend what can be mended by adding: index files, and a log entry that names lost packs
    #[arg(long, conflicts_with = "structure_only")]
    repair: bool,
}

impl Args {
    fn depth(&self) -> Depth {
        match self.read_data_subset {
            Some(subset) => Depth::ReadSubset(subset),
            None if self.read_data => Depth::ReadData,
            None if self.structure_only => Depth::Structure,
            None => Depth::Digests,
        }
    }

    /// How deep it looks, for people.
    fn word(&self) -> &'static str {
        match self {
            _ if self.read_data_subset.is_some() => "read-data-subset",
            _ if self.read_data => "read-data",
            _ if self.structure_only => "structure-only",
            _ => "digests",
        }
    }
}

/// Checks.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = match session.open_damaged_repository().await {
        Ok(repository) => repository,
        // Nothing can be read, and it is known why: what that touches is told by what this machine remembers.
        Err(failure) if failure.status == ExitStatus::Damage => {
            return unopened::show(session, failure).await;
        }
        Err(failure) => return Err(failure),
    };
    let progress = session.ui.progress("check");
    let counters = progress.counters();
    let mut warnings = Vec::new();
    let mut events = |event: Event| match event {
        Event::Warning { name, reason } if warnings.len() < WARNINGS_MAX => {
            warnings.push((name, reason));
        }
        event => show_progress(&counters, &event),
    };
    let depth = args.depth();
    if args.repair {
        let now = session.context.clock.now();
        let repaired = archive_format::repair(&repository, depth, now, &mut events)
            .await
            .map_err(|error| repair::failure(&error))?;
        progress.finish();
        return Ok(repair::show(session, &repaired, &warnings));
    }
    let report = check(&repository, depth, &mut events)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    progress.finish();
    let last = LastCheck {
        time: session.context.clock.now(),
        depth: args.word().to_owned(),
        sound: report.is_sound(),
    };
    if let Err(error) = last.keep(&session.repository_cache(&repository)?).await {
        session.ui.warn(&format!(
            "When this check was made is not remembered: {error}"
        ));
    }
    if session.ui.json() {
        session.ui.document(&document(&report, &warnings));
    } else {
        show(session, &report, &warnings);
    }
    Ok(status(&report))
}

fn status(report: &CheckReport) -> ExitStatus {
    if report.is_sound() && report.archived > 0 {
        ExitStatus::Gaps
    } else if report.is_sound() {
        ExitStatus::Done
    } else {
        ExitStatus::Damage
    }
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

/// The report as JSON.
fn document(report: &CheckReport, warnings: &[(String, String)]) -> Value {
    let warned = warnings
        .iter()
        .map(|(name, reason)| json!({ "name": name, "reason": reason }));
    json!({
        "outcome": if report.is_sound() { "sound" } else { "damaged" },
        "damages": report.damages.iter().map(damage_row).collect::<Vec<Value>>(),
        "warnings": report.warnings,
        "warned": warned.collect::<Vec<Value>>(),
        "entries": report.entries,
        "packs": report.packs,
        "lines": report.lines,
        "objects": report.objects,
        "bytes": report.bytes,
        "archived": report.archived,
    })
}

fn show(session: &Session, report: &CheckReport, warnings: &[(String, String)]) {
    let ui = &session.ui;
    show_findings(session, report, warnings);
    let seen = seen(report);
    if report.is_sound() {
        ui.line(&format!("Sound: {seen}"));
        if report.archived > 0 {
            let packs = amount::counted(report.archived, "pack");
            ui.line(&format!("  {packs} in an archive tier not read"));
            ui.line(&format!("  next: {}", crate::thaw::HOW));
        }
        return;
    }
    let count = amount::counted(report.damages.len() as u64, "damage");
    ui.line(&format!("Damaged: {count} found; {seen}"));
    let next = if report.damages.iter().all(|damage| damage.known) {
        "a repair knows all of it; the snapshots that it touches stay hurt until they are forgotten"
    } else {
        "bring the damaged files back from a copy; where there is none, `mlark check --repair`, then back up again"
    };
    ui.line(&format!("  next: {next}"));
}

fn show_findings(session: &Session, report: &CheckReport, warnings: &[(String, String)]) {
    for (name, reason) in warnings {
        session.ui.warn(&format!("{name}: {reason}"));
    }
    for damage in &report.damages {
        show_damage(session, damage);
    }
}

/// What was read.
fn seen(report: &CheckReport) -> String {
    let objects = match report.objects {
        0 => String::new(),
        objects => format!(", {}", amount::counted(objects, "object")),
    };
    let entries = match report.entries {
        1 => "1 log entry".to_owned(),
        entries => format!("{} log entries", amount::count(entries)),
    };
    format!(
        "{entries}, {}, {} items{objects}, {} read",
        amount::counted(report.packs, "pack"),
        amount::count(report.lines),
        amount::size(report.bytes),
    )
}

fn show_damage(session: &Session, damage: &Damage) {
    let ui = &session.ui;
    let known = if damage.known {
        " (a repair knows it)"
    } else {
        ""
    };
    ui.line(&format!(
        "damaged: {}: {}{known}",
        damage.name, damage.reason
    ));
    if damage.items.is_empty() && !damage.snapshots.is_empty() {
        let ids: Vec<String> = damage.snapshots.iter().map(ToString::to_string).collect();
        ui.line(&format!("  touches {}", ids.join(", ")));
    }
    for (snapshot, item) in damage.items.iter().take(ITEMS_SHOWN) {
        ui.line(&format!("  touches {} of {snapshot}", held::id(item)));
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
        |(snapshot, item)| json!({ "snapshot": snapshot.to_string(), "item": held::id(item).to_string() }),
    );
    json!({
        "name": damage.name,
        "reason": damage.reason,
        "snapshots": damage.snapshots.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "items": items.collect::<Vec<Value>>(),
        "known": damage.known,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use archive_format::{LineKey, SnapshotId};

    use super::*;

    #[test]
    fn hurt_items_are_named_as_selectors_name_them() {
        let snapshot = SnapshotId::new(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let item = LineKey {
            kind: "files".to_owned(),
            name: "[two].bin".to_owned(),
            version: None,
            part: 0,
        };
        let row = damage_row(&Damage {
            name: "packs/00".to_owned(),
            reason: "is lost".to_owned(),
            snapshots: vec![snapshot],
            items: vec![(snapshot, item)],
            known: false,
        });
        assert_eq!(row["items"][0]["item"], r"files/\[two].bin");
    }
}
