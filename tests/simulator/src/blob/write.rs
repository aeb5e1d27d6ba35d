//! Writing blobs: Put Blob, metadata, properties, tier, Delete Blob.

use http::StatusCode;

use super::access;
use super::error::StorageError;
use super::headers::{self, base64, condition};
use super::record::Written;
use super::store::BlobStore;
use super::version::{self, Which};
use super::{hold, tier};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

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
    check_kept(call, blobs, container, name, &written)?;
    let blob = blobs.put(container, name, call.body.clone().into(), written, call.now)?;
    let reply = access::tagged(StatusCode::CREATED, &blob.etag, blob.modified);
    Ok(version::named(reply, blob)
        .with("content-md5", base64(&body_md5))
        .with("x-ms-request-server-encrypted", "true"))
}

/// What a write brings besides its bytes. A content type may come in either of two headers.
pub(super) fn written(call: &Call) -> Result<Written, StorageError> {
    let mut headers = headers::content_headers(call, "x-ms-blob-")?;
    if headers.content_type.is_none() {
        headers.content_type = call.header("content-type").map(str::to_owned);
    }
    Ok(Written {
        headers,
        metadata: headers::metadata(call),
        tier: tier::asked(call)?,
        retention: hold::retention(call)?,
        held: hold::asked_hold(call)?.unwrap_or_default(),
        ..Written::default()
    })
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

/// Refuses a write to what must stay as it is, and one with a policy of its own where single blobs have none. A blob that is
/// on its way out of the archive is not overwritten.
pub(super) fn check_kept(
    call: &Call,
    blobs: &BlobStore,
    container: &str,
    name: &str,
    written: &Written,
) -> Result<(), StorageError> {
    if written.retention.is_some() || hold::asked_hold(call)?.is_some() {
        hold::check_enabled(blobs, container)?;
    }
    let held = blobs.container(container)?;
    let Some(old) = held.blobs.get(name) else {
        return Ok(());
    };
    if old.directory {
        return Err(StorageError::new(
            409,
            "ResourceTypeMismatch",
            "The specified resource type does not match the type of the existing resource.",
        ));
    }
    if old.rehydration.is_some() {
        return Err(tier::being_rehydrated());
    }
    held.worm.check_write(old)
}

/// Checks the conditional headers of a write that changes a blob which must be there.
fn check_change(
    call: &Call,
    state: &State,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    let held = access::account(call, state)?.blobs.container(container)?;
    let blob = held
        .blobs
        .get(name)
        .ok_or_else(StorageError::blob_not_found)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    if call.query.is("comp", "metadata") {
        held.worm.check_change(blob)?;
    } else {
        held.worm.check_write(blob)?;
    }
    match blob.tier() {
        tier::Tier::Archive => Err(tier::archived()),
        _ => Ok(()),
    }
}

/// Set Blob Metadata: replaces all of it.
pub(super) fn set_metadata(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    check_change(call, state, container, name)?;
    let metadata = headers::metadata(call);
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.rewrite(container, name, call.now, |blob| blob.metadata = metadata)?;
    let reply = access::tagged(StatusCode::OK, &blob.etag, blob.modified);
    Ok(version::named(reply, blob).with("x-ms-request-server-encrypted", "true"))
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

/// Delete Blob. Where there are versions, the current one becomes the newest of them; one that is named goes for good.
pub(super) fn delete(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let which = Which::of(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let (blob, current) = blobs.find(container, name, &which)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    let held = blobs.container(container)?;
    if blob.directory && held.below(name, true).next().is_some() {
        return Err(StorageError::new(
            409,
            "DirectoryIsNotEmpty",
            "This operation is not permitted on a non-empty directory.",
        )
        .into());
    }
    let stays = current && blob.version.is_some();
    if !stays {
        held.worm.check_delete(blob, call.now)?;
    }
    match which {
        Which::Current => {
            delete_snapshots(call, blobs, container, name)?;
            if call.header(SNAPSHOTS).is_none_or(|it| it != "only") {
                blobs.delete(container, name, call.now)?;
            }
        }
        Which::Version(_) if current => {
            return Err(StorageError::new(
                403,
                "OperationNotAllowedOnRootBlob",
                "The specified operation is not allowed on root blob.",
            )
            .into());
        }
        past => blobs.delete_past(container, name, &past, call.now)?,
    }
    let reply = Reply::empty(StatusCode::ACCEPTED);
    Ok(if stays {
        reply
    } else {
        reply.with("x-ms-delete-type-permanent", "true")
    })
}

/// Whether the snapshots of a blob go with it (`include`), or alone (`only`).
const SNAPSHOTS: &str = "x-ms-delete-snapshots";

/// A blob that has snapshots goes only where the call says what is to become of them.
fn delete_snapshots(
    call: &Call,
    blobs: &mut BlobStore,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    let moments = blobs.snapshots(container, name);
    match call.header(SNAPSHOTS) {
        Some("include" | "only") => {}
        None if moments.is_empty() => {}
        None => {
            return Err(StorageError::new(
                409,
                "SnapshotsPresent",
                "This operation is not permitted while the blob has snapshots.",
            ));
        }
        Some(other) => return Err(StorageError::invalid_header(SNAPSHOTS, other)),
    }
    for moment in moments {
        blobs.delete_past(container, name, &Which::Snapshot(moment), call.now)?;
    }
    Ok(())
}
