//! What a page shows: the repository as it was opened last, brought up to date once in a while, and the daemon's plans.
//! A repository that cannot be reached keeps nobody waiting: what is known of it is shown, and that it is old is said.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive_format::Repository;
use jiff::Timestamp;

use super::lock;
use crate::failure::Failure;
use crate::session::Session;

/// How old what is shown may be before the repository is asked again.
const FRESH: Duration = Duration::from_secs(30);
/// How long a page waits for that.
const WAIT: Duration = Duration::from_secs(5);

/// What the daemon is about to do.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Plans {
    /// Workspaces of runs under way.
    pub(in crate::daemon) running: Vec<String>,
    /// When each workspace runs next, and how much later than its schedule that is.
    pub(in crate::daemon) turns: Vec<(String, Option<Timestamp>, Duration)>,
}

impl Plans {
    /// How much later than its schedule a workspace runs.
    pub(super) fn delay(&self, workspace: &str) -> Duration {
        self.turns
            .iter()
            .find(|(name, _, _)| name == workspace)
            .map_or(Duration::ZERO, |(_, _, delay)| *delay)
    }

    /// When it runs next.
    pub(super) fn next(&self, workspace: &str) -> Option<Timestamp> {
        let turn = self.turns.iter().find(|(name, _, _)| name == workspace);
        turn.and_then(|(_, next, _)| *next)
    }
}

/// Where pages come from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    session: Session,
    repository: Repository,
    /// When it was brought up to date last; held while that is done.
    fresh: Arc<tokio::sync::Mutex<Timestamp>>,
    /// Why it could not be.
    stale: Arc<Mutex<Option<String>>>,
}

impl Source {
    /// A repository that was opened just now.
    pub(super) fn new(session: &Session, repository: &Repository) -> Self {
        Self {
            session: session.clone(),
            repository: repository.clone(),
            fresh: Arc::new(tokio::sync::Mutex::new(session.context.clock.now())),
            stale: Arc::default(),
        }
    }

    /// What a page shows now.
    pub(super) async fn view(self, plans: Plans) -> View {
        let now = self.session.context.clock.now();
        self.refresh(now).await;
        let stale = lock(&self.stale).clone();
        View {
            session: self.session,
            repository: self.repository,
            plans,
            stale,
            now,
        }
    }

    /// Brings the repository up to date, unless that is being done or was done lately. What takes long goes on without
    /// the page, since a refresh is not to be broken off half-way.
    async fn refresh(&self, now: Timestamp) {
        let Ok(mut fresh) = Arc::clone(&self.fresh).try_lock_owned() else {
            return;
        };
        if now.duration_since(*fresh).unsigned_abs() < FRESH {
            return;
        }
        let (session, repository) = (self.session.clone(), self.repository.clone());
        let stale = Arc::clone(&self.stale);
        let work = tokio::spawn(async move {
            let outcome = repository.refresh().await;
            *fresh = session.context.clock.now();
            *lock(&stale) = match outcome {
                Ok(notices) => {
                    session.tell_notices(&notices);
                    None
                }
                Err(error) => Some(Failure::of_archive(&error).sentence()),
            };
        });
        if tokio::time::timeout(WAIT, work).await.is_err() {
            tracing::debug!("the repository answers slowly; the page shows what is known");
        }
    }
}

/// What a page shows.
#[derive(Debug)]
pub(super) struct View {
    /// Configuration and clock.
    pub(super) session: Session,
    /// The repository.
    pub(super) repository: Repository,
    /// The daemon's plans.
    pub(super) plans: Plans,
    /// Why the repository could not be brought up to date.
    pub(super) stale: Option<String>,
    /// The time.
    pub(super) now: Timestamp,
}
