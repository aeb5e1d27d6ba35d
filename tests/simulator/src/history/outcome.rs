//! What a job leaves when it completes: logs, metrics and named outputs, the same ones for the same name.

use jiff::Timestamp;
use serde_json::Value;

use crate::account::Account;
use crate::blob::{BlobStore, Content, Fill, Written};
use crate::metric::{Metric, Point};
use crate::workspace::Workspace;

/// Points of the metric that every job logs.
const POINTS: u32 = 12;

/// The container of run artifacts in every workspace's account.
pub const ARTIFACTS: &str = "azureml";

/// Writes logs, a metric and outputs of a run that completed.
pub fn leave(workspace: &mut Workspace, account: &mut Account, run_id: &str, at: Timestamp) {
    let Some(run) = workspace.history.run(run_id) else {
        return;
    };
    let seed = seed_of(run_id);
    let prefix = run.artifact_prefix();
    let is_pipeline = run.run_type == "azureml.PipelineRun";
    account.blobs.create_container(ARTIFACTS, at);
    let log = format!(
        "Run {run_id} began\nepoch 0 loss 1.0\nepoch {POINTS} loss 0.1\nRun {run_id} completed\n"
    );
    if !is_pipeline {
        put(
            &mut account.blobs,
            ARTIFACTS,
            &format!("{prefix}user_logs/std_log.txt"),
            log.into(),
            at,
        );
        put(
            &mut account.blobs,
            ARTIFACTS,
            &format!("{prefix}system_logs/lifecycler/lifecycler.log"),
            "Preparing\nRunning\nFinished\n".into(),
            at,
        );
        workspace
            .metrics
            .replace(run_id, loss_curve(run_id, seed, at));
    }
    write_outputs(workspace, account, run_id, seed, at);
}

fn write_outputs(
    workspace: &Workspace,
    account: &mut Account,
    run_id: &str,
    seed: u64,
    at: Timestamp,
) {
    let job = workspace.documents.get("jobs", run_id);
    let outputs = job
        .and_then(|job| job.properties()?.get("outputs")?.as_object())
        .into_iter()
        .flatten();
    account
        .blobs
        .create_container(&workspace.blob_container, at);
    for (at_output, (output, definition)) in outputs.enumerate() {
        // An output with an address of its own was sent elsewhere by who submitted the job.
        let elsewhere = definition.get("uri").and_then(Value::as_str);
        if elsewhere.is_some_and(|uri| !uri.contains("${{")) {
            continue;
        }
        let path = format!("azureml/{run_id}/{output}/result.bin");
        let content =
            Content::generated(Fill::Weights, seed + at_output as u64, 4_096 + seed % 4_096);
        put(
            &mut account.blobs,
            &workspace.blob_container,
            &path,
            content,
            at,
        );
    }
}

fn put(blobs: &mut BlobStore, container: &str, name: &str, content: Content, at: Timestamp) {
    // The container was made just before, and nothing else refuses.
    let _ = blobs.put(container, name, content, Written::default(), at);
}

fn loss_curve(run_id: &str, seed: u64, at: Timestamp) -> Metric {
    let mut metric = Metric::scalar("loss", run_id);
    for step in 0..POINTS {
        let value = 1.0 / f64::from(step + 1) + (seed % 97) as f64 / 10_000.0;
        metric
            .points
            .push(Point::scalar("loss", value, i64::from(step), at));
    }
    metric
}

/// A number that depends on a name alone (FNV-1a).
pub(crate) fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
