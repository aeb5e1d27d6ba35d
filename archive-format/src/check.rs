//! Checks a repository: its log, signatures, manifests and packs, and on demand every object.

mod log;
mod manifests;
mod objects;
pub(crate) mod packs;
mod touched;

use std::collections::BTreeSet;

use crate::pack::Class;
use crate::repository::Inner;
use crate::storage::StorageFault;
use crate::{Address, Error, LineKey, PackName, Repository, SnapshotId};

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
    let inner = &repository.inner;
    if depth == Depth::ReadData {
        // Told before hours of reading, not after.
        inner.objects.keys(Class::Files)?;
    }
    let mut check = Checking {
        inner,
        depth,
        events,
        report: CheckReport::default(),
        findings: Vec::new(),
    };
    check.log().await?;
    check.packs().await?;
    check.manifests(repository).await?;
    check.settle(repository).await?;
    Ok(check.report)
}

/// A check under way.
struct Checking<'a> {
    inner: &'a Inner,
    depth: Depth,
    events: &'a mut (dyn FnMut(Event) + Send),
    report: CheckReport,
    findings: Vec<Finding>,
}

/// Damage that was found; what it touches is found out at the end, for all of it at once.
#[derive(Debug)]
struct Finding {
    name: String,
    reason: String,
    snapshots: Vec<SnapshotId>,
    items: Vec<(SnapshotId, LineKey)>,
    /// The pack whose objects are lost by it.
    pack: Option<PackName>,
    /// Which of them; none means all.
    objects: Option<BTreeSet<Address>>,
}

impl Finding {
    fn new(name: impl ToString, reason: impl ToString) -> Self {
        Self {
            name: name.to_string(),
            reason: reason.to_string(),
            snapshots: Vec::new(),
            items: Vec::new(),
            pack: None,
            objects: None,
        }
    }
}

impl Checking<'_> {
    fn stage(&mut self, what: &'static str, total: Option<u64>) {
        (self.events)(Event::Stage { what, total });
    }

    fn done(&mut self, bytes: u64) {
        self.report.bytes += bytes;
        (self.events)(Event::Done { bytes });
    }

    fn warn(&mut self, name: impl ToString, reason: &str) {
        self.report.warnings += 1;
        (self.events)(Event::Warning {
            name: name.to_string(),
            reason: reason.to_owned(),
        });
    }
}

/// Whether the check can go on after an error: it is about bytes that were read, not about reading.
fn is_finding(error: &Error) -> bool {
    match error {
        Error::Storage(error) => matches!(
            error.fault,
            StorageFault::NotFound | StorageFault::TooLarge | StorageFault::TooShort
        ),
        Error::Json { .. } | Error::Limit { .. } | Error::Line { .. } => true,
        Error::UnknownVersion { .. } | Error::UnknownFlag { .. } | Error::NoKey(_) => true,
        error => error.is_damage(),
    }
}
