//! The page of evidence names the files that a real export has, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use mlark::ExitStatus;
use simulator::world::World;

use super::bench::Bench;
use super::program::Program;

const PAGE: &str = include_str!("../../../agent/EVIDENCE.md");

/// The words of a line that stand between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The files of the page's table, with when they are there.
fn files() -> BTreeMap<&'static str, &'static str> {
    let (_, table) = PAGE.split_once("\n## The files\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').collect::<Vec<_>>());
    cells
        .flat_map(|cells| quoted(cells[0]).map(move |file| (file, cells[1].trim())))
        .collect()
}

/// What lies in a folder, folders with a slash behind.
fn inside(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => format!("{name}/"),
                false => name,
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_evidence_names_the_files_of_a_real_export_and_no_others() {
    let bench = Bench::of(&World::everything(3)).await;
    let program = Program::new(&bench, "");
    for words in [&["init", "--unencrypted"][..], &["backup"], &["drill"]] {
        assert_eq!(program.run(words).await.0, ExitStatus::Done, "{words:?}");
    }
    let to = program.path("cold");
    let place = to.display().to_string();
    let words = [
        "export", "bag", "latest", "--to", &place, "--plain", "--name", "n",
    ];
    let (status, said) = program.run(&words).await;
    assert!(
        matches!(status, ExitStatus::Done | ExitStatus::Gaps),
        "{said}"
    );
    let tar = Command::new("tar")
        .arg("-xf")
        .arg("n.tar")
        .current_dir(&to)
        .status();
    assert!(tar.unwrap().success());

    // Every name there, as the page writes it.
    let bag = to.join("n");
    let mut there = inside(&bag);
    there.remove("data/");
    there.extend(
        inside(&bag.join("data"))
            .into_iter()
            .map(|name| format!("data/{name}")),
    );
    there.extend(
        inside(&to.join("n.seal"))
            .into_iter()
            .map(|name| format!("NAME.seal/{name}")),
    );
    let files = files();
    let named: BTreeSet<String> = files.keys().map(|name| (*name).to_owned()).collect();
    let unnamed: Vec<&String> = there.difference(&named).collect();
    assert!(unnamed.is_empty(), "the page does not name {unnamed:?}");
    let here = ["always", "after a drill", "with metrics", "unencrypted"];
    for (file, when) in &files {
        assert_eq!(there.contains(*file), here.contains(when), "{file}: {when}");
    }

    // What the rules are answered with is one of these.
    let (_, rules) = PAGE.split_once("\n## EU AI Act").unwrap();
    let looks_like_one = |word: &&str| {
        word.ends_with('/')
            || [".txt", ".json", ".jsonl", ".csv", ".tsr"]
                .iter()
                .any(|end| word.ends_with(end))
    };
    let cited: Vec<&str> = rules
        .lines()
        .flat_map(quoted)
        .filter(looks_like_one)
        .collect();
    assert!(cited.len() > 30, "{cited:?}");
    for word in cited {
        assert!(
            files.contains_key(word),
            "the page cites {word}, which no export has"
        );
    }
    for rule in [
        "Art. 12",
        "Art. 18",
        "Art. 19",
        "Art. 26",
        "17a-4(f)",
        "21 CFR Part 11",
        "A1.2",
        "A1.3",
        "A.8.13",
        "DORA",
        "Art. 17",
    ] {
        assert!(rules.contains(rule) || PAGE.contains(rule), "{rule}");
    }
}
