//! List Directories and Files: XML element by element as the service writes it, in small pages.

use http::StatusCode;

use super::entry::Entry;
use super::properties::file_id;
use super::snapshot;
use crate::blob::access;
use crate::blob::list::{from_marker, includes, name_element, page_size, to_marker};
use crate::blob::xml::{element, escape};
use crate::call::Call;
use crate::clock::{http_date, iso};
use crate::reply::{Answer, Reply};
use crate::state::State;

/// What a caller wants to see of each entry. Naming anything in `include` asks for extended information too.
struct Wanted {
    extended: bool,
    timestamps: bool,
    etag: bool,
    attributes: bool,
    permission_key: bool,
}

impl Wanted {
    fn of(call: &Call) -> Self {
        let asked = call.header("x-ms-file-extended-info");
        let includes_any = call.query.get("include").is_some_and(|it| !it.is_empty());
        Self {
            extended: includes_any || asked.is_some_and(|it| it.eq_ignore_ascii_case("true")),
            timestamps: includes(call, "Timestamps"),
            etag: includes(call, "Etag"),
            attributes: includes(call, "Attributes"),
            permission_key: includes(call, "PermissionKey"),
        }
    }
}

/// List Directories and Files.
pub(super) fn entries(call: &Call, state: &State, share: &str, path: &str) -> Answer {
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?.unwrap_or_default();
    let prefix = call.query.get("prefix").unwrap_or_default().to_lowercase();
    let held = snapshot::held(call, state, share)?;
    let directory = held.entry(path)?;
    if directory.file.is_some() {
        return Err(super::error::type_mismatch().into());
    }
    let wanted = Wanted::of(call);
    let mut xml = head(call, state, share, path);
    if wanted.extended {
        element(&mut xml, "DirectoryId", &file_id(directory));
    }
    xml.push_str("<Entries>");
    let mut next = String::new();
    let named = held.children(path).filter(|entry| {
        let name = entry.name.to_lowercase();
        name.starts_with(&prefix) && name >= start
    });
    for (row, entry) in named.enumerate() {
        if row == rows_max {
            next = to_marker(&entry.name.to_lowercase());
            break;
        }
        entry_row(&mut xml, entry, &wanted, call);
    }
    xml.push_str("</Entries>");
    element(&mut xml, "NextMarker", &next);
    xml.push_str("</EnumerationResults>");
    Ok(Reply::xml(StatusCode::OK, xml))
}

fn head(call: &Call, state: &State, share: &str, path: &str) -> String {
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}/\" ShareName=\"{}\" DirectoryPath=\"{}\">",
        escape(&state.cloud.file_url(&call.label)),
        escape(share),
        escape(path)
    );
    for (parameter, name) in [
        ("prefix", "Prefix"),
        ("marker", "Marker"),
        ("maxresults", "MaxResults"),
    ] {
        if let Some(value) = call.query.get(parameter) {
            element(&mut xml, name, value);
        }
    }
    xml
}

fn entry_row(xml: &mut String, entry: &Entry, wanted: &Wanted, call: &Call) {
    let kind = if entry.file.is_some() {
        "File"
    } else {
        "Directory"
    };
    xml.push_str(&format!("<{kind}>"));
    name_element(xml, &entry.name);
    if wanted.extended {
        element(xml, "FileId", &file_id(entry));
    }
    let mut inner = String::new();
    if let Some(file) = &entry.file {
        element(&mut inner, "Content-Length", &file.bytes.size().to_string());
    }
    let properties = &entry.properties;
    if wanted.timestamps {
        element(&mut inner, "CreationTime", &iso(properties.created));
        // Reading a listing counts as access: a client that took this for a change would see one each time.
        element(&mut inner, "LastAccessTime", &iso(call.now));
        element(&mut inner, "LastWriteTime", &iso(properties.written));
        element(&mut inner, "ChangeTime", &iso(properties.changed));
        element(&mut inner, "Last-Modified", &http_date(entry.modified));
    }
    if wanted.etag {
        element(&mut inner, "Etag", &access::quoted(&entry.etag));
    }
    if inner.is_empty() {
        xml.push_str("<Properties />");
    } else {
        xml.push_str(&format!("<Properties>{inner}</Properties>"));
    }
    if wanted.attributes {
        element(xml, "Attributes", &properties.attributes);
    }
    if wanted.permission_key {
        element(xml, "PermissionKey", &properties.permission);
    }
    xml.push_str(&format!("</{kind}>"));
}
