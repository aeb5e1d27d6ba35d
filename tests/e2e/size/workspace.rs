//! A workspace of many items: the memory that a backup of it takes, and the requests.
//!
//! The simulator is in this process and mlark, the whole program, in one of its own for each backup; they talk HTTPS.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use jiff::Timestamp;
use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus};
use serde_json::Value;
use simulator::Settings;
use simulator::server::Server;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::workspace::WorkspaceKey;
use simulator::world::{Census, Large};

use super::apart::{LIMIT_KIB, figure, is_long, peak_kib, tell};
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

/// Names the folder of the configuration to the process that is measured.
const FOLDER: &str = "MLARK_TESTS_FOLDER";

#[tokio::test(flavor = "multi_thread")]
async fn many_items_take_the_requests_that_pages_take_and_no_more_memory() {
    let large = if is_long() { LONG } else { SHORT };
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
    tell("requests of the first backup", first.requests);
    tell("requests that pages, jobs and files make", expected);
    tell("peak KiB of the first backup", first.peak);
    assert!(
        off * 20 <= expected,
        "{} requests, computed are {expected}",
        first.requests
    );
    assert!(first.saved("files") >= large.files as u64);
    assert!(first.saved("items") as usize > large.jobs + large.model_versions);

    let second = measured(&server, folder.path()).await;
    let expected = unchanged(&server, &key, asked);
    tell("requests of an unchanged backup", second.requests);
    tell("peak KiB of an unchanged backup", second.peak);
    assert_eq!(second.saved("files"), 0);
    assert_eq!(second.requests, expected);
    for peak in [first.peak, second.peak] {
        assert!(peak < LIMIT_KIB, "{peak} KiB were resident");
    }
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
    let output = run(folder, "backup").await;
    // What the test harness prints stands around the document.
    let lines = output.lines().skip_while(|line| *line != "{");
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
        peak: figure(&output, "peak KiB"),
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
async fn run(folder: &Path, command: &str) -> String {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    let test = format!("size::workspace::program_{command}");
    child
        .args(["--exact", &test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stderr(Stdio::inherit());
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// The program itself, as `main` runs it.
#[expect(clippy::disallowed_methods, reason = "the parent names the folder")]
async fn program(arguments: &[&str]) {
    let folder = std::env::var(FOLDER).unwrap();
    let config = format!("{folder}/mlark.toml");
    let mut all = vec!["mlark", "--config", &config, "--no-progress"];
    all.extend(arguments);
    let context = Context {
        environment: Environment::from_iter(BTreeMap::<String, String>::new()),
        ..Context::of_process()
    };
    assert_eq!(mlark::run(all, context).await, ExitStatus::Done);
    tell("peak KiB", peak_kib());
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
