//! The record of a snapshot, as its log entry carries it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ulid::Ulid;

use crate::{Address, Error, Original, PackName};

/// The id of a snapshot: a ULID, so that ids sort by the time when the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(Ulid);

impl SnapshotId {
    /// A new id for a run that began at this time.
    pub fn new(started: Timestamp) -> Result<Self, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Worker {
            what: "the source of random bytes",
        })?;
        let millis = u64::try_from(started.as_millisecond()).unwrap_or(0);
        Ok(Self(Ulid::from_parts(millis, u128::from_be_bytes(random))))
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SnapshotId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ulid::from_string(text).map(Self).map_err(|_| Error::Id {
            what: "a snapshot id",
            text: text.chars().take(80).collect(),
        })
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.to_string()
    }
}

/// How a run ended that wrote a snapshot. A failed run writes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was visited; gaps are allowed.
    Complete,
    /// The run is not finished.
    #[default]
    Partial,
    /// Too much is missing or different; a person must accept it.
    Suspect,
}

impl Outcome {
    /// The word in the log and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Suspect => "suspect",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Items of one kind: `listed = saved + unchanged + excluded + known + failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KindCounts {
    /// Seen in the listing or found by a reference.
    pub listed: u64,
    /// Stored anew.
    pub saved: u64,
    /// As in the snapshot before.
    pub unchanged: u64,
    /// Left out by the configuration.
    pub excluded: u64,
    /// Gaps that the configuration accepts.
    pub known: u64,
    /// Gaps.
    pub failed: u64,
}

/// Files: `listed = read + unchanged + excluded + known + failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileCounts {
    /// Seen in a listing.
    pub listed: u64,
    /// Read and stored or found known.
    pub read: u64,
    /// As in the snapshot before, not read.
    pub unchanged: u64,
    /// Left out by the configuration.
    pub excluded: u64,
    /// Gaps that the configuration accepts.
    pub known: u64,
    /// Gaps.
    pub failed: u64,
}

/// Bytes of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ByteCounts {
    /// The sum of the sizes of all files listed.
    pub listed: u64,
    /// Read from the workspace.
    pub read: u64,
    /// Of these, in objects that the repository did not have.
    pub new: u64,
    /// What the new packs take in the repository.
    pub stored: u64,
}

/// What a snapshot entry of the log holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Its id.
    pub id: SnapshotId,
    /// The run that wrote it: several snapshots of one run (partial ones, then the last) share it.
    pub run: SnapshotId,
    /// The workspace's name in the configuration.
    pub workspace: String,
    /// What names the workspace at its source. Opaque here.
    pub identity: Value,
    /// When the run began.
    pub started: Timestamp,
    /// When this snapshot was committed.
    pub finished: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Items by kind.
    #[serde(default)]
    pub items: BTreeMap<String, KindCounts>,
    /// Files.
    #[serde(default)]
    pub files: FileCounts,
    /// Bytes.
    #[serde(default)]
    pub bytes: ByteCounts,
    /// Requests sent to the workspace's services.
    #[serde(default)]
    pub requests: u64,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The program that wrote it, such as `mlark 0.1.0`.
    pub program: String,
    /// The object that is the root of the manifest.
    pub manifest: Address,
    /// How many lines the manifest has.
    pub lines: u64,
    /// The objects that list all packs that the snapshot needs, in order.
    pub pack_list: Vec<Address>,
    /// The packs that hold `pack_list`.
    pub pack_list_packs: Vec<PackName>,
    /// How many packs `pack_list` names.
    pub packs: u64,
    /// What it is a copy of, where it came from another repository. Times, counts and tags are then those of the run
    /// that made the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// Fields of whoever made it ([`crate::Commit::more`]), and those that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl SnapshotRecord {
    /// Refuses a manifest of so many lines where the record says otherwise.
    pub(crate) fn expect_lines(&self, lines: u64) -> Result<(), Error> {
        if lines == self.lines {
            return Ok(());
        }
        Err(Error::Json {
            what: "a manifest".to_owned(),
            reason: format!("it has {lines} lines, and its snapshot says {}", self.lines),
        })
    }

    /// How many items it holds: saved and unchanged ones of all kinds.
    pub fn item_count(&self) -> u64 {
        let counts = self.items.values();
        counts
            .map(|counts| counts.saved.saturating_add(counts.unchanged))
            .fold(0, u64::saturating_add)
    }
}

/// What a snapshot's name resolved to.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The snapshot.
    pub record: SnapshotRecord,
    /// Whether a `partial` one was taken since the workspace has no `complete` one; to be said to the user.
    pub partial_fallback: bool,
}
