//! Checks a repository: its log, signatures, manifests and packs, and on demand every object.

use crate::{Error, LineKey, Repository, SnapshotId};

/// How deep a check goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The log's chain and signatures, manifests, that every pack is there and has the digest that is its name.
    Structure,
    /// And every object is opened and hashed. Needs an owner's key.
    ReadData,
}

/// What a check tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stage begins: what it reads and how many there are, where known.
    Stage {
        /// What is checked: `log`, `packs`, `manifests`, `objects`.
        what: &'static str,
        /// How many.
        total: Option<u64>,
    },
    /// One more of the stage is done, with so many bytes.
    Done {
        /// Bytes read for it.
        bytes: u64,
    },
    /// Damage was found.
    Damage(Damage),
    /// Something is odd and harms nothing: a foreign file, a pack that no snapshot needs.
    Warning {
        /// The file.
        name: String,
        /// What is odd.
        reason: String,
    },
}

/// Damage, and what it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file of the repository.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
    /// Snapshots that it touches.
    pub snapshots: Vec<SnapshotId>,
    /// Items that it touches, each with the newest snapshot in which it does; at most 1,000 are listed.
    pub items: Vec<(SnapshotId, LineKey)>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// All damage.
    pub damages: Vec<Damage>,
    /// Odd things.
    pub warnings: u64,
    /// Log entries read.
    pub entries: u64,
    /// Packs read.
    pub packs: u64,
    /// Manifest lines read.
    pub lines: u64,
    /// Objects opened.
    pub objects: u64,
    /// Bytes read from the storage.
    pub bytes: u64,
}

impl CheckReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }
}

/// Checks a repository. An error means that the check could not go on; damage is in the report.
pub async fn check(
    repository: &Repository,
    depth: Depth,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<CheckReport, Error> {
    let _ = (repository, depth, events);
    Err(Error::Worker { what: "this build" })
}
