//! List Blobs, flat and by directory, and List Containers: XML element by element as the service writes it.
//!
//! Element names and order were taken from recorded answers of the service (version 2021-08-06). The ETag of a blob stands
//! here without quotes, in headers with them. Pages are small whatever `maxresults` says, which Azure reserves for itself.

mod entry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::StatusCode;

use super::access;
use super::error::StorageError;
use super::lease::Standing;
use super::xml::{element, escape};
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;
use entry::{Entry, Shown};

/// The most rows that a page of the service has.
const ROWS_MAX: usize = 5_000;

/// Between a name and a moment in a marker: no name has it.
const ENDS: char = '\u{0}';

/// A row of a listing.
enum Row<'a> {
    Blob(Entry<'a>),
    Prefix(&'a str),
}

/// List Blobs.
pub(super) fn blobs(call: &Call, state: &State, container: &str) -> Answer {
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?.unwrap_or_default();
    let prefix = call.query.get("prefix").unwrap_or_default();
    let delimiter = call.query.get("delimiter").filter(|it| !it.is_empty());
    let store = &access::account(call, state)?.blobs;
    let held = store.container(container)?;
    let shown = Shown::of(call, store.hierarchical);
    let (name, moment) = start.split_once(ENDS).unwrap_or((&start, ""));
    let first = if name.is_empty() { prefix } else { name };
    let named = entry::entries(held, first.max(prefix), &shown)
        .filter(|it| it.name != name || it.moment() >= moment)
        .take_while(|it| it.name.starts_with(prefix));
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut next = None;
    for it in named {
        let folder = directory(it.name, prefix, delimiter);
        if matches!((folder, rows.last()), (Some(new), Some(Row::Prefix(last))) if new == *last) {
            continue;
        }
        if rows.len() == rows_max {
            next = Some(format!("{}{ENDS}{}", it.name, it.moment()));
            break;
        }
        rows.push(folder.map_or(Row::Blob(it), Row::Prefix));
    }
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
            Row::Blob(it) => {
                let standing = match it.past {
                    None if !store.leases.is_empty() => {
                        store.leases.standing(container, it.name, call.now)
                    }
                    _ => Standing::Available,
                };
                entry::write(&mut xml, &it, standing, &shown);
            }
            Row::Prefix(name) => {
                xml.push_str("<BlobPrefix>");
                name_element(&mut xml, name);
                xml.push_str("</BlobPrefix>");
            }
        }
    }
    xml.push_str("</Blobs>");
    Ok(finish(xml, next.as_deref()))
}

/// List Containers.
pub(super) fn containers(call: &Call, state: &State) -> Answer {
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?.unwrap_or_default();
    let prefix = call.query.get("prefix").unwrap_or_default();
    let metadata = includes(call, "metadata");
    let mut xml = head(call, state, "");
    echo(&mut xml, call, &["prefix", "marker", "maxresults"]);
    xml.push_str("<Containers>");
    let mut next = None;
    let store = &access::account(call, state)?.blobs;
    let named = store
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && *name >= start.as_str());
    for (row, (name, container)) in named.enumerate() {
        if row == rows_max {
            next = Some(name);
            break;
        }
        let standing = store.leases.standing(name, "", call.now);
        let has = |it: bool| it.to_string();
        xml.push_str("<Container>");
        element(&mut xml, "Name", name);
        xml.push_str("<Properties>");
        for (name, value) in [
            ("Last-Modified", http_date(container.modified)),
            ("Etag", access::quoted(&container.etag)),
            ("LeaseStatus", standing.status().to_owned()),
            ("LeaseState", standing.state().to_owned()),
            (
                "HasImmutabilityPolicy",
                has(container.worm.policy.is_some()),
            ),
            ("HasLegalHold", has(!container.worm.holds.is_empty())),
            (
                "ImmutableStorageWithVersioningEnabled",
                has(container.worm.of_versions),
            ),
        ] {
            element(&mut xml, name, &value);
        }
        xml.push_str("</Properties>");
        if metadata {
            metadata_element(&mut xml, &container.metadata);
        }
        xml.push_str("</Container>");
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
