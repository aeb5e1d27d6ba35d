//! What a backup tells whoever watches it. It never prints; `ui` renders these events and tests collect them.

use workspace::ItemId;

use super::report::Gap;
use super::tally::Outcome;

/// How far a run is. Totals grow while listings go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Items that have an outcome.
    pub items_done: u64,
    /// Items known so far, at least those that the snapshot before had.
    pub items: u64,
    /// Files that have an outcome.
    pub files_done: u64,
    /// Files listed so far.
    pub files: u64,
    /// Bytes of files that are read or need not be.
    pub bytes_done: u64,
    /// Bytes of files listed so far.
    pub bytes: u64,
}

/// One event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run has an id, under which the catalogue has it.
    Began(archive_format::RunId),
    /// A kind's listing begins.
    Listing(&'static workspace::Kind),
    /// This workspace cannot have a kind, by what the service said.
    NotOffered(&'static workspace::Kind, &'a str),
    /// Which kinds there are besides those that are known could not be asked; why.
    Undiscovered(&'a str),
    /// The service has a type below items of a kind that is not known which cannot be listed; its path.
    Unreached(&'a str),
    /// A kind's listing ended; how many items it showed.
    Listed(&'static workspace::Kind, u64),
    /// The files of the items listed are read now.
    Reading,
    /// What items refer to and no list showed is looked for now.
    Closing,
    /// An item has its outcome.
    Item(&'a ItemId, Outcome),
    /// A file of an item is being read.
    File(&'a ItemId, &'a workspace::FilePath),
    /// Something listed was not saved.
    Gap(&'a Gap),
    /// A file changed while it was read and is read again.
    Again(&'a ItemId, &'a workspace::FilePath),
    /// A partial snapshot was committed; its id.
    Partial(&'a str),
    /// How far the run is now; after every item and file and several times within a large one.
    Progress(Progress),
}

/// Watches a backup. Must return quickly and must not block.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _: &Event<'_>) {}
}
