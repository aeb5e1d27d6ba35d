//! Retention, prune and protection as a person and a script see them.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use mlark::clock::Clock;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, library};

/// A home with a folder to back up, daily rules and a grace of two days.
fn world(rules: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("source")).unwrap();
    let text = format!(
        "[repository]\nurl = {:?}\nidentity_file = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {:?}\ntimezone = \"Europe/Sofia\"\n{rules}\n",
        home.path().join("repository"),
        home.path().join("owner.key"),
        home.path().join("source"),
    );
    fs::write(home.path().join("mlark.toml"), text).unwrap();
    home
}

/// A time after what the local disk says of any file: the tests' days lie ahead.
fn day(number: i64) -> Timestamp {
    Timestamp::from_second(4_000_000_000 + number * 86_400).unwrap()
}

async fn mlark(home: &Path, at: Timestamp, arguments: &[&str]) -> Ran {
    let config = home.join("mlark.toml");
    let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
    library(home, &arguments, |context| {
        context.clock = Clock::new(move || at);
    })
    .await
}

async fn json(home: &Path, at: Timestamp, arguments: &[&str]) -> Value {
    let ran = mlark(home, at, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran.json()
}

/// A backup a day, each with other bytes.
async fn backups(home: &Path, days: i64) -> Vec<String> {
    json(home, day(0), &["init"]).await;
    let mut ids = Vec::new();
    for number in 0..days {
        fs::write(
            home.join("source/a.txt"),
            format!("day {number}\n").repeat(1000),
        )
        .unwrap();
        let made = json(home, day(number), &["backup"]).await;
        ids.push(made["snapshots"][0]["id"].as_str().unwrap().to_owned());
    }
    ids
}

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn rules_forget_and_prune_frees_after_the_grace() {
    let home = world("[retention]\nkeep_daily = 2\ngrace = \"2d\"");
    let home = home.path();
    let made = backups(home, 5).await;
    let shown = json(home, day(5), &["forget", "--dry-run"]).await;
    assert_eq!(ids(&shown["forgotten"]), made[..3]);
    assert_eq!(ids(&shown["kept"]), made[3..]);
    assert_eq!(shown["kept"][1]["reasons"][0], "newest complete");
    let listed = json(home, day(5), &["snapshots"]).await;
    assert_eq!(ids(&listed["snapshots"]).len(), 5, "nothing happened");

    json(home, day(5), &["snapshots", "protect", &made[0]]).await;
    let refused = mlark(home, day(5), &["forget", &made[0]]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("unprotect"), "{refused:?}");
    let newest = mlark(home, day(5), &["forget", "latest"]).await;
    assert_eq!(newest.code, 2, "{newest:?}");
    let done = json(home, day(5), &["forget"]).await;
    assert_eq!(ids(&done["forgotten"]), made[1..3]);
    let protected = json(home, day(5), &["snapshots"]).await;
    assert_eq!(protected["snapshots"][0]["protected"], true);
    json(home, day(5), &["snapshots", "unprotect", &made[0]]).await;
    json(home, day(5), &["forget", &made[0]]).await;

    let shown = json(home, day(6), &["prune", "--dry-run"]).await;
    assert_eq!(shown["packs"], 0);
    assert_eq!(shown["spared"][0]["reason"], "forgotten");
    assert_eq!(shown["spared"][0]["until"], day(7).to_string());
    let text = mlark(home, day(6), &["prune"]).await;
    assert!(text.out.contains("was forgotten lately, until"), "{text:?}");
    let freed = json(home, day(7), &["prune"]).await;
    assert!(freed["deleted"].as_u64().unwrap() >= 9, "{freed}");
    assert_eq!(
        (
            freed["undeleted"].as_u64(),
            freed["spared"].as_array().unwrap().len()
        ),
        (Some(0), 0)
    );
    let check = json(home, day(7), &["check", "--read-data"]).await;
    assert_eq!(check["outcome"], "sound");
    let gone = mlark(home, day(7), &["ls", &made[0]]).await;
    assert_eq!(gone.code, 2, "{gone:?}");
    json(home, day(7), &["ls", "latest"]).await;
}

#[tokio::test]
async fn without_a_rule_nothing_is_forgotten_and_tags_keep() {
    let home = world("");
    let home = home.path();
    let made = backups(home, 3).await;
    let said = mlark(home, day(4), &["forget"]).await;
    assert_eq!(said.code, 0);
    assert!(
        said.out.contains("0 snapshots forgotten, 3 kept"),
        "{said:?}"
    );
    assert!(said.err.contains("[retention]"), "{said:?}");
    let tagged = json(home, day(4), &["backup", "--tag", "audit"]).await;
    json(home, day(5), &["backup"]).await;
    let text = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let text = format!("{text}[workspace.retention]\nkeep_last = 1\n");
    fs::write(home.join("mlark.toml"), text).unwrap();
    let done = json(home, day(6), &["forget", "--keep-tag", "audit"]).await;
    assert_eq!(ids(&done["forgotten"]), made);
    assert_eq!(done["kept"][0]["id"], tagged["snapshots"][0]["id"]);
    assert_eq!(done["kept"][0]["reasons"][0], "tag audit");
    let unknown = mlark(home, day(6), &["forget", "--workspace", "dosc"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("docs"), "{unknown:?}");
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(next).collect()
}

/// A repository whose newest snapshot needs little of the pack of the one before, which is forgotten on day 5.
async fn sparse() -> TempDir {
    let home = world("[retention]\nkeep_last = 1\ngrace = \"2d\"");
    let at = home.path();
    json(at, day(0), &["init"]).await;
    fs::write(at.join("source/large.bin"), noise(400_000)).unwrap();
    fs::write(at.join("source/kept.bin"), noise(90_000)).unwrap();
    json(at, day(0), &["backup"]).await;
    fs::remove_file(at.join("source/large.bin")).unwrap();
    json(at, day(1), &["backup"]).await;
    json(at, day(5), &["forget"]).await;
    home
}

#[tokio::test]
async fn repacking_shows_what_it_would_do_and_frees_after_the_grace() {
    let home = sparse().await;
    let home = home.path();
    // What was forgotten lately may still be wanted back.
    let early = json(home, day(6), &["prune", "--repack", "--dry-run"]).await;
    assert_eq!(early["repack"]["packs"], serde_json::json!([]));
    assert_eq!(early["repack"]["spared"][0]["reason"], "forgotten");
    let shown = json(home, day(8), &["prune", "--repack", "--dry-run"]).await;
    let packs = shown["repack"]["packs"].as_array().unwrap();
    let unused = shown["repack"]["unused_bytes"].as_u64().unwrap();
    assert_eq!(packs.len(), 1, "{shown}");
    assert!((395_000..420_000).contains(&unused), "{shown}");
    let ran = mlark(home, day(8), &["prune", "--repack", "--dry-run"]).await;
    let name = packs[0]["pack"].as_str().unwrap();
    let row = ran.out.lines().find(|line| line.starts_with(name));
    assert!(row.is_some_and(|row| row.ends_with("81 %")), "{ran:?}");
    let full = ["prune", "--repack", "--max-unused", "90", "--dry-run"];
    let shown = json(home, day(8), &full).await;
    assert_eq!(shown["repack"]["packs"], serde_json::json!([]));

    let done = json(home, day(8), &["prune", "--repack"]).await;
    let repack = &done["repack"];
    assert_eq!(
        (repack["replaced"].as_u64(), repack["written"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(repack["stopped"], false);
    assert!(
        repack["written_bytes"].as_u64().unwrap() < 100_000,
        "{done}"
    );
    let replaced = done["spared"].as_array().unwrap().iter();
    let mut replaced = replaced.filter(|spared| spared["reason"] == "replaced");
    let spared = replaced.next().unwrap();
    assert_eq!(spared["bytes"], repack["replaced_bytes"]);
    assert_eq!(spared["until"], day(10).to_string());
    let ran = mlark(home, day(9), &["prune"]).await;
    assert!(ran.out.contains("replaced them lately"), "{ran:?}");
    let freed = json(home, day(10), &["prune", "--repack"]).await;
    assert_eq!(freed["deleted"], 1, "{freed}");
    assert!(freed["deleted_bytes"].as_u64().unwrap() > 490_000);
    assert_eq!(freed["repack"]["replaced"], 0);
    let check = json(home, day(10), &["check", "--read-data"]).await;
    assert_eq!(check["outcome"], "sound");
    let shown = mlark(home, day(10), &["ls", "latest"]).await;
    assert_eq!(shown.code, 0);
}

#[tokio::test]
async fn a_machine_without_an_owners_key_is_told_that_repacking_needs_one() {
    let home = sparse().await;
    let home = home.path();
    let config = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let lines = config
        .lines()
        .filter(|line| !line.starts_with("identity_file"));
    let without: Vec<&str> = lines.collect();
    fs::write(home.join("mlark.toml"), without.join("\n")).unwrap();
    let refused = mlark(home, day(8), &["prune", "--repack"]).await;
    assert_eq!(refused.code, 12, "{refused:?}");
    assert!(refused.err.contains("owner's key"), "{refused:?}");
    assert!(refused.err.contains("next: "), "{refused:?}");
    let shown = json(home, day(8), &["prune", "--repack", "--dry-run"]).await;
    assert_eq!(shown["repack"]["packs"].as_array().unwrap().len(), 1);
    let wrong = mlark(home, day(8), &["prune", "--max-unused", "5"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test]
async fn a_repacking_that_is_asked_to_stop_deletes_nothing_and_goes_on_later() {
    let home = sparse().await;
    let home = home.path();
    let config = home.join("mlark.toml");
    let arguments = [
        "prune",
        "--repack",
        "--json",
        "--config",
        config.to_str().unwrap(),
    ];
    let stopped = library(home, &arguments, |context| {
        context.clock = Clock::new(|| day(8));
        context.shutdown.request();
    })
    .await;
    assert_eq!(stopped.code, 130, "{stopped:?}");
    assert_eq!(stopped.json()["repack"]["stopped"], true);
    assert_eq!(stopped.json()["repack"]["replaced"], 0);
    let done = json(home, day(8), &["prune", "--repack"]).await;
    assert_eq!(done["repack"]["replaced"], 1);
}
