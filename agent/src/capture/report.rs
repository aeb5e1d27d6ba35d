//! What a backup did, in the words of `mlark backup --json`.

use std::collections::BTreeMap;

use archive_format::{GapEntry, SnapshotId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::tally::{Outcome, Tally};
use crate::keeping::{self, Kept};
use crate::ui::amount;

/// Something that was listed and not saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The item, as the manifest names it.
    pub key: archive_format::LineKey,
    /// The item, as selectors name it; a kind alone where its listing failed.
    pub item: String,
    /// The file of the item, where it is about one.
    pub file: Option<String>,
    /// Why, in plain words.
    pub reason: String,
    /// Why the configuration accepts it, where it does.
    pub known: Option<String>,
}

impl Gap {
    /// What the manifest says of it.
    pub(super) fn entry(&self) -> GapEntry {
        GapEntry {
            file: self.file.clone(),
            reason: self.reason.clone(),
            known: self.known.is_some(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was visited.
    Complete,
    /// The run was stopped before everything was visited.
    Partial,
    /// Everything was visited, and much of what was there before is gone: why, a line each.
    Suspect(Vec<String>),
    /// Nothing was stored because nothing was to be: a dry run.
    Counted,
}

impl Ending {
    /// The word of the interface.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Suspect(_) => "suspect",
            Self::Counted => "counted",
        }
    }
}

/// Sizes of one run, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Of all files listed.
    pub listed: u64,
    /// Read from the workspace; after a dry run: to be read.
    pub read: u64,
    /// Of objects that the repository did not have.
    pub new: u64,
    /// What those take in the repository.
    pub stored: u64,
}

/// What one backup of one workspace did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The snapshot's id; none after a dry run, or where a stopped run had nothing to keep.
    pub snapshot: Option<SnapshotId>,
    /// The workspace's name.
    pub workspace: String,
    /// How it ended.
    pub ending: Ending,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Items by kind.
    pub items: BTreeMap<String, Tally>,
    /// Files by kind; `saved` means read. Directories are no files.
    pub files: BTreeMap<String, Tally>,
    /// Sizes.
    pub bytes: Bytes,
    /// Requests sent; filled in by whoever owns the connection.
    pub requests: u64,
    /// The gaps, at most [`GAPS_MAX`].
    pub gaps: Vec<Gap>,
    /// How many gaps there are beyond those in `gaps`; all of them stand in the snapshot.
    pub gaps_left_out: u64,
    /// Why kinds that this version does not know could not be looked for, where that was so.
    pub undiscovered: Option<String>,
    /// The types of what lies below items of kinds that this version does not know and cannot be listed: `quanta/parts/bits`.
    pub unreached: Vec<String>,
    /// Items that are kept whole without being known for what they are: how many by kind, or by kind and type.
    pub unfamiliar: BTreeMap<String, u64>,
    /// What became of the locks of what the snapshot refers to; none where the repository has no lock period. Filled in by
    /// whoever knows the configuration.
    pub locks: Option<Kept>,
}

/// How many gaps a report carries: it must fit into memory whatever happened.
pub const GAPS_MAX: usize = 10_000;

impl Report {
    /// All items together.
    pub fn items_total(&self) -> Tally {
        total(&self.items)
    }

    /// All files together.
    pub fn files_total(&self) -> Tally {
        total(&self.files)
    }

    /// Whether anything was listed and not saved, and nobody accepted that.
    pub fn has_gaps(&self) -> bool {
        self.gaps_left_out > 0 || self.gaps.iter().any(|gap| gap.known.is_none())
    }

    /// What a person should know of the run besides its gaps, a line each.
    pub fn remarks(&self) -> Vec<String> {
        let unfamiliar = self.unfamiliar.iter().map(|(what, count)| {
            format!(
                "{} {what}: kept whole, though this version does not know what they are",
                amount::count(*count)
            )
        });
        let undiscovered = self.undiscovered.iter().map(|why| {
            format!("Kinds that this version does not know could not be looked for: {why}; `mlark doctor --grant` prints the commands that allow it")
        });
        let unreached = self.unreached.iter().map(|path| {
            format!("What is at `{path}` in this workspace is not kept, if anything is: this version cannot list it")
        });
        unfamiliar.chain(undiscovered).chain(unreached).collect()
    }

    /// Why what the snapshot refers to is not locked as it should be, where it is not.
    pub fn lock_failure(&self) -> Option<&str> {
        self.locks.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// The document of `mlark backup --json` about this snapshot.
    pub fn to_json(&self) -> Value {
        let items: BTreeMap<&str, Value> = self
            .items
            .iter()
            .map(|(kind, tally)| (kind.as_str(), counts(tally, "saved")))
            .collect();
        let gaps: Vec<Value> = self.gaps.iter().map(gap).collect();
        let mut document = json!({
            "id": self.snapshot.map(|id| id.to_string()),
            "workspace": self.workspace,
            "outcome": self.ending.as_str(),
            "started": self.started.to_string(),
            "finished": self.finished.to_string(),
            "items": items,
            "files": counts(&self.files_total(), "read"),
            "bytes": {
                "listed": self.bytes.listed,
                "read": self.bytes.read,
                "new": self.bytes.new,
                "stored": self.bytes.stored,
            },
            "requests": self.requests,
            "gaps": gaps,
        });
        if self.gaps_left_out > 0 {
            document["gaps_left_out"] = json!(self.gaps_left_out);
        }
        if let Some(why) = &self.undiscovered {
            document["undiscovered"] = json!(why);
        }
        if !self.unreached.is_empty() {
            document["unreached"] = json!(self.unreached);
        }
        if !self.unfamiliar.is_empty() {
            document["unfamiliar"] = json!(self.unfamiliar);
        }
        if let Some(kept) = &self.locks {
            document["locks"] = keeping::value(kept);
        }
        if let Ending::Suspect(reasons) = &self.ending {
            document["suspicions"] = json!(reasons);
        }
        document
    }
}

fn total(tallies: &BTreeMap<String, Tally>) -> Tally {
    tallies
        .values()
        .fold(Tally::default(), |sum, tally| sum.plus(tally))
}

fn counts(tally: &Tally, saved: &str) -> Value {
    let mut counts = json!({
        "listed": tally.listed(),
        "unchanged": tally.count(Outcome::Unchanged),
        "excluded": tally.count(Outcome::Excluded),
        "known": tally.count(Outcome::Known),
        "failed": tally.count(Outcome::Failed),
    });
    counts[saved] = json!(tally.count(Outcome::Saved));
    counts
}

fn gap(gap: &Gap) -> Value {
    let mut document = json!({"item": gap.item, "reason": gap.reason});
    if let Some(file) = &gap.file {
        document["file"] = json!(file);
    }
    if let Some(known) = &gap.known {
        document["known"] = json!(known);
    }
    document
}
