//! Access tiers, and the way back from the archive, which takes hours of the simulator's own time.
//!
//! From Microsoft's pages "Set Blob Tier" and "Blob rehydration from the archive tier": a blob on its way stays in the archive
//! until it is there; its priority may be raised and never lowered, its destination not changed; standard priority takes up to
//! 15 hours, high priority under one for less than 10 GiB. How long one blob takes depends on its name alone.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::error::StorageError;
use super::version::Which;
use super::{access, bill};
use crate::call::Call;
use crate::clock::later;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// What a client sends.
const TIER: &str = "x-ms-access-tier";
const PRIORITY: &str = "x-ms-rehydrate-priority";

/// Bytes that high priority brings back within an hour.
const HIGH_BYTES: u64 = 10 << 30;

/// The tiers that a block blob can have, the warmest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Tier {
    /// Read often.
    #[default]
    Hot,
    /// Read seldom.
    Cool,
    /// Read hardly ever.
    Cold,
    /// Not to be read before it is brought back.
    Archive,
}

impl Tier {
    /// Its name as headers and lists have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "Hot",
            Self::Cool => "Cool",
            Self::Cold => "Cold",
            Self::Archive => "Archive",
        }
    }

    /// The days for which a blob must be paid in this tier ("Access tiers for blob data").
    pub(super) fn days_least(self) -> i64 {
        match self {
            Self::Hot => 0,
            Self::Cool => 30,
            Self::Cold => 90,
            Self::Archive => 180,
        }
    }

    fn parse(text: &str) -> Result<Self, StorageError> {
        [Self::Hot, Self::Cool, Self::Cold, Self::Archive]
            .into_iter()
            .find(|tier| tier.name() == text)
            .ok_or_else(|| StorageError::invalid_header(TIER, text))
    }
}

/// How urgent it is to bring a blob back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Priority {
    /// Within 15 hours.
    #[default]
    Standard,
    /// Within one hour, for a higher price.
    High,
}

impl Priority {
    /// Its name as headers have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::High => "High",
        }
    }
}

/// A blob on its way out of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehydration {
    /// Where it goes.
    pub to: Tier,
    /// How urgent it is.
    pub priority: Priority,
    /// When it is there.
    pub ends: Timestamp,
}

impl Rehydration {
    /// One that begins now.
    pub(super) fn begin(
        to: Tier,
        priority: Priority,
        name: &str,
        bytes: u64,
        now: Timestamp,
    ) -> Self {
        let ends = later(now, takes(priority, name, bytes));
        Self { to, priority, ends }
    }

    /// `rehydrate-pending-to-hot`, as headers and lists have it.
    pub(super) fn status(&self) -> String {
        format!("rehydrate-pending-to-{}", self.to.name().to_lowercase())
    }
}

/// Five to fifteen hours, or twenty to sixty minutes and an hour for each further 10 GiB.
fn takes(priority: Priority, name: &str, bytes: u64) -> Duration {
    let share = u64::from(Sha256::digest(name)[0]);
    let minutes = match priority {
        Priority::Standard => 300 + share * 600 / 255,
        Priority::High => 20 + share * 39 / 255 + 60 * (bytes / HIGH_BYTES),
    };
    Duration::from_secs(minutes * 60)
}

/// The tier that a write asks for.
pub(super) fn asked(call: &Call) -> Result<Option<Tier>, StorageError> {
    call.header(TIER).map(Tier::parse).transpose()
}

/// The priority that a call asks for.
pub(super) fn priority(call: &Call) -> Result<Priority, StorageError> {
    match call.header(PRIORITY) {
        None => Ok(Priority::Standard),
        Some(text) if text.eq_ignore_ascii_case("Standard") => Ok(Priority::Standard),
        Some(text) if text.eq_ignore_ascii_case("High") => Ok(Priority::High),
        Some(text) => Err(StorageError::invalid_header(PRIORITY, text)),
    }
}

/// The refusal of an act on a blob that is in the archive.
pub(super) fn archived() -> StorageError {
    StorageError::new(
        409,
        "BlobArchived",
        "This operation is not permitted on an archived blob.",
    )
}

/// The refusal of an act on a blob that is on its way out of the archive.
pub(super) fn being_rehydrated() -> StorageError {
    StorageError::new(
        409,
        "BlobBeingRehydrated",
        "This operation is not permitted because the blob is being rehydrated.",
    )
}

/// Set Blob Tier. ETag and Last-Modified stay as they are; leaving the archive takes hours and answers 202.
pub(super) fn set(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let Some(wanted) = asked(call)? else {
        return Err(StorageError::missing_header(TIER).into());
    };
    let priority = priority(call)?;
    let which = Which::of(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.find_mut(container, name, &which)?;
    let (was, bytes) = (blob.tier(), blob.content.size());
    let pending = blob.rehydration;
    match pending {
        Some(under_way) if under_way.to != wanted => return Err(being_rehydrated().into()),
        Some(under_way) if under_way.priority >= priority => {
            return Ok(Reply::empty(StatusCode::ACCEPTED));
        }
        _ => {}
    }
    let left = if pending.is_none() && was != wanted {
        bill::early(blob, call.now)
    } else {
        0
    };
    if was == Tier::Archive && wanted != Tier::Archive {
        let begun = Rehydration::begin(wanted, priority, name, bytes, call.now);
        blob.rehydration = Some(begun);
        blobs.await_tier(container, name, which, begun.ends);
        blobs.bills.rehydrates(pending, begun, bytes);
        blobs.bills.ends_early(was, left);
        return Ok(Reply::empty(StatusCode::ACCEPTED));
    }
    if was != wanted || blob.tier.is_none() {
        blob.tier_changed = Some(call.now);
    }
    blob.tier = Some(wanted);
    blobs.bills.ends_early(was, left);
    Ok(Reply::empty(StatusCode::OK))
}
