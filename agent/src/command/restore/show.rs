//! Plans, what became of them, and comparisons, for people. What changes nothing is summed up; losses are always shown.

use std::collections::BTreeMap;
use std::time::Duration;

use restore::{OutcomeWord, Outline, Verification, VerifyOutcome};

use crate::session::Session;
use crate::ui::{Table, Tone, amount};

/// How many rows of one sort are shown; the rest is a number.
const ROWS_SHOWN: usize = 200;

/// Shows a plan: the steps that change something, the others in one line an action, the loss report, the estimate.
pub(super) fn plan(session: &Session, outline: &Outline) {
    let ui = &session.ui;
    let mut quiet: BTreeMap<&str, u64> = BTreeMap::new();
    let mut table =
        Table::new(&["step", "action", "item", "files", "size", "why"]).right(&[0, 3, 4]);
    let mut changes = 0;
    for step in &outline.steps {
        if !step.action.changes() {
            *quiet.entry(step.action.as_str()).or_default() += 1;
            continue;
        }
        changes += 1;
        if changes <= ROWS_SHOWN {
            let item = if step.target == step.item {
                step.item.clone()
            } else {
                format!("{} as {}", step.item, step.target)
            };
            let files = if step.files == 0 {
                String::new()
            } else {
                amount::count(step.files)
            };
            let size = if step.files == 0 {
                String::new()
            } else {
                amount::size(step.bytes)
            };
            table.row([
                step.step.to_string(),
                step.action.as_str().to_owned(),
                item,
                files,
                size,
                step.reason.clone(),
            ]);
        }
    }
    if !table.is_empty() {
        ui.table(&table);
    }
    if changes > ROWS_SHOWN {
        ui.line(&format!(
            "… and {} more steps; --json shows them all",
            changes - ROWS_SHOWN
        ));
    }
    for (action, count) in quiet {
        ui.line(&format!("{action}: {}", amount::counted(count, "item")));
    }
    losses(session, outline);
    by_hand(session, outline);
    let estimate = &outline.estimate;
    ui.line(&format!(
        "{} to do in {}: about {} requests, {}, {}",
        amount::counted(changes as u64, "step"),
        outline.target,
        amount::count(estimate.requests),
        amount::size(estimate.bytes),
        amount::span(Duration::from_secs(estimate.seconds)),
    ));
}

fn losses(session: &Session, outline: &Outline) {
    let ui = &session.ui;
    if outline.losses.is_empty() {
        ui.toned(&[(Some(Tone::Good), "Nothing is lost")]);
        return;
    }
    // One row for each sort of loss; hundreds of jobs lose the same things.
    let mut sorts: BTreeMap<(&str, &str, &str, &str), Vec<&str>> = BTreeMap::new();
    for loss in &outline.losses {
        let sort = (
            loss.kind.as_str(),
            loss.what.as_str(),
            loss.reason.as_str(),
            loss.substitute.as_str(),
        );
        sorts.entry(sort).or_default().push(&loss.item);
    }
    let count = amount::counted(outline.losses.len() as u64, "loss").replace("losss", "losses");
    ui.toned(&[(
        Some(Tone::Warn),
        &format!("Not as it was ({count}; --json lists each):"),
    )]);
    for ((kind, what, reason, substitute), items) in sorts.iter().take(ROWS_SHOWN) {
        let items = match items.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("{} {kind}", amount::count(many.len() as u64)),
        };
        let rest = match *substitute {
            "" => format!(" {what}: {reason}"),
            substitute => format!(" {what}: {reason}; instead: {substitute}"),
        };
        ui.toned(&[(None, "  "), (Some(Tone::Strong), &items), (None, &rest)]);
    }
    if sorts.len() > ROWS_SHOWN {
        ui.line(&format!(
            "… and {} more sorts; --json shows them all",
            sorts.len() - ROWS_SHOWN
        ));
    }
}

/// What a person must do, each with its command to paste.
fn by_hand(session: &Session, outline: &Outline) {
    let ui = &session.ui;
    if outline.manual.is_empty() {
        return;
    }
    ui.toned(&[(Some(Tone::Warn), "To be done by hand:")]);
    for row in outline.manual.iter().take(ROWS_SHOWN) {
        let rest = format!(": {}", row.why);
        ui.toned(&[(None, "  "), (Some(Tone::Strong), &row.what), (None, &rest)]);
        ui.line(&format!("    {}", row.command));
    }
    if let Some(more) = outline.manual.len().checked_sub(ROWS_SHOWN + 1) {
        ui.line(&format!("… and {} more; --json shows them all", more + 1));
    }
}

/// Shows what became of a plan.
pub(super) fn done(session: &Session, outline: &Outline) {
    let ui = &session.ui;
    for failure in outline.failures.iter().take(ROWS_SHOWN) {
        ui.toned(&[
            (Some(Tone::Bad), "failed: "),
            (None, &format!("{}: {}", failure.item, failure.reason)),
        ]);
    }
    for part in outline.lost.iter().take(ROWS_SHOWN) {
        let rest = format!("{} of {}: the repository is damaged", part.what, part.item);
        ui.toned(&[(Some(Tone::Bad), "missing: "), (None, &rest)]);
    }
    if let Some(more) = outline.lost.len().checked_sub(ROWS_SHOWN + 1) {
        ui.line(&format!(
            "… and {} more missing; --json shows them all",
            more + 1
        ));
    }
    if !outline.losses.is_empty() {
        let count = outline.losses.len();
        ui.line(&format!(
            "{count} rows of the loss report apply; `mlark restore plan` shows them"
        ));
    }
    by_hand(session, outline);
    let tone = match outline.outcome {
        OutcomeWord::Planned | OutcomeWord::Complete => Tone::Good,
        OutcomeWord::Partial => Tone::Warn,
        OutcomeWord::Failed => Tone::Bad,
    };
    let rest = format!(
        ": {} done, {} with nothing to do, {} failed, into {}",
        amount::count(outline.done),
        amount::count(outline.skipped),
        amount::count(outline.failed),
        outline.target,
    );
    ui.toned(&[(Some(tone), outline.outcome.as_str()), (None, &rest)]);
    if outline.damaged {
        ui.line("  next: `mlark check` says what is damaged; the same command with --partial brings the rest");
    } else if outline.outcome == OutcomeWord::Partial || outline.outcome == OutcomeWord::Failed {
        ui.line("  next: run the same command again; what is done is found and left alone");
    } else {
        ui.line(&format!(
            "  next: mlark restore verify {} --against {}",
            outline.snapshot, outline.target
        ));
    }
}

/// Shows a comparison.
pub(super) fn verification(session: &Session, found: &Verification) {
    let ui = &session.ui;
    for difference in found.differences.iter().take(ROWS_SHOWN) {
        let line = format!(
            "{} {}: {}",
            difference.item, difference.what, difference.reason
        );
        ui.toned(&[(Some(Tone::Bad), "differs: "), (None, &line)]);
    }
    if found.differences.len() > ROWS_SHOWN {
        let more = found.differences.len() - ROWS_SHOWN;
        ui.line(&format!(
            "… and {more} more differences; --json shows them all"
        ));
    }
    let (items, files) = (&found.items, &found.files);
    let (tone, word) = match found.outcome {
        VerifyOutcome::Same => (Tone::Good, "same"),
        VerifyOutcome::AsPlanned => (Tone::Good, "as planned"),
        VerifyOutcome::Different => (Tone::Bad, "different"),
    };
    let rest = format!(
        ": {} compared: {} same, {} different as foretold, {} different, {} missing",
        amount::counted(items.compared, "item"),
        amount::count(items.same),
        amount::count(items.expected),
        amount::count(items.different),
        amount::count(items.missing),
    );
    ui.toned(&[(Some(tone), word), (None, &rest)]);
    ui.line(&format!(
        "  {} compared: {} same, {} different, {} missing",
        amount::counted(files.compared, "file"),
        amount::count(files.same),
        amount::count(files.different),
        amount::count(files.missing),
    ));
    if found.outcome == VerifyOutcome::Different {
        ui.line(&format!(
            "  next: mlark restore plan {} --into {} shows what would mend it",
            found.snapshot, found.target
        ));
    }
}
