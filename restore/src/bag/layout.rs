//! Where things lie in a bag. A path is one that every program reads the same way: manifests of BagIt and of sha512sum are
//! lines, so that no path may hold a line end, nor a `%`, which programs encode differently. Such bytes are written `~XX`,
//! and the table of the bag has each name as it was.

use workspace::ItemId;

use crate::export::path;

/// Of the original documents.
pub(crate) const DOCUMENTS: &str = "data/documents";
/// Of what `az ml` reads, with the files of items.
pub(crate) const AZML: &str = "data/azml";
/// Of metric histories as tables.
pub(crate) const METRICS: &str = "data/metrics";
/// Of what the snapshot says of each item.
pub(crate) const ITEMS: &str = "data/items";
/// What the snapshot says of itself.
pub(crate) const SNAPSHOT: &str = "data/snapshot.json";
/// The table of everything in the bag.
pub(crate) const INDEX: &str = "data/index.csv";
/// How the bag is read.
pub(crate) const README: &str = "data/README.txt";

/// A path with every byte escaped that some reader of manifests would take for another.
pub(crate) fn plain(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (index, part) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let last = part.chars().count().saturating_sub(1);
        for (place, character) in part.chars().enumerate() {
            let edge = character == ' ' && (place == 0 || place == last);
            let odd = character != ' ' && character.is_whitespace();
            if edge || odd || character.is_control() || matches!(character, '%' | '~' | '\\') {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("~{byte:02X}"));
                }
            } else {
                out.push(character);
            }
        }
    }
    out
}

/// An original document, or what the snapshot says of an item: below the folder of its name, so that no two names meet.
pub(crate) fn of_text(root: &str, id: &ItemId, form: &str) -> String {
    let whole = ItemId::new(id.kind.as_str(), id.name.as_str());
    let folder = path::of_item(&whole);
    plain(&match &id.version {
        Some(version) => format!("{root}/{folder}/{}.{form}.json", path::part(version)),
        None => format!("{root}/{folder}/{form}.json"),
    })
}

/// A metric's history as a table.
pub(crate) fn of_metric(id: &ItemId, file: &str) -> String {
    let name = file.strip_prefix("metrics/").unwrap_or(file);
    let name = name.strip_suffix(".jsonl").unwrap_or(name);
    plain(&format!("{METRICS}/{}/{name}.csv", path::part(&id.name)))
}

/// The signature over a model's files.
pub(crate) fn of_model_signature(id: &ItemId) -> String {
    let version = id.version.as_deref().unwrap_or("0");
    plain(&format!(
        "signatures/models/{}/{}/model.sig",
        path::part(&id.name),
        path::part(version)
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_path_holds_what_a_line_of_a_manifest_cannot_and_no_two_become_one() {
        let paths = [
            "a b/c",
            " a",
            "a ",
            "a%20",
            "a~20",
            "a\nb",
            "a\r\nb",
            "a\tb",
            "a\u{2028}b",
            "a\\b",
            "ä/ö",
            "a/b",
            "a ~b",
        ];
        let made: BTreeSet<String> = paths.iter().map(|path| plain(path)).collect();
        assert_eq!(made.len(), paths.len());
        for path in made {
            let odd = |c: char| {
                c.is_control() || matches!(c, '%' | '\\') || (c != ' ' && c.is_whitespace())
            };
            assert!(!path.contains(odd), "{path:?}");
            assert!(path.split('/').all(|part| part == part.trim()), "{path:?}");
        }
        assert_eq!(
            plain("notebooks/Users/ana/my note.ipynb"),
            "notebooks/Users/ana/my note.ipynb"
        );
    }

    #[test]
    fn the_documents_of_a_container_and_of_its_versions_never_meet() {
        let container = of_text(DOCUMENTS, &ItemId::new("models", "a"), "arm");
        let version = of_text(DOCUMENTS, &ItemId::versioned("models", "a", "arm"), "arm");
        let other = of_text(DOCUMENTS, &ItemId::new("models", "a.arm.json"), "arm");
        assert_eq!(container, "data/documents/models/a/arm.json");
        assert_eq!(version, "data/documents/models/a/arm.arm.json");
        assert_eq!(other, "data/documents/models/a.arm.json/arm.json");
    }
}
