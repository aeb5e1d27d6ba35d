//! Each kind of file × damage, as the commands meet it: what `check` names and ends with, what restores bring of a snapshot
//! that needs the file and of one that does not. `cargo test -p mlark --test program matrix -- --nocapture` shows the table.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::{Path, PathBuf};

use mlark_tests::length::is_long;
use serde_json::Value;
use tempfile::TempDir;

use super::{done, files, json, mlark, noise, opened};
use crate::program::library;

const PASSPHRASE: &str = "correct horse battery staple";

/// The long form harms every file in every way, the short one a file of each kind in three.
fn harms() -> &'static [&'static str] {
    match is_long() {
        true => &["flip", "truncate", "delete", "empty", "swap", "append"],
        false => &["flip", "truncate", "delete"],
    }
}

/// A home with two snapshots: the second has a file more.
struct World {
    home: TempDir,
    first: String,
    second: String,
    /// What came with the second.
    later: Vec<PathBuf>,
}

impl World {
    async fn new(encrypted: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let source = home.join("source");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("one.bin"), noise(90_000, 1)).unwrap();
        fs::write(source.join("small.txt"), "alpha\n").unwrap();
        let text = format!(
            "[repository]\nurl = {:?}\nidentity_file = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {source:?}\n",
            home.join("repository"),
            home.join("owner.key"),
        );
        fs::write(home.join("mlark.toml"), text).unwrap();
        match encrypted {
            true => done(home, &["init"]).await,
            false => done(home, &["init", "--unencrypted"]).await,
        };
        if encrypted {
            fs::write(home.join("pass"), format!("{PASSPHRASE}\n")).unwrap();
            let pass = home.join("pass");
            let add = ["key", "add", "--passphrase", "--new-passphrase-file"];
            done(home, &[&add[..], &[pass.to_str().unwrap()]].concat()).await;
        }
        done(home, &["backup"]).await;
        // The program writes one every hundred entries.
        opened(home).await.write_checkpoint().await.unwrap();
        let before = files(&home.join("repository"));
        fs::write(source.join("two.bin"), noise(90_000, 2)).unwrap();
        done(home, &["backup"]).await;
        let probe = home.join("repository/probe");
        fs::create_dir_all(&probe).unwrap();
        fs::write(probe.join("1".repeat(32)), "1").unwrap();
        let mut later = files(&home.join("repository"));
        later.retain(|file| !before.contains(file));
        // Another repository, whose record may stand in the place of this one's.
        let stranger = folder.path().join("stranger");
        fs::create_dir_all(&stranger).unwrap();
        let other = stranger.join("other");
        let other = [
            "init",
            "--unencrypted",
            "--repository",
            other.to_str().unwrap(),
        ];
        assert_eq!(library(&stranger, &other, |_| {}).await.code, 0);
        let listed = json(home, 0, &["snapshots"]).await;
        let id = |place: usize| {
            listed["snapshots"][place]["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        Self {
            first: id(0),
            second: id(1),
            later,
            home: folder,
        }
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn name(&self, file: &Path) -> String {
        let root = self.home().join("repository");
        file.strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// The kind of a file. Packs are told apart by size: that with the contents of files is by far the largest.
    fn kind(&self, file: &Path) -> String {
        let name = self.name(file);
        let pack = |name: &str| {
            let last = name.rsplit('/').next().unwrap();
            let pack = self.home().join("repository/packs");
            let size = fs::metadata(pack.join(&last[..2]).join(last))
                .unwrap()
                .len();
            ["without files", "with files"][usize::from(size > 50_000)]
        };
        match name.split('/').next().unwrap() {
            "packs" => format!("pack {}", pack(&name)),
            "index" => format!("index of a pack {}", pack(&name)),
            "keys" => format!(
                "keys{}",
                name.trim_start_matches("keys/2").trim_end_matches(".age")
            ),
            "log" => name,
            "checkpoints" => "checkpoint".to_owned(),
            "probe" => "left by a probe".to_owned(),
            other => other.to_owned(),
        }
    }

    /// The files to be harmed: all, or those that came with the second snapshot, the pack that both need, and one of each
    /// kind besides.
    fn victims(&self) -> Vec<(String, PathBuf)> {
        let all = files(&self.home().join("repository")).into_iter();
        let mut all: Vec<(String, PathBuf)> = all.map(|file| (self.kind(&file), file)).collect();
        all.sort();
        if is_long() {
            return all;
        }
        let (mut found, others): (Vec<_>, Vec<_>) =
            (all.into_iter()).partition(|(_, file)| self.later.iter().any(|later| later == file));
        for (kind, file) in others {
            if kind == "pack with files" || found.iter().all(|(known, _)| *known != kind) {
                found.push((kind, file));
            }
        }
        found
    }

    /// Restores a snapshot into a folder of its own: the exit code, what is told to be lost, and what came.
    async fn restore(&self, snapshot: &str, more: &[&str]) -> Restored {
        let into = self.home().join("into");
        if into.exists() {
            fs::remove_dir_all(&into).unwrap();
        }
        let words = [
            "restore",
            "apply",
            snapshot,
            "--into",
            into.to_str().unwrap(),
            "--yes",
            "--json",
        ];
        let ran = mlark(self.home(), &[&words[..], more].concat()).await;
        let lost = match serde_json::from_str::<Value>(&ran.out) {
            Ok(told) => (told["lost"].as_array().into_iter().flatten())
                .map(|lost| lost["item"].as_str().unwrap().to_owned())
                .collect(),
            Err(_) => Vec::new(),
        };
        let came = match into.exists() {
            true => files(&into),
            false => Vec::new(),
        };
        for file in &came {
            let source = self.home().join("source").join(file.file_name().unwrap());
            assert_eq!(
                fs::read(file).unwrap(),
                fs::read(source).unwrap(),
                "{file:?}"
            );
        }
        let came = came
            .iter()
            .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
        Restored {
            code: ran.code,
            lost,
            came: came.collect(),
            said: ran.err,
        }
    }
}

#[derive(Debug)]
struct Restored {
    code: i32,
    lost: Vec<String>,
    came: Vec<String>,
    said: String,
}

fn strike(file: &Path, harm: &str, other: &Path) {
    let bytes = fs::read(file).unwrap();
    match harm {
        "flip" => super::flip(file, bytes.len() - 1 - bytes.len() / 10),
        "truncate" => fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
        "empty" => fs::write(file, "").unwrap(),
        "append" => fs::write(file, [&bytes[..], b"more"].concat()).unwrap(),
        "swap" => drop(fs::copy(other, file).unwrap()),
        _ => fs::remove_file(file).unwrap(),
    }
}

/// A row of the table.
struct Row {
    kind: String,
    harm: &'static str,
    check: i32,
    snapshots: usize,
    items: usize,
    /// The first snapshot, and the second: what plain restores ended with, and partial ones, which so much was lost to.
    ended: [(i32, i32, usize); 2],
}

impl World {
    /// What stands in a file's place after a swap: another of its kind, else of its folder.
    fn other(&self, file: &Path) -> PathBuf {
        let all = files(&self.home().join("repository"));
        let others = || all.iter().filter(|other| *other != file);
        let kind = self.kind(file);
        let near = || others().find(|other| other.parent() == file.parent());
        let like = others()
            .find(|other| self.kind(other) == kind)
            .or_else(near);
        match (kind.as_str(), like) {
            ("repository.json", _) | (_, None) => {
                self.home().join("stranger/other/repository.json")
            }
            (_, Some(other)) => other.clone(),
        }
    }

    async fn examine(&self, kind: &str, file: &Path, harm: &'static str) -> Row {
        let case = format!("{harm} of {kind}, {}", self.name(file));
        let ran = mlark(self.home(), &["check", "--read-data", "--json"]).await;
        let nothing_rests = kind == "left by a probe" || (kind == "checkpoint" && harm == "delete");
        assert_eq!(
            ran.code,
            if nothing_rests { 0 } else { 4 },
            "{case}: {ran:?}"
        );
        let found = ran.json();
        let damages = found["damages"].as_array().unwrap();
        let name = self.name(file);
        let damage = damages
            .iter()
            .find(|damage| damage["name"] == name.as_str());
        assert_eq!(damage.is_none(), nothing_rests, "{case}: {found}");
        let nothing = Value::Null;
        let damage = damage.unwrap_or(&nothing);
        let listed = |member: &str| damage[member].as_array().cloned().unwrap_or_default();
        let (snapshots, items) = (listed("snapshots"), listed("items"));
        let later = self.later.iter().any(|other| other == file);
        let of_packs = kind.contains("pack");
        let of_all =
            kind == "repository.json" || (kind.starts_with("keys") && !kind.contains("sign"));
        if of_packs || of_all {
            let touched = if later {
                vec![self.second.as_str()]
            } else {
                vec![self.second.as_str(), self.first.as_str()]
            };
            assert!(!snapshots.is_empty(), "{case}: {damage}");
            for id in &snapshots {
                assert!(touched.contains(&id.as_str().unwrap()), "{case}: {damage}");
            }
        }
        let mut ended = [(0, 0, 0); 2];
        let sources = [
            &["one.bin", "small.txt"][..],
            &["one.bin", "small.txt", "two.bin"],
        ];
        for (place, id) in [&self.first, &self.second].into_iter().enumerate() {
            let plain = self.restore(id, &[]).await;
            let partial = match plain.code {
                0 => self.restore(id, &[]).await,
                _ => self.restore(id, &["--partial"]).await,
            };
            for restored in [&plain, &partial] {
                let missing = sources[place]
                    .iter()
                    .filter(|file| !restored.came.iter().any(|came| came == *file));
                let missing: Vec<String> = missing.map(|file| format!("files/{file}")).collect();
                match restored.code {
                    0 => assert_eq!(missing, [""; 0], "{case}: {restored:?}"),
                    3 => assert_eq!(missing, restored.lost, "{case}: {restored:?}"),
                    4 => assert!(!restored.said.is_empty(), "{case}: nothing is said"),
                    _ => panic!("{case}: {restored:?}"),
                }
            }
            // Nothing is lost that is not named; a list of packs costs no item.
            for lost in &partial.lost {
                let named = items.iter().any(|item| item["item"] == lost.as_str());
                assert!(named, "{case}: {lost}, {damage}");
            }
            ended[place] = (plain.code, partial.code, partial.lost.len());
        }
        // The first snapshot needs nothing that came after it. A later entry alone stands before it, since it may be the line
        // behind which the first counts for nothing; who says so passes over that.
        let first = match kind {
            _ if !later => None,
            kind if kind.starts_with("log/") => Some((4, 0, 0)),
            _ => Some((0, 0, 0)),
        };
        assert_eq!(first.unwrap_or(ended[0]), ended[0], "{case}");
        Row {
            kind: kind.to_owned(),
            harm,
            check: ran.code,
            snapshots: snapshots.len(),
            items: items.len(),
            ended,
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the table is for whoever wants to see it"
)]
async fn every_damage_is_found(encrypted: bool) {
    let world = World::new(encrypted).await;
    let mut rows = Vec::new();
    for (kind, file) in world.victims() {
        for harm in harms() {
            let kept = fs::read(&file).unwrap();
            strike(&file, harm, &world.other(&file));
            rows.push(world.examine(&kind, &file, harm).await);
            fs::write(&file, kept).unwrap();
        }
    }
    let sound = json(world.home(), 0, &["check", "--read-data"]).await;
    assert_eq!(sound["warnings"], 0, "{sound}");
    println!(
        "{:<26} {:<9} {:<6} touches               first: restore, --partial  second: restore, --partial",
        "file", "damage", "check"
    );
    for row in rows {
        let ended = row.ended.map(|(plain, partial, lost)| match partial {
            3 => format!("{plain}, {partial} without {lost}"),
            _ => format!("{plain}, {partial}"),
        });
        println!(
            "{:<26} {:<9} {:<6} {} snapshots, {} items  {:<26} {}",
            row.kind, row.harm, row.check, row.snapshots, row.items, ended[0], ended[1]
        );
    }
}

#[tokio::test]
async fn every_damage_to_an_encrypted_repository_is_found_and_the_rest_comes_back() {
    every_damage_is_found(true).await;
}

#[tokio::test]
async fn every_damage_to_an_unencrypted_repository_is_found_and_the_rest_comes_back() {
    every_damage_is_found(false).await;
}
