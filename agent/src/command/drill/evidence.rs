//! The evidence of drills as it is shown, and which of many is the newest.

use std::collections::BTreeMap;
use std::time::Duration;

use archive_format::log::{Drill, DrillOutcome};
use archive_format::{Outcome, Repository, Said};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// The newest drill of each workspace.
pub async fn newest(repository: &Repository) -> Result<BTreeMap<String, Said<Drill>>, Failure> {
    let drills = repository.drills().await;
    let drills = drills.map_err(|error| Failure::of_archive(&error))?;
    let by_workspace = drills
        .into_iter()
        .map(|said| (said.what.workspace.clone(), said));
    Ok(by_workspace.collect())
}

/// The newest drill that showed that a snapshot can be restored.
pub async fn last_good(repository: &Repository) -> Result<Option<Said<Drill>>, Failure> {
    let drills = repository.drills().await;
    let drills = drills.map_err(|error| Failure::of_archive(&error))?;
    Ok(drills.into_iter().rfind(|said| said.what.outcome.is_good()))
}

/// The workspace that is to be rehearsed next: of those of the configuration that have a complete snapshot the one whose
/// last drill is the longest ago.
pub(super) async fn next_workspace(
    session: &Session,
    repository: &Repository,
) -> Result<String, Failure> {
    let history = repository.history().await;
    let history = history.map_err(|error| Failure::of_archive(&error))?;
    let last = newest(repository).await?;
    let is_ours =
        |name: &str| session.config.workspace.is_empty() || session.entry_of(name).is_some();
    history
        .iter()
        .filter(|record| record.outcome == Outcome::Complete && is_ours(&record.workspace))
        .map(|record| record.workspace.as_str())
        .min_by_key(|name| (last.get(*name).map(|said| said.what.finished), *name))
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::usage("There is no snapshot to rehearse with")
                .why("no workspace has a complete one")
                .next("run `mlark backup`, or name a snapshot")
        })
}

/// The word that people read.
pub fn word(outcome: DrillOutcome) -> &'static str {
    match outcome {
        DrillOutcome::AsPlanned => "as planned",
        other => other.as_str(),
    }
}

/// What was restored, for people.
pub(super) fn of(drill: &Drill) -> String {
    let snapshot = format!("snapshot {} of {}", drill.snapshot, drill.workspace);
    match (&drill.export, drill.seal) {
        (None, _) => snapshot,
        (Some(export), None) => format!("export {export}, {snapshot}"),
        (Some(export), Some(seal)) => {
            format!("export {export} (its seal: {}), {snapshot}", seal.as_str())
        }
    }
}

/// What says more where what was restored differs.
pub fn next(drill: &Drill) -> &'static str {
    match drill.export {
        None => "`mlark check --read-data` says whether the repository is damaged",
        Some(_) => "`mlark export verify --read-data` says whether the export is damaged",
    }
}

/// What was done, and how long it took.
pub fn measured(drill: &Drill) -> String {
    let length = |milliseconds| amount::span(Duration::from_millis(milliseconds));
    match &drill.reason {
        Some(reason) => reason.clone(),
        None => format!(
            "{} and {} ({}) restored in {}, compared in {}",
            amount::counted(drill.items, "item"),
            amount::counted(drill.files, "file"),
            amount::size(drill.bytes),
            length(drill.restore_milliseconds),
            length(drill.verify_milliseconds),
        ),
    }
}

/// The one line for people.
pub fn line(said: &Said<Drill>, now: Timestamp) -> String {
    let drill = &said.what;
    let from = match &drill.export {
        Some(export) => format!(" from export {export}"),
        None => String::new(),
    };
    format!(
        "{}: {}{from}, {}: {}",
        drill.workspace,
        word(drill.outcome),
        amount::age(drill.finished, now),
        measured(drill)
    )
}

/// The evidence as JSON: what the log holds, and where.
pub fn document(said: &Said<Drill>) -> Value {
    let mut members = match serde_json::to_value(&said.what) {
        Ok(Value::Object(members)) => members,
        // It was read from JSON, so that this never comes.
        _ => Map::new(),
    };
    members.insert("entry".to_owned(), json!(said.entry));
    members.insert("signer".to_owned(), json!(said.signer.to_string()));
    members.insert("program".to_owned(), json!(said.program));
    Value::Object(members)
}
