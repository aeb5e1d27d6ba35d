//! Headers that Blob and Files have in common: metadata, content headers, ranges, digests, conditions.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use md5::{Digest, Md5};

use super::error::StorageError;
use super::record::{ContentHeaders, Metadata};
use crate::call::Call;
use crate::reply::Reply;

/// The largest range whose MD5 a read may ask for.
const RANGE_MD5_BYTES_MAX: u64 = 4 << 20;

/// The metadata that a request carries in `x-ms-meta-…`.
pub(crate) fn metadata(call: &Call) -> Metadata {
    call.headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-ms-meta-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

/// The content headers of a write; `prefix` is `x-ms-blob-` or `x-ms-`, the form in which the service takes them.
pub(crate) fn content_headers(call: &Call, prefix: &str) -> Result<ContentHeaders, StorageError> {
    let of = |name: &str| call.header(&format!("{prefix}{name}")).map(str::to_owned);
    Ok(ContentHeaders {
        content_type: of("content-type"),
        encoding: of("content-encoding"),
        language: of("content-language"),
        disposition: of("content-disposition"),
        cache_control: of("cache-control"),
        md5: digest(call, &format!("{prefix}content-md5"))?,
    })
}

/// A header that holds an MD5 in base64.
pub(crate) fn digest(call: &Call, name: &str) -> Result<Option<[u8; 16]>, StorageError> {
    let Some(text) = call.header(name) else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(text).ok();
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(digest) => Ok(Some(digest)),
        None => Err(StorageError::new(
            400,
            "InvalidMd5",
            "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.",
        )),
    }
}

/// Refuses a body that is not the one whose digest the request states.
pub(crate) fn check_body(call: &Call) -> Result<(), StorageError> {
    match digest(call, "content-md5")? {
        Some(stated) if stated != md5_of(&call.body) => Err(StorageError::md5_mismatch()),
        _ => Ok(()),
    }
}

/// The MD5 of bytes.
pub(crate) fn md5_of(bytes: &Bytes) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// A digest as a header shows it.
pub(crate) fn base64(digest: &[u8]) -> String {
    STANDARD.encode(digest)
}

/// The range that a read asks for: `x-ms-range` before `Range`. What is no range of bytes is taken for none, as Azure
/// does; one that begins at or beyond the end is refused.
pub(crate) fn range(call: &Call, size: u64) -> Result<Option<Range<u64>>, StorageError> {
    let Some(text) = call.header("x-ms-range").or_else(|| call.header("range")) else {
        return Ok(None);
    };
    let Some((start, end)) = text
        .strip_prefix("bytes=")
        .and_then(|it| it.split_once('-'))
    else {
        return Ok(None);
    };
    let Ok(start) = start.parse::<u64>() else {
        return Ok(None);
    };
    let end = match end {
        "" => u64::MAX,
        end => match end.parse::<u64>() {
            Ok(end) if end >= start => end,
            _ => return Ok(None),
        },
    };
    if start >= size {
        return Err(StorageError::invalid_range(size));
    }
    Ok(Some(start..end.saturating_add(1).min(size)))
}

/// Whether the read wants the MD5 of its range; refused without a range or for more than 4 MiB.
pub(crate) fn wants_range_md5(
    call: &Call,
    range: Option<&Range<u64>>,
) -> Result<bool, StorageError> {
    const NAME: &str = "x-ms-range-get-content-md5";
    if !call
        .header(NAME)
        .is_some_and(|it| it.eq_ignore_ascii_case("true"))
    {
        return Ok(false);
    }
    match range {
        Some(range) if range.end - range.start <= RANGE_MD5_BYTES_MAX => Ok(true),
        _ => Err(StorageError::invalid_header(NAME, "true")),
    }
}

/// Checks the conditional headers against what is there. `Ok(false)` means 304: nothing new for a reader.
pub(crate) fn condition(
    call: &Call,
    found: Option<(&str, Timestamp)>,
) -> Result<bool, StorageError> {
    condition_of(call, "", found)
}

/// The same for conditional headers whose names begin so: those of a copy's source have a prefix of their own.
pub(crate) fn condition_of(
    call: &Call,
    prefix: &str,
    found: Option<(&str, Timestamp)>,
) -> Result<bool, StorageError> {
    let reading = call.method == Method::GET || call.method == Method::HEAD;
    let header = |name: &str| call.header(&format!("{prefix}{name}"));
    let matches = |wanted: &str| match found {
        Some((etag, _)) => {
            wanted == "*"
                || wanted
                    .split(',')
                    .any(|it| it.trim().trim_matches('"') == etag)
        }
        None => false,
    };
    let unchanged = || {
        if reading {
            Ok(false)
        } else {
            Err(StorageError::condition_not_met())
        }
    };
    if header("if-match").is_some_and(|wanted| !matches(wanted)) {
        return Err(StorageError::condition_not_met());
    }
    if header("if-none-match").is_some_and(matches) {
        return unchanged();
    }
    let since = |name| header(name).and_then(parse_date);
    let Some((_, modified)) = found else {
        return Ok(true);
    };
    let modified = modified.as_second();
    if since("if-unmodified-since").is_some_and(|at| modified > at.as_second()) {
        return Err(StorageError::condition_not_met());
    }
    if since("if-modified-since").is_some_and(|at| modified <= at.as_second()) {
        return unchanged();
    }
    Ok(true)
}

/// A date of HTTP.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// An answer with the content headers, the way a read shows them. `Content-MD5` is not among them.
pub(crate) fn with_content_headers(reply: Reply, headers: &ContentHeaders) -> Reply {
    let kind = headers
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let pairs = [
        ("content-encoding", &headers.encoding),
        ("content-language", &headers.language),
        ("content-disposition", &headers.disposition),
        ("cache-control", &headers.cache_control),
    ];
    pairs.into_iter().fold(
        reply.with("content-type", kind),
        |reply, (name, value)| match value {
            Some(value) => reply.with(name, value),
            None => reply,
        },
    )
}

/// An answer with metadata.
pub(crate) fn with_metadata(reply: Reply, metadata: &Metadata) -> Reply {
    metadata.iter().fold(reply, |reply, (name, value)| {
        reply.with(&format!("x-ms-meta-{name}"), value)
    })
}
