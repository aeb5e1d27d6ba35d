//! Reading files: Get File, Get File Properties, Get File Metadata.

use http::{Method, StatusCode};

use super::entry::{Entry, File};
use super::error::type_mismatch;
use super::properties::{described, stamped};
use super::snapshot;
use crate::blob::StorageError;
use crate::blob::access;
use crate::blob::headers::{
    base64, condition, range, wants_range_md5, with_content_headers, with_metadata,
};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Get File and Get File Properties.
pub(super) fn content(call: &Call, state: &State, share: &str, path: &str) -> Answer {
    let (entry, file) = file(call, state, share, path)?;
    if !condition(call, Some((&entry.etag, entry.modified)))? {
        return Ok(access::tagged(
            StatusCode::NOT_MODIFIED,
            &entry.etag,
            entry.modified,
        ));
    }
    if call.method == Method::HEAD {
        // The body is not sent: saying its length alone spares the reading of it.
        let reply =
            Reply::empty(StatusCode::OK).with("content-length", file.bytes.size().to_string());
        return Ok(answered(reply, entry, file, "content-md5"));
    }
    readable(entry)?;
    let size = file.bytes.size();
    let Some(range) = range(call, size)? else {
        wants_range_md5(call, None)?;
        let reply = Reply::bytes(StatusCode::OK, file.bytes.content().to_bytes());
        return Ok(answered(reply, entry, file, "content-md5"));
    };
    let wants_md5 = wants_range_md5(call, Some(&range))?;
    let part = file.bytes.read(range.clone());
    let mut reply = Reply::bytes(StatusCode::PARTIAL_CONTENT, part.to_bytes()).with(
        "content-range",
        format!("bytes {}-{}/{size}", range.start, range.end - 1),
    );
    if wants_md5 {
        reply = reply.with("content-md5", base64(&part.md5()));
    }
    Ok(answered(reply, entry, file, "x-ms-content-md5"))
}

/// Get File Metadata.
pub(super) fn metadata(call: &Call, state: &State, share: &str, path: &str) -> Answer {
    let (entry, _) = file(call, state, share, path)?;
    let reply = stamped(Reply::empty(StatusCode::OK), entry);
    Ok(with_metadata(reply, &entry.metadata))
}

/// The file at a path; refused where a directory is.
pub(super) fn file<'a>(
    call: &Call,
    state: &'a State,
    share: &str,
    path: &str,
) -> Result<(&'a Entry, &'a File), StorageError> {
    let entry = snapshot::held(call, state, share)?.entry(path)?;
    match &entry.file {
        Some(file) => Ok((entry, file)),
        None => Err(type_mismatch()),
    }
}

fn readable(entry: &Entry) -> Result<(), StorageError> {
    match entry.unreadable {
        None => Ok(()),
        Some(403) => Err(StorageError::permission_mismatch()),
        Some(status) => Err(StorageError::new(
            status,
            "InternalError",
            "Server encountered an internal error. Please try again after some time.",
        )),
    }
}

fn answered(reply: Reply, entry: &Entry, file: &File, md5_header: &str) -> Reply {
    let reply = with_content_headers(described(reply, entry), &file.headers)
        .with("accept-ranges", "bytes")
        .with("x-ms-type", "File")
        .with("x-ms-lease-status", "unlocked")
        .with("x-ms-lease-state", "available");
    match &file.headers.md5 {
        Some(digest) => reply.with(md5_header, base64(digest)),
        None => reply,
    }
}
