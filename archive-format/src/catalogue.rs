//! The catalogue: a SQLite database of this machine about one repository. It is a cache: everything in it but the
//! history of runs can be made anew from the repository.

use jiff::Timestamp;

use crate::{Error, LineKey, Outcome, SnapshotId};

/// The database. Cloning it is cheap; one thread owns the connection.
#[derive(Clone, Debug)]
pub struct Catalogue {}

/// The id of a run in the catalogue.
pub type RunId = SnapshotId;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It wrote a snapshot.
    Snapshot(SnapshotId, Outcome),
    /// It failed, and wrote none, or only partial ones before.
    Failed(String),
}

/// One run of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The workspace.
    pub workspace: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while it is under way, or when it was killed.
    pub finished: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
}

/// A gap with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapSeen {
    /// The workspace.
    pub workspace: String,
    /// The item.
    pub item: LineKey,
    /// The file or part of it.
    pub file: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether the configuration accepts it.
    pub known: bool,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
}

const LATER: Error = Error::Worker { what: "this build" };

impl Catalogue {
    /// Records that a run began.
    pub async fn run_began(
        &self,
        id: RunId,
        workspace: &str,
        started: Timestamp,
    ) -> Result<(), Error> {
        let _ = (id, workspace, started);
        Err(LATER)
    }

    /// Records how a run ended.
    pub async fn run_ended(
        &self,
        id: RunId,
        finished: Timestamp,
        outcome: RunOutcome,
    ) -> Result<(), Error> {
        let _ = (id, finished, outcome);
        Err(LATER)
    }

    /// The newest runs of a workspace (none: of all), newest first.
    pub async fn runs(&self, workspace: Option<&str>, limit: u32) -> Result<Vec<Run>, Error> {
        let _ = (workspace, limit);
        Err(LATER)
    }

    /// Records the gaps of a finished run: those seen before get a new last sight, the others of the workspace are
    /// closed.
    pub async fn gaps_seen(
        &self,
        workspace: &str,
        at: Timestamp,
        gaps: Vec<(LineKey, crate::GapEntry)>,
    ) -> Result<(), Error> {
        let _ = (workspace, at, gaps);
        Err(LATER)
    }

    /// The open gaps of a workspace (none: of all), as the last finished run saw them.
    pub async fn gaps(&self, workspace: Option<&str>) -> Result<Vec<GapSeen>, Error> {
        let _ = workspace;
        Err(LATER)
    }

    /// Whether an object is in a pack that may be named.
    pub async fn is_known(&self, address: crate::Address) -> Result<bool, Error> {
        let _ = address;
        Err(LATER)
    }
}
