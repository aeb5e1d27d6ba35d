//! Behaviour of mlark as a whole, in one binary: the program's library, a repository on disk, and the simulator.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod backup;
mod daemon;
mod faults;
mod identities;
mod ignored;
mod kinds;
mod layers;
mod registry;
mod restore;
mod roles;
mod size;
mod specification;
mod stores;
