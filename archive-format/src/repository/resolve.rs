//! What a snapshot's name means.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::{Error, Outcome, Resolved, SnapshotId, SnapshotRecord};

/// Finds the snapshot that a name means among those given, which are in the log's order. A suspect one that was
/// accepted counts as complete.
pub(super) fn resolve(
    mut snapshots: Vec<SnapshotRecord>,
    accepted: &[SnapshotId],
    name: &str,
) -> Result<Resolved, Error> {
    let as_they_are = snapshots.clone();
    for record in &mut snapshots {
        if record.outcome == Outcome::Suspect && accepted.contains(&record.id) {
            record.outcome = Outcome::Complete;
        }
    }
    let mut found = find(&snapshots, name)?;
    if let Some(record) = as_they_are
        .into_iter()
        .find(|record| record.id == found.record.id)
    {
        found.record = record;
    }
    Ok(found)
}

fn find(snapshots: &[SnapshotRecord], name: &str) -> Result<Resolved, Error> {
    if name == "latest" {
        return latest(snapshots, name, only_workspace(snapshots, name)?);
    }
    if let Some(workspace) = name.strip_prefix("latest:") {
        return latest(snapshots, name, workspace);
    }
    if let Some(workspace) = name.strip_prefix("latest-any:") {
        return newest(snapshots, workspace, |_| true).ok_or_else(|| unknown(name));
    }
    if let Some((workspace, time)) = name.rsplit_once('@') {
        let time = parse_time(time).ok_or_else(|| unknown(name))?;
        return newest(snapshots, workspace, |record| {
            record.started <= time && record.outcome == Outcome::Complete
        })
        .or_else(|| {
            newest(snapshots, workspace, |record| {
                record.started <= time && record.outcome == Outcome::Partial
            })
            .map(|found| Resolved {
                partial_fallback: true,
                ..found
            })
        })
        .ok_or_else(|| unknown(name));
    }
    by_prefix(snapshots, name)
}

fn unknown(name: &str) -> Error {
    Error::SnapshotUnknown {
        name: name.chars().take(200).collect(),
    }
}

fn only_workspace<'a>(snapshots: &'a [SnapshotRecord], name: &str) -> Result<&'a str, Error> {
    let mut workspaces: Vec<&str> = snapshots
        .iter()
        .map(|record| record.workspace.as_str())
        .collect();
    workspaces.sort_unstable();
    workspaces.dedup();
    match workspaces.as_slice() {
        [] => Err(unknown(name)),
        [only] => Ok(only),
        several => Err(Error::WorkspaceAmbiguous {
            name: name.to_owned(),
            workspaces: several.join(", "),
        }),
    }
}

/// The newest `complete` one; only where there is none the newest `partial`. Never a suspect one.
fn latest(snapshots: &[SnapshotRecord], name: &str, workspace: &str) -> Result<Resolved, Error> {
    newest(snapshots, workspace, |record| {
        record.outcome == Outcome::Complete
    })
    .or_else(|| {
        newest(snapshots, workspace, |record| {
            record.outcome == Outcome::Partial
        })
        .map(|found| Resolved {
            partial_fallback: true,
            ..found
        })
    })
    .ok_or_else(|| unknown(name))
}

fn newest(
    snapshots: &[SnapshotRecord],
    workspace: &str,
    fits: impl Fn(&SnapshotRecord) -> bool,
) -> Option<Resolved> {
    snapshots
        .iter()
        .filter(|record| record.workspace == workspace && fits(record))
        .max_by_key(|record| (record.started, record.finished))
        .map(|record| Resolved {
            record: record.clone(),
            partial_fallback: false,
        })
}

/// RFC 3339; the seconds may be left out, as may the time of day (then the end of that day in UTC is meant).
fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Some(minutes) = text.strip_suffix('Z')
        && let Ok(time) = format!("{minutes}:00Z").parse()
    {
        return Some(time);
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    day.at(23, 59, 59, 999_999_999)
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|time| time.timestamp())
}

fn by_prefix(snapshots: &[SnapshotRecord], name: &str) -> Result<Resolved, Error> {
    let wanted = name.to_ascii_uppercase();
    let found: Vec<&SnapshotRecord> = snapshots
        .iter()
        .filter(|record| !wanted.is_empty() && record.id.to_string().starts_with(&wanted))
        .collect();
    match found.as_slice() {
        [] => Err(unknown(name)),
        [only] => Ok(Resolved {
            record: (*only).clone(),
            partial_fallback: false,
        }),
        several => Err(Error::SnapshotAmbiguous {
            name: name.to_owned(),
            candidates: several
                .iter()
                .take(5)
                .map(|record| record.id.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}
