//! The workspaces of a configuration by name, patterns as what they mean now. Azure need not answer for the daemon to
//! start: a pattern that cannot be listed means the workspaces that it had when they were backed up last.

use std::collections::BTreeMap;

use archive_format::Repository;

use crate::command::undelete::home;
use crate::config;
use crate::failure::Failure;
use crate::gone;
use crate::session::Session;

/// Workspaces by name.
pub(super) type Roster = BTreeMap<String, config::Workspace>;

/// What the configuration means now; asks Azure where there are patterns.
pub(super) async fn found(session: &Session) -> Result<Roster, Failure> {
    let all = session.expand(&session.config.workspace).await?;
    Ok(by_name(all))
}

/// The same, with what is known from before where Azure does not answer; that is said.
pub(super) async fn known(session: &Session, repository: &Repository) -> Result<Roster, Failure> {
    let mut roster = Roster::new();
    for entry in &session.config.workspace {
        match session.expand(std::slice::from_ref(entry)).await {
            Ok(all) => roster.extend(by_name(all)),
            Err(failure) => {
                session.ui.complain(&failure);
                roster.extend(seen_of(session, entry, repository).await?);
            }
        }
    }
    Ok(roster)
}

/// Names that only one of two rosters has: those of the newer, those of the older.
pub(super) fn changes(before: &Roster, now: &Roster) -> (Vec<String>, Vec<String>) {
    let only = |one: &Roster, other: &Roster| -> Vec<String> {
        let names = one.keys().filter(|name| !other.contains_key(*name));
        names.cloned().collect()
    };
    (only(now, before), only(before, now))
}

/// Remembers which workspaces of patterns are not there any more, and tells of those that were not told of before.
pub(super) async fn note_gone(
    session: &Session,
    repository: &Repository,
    roster: &Roster,
    told: &[String],
) -> Result<(), Failure> {
    let there = roster.keys().map(String::as_str).collect();
    let mut went = gone::note(session, repository, &there).await?;
    went.retain(|name| !told.contains(name));
    for name in &went {
        gone::tell(session, name);
    }
    Ok(())
}

fn by_name(all: Vec<config::Workspace>) -> Roster {
    all.into_iter().map(|one| (one.name.clone(), one)).collect()
}

/// The workspaces that an entry had when they were backed up last.
async fn seen_of(
    session: &Session,
    entry: &config::Workspace,
    repository: &Repository,
) -> Result<Roster, Failure> {
    let history = repository.history().await;
    let history = history.map_err(|error| Failure::of_archive(&error))?;
    let gone = gone::known(session, repository).await?;
    let mut seen = Roster::new();
    for record in history
        .iter()
        .filter(|record| !gone.contains(&record.workspace))
    {
        let own = session.entry_of(&record.workspace);
        if own.is_some_and(|own| own.name == entry.name)
            && let Ok(url) = home(session, record)
        {
            let one = config::Workspace {
                name: record.workspace.clone(),
                url,
                ..entry.clone()
            };
            seen.insert(record.workspace.clone(), one);
        }
    }
    Ok(seen)
}
