//! No test is passed over: one that is marked as ignored is a part of another test, which runs it in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};

/// The mark that every ignored test bears, with the name of the test that runs it.
const MARK: &str = "#[ignore = \"run in a process of its own, by ";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The name of the function that a line declares.
fn declared(line: &str) -> Option<&str> {
    line.split_once("fn ")?
        .1
        .split_once('(')
        .map(|(name, _)| name)
}

#[test]
fn every_ignored_test_is_run_by_another_in_a_process_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    sources(root, &mut files);
    let mut marked = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.starts_with("#[ignore") {
                continue;
            }
            marked += 1;
            let place = format!("{}:{}", file.display(), number + 1);
            let parent = line
                .strip_prefix(MARK)
                .and_then(|by| by.strip_suffix("\"]"));
            let parent = parent.unwrap_or_else(|| panic!("{place} is passed over: {line}"));
            let is_there = lines.iter().any(|line| declared(line) == Some(parent));
            assert!(is_there, "{place}: there is no {parent}");
            let runs = ["apart::run(", "apart::command("];
            assert!(
                runs.iter().any(|call| text.contains(call)),
                "{place}: nothing runs it"
            );
        }
    }
    assert!(marked >= 6, "{marked}");
}
