//! Writing files: Create File, properties, metadata, rename, delete.

use http::StatusCode;
use url::Url;

use super::entry::{File, Properties};
use super::properties::{apply, stamped};
use super::{Extents, normal};
use crate::blob::StorageError;
use crate::blob::access;
use crate::blob::headers::{content_headers, metadata};
use crate::call::{Call, percent_decode};
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The largest file that a share takes: 4 TiB.
const FILE_BYTES_MAX: u64 = 4 << 40;

/// Create File: of a size, with zeros. A file of that name is replaced.
pub(super) fn create(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    match call.header("x-ms-type") {
        Some(kind) if kind.eq_ignore_ascii_case("file") => {}
        Some(other) => return Err(StorageError::invalid_header("x-ms-type", other).into()),
        None => return Err(StorageError::missing_header("x-ms-type").into()),
    }
    let Some(size) = call.header("x-ms-content-length") else {
        return Err(StorageError::missing_header("x-ms-content-length").into());
    };
    let size = match size.parse::<u64>() {
        Ok(size) if size <= FILE_BYTES_MAX => size,
        _ => return Err(StorageError::invalid_header("x-ms-content-length", size).into()),
    };
    let mut headers = content_headers(call, "x-ms-")?;
    headers
        .content_type
        .get_or_insert_with(|| "application/octet-stream".to_owned());
    let file = File {
        bytes: Extents::sparse(size),
        headers,
    };
    let mut properties = Properties::of_file(call.now);
    apply(call, &mut properties, true)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    let entry = shares.create_file(share, path, file, properties, metadata(call), call.now)?;
    Ok(stamped(Reply::empty(StatusCode::CREATED), entry)
        .with("x-ms-request-server-encrypted", "true"))
}

/// Set File or Directory Properties. All content headers of a file are replaced, so that one which is not sent is gone.
pub(super) fn set_properties(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let size = match call.header("x-ms-content-length") {
        None => None,
        Some(text) => match text.parse::<u64>() {
            Ok(size) if size <= FILE_BYTES_MAX => Some(size),
            _ => return Err(StorageError::invalid_header("x-ms-content-length", text).into()),
        },
    };
    let headers = content_headers(call, "x-ms-")?;
    let shares = &mut access::account_mut(call, state)?.shares;
    let entry = shares.change(share, path, call.now, |entry| {
        apply(call, &mut entry.properties, false)?;
        if let Some(file) = &mut entry.file {
            file.headers = headers;
            if let Some(size) = size {
                file.bytes.resize(size);
            }
        }
        Ok(())
    })?;
    Ok(stamped(Reply::empty(StatusCode::OK), entry))
}

/// Set File or Directory Metadata: replaces all of it.
pub(super) fn set_metadata(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let metadata = metadata(call);
    let shares = &mut access::account_mut(call, state)?.shares;
    let entry = shares.change(share, path, call.now, |entry| {
        entry.metadata = metadata;
        Ok(())
    })?;
    Ok(stamped(Reply::empty(StatusCode::OK), entry))
}

/// Rename File: the call goes to the new name and states the old one as a URL.
pub(super) fn rename(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    const SOURCE: &str = "x-ms-file-rename-source";
    let Some(text) = call.header(SOURCE) else {
        return Err(StorageError::missing_header(SOURCE).into());
    };
    let url = Url::parse(text).map_err(|_| StorageError::invalid_header(SOURCE, text))?;
    let source = percent_decode(url.path());
    let source = source.trim_start_matches('/');
    let Some(from) = source.strip_prefix(&format!("{share}/")) else {
        return Err(StorageError::invalid_header(SOURCE, text).into());
    };
    let from = normal(call, from, "x-ms-source-allow-trailing-dot")?;
    let replace = call
        .header("x-ms-file-rename-replace-if-exists")
        .is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let shares = &mut access::account_mut(call, state)?.shares;
    shares.rename_file(share, &from, path, replace, call.now)?;
    let entry = shares.change(share, path, call.now, |entry| {
        apply(call, &mut entry.properties, false)
    })?;
    Ok(stamped(Reply::empty(StatusCode::OK), entry))
}

/// Delete File.
pub(super) fn delete(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let shares = &mut access::account_mut(call, state)?.shares;
    shares.delete_file(share, path, call.now)?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
