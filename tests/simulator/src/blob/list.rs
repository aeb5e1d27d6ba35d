//! List Blobs, flat and by directory, and List Containers: XML element by element as the service writes it.
//!
//! Element names and order were taken from recorded answers of the service (version 2021-08-06). The ETag of a blob stands
//! here without quotes, in headers with them. Pages are small whatever `maxresults` says, which Azure reserves for itself.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::StatusCode;

use super::access;
use super::error::StorageError;
use super::headers::base64;
use super::store::Blob;
use super::xml::{element, escape};
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The most rows that a page of the service has.
const ROWS_MAX: usize = 5_000;

/// A row of a listing.
enum Row<'a> {
    Blob(&'a str, &'a Blob),
    Prefix(&'a str),
}

/// List Blobs.
pub(super) fn blobs(call: &Call, state: &State, container: &str) -> Answer {
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let delimiter = call.query.get("delimiter").filter(|it| !it.is_empty());
    let account = access::account(call, state)?;
    let held = account.blobs.container(container)?;
    let first = start.as_deref().unwrap_or(prefix).max(prefix);
    let named = held
        .blobs
        .range::<str, _>((Bound::Included(first), Bound::Unbounded))
        .take_while(|(name, _)| name.starts_with(prefix));
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut next = None;
    for (name, blob) in named {
        let row = match directory(name, prefix, delimiter) {
            Some(directory) => Row::Prefix(directory),
            None => Row::Blob(name, blob),
        };
        if matches!((&row, rows.last()), (Row::Prefix(new), Some(Row::Prefix(last))) if new == last)
        {
            continue;
        }
        if rows.len() == rows_max {
            next = Some(name.as_str());
            break;
        }
        rows.push(row);
    }
    let metadata = includes(call, "metadata");
    let mut xml = head(
        call,
        state,
        &format!(" ContainerName=\"{}\"", escape(container)),
    );
    echo(
        &mut xml,
        call,
        &["prefix", "marker", "maxresults", "delimiter"],
    );
    xml.push_str("<Blobs>");
    for row in rows {
        match row {
            Row::Blob(name, blob) => blob_row(&mut xml, name, blob, metadata),
            Row::Prefix(name) => {
                xml.push_str("<BlobPrefix>");
                name_element(&mut xml, name);
                xml.push_str("</BlobPrefix>");
            }
        }
    }
    xml.push_str("</Blobs>");
    Ok(finish(xml, next))
}

/// List Containers.
pub(super) fn containers(call: &Call, state: &State) -> Answer {
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?.unwrap_or_default();
    let prefix = call.query.get("prefix").unwrap_or_default();
    let mut xml = head(call, state, "");
    echo(&mut xml, call, &["prefix", "marker", "maxresults"]);
    xml.push_str("<Containers>");
    let mut next = None;
    let all = access::account(call, state)?.blobs.iter();
    let named = all.filter(|(name, _)| name.starts_with(prefix) && *name >= start.as_str());
    for (row, (name, container)) in named.enumerate() {
        if row == rows_max {
            next = Some(name);
            break;
        }
        xml.push_str("<Container>");
        element(&mut xml, "Name", name);
        xml.push_str("<Properties>");
        element(&mut xml, "Last-Modified", &http_date(container.modified));
        element(&mut xml, "Etag", &access::quoted(&container.etag));
        element(&mut xml, "LeaseStatus", "unlocked");
        element(&mut xml, "LeaseState", "available");
        xml.push_str("</Properties></Container>");
    }
    xml.push_str("</Containers>");
    Ok(finish(xml, next))
}

/// The part of a name up to the delimiter after the prefix, where it has one.
fn directory<'a>(name: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let at = name.get(prefix.len()..)?.find(delimiter)?;
    name.get(..prefix.len() + at + delimiter.len())
}

/// Rows of a page: what the caller wants, at most what this cloud gives at once.
pub(crate) fn page_size(call: &Call, state: &State) -> Result<usize, StorageError> {
    let Some(text) = call.query.get("maxresults") else {
        return Ok(state.settings.page);
    };
    match text.parse::<usize>() {
        Ok(wanted) if wanted > 0 => Ok(wanted.min(ROWS_MAX).min(state.settings.page)),
        Ok(_) => Err(StorageError::new(
            400,
            "OutOfRangeQueryParameterValue",
            "One of the query parameters specified in the request URI is outside the permissible range.",
        )),
        Err(_) => Err(StorageError::invalid_query("maxresults", text)),
    }
}

/// The name that a marker of an earlier page says to go on at.
pub(crate) fn from_marker(call: &Call) -> Result<Option<String>, StorageError> {
    let Some(marker) = call.query.get("marker").filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let decoded = marker
        .strip_prefix("2!")
        .and_then(|rest| rest.split_once('!'))
        .and_then(|(_, text)| STANDARD_NO_PAD.decode(text.trim_end_matches('-')).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(name) => Ok(Some(name)),
        None => Err(StorageError::invalid_query("marker", marker)),
    }
}

/// An opaque marker for the next page, in the form of the service's own.
pub(crate) fn to_marker(name: &str) -> String {
    let text = STANDARD_NO_PAD.encode(name);
    format!("2!{}!{text}--", text.len())
}

/// Whether `include` names this.
pub(crate) fn includes(call: &Call, wanted: &str) -> bool {
    let included = call.query.get("include").unwrap_or_default();
    included
        .split(',')
        .any(|it| it.trim().eq_ignore_ascii_case(wanted))
}

fn head(call: &Call, state: &State, attributes: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}/\"{attributes}>",
        escape(&state.cloud.blob_url(&call.label))
    )
}

/// Repeats those parameters that the call has, in the service's spelling.
fn echo(xml: &mut String, call: &Call, names: &[&str]) {
    for name in names {
        if let Some(value) = call.query.get(name).filter(|value| !value.is_empty()) {
            let spelled = match *name {
                "prefix" => "Prefix",
                "marker" => "Marker",
                "maxresults" => "MaxResults",
                _ => "Delimiter",
            };
            element(xml, spelled, value);
        }
    }
}

fn finish(mut xml: String, next: Option<&str>) -> Reply {
    let marker = next.map(to_marker).unwrap_or_default();
    element(&mut xml, "NextMarker", &marker);
    xml.push_str("</EnumerationResults>");
    Reply::xml(StatusCode::OK, xml)
}

/// A name, percent-encoded and marked so where XML cannot carry it.
pub(crate) fn name_element(xml: &mut String, name: &str) {
    let impossible = |it: char| {
        (it < ' ' && !matches!(it, '\t' | '\n')) || matches!(it, '\u{fffe}' | '\u{ffff}')
    };
    if name.contains(impossible) {
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        xml.push_str(&format!(
            "<Name Encoded=\"true\">{}</Name>",
            encoded.replace('+', "%20")
        ));
    } else {
        element(xml, "Name", name);
    }
}

fn blob_row(xml: &mut String, name: &str, blob: &Blob, metadata: bool) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let headers = &blob.headers;
    let kind = headers
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let md5 = headers
        .md5
        .as_ref()
        .map(|it| base64(it))
        .unwrap_or_default();
    xml.push_str("<Blob>");
    name_element(xml, name);
    xml.push_str("<Properties>");
    for (name, value) in [
        ("Creation-Time", http_date(blob.created)),
        ("Last-Modified", http_date(blob.modified)),
        ("Etag", blob.etag.clone()),
        ("Content-Length", blob.content.size().to_string()),
        ("Content-Type", kind.to_owned()),
        ("Content-Encoding", text(&headers.encoding)),
        ("Content-Language", text(&headers.language)),
        ("Content-CRC64", String::new()),
        ("Content-MD5", md5),
        ("Cache-Control", text(&headers.cache_control)),
        ("Content-Disposition", text(&headers.disposition)),
        ("BlobType", "BlockBlob".to_owned()),
        (
            "AccessTier",
            blob.tier.clone().unwrap_or_else(|| "Hot".to_owned()),
        ),
    ] {
        element(xml, name, &value);
    }
    if blob.tier.is_none() {
        element(xml, "AccessTierInferred", "true");
    }
    element(xml, "LeaseStatus", "unlocked");
    element(xml, "LeaseState", "available");
    element(xml, "ServerEncrypted", "true");
    xml.push_str("</Properties>");
    if metadata {
        metadata_element(xml, &blob.metadata);
    }
    xml.push_str("<OrMetadata /></Blob>");
}

/// `<Metadata>`, empty where there is none.
pub(crate) fn metadata_element(xml: &mut String, metadata: &super::Metadata) {
    if metadata.is_empty() {
        xml.push_str("<Metadata />");
        return;
    }
    xml.push_str("<Metadata>");
    for (name, value) in metadata {
        element(xml, name, value);
    }
    xml.push_str("</Metadata>");
}
