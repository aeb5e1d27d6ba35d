//! Why a backup ended without a snapshot. What fails for one item is no error but a gap.

use super::tally::Miscount;

/// An error of a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing of the workspace could be listed.
    #[error("The workspace `{workspace}` cannot be read")]
    Unreadable {
        /// Its name.
        workspace: String,
        /// What the first listing said.
        source: Box<workspace::Error>,
    },
    /// The repository failed.
    #[error("The repository failed while `{workspace}` was backed up")]
    Repository {
        /// The workspace's name.
        workspace: String,
        /// What failed.
        source: Box<archive_format::Error>,
    },
    /// Something was listed and nothing became of it: a defect, for which no snapshot is called complete.
    #[error("The count of {what} does not add up")]
    Count {
        /// Of which kind, items or files.
        what: String,
        /// The numbers.
        source: Miscount,
    },
    /// The temporary database failed.
    #[error("The run's temporary database failed")]
    Staging {
        /// Why.
        source: rusqlite::Error,
    },
    /// Something could not be put into the temporary database or taken out of it.
    #[error("The run's temporary database holds something unreadable")]
    Remember {
        /// Why.
        source: serde_json::Error,
    },
    /// A worker of this process ended before its answer.
    #[error("A worker ended before it was done")]
    Worker,
}
