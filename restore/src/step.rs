//! One act of a restore, as a value: what is done with which item, where to, and why. A step holds names, sizes and
//! addresses, never a document or a secret.

use serde::{Deserialize, Serialize};
use workspace::ItemId;

/// What a step does, in the words of the plan's table and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The item is made in the target, its bytes first.
    Create,
    /// Only bytes are written: a notebook, a file.
    Upload,
    /// The document is there; missing bytes go back to the place that it names.
    Repair,
    /// The target has it already, or the options say to leave it.
    Skip,
    /// References to it lead to something that the target has of its own.
    Map,
    /// A person must do something that mlark cannot.
    Manual,
    /// It cannot be brought into this target.
    Impossible,
}

impl Action {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Upload => "upload",
            Self::Repair => "repair",
            Self::Skip => "skip",
            Self::Map => "map",
            Self::Manual => "manual",
            Self::Impossible => "impossible",
        }
    }

    /// Whether the step changes something in the target.
    pub fn changes(self) -> bool {
        matches!(self, Self::Create | Self::Upload | Self::Repair)
    }
}

/// How a step is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Nothing is written.
    Nothing,
    /// The workspace itself is made, before the rest is planned anew.
    Workspace,
    /// Bytes to the place that the rewritten document names, then the document.
    Document,
    /// Bytes through a pending upload, then the document that names the place given.
    Code,
    /// An MLflow run with parameters, metrics and artifacts.
    Run,
    /// Bytes alone.
    Files,
    /// A job that had not ended, submitted again from its specification.
    Resubmit,
    /// The times of a directory once more: they moved when entries were made in it.
    Times,
    /// The document once more, now with `isArchived`: a service takes that only for what exists.
    Archive,
    /// The document once more, now with the fields that name what lies below the item: the traffic of an endpoint.
    Finish,
}

/// One act of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1; steps stand in the order in which they are done.
    pub step: u32,
    /// The item of the snapshot.
    pub item: ItemId,
    /// What is done.
    pub action: Action,
    /// How.
    pub work: Work,
    /// The item in the target. For a job the run that it becomes, by the job's own name until the run exists.
    pub target: ItemId,
    /// Why this is done, for people.
    pub reason: String,
    /// The numbers of the steps that must have succeeded before.
    pub needs: Vec<u32>,
    /// The numbers of the steps that must have ended before, well or not.
    pub after: Vec<u32>,
    /// Whether files that are there are written over.
    pub overwrite: bool,
    /// How many files are written at most.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}
