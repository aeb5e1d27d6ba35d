//! Checks a repository: its log, signatures, manifests and packs, and on demand every object; and repairs what can be
//! repaired by adding alone. It never changes, moves or deletes a file of the repository.

mod checkpoints;
mod cover;
mod exports;
mod finding;
mod index;
mod log;
mod manifests;
mod objects;
pub(crate) mod packs;
mod repair;
mod subset;
mod touched;

pub use self::finding::Damage;
pub use self::repair::{Repaired, repair};
pub use self::subset::Subset;
pub use self::touched::remembered;

use std::collections::BTreeSet;

use self::cover::Covers;
use self::finding::Finding;
use crate::pack::Class;
use crate::repository::Inner;
use crate::storage::StorageFault;
use crate::{Error, PackName, Repository, SnapshotId};

/// How deep a check goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The log's chain and signatures, key files, manifests and what they name, that every pack and index is there with
    /// the right size. The machine's key is enough.
    Structure,
    /// And every pack has the digest that is its name, and its index is its own table where the keys open it.
    Digests,
    /// And every object is opened and hashed. Needs an owner's key.
    ReadData,
    /// [`Depth::Structure`], and [`Depth::ReadData`] of some of the packs.
    ReadSubset(Subset),
}

impl Depth {
    /// Whether objects are opened.
    pub fn reads_data(self) -> bool {
        matches!(self, Self::ReadData | Self::ReadSubset(_))
    }
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
    /// Packs that were to be read and are archived: nothing is said of their bytes.
    pub archived: u64,
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
    let mut check = match Checking::new(&repository.inner, depth, &mut *events) {
        Ok(check) => check,
        // The key may be right, and the file that it opens damaged: then that is told.
        Err(error @ Error::NoKey(_)) => {
            if repository.inner.damaged_key_file().await?.is_none() {
                return Err(error);
            }
            Checking::new(&repository.inner, Depth::Digests, events)?
        }
        Err(error) => return Err(error),
    };
    check.look(repository).await?;
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
    /// Packs whose every byte was read and is right.
    whole: BTreeSet<PackName>,
    /// Packs that cannot be read before they are brought back.
    archived: BTreeSet<PackName>,
    covers: Covers,
}

impl<'a> Checking<'a> {
    fn new(
        inner: &'a Inner,
        depth: Depth,
        events: &'a mut (dyn FnMut(Event) + Send),
    ) -> Result<Self, Error> {
        if depth.reads_data() {
            // Told before hours of reading, not after.
            inner.objects.keys(Class::Files)?;
        }
        Ok(Self {
            inner,
            depth,
            events,
            report: CheckReport::default(),
            findings: Vec::new(),
            whole: BTreeSet::new(),
            archived: BTreeSet::new(),
            covers: Covers::default(),
        })
    }

    /// Looks at everything; what was found is in `findings`.
    async fn look(&mut self, repository: &Repository) -> Result<(), Error> {
        self.log().await?;
        self.exports().await?;
        self.packs().await?;
        self.manifests(repository).await?;
        self.forgive_removed().await
    }

    /// What was forgotten and swept while the check went on is no damage: the log is read again before anything is told.
    async fn forgive_removed(&mut self) -> Result<(), Error> {
        let inner = self.inner;
        if self.findings.is_empty() || inner.read_log(false, &mut Vec::new()).await.is_err() {
            return Ok(());
        }
        let names = self.findings.iter().filter_map(Finding::name_of_pack);
        let swept = inner.catalogue.swept_of(names.collect()).await?;
        let live = inner.catalogue.snapshots().await?;
        let is_live = |id: &SnapshotId| live.iter().any(|record| record.id == *id);
        let mut needed = inner.sweep_lists().await?;
        for record in &live {
            // Where a list cannot be read that was told, and its packs are not forgiven.
            match packs::packs_of(inner, record).await {
                Ok(packs) => needed.extend(packs),
                Err(error) if is_finding(&error) => needed.extend(&record.pack_list_packs),
                Err(error) => return Err(error),
            }
        }
        self.findings.retain(|finding| {
            let pack = finding.name_of_pack();
            let was_swept = pack
                .is_some_and(|pack| swept.binary_search(&pack).is_ok() && !needed.contains(&pack));
            let of_log = finding.name.starts_with("log/");
            let forgotten = !finding.snapshots.is_empty() && !finding.snapshots.iter().any(is_live);
            !was_swept && (of_log || !forgotten)
        });
        Ok(())
    }

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
pub(crate) fn is_finding(error: &Error) -> bool {
    match error {
        Error::Storage(storage) => storage.fault == StorageFault::NotFound || error.is_damage(),
        Error::Json { .. } | Error::Limit { .. } | Error::Line { .. } => true,
        Error::UnknownVersion { .. } | Error::UnknownFlag { .. } | Error::NoKey(_) => true,
        error => error.is_damage(),
    }
}
