//! Ranges of files: Put Range, which writes at most 4 MiB, and List Ranges.

use std::ops::Range;

use http::StatusCode;

use super::error::type_mismatch;
use super::read::file;
use super::time::whole_ticks;
use crate::blob::StorageError;
use crate::blob::access;
use crate::blob::headers::{base64, check_body, md5_of};
use crate::call::Call;
use crate::clock::iso;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The most bytes that one Put Range may write.
const RANGE_BYTES_MAX: u64 = 4 << 20;

/// Put Range.
pub(super) fn put(call: &Call, state: &mut State, share: &str, path: &str) -> Answer {
    let range = stated_range(call)?;
    let clears = match call.header("x-ms-write") {
        Some(write) if write.eq_ignore_ascii_case("update") => false,
        Some(write) if write.eq_ignore_ascii_case("clear") => true,
        Some(other) => return Err(StorageError::invalid_header("x-ms-write", other).into()),
        None => return Err(StorageError::missing_header("x-ms-write").into()),
    };
    check_length(call, &range, clears)?;
    check_body(call)?;
    let keeps_time = call
        .header("x-ms-file-last-write-time")
        .is_some_and(|it| it.eq_ignore_ascii_case("preserve"));
    let shares = &mut access::account_mut(call, state)?.shares;
    let entry = shares.change(share, path, call.now, |entry| {
        let file = entry.file.as_mut().ok_or_else(type_mismatch)?;
        if range.end > file.bytes.size() {
            return Err(StorageError::invalid_range(file.bytes.size()));
        }
        if clears {
            file.bytes.clear(range);
        } else {
            file.bytes.update(range.start, call.body.clone());
        }
        if !keeps_time {
            entry.properties.written = whole_ticks(call.now);
        }
        Ok(())
    })?;
    let reply = access::tagged(StatusCode::CREATED, &entry.etag, entry.modified)
        .with("x-ms-file-last-write-time", iso(entry.properties.written))
        .with("x-ms-request-server-encrypted", "true");
    Ok(if clears {
        reply
    } else {
        reply.with("content-md5", base64(&md5_of(&call.body)))
    })
}

fn stated_range(call: &Call) -> Result<Range<u64>, StorageError> {
    let Some(text) = call.header("x-ms-range").or_else(|| call.header("range")) else {
        return Err(StorageError::missing_header("x-ms-range"));
    };
    let parsed = text
        .strip_prefix("bytes=")
        .and_then(|it| it.split_once('-'))
        .and_then(|(start, end)| Some((start.parse::<u64>().ok()?, end.parse::<u64>().ok()?)))
        .filter(|(start, end)| start <= end && *end < u64::MAX);
    match parsed {
        Some((start, end)) => Ok(start..end + 1),
        None => Err(StorageError::invalid_header("x-ms-range", text)),
    }
}

fn check_length(call: &Call, range: &Range<u64>, clears: bool) -> Result<(), StorageError> {
    let size = call.body.len() as u64;
    let stated = range.end - range.start;
    if !clears && size.max(stated) > RANGE_BYTES_MAX {
        return Err(StorageError::new(
            413,
            "RequestBodyTooLarge",
            "The request body is too large and exceeds the maximum permissible limit.",
        ));
    }
    if size != if clears { 0 } else { stated } {
        return Err(StorageError::invalid_header(
            "Content-Length",
            &size.to_string(),
        ));
    }
    Ok(())
}

/// List Ranges: what was written.
pub(super) fn list(call: &Call, state: &State, share: &str, path: &str) -> Answer {
    let (entry, file) = file(call, state, share, path)?;
    let mut xml = String::from("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Ranges>");
    for (start, end) in file.bytes.ranges() {
        xml.push_str(&format!(
            "<Range><Start>{start}</Start><End>{end}</End></Range>"
        ));
    }
    xml.push_str("</Ranges>");
    Ok(Reply::xml(StatusCode::OK, xml)
        .with("etag", access::quoted(&entry.etag))
        .with("last-modified", crate::clock::http_date(entry.modified))
        .with("x-ms-content-length", file.bytes.size().to_string()))
}
