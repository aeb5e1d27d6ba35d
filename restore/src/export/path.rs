//! Where an item lies in an exported folder. A name becomes one part of a path that every file system takes, and two
//! names never become the same.

use sha2::{Digest as _, Sha256};
use workspace::azml::FILES;
use workspace::kind::Restore;
use workspace::{ItemId, Kind};

use super::OWN;

/// A longer part is cut, and told apart by a digest; file systems take 255 bytes.
const PART_BYTES_MAX: usize = 200;

/// The folder of an item: `models/churn/3`.
pub(crate) fn of_item(id: &ItemId) -> String {
    let name = part(&id.name);
    match &id.version {
        Some(version) => format!("{}/{name}/{}", part(&id.kind), part(version)),
        None => format!("{}/{name}", part(&id.kind)),
    }
}

/// The YAML of an item, of a kind that has one.
pub(crate) fn yaml_of(kind: &Kind, id: &ItemId) -> Option<String> {
    Some(format!("{}/{}", of_item(id), kind.azml?.file))
}

/// How many folders lie above an item's own.
pub(super) fn depth(id: &ItemId) -> usize {
    if id.version.is_some() { 3 } else { 2 }
}

/// A file of an item. What is itself a file, such as a notebook, lies under its own path.
pub(crate) fn of_file(kind: Option<&Kind>, id: &ItemId, path: &str) -> String {
    match kind.filter(|kind| kind.restore == Restore::Files) {
        Some(kind) => format!("{}/{}", kind.name, id.name),
        None => format!("{}/{FILES}/{path}", of_item(id)),
    }
}

/// An original document.
pub(crate) fn of_document(id: &ItemId, form: &str) -> String {
    format!("{OWN}/documents/{}.{form}.json", of_item(id))
}

/// What the snapshot says of an item.
pub(crate) fn of_record(id: &ItemId) -> String {
    format!("{OWN}/items/{}.json", of_item(id))
}

/// One part of a path: letters, digits, `-`, `_` and `.` as they are, every other byte as `%XX`.
pub(crate) fn part(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let kept = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && index > 0);
        if kept {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if out.len() > PART_BYTES_MAX {
        let digest = hex::encode(Sha256::digest(name.as_bytes()));
        out.truncate(PART_BYTES_MAX - 40);
        // No other part holds this character.
        out.push('~');
        out.push_str(&digest[..32]);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn items_lie_by_kind_name_and_version() {
        let id = ItemId::versioned("models", "churn", "3");
        assert_eq!(of_item(&id), "models/churn/3");
        assert_eq!(
            of_document(&id, "arm"),
            ".mlark/documents/models/churn/3.arm.json"
        );
        let kind = Kind::find("models");
        assert_eq!(
            of_file(kind, &id, "a/b.bin"),
            "models/churn/3/files/a/b.bin"
        );
        let notebook = ItemId::new("notebooks", "Users/ana/x.ipynb");
        let kind = Kind::find("notebooks");
        assert_eq!(
            of_file(kind, &notebook, "x.ipynb"),
            "notebooks/Users/ana/x.ipynb"
        );
    }

    #[test]
    fn no_name_leaves_its_place_and_no_two_are_the_same() {
        let long = "x".repeat(400);
        let longer = format!("{long}y");
        let names = [
            "..", ".", "a/b", "a%2Fb", "a b", "a~b", "\u{e4}", "con:1", "", &long, &longer, "a\0b",
        ];
        let parts: BTreeSet<String> = names.iter().map(|name| part(name)).collect();
        assert_eq!(parts.len(), names.len());
        for made in parts {
            assert!(!made.contains('/') && !made.starts_with('.') && made.len() <= PART_BYTES_MAX);
        }
    }
}
