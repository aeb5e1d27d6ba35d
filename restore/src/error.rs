//! What can go wrong with a restore as a whole. What goes wrong with one step is a row of its report, not an error.

/// Whatever caused an error further down.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What was read of an export is not what was exported: always the cause of another error.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// Of a sealed export.
    #[error("{0}")]
    Sealed(String),
    /// Of an exported folder.
    #[error("{0}")]
    Folder(String),
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A word that an option does not know.
    #[error("`{value}` is no value of {option}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
    },

    /// A plan that cannot be written down.
    #[error("Cannot write the plan as JSON")]
    SavePlan(#[source] serde_json::Error),

    /// A plan file that is none.
    #[error("Cannot read the plan file")]
    ReadPlan(#[source] serde_json::Error),

    /// A plan file of another version.
    #[error("The plan file has edition {found}; this version reads edition {known}")]
    PlanEdition {
        /// The edition in the file.
        found: u32,
        /// The one known.
        known: u32,
    },

    /// The plan was made for another snapshot or target.
    #[error("The plan is for {what} {planned}, not {given}")]
    OtherPlan {
        /// `snapshot` or `target`.
        what: &'static str,
        /// What the plan names.
        planned: String,
        /// What is at hand.
        given: String,
    },

    /// The target is no longer what the plan saw.
    #[error("{count} of the plan's items changed in the target since it was made, first {first}")]
    Changed {
        /// How many changed.
        count: usize,
        /// The first of them.
        first: String,
    },

    /// The repository is damaged and has lost what the plan needs; nothing was changed.
    #[error("The repository has lost {count} of the things that the plan needs, first {first}")]
    Lost {
        /// How many documents and files.
        count: usize,
        /// The first of them.
        first: String,
    },

    /// A mapping file that cannot be used.
    #[error("The mapping cannot be used")]
    Mapping(#[source] workspace::Error),

    /// Selectors that cannot be read.
    #[error("A selector cannot be used")]
    Selection(#[source] workspace::Error),

    /// An exported folder of another version.
    #[error("The folder has edition {found}; this version reads edition {known}")]
    FolderEdition {
        /// The edition in the folder.
        found: u32,
        /// The one known.
        known: u32,
    },

    /// The snapshot cannot be read.
    #[error("Cannot read {what} from the snapshot")]
    Snapshot {
        /// What was read: `the list of items`, an item, a file.
        what: String,
        /// The cause.
        source: Cause,
    },

    /// The target cannot be read.
    #[error("Cannot read {what} from the target")]
    Target {
        /// What was read: a kind, an item.
        what: String,
        /// The cause.
        source: Cause,
    },

    /// The target is not there, and nobody asked for it to be made.
    #[error("{workspace} is not there: {said}")]
    NoWorkspace {
        /// The workspace.
        workspace: String,
        /// What the service said.
        said: String,
    },

    /// A workspace of the target's name was deleted and can be recovered; its name is taken until then.
    #[error("{workspace} was deleted softly and holds its name")]
    SoftlyDeleted {
        /// The workspace.
        workspace: String,
        /// The command that recovers it.
        command: String,
    },

    /// What a workspace names beside itself is not there or not said, so that it is not made; nothing was changed.
    #[error(
        "The workspace cannot be made: {count} of the things that it needs are missing, first {first}"
    )]
    Beside {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
        /// The command that makes it.
        command: String,
    },

    /// The workspace could not be made.
    #[error("Cannot make {workspace}")]
    Create {
        /// The workspace.
        workspace: String,
        /// What the service said.
        source: Cause,
    },

    /// Planned anew in the workspace that was made, the restore is another than the one that was shown.
    #[error(
        "The workspace is there, and planned anew the restore is another than the one that was shown: first `{now}` in place of `{shown}`"
    )]
    OtherThanShown {
        /// The first step that is another, as it was shown.
        shown: String,
        /// The same as it is now.
        now: String,
    },

    /// An export cannot be written.
    #[error("Cannot write {what}")]
    Export {
        /// Which part of it: a file's name.
        what: String,
        /// The cause.
        source: Cause,
    },

    /// An export of another edition.
    #[error("The export has edition {found}; this version reads edition {known}")]
    ExportEdition {
        /// The edition in its seal.
        found: u32,
        /// The one known.
        known: u32,
    },

    /// The target's lock cannot be had.
    #[error("Another restore works on {target}")]
    Busy {
        /// The target.
        target: String,
        /// What the lock says.
        source: Option<Cause>,
    },

    /// The journal cannot be read or written.
    #[error("Cannot {act} in the journal {path}")]
    Journal {
        /// What was done.
        act: &'static str,
        /// The file.
        path: String,
        /// The cause.
        source: Cause,
    },
}

impl Error {
    /// Whether what was read is not what was written, and not only out of reach.
    pub fn is_damage(&self) -> bool {
        let Some(cause) = std::error::Error::source(self) else {
            return false;
        };
        let of_archive = cause.downcast_ref::<archive_format::Error>();
        let of_storage = cause.downcast_ref::<archive_format::StorageError>();
        cause.is::<Damaged>()
            || of_archive.is_some_and(archive_format::Error::is_damage)
            || of_storage.is_some_and(archive_format::StorageError::is_of_wrong_length)
    }

    /// Reading something from the snapshot failed.
    pub(crate) fn snapshot(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Snapshot {
            what: what.into(),
            source: source.into(),
        }
    }

    /// Writing something of an export failed.
    pub(crate) fn export(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Export {
            what: what.into(),
            source: source.into(),
        }
    }

    /// Reading something from the target failed.
    pub(crate) fn target(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Target {
            what: what.into(),
            source: source.into(),
        }
    }
}
