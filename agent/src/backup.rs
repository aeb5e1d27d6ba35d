//! One backup of one workspace, from its configuration entry to the report: lock, connection, policy, pipeline. Both
//! `mlark backup` and the daemon run it. It prints nothing.

use archive_format::{Repository, RunId, RunOutcome};
use jiff::Timestamp;
use workspace::Selection;
use workspace::azure::Observer as Wire;

use crate::capture::{self, Guard, KnownGap, Observer, Policy, Report, STOPPED_EARLY};
use crate::config::read::known_until;
use crate::config::{self};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::keeping;
use crate::lock::WorkspaceLock;
use crate::place::{Source, data_kind};
use crate::session::Session;

/// What is asked of a backup besides its configuration entry.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Selectors of what is taken; empty: everything.
    pub only: Vec<String>,
    /// Selectors of what is left out besides what the entry leaves out.
    pub exclude: Vec<String>,
    /// Trusts no validator and no settled job.
    pub full: bool,
    /// Tags of the snapshot.
    pub tags: Vec<String>,
    /// Only lists and counts.
    pub dry_run: bool,
}

/// Backs up one workspace. The run began when its maker says: to open a workspace may take long. One that could not even
/// open it stands in the catalogue as failed, and one that was stopped meanwhile as stopped.
pub async fn back_up(
    session: &Session,
    repository: &Repository,
    entry: &config::Workspace,
    wishes: &Wishes,
    started: Timestamp,
    observer: &dyn Observer,
    wire: Option<Wire>,
) -> Result<Report, Failure> {
    let policy = Policy {
        began: Some(started),
        ..policy(session, entry, wishes)?
    };
    let cache = session.repository_cache(repository)?;
    let _lock = WorkspaceLock::take(&cache, &entry.name)?;
    let opened = unless_stopped(session, Source::open(session, entry, wire));
    let source = match opened.await {
        Ok(source) => source,
        Err(failure) => {
            if !wishes.dry_run {
                note_failed(session, repository, &entry.name, started, &failure).await;
            }
            return Err(failure);
        }
    };
    let (workspace, stop) = (source.workspace.as_ref(), &session.context.shutdown);
    let done = match capture::back_up(workspace, repository, &policy, observer, stop).await {
        // The catalogue broke under the run: opened again it is made anew, which is said, and what was stored is found.
        Err(capture::Error::Repository { source, .. }) if source.is_broken_catalogue() => {
            let repository = session.open_repository().await?;
            let done = capture::back_up(workspace, &repository, &policy, observer, stop).await;
            session.tell_late_notices(&repository);
            done
        }
        done => done,
    };
    session.tell_late_notices(repository);
    let mut report = done.map_err(|error| Failure::of_capture(&error))?;
    let period = session.config.repository.lock_period();
    if let (Some(period), Some(id)) = (period, report.snapshot) {
        let now = session.context.clock.now();
        let kept = unless_stopped(session, async {
            Ok(keeping::after(repository, id, period, now).await)
        });
        report.locks = Some(kept.await.unwrap_or_else(|failure| Err(failure.sentence())));
    }
    Ok(report)
}

/// Does what comes before a backup, and breaks off where everything is to stop: nothing is under way yet that has an end
/// worth waiting for.
pub async fn unless_stopped<T>(
    session: &Session,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = session.context.shutdown.wait() => {
            Err(Failure::new(ExitStatus::Interrupted, STOPPED_EARLY))
        }
    }
}

/// Writes the failed run into the catalogue. A catalogue that fails as well must not hide why the run failed.
pub async fn note_failed(
    session: &Session,
    repository: &Repository,
    workspace: &str,
    started: Timestamp,
    failure: &Failure,
) {
    let now = session.context.clock.now();
    let Ok(run) = RunId::new(started) else { return };
    let catalogue = repository.catalogue();
    let outcome = RunOutcome::Failed(failure.sentence());
    let noted = match catalogue.run_began(run, workspace, started).await {
        Ok(()) => catalogue.run_ended(run, now, outcome).await,
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        tracing::warn!(%error, workspace, "the failed run is not in the catalogue");
    }
}

fn policy(
    session: &Session,
    entry: &config::Workspace,
    wishes: &Wishes,
) -> Result<Policy, Failure> {
    let clock = session.context.clock.clone();
    let now = clock.now();
    let mut selectors = wishes.only.clone();
    selectors.extend(
        entry
            .exclude
            .iter()
            .chain(&wishes.exclude)
            .map(|selector| excluding(selector)),
    );
    let mut policy = Policy::new(&entry.name, clock);
    policy.selection = session.selection(&selectors)?;
    policy.full = wishes.full;
    policy.tags.clone_from(&wishes.tags);
    policy.dry_run = wishes.dry_run;
    // A dry run stores nothing, so it asks for no credential either.
    policy.secrets = entry.secrets && !wishes.dry_run;
    policy.settling = entry.settling.duration();
    policy.full_every = entry.full_every.duration();
    policy.guard = Guard {
        lost_percent: entry.guard.lost.0,
        at_least: entry.guard.at_least,
    };
    if let (Some(max), Some(kind)) = (entry.data_max, data_kind()) {
        policy.item_max.insert(kind.name, max.bytes());
    }
    for gap in &entry.known_gap {
        policy.known_gaps.push(KnownGap {
            selection: Selection::parse([&gap.selector], now)
                .map_err(|error| Failure::of_selector(&error))?,
            reason: gap.reason.clone(),
            until: known_until(gap).map_err(Failure::usage)?,
        });
    }
    Ok(policy)
}

/// `exclude` lists what is left out; a `!` in front takes something back in, as everywhere.
fn excluding(selector: &str) -> String {
    match selector.strip_prefix('!') {
        Some(kept) => kept.to_owned(),
        None => format!("!{selector}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_is_a_selector_turned_round() {
        assert_eq!(excluding("jobs[tag.keep=no]"), "!jobs[tag.keep=no]");
        assert_eq!(excluding("!jobs/golden"), "jobs/golden");
    }
}
