//! The patches of `archive-format/tests/mistakes`: each mistake that is known to lose data has one, it still fits the code,
//! and the tests that it names exist. Whether they fail by it is seen by `run.sh` there, which takes minutes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::Tested;

/// The mistakes for which a search through all interleavings of a model of commit and removal finds lost data, and those of
/// repacking, which that model does not have.
const MISTAKES: [&str; 16] = [
    "CKDROP",
    "M_ABORTDEL",
    "M_DELFIRST",
    "M_LOGDEL",
    "M_NOREREAD",
    "M_ORPHNOHEAD",
    "M_ORPHNOSWEEP",
    "M_REPACKALL",
    "M_REPACKBLIND",
    "M_REPACKDEL",
    "M_REPACKFIRST",
    "M_REPACKUNSEEN",
    "M_REUSE",
    "M_STALE",
    "M_SWEEPBLIND",
    "M_SWEEPLOST",
];

fn patches() -> Tested<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "patch") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What the lines of a patch's head say that begin with a word.
fn said<'a>(patch: &'a str, word: &str) -> Vec<&'a str> {
    let head = patch.split("\n--- ").next().unwrap_or_default();
    let lines = head.lines().filter_map(|line| line.strip_prefix(word));
    lines.map(|rest| rest.trim_start_matches(": ")).collect()
}

/// The names of all tests of this program.
fn tests() -> Tested<Vec<String>> {
    let listed = Command::new(std::env::current_exe()?)
        .args(["--list", "--format=terse"])
        .output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

/// The hunks of a patch, each with the file that it changes and the lines that must stand there, one after another.
fn hunks(patch: &str) -> Tested<Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut file, mut hunks) = (None, Vec::<(PathBuf, String)>::new());
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = Some(root.join(path));
        } else if line.starts_with("@@ ") {
            hunks.push((file.clone().ok_or("a hunk without a file")?, String::new()));
        } else if let Some((_, lines)) = hunks.last_mut()
            && let Some(old) = line.strip_prefix([' ', '-'])
        {
            lines.push_str(old);
            lines.push('\n');
        }
    }
    Ok(hunks)
}

#[test]
fn each_mistake_has_a_patch_that_fits_the_code_and_names_tests_that_exist() -> Tested {
    let (mut mistakes, tests) = (Vec::new(), tests()?);
    for path in patches()? {
        let patch = std::fs::read_to_string(&path)?;
        let name = path.display();
        let mistake = said(&patch, "Mistake");
        let [mistake] = mistake.as_slice() else {
            return Err(format!("{name} is of {mistake:?}").into());
        };
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        assert_eq!(stem, Some(mistake.to_lowercase().as_str()));
        mistakes.push((*mistake).to_owned());
        let named = said(&patch, "Caught by");
        assert!(!named.is_empty(), "{name} names no test");
        for test in named {
            assert!(tests.iter().any(|known| known == test), "{name}: {test}");
        }
        let hunks = hunks(&patch)?;
        assert!(!hunks.is_empty(), "{name} changes nothing");
        for (file, lines) in hunks {
            let text = std::fs::read_to_string(&file)?;
            assert!(
                text.contains(&lines),
                "{name} does not fit {} any more, and is to be made anew:\n{lines}",
                file.display()
            );
        }
    }
    mistakes.sort();
    assert_eq!(mistakes, MISTAKES);
    Ok(())
}
