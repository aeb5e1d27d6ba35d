//! Forgetting by the rules of the configuration: which snapshots of which workspace go, with a reason for each, decided
//! by `retention` and done by the log. `mlark forget` and the daemon both do it here.

use std::collections::BTreeMap;
use std::time::Duration;

use archive_format::{Grace, Held, Repository, SnapshotId, SnapshotRecord};
use jiff::tz::TimeZone;

use super::{Candidate, Reason, Rules, decide};
use crate::command::snapshots::unknown_workspace;
use crate::failure::Failure;
use crate::session::Session;

/// How long forgotten content stays where the configuration does not say.
const GRACE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What becomes of one snapshot.
#[derive(Debug)]
pub struct Row {
    /// The snapshot.
    pub record: SnapshotRecord,
    /// Whether it is forgotten.
    pub forgotten: bool,
    /// Why it is kept, or forgotten.
    pub reasons: Vec<String>,
}

/// What the rules are applied to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// This workspace only.
    pub workspace: Option<&'a str>,
    /// Snapshots with one of these tags are kept, whatever the rules say.
    pub keep_tags: &'a [String],
    /// Only shows it.
    pub dry_run: bool,
}

/// Applies the rules.
pub async fn by_rules(
    session: &Session,
    repository: &Repository,
    scope: Scope<'_>,
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
    if let Some(wanted) = scope.workspace {
        if !of_workspace.contains_key(wanted) {
            let known = of_workspace.keys().map(String::as_str);
            return Err(unknown_workspace(wanted, known));
        }
        of_workspace.retain(|workspace, _| workspace == wanted);
    }
    let mut rows = Vec::new();
    for (workspace, records) in of_workspace {
        let (rules, zone) = rules(session, &workspace, scope.keep_tags);
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
    let held = if scope.dry_run {
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

/// Forgets, and gives those that the log holds by now.
pub async fn forget(
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

/// Why the log keeps a snapshot, in words.
pub fn held_text(why: Held) -> String {
    match why {
        Held::Protected => Reason::Protected.text(),
        Held::Suspect(id) => Reason::Suspect(id).text(),
        Held::Newest => "it is the newest of its workspace".to_owned(),
        _ => "it is not there any more".to_owned(),
    }
}

/// The grace periods of the configuration.
pub async fn grace(session: &Session, repository: &Repository) -> Result<Grace, Failure> {
    let seen = repository.workspaces().await;
    let seen = seen.map_err(|error| Failure::of_archive(&error))?;
    let retention = &session.config.retention;
    let named = session.config.workspace.iter().map(|entry| &entry.name);
    let own = named.chain(&seen).filter_map(|workspace| {
        let entry = session.entry_of(workspace)?;
        let grace = entry.retention.as_ref()?.grace?;
        Some((workspace.clone(), grace.duration()))
    });
    Ok(Grace {
        usual: retention.grace.map_or(GRACE, |grace| grace.duration()),
        of_workspace: own.collect(),
    })
}

/// The rules of a workspace and the time zone of its days. One that the configuration does not name any more has the
/// general rules.
fn rules(session: &Session, workspace: &str, tags: &[String]) -> (Rules, TimeZone) {
    let entry = session.entry_of(workspace);
    let own = entry.and_then(|entry| entry.retention.as_ref());
    let zone = entry
        .and_then(|entry| entry.timezone.as_deref())
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC);
    (Rules::new(own, &session.config.retention, tags), zone)
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
