//! Writing blobs: Put Blob, metadata, properties, tier, Delete Blob.

use http::StatusCode;

use super::access;
use super::error::StorageError;
use super::headers::{self, base64, condition};
use super::store::{BlobStore, Written};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The tiers that a block blob can have.
const TIERS: [&str; 4] = ["Hot", "Cool", "Cold", "Archive"];

/// Put Blob: a whole block blob in one request.
pub(super) fn put(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    match call.header("x-ms-blob-type") {
        Some("BlockBlob") => {}
        Some(other) => {
            return Err(StorageError::invalid_header("x-ms-blob-type", other).into());
        }
        None => return Err(StorageError::missing_header("x-ms-blob-type").into()),
    }
    headers::check_body(call)?;
    let mut written = written(call)?;
    let body_md5 = headers::md5_of(&call.body);
    if written.headers.md5.is_some_and(|stated| stated != body_md5) {
        return Err(StorageError::md5_mismatch().into());
    }
    written.headers.md5 = Some(body_md5);
    let blobs = &mut access::account_mut(call, state)?.blobs;
    check_create(call, blobs, container, name)?;
    let blob = blobs.put(container, name, call.body.clone().into(), written, call.now)?;
    Ok(
        access::tagged(StatusCode::CREATED, &blob.etag, blob.modified)
            .with("content-md5", base64(&body_md5))
            .with("x-ms-request-server-encrypted", "true"),
    )
}

/// What a write brings besides its bytes. A content type may come in either of two headers.
pub(super) fn written(call: &Call) -> Result<Written, StorageError> {
    let mut headers = headers::content_headers(call, "x-ms-blob-")?;
    if headers.content_type.is_none() {
        headers.content_type = call.header("content-type").map(str::to_owned);
    }
    let tier = call.header("x-ms-access-tier").map(tier).transpose()?;
    Ok(Written {
        headers,
        metadata: headers::metadata(call),
        tier,
    })
}

fn tier(text: &str) -> Result<String, StorageError> {
    if TIERS.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(StorageError::invalid_header("x-ms-access-tier", text))
    }
}

/// Checks the conditional headers of a write that makes or replaces a blob.
pub(super) fn check_create(
    call: &Call,
    blobs: &BlobStore,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    let found = blobs.container(container)?.blobs.get(name);
    if found.is_some() && call.header("if-none-match") == Some("*") {
        return Err(StorageError::new(
            409,
            "BlobAlreadyExists",
            "The specified blob already exists.",
        ));
    }
    condition(call, found.map(|blob| (blob.etag.as_str(), blob.modified))).map(drop)
}

/// Checks the conditional headers of a write that changes a blob which must be there.
fn check_change(
    call: &Call,
    state: &State,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    let blob = access::account(call, state)?.blobs.blob(container, name)?;
    condition(call, Some((&blob.etag, blob.modified))).map(drop)
}

/// Set Blob Metadata: replaces all of it.
pub(super) fn set_metadata(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    check_change(call, state, container, name)?;
    let metadata = headers::metadata(call);
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.change(container, name, call.now, |blob| blob.metadata = metadata)?;
    Ok(access::tagged(StatusCode::OK, &blob.etag, blob.modified)
        .with("x-ms-request-server-encrypted", "true"))
}

/// Set Blob Properties: replaces all content headers, so that one which is not sent is gone.
pub(super) fn set_properties(
    call: &Call,
    state: &mut State,
    container: &str,
    name: &str,
) -> Answer {
    check_change(call, state, container, name)?;
    let headers = headers::content_headers(call, "x-ms-blob-")?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.change(container, name, call.now, |blob| blob.headers = headers)?;
    Ok(access::tagged(StatusCode::OK, &blob.etag, blob.modified))
}

/// Set Blob Tier. ETag and Last-Modified stay as they are; leaving the archive takes hours and answers 202.
pub(super) fn set_tier(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let Some(wanted) = call.header("x-ms-access-tier") else {
        return Err(StorageError::missing_header("x-ms-access-tier").into());
    };
    let wanted = tier(wanted)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let was = blobs.blob(container, name)?.tier.clone();
    blobs.set_tier(container, name, wanted.clone())?;
    let rehydrates = was.as_deref() == Some("Archive") && wanted != "Archive";
    Ok(Reply::empty(if rehydrates {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    }))
}

/// Delete Blob.
pub(super) fn delete(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.blob(container, name)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    blobs.delete(container, name)?;
    Ok(Reply::empty(StatusCode::ACCEPTED).with("x-ms-delete-type-permanent", "true"))
}
