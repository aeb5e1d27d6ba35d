//! Errors are a line or two that say what, on what, why and what next, with the right exit code.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;

use crate::program::{Ran, binary};

/// One clear error: few lines, no backtrace, an advice; with `--json` also the document.
fn assert_clear(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.err.starts_with("mlark: "), "{ran:?}");
    assert!(ran.err.lines().count() <= 3, "{ran:?}");
    assert!(
        !ran.err.contains("backtrace") && !ran.err.contains("panicked"),
        "{ran:?}"
    );
    for words in says {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn without_any_configuration_it_says_where_one_is_looked_for() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        &["snapshots"][..],
        &["status"],
        &["check"],
        &["ls", "latest"],
        &["init"],
    ] {
        let ran = binary(home.path(), command);
        assert_clear(
            &ran,
            2,
            &["No repository is named", "mlark.toml", "--repository"],
        );
    }
    let ran = binary(home.path(), &["backup", "--repository", "r"]);
    assert_clear(&ran, 2, &["no workspace", "[[workspace]]"]);
}

#[test]
fn a_configuration_that_is_named_must_be_there_and_known_by_every_key() {
    let home = tempfile::tempdir().unwrap();
    let ran = binary(home.path(), &["status", "--config", "missing.toml"]);
    assert_clear(&ran, 2, &["missing.toml", "no such file"]);
    fs::write(
        home.path().join("bad.toml"),
        "[repository]\nurl = \"r\"\nchache = \"c\"\n",
    )
    .unwrap();
    let ran = binary(home.path(), &["status", "--config", "bad.toml"]);
    assert_clear(
        &ran,
        2,
        &[
            "repository.chache",
            "bad.toml, line 3",
            "did you mean `cache`",
        ],
    );
    let ran = binary(home.path(), &["status", "--config", "bad.toml", "--json"]);
    assert_eq!(ran.json()["error"]["next"], "did you mean `cache`?");
}

#[test]
fn a_repository_that_is_not_there_is_exit_code_10() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        &["snapshots"][..],
        &["status"],
        &["check"],
        &["ls", "latest"],
        &["show", "latest", "models/x:1"],
    ] {
        let arguments = [command, &["--repository", "nowhere"]].concat();
        assert_clear(
            &binary(home.path(), &arguments),
            10,
            &["no repository", "nowhere", "mlark init"],
        );
    }
    let ran = binary(
        home.path(),
        &["snapshots", "--json", "--repository", "nowhere"],
    );
    assert!(
        ran.json()["error"]["what"]
            .as_str()
            .unwrap()
            .contains("no repository")
    );
}

#[test]
fn a_repository_in_a_store_that_is_not_served_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let ran = binary(
        home.path(),
        &["snapshots", "--repository", "ftp://account/container"],
    );
    assert_clear(&ran, 2, &["ftp://", "no store that mlark knows"]);
}

#[test]
fn an_unknown_kind_attribute_or_workspace_names_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let ran = binary(
        home.path(),
        &["ls", "latest", "modles/x", "--repository", "r"],
    );
    assert_clear(&ran, 2, &["modles", "models"]);
    let ran = binary(
        home.path(),
        &["ls", "latest", "jobs[experimet=x]", "--repository", "r"],
    );
    assert_clear(&ran, 2, &["experimet", "experiment"]);
    fs::write(
        home.path().join("m.toml"),
        "[repository]\nurl = \"r\"\n[[workspace]]\nname = \"production\"\nurl = \"/srv\"\n",
    )
    .unwrap();
    let ran = binary(home.path(), &["backup", "prodution", "--config", "m.toml"]);
    assert_clear(&ran, 2, &["prodution", "did you mean `production`"]);
}

#[test]
fn wrong_usage_is_exit_code_2_and_help_is_0() {
    let home = tempfile::tempdir().unwrap();
    let ran = binary(home.path(), &["bakup"]);
    assert_clear(&ran, 2, &["bakup", "backup"]);
    let ran = binary(home.path(), &["snapshots", "--latets", "3", "--json"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.json()["error"]["what"]
            .as_str()
            .unwrap()
            .contains("--latets")
    );
    assert_eq!(binary(home.path(), &[]).code, 2);
    let ran = binary(home.path(), &["--help"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(binary(home.path(), &["--version"]).code, 0);
}

#[test]
fn an_unreachable_host_is_named_with_what_the_connection_said() {
    let home = tempfile::tempdir().unwrap();
    let text = "[repository]\nurl = \"r\"\n[azure]\ncloud = \"https://management.nowhere.localhost:1\"\n\
        [[workspace]]\nname = \"prod\"\nurl = \"azureml://subscriptions/s/resourceGroups/g/workspaces/w\"\n";
    fs::write(home.path().join("m.toml"), text).unwrap();
    let ran = binary(
        home.path(),
        &["init", "--unencrypted", "--config", "m.toml"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = binary(home.path(), &["backup", "-q", "--config", "m.toml"]);
    assert_clear(
        &ran,
        1,
        &["prod", "management.nowhere.localhost:1", "next: "],
    );
    let status = binary(home.path(), &["status", "--json", "--config", "m.toml"]).json();
    assert_eq!(status["workspaces"][0]["failed_runs"], 1, "{status}");
}

#[test]
fn a_closed_pipe_ends_a_listing_quietly() {
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlark"))
        .args(["completions", "bash"])
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .current_dir(home.path())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
