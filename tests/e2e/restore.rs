//! What a restore plans, does, and finds when it looks again.

mod again;
pub(crate) mod bench;
mod bytes;
mod conflict;
mod crash;
pub(crate) mod create;
mod damaged;
mod drill;
mod emptied;
mod endpoints;
mod evidence;
mod export;
mod folder;
mod found;
mod journey;
mod manual;
mod mending;
mod points;
mod program;
mod resubmit;
mod runbook;
mod trouble;
mod undelete;
mod unlisted;
