//! The log: numbered, signed entries. Creating the next number is the commit.

pub(crate) mod append;
mod body;
pub(crate) mod chain;
mod checkpoint;
pub(crate) mod entry;

pub use body::{
    Accept, Body, EntryBody, Erase, Forget, Hold, HolderSort, KeyFile, KeyHolder, Keys, Protect,
    Repair, Revoked, Sweep,
};
pub use checkpoint::Checkpoint;
