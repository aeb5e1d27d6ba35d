//! From what a listing says about a file to what the manifest says about it, and whether the two differ.

use archive_format as archive;
use archive_format::{Content, FileEntry};
use serde_json::Map;
use workspace::{Entry, SourceFile};

/// The manifest's entry of a listed file with these bytes.
pub(super) fn of(file: &SourceFile, content: Option<Content>) -> Result<FileEntry, archive::Error> {
    Ok(FileEntry {
        path: archive::FilePath::new(file.path.as_str())?,
        entry: kind(&file.entry),
        content,
        validators: validators(file),
        content_type: file.content_type.clone(),
        metadata: file.metadata.clone(),
        tier: file.tier.clone(),
        attributes: file
            .attributes
            .as_ref()
            .map(|attributes| archive::Attributes {
                created: attributes.created,
                written: attributes.written,
                flags: attributes.flags.clone(),
                mode: attributes.mode,
            }),
        more: Map::new(),
    })
}

fn kind(entry: &Entry) -> archive::EntryKind {
    match entry {
        Entry::File => archive::EntryKind::File,
        Entry::Directory => archive::EntryKind::Directory,
        Entry::Symlink(target) => archive::EntryKind::Symlink(target.clone()),
    }
}

fn validators(file: &SourceFile) -> archive::Validators {
    archive::Validators {
        etag: file.validators.etag.clone(),
        last_modified: file.validators.last_modified.clone(),
        content_md5: file.validators.content_md5.clone(),
    }
}

/// Whether the bytes of a listed file are those that the manifest has: same size, same validators, and at least one that
/// moves with every write.
pub(super) fn has_same_bytes(before: &FileEntry, now: &SourceFile) -> bool {
    let Some(content) = &before.content else {
        return false;
    };
    let told = now.validators.etag.is_some() || now.validators.last_modified.is_some();
    now.entry == Entry::File
        && before.entry == archive::EntryKind::File
        && told
        && now.size == Some(content.size)
        && before.validators == validators(now)
}

/// Whether it has bytes to read; directories and links have none.
pub(super) fn has_bytes(file: &SourceFile) -> bool {
    file.entry == Entry::File
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails where an unwrap fails")]
mod tests {
    use std::collections::BTreeMap;

    use workspace::{FilePath, Location, Validators};

    use super::*;

    fn file(size: u64, etag: Option<&str>) -> SourceFile {
        SourceFile {
            path: FilePath::new("a/b").unwrap(),
            entry: Entry::File,
            size: Some(size),
            validators: Validators {
                etag: etag.map(str::to_owned),
                ..Validators::default()
            },
            content_type: None,
            metadata: BTreeMap::new(),
            tier: None,
            attributes: None,
            location: Location::Local("/a/b".into()),
        }
    }

    fn stored(file: &SourceFile) -> FileEntry {
        let content = serde_json::json!({"size": file.size, "sha256": "0".repeat(64)});
        of(file, Some(serde_json::from_value(content).unwrap())).unwrap()
    }

    #[test]
    fn a_file_is_unchanged_only_with_equal_size_and_validators() {
        let before = stored(&file(3, Some("1")));
        assert!(has_same_bytes(&before, &file(3, Some("1"))));
        assert!(!has_same_bytes(&before, &file(4, Some("1"))));
        assert!(!has_same_bytes(&before, &file(3, Some("2"))));
    }

    #[test]
    fn a_file_without_validators_is_never_taken_for_unchanged() {
        assert!(!has_same_bytes(&stored(&file(3, None)), &file(3, None)));
    }
}
