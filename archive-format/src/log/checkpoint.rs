//! The state that the log has at a number, so that a reader of a long log can begin there. Derived: whatever it says
//! follows from the entries, and a reader needs none.
//!
//! This version writes none and reads the log whole. A checkpoint is stored as an entry is: a signed line, then this
//! record, encrypted to the meta recipient.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Hold, Keys};
use crate::{Address, EntryHash, PackName, SnapshotId};

/// What lives at an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The entry up to which it counts.
    pub entry: u64,
    /// That entry's hash.
    pub hash: EntryHash,
    /// Snapshots that are not forgotten, with the numbers of their entries.
    pub snapshots: Vec<(SnapshotId, u64)>,
    /// Of these, the suspect ones that were accepted.
    pub accepted: Vec<SnapshotId>,
    /// Of these, the protected ones.
    pub protected: Vec<SnapshotId>,
    /// Objects that list all names that were ever swept, as a snapshot's `pack_list` does.
    pub swept: Vec<Address>,
    /// The packs that hold `swept`.
    pub swept_packs: Vec<PackName>,
    /// Keys and signers, all that were ever introduced.
    pub keys: Keys,
    /// Holds that have not ended.
    pub holds: Vec<Hold>,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
