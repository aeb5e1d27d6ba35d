//! Containers: create, properties, metadata, delete, and the way to their listing.

use http::{Method, StatusCode};

use super::access;
use super::error::StorageError;
use super::headers::{condition, metadata, with_metadata};
use super::{lease, list, unsupported};
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
        (Method::PUT, "lease") => lease::act(call, state, name, ""),
        (Method::PUT, "metadata") => set_metadata(call, state, name),
        (Method::DELETE, "") => delete(call, state, name),
        _ => Err(unsupported(call)),
    }
}

fn properties(call: &Call, state: &State, name: &str) -> Answer {
    let blobs = &access::account(call, state)?.blobs;
    let container = blobs.container(name)?;
    lease::admit_container(call, state, name)?;
    let worm = &container.worm;
    let reply = access::tagged(StatusCode::OK, &container.etag, container.modified)
        .with(
            "x-ms-has-immutability-policy",
            worm.policy.is_some().to_string(),
        )
        .with("x-ms-has-legal-hold", (!worm.holds.is_empty()).to_string())
        .with(
            "x-ms-immutable-storage-with-versioning-enabled",
            worm.of_versions.to_string(),
        );
    let reply = lease::shown(reply, blobs.leases.standing(name, "", call.now));
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
    access::account(call, state)?.blobs.container(name)?;
    lease::admit_container(call, state, name)?;
    check_modified(call, state, name)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let container = blobs.touch(name, call.now, |container| {
        container.metadata = metadata(call)
    })?;
    Ok(access::tagged(
        StatusCode::OK,
        &container.etag,
        container.modified,
    ))
}

fn delete(call: &Call, state: &mut State, name: &str) -> Answer {
    let container = access::account(call, state)?.blobs.container(name)?;
    container
        .worm
        .check_container(false, container.is_empty())?;
    lease::admit_container(call, state, name)?;
    check_modified(call, state, name)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    blobs.remove(name);
    blobs.leases.forget(name);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// Containers know conditions by time alone.
fn check_modified(call: &Call, state: &State, name: &str) -> Result<(), StorageError> {
    let container = access::account(call, state)?.blobs.container(name)?;
    condition(call, Some((&container.etag, container.modified))).map(drop)
}
