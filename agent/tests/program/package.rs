//! The manual pages that the package carries are the ones that the program writes.
#![expect(clippy::expect_used, reason = "a failed test says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::program::binary;

fn pages(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .map(|path| {
            let name = path.file_name().expect("it has a name");
            let text = fs::read_to_string(&path).expect("it is text");
            (name.to_string_lossy().into_owned(), text)
        })
        .collect()
}

#[test]
fn the_manual_pages_of_the_package_are_those_that_the_program_writes() {
    let home = tempfile::tempdir().expect("a folder");
    let written = home.path().join("man");
    let folder = written.to_string_lossy();
    assert_eq!(binary(home.path(), &["man", "--dir", &folder]).code, 0);
    let (now, kept) = (
        pages(&written),
        pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("debian/man")),
    );
    let mut differ: Vec<&String> = now.keys().chain(kept.keys()).collect();
    differ.retain(|name| now.get(*name) != kept.get(*name));
    differ.dedup();
    assert!(
        differ.is_empty(),
        "write them anew with `rm -r agent/debian/man && mlark man --dir agent/debian/man`: {differ:?}"
    );
}
