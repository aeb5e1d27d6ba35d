//! Who may do what with an account's blobs and files, and the headers that every storage answer carries.
//!
//! The router has proven the credential; this decides what it opens. A bearer token needs the storage audience and a
//! version of 2017-11-09 or later, and its principal the data action; a shared access signature its letter.

use http::StatusCode;

use super::error::StorageError;
use super::sas;
use crate::account::Account;
use crate::call::{Call, Service};
use crate::identity::Identity;
use crate::reply::Reply;
use crate::state::State;

/// What a call needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Read content or properties.
    Read,
    /// List a container, directory or account.
    List,
    /// Create or change.
    Write,
    /// Remove.
    Delete,
}

impl Need {
    fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::List => "l",
            Self::Write => "wca",
            Self::Delete => "d",
        }
    }

    fn action(self, service: Service) -> &'static str {
        match (service, self) {
            (Service::File, Self::Read | Self::List) => {
                "Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action"
            }
            (Service::File, _) => {
                "Microsoft.Storage/storageAccounts/fileServices/writeFileBackupSemantics/action"
            }
            (_, Self::Read | Self::List) => {
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
            }
            (_, Self::Write) => {
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
            }
            (_, Self::Delete) => {
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete"
            }
        }
    }
}

/// Checks that the caller may do this to `container`, which is empty for the account itself.
pub(crate) fn check(
    call: &Call,
    state: &State,
    need: Need,
    container: &str,
) -> Result<(), StorageError> {
    match &call.identity {
        Identity::Anonymous => Err(unauthenticated(state)),
        Identity::SharedKey => Ok(()),
        Identity::Sas(sas) => {
            let inside = sas.container.as_deref().is_none_or(|it| it == container)
                && sas.path.as_deref().is_none_or(|it| it == call.rest(1));
            if !inside {
                Err(sas::failed("Signature did not match."))
            } else if call.identity.permits(need.letters()) {
                Ok(())
            } else {
                Err(sas::permission_mismatch())
            }
        }
        Identity::Bearer(claims) => {
            if !is_storage_audience(&claims.audience, &call.label, state) {
                return Err(StorageError::new(
                    401,
                    "InvalidAuthenticationInfo",
                    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header. Audience validation failed. Audience did not match.",
                )
                .with("WWW-Authenticate", challenge(state)));
            }
            if call.header("x-ms-version").unwrap_or_default() < "2017-11-09" {
                return Err(sas::failed(
                    "Authentication scheme Bearer is not supported in this version.",
                ));
            }
            let action = need.action(call.service);
            if state.directory.allows(&claims.client_id, action) {
                Ok(())
            } else {
                Err(sas::permission_mismatch())
            }
        }
    }
}

fn is_storage_audience(audience: &str, account: &str, state: &State) -> bool {
    let audience = audience.trim_end_matches('/');
    audience == "https://storage.azure.com"
        || audience == state.cloud.blob_url(account)
        || audience == state.cloud.file_url(account)
}

fn challenge(state: &State) -> String {
    format!(
        "Bearer authorization_uri={}/{}/oauth2/authorize resource_id=https://storage.azure.com",
        state.cloud.login_url(),
        state.directory.tenant
    )
}

fn unauthenticated(state: &State) -> StorageError {
    StorageError::new(
        401,
        "NoAuthenticationInformation",
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    )
    .with("WWW-Authenticate", challenge(state))
}

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
