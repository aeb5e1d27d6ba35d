//! Blob storage of an account: containers, block blobs, listings, copies.
//!
//! Shapes follow the Blob service's OpenAPI (2024-08-04) and what the official SDK sends (azure-storage-blob 12.31.1).
//! This file only tells the operations apart; each family has a file of its own.

pub(crate) mod access;
mod blocks;
mod container;
mod content;
mod copy;
mod error;
pub(crate) mod headers;
mod known;
mod lease;
pub(crate) mod list;
mod read;
mod store;
mod write;
pub(crate) mod xml;

use http::{Method, StatusCode};

use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

pub use content::{Content, Fill};
pub use error::StorageError;
pub(crate) use store::etag;
pub use store::{Blob, BlobStore, Container, ContentHeaders, Metadata, Written};

/// Answers a call to `ACCOUNT.blob.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let answer = match route(call, state) {
        Ok(reply) => reply,
        Err(refusal) => refusal.into_reply(),
    };
    Ok(access::stamp(call, state, answer))
}

fn route(call: &Call, state: &mut State) -> Answer {
    let container = call.segment(0).to_owned();
    let name = call.rest(1);
    if container.is_empty() {
        return account_level(call, state);
    }
    if name.is_empty() && call.query.is("restype", "container") {
        return container::handle(call, state, &container);
    }
    let comp = call.query.get("comp").unwrap_or_default();
    lease::admit(call, state, &container, &name)?;
    match (call.method.clone(), comp) {
        (Method::PUT, "lease") => lease::act(call, state, &container, &name),
        (Method::GET | Method::HEAD, "") => read::content(call, state, &container, &name),
        (Method::GET | Method::HEAD, "metadata") => read::metadata(call, state, &container, &name),
        (Method::GET, "blocklist") => blocks::list(call, state, &container, &name),
        (Method::PUT, "") if call.header("x-ms-copy-source").is_some() => {
            copy::copy(call, state, &container, &name)
        }
        (Method::PUT, "") => write::put(call, state, &container, &name),
        (Method::PUT, "block") => blocks::stage(call, state, &container, &name),
        (Method::PUT, "blocklist") => blocks::commit(call, state, &container, &name),
        (Method::PUT, "metadata") => write::set_metadata(call, state, &container, &name),
        (Method::PUT, "properties") => write::set_properties(call, state, &container, &name),
        (Method::PUT, "tier") => write::set_tier(call, state, &container, &name),
        (Method::DELETE, "") => write::delete(call, state, &container, &name),
        _ => Err(unsupported(call)),
    }
}

fn account_level(call: &Call, state: &mut State) -> Answer {
    match (call.query.get("restype"), call.query.get("comp")) {
        (None, Some("list")) => list::containers(call, state),
        (Some("account"), Some("properties")) => Ok(account_information()),
        _ => Err(unsupported(call)),
    }
}

fn account_information() -> Reply {
    Reply::empty(StatusCode::OK)
        .with("x-ms-sku-name", "Standard_LRS")
        .with("x-ms-account-kind", "StorageV2")
        .with("x-ms-is-hns-enabled", "false")
}

/// The refusal of an operation that this stand-in does not know, or that Azure does not.
pub(crate) fn unsupported(call: &Call) -> Refusal {
    StorageError::new(
        405,
        "UnsupportedHttpVerb",
        format!(
            "The resource doesn't support specified Http Verb. {} {}",
            call.method, call.raw_path
        ),
    )
    .into()
}

#[cfg(test)]
mod tests;
