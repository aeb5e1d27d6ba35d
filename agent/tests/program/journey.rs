//! A folder is backed up, listed, shown, checked: the commands together, in-process, by what they print.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, library};

/// A home with a folder to back up.
pub(crate) fn world() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("source/sub")).unwrap();
    fs::write(home.path().join("source/a.txt"), "alpha\n").unwrap();
    fs::write(home.path().join("source/sub/b[1].txt"), "beta\n").unwrap();
    let text = format!(
        "[repository]\nurl = {:?}\nidentity_file = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {:?}\nschedule = \"0 2 * * *\"\n",
        home.path().join("repository"),
        home.path().join("owner.key"),
        home.path().join("source"),
    );
    fs::write(home.path().join("mlark.toml"), text).unwrap();
    home
}

pub(crate) async fn mlark(home: &Path, arguments: &[&str]) -> Ran {
    let config = home.join("mlark.toml");
    let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
    library(home, &arguments, |_| {}).await
}

pub(crate) async fn done(home: &Path, arguments: &[&str]) -> Ran {
    let ran = mlark(home, arguments).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran
}

pub(crate) async fn json(home: &Path, arguments: &[&str]) -> Value {
    done(home, &[arguments, &["--json"]].concat()).await.json()
}

#[tokio::test]
async fn a_folder_is_backed_up_listed_shown_and_checked() {
    let home = world();
    let home = home.path();
    let made = json(home, &["init"]).await;
    assert_eq!(
        (made["encrypted"].as_bool(), made["identity"].as_str()),
        (Some(true), None)
    );
    assert!(
        fs::read_to_string(home.join("owner.key"))
            .unwrap()
            .contains("AGE-SECRET-KEY-1")
    );

    let first = json(home, &["backup", "--tag", "first"]).await;
    let snapshot = &first["snapshots"][0];
    assert_eq!(
        (snapshot["workspace"].as_str(), snapshot["outcome"].as_str()),
        (Some("docs"), Some("complete"))
    );
    for field in [
        "id", "started", "finished", "items", "files", "bytes", "requests", "gaps",
    ] {
        assert!(!snapshot[field].is_null(), "{field}: {snapshot}");
    }
    assert_eq!(snapshot["files"]["read"], 2);

    let second = json(home, &["backup"]).await;
    assert_eq!(
        second["snapshots"][0]["files"]["read"], 0,
        "nothing changed: {second}"
    );

    let listed = json(home, &["snapshots"]).await;
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 2);
    assert_eq!(listed["snapshots"][0]["tags"][0], "first");
    assert_eq!(
        json(home, &["snapshots", "--latest", "1"]).await["snapshots"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let ls = done(home, &["ls", "latest"]).await.out;
    let item = ls
        .lines()
        .find(|line| line.contains("b\\[1\\].txt") || line.contains("b\\[1"))
        .unwrap()
        .to_owned();
    let again = done(home, &["ls", "latest", &item]).await.out;
    assert_eq!(
        again.trim_end(),
        item,
        "what ls prints, selectors take back"
    );

    let shown = json(home, &["show", "latest", &item]).await;
    let path = shown["files"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(
        done(home, &["show", "latest", &item, "--file", &path])
            .await
            .out,
        "beta\n"
    );

    let checked = json(home, &["check", "--read-data"]).await;
    assert_eq!(checked["outcome"], "sound");
    let status = json(home, &["status"]).await;
    assert_eq!(
        (
            status["healthy"].as_bool(),
            status["workspaces"][0]["state"].as_str()
        ),
        (Some(true), Some("good"))
    );
}

#[tokio::test]
async fn unknown_snapshots_items_and_existing_repositories_are_refused() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    assert_ne!(
        mlark(home, &["init"]).await.code,
        0,
        "an existing repository is refused"
    );
    assert_eq!(
        mlark(home, &["ls", "latest"]).await.code,
        2,
        "there is no snapshot yet"
    );
    done(home, &["backup"]).await;
    for command in [
        &["ls", "01ZZZZ"][..],
        &["ls", "latest:nobody"],
        &["show", "latest", "files/nothing"],
    ] {
        let ran = mlark(home, command).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("next: "), "{ran:?}");
    }
}

#[tokio::test]
async fn without_the_owners_identity_names_are_seen_and_contents_are_not() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    fs::rename(home.join("owner.key"), home.join("elsewhere.key")).unwrap();
    let ls = done(home, &["ls", "latest"]).await.out;
    let item = ls
        .lines()
        .find(|line| line.contains("a.txt"))
        .unwrap()
        .to_owned();
    done(home, &["check"]).await;
    done(home, &["backup"]).await;
    let ran = mlark(home, &["show", "latest", &item, "--file", "a.txt"]).await;
    assert_eq!(ran.code, 12, "{ran:?}");
    let elsewhere = home.join("elsewhere.key");
    let named = [
        "show",
        "latest",
        &item,
        "--file",
        "a.txt",
        "--identity-file",
        elsewhere.to_str().unwrap(),
    ];
    assert_eq!(done(home, &named).await.out, "alpha\n");
}

#[tokio::test]
async fn a_repository_and_a_folder_on_the_command_line_are_enough() {
    let home = world();
    let home = home.path();
    let (repository, source) = (home.join("other"), home.join("source"));
    let (repository, source) = (repository.to_str().unwrap(), source.to_str().unwrap());
    let made = library(
        home,
        &["init", "--repository", repository, "--unencrypted"],
        |_| {},
    )
    .await;
    assert_eq!(made.code, 0, "{made:?}");
    let ran = library(
        home,
        &["backup", source, "--repository", repository, "--json"],
        |_| {},
    )
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["snapshots"][0]["workspace"], "source");
    assert!(
        home.join(".cache/mlark").is_dir(),
        "the catalogue lies in the cache of the user"
    );
}

#[tokio::test]
async fn a_lost_file_is_planned_restored_and_verified() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let target = home.join("target");
    fs::create_dir(&target).unwrap();
    let into = target.to_str().unwrap();

    let plan = mlark(
        home,
        &["restore", "plan", "latest", "--into", into, "--json"],
    )
    .await;
    let outline = plan.json();
    for field in [
        "plan", "target", "steps", "losses", "outcome", "done", "skipped", "failed",
    ] {
        assert!(!outline[field].is_null(), "{field}: {outline}");
    }
    assert_eq!(outline["outcome"], "planned");
    assert_eq!(
        plan.code == 3,
        !outline["losses"].as_array().unwrap().is_empty()
    );
    assert_eq!(
        fs::read_dir(&target).unwrap().count(),
        0,
        "a plan changes nothing"
    );

    let ran = mlark(home, &["restore", "apply", "latest", "--into", into]).await;
    assert_eq!(
        ran.code, 2,
        "without a terminal nobody can be asked: {ran:?}"
    );
    let applied = mlark(
        home,
        &[
            "restore", "apply", "latest", "--into", into, "--yes", "--json",
        ],
    )
    .await;
    assert_eq!(applied.json()["outcome"], "complete", "{applied:?}");
    assert_eq!(
        fs::read_to_string(target.join("sub/b[1].txt")).unwrap(),
        "beta\n"
    );

    let same = done(home, &["restore", "verify", "latest", "--against", into]).await;
    assert!(
        same.out.starts_with("same") || same.out.starts_with("as planned"),
        "{same:?}"
    );
    fs::write(target.join("a.txt"), "ALPHA\n").unwrap();
    let ran = mlark(
        home,
        &["restore", "verify", "latest", "--against", into, "--json"],
    )
    .await;
    assert_eq!(
        (ran.code, ran.json()["outcome"].as_str()),
        (4, Some("different")),
        "{ran:?}"
    );
    let list = json(home, &["restore", "list"]).await;
    assert_eq!(list["restores"][0]["outcome"], "complete");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_planned_for_and_made_once_the_answer_is_yes() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let target = home.join("new/target");
    let into = target.to_str().unwrap();
    let planned = home.join("plan.json");
    let save = planned.to_str().unwrap();
    let plan = mlark(
        home,
        &["restore", "plan", "latest", "--into", into, "--save", save],
    )
    .await;
    assert!([0, 3].contains(&plan.code), "{plan:?}");
    let asked = mlark(home, &["restore", "apply", "latest", "--into", into]).await;
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(
        !home.join("new").exists(),
        "nothing is made before the answer"
    );
    let applied = mlark(
        home,
        &["restore", "apply", "--plan", save, "--yes", "--json"],
    )
    .await;
    assert_eq!(applied.json()["outcome"], "complete", "{applied:?}");
    assert_eq!(
        fs::read_to_string(target.join("sub/b[1].txt")).unwrap(),
        "beta\n"
    );
    let elsewhere = home.join("elsewhere");
    let against = elsewhere.to_str().unwrap();
    let verified = mlark(home, &["restore", "verify", "latest", "--against", against]).await;
    assert_eq!(verified.code, 1, "{verified:?}");
}

#[tokio::test]
async fn a_workspace_that_is_being_backed_up_is_busy() {
    let home = world();
    let home = home.path();
    let made = json(home, &["init"]).await;
    let cache = home
        .join(".cache/mlark")
        .join(made["repository"].as_str().unwrap());
    let lock = mlark::lock::WorkspaceLock::take(&cache, "docs").unwrap();
    let ran = mlark(home, &["backup", "--json"]).await;
    assert_eq!(ran.code, 11, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["snapshots"][0]["outcome"], "failed");
    assert!(
        document["error"]["what"]
            .as_str()
            .unwrap()
            .contains("Another run")
    );
    drop(lock);
    done(home, &["backup"]).await;
}

#[tokio::test]
async fn a_log_that_lacks_the_expected_head_is_exit_code_4() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let head = json(home, &["status"]).await["repository"]["head"]
        .as_str()
        .unwrap()
        .to_owned();
    done(home, &["snapshots", "--expect-head", &head]).await;
    let other = format!("{}:{}", head.split(':').next().unwrap(), "0".repeat(64));
    assert_eq!(
        mlark(home, &["snapshots", "--expect-head", &other])
            .await
            .code,
        4
    );
    let ahead = format!("99:{}", "0".repeat(64));
    assert_eq!(
        mlark(home, &["snapshots", "--expect-head", &ahead])
            .await
            .code,
        4
    );
    assert_eq!(
        mlark(home, &["snapshots", "--expect-head", "nonsense"])
            .await
            .code,
        2
    );
}

#[tokio::test]
async fn with_v_events_come_as_json_lines_and_the_document_last() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    let ran = done(home, &["backup", "--json", "-v"]).await;
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (document, events) = lines.split_last().unwrap();
    assert!(document["snapshots"].is_array());
    assert!(
        !events.is_empty() && events.iter().all(|event| event["event"].is_string()),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_dry_run_counts_and_stores_nothing() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    let counted = json(home, &["backup", "--dry-run"]).await;
    assert_eq!(counted["snapshots"][0]["outcome"], "counted", "{counted}");
    assert_eq!(counted["snapshots"][0]["files"]["listed"], 2);
    let estimate = &counted["snapshots"][0]["estimate"];
    assert_eq!(
        estimate["stored_bytes"],
        counted["snapshots"][0]["bytes"]["listed"]
    );
    assert_eq!(estimate["requests"], 0, "no service is asked for a folder");
    assert!(
        estimate["month_bytes"].is_null(),
        "nothing is known of a month yet"
    );
    assert_eq!(
        json(home, &["snapshots"]).await["snapshots"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let only = json(home, &["backup", "--only", "files/a.txt"]).await;
    assert_eq!(only["snapshots"][0]["files"]["read"], 1, "{only}");
}

#[tokio::test]
async fn names_that_speak_to_the_terminal_are_shown_as_text() {
    let home = world();
    let home = home.path();
    fs::write(home.join("source/\u{1b}[2Jevil"), "x").unwrap();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let ls = done(home, &["ls", "-l", "latest"]).await.out;
    assert!(ls.contains("evil") && !ls.contains('\u{1b}'), "{ls}");
}

#[tokio::test]
async fn damage_of_a_pack_is_exit_code_4() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let pack = walk(&home.join("repository/packs"));
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = fs::metadata(&pack).unwrap().permissions();
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "the file is the test's own"
    )]
    permissions.set_readonly(false);
    fs::set_permissions(&pack, permissions).unwrap();
    fs::write(&pack, bytes).unwrap();
    let ran = mlark(home, &["check", "--json"]).await;
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.json()["outcome"], "damaged");
}

fn walk(folder: &Path) -> std::path::PathBuf {
    let first = fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    if first.is_dir() { walk(&first) } else { first }
}

#[tokio::test]
async fn a_suspect_snapshot_is_not_the_latest_until_it_is_accepted() {
    let home = world();
    let home = home.path();
    for number in 0..20 {
        fs::write(
            home.join(format!("source/file-{number}")),
            format!("{number}"),
        )
        .unwrap();
    }
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    for number in 0..15 {
        fs::remove_file(home.join(format!("source/file-{number}"))).unwrap();
    }
    let ran = mlark(home, &["backup", "--json"]).await;
    let snapshot = ran.json()["snapshots"][0].clone();
    assert_eq!(
        (ran.code, snapshot["outcome"].as_str()),
        (3, Some("suspect")),
        "{ran:?}"
    );
    let id = snapshot["id"].as_str().unwrap();
    let held = done(home, &["ls", "latest"]).await.out.lines().count();
    let status = json(home, &["status"]).await;
    assert_eq!(status["workspaces"][0]["state"], "suspect");
    assert!(
        status["workspaces"][0]["next"]
            .as_str()
            .unwrap()
            .contains(id)
    );

    assert_eq!(
        mlark(home, &["snapshots", "accept", "latest"]).await.code,
        2,
        "it is complete"
    );
    assert_eq!(
        json(home, &["snapshots", "accept", id]).await["accepted"][0],
        id
    );
    assert_eq!(
        done(home, &["ls", "latest"]).await.out.lines().count(),
        held - 15
    );
    assert_eq!(
        json(home, &["status"]).await["workspaces"][0]["state"],
        "good"
    );
}
