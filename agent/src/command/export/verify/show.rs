//! How a judgement is shown: a line for each check, what is wrong last.

use restore::bag::read::{Finding, Judgement};
use restore::bag::verify::{Outcome, VerifiedExport};
use serde_json::json;

use crate::session::Session;
use crate::ui::{Tone, amount};

/// `next`: the command that brings an archived tar back.
pub(super) fn export(session: &Session, verified: &VerifiedExport, next: Option<&str>) {
    let ui = &session.ui;
    if ui.json() {
        let mut document = json!(verified);
        if let Some(next) = next {
            document["next"] = json!(next);
        }
        ui.document(&document);
        return;
    }
    for check in &verified.checks {
        let (tone, word) = match check.outcome {
            Outcome::Good => (Some(Tone::Good), "good"),
            Outcome::Note => (None, "note"),
            Outcome::Open => (Some(Tone::Warn), "open"),
            Outcome::Bad => (Some(Tone::Bad), "BAD"),
        };
        let rest = format!("  {:<12}{}", check.check, check.found);
        ui.toned(&[(tone, word), (None, &rest)]);
    }
    let what = match verified.outcome() {
        _ if verified.stopped => "was not verified to the end",
        Outcome::Bad => "is not what was exported",
        Outcome::Open => "is what was exported, as far as it could be judged",
        Outcome::Good | Outcome::Note => "is what was exported",
    };
    let how = match verified.read_data {
        _ if verified.archived > 0 => "the seal alone; its tar is archived".to_owned(),
        true => format!("{} read", amount::size(verified.bytes)),
        false => "the seal alone; --read-data reads the tar".to_owned(),
    };
    ui.line(&format!("{} {what} ({how})", verified.name));
    if let Some(next) = next {
        ui.line(&format!(
            "  next: {next} says how long it takes and what it costs to bring the tar back, and begins it; then the same command again"
        ));
    }
}

pub(super) fn bag(session: &Session, path: &str, judgement: &Judgement) {
    let ui = &session.ui;
    if ui.json() {
        ui.document(&json!({
            "bag": path, "version": judgement.version, "valid": judgement.is_valid(),
            "files": judgement.files, "bytes": judgement.bytes, "errors": judgement.errors,
            "error_count": judgement.error_count, "warnings": judgement.warnings, "stopped": judgement.stopped,
        }));
        return;
    }
    let line = |tone, word, finding: &Finding| {
        let rest = match finding.path.as_str() {
            "" => format!("  the bag {}", finding.what),
            path => format!("  {path} {}", finding.what),
        };
        ui.toned(&[(Some(tone), word), (None, &rest)]);
    };
    for finding in &judgement.warnings {
        line(Tone::Warn, "note", finding);
    }
    for finding in &judgement.errors {
        line(Tone::Bad, "BAD", finding);
    }
    let more = judgement
        .error_count
        .saturating_sub(judgement.errors.len() as u64);
    if more > 0 {
        ui.line(&format!("… and {} more", amount::count(more)));
    }
    let what = match (judgement.stopped, judgement.is_valid()) {
        (true, _) => "was not read to the end",
        (false, true) => "is valid",
        (false, false) => "is not valid",
    };
    ui.line(&format!(
        "{path} {what}: BagIt {}, {} of {}",
        judgement.version,
        amount::counted(judgement.files, "file"),
        amount::size(judgement.bytes),
    ));
}
