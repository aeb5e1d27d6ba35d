//! Reading a target back and comparing it with the snapshot: each document field by field after rewriting, each file by
//! its SHA-256, each run with its tags, parameters and points. It writes nothing.

use serde::Serialize;
use workspace::ItemId;

use crate::target::missing;
use crate::{Error, Journal, Observer, Origin, Request, Target};

mod azure;
mod content;
mod document;
mod folder;
mod job;

/// How target and snapshot stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyOutcome {
    /// No difference at all.
    Same,
    /// Only such differences as a plan's loss report foretells.
    AsPlanned,
    /// Something differs or is missing.
    Different,
}

/// Items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ItemTally {
    /// All that were compared.
    pub compared: u64,
    /// The same after rewriting.
    pub same: u64,
    /// Different only as the loss report foretells.
    pub expected: u64,
    /// Different otherwise.
    pub different: u64,
    /// Not there.
    pub missing: u64,
}

/// Files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileTally {
    /// All that were compared.
    pub compared: u64,
    /// The same bytes.
    pub same: u64,
    /// Other bytes.
    pub different: u64,
    /// Not there.
    pub missing: u64,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disparity {
    /// The item.
    pub item: String,
    /// The field's JSON pointer, the file's path, or a few words. Never a value: values may be secrets.
    pub what: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The JSON document of `restore verify`.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The snapshot.
    pub snapshot: String,
    /// The target.
    pub target: String,
    /// How the two stand.
    pub outcome: VerifyOutcome,
    /// Items.
    pub items: ItemTally,
    /// Files.
    pub files: FileTally,
    /// The first [`DIFFERENCES_MAX`] differences.
    pub differences: Vec<Disparity>,
}

/// How many differences are listed one by one.
pub const DIFFERENCES_MAX: usize = 10_000;

/// Compares a target with a snapshot. The journal, where one is at hand, tells under which version numbers and runs a
/// restore made items; without it they are searched for.
pub async fn verify(
    snapshot: impl Into<Origin>,
    target: &Target,
    request: &Request,
    journal: Option<&Journal>,
    observer: &dyn Observer,
) -> Result<Verification, Error> {
    let origin = &snapshot.into();
    let sum = match target {
        Target::Azure(azure) => {
            azure::verify_azure(origin, azure, request, journal, observer).await?
        }
        Target::Absent(absent) => return Err(absent.refused()),
        Target::Folder(folder) => folder::verify_folder(origin, folder, request, observer).await?,
        Target::NewFolder(path) => return Err(missing(path)),
    };
    Ok(Verification {
        snapshot: origin.id(),
        target: request.target.clone(),
        outcome: sum.outcome(),
        items: sum.items,
        files: sum.files,
        differences: sum.differences,
    })
}

/// What was found so far, or of one item.
#[derive(Debug, Default)]
struct Sum {
    items: ItemTally,
    files: FileTally,
    differences: Vec<Disparity>,
}

/// How one item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Same,
    Expected,
    Different,
    Missing,
}

impl Sum {
    fn outcome(&self) -> VerifyOutcome {
        let (items, files) = (&self.items, &self.files);
        if items.different + items.missing + files.different + files.missing > 0 {
            VerifyOutcome::Different
        } else if items.expected > 0 {
            VerifyOutcome::AsPlanned
        } else {
            VerifyOutcome::Same
        }
    }

    /// One item, whose differences are in the list already.
    fn item(&mut self, standing: Standing) {
        self.items.compared += 1;
        match standing {
            Standing::Same => self.items.same += 1,
            Standing::Expected => self.items.expected += 1,
            Standing::Different => self.items.different += 1,
            Standing::Missing => self.items.missing += 1,
        }
    }

    fn differs(&mut self, item: &ItemId, what: impl Into<String>, reason: impl Into<String>) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Disparity {
                item: item.to_string(),
                what: what.into(),
                reason: reason.into(),
            });
        }
    }

    /// One file: the digest of what is there, if anything is.
    fn file(&mut self, item: &ItemId, file: &archive_format::FileEntry, there: Option<&str>) {
        self.files.compared += 1;
        let wished = file
            .content
            .as_ref()
            .map(|content| content.sha256.to_string());
        match there {
            None => {
                self.files.missing += 1;
                self.differs(item, file.path.as_str(), "the file is not there");
            }
            Some(there) if wished.as_deref().is_none_or(|wished| wished == there) => {
                self.files.same += 1
            }
            Some(_) => {
                self.files.different += 1;
                self.differs(item, file.path.as_str(), "the file has other bytes");
            }
        }
    }

    fn add(&mut self, other: Self) {
        let (items, files) = (&mut self.items, &mut self.files);
        items.compared += other.items.compared;
        items.same += other.items.same;
        items.expected += other.items.expected;
        items.different += other.items.different;
        items.missing += other.items.missing;
        files.compared += other.files.compared;
        files.same += other.files.same;
        files.different += other.files.different;
        files.missing += other.files.missing;
        let room = DIFFERENCES_MAX.saturating_sub(self.differences.len());
        self.differences
            .extend(other.differences.into_iter().take(room));
    }
}
