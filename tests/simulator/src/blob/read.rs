//! Reading blobs: Get Blob, Get Blob Properties, Get Blob Metadata.

use http::{Method, StatusCode};

use super::access;
use super::error::StorageError;
use super::headers::{
    base64, condition, range, wants_range_md5, with_content_headers, with_metadata,
};
use super::lease::{self, Standing};
use super::record::Blob;
use super::tier::{self, Tier};
use super::version::Which;
use super::{copy, hold, version};
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// A blob that is asked for, and what an answer about it says besides what it is.
struct Asked<'a> {
    blob: &'a Blob,
    current: bool,
    standing: Standing,
}

fn asked<'a>(
    call: &Call,
    state: &'a State,
    container: &str,
    name: &str,
) -> Result<Asked<'a>, StorageError> {
    let which = Which::of(call)?;
    let blobs = &access::account(call, state)?.blobs;
    let (blob, current) = blobs.find(container, name, &which)?;
    let standing = match which {
        Which::Snapshot(_) => Standing::Available,
        _ => blobs.leases.standing(container, name, call.now),
    };
    Ok(Asked {
        blob,
        current,
        standing,
    })
}

/// Get Blob and Get Blob Properties.
pub(super) fn content(call: &Call, state: &State, container: &str, name: &str) -> Answer {
    let asked = asked(call, state, container, name)?;
    let blob = asked.blob;
    if !condition(call, Some((&blob.etag, blob.modified)))? {
        return Ok(access::tagged(
            StatusCode::NOT_MODIFIED,
            &blob.etag,
            blob.modified,
        ));
    }
    if call.method == Method::HEAD {
        return Ok(properties(&asked));
    }
    readable(blob)?;
    let size = blob.content.size();
    let Some(range) = range(call, size)? else {
        wants_range_md5(call, None)?;
        let reply = Reply::bytes(StatusCode::OK, blob.content.to_bytes());
        return Ok(with_md5(described(reply, &asked), "content-md5", blob));
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
        described(reply, &asked),
        "x-ms-blob-content-md5",
        blob,
    ))
}

/// Get Blob Metadata.
pub(super) fn metadata(call: &Call, state: &State, container: &str, name: &str) -> Answer {
    let blob = asked(call, state, container, name)?.blob;
    condition(call, Some((&blob.etag, blob.modified)))?;
    let reply = access::tagged(StatusCode::OK, &blob.etag, blob.modified);
    Ok(with_metadata(reply, &blob.metadata))
}

fn properties(asked: &Asked<'_>) -> Reply {
    let blob = asked.blob;
    // The body is not sent: saying its length alone spares the reading of it.
    let reply =
        Reply::empty(StatusCode::OK).with("content-length", blob.content.size().to_string());
    let mut reply = with_md5(described(reply, asked), "content-md5", blob)
        .with("x-ms-access-tier", blob.tier().name());
    if let Some(begun) = &blob.rehydration {
        reply = reply
            .with("x-ms-archive-status", begun.status())
            .with("x-ms-rehydrate-priority", begun.priority.name());
    }
    match blob.tier_changed {
        Some(at) => reply.with("x-ms-access-tier-change-time", http_date(at)),
        None => reply.with("x-ms-access-tier-inferred", "true"),
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
    match (blob.tier(), blob.rehydration) {
        (Tier::Archive, None) => Err(tier::archived()),
        (Tier::Archive, Some(_)) => Err(tier::being_rehydrated()),
        _ => Ok(()),
    }
}

fn described(reply: Reply, asked: &Asked<'_>) -> Reply {
    let blob = asked.blob;
    let reply = reply
        .with("etag", access::quoted(&blob.etag))
        .with("last-modified", http_date(blob.modified))
        .with("accept-ranges", "bytes")
        .with("x-ms-blob-type", "BlockBlob")
        .with("x-ms-creation-time", http_date(blob.created))
        .with("x-ms-server-encrypted", "true");
    let reply = lease::shown(reply, asked.standing);
    let reply = copy::shown(hold::shown(reply, blob, true), blob);
    let reply = match version::named(reply, blob) {
        reply if asked.current && blob.version.is_some() => {
            reply.with("x-ms-is-current-version", "true")
        }
        reply => reply,
    };
    with_metadata(with_content_headers(reply, &blob.headers), &blob.metadata)
}

fn with_md5(reply: Reply, header: &str, blob: &Blob) -> Reply {
    match &blob.headers.md5 {
        Some(digest) => reply.with(header, base64(digest)),
        None => reply,
    }
}
