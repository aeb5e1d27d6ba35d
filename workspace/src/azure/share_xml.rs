//! The XML of a directory listing of Azure Files: `EnumerationResults/Entries/{Directory,File}`.
//!
//! Elements that are not known are passed over. A name with `Encoded="true"` is percent-encoded.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::locate::decoded;

/// One page of a directory.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RawPage {
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) next_marker: String,
}

/// A file or directory in it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RawEntry {
    pub(crate) is_directory: bool,
    pub(crate) name: String,
    pub(crate) attributes: Option<String>,
    pub(crate) properties: BTreeMap<String, String>,
}

/// Reads a page.
pub(crate) fn read(body: &[u8]) -> Result<RawPage, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut walk = Walk::default();
    let mut rooted = false;
    loop {
        match reader
            .read_event()
            .map_err(|error| format!("it is not XML: {error}"))?
        {
            Event::Start(start) => {
                rooted |= start.local_name().as_ref() == b"EnumerationResults";
                walk.open(&start);
            }
            Event::Empty(start) => {
                walk.open(&start);
                walk.close();
            }
            Event::Text(part) => {
                let part = part.decode().map_err(|error| error.to_string())?;
                walk.text.push_str(&part);
            }
            Event::CData(part) => {
                let part = part.decode().map_err(|error| error.to_string())?;
                walk.text.push_str(&part);
            }
            Event::GeneralRef(name) => {
                walk.text.push_str(&entity(&name)?);
            }
            Event::End(_) => walk.close(),
            Event::Eof => break,
            _ => {}
        }
    }
    if rooted && walk.path.is_empty() {
        Ok(walk.page)
    } else {
        Err("it is no list of a directory".to_owned())
    }
}

/// What a reference such as `&amp;` or `&#33;` stands for.
pub(crate) fn entity(name: &BytesRef<'_>) -> Result<String, String> {
    let known = match name.resolve_char_ref() {
        Ok(Some(c)) => Some(c.to_string()),
        _ => std::str::from_utf8(name)
            .ok()
            .and_then(resolve_predefined_entity)
            .map(str::to_owned),
    };
    known.ok_or_else(|| "it has an unknown entity".to_owned())
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    text: String,
    encoded: bool,
    entry: Option<RawEntry>,
    page: RawPage,
}

impl Walk {
    fn open(&mut self, start: &BytesStart<'_>) {
        let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
        if self.path.len() == 2 && matches!(name.as_str(), "File" | "Directory") {
            self.entry = Some(RawEntry {
                is_directory: name == "Directory",
                ..RawEntry::default()
            });
        }
        self.encoded = start
            .attributes()
            .flatten()
            .any(|one| one.key.as_ref() == b"Encoded" && one.value.as_ref() == b"true");
        self.path.push(name);
        self.text.clear();
    }

    fn close(&mut self) {
        let text = std::mem::take(&mut self.text);
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match (path.as_slice(), &mut self.entry) {
            ([_, "NextMarker"], _) => self.page.next_marker = text,
            ([_, "Entries", _, "Name"], Some(entry)) => {
                entry.name = if self.encoded { decoded(&text) } else { text };
            }
            ([_, "Entries", _, "Attributes"], Some(entry)) => entry.attributes = Some(text),
            ([_, "Entries", _, "Properties", name], Some(entry)) => {
                entry.properties.insert((*name).to_owned(), text);
            }
            ([_, "Entries", "File" | "Directory"], _) => {
                self.page.entries.extend(self.entry.take());
            }
            _ => {}
        }
        self.encoded = false;
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_read_in_any_order() -> Result<(), String> {
        let text = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults ShareName=\"s\"><Prefix/><Entries>\
            <File><Name>a &amp; b&#33;.txt</Name><Properties><Content-Length>3</Content-Length><Etag>\"1\"</Etag></Properties>\
            <Attributes>Archive</Attributes></File><Directory><Name Encoded=\"true\">d%20e</Name><Properties/></Directory>\
            <New><Name>x</Name></New><File><Name>c</Name></File></Entries><NextMarker>m</NextMarker></EnumerationResults>";
        let page = read(text.as_bytes())?;
        let names: Vec<(&str, bool)> = page
            .entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.is_directory))
            .collect();
        assert_eq!(names, [("a & b!.txt", false), ("d e", true), ("c", false)]);
        assert_eq!(page.next_marker, "m");
        let first = page.entries.first().ok_or("none")?;
        assert_eq!(
            first.properties.get("Etag").map(String::as_str),
            Some("\"1\"")
        );
        assert_eq!(first.attributes.as_deref(), Some("Archive"));
        Ok(())
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        for text in [
            "",
            "{}",
            "<a/>",
            "<EnumerationResults><Entries>",
            "<EnumerationResults>&x;</EnumerationResults>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
