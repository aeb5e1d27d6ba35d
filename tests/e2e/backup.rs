//! What a backup stores, what it leaves alone, and what it says about what it could not have.

pub(crate) mod bench;
pub(crate) mod cloud;
pub(crate) mod cost;
mod datastores;
mod folder;
mod gaps;
mod memory;
mod moving;
mod resume;
pub(crate) mod runs;
mod shares;
mod tiers;
mod whole;
