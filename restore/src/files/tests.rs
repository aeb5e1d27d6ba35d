#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use archive_format::Content;
use workspace::{FilePath, Location, Validators};

use super::*;

fn stored(size: u64, md5: Option<&str>) -> FileEntry {
    let content: Content =
        serde_json::from_value(serde_json::json!({"size": size, "sha256": "0".repeat(64)}))
            .unwrap();
    let mut file = FileEntry::new(archive_format::FilePath::new("a/b").unwrap(), Some(content));
    file.validators.content_md5 = md5.map(str::to_owned);
    file
}

fn there(size: u64, md5: Option<&str>) -> SourceFile {
    SourceFile {
        path: FilePath::new("a/b").unwrap(),
        entry: Entry::File,
        size: Some(size),
        validators: Validators {
            content_md5: md5.map(str::to_owned),
            ..Validators::default()
        },
        content_type: None,
        metadata: BTreeMap::new(),
        tier: None,
        attributes: None,
        location: Location::Local("/a/b".into()),
    }
}

#[test]
fn sizes_tell_a_difference_and_digests_equality_and_else_the_bytes_must() {
    assert_eq!(
        told(&stored(3, Some("x")), &there(4, Some("x"))),
        Some(false)
    );
    assert_eq!(
        told(&stored(3, Some("x")), &there(3, Some("x"))),
        Some(true)
    );
    assert_eq!(
        told(&stored(3, Some("x")), &there(3, Some("y"))),
        Some(false)
    );
    assert_eq!(told(&stored(3, None), &there(3, Some("y"))), None);
    assert_eq!(told(&stored(3, Some("x")), &there(3, None)), None);
}

#[test]
fn a_directory_is_no_file_of_that_name() {
    let mut directory = stored(0, None);
    directory.entry = EntryKind::Directory;
    assert_eq!(told(&directory, &there(0, None)), Some(false));
}

#[test]
fn amounts_count_only_what_stands_that_way() {
    let files = [stored(3, None), stored(5, None), stored(7, None)];
    let standings = [Standing::Same, Standing::Missing, Standing::Missing];
    let missing = amount(&files, &standings, Standing::Missing);
    assert_eq!((missing.files, missing.bytes), (2, 12));
}
