//! The log: numbered, signed entries. Creating the next number is the commit.

mod body;

pub use body::{
    Accept, Body, EntryBody, Erase, Forget, Hold, HolderSort, KeyFile, KeyHolder, Keys, Protect,
    Repair, Revoked, Sweep,
};
