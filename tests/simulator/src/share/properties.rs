//! Times and attributes in headers: read from a request, written to an answer.

use jiff::Timestamp;

use super::entry::{Entry, Properties};
use super::time::{parse, whole_ticks};
use crate::blob::StorageError;
use crate::blob::access::quoted;
use crate::blob::headers::with_metadata;
use crate::call::Call;
use crate::clock::{http_date, iso};
use crate::reply::Reply;

/// Attribute names that the service takes.
const ATTRIBUTES: [&str; 9] = [
    "ReadOnly",
    "Hidden",
    "System",
    "Directory",
    "Archive",
    "Temporary",
    "Offline",
    "NotContentIndexed",
    "NoScrubData",
];

/// Applies the property headers of a call to the properties that an entry has or would have.
pub(super) fn apply(
    call: &Call,
    properties: &mut Properties,
    creates: bool,
) -> Result<(), StorageError> {
    time(call, "x-ms-file-creation-time", &mut properties.created)?;
    time(call, "x-ms-file-last-write-time", &mut properties.written)?;
    time(call, "x-ms-file-change-time", &mut properties.changed)?;
    if let Some(key) = call.header("x-ms-file-permission-key") {
        properties.permission = key.to_owned();
    }
    attributes(call, properties, creates)
}

fn time(call: &Call, name: &str, to: &mut Timestamp) -> Result<(), StorageError> {
    match call.header(name) {
        None => {}
        Some(text) if text.eq_ignore_ascii_case("preserve") => {}
        Some(text) if text.eq_ignore_ascii_case("now") => *to = whole_ticks(call.now),
        Some(text) => *to = parse(text).ok_or_else(|| StorageError::invalid_header(name, text))?,
    }
    Ok(())
}

/// `None` for a new file means the default, as the service answers `Archive` to it.
fn attributes(call: &Call, properties: &mut Properties, creates: bool) -> Result<(), StorageError> {
    const NAME: &str = "x-ms-file-attributes";
    let Some(text) = call.header(NAME) else {
        return Ok(());
    };
    let is_directory = properties.attributes.contains("Directory");
    if text.eq_ignore_ascii_case("preserve") {
        return Ok(());
    }
    if text.eq_ignore_ascii_case("none") {
        if !creates && !is_directory {
            properties.attributes = "None".to_owned();
        }
        return Ok(());
    }
    let mut names = Vec::new();
    for name in text.split('|').map(str::trim) {
        let known = ATTRIBUTES
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        names.push(*known.ok_or_else(|| StorageError::invalid_header(NAME, text))?);
    }
    if is_directory && !names.contains(&"Directory") {
        names.push("Directory");
    }
    names.sort_by_key(|name| ATTRIBUTES.iter().position(|known| known == name));
    names.dedup();
    properties.attributes = names.join(" | ");
    Ok(())
}

/// An answer with everything that the headers say about an entry, content apart.
pub(super) fn described(reply: Reply, entry: &Entry) -> Reply {
    with_metadata(stamped(reply, entry), &entry.metadata)
}

/// An answer with ETag, times, attributes and ids of an entry, as writes give it too.
pub(super) fn stamped(reply: Reply, entry: &Entry) -> Reply {
    let properties = &entry.properties;
    reply
        .with("etag", quoted(&entry.etag))
        .with("last-modified", http_date(entry.modified))
        .with("x-ms-file-creation-time", iso(properties.created))
        .with("x-ms-file-last-write-time", iso(properties.written))
        .with("x-ms-file-change-time", iso(properties.changed))
        .with("x-ms-file-attributes", &properties.attributes)
        .with("x-ms-file-permission-key", &properties.permission)
        .with("x-ms-file-id", file_id(entry))
        .with("x-ms-file-parent-id", "0")
        .with("x-ms-server-encrypted", "true")
}

/// The number that the service shows for an entry.
pub(super) fn file_id(entry: &Entry) -> String {
    (0x9FFF_0000_0000_0000_u64 + entry.id * 0x40).to_string()
}
