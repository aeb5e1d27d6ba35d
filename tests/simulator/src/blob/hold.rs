//! Retention and legal hold of single blobs: Set and Delete Immutability Policy, Set Legal Hold.
//!
//! None of them changes ETag or Last-Modified. A container must be made for it (immutable storage with versioning). Of the codes
//! only that of a locked policy's deletion is published; the others are those of the nearest documented refusal.

use http::{Method, StatusCode};
use jiff::Timestamp;

use super::error::StorageError;
use super::headers::parse_date;
use super::record::Blob;
use super::store::BlobStore;
use super::version::Which;
use super::worm::{self, Retention};
use super::{access, unsupported};
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

const UNTIL: &str = "x-ms-immutability-policy-until-date";
const MODE: &str = "x-ms-immutability-policy-mode";
const HOLD: &str = "x-ms-legal-hold";

/// `…?comp=immutabilityPolicies`.
pub(super) fn policy(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let which = Which::of(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    check_enabled(blobs, container)?;
    let blob = blobs.find_mut(container, name, &which)?;
    match call.method {
        Method::PUT => {
            let Some(wanted) = retention(call)? else {
                return Err(StorageError::missing_header(UNTIL).into());
            };
            check_unmodified(call, blob)?;
            check_change(blob.retention, wanted)?;
            blob.retention = Some(wanted);
            Ok(shown(Reply::empty(StatusCode::OK), blob, false))
        }
        Method::DELETE => {
            if blob.retention.is_some_and(|old| old.locked) {
                return Err(StorageError::new(
                    409,
                    "ImmutabilityPolicyDeleteOnLockedPolicy",
                    "The specified immutability policy is locked and cannot be deleted.",
                )
                .into());
            }
            blob.retention = None;
            Ok(Reply::empty(StatusCode::OK))
        }
        _ => Err(unsupported(call)),
    }
}

/// `…?comp=legalhold`.
pub(super) fn legal_hold(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let which = Which::of(call)?;
    let Some(held) = asked_hold(call)? else {
        return Err(StorageError::missing_header(HOLD).into());
    };
    let blobs = &mut access::account_mut(call, state)?.blobs;
    check_enabled(blobs, container)?;
    blobs.find_mut(container, name, &which)?.held = held;
    Ok(Reply::empty(StatusCode::OK).with(HOLD, held.to_string()))
}

/// Refuses a policy or hold of a single blob where the container is not made for it.
pub(super) fn check_enabled(blobs: &BlobStore, container: &str) -> Result<(), StorageError> {
    if blobs.container(container)?.worm.of_versions {
        return Ok(());
    }
    Err(StorageError::new(
        409,
        "BlobOperationNotSupported",
        "The operation is not supported in this scenario: the container has no immutable storage with versioning.",
    ))
}

/// A locked retention may become longer, and nothing else.
fn check_change(old: Option<Retention>, new: Retention) -> Result<(), StorageError> {
    match old {
        Some(old) if old.locked && (!new.locked || new.until < old.until) => Err(worm::retained()),
        _ => Ok(()),
    }
}

fn check_unmodified(call: &Call, blob: &Blob) -> Result<(), StorageError> {
    match call.header("if-unmodified-since").and_then(parse_date) {
        Some(since) if blob.modified.as_second() > since.as_second() => {
            Err(StorageError::condition_not_met())
        }
        _ => Ok(()),
    }
}

/// The retention that a call states. Both headers or none; an end that is past is refused.
pub(super) fn retention(call: &Call) -> Result<Option<Retention>, StorageError> {
    let (until, mode) = (call.header(UNTIL), call.header(MODE));
    let Some(text) = until else {
        return match mode {
            Some(_) => Err(StorageError::missing_header(UNTIL)),
            None => Ok(None),
        };
    };
    let ends: Option<Timestamp> = parse_date(text).filter(|until| *until > call.now);
    let until = ends.ok_or_else(|| StorageError::invalid_header(UNTIL, text))?;
    let locked = match mode.map(str::to_ascii_lowercase).as_deref() {
        None | Some("unlocked") => false,
        Some("locked") => true,
        Some(other) => return Err(StorageError::invalid_header(MODE, other)),
    };
    Ok(Some(Retention { until, locked }))
}

/// Whether a call asks for a hold, or takes one away.
pub(super) fn asked_hold(call: &Call) -> Result<Option<bool>, StorageError> {
    match call.header(HOLD) {
        None => Ok(None),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(StorageError::invalid_header(HOLD, text)),
        },
    }
}

/// `locked` or `unlocked`, as headers and lists have it.
pub(super) fn mode(retention: Retention) -> &'static str {
    if retention.locked {
        "locked"
    } else {
        "unlocked"
    }
}

/// An answer with what keeps a blob as it is.
pub(super) fn shown(reply: Reply, blob: &Blob, hold: bool) -> Reply {
    let reply = match blob.retention {
        Some(retention) => reply
            .with(UNTIL, http_date(retention.until))
            .with(MODE, mode(retention)),
        None => reply,
    };
    if hold && blob.held {
        reply.with(HOLD, "true")
    } else {
        reply
    }
}
