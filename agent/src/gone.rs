//! Workspaces of a pattern that nothing of that name fits any more: deleted, renamed, or no longer seen by this machine's
//! identity, which a list cannot tell apart. That is told once; from then on nobody waits for their next backup, and their
//! snapshots stay. Which they are is kept in a small file beside the catalogue, since only who lists patterns knows.

use std::collections::BTreeSet;
use std::path::PathBuf;

use archive_format::{Repository, SnapshotRecord};

use crate::failure::Failure;
use crate::remembered;
use crate::session::Session;
use crate::session::patterns::pattern;

/// Those that were gone when patterns were looked at last.
pub async fn known(
    session: &Session,
    repository: &Repository,
) -> Result<BTreeSet<String>, Failure> {
    let kept: Option<BTreeSet<String>> = remembered::read(&file(session, repository)?).await;
    let mut kept = kept.unwrap_or_default();
    // The configuration may name one by itself by now.
    kept.retain(|name| is_of_pattern(session, name));
    Ok(kept)
}

/// Takes note of the workspaces that are there, all of the configuration. Gives those that went since the last time.
pub async fn note(
    session: &Session,
    repository: &Repository,
    there: &BTreeSet<&str>,
) -> Result<Vec<String>, Failure> {
    let before = known(session, repository).await?;
    let history = repository.history().await;
    let history = history.map_err(|error| Failure::of_archive(&error))?;
    let gone = among(session, &history, there);
    if gone != before {
        let file = file(session, repository)?;
        if let Err(error) = remembered::keep(&file, &gone).await {
            session.ui.warn(&format!(
                "{} cannot be written: {error}; workspaces that are gone may be called late",
                file.display()
            ));
        }
    }
    Ok(gone.difference(&before).cloned().collect())
}

/// Says it.
pub fn tell(session: &Session, name: &str) {
    session.ui.warn(&format!(
        "{name}: the workspace is not there any more, or this machine may not see it; its snapshots stay"
    ));
}

fn among(
    session: &Session,
    history: &[SnapshotRecord],
    there: &BTreeSet<&str>,
) -> BTreeSet<String> {
    let names = history.iter().map(|record| record.workspace.as_str());
    names
        .filter(|name| !there.contains(name) && is_of_pattern(session, name))
        .map(str::to_owned)
        .collect()
}

fn is_of_pattern(session: &Session, name: &str) -> bool {
    let entry = session.entry_of(name);
    entry.is_some_and(|entry| entry.name != name && pattern(&entry.url).is_some())
}

fn file(session: &Session, repository: &Repository) -> Result<PathBuf, Failure> {
    Ok(session.repository_cache(repository)?.join("gone.json"))
}
