//! What a drill proves: that a snapshot was restored, by whom, from which state of the log, how long it took and what the
//! comparison afterwards found. The entry's own signature covers it, so it is evidence as long as the log is whole.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntryHash, SnapshotId};

/// A restore that was made to see that one can be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// The workspace whose snapshot it was.
    pub workspace: String,
    /// The snapshot; of a sealed export the one that it holds.
    pub snapshot: SnapshotId,
    /// The id of the sealed export that it was restored from; absent where it was the repository itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// How the seal of that export was judged; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<SealJudgement>,
    /// The head of the log when it began.
    pub head: LogHead,
    /// The name of the machine that did it.
    pub machine: String,
    /// The name of the user who did it, where the machine says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it was restored into, for people: a folder, or a workspace's address.
    pub into: String,
    /// When the restore began.
    pub started: Timestamp,
    /// When the comparison ended.
    pub finished: Timestamp,
    /// How long planning and restoring took.
    pub restore_milliseconds: u64,
    /// How long the comparison took.
    pub verify_milliseconds: u64,
    /// Items compared.
    pub items: u64,
    /// Files compared.
    pub files: u64,
    /// Bytes of the files restored.
    pub bytes: u64,
    /// Losses that the plan foretold.
    pub losses: u64,
    /// Items and files that differ or are missing, and that nobody foretold.
    pub differences: u64,
    /// How it ended.
    pub outcome: DrillOutcome,
    /// Why, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How the seal of an export was judged, before anything was restored from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealJudgement {
    /// All of it is as it was written.
    Good,
    /// Something could not be judged: no key is named whose signature counts, or a time stamp has not come.
    Open,
    /// It is not what the log names, what it names is not there, or the export's key is lost.
    Bad,
}

impl SealJudgement {
    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }
}

/// Where a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// The number of the last entry.
    pub entry: u64,
    /// The SHA-256 of its stored bytes.
    pub hash: EntryHash,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillOutcome {
    /// What was restored is what the snapshot holds.
    Same,
    /// It differs only where the plan said so.
    AsPlanned,
    /// It differs.
    Different,
    /// It could not be restored or compared.
    Failed,
}

impl DrillOutcome {
    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::AsPlanned => "as-planned",
            Self::Different => "different",
            Self::Failed => "failed",
        }
    }

    /// Whether it shows that the snapshot can be restored.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Same | Self::AsPlanned)
    }
}
