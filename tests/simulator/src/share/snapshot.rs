//! Share snapshots: a share as it was at a moment, read by `sharesnapshot=`, never written.
//!
//! From Microsoft's page "Snapshot Share". A share that has snapshots is deleted with them or not at all.

use http::{Method, StatusCode};

use super::tree::Share;
use crate::blob::StorageError;
use crate::blob::access;
use crate::blob::headers::metadata;
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

const SNAPSHOT: &str = "sharesnapshot";

/// The moment that a call names.
pub(super) fn named(call: &Call) -> Option<&str> {
    call.query.get(SNAPSHOT).filter(|moment| !moment.is_empty())
}

/// The share that a call reads: as it is, or as it was.
pub(super) fn held<'a>(
    call: &Call,
    state: &'a State,
    share: &str,
) -> Result<&'a Share, StorageError> {
    let shares = &access::account(call, state)?.shares;
    match named(call) {
        None => shares.share(share),
        Some(moment) => shares.snapshot(share, moment),
    }
}

/// Refuses to write what was.
pub(super) fn check_reads(call: &Call) -> Result<(), StorageError> {
    let deletes = call.method == Method::DELETE && call.query.is("restype", "share");
    let reads = matches!(call.method, Method::GET | Method::HEAD);
    if named(call).is_none() || reads || deletes {
        return Ok(());
    }
    Err(StorageError::new(
        400,
        "ShareSnapshotOperationNotSupported",
        "The operation is not supported on a share snapshot.",
    ))
}

/// Snapshot Share. Metadata of the call takes the place of the share's own.
pub(super) fn create(call: &Call, state: &mut State, share: &str) -> Answer {
    let shares = &mut access::account_mut(call, state)?.shares;
    let moment = shares.take_snapshot(share, metadata(call), call.now)?;
    let taken = shares.snapshot(share, &moment)?;
    Ok(
        access::tagged(StatusCode::CREATED, &taken.etag, taken.modified)
            .with("x-ms-snapshot", moment),
    )
}

/// Delete Share: one snapshot, or the share with what the call says of its snapshots.
pub(super) fn delete(call: &Call, state: &mut State, share: &str) -> Answer {
    const ALL: &str = "x-ms-delete-snapshots";
    let shares = &mut access::account_mut(call, state)?.shares;
    if let Some(moment) = named(call) {
        shares.snapshot(share, moment)?;
        shares.forget_snapshot(share, moment);
        return Ok(Reply::empty(StatusCode::ACCEPTED));
    }
    shares.share(share)?;
    let moments = shares.moments(share);
    match call.header(ALL) {
        Some("include" | "include-leased") => {}
        Some(other) => return Err(StorageError::invalid_header(ALL, other).into()),
        None if moments.is_empty() => {}
        None => {
            return Err(StorageError::new(
                409,
                "ShareHasSnapshots",
                "The share has snapshots and the operation requires no snapshots.",
            )
            .into());
        }
    }
    for moment in moments {
        shares.forget_snapshot(share, &moment);
    }
    shares.remove(share);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
