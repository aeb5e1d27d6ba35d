//! No value of the recordings stands in the simulator's source: it answers from rules, not from what it saw.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::names::{Names, words};
use crate::recording::Recording;

/// Shorter names are words that anybody uses.
const SHORTEST: usize = 6;

/// Names that are common words too, with where the source has them from.
const GENERAL: [(&str, &str); 10] = [
    ("accept", "a header of HTTP, and a word of Rust"),
    ("nightly", "a word of schedules"),
    (
        "cpu-cluster",
        "the compute that Azure Machine Learning's tutorials make",
    ),
    (
        "gpu-cluster",
        "the compute that Azure Machine Learning's tutorials make",
    ),
    ("Dockerfile", "the file's name is Docker's"),
    ("MLTable", "the file's name is Azure Machine Learning's"),
    ("MLmodel", "the file's name is MLflow's"),
    ("folder", "a word of this source"),
    ("weights", "a word of machine learning"),
    ("paused", "a word of schedules"),
];

/// What somebody chose or a server made up: names, accounts, GUIDs, digests, page tokens.
fn values(recordings: &[Recording]) -> BTreeSet<String> {
    let names = Names::of(recordings);
    let mut found: BTreeSet<String> = names.iter().map(str::to_owned).collect();
    for row in recordings.iter().flat_map(|recording| &recording.rows) {
        let headers = row.headers.iter();
        let digests = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-md5"));
        found.extend(digests.map(|(_, digest)| digest.clone()));
        let text = format!("{} {} {}", row.host, row.target, row.body);
        let made = |word: &&str| {
            let hex = word.chars().filter(char::is_ascii_hexdigit).count();
            word.len() >= 16
                && hex * 10 >= word.len() * 8
                && word.chars().any(|c| c.is_ascii_digit())
        };
        let tokens = words(&text).into_iter().filter(|(_, named)| *named);
        found.extend(tokens.map(|(word, _)| word).filter(made).map(str::to_owned));
    }
    found.retain(|value| value.len() >= SHORTEST && GENERAL.iter().all(|(word, _)| word != value));
    found
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// Where a value stands as a whole word, or, where it is no word, anywhere.
fn told(text: &str, values: &BTreeSet<String>) -> Vec<String> {
    let here: BTreeSet<&str> = words(text).into_iter().map(|(word, _)| word).collect();
    let is_word = |value: &str| words(value).len() == 1;
    let fits = |value: &&String| match is_word(value) {
        true => here.contains(value.as_str()),
        false => text.contains(value.as_str()),
    };
    values.iter().filter(fits).cloned().collect()
}

#[test]
fn no_recorded_value_stands_in_the_source() {
    let Some(recordings) = crate::outside() else {
        return;
    };
    let values = values(&recordings);
    assert!(
        values.len() > 150,
        "few values were found: {}",
        values.len()
    );
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = told(&text, &values);
        if !told.is_empty() {
            wrong.push(format!("{}: {told:?}", file.display()));
        }
    }
    crate::recording::say(&format!("{} recorded values were looked for", values.len()));
    assert!(wrong.is_empty(), "recorded values stand in {wrong:#?}");
}

#[test]
fn value_in_a_text_is_found_as_a_word_and_not_inside_of_one() {
    let values = BTreeSet::from(["plum-tree".to_owned(), "a+b==".to_owned()]);
    assert_eq!(told("let x = \"plum-tree\";", &values), ["plum-tree"]);
    assert_eq!(told("md5 a+b== here", &values), ["a+b=="]);
    assert!(told("plum-trees", &values).is_empty());
}
