//! Earlier versions and snapshots of blobs: which one a call names, and Snapshot Blob.
//!
//! Where an account keeps versions, each write but Set Blob Properties leaves the blob as it was behind, and a delete leaves no
//! current one. A version cannot be written. From Microsoft's pages "Blob versioning" and "Snapshot Blob".

use http::{Method, StatusCode};

use super::access;
use super::error::StorageError;
use super::headers::{self, condition};
use super::record::Blob;
use super::tier;
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Whether something of the past is there by itself or because somebody wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A version, left by a write.
    Version,
    /// A snapshot.
    Snapshot,
}

/// The past of a container's blobs: name, moment as its id shows it, sort.
pub type Past = std::collections::BTreeMap<(String, String, Sort), Blob>;

/// Which of a name's blobs is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The current one.
    Current,
    /// A version, which may be the current one.
    Version(String),
    /// A snapshot.
    Snapshot(String),
}

impl Which {
    /// What the query says.
    pub(super) fn of(call: &Call) -> Result<Self, StorageError> {
        let asked = |name| call.query.get(name).filter(|it| !it.is_empty());
        Ok(match (asked("versionid"), asked("snapshot")) {
            (None, None) => Self::Current,
            (Some(id), None) => Self::Version(id.to_owned()),
            (None, Some(id)) => Self::Snapshot(id.to_owned()),
            (Some(id), Some(_)) => return Err(StorageError::invalid_query("versionid", id)),
        })
    }

    /// The key of what is no longer current.
    pub(super) fn key(&self, name: &str) -> Option<(String, String, Sort)> {
        let (id, sort) = match self {
            Self::Current => return None,
            Self::Version(id) => (id, Sort::Version),
            Self::Snapshot(id) => (id, Sort::Snapshot),
        };
        Some((name.to_owned(), id.clone(), sort))
    }
}

/// Refuses to write what is past: `PUT` with a version or snapshot, but for what may be set on one.
pub(super) fn check_writes_current(call: &Call) -> Result<(), StorageError> {
    const ON_PAST: [&str; 3] = ["tier", "immutabilityPolicies", "legalhold"];
    let on_past = call
        .query
        .get("comp")
        .is_some_and(|comp| ON_PAST.iter().any(|it| it.eq_ignore_ascii_case(comp)));
    if call.method != Method::PUT || on_past {
        return Ok(());
    }
    match Which::of(call)? {
        Which::Current => Ok(()),
        Which::Version(id) => Err(StorageError::invalid_query("versionid", &id)),
        Which::Snapshot(id) => Err(StorageError::invalid_query("snapshot", &id)),
    }
}

/// An answer that names the version that it is about.
pub(super) fn named(reply: Reply, blob: &Blob) -> Reply {
    match &blob.version {
        Some(version) => reply.with("x-ms-version-id", version),
        None => reply,
    }
}

/// Snapshot Blob: the blob as it is, to be read later. Metadata of the call takes the place of the blob's own.
pub(super) fn snapshot(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let metadata = headers::metadata(call);
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.blob(container, name)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    blobs.container(container)?.worm.check_write(blob)?;
    if blob.tier() == tier::Tier::Archive {
        return Err(tier::archived().into());
    }
    let moment = blobs.snapshot(container, name, metadata, call.now)?;
    let blob = blobs.blob(container, name)?;
    let reply = access::tagged(StatusCode::CREATED, &blob.etag, blob.modified);
    Ok(named(reply, blob)
        .with("x-ms-snapshot", moment)
        .with("x-ms-request-server-encrypted", "true"))
}
