//! What an export is, is found out again: by its seal alone, with the tar, and after something of it was changed; and it is
//! restored from where it lies.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::journey::{done, json, mlark, world};
use crate::program::binary;

async fn exported(home: &Path, words: &[&str]) -> String {
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let to = home.join("cold").display().to_string();
    let named = ["export", "bag", "latest", "--name", "audit", "--to", &to];
    done(home, &[&named[..], words].concat()).await;
    format!("{to}/audit")
}

async fn verified(home: &Path, words: &[&str]) -> (i32, Value) {
    let words = [&["export", "verify", "--json"], words].concat();
    let ran = mlark(home, &words).await;
    (ran.code, ran.json())
}

fn bad(document: &Value) -> Vec<&str> {
    let checks = document["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["outcome"] == "bad")
        .map(|check| check["check"].as_str().unwrap())
        .collect()
}

/// Flips a bit in the middle of a file, does something, and flips it back.
async fn flipped(file: &Path, home: &Path, words: &[&str]) -> (i32, Value) {
    let whole = fs::read(file).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(file, changed).unwrap();
    let judged = verified(home, words).await;
    fs::write(file, whole).unwrap();
    judged
}

#[tokio::test]
async fn a_whole_export_is_good_and_every_changed_file_of_it_is_bad() {
    for sort in ["--plain", "--partial"] {
        let home = world();
        let home = home.path();
        let at = exported(home, &[sort]).await;
        let (code, judged) = verified(home, &[&at, "--read-data"]).await;
        assert_eq!(code, 0, "{judged:#}");
        assert_eq!(judged["encrypted"], sort != "--plain");
        let cold = home.join("cold");
        let mut files = vec![(cold.join("audit.seal/seal.json"), true)];
        for entry in fs::read_dir(&cold).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.push((path, false));
            }
        }
        let tags = cold.join("audit.seal/tags");
        let sealed = match sort {
            "--plain" => tags.join("custody.jsonl"),
            _ => cold.join("audit.seal/tags.tar.age"),
        };
        files.push((sealed, true));
        for (file, cheap) in files {
            let words: &[&str] = if cheap { &[&at] } else { &[&at, "--read-data"] };
            let (code, judged) = flipped(&file, home, words).await;
            assert_eq!(code, 4, "{}: {judged:#}", file.display());
        }
        let (code, judged) = verified(home, &["audit"]).await;
        assert_eq!(code, 0, "by the name that the log has: {judged:#}");
    }
}

#[tokio::test]
async fn what_was_verified_goes_on_in_the_chain_of_custody() {
    let home = world();
    let home = home.path();
    let at = exported(home, &["--plain"]).await;
    verified(home, &[&at, "--no-record"]).await;
    let custody = home.join("cold/audit.seal/custody");
    assert!(!custody.exists());
    for number in 1..=2 {
        assert_eq!(verified(home, &[&at]).await.0, 0);
        let event = fs::read(custody.join(format!("{number:04}.json"))).unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event["act"], "verified");
    }
    let first = custody.join("0001.json");
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replace("verified", "verifies")).unwrap();
    let (code, judged) = verified(home, &[&at]).await;
    assert_eq!((code, bad(&judged)), (4, vec!["custody"]));
}

#[tokio::test]
async fn a_destination_that_is_a_relative_folder_is_found_from_every_folder() {
    let home = world();
    let home = home.path();
    let config = home.join("mlark.toml");
    let text = fs::read_to_string(&config).unwrap();
    let more = "[[destination]]\nname = \"shelf\"\nurl = \"box/cold\"\n";
    fs::write(&config, format!("{text}{more}")).unwrap();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    // The binary runs in the home, the library elsewhere.
    for (to, name, place) in [
        ("shelf", "named", "box/cold"),
        ("./attic", "typed", "attic"),
    ] {
        let words = ["export", "bag", "latest", "--to", to, "--name", name];
        let ran = binary(home, &[&words[..], &["--config", "mlark.toml"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let place = fs::canonicalize(home.join(place)).unwrap();
        assert!(place.join(format!("{name}.seal/seal.json")).exists());
        let exports = json(home, &["export", "status"]).await;
        let rows = exports["exports"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        let at = row["url"].as_str().unwrap();
        let folder = Path::new(at).parent().unwrap();
        assert_eq!(fs::canonicalize(folder).unwrap(), place);
        assert_eq!(row["whole"], true, "{row}");
        let (code, judged) = verified(home, &[name, "--read-data"]).await;
        assert_eq!(code, 0, "{judged:#}");
        let restored = home.join(format!("restored-{name}")).display().to_string();
        done(
            home,
            &["restore", "apply", at, "--into", &restored, "--yes"],
        )
        .await;
        // Where it is typed from, the same relative address is right.
        let at = format!("{to}/{name}");
        let words = ["export", "verify", &at, "--config", "mlark.toml"];
        let ran = binary(home, &words);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[tokio::test]
async fn without_a_key_the_seal_is_judged_as_far_as_it_goes_and_the_tar_is_not() {
    let home = world();
    let home = home.path();
    let at = exported(home, &[]).await;
    fs::remove_file(home.join("owner.key")).unwrap();
    let (code, judged) = verified(home, &[&at, "--read-data"]).await;
    assert_eq!(code, 12, "{judged:#}");
    assert_eq!(bad(&judged), Vec::<&str>::new());
    let size = fs::metadata(home.join("cold/audit.tar.age")).unwrap().len();
    assert_eq!(judged["bytes"], size, "its digest is checked all the same");
}

#[tokio::test]
async fn an_export_that_the_log_does_not_know_as_it_is_counts_as_bad() {
    let home = world();
    let home = home.path();
    let at = exported(home, &["--plain"]).await;
    let seal = home.join("cold/audit.seal/seal.json");
    let text = fs::read_to_string(&seal).unwrap();
    fs::write(&seal, text.replace("\"docs\"", "\"dogs\"")).unwrap();
    let (code, judged) = verified(home, &[&at]).await;
    assert_eq!((code, bad(&judged)), (4, vec!["log"]));
    let target = home.join("back").display().to_string();
    let ran = mlark(home, &["restore", "apply", &at, "--into", &target, "--yes"]).await;
    assert_eq!(ran.code, 4, "nothing is restored from it: {ran:?}");
}

#[tokio::test]
async fn a_bag_of_somebody_else_is_judged_in_a_folder_and_in_a_tar() {
    let home = world();
    let home = home.path();
    let bag = home.join("theirs");
    fs::create_dir_all(bag.join("data")).unwrap();
    fs::write(bag.join("data/x"), "x").unwrap();
    fs::write(
        bag.join("bagit.txt"),
        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    )
    .unwrap();
    let digest = archive_format::Digest::of(b"x");
    fs::write(
        bag.join("manifest-sha256.txt"),
        format!("{digest}  data/x\n"),
    )
    .unwrap();
    let (folder, tar) = (bag.display().to_string(), home.join("theirs.tar"));
    let packed = std::process::Command::new("tar")
        .args(["-cf", "theirs.tar", "theirs"])
        .current_dir(home)
        .status();
    assert!(packed.unwrap().success());
    let tar = tar.display().to_string();
    for at in [&folder, &tar] {
        let (code, judged) = verified(home, &[at]).await;
        assert_eq!(
            (code, &judged["valid"]),
            (0, &Value::Bool(true)),
            "{judged:#}"
        );
    }
    fs::write(bag.join("data/x"), "y").unwrap();
    let (code, judged) = verified(home, &[&folder]).await;
    assert_eq!(
        (code, &judged["errors"][0]["path"]),
        (4, &Value::from("data/x"))
    );
}

#[tokio::test]
async fn files_come_back_from_an_export_with_and_without_encryption() {
    for sort in ["--plain", "--partial"] {
        let home = world();
        let home = home.path();
        let large: Vec<u8> = (0..5_000_000_u32).map(|at| (at / 7 % 251) as u8).collect();
        fs::write(home.join("source/large.bin"), &large).unwrap();
        let at = exported(home, &[sort]).await;
        // The repository still vouches for the export, and has nothing of what is in it.
        fs::remove_dir_all(home.join("repository/packs")).unwrap();
        let target = home.join("back").display().to_string();
        let plan = mlark(home, &["restore", "plan", &at, "--into", &target]).await;
        assert!(matches!(plan.code, 0 | 3), "{plan:?}");
        let ran = mlark(home, &["restore", "apply", &at, "--into", &target, "--yes"]).await;
        assert!(matches!(ran.code, 0 | 3), "{ran:?}");
        for path in ["a.txt", "sub/b[1].txt", "large.bin"] {
            let (was, is) = (home.join("source").join(path), home.join("back").join(path));
            assert!(fs::read(was).unwrap() == fs::read(is).unwrap(), "{path}");
        }
        let checked = json(home, &["restore", "verify", &at, "--against", &target]).await;
        assert_eq!(
            checked["differences"].as_array().map(Vec::len).unwrap_or(0),
            0,
            "{checked:#}"
        );
        let one = home.join("one").display().to_string();
        let words = [
            "restore",
            "apply",
            &at,
            "files/a.txt",
            "--into",
            &one,
            "--yes",
        ];
        let ran = mlark(home, &words).await;
        assert!(matches!(ran.code, 0 | 3), "{ran:?}");
        assert!(home.join("one/a.txt").exists() && !home.join("one/large.bin").exists());
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn bags_of_the_conformance_suite_are_judged_as_their_folders_say() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/bagit/v1.0");
    if !suite.is_dir() {
        eprintln!("skipped: {} is not there", suite.display());
        return;
    }
    let home = world();
    for (sort, expected) in [("valid", 0), ("invalid", 4)] {
        for bag in fs::read_dir(suite.join(sort)).unwrap() {
            let bag = bag.unwrap().path().display().to_string();
            let (code, judged) = verified(home.path(), &[&bag]).await;
            assert_eq!(code, expected, "{bag}: {judged:#}");
        }
    }
}
