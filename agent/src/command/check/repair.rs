//! `mlark check --repair`: what was done and what remains hurt.

use archive_format::{Error, FileName, Repaired};
use serde_json::{Value, json};

use super::{damage_row, document, show_findings};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// A repair that could not begin.
pub(super) fn failure(error: &Error) -> Failure {
    let failure = Failure::of_archive(error);
    match error {
        Error::LogDamaged { .. } => failure.next(
            "bring the entry back from a copy of the repository: an entry cannot be made again",
        ),
        _ => failure,
    }
}

/// Shows what a repair did.
pub(super) fn show(
    session: &Session,
    repaired: &Repaired,
    warnings: &[(String, String)],
) -> ExitStatus {
    let status = if repaired.remaining.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::Damage
    };
    let ui = &session.ui;
    if ui.json() {
        let mut whole = document(&repaired.found, warnings);
        whole["repair"] = repair_row(repaired);
        ui.document(&whole);
        return status;
    }
    show_findings(session, &repaired.found, warnings);
    for name in &repaired.indexes {
        ui.line(&format!("repaired: {name}: written again from its pack"));
    }
    for name in &repaired.tables {
        ui.line(&format!(
            "repaired: {name}: it stays as it is, and the pack's own table counts"
        ));
    }
    for name in &repaired.mended {
        ui.line(&format!(
            "repaired: {name}: it is whole again, and serves again"
        ));
    }
    for name in &repaired.packs {
        ui.line(&format!(
            "given up: {name}: nothing new is stored by its objects"
        ));
    }
    if let Some(entry) = repaired.entry {
        ui.line(&format!("Log entry {entry} says so"));
    }
    if repaired.remaining.is_empty() {
        ui.line("Nothing remains hurt");
        return status;
    }
    let count = amount::counted(repaired.remaining.len() as u64, "damage");
    let lost = match repaired.lost {
        0 => String::new(),
        lost => format!("; {} lost", amount::counted(lost, "object")),
    };
    ui.line(&format!("Still damaged: {count}{lost}"));
    ui.line("  next: `mlark backup` reads again what the workspace still has; older snapshots stay hurt");
    status
}

fn repair_row(repaired: &Repaired) -> Value {
    let names =
        |names: &[FileName]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    json!({
        "indexes": names(&repaired.indexes),
        "tables": names(&repaired.tables),
        "packs": names(&repaired.packs),
        "mended": names(&repaired.mended),
        "lost": repaired.lost,
        "entry": repaired.entry,
        "remaining": repaired.remaining.iter().map(damage_row).collect::<Vec<Value>>(),
    })
}
