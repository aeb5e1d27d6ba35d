//! Files: made empty, appended to, flushed, read.

use http::StatusCode;

use super::filesystem::Done;
use super::path::{already_exists, metadata};
use crate::blob::headers::{condition, content_headers, range, with_content_headers};
use crate::blob::{Content, StorageError, Written, access};
use crate::call::Call;
use crate::reply::Reply;
use crate::state::State;

/// Path Create of a file: empty. One that is there is replaced, unless the call says otherwise.
pub(super) fn create(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let written = Written {
        headers: content_headers(call, "x-ms-")?,
        metadata: metadata(call)?,
        ..Written::default()
    };
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let held = blobs.container_mut(filesystem)?;
    let old = held.blobs.get(path);
    if old.is_some() && call.header("if-none-match") == Some("*") {
        return Err(already_exists());
    }
    condition(call, old.map(|it| (it.etag.as_str(), it.modified)))?;
    if let Some(old) = old {
        held.worm.check_write(old)?;
    }
    held.appended.remove(path);
    let none = Content::default();
    let made = blobs.commit(filesystem, path, none, Vec::new(), written, call.now)?;
    Ok(access::tagged(
        StatusCode::CREATED,
        &made.etag,
        made.modified,
    ))
}

fn position(call: &Call) -> Result<u64, StorageError> {
    let text = call.query.get("position").unwrap_or_default();
    text.parse()
        .map_err(|_| StorageError::invalid_query("position", text))
}

/// Path Update, append: bytes at a position, kept until a flush.
pub(super) fn append(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let at = position(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.blob(filesystem, path)?;
    if blob.directory || at < blob.content.size() {
        return Err(invalid_position());
    }
    let held = blobs.container_mut(filesystem)?;
    let pieces = held.appended.entry(path.to_owned()).or_default();
    pieces.insert(at, call.body.clone().into());
    Ok(Reply::empty(StatusCode::ACCEPTED).with("x-ms-request-server-encrypted", "true"))
}

/// Path Update, flush: what was appended becomes the file, up to a position that must be its end without a gap.
pub(super) fn flush(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let end = position(call)?;
    let mut headers = content_headers(call, "x-ms-")?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.blob(filesystem, path)?.clone();
    condition(call, Some((&blob.etag, blob.modified)))?;
    let held = blobs.container_mut(filesystem)?;
    let worm = &held.worm;
    if blob.content.size() > 0 {
        worm.check_write(&blob)?;
    }
    let mut parts = vec![blob.content.clone()];
    let mut size = blob.content.size();
    for (at, piece) in held.appended.get(path).into_iter().flatten() {
        if *at != size || size >= end {
            break;
        }
        size += piece.size();
        parts.push(piece.clone());
    }
    if size != end {
        return Err(invalid_position());
    }
    held.appended.remove(path);
    headers.content_type = headers.content_type.or(blob.headers.content_type);
    let written = Written {
        headers,
        metadata: blob.metadata,
        ..Written::default()
    };
    let content = Content::concat(parts);
    let made = blobs.commit(filesystem, path, content, Vec::new(), written, call.now)?;
    Ok(access::tagged(StatusCode::OK, &made.etag, made.modified).with("content-length", "0"))
}

fn invalid_position() -> StorageError {
    StorageError::new(
        400,
        "InvalidFlushPosition",
        "The uploaded data is not contiguous or the position query parameter value is not equal to the length of the file after appending the uploaded data.",
    )
}

/// Path Read.
pub(super) fn read(call: &Call, state: &State, filesystem: &str, path: &str) -> Done {
    let blob = access::account(call, state)?.blobs.blob(filesystem, path)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    if blob.directory {
        return Err(StorageError::new(
            409,
            "PathConflict",
            "The specified path is a directory.",
        ));
    }
    let size = blob.content.size();
    let (status, reply) = match range(call, size)? {
        None => (
            StatusCode::OK,
            Reply::bytes(StatusCode::OK, blob.content.to_bytes()),
        ),
        Some(range) => {
            let part = blob.content.slice(range.clone());
            let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let reply = Reply::bytes(StatusCode::PARTIAL_CONTENT, part.to_bytes());
            (reply.status, reply.with("content-range", shown))
        }
    };
    let tagged = access::tagged(status, &blob.etag, blob.modified);
    let mut reply = with_content_headers(reply, &blob.headers);
    reply.headers.extend(tagged.headers);
    Ok(reply.with("x-ms-resource-type", "file"))
}
