//! Write once, read many: retention of a container or of one blob, and holds.
//!
//! From Microsoft's pages on container-level and version-level policies. A container's policy counts from the creation of each
//! blob: until then nothing may delete it, and as long as there is a policy nothing may overwrite or change it. Where a
//! container is made for policies of single blobs, its own one is what a new blob gets, and an overwrite makes a new version.

use jiff::{SignedDuration, Timestamp};

use super::error::StorageError;
use super::record::Blob;

/// How often a locked policy of a container may be extended.
pub(crate) const EXTENSIONS_MOST: usize = 5;
/// The longest retention of a container, in days.
pub(crate) const DAYS_MOST: i64 = 146_000;

/// Until when a blob must stay as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The moment.
    pub until: Timestamp,
    /// Whether it can no longer be shortened or taken away.
    pub locked: bool,
}

/// A container's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Days since the creation of a blob.
    pub days: i64,
    /// Whether it can no longer be shortened or taken away.
    pub locked: bool,
    /// `allowProtectedAppendWrites` and `allowProtectedAppendWritesAll`, as they were written.
    pub appends: [Option<bool>; 2],
    /// The entity tag, without quotes.
    pub etag: String,
    /// Every change, the first one first.
    pub changes: Vec<Change>,
}

/// A change of a container's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `put`, `lock` or `extend`.
    pub update: &'static str,
    /// The days that it left.
    pub days: i64,
    /// When.
    pub at: Timestamp,
    /// Object id of who made it.
    pub by: String,
}

/// A tag of a container's legal hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The tag.
    pub tag: String,
    /// When it was set.
    pub at: Timestamp,
    /// Object id of who set it.
    pub by: String,
}

/// What keeps the blobs of a container as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worm {
    /// The policy, where there is one.
    pub policy: Option<Policy>,
    /// The legal hold's tags.
    pub holds: Vec<Hold>,
    /// Whether single blobs have policies and holds of their own: immutable storage with versioning.
    pub of_versions: bool,
}

impl Worm {
    /// Refuses to overwrite a blob, or to change anything of it but its tier.
    pub(crate) fn check_write(&self, blob: &Blob) -> Result<(), StorageError> {
        if !self.holds.is_empty() {
            return Err(held());
        }
        match &self.policy {
            Some(_) if !self.of_versions => Err(retained()),
            // A new version takes its place, and it stays as it is.
            _ if blob.version.is_some() => Ok(()),
            _ => blob_kept(blob, None),
        }
    }

    /// Refuses to change what would make no new version, such as a blob's properties.
    pub(super) fn check_change(&self, blob: &Blob) -> Result<(), StorageError> {
        self.check_write(blob)?;
        blob_kept(blob, None)
    }

    /// Refuses to delete a blob, version or snapshot for good.
    pub(crate) fn check_delete(&self, blob: &Blob, now: Timestamp) -> Result<(), StorageError> {
        if !self.holds.is_empty() {
            return Err(held());
        }
        match &self.policy {
            Some(policy) if !self.of_versions => {
                let ends = in_days(blob.created, policy.days);
                if ends > now { Err(retained()) } else { Ok(()) }
            }
            _ => blob_kept(blob, Some(now)),
        }
    }

    /// What a new blob gets that says nothing of its own.
    pub(super) fn default_retention(&self, now: Timestamp) -> Option<Retention> {
        let policy = self.policy.as_ref().filter(|_| self.of_versions)?;
        Some(Retention {
            until: in_days(now, policy.days),
            locked: policy.locked,
        })
    }

    /// Refuses to delete the container: one with a policy may go when it is empty, by resource manager alone.
    pub(crate) fn check_container(
        &self,
        by_manager: bool,
        empty: bool,
    ) -> Result<(), StorageError> {
        if !self.holds.is_empty() {
            return Err(StorageError::new(
                409,
                "ContainerHasLegalHold",
                "The requested operation is not allowed as the container has one or more legal holds.",
            ));
        }
        let kept = self.policy.is_some() || self.of_versions;
        if kept && !(by_manager && empty) {
            return Err(StorageError::new(
                409,
                "ContainerImmutabilityPolicyLocked",
                "The requested operation is not allowed as the container has a locked immutability policy.",
            ));
        }
        Ok(())
    }
}

/// Refuses where a blob's own hold or retention keeps it; without a moment a retention that has run out counts too.
fn blob_kept(blob: &Blob, now: Option<Timestamp>) -> Result<(), StorageError> {
    if blob.held {
        return Err(held());
    }
    match blob.retention {
        Some(retention) if now.is_none_or(|now| retention.until > now) => Err(retained()),
        _ => Ok(()),
    }
}

fn in_days(from: Timestamp, days: i64) -> Timestamp {
    from.checked_add(SignedDuration::from_hours(days.saturating_mul(24)))
        .unwrap_or(Timestamp::MAX)
}

/// The refusal of an act on a blob that a policy keeps.
pub(super) fn retained() -> StorageError {
    StorageError::new(
        409,
        "BlobImmutableDueToPolicy",
        "This operation is not permitted as the blob is immutable due to a policy.",
    )
}

fn held() -> StorageError {
    StorageError::new(
        409,
        "BlobImmutableDueToLegalHold",
        "This operation is not permitted as the blob is immutable due to one or more legal holds.",
    )
}
