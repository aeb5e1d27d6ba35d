//! What a restore tells while it works. The crate prints nothing: the program renders these events, tests collect them.

use workspace::ItemId;

use crate::Action;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Items of the snapshot are being read and compared with the target: `done` of `total`.
    Planning {
        /// How many were looked at.
        done: u64,
        /// How many there are; 0 while that is not known.
        total: u64,
    },
    /// Work on the target begins.
    Started {
        /// How many steps change something.
        steps: u64,
        /// How many bytes are written at most.
        bytes: u64,
    },
    /// A step begins.
    Step {
        /// Its number.
        step: u32,
        /// What it does.
        action: Action,
        /// To which item.
        item: ItemId,
    },
    /// Bytes of the step under way were written, or found to be there already.
    Bytes {
        /// How many more.
        count: u64,
    },
    /// A step is done.
    Done {
        /// Its number.
        step: u32,
        /// The bytes that it was estimated at, so that a counter can be set right.
        bytes: u64,
    },
    /// A step failed; those that do not need it go on.
    Failed {
        /// Its number.
        step: u32,
        /// The item.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// Items were written into a folder.
    Exported {
        /// How many so far.
        items: u64,
    },
    /// Items are being compared: `done` of `total`.
    Verifying {
        /// How many were compared.
        done: u64,
        /// How many there are.
        total: u64,
    },
}

/// Who is told. Called from the restore's own task: it must not block.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// An observer for callers that want no events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}
}
