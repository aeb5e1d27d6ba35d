//! What a restore plans, does, and finds when it looks again.

mod again;
pub(crate) mod bench;
mod conflict;
mod crash;
mod damaged;
mod endpoints;
mod export;
mod folder;
mod journey;
mod manual;
mod mending;
mod trouble;
