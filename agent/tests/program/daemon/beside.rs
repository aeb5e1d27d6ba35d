//! Several workspaces: side by side, by the rules of retention, each with its own jitter; and a clock that jumps.

use std::fs;
use std::path::Path;

use super::*;

/// A home with so many folders that are backed up each night.
fn many(folders: usize, daemon: &str) -> TempDir {
    let home = world();
    let root = home.path();
    let mut text = format!(
        "[repository]\nurl = {:?}\ncache = {:?}\n{daemon}",
        root.join("repository"),
        root.join("cache"),
    );
    for number in 0..folders {
        let folder = root.join(format!("source-{number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.txt"), format!("content of {number}\n")).unwrap();
        text.push_str(&format!(
            "[[workspace]]\nname = \"w{number}\"\nurl = {folder:?}\nschedule = \"0 2 * * *\"\n"
        ));
    }
    fs::write(root.join("mlark.toml"), text).unwrap();
    home
}

/// What `mlark snapshots` has of each snapshot: workspace and minute.
fn rows(home: &Path) -> Vec<(String, String)> {
    let ran = binary(home, &["snapshots", "--json", "--config", "mlark.toml"]).json();
    let mut rows: Vec<(String, String)> = ran["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("workspace"), text("time")[..16].to_owned())
        })
        .collect();
    rows.sort();
    rows
}

#[tokio::test(start_paused = true)]
async fn workspaces_run_side_by_side_each_once_a_night() {
    let home = many(4, "[daemon]\nat_once = 3\n");
    let ran = daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-03T12:00:00Z").await;
    let wanted: Vec<(String, String)> = (0..4)
        .flat_map(|number| {
            ["2026-12-02T02:00", "2026-12-03T02:00"]
                .map(|night| (format!("w{number}"), night.to_owned()))
        })
        .collect();
    assert_eq!(rows(home.path()), wanted, "{}", ran.err);
    assert!(!ran.err.contains("missed"), "{}", ran.err);
}

#[tokio::test(start_paused = true)]
async fn a_complete_backup_is_followed_by_the_rules_of_retention() {
    let home = many(1, "[retention]\nkeep_last = 2\ngrace = \"1d\"\n");
    let ran = daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-06T12:00:00Z").await;
    let nights: Vec<String> = rows(home.path())
        .into_iter()
        .map(|(_, time)| time)
        .collect();
    assert_eq!(nights, ["2026-12-05T02:00", "2026-12-06T02:00"]);
    assert_eq!(
        ran.err.matches("w0: forgot snapshot").count(),
        3,
        "{}",
        ran.err
    );

    let home = many(
        1,
        "[retention]\nkeep_last = 2\n[daemon]\nretention = \"none\"\n",
    );
    daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-06T12:00:00Z").await;
    assert_eq!(rows(home.path()).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_with_jitter_does_not_begin_at_once() {
    let home = many(3, "[daemon]\njitter = \"1h\"\n");
    daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-03T12:00:00Z").await;
    let rows = rows(home.path());
    assert_eq!(rows.len(), 6);
    for pair in rows.chunks(2) {
        assert!(pair[0].1.starts_with("2026-12-02T02:"), "{rows:?}");
        assert_eq!(pair[0].1[11..], pair[1].1[11..], "the same each night");
    }
    assert!(rows[0].1 != rows[2].1 || rows[0].1 != rows[4].1, "{rows:?}");
}

#[tokio::test(start_paused = true)]
async fn missed_nights_are_counted_and_told() {
    let home = many(1, "");
    daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-02T12:00:00Z").await;
    let ran = daemon(home.path(), "2026-12-06T09:30:00Z", "2026-12-06T12:00:00Z").await;
    assert!(
        ran.err
            .contains("w0: 3 runs were missed; the one that begins now makes up for them"),
        "{}",
        ran.err
    );
}
