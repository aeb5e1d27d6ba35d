//! Reading blobs: Get Blob, Get Blob Properties, Get Blob Metadata.

use http::{Method, StatusCode};

use super::access;
use super::error::StorageError;
use super::headers::{
    base64, condition, range, wants_range_md5, with_content_headers, with_metadata,
};
use super::store::Blob;
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Get Blob and Get Blob Properties.
pub(super) fn content(call: &Call, state: &State, container: &str, name: &str) -> Answer {
    let blob = access::account(call, state)?.blobs.blob(container, name)?;
    if !condition(call, Some((&blob.etag, blob.modified)))? {
        return Ok(access::tagged(
            StatusCode::NOT_MODIFIED,
            &blob.etag,
            blob.modified,
        ));
    }
    if call.method == Method::HEAD {
        return Ok(properties(blob));
    }
    readable(blob)?;
    let size = blob.content.size();
    let Some(range) = range(call, size)? else {
        wants_range_md5(call, None)?;
        let reply = Reply::bytes(StatusCode::OK, blob.content.to_bytes());
        return Ok(with_md5(described(reply, blob), "content-md5", blob));
    };
    let wants_md5 = wants_range_md5(call, Some(&range))?;
    let part = blob.content.slice(range.clone());
    let mut reply = Reply::bytes(StatusCode::PARTIAL_CONTENT, part.to_bytes()).with(
        "content-range",
        format!("bytes {}-{}/{size}", range.start, range.end - 1),
    );
    if wants_md5 {
        reply = reply.with("content-md5", base64(&part.md5()));
    }
    Ok(with_md5(
        described(reply, blob),
        "x-ms-blob-content-md5",
        blob,
    ))
}

/// Get Blob Metadata.
pub(super) fn metadata(call: &Call, state: &State, container: &str, name: &str) -> Answer {
    let blob = access::account(call, state)?.blobs.blob(container, name)?;
    let reply = access::tagged(StatusCode::OK, &blob.etag, blob.modified);
    Ok(with_metadata(reply, &blob.metadata))
}

fn properties(blob: &Blob) -> Reply {
    // The body is not sent: saying its length alone spares the reading of it.
    let reply =
        Reply::empty(StatusCode::OK).with("content-length", blob.content.size().to_string());
    let reply = with_md5(described(reply, blob), "content-md5", blob)
        .with("x-ms-access-tier", blob.tier.as_deref().unwrap_or("Hot"));
    if blob.tier.is_some() {
        reply.with("x-ms-access-tier-change-time", http_date(blob.modified))
    } else {
        reply.with("x-ms-access-tier-inferred", "true")
    }
}

/// Refuses what cannot be read: an archived blob, or one that a test made unreadable.
pub(super) fn readable(blob: &Blob) -> Result<(), StorageError> {
    match blob.unreadable {
        Some(403) => return Err(StorageError::permission_mismatch()),
        Some(404) => return Err(StorageError::blob_not_found()),
        Some(status) => {
            return Err(StorageError::new(
                status,
                "InternalError",
                "Server encountered an internal error. Please try again after some time.",
            ));
        }
        None => {}
    }
    if blob.tier.as_deref() == Some("Archive") {
        return Err(StorageError::new(
            409,
            "BlobArchived",
            "This operation is not permitted on an archived blob.",
        ));
    }
    Ok(())
}

fn described(reply: Reply, blob: &Blob) -> Reply {
    let reply = reply
        .with("etag", access::quoted(&blob.etag))
        .with("last-modified", http_date(blob.modified))
        .with("accept-ranges", "bytes")
        .with("x-ms-blob-type", "BlockBlob")
        .with("x-ms-creation-time", http_date(blob.created))
        .with("x-ms-lease-status", "unlocked")
        .with("x-ms-lease-state", "available")
        .with("x-ms-server-encrypted", "true");
    with_metadata(with_content_headers(reply, &blob.headers), &blob.metadata)
}

fn with_md5(reply: Reply, header: &str, blob: &Blob) -> Reply {
    match &blob.headers.md5 {
        Some(digest) => reply.with(header, base64(digest)),
        None => reply,
    }
}
