//! Directories: create, properties, delete.

use http::StatusCode;

use super::entry::Properties;
use super::error::type_mismatch;
use super::properties::{apply, described, stamped};
use super::snapshot;
use crate::blob::access;
use crate::blob::headers::metadata;
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Create Directory.
pub(super) fn create(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let mut properties = Properties::of_directory(call.now);
    apply(call, &mut properties, true)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    let entry = shares.create_directory(share, path, properties, metadata(call), call.now)?;
    Ok(stamped(Reply::empty(StatusCode::CREATED), entry)
        .with("x-ms-request-server-encrypted", "true"))
}

/// Get Directory Properties.
pub(super) fn read(call: &Call, state: &State, share: &str, path: &str) -> Answer {
    let entry = snapshot::held(call, state, share)?.entry(path)?;
    if entry.file.is_some() {
        return Err(type_mismatch().into());
    }
    Ok(described(Reply::empty(StatusCode::OK), entry))
}

/// Delete Directory, which must be empty.
pub(super) fn delete(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let shares = &mut access::account_mut(call, state)?.shares;
    shares.delete_directory(share, path, call.now)?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
