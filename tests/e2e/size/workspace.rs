//! A workspace of many items: the memory that a backup of it takes, and the requests.
//!
//! The simulator is in this process and mlark, the whole program, in one of its own for each backup; they talk HTTPS.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus};
use mlark_tests::apart::{self, Said, peak_kib, tell};
use mlark_tests::length::{figures, grouped, short_or_long};
use serde_json::Value;
use simulator::Settings;
use simulator::server::Server;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::workspace::WorkspaceKey;
use simulator::world::{Census, Large};

use super::LIMIT_KIB;
use crate::backup::cost::Expected;

const SHORT: Large = Large {
    jobs: 5_000,
    model_versions: 250,
    files: 10_000,
};
const LONG: Large = Large {
    jobs: 100_000,
    model_versions: 5_000,
    files: 200_000,
};
/// Rows of a page of every list.
const PAGE: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn many_items_take_the_requests_that_pages_take_and_no_more_memory() {
    let large = short_or_long(SHORT, LONG);
    let settings = Settings {
        page: PAGE,
        ..Settings::default()
    };
    let server = Server::start(settings).await.unwrap();
    let key = large.build(server.simulator()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    configure(&server, &key, folder.path());

    run(folder.path(), "init").await;
    let asked = server.simulator().now();
    let first = measured(&server, folder.path()).await;
    let expected = whole(&server, &key, asked, &large);
    let off = first.requests.abs_diff(expected);
    assert!(
        off * 20 <= expected,
        "{} requests, computed are {expected}",
        first.requests
    );
    assert!(first.saved("files") >= large.files as u64);
    assert!(first.saved("items") as usize > large.jobs + large.model_versions);

    let second = measured(&server, folder.path()).await;
    let exactly = unchanged(&server, &key, asked);
    assert_eq!(second.saved("files"), 0);
    assert_eq!(second.requests, exactly);
    for peak in [first.peak, second.peak] {
        assert!(peak < LIMIT_KIB, "{peak} KiB were resident");
    }
    let line = format!(
        "{} jobs, {} model versions, {} files: {} requests (computed {}), unchanged {} (exact); VmHWM {} MiB, unchanged {} MiB",
        grouped(large.jobs as u64),
        grouped(large.model_versions as u64),
        grouped(large.files as u64),
        grouped(first.requests),
        grouped(expected),
        grouped(second.requests),
        first.peak >> 10,
        second.peak >> 10,
    );
    figures(&line).unwrap();
}

/// What one backup cost.
struct Measured {
    report: Value,
    requests: u64,
    peak: u64,
}

impl Measured {
    /// Items or files that were saved, all kinds together.
    fn saved(&self, of: &str) -> u64 {
        let tallies = &self.report["snapshots"][0][of];
        match of {
            "files" => tallies["read"].as_u64().unwrap(),
            _ => {
                let kinds = tallies.as_object().unwrap().values();
                kinds.map(|kind| kind["saved"].as_u64().unwrap()).sum()
            }
        }
    }
}

async fn measured(server: &Server, folder: &Path) -> Measured {
    server.simulator().state().arrivals.reset();
    let said = run(folder, "backup").await;
    // What the test harness prints stands around the document.
    let lines = said.0.lines().skip_while(|line| *line != "{");
    let (mut text, mut lines) = (String::new(), lines.peekable());
    while let Some(line) = lines.next_if(|line| *line != "}") {
        text.push_str(line);
    }
    let report: Value = serde_json::from_str(&format!("{text}}}")).unwrap();
    assert_eq!(report["snapshots"][0]["outcome"], "complete", "{report:#}");
    assert_eq!(report["snapshots"][0]["gaps"], Value::Array(Vec::new()));
    server.simulator().assert_no_early_retries();
    let state = server.simulator().state();
    let requests: u64 = state.arrivals.counts().values().sum();
    assert_eq!(report["snapshots"][0]["requests"], requests);
    Measured {
        requests,
        peak: said.figure("peak KiB").unwrap(),
        report,
    }
}

/// What the first backup takes: what an unchanged one does, and each job's record, list of metrics and artifacts, and each
/// file's bytes.
fn whole(server: &Server, key: &WorkspaceKey, asked: Timestamp, large: &Large) -> u64 {
    let jobs = {
        let state = server.simulator().state();
        state.workspace(key).unwrap().history.runs().count() as u64
    };
    unchanged(server, key, asked) + 3 * jobs + large.files as u64
}

fn unchanged(server: &Server, key: &WorkspaceKey, asked: Timestamp) -> u64 {
    let state = server.simulator().state();
    Expected::of(&state, key, asked).total(&Census::of(&state, key))
}

fn configure(server: &Server, key: &WorkspaceKey, folder: &Path) {
    let arm = server.simulator().state().cloud.arm_url();
    std::fs::write(folder.join("ca.pem"), server.ca_pem()).unwrap();
    std::fs::write(folder.join("secret"), CLIENT_SECRET).unwrap();
    let (subscription, group, name) = {
        let state = server.simulator().state();
        let workspace = state.workspace(key).unwrap();
        (
            workspace.subscription.clone(),
            workspace.group.clone(),
            workspace.name.clone(),
        )
    };
    let at = folder.display();
    let text = format!(
        "[repository]\nurl = \"{at}/repository\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
         identity_file = \"{at}/owner.key\"\n\
         [azure]\ncloud = \"{arm}\"\nca_file = \"{at}/ca.pem\"\ncredential = \"client-secret\"\n\
         tenant_id = \"{TENANT}\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{at}/secret\"\n\
         [[workspace]]\nname = \"prod\"\n\
         url = \"azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}\"\n"
    );
    std::fs::write(folder.join("mlark.toml"), text).unwrap();
}

/// Runs a command of mlark in a process of its own.
async fn run(folder: &Path, command: &str) -> Said {
    let test = format!("size::workspace::program_{command}");
    let command = apart::command(&test, folder).unwrap();
    let output = tokio::process::Command::from(command).output().await;
    Said::of(&output.unwrap()).unwrap()
}

/// The program itself, as `main` runs it.
async fn program(arguments: &[&str]) {
    let folder = apart::folder().unwrap();
    let config = format!("{}/mlark.toml", folder.display());
    let mut all = vec!["mlark", "--config", &config, "--no-progress"];
    all.extend(arguments);
    let context = Context {
        environment: Environment::from_iter(BTreeMap::<String, String>::new()),
        ..Context::of_process()
    };
    assert_eq!(mlark::run(all, context).await, ExitStatus::Done);
    tell("peak KiB", peak_kib().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by many_items_take_the_requests_that_pages_take_and_no_more_memory"]
async fn program_init() {
    program(&["init"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by many_items_take_the_requests_that_pages_take_and_no_more_memory"]
async fn program_backup() {
    program(&["--json", "backup"]).await;
}
