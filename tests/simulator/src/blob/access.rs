//! What every storage call begins and ends with: its account, and the headers that all answers carry.
//!
//! Who may do what is settled before, at the gate.

use http::StatusCode;

use super::error::StorageError;
use crate::account::Account;
use crate::call::{Call, Service};
use crate::reply::Reply;
use crate::state::State;

/// The account of the call's host. An account that is not there has no host in Azure; here it refuses everything.
pub(crate) fn account<'a>(call: &Call, state: &'a State) -> Result<&'a Account, StorageError> {
    state.accounts.get(&call.label).ok_or_else(no_account)
}

/// The same, to change it.
pub(crate) fn account_mut<'a>(
    call: &Call,
    state: &'a mut State,
) -> Result<&'a mut Account, StorageError> {
    state.accounts.get_mut(&call.label).ok_or_else(no_account)
}

fn no_account() -> StorageError {
    StorageError::new(
        404,
        "ResourceNotFound",
        "The specified storage account does not exist.",
    )
}

/// Puts the headers on an answer that all of them have: the version that served it and ids of the request.
pub(crate) fn stamp(call: &Call, state: &mut State, reply: Reply) -> Reply {
    let mut reply = reply
        .with(
            "x-ms-version",
            call.header("x-ms-version").unwrap_or("2022-11-02"),
        )
        .with("x-ms-request-id", state.guid());
    if let Some(id) = call.header("x-ms-client-request-id") {
        reply = reply.with("x-ms-client-request-id", id);
    }
    let server = match call.service {
        Service::File => "Windows-Azure-File/1.0 Microsoft-HTTPAPI/2.0",
        _ => "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
    };
    reply.with("server", server)
}

/// An entity tag as a header shows it.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// An answer with the status, ETag and Last-Modified of what was written or read.
pub(crate) fn tagged(status: StatusCode, etag: &str, modified: jiff::Timestamp) -> Reply {
    Reply::empty(status)
        .with("etag", quoted(etag))
        .with("last-modified", crate::clock::http_date(modified))
}
