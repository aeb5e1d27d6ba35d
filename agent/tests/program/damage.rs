//! A damaged repository at the command line: what `check` says, what a restore brings, what a repair and the next backup
//! mend; and the commands that look across snapshots.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod forgery;
mod matrix;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::{KeyChain, LocalStorage, MachineKey, OpenOptions, Repository};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, library};

/// Bytes without repeats.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(|_| next()).collect()
}

/// A home with two large files and a small one, backed up.
async fn world() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("one.bin"), noise(200_000, 1)).unwrap();
    fs::write(source.join("two.bin"), noise(200_000, 2)).unwrap();
    fs::write(source.join("small.txt"), "alpha\n").unwrap();
    let text = format!(
        "[repository]\nurl = {:?}\nidentity_file = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {source:?}\n",
        home.path().join("repository"),
        home.path().join("owner.key"),
    );
    fs::write(home.path().join("mlark.toml"), text).unwrap();
    done(home.path(), &["init"]).await;
    done(home.path(), &["backup"]).await;
    home
}

async fn mlark(home: &Path, arguments: &[&str]) -> Ran {
    let config = home.join("mlark.toml");
    let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
    library(home, &arguments, |_| {}).await
}

async fn done(home: &Path, arguments: &[&str]) -> Ran {
    let ran = mlark(home, arguments).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran
}

/// The words of a restore of the newest snapshot, and further ones.
fn applied<'a>(into: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["restore", "apply", "latest", "--into", into, "--yes"];
    [&words[..], more].concat()
}

async fn json(home: &Path, code: i32, arguments: &[&str]) -> Value {
    let ran = mlark(home, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    ran.json()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// This machine's key file, where `init` writes it when nothing is said.
fn key_file(home: &Path) -> PathBuf {
    let keys = files(&home.join(".cache/mlark")).into_iter();
    let mut keys = keys.filter(|file| file.ends_with("agent.key"));
    keys.next().unwrap()
}

/// The repository as the library opens it with this machine's key, with a cache of its own.
async fn opened(home: &Path) -> Repository {
    let key = fs::read_to_string(key_file(home)).unwrap();
    let keys = KeyChain {
        machine: Some(MachineKey::parse(&key).unwrap()),
        owners: Vec::new(),
    };
    let options = OpenOptions {
        cache: home.join("cache of the library"),
        trusted_signers: Vec::new(),
        expect_head: None,
        tolerate_damage: false,
        program: "test".to_owned(),
    };
    let storage = Arc::new(LocalStorage::new(home.join("repository")));
    Repository::open(storage, keys, options).await.unwrap()
}

/// The pack with the files: the largest.
fn data_pack(home: &Path) -> PathBuf {
    let packs = files(&home.join("repository/packs"));
    packs
        .into_iter()
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

fn items(damage: &Value) -> Vec<&str> {
    let items = damage["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["item"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn check_ends_with_4_and_names_file_snapshots_and_items() {
    let home = world().await;
    let home = home.path();
    let sound = json(home, 0, &["check", "--read-data"]).await;
    assert_eq!(
        (sound["outcome"].as_str(), sound["warnings"].as_u64()),
        (Some("sound"), Some(0))
    );
    assert!(sound["objects"].as_u64().unwrap() >= 3);
    let pack = data_pack(home);
    let root = home.join("repository");
    let name = |path: &Path| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let samples = [
        pack.clone(),
        root.join("index").join(pack.file_name().unwrap()),
        root.join("log/0000000002"),
        root.join("keys/1-data.age"),
        root.join("keys/1-meta.age"),
        root.join("repository.json"),
    ];
    for sample in samples {
        let kept = fs::read(&sample).unwrap();
        for harm in ["flip", "truncate", "empty", "delete"] {
            match harm {
                "flip" => flip(&sample, kept.len() - 30),
                "truncate" => fs::write(&sample, &kept[..kept.len() / 2]).unwrap(),
                "empty" => fs::write(&sample, "").unwrap(),
                _ => fs::remove_file(&sample).unwrap(),
            }
            let found = json(home, 4, &["check", "--read-data"]).await;
            assert_eq!(found["outcome"], "damaged");
            let mut damages = found["damages"].as_array().unwrap().iter();
            let damage = damages.find(|damage| damage["name"] == name(&sample).as_str());
            let damage =
                damage.unwrap_or_else(|| panic!("{harm} of {}: {found}", sample.display()));
            assert_eq!(
                damage["snapshots"].as_array().unwrap().len(),
                1,
                "{harm}: {damage}"
            );
            assert!(!items(damage).is_empty(), "{harm}: {damage}");
            fs::write(&sample, &kept).unwrap();
        }
    }
    let text = done(home, &["check"]).await.out;
    assert!(text.starts_with("Sound: 2 log entries"), "{text}");
}

#[tokio::test]
async fn the_loss_of_the_newest_entry_is_found_by_who_saw_it_and_by_the_expected_head() {
    let home = world().await;
    let home = home.path();
    let head = json(home, 0, &["status"]).await["repository"]["head"]
        .as_str()
        .unwrap()
        .to_owned();
    let log = files(&home.join("repository/log"));
    let newest = log.last().unwrap();
    let name = format!("log/{}", newest.file_name().unwrap().to_str().unwrap());
    let kept = fs::read(newest).unwrap();
    fs::remove_file(newest).unwrap();
    // The machine that saw it, by what it remembers.
    let found = json(home, 4, &["check"]).await;
    let damages = found["damages"].as_array().unwrap();
    assert!(
        damages.iter().any(|damage| damage["name"] == name.as_str()),
        "{found}"
    );
    // Another machine with the owner's key: unless it is told, it cannot know that there was more.
    let stranger = tempfile::tempdir().unwrap();
    let config = home.join("mlark.toml").to_str().unwrap().to_owned();
    let key = home.join("owner.key").to_str().unwrap().to_owned();
    let anew = [
        "check",
        "--json",
        "--config",
        &config,
        "--identity-file",
        &key,
    ];
    let ran = library(stranger.path(), &anew, |_| {}).await;
    assert_ne!(ran.code, 4, "{ran:?}");
    for command in [&["check"][..], &["snapshots"]] {
        let told = [command, &anew[2..], &["--expect-head", &head]].concat();
        let ran = library(stranger.path(), &told, |_| {}).await;
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!((ran.out.clone() + &ran.err).contains("entry 2"), "{ran:?}");
    }
    fs::write(newest, kept).unwrap();
    done(home, &["check", "--expect-head", &head]).await;
}

#[tokio::test]
async fn a_restore_brings_what_is_left_and_lists_what_is_missing() {
    let home = world().await;
    let home = home.path();
    let first = json(home, 0, &["snapshots"]).await["snapshots"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    // In the middle of one of the large files' frames.
    flip(&data_pack(home), 100_000);
    let (into, rest) = (home.join("into"), home.join("rest"));
    let (into, rest) = (into.to_str().unwrap(), rest.to_str().unwrap());

    // Nobody looked yet: what is damaged is found while it is read, and nothing more is begun.
    let ran = json(home, 4, &applied(into, &[])).await;
    assert_eq!(ran["damaged"], true, "{ran}");
    let brought = json(home, 3, &applied(rest, &["--partial"])).await;
    let lost = brought["lost"].as_array().unwrap();
    assert_eq!(lost.len(), 1, "{brought}");
    let missing = lost[0]["item"]
        .as_str()
        .unwrap()
        .strip_prefix("files/")
        .unwrap()
        .to_owned();
    for file in ["one.bin", "two.bin", "small.txt"] {
        let there = fs::read(Path::new(rest).join(file)).ok();
        let source = fs::read(home.join("source").join(file)).unwrap();
        assert_eq!(there, (file != missing).then_some(source), "{file}");
    }
    // What does not need the lost file works as ever.
    let other = if missing == "one.bin" {
        "files/two.bin"
    } else {
        "files/one.bin"
    };
    let third = home.join("third");
    done(home, &applied(third.to_str().unwrap(), &[other])).await;

    // Once a repair knows, a restore that needs it is refused before anything is changed.
    let repaired = json(home, 4, &["check", "--repair"]).await;
    assert_eq!(
        repaired["repair"]["packs"].as_array().unwrap().len(),
        1,
        "{repaired}"
    );
    assert!(repaired["repair"]["entry"].as_u64().is_some());
    let fourth = home.join("fourth");
    let refused = mlark(home, &applied(fourth.to_str().unwrap(), &[])).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.err.contains("--partial") && refused.err.contains(&missing),
        "{refused:?}"
    );
    assert!(!fourth.exists() || files(&fourth).is_empty());
    let brought = json(home, 3, &applied(fourth.to_str().unwrap(), &["--partial"])).await;
    assert_eq!(brought["lost"].as_array().unwrap().len(), 1, "{brought}");
    assert_eq!(files(&fourth).len(), 2);

    // The next backup reads it again although nothing changed in the source.
    done(home, &["backup"]).await;
    let fifth = home.join("fifth");
    done(home, &applied(fifth.to_str().unwrap(), &[])).await;
    assert_eq!(files(&fifth).len(), 3);
    let left = json(home, 4, &["check"]).await;
    assert_eq!(left["damages"][0]["known"], true);
    assert_eq!(left["damages"][0]["snapshots"], serde_json::json!([first]));
}

#[tokio::test]
async fn a_backup_goes_on_although_the_manifest_before_is_damaged() {
    let home = world().await;
    let home = home.path();
    for pack in files(&home.join("repository/packs")) {
        if pack != data_pack(home) {
            let middle = fs::metadata(&pack).unwrap().len() / 2;
            flip(&pack, usize::try_from(middle).unwrap());
        }
    }
    json(home, 4, &["check", "--repair"]).await;
    let ran = done(home, &["backup"]).await;
    assert!(!ran.out.contains("failed"), "{ran:?}");
    let into = home.join("into");
    done(home, &applied(into.to_str().unwrap(), &[])).await;
    assert_eq!(files(&into).len(), 3);
}

#[tokio::test]
async fn another_repository_in_the_same_place_is_refused() {
    let home = world().await;
    let home = home.path();
    // The forger's: made for the same owner, with a machine of his own.
    let forged = home.join("forged");
    let made = [
        "init",
        "--repository",
        forged.to_str().unwrap(),
        "--identity-file",
        home.join("owner.key").to_str().unwrap(),
    ]
    .map(str::to_owned);
    let made: Vec<&str> = made.iter().map(String::as_str).collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let ran = library(elsewhere.path(), &made, |_| {}).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let config = home.join("mlark.toml").to_str().unwrap().to_owned();
    let ran = library(
        elsewhere.path(),
        &["backup", "--config", &config, "--repository", made[2]],
        |_| {},
    )
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    fs::remove_dir_all(home.join("repository")).unwrap();
    fs::rename(&forged, home.join("repository")).unwrap();
    for command in [
        &["check"][..],
        &["snapshots"],
        &["restore", "apply", "latest", "--into", "into", "--yes"],
    ] {
        let ran = mlark(home, command).await;
        assert_eq!(ran.code, 4, "{ran:?}");
    }
    let found = json(home, 4, &["check"]).await;
    assert_eq!(
        found["damages"][0]["snapshots"].as_array().unwrap().len(),
        1,
        "{found}"
    );
    // A machine that never saw the true one is told by the signers that it trusts.
    let stranger = tempfile::tempdir().unwrap();
    let key = fs::read_to_string(key_file(home)).unwrap();
    let signer = key.lines().find_map(|line| line.strip_prefix("# signer: "));
    let config = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let pins = format!("[repository]\ntrusted_signers = [{:?}]\n", signer.unwrap());
    let pinned = home.join("pinned.toml");
    fs::write(&pinned, config.replacen("[repository]\n", &pins, 1)).unwrap();
    for command in [
        &["check"][..],
        &["restore", "apply", "latest", "--into", "into", "--yes"],
    ] {
        let config = ["--config", pinned.to_str().unwrap()];
        let ran = library(stranger.path(), &[command, &config].concat(), |_| {}).await;
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(
            ran.err.contains("sign") || ran.out.contains("sign"),
            "{ran:?}"
        );
    }
}

#[tokio::test]
async fn a_run_survives_a_lost_and_a_broken_catalogue_and_says_what_it_did() {
    let home = world().await;
    let home = home.path();
    let catalogue = key_file(home).parent().unwrap().join("catalogue.sqlite");
    let packs = files(&home.join("repository/packs"));
    let mut moved = 0;
    for harm in ["delete", "text", "overwrite", "empty"] {
        let kept = fs::read(&catalogue).unwrap();
        match harm {
            "delete" => fs::remove_file(&catalogue).unwrap(),
            "text" => fs::write(&catalogue, "no database, but text of some length").unwrap(),
            "empty" => fs::write(&catalogue, "").unwrap(),
            _ => {
                let mut bytes = kept.clone();
                bytes[5_000..20_000]
                    .iter_mut()
                    .for_each(|byte| *byte ^= 0x5a);
                fs::write(&catalogue, bytes).unwrap();
            }
        }
        let ran = done(home, &["backup"]).await;
        let said = ran.err.contains("was broken") && ran.err.contains("was made anew");
        assert_eq!(
            said,
            ["text", "overwrite"].contains(&harm),
            "{harm}: {ran:?}"
        );
        let folder = files(catalogue.parent().unwrap()).into_iter();
        let aside =
            folder.filter(|file| *file != catalogue && ran.err.contains(file.to_str().unwrap()));
        moved += aside.count();
        let listed = json(home, 0, &["snapshots"]).await;
        assert!(listed["snapshots"].as_array().unwrap().len() >= 2);
        let into = home.join(format!("into-{harm}"));
        done(home, &applied(into.to_str().unwrap(), &[])).await;
        assert_eq!(files(&into).len(), 3);
    }
    assert_eq!(moved, 2, "the broken ones lie where it was said");
    let data = |packs: &[PathBuf]| {
        let sizes = packs.iter().map(|pack| pack.metadata().unwrap().len());
        sizes.filter(|size| *size > 100_000).count()
    };
    let now = files(&home.join("repository/packs"));
    assert_eq!(data(&now), data(&packs), "nothing was stored again");
}

#[tokio::test]
async fn differences_occurrences_gaps_and_a_new_catalogue() {
    let home = world().await;
    let home = home.path();
    fs::write(home.join("source/small.txt"), "beta\n").unwrap();
    fs::write(home.join("source/new.txt"), "new\n").unwrap();
    fs::remove_file(home.join("source/two.bin")).unwrap();
    done(home, &["backup"]).await;
    let listed = json(home, 0, &["snapshots"]).await;
    let id = |place: usize| {
        listed["snapshots"][place]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (id(0), id(1));
    let text = done(home, &["diff", &first, &second]).await.out;
    let lines: Vec<&str> = text.lines().collect();
    for line in ["+ files/new.txt", "~ files/small.txt", "- files/two.bin"] {
        assert!(lines.contains(&line), "{text}");
    }
    assert_eq!(
        lines.last(),
        Some(&"Items: 1 added, 1 removed, 1 changed; files: 1 added, 1 removed, 1 changed")
    );
    let found = json(home, 0, &["diff", "-p", &first, &second, "files/small.txt"]).await;
    assert_eq!(found["differences"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["differences"][0]["files"][0]["after"]["size"], 5);
    assert_eq!(found["items"]["changed"], 1);

    let found = json(home, 0, &["find", "small.txt"]).await;
    let kinds: Vec<bool> = found["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["file"].is_null())
        .collect();
    assert_eq!(
        kinds,
        [true, false, false],
        "the item, and its two contents: {found}"
    );
    let found = json(home, 0, &["find", "*.bin"]).await;
    assert!(found["found"].as_array().unwrap().len() >= 2);
    let text = done(home, &["find", "one.bin"]).await.out;
    assert!(
        text.contains(&format!("in 2 snapshots from {first} to {second}")),
        "{text}"
    );
    assert_eq!(
        json(home, 0, &["gaps"]).await,
        serde_json::json!({ "gaps": [] })
    );

    let rebuilt = json(home, 0, &["catalogue", "rebuild"]).await;
    assert_eq!(
        (rebuilt["snapshots"].as_u64(), rebuilt["entries"].as_u64()),
        (Some(2), Some(3))
    );
    assert_eq!(
        json(home, 0, &["status"]).await["healthy"],
        true,
        "the history of runs stays"
    );
    for (option, code) in [
        ("--structure-only", 0),
        ("--read-data-subset=1/2", 0),
        ("--read-data-subset=5%", 0),
        ("--read-data-subset=0/2", 2),
    ] {
        assert_eq!(mlark(home, &["check", option]).await.code, code, "{option}");
    }
    fs::remove_file(home.join("owner.key")).unwrap();
    for option in ["--read-data", "--read-data-subset=1/2", "--repair"] {
        assert_eq!(mlark(home, &["check", option]).await.code, 12, "{option}");
    }
}
