//! What a backup did, for people: a few lines, then what is missing.

use std::time::Duration;

use super::estimate::Estimate;
use super::watch::gap_line;
use crate::capture::{Counted, Ending, Report, Tally};
use crate::session::Session;
use crate::ui::{Tone, amount};

/// How many gaps are shown; the rest is a number.
const GAPS_SHOWN: usize = 20;

/// Shows a report.
pub(super) fn show(session: &Session, report: &Report, estimate: Option<&Estimate>) {
    let ui = &session.ui;
    let length =
        Duration::try_from(report.finished.duration_since(report.started)).unwrap_or_default();
    let tone = match report.ending {
        Ending::Complete if !report.has_gaps() => Tone::Good,
        Ending::Complete | Ending::Counted => Tone::Warn,
        Ending::Partial | Ending::Suspect(_) => Tone::Bad,
    };
    let snapshot = report
        .snapshot
        .map_or_else(|| "no snapshot".to_owned(), |id| id.to_string());
    let rest = format!(" {snapshot} in {}", amount::span(length));
    let name = format!("{}: ", report.workspace);
    ui.toned(&[
        (Some(Tone::Strong), name.as_str()),
        (Some(tone), report.ending.as_str()),
        (None, &rest),
    ]);
    let counted = matches!(report.ending, Ending::Counted);
    ui.line(&format!(
        "  items     {}",
        tally(
            &report.items_total(),
            if counted { "to ask about" } else { "saved" }
        )
    ));
    ui.line(&format!(
        "  files     {}",
        tally(
            &report.files_total(),
            if counted { "to read" } else { "read" }
        )
    ));
    let bytes = &report.bytes;
    if counted {
        ui.line(&format!(
            "  bytes     {} listed, {} to read",
            amount::size(bytes.listed),
            amount::size(bytes.read)
        ));
    } else {
        ui.line(&format!(
            "  bytes     {} listed, {} read, {} new, {} stored",
            amount::size(bytes.listed),
            amount::size(bytes.read),
            amount::size(bytes.new),
            amount::size(bytes.stored),
        ));
    }
    ui.line(&format!("  requests  {}", amount::count(report.requests)));
    if let Some(estimate) = estimate {
        show_estimate(session, estimate);
    }
    show_suspicions(session, report);
    show_gaps(session, report);
    for remark in report.remarks() {
        ui.line(&format!("  note: {remark}"));
    }
}

/// What the backup itself would take.
fn show_estimate(session: &Session, estimate: &Estimate) {
    if estimate.requests > 0 {
        session.ui.line(&format!(
            "  backup    about {} requests in all: {} at Azure's read limit",
            amount::count(estimate.requests),
            amount::span(estimate.length)
        ));
    }
    let month = match estimate.month_bytes {
        Some(bytes) => format!("; {} a month, by the last 30 days", amount::size(bytes)),
        None => "; how much a month is known after some days of backups".to_owned(),
    };
    session.ui.line(&format!(
        "  storage   at most {} now, before compression{month}",
        amount::size(estimate.stored_bytes)
    ));
}

fn tally(tally: &Tally, saved: &str) -> String {
    let mut text = format!(
        "{}: {} {saved}, {} unchanged",
        amount::count(tally.listed()),
        amount::count(tally.count(Counted::Saved)),
        amount::count(tally.count(Counted::Unchanged)),
    );
    for (outcome, word) in [
        (Counted::Excluded, "excluded"),
        (Counted::Known, "known gaps"),
        (Counted::Failed, "failed"),
    ] {
        let count = tally.count(outcome);
        if count > 0 {
            text.push_str(&format!(", {} {word}", amount::count(count)));
        }
    }
    text
}

fn show_suspicions(session: &Session, report: &Report) {
    let Ending::Suspect(reasons) = &report.ending else {
        return;
    };
    for reason in reasons {
        session
            .ui
            .toned(&[(Some(Tone::Bad), "  suspect: "), (None, reason)]);
    }
    session.ui.line("  `latest` goes on meaning the snapshot before. Look at the workspace; if it is as it should be:");
    let id = report.snapshot.map(|id| id.to_string()).unwrap_or_default();
    session
        .ui
        .line(&format!("  next: mlark snapshots accept {id}"));
}

fn show_gaps(session: &Session, report: &Report) {
    let open = report.gaps.iter().filter(|gap| gap.known.is_none());
    for gap in open.clone().take(GAPS_SHOWN) {
        let line = gap_line(&gap.item, gap.file.as_deref(), &gap.reason);
        session
            .ui
            .toned(&[(Some(Tone::Warn), "  gap: "), (None, &line)]);
    }
    let more = (open.count().saturating_sub(GAPS_SHOWN)) as u64 + report.gaps_left_out;
    if more > 0 {
        session.ui.line(&format!(
            "  and {} more; --json lists them",
            amount::counted(more, "gap")
        ));
    }
}
