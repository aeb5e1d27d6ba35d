//! What files and directories have in common: properties, another name, deletion.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use super::filesystem::Done;
use crate::blob::headers::{condition, with_content_headers};
use crate::blob::{Metadata, StorageError, access};
use crate::call::{Call, percent_decode};
use crate::clock::http_date;
use crate::reply::Reply;
use crate::state::State;

/// Who owns everything that a token or key wrote.
pub(super) const OWNER: &str = "$superuser";
/// What everything may be done with.
pub(super) const PERMISSIONS: &str = "rwxr-x---";
/// The header that makes a PUT a rename: `/FILESYSTEM/PATH`.
pub(super) const RENAMES: &str = "x-ms-rename-source";

/// The metadata of `x-ms-properties`: `name=BASE64,…`.
pub(super) fn metadata(call: &Call) -> Result<Metadata, StorageError> {
    const NAME: &str = "x-ms-properties";
    let text = call.header(NAME).unwrap_or_default();
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
            Some((name.trim().to_lowercase(), value))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| StorageError::invalid_header(NAME, text))
}

/// Metadata as `x-ms-properties` has it.
pub(super) fn encoded(metadata: &Metadata) -> String {
    let pairs = metadata.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", STANDARD.encode(value)));
    pairs.collect::<Vec<_>>().join(",")
}

/// Path Create of a directory.
pub(super) fn directory(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let metadata = metadata(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let found = blobs.container(filesystem)?.blobs.get(path);
    let found = found.map(|blob| (blob.etag.as_str(), blob.modified));
    if found.is_some() && call.header("if-none-match") == Some("*") {
        return Err(already_exists());
    }
    condition(call, found)?;
    let made = blobs.make_directory(filesystem, path, metadata, call.now)?;
    Ok(access::tagged(
        StatusCode::CREATED,
        &made.etag,
        made.modified,
    ))
}

/// The refusal to make what is there.
pub(super) fn already_exists() -> StorageError {
    StorageError::new(
        409,
        "PathAlreadyExists",
        "The specified path already exists.",
    )
}

/// Path Get Properties, and its owner and rights where `action` asks for them.
pub(super) fn properties(call: &Call, state: &State, filesystem: &str, path: &str) -> Done {
    let blob = access::account(call, state)?.blobs.blob(filesystem, path)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    let reply = access::tagged(StatusCode::OK, &blob.etag, blob.modified)
        .with("x-ms-owner", OWNER)
        .with("x-ms-group", OWNER)
        .with("x-ms-permissions", PERMISSIONS);
    if call.query.is("action", "getAccessControl") {
        return Ok(reply.with("x-ms-acl", "user::rwx,group::r-x,other::---"));
    }
    let kind = if blob.directory { "directory" } else { "file" };
    let reply = with_content_headers(reply, &blob.headers)
        .with("content-length", blob.content.size().to_string())
        .with("x-ms-resource-type", kind)
        .with("x-ms-creation-time", http_date(blob.created));
    Ok(reply.with("x-ms-properties", encoded(&blob.metadata)))
}

/// Path Create with a source: another name within the file system.
pub(super) fn rename(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let text = call.header(RENAMES).unwrap_or_default();
    let source = percent_decode(text.split('?').next().unwrap_or_default());
    let from = source
        .trim_start_matches('/')
        .strip_prefix(&format!("{filesystem}/"))
        .map(|path| path.trim_matches('/').to_owned())
        .ok_or_else(|| StorageError::invalid_header(RENAMES, text))?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    if blobs.blob(filesystem, path).is_ok() && call.header("if-none-match") == Some("*") {
        return Err(already_exists());
    }
    let moved = blobs.rename_path(filesystem, &from, path, call.now)?;
    Ok(access::tagged(
        StatusCode::CREATED,
        &moved.etag,
        moved.modified,
    ))
}

/// Path Delete.
pub(super) fn delete(call: &Call, state: &mut State, filesystem: &str, path: &str) -> Done {
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let blob = blobs.blob(filesystem, path)?;
    condition(call, Some((&blob.etag, blob.modified)))?;
    let worm = &blobs.container(filesystem)?.worm;
    worm.check_delete(blob, call.now)?;
    blobs.delete_path(filesystem, path, call.query.is("recursive", "true"))?;
    Ok(Reply::empty(StatusCode::OK))
}
