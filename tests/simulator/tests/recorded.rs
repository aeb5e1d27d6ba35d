//! Recorded requests of the official Python SDK, played against the simulator: each must get the status that the SDK was given
//! when they were recorded.
//!
//! The recordings lie outside of the project; without them these tests say so and pass.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use simulator::arm::WorkspaceSpec;
use simulator::{Caller, Settings, Simulator};

const SUFFIX: &str = "aml.localhost";
const PORT: u16 = 18443;

fn recordings() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let found = ["shared/azure/wire", "../shared/azure/wire"]
        .into_iter()
        .map(|path| root.join(path))
        .find(|path| path.is_dir());
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the recorded requests are not beside the project"
        );
    }
    found
}

fn lines(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The cloud that the recording was made in, before its first request.
fn cloud() -> Simulator {
    let settings = Settings {
        suffix: SUFFIX.to_owned(),
        port: Some(PORT),
        page: 3,
        ..Settings::default()
    };
    let simulator = Simulator::new(settings);
    let subscription = "a0000000-0000-4000-8000-00000000000a";
    simulator.create_workspace(&WorkspaceSpec {
        account: Some("stprodeast001".to_owned()),
        ..WorkspaceSpec::new(subscription, "rg-prod", "ws-prod-east", "eastus")
    });
    simulator
}

/// Plays the calls of resource manager and run history; what they name by chance (operations, pages) is left out.
fn play(simulator: &Simulator, calls: &[Value]) -> Vec<String> {
    let caller = Caller::new(simulator);
    let mut wrong = Vec::new();
    for call in calls {
        let text = |name: &str| call[name].as_str().unwrap_or_default();
        let target = text("target");
        let served = matches!(text("service"), "arm" | "data" | "meta");
        if !served || target.contains("perationsStatus") || target.contains("$skip=") {
            continue;
        }
        let audience = match text("service") {
            "data" => "https://ml.azure.com",
            _ => "https://management.aml.localhost:18443",
        };
        let url = format!("https://{}{}", text("host"), target.replace(' ', "%20"));
        let mut request = http::Request::builder().method(text("method")).uri(&url);
        request = request.header(
            "authorization",
            format!("Bearer {}", caller.token(audience)),
        );
        let body = match &call["body"] {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::from(text.clone()),
            body => Bytes::from(body.to_string()),
        };
        let reply = simulator.handle(request.body(body).unwrap());
        // What makes a container beside its first version is not told by the recording: 200 and 201 are both a success.
        let alike = |status: u64| if status == 201 { 200 } else { status };
        if alike(u64::from(reply.status.as_u16())) != alike(call["status"].as_u64().unwrap()) {
            let answer: String = String::from_utf8_lossy(&reply.body)
                .chars()
                .take(400)
                .collect();
            wrong.push(format!(
                "{} {target}: {} was {}: {answer}",
                text("method"),
                reply.status,
                call["status"]
            ));
        }
    }
    wrong
}

#[test]
fn recorded_session_of_the_sdk_gets_the_same_answers() {
    let Some(folder) = recordings() else { return };
    let simulator = cloud();
    let wrong = play(&simulator, &lines(&folder, "seed.jsonl"));
    assert!(
        wrong.is_empty(),
        "{} answers differ: {wrong:#?}",
        wrong.len()
    );
    let wrong = play(&simulator, &lines(&folder, "readback.jsonl"));
    assert!(
        wrong.is_empty(),
        "{} answers differ: {wrong:#?}",
        wrong.len()
    );
}
