//! The log: numbered, signed entries. Creating the next number is the commit.

pub(crate) mod append;
mod body;
pub(crate) mod chain;
pub(crate) mod checkpoint;
mod drill;
pub(crate) mod entry;
pub(crate) mod line;

pub use body::{
    Accept, Body, EntryBody, Erase, Export, Forget, Hold, HolderSort, KeyFile, KeyHolder, Keys,
    Note, Protect, Repack, Repair, Replaced, Revoked, Sweep,
};
pub use drill::{Drill, DrillOutcome, LogHead, SealJudgement};
