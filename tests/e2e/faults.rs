//! Backups through mixed faults: whatever one request in five meets, what is stored is what would have been stored.

pub(crate) mod manifest;
mod secrets;
pub(crate) mod storm;
mod wire;
