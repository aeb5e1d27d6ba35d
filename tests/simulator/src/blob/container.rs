//! Containers: create, properties, metadata, delete, and the way to their listing.

use http::{Method, StatusCode};

use super::access;
use super::error::StorageError;
use super::headers::{metadata, with_metadata};
use super::{list, unsupported};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Answers a call to a container itself.
pub(super) fn handle(call: &Call, state: &mut State, name: &str) -> Answer {
    let comp = call.query.get("comp").unwrap_or_default();
    match (call.method.clone(), comp) {
        (Method::GET, "list") => list::blobs(call, state, name),
        (Method::GET | Method::HEAD, "" | "metadata") => properties(call, state, name),
        (Method::PUT, "") => create(call, state, name),
        (Method::PUT, "metadata") => set_metadata(call, state, name),
        (Method::DELETE, "") => delete(call, state, name),
        _ => Err(unsupported(call)),
    }
}

fn properties(call: &Call, state: &State, name: &str) -> Answer {
    let container = access::account(call, state)?.blobs.container(name)?;
    let reply = access::tagged(StatusCode::OK, &container.etag, container.modified)
        .with("x-ms-lease-status", "unlocked")
        .with("x-ms-lease-state", "available")
        .with("x-ms-has-immutability-policy", "false")
        .with("x-ms-has-legal-hold", "false");
    Ok(with_metadata(reply, &container.metadata))
}

fn create(call: &Call, state: &mut State, name: &str) -> Answer {
    if !is_valid(name) {
        return Err(StorageError::new(
            400,
            "InvalidResourceName",
            "The specified resource name contains invalid characters.",
        )
        .into());
    }
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let container = blobs.create(name, metadata(call), call.now)?;
    Ok(access::tagged(
        StatusCode::CREATED,
        &container.etag,
        container.modified,
    ))
}

/// 3 to 63 lower-case letters, digits and single hyphens, as Azure Storage's documentation on naming says.
fn is_valid(name: &str) -> bool {
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    (3..=63).contains(&name.len())
        && name.chars().all(letters)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn set_metadata(call: &Call, state: &mut State, name: &str) -> Answer {
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let container = blobs.container_mut(name)?;
    container.metadata = metadata(call);
    container.modified = call.now;
    Ok(access::tagged(
        StatusCode::OK,
        &container.etag,
        container.modified,
    ))
}

fn delete(call: &Call, state: &mut State, name: &str) -> Answer {
    let blobs = &mut access::account_mut(call, state)?.blobs;
    blobs.container(name)?;
    blobs.remove(name);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
