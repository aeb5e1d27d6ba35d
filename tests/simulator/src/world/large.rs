//! A workspace of a size that no team reaches in a year: many settled jobs, model versions and small files.
//!
//! Put into the state directly, since a request for each of them would take longer than the test that they are for. Every
//! document is one that the routes would have made, and every file's bytes are its own.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::World;
use super::builder::Builder;
use crate::blob::Written;
use crate::documents::Resource;
use crate::error::Error;
use crate::history::Run;
use crate::history::outcome::ARTIFACTS;
use crate::simulator::Simulator;
use crate::workspace::WorkspaceKey;

/// Versions of one model.
const VERSIONS: usize = 50;
/// Files of one version of a model.
const FILES_OF_VERSION: usize = 4;
/// Files of one directory of the share.
const FILES_OF_DIRECTORY: usize = 200;
/// Who made all of it.
const AUTHOR: &str = "anna";

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Large {
    /// Jobs, settled long ago, each with a log.
    pub jobs: usize,
    /// Versions of models, each with four files.
    pub model_versions: usize,
    /// Small files: logs, those of models, and the rest on the share of notebooks.
    pub files: usize,
}

impl Large {
    /// Fills a small world up to these numbers.
    pub fn build(&self, simulator: &Simulator) -> Result<WorkspaceKey, Error> {
        let world = World::small(1);
        world.build(simulator)?;
        let builder = Builder::new(simulator, &world)?;
        self.jobs(&builder);
        self.models(&builder);
        self.notebooks(&builder);
        Ok(builder.key)
    }

    fn jobs(&self, builder: &Builder<'_>) {
        let environment = builder.id("environments/sklearn-train/versions/2");
        let compute = builder.id("computes/cpu-cluster");
        let at = builder.ago(24 * 90);
        let ended = builder.after(at, 600);
        for number in 0..self.jobs {
            let name = job_name(number);
            let body = json!({
                "jobType": "Command", "command": format!("python train.py --number {number}"),
                "environmentId": environment, "computeId": compute, "inputs": {},
                "limits": {"jobLimitsType": "Command", "timeout": "PT5H"},
            });
            let mut run = Run {
                run_id: name.clone(),
                experiment: "many".to_owned(),
                display_name: Some(format!("many {number}")),
                run_type: "azureml.commandjob".to_owned(),
                created: Some(at),
                created_by: AUTHOR.to_owned(),
                ..Run::default()
            };
            run.tags.insert("number".to_owned(), number.to_string());
            run.set_status("Running", at);
            run.set_status("Completed", ended);
            builder.with_workspace(|workspace| {
                workspace.documents.put("jobs", resource(&name, body, at));
                workspace.history.insert(run);
            });
            let log = format!("Run {name} began\nRun {name} completed\n");
            let path = format!("ExperimentRun/dcid.{name}/user_logs/std_log.txt");
            builder.blob(ARTIFACTS, &path, log.into(), ended);
        }
    }

    fn models(&self, builder: &Builder<'_>) {
        let at = builder.ago(24 * 60);
        for number in 0..self.model_versions {
            let (model, version) = (format!("many-{:04}", number / VERSIONS), number % VERSIONS);
            let folder = format!("LocalUpload/{number:064x}/model");
            let body = json!({
                "modelUri": builder.long_uri("workspaceblobstore", &folder), "modelType": "custom_model",
                "isAnonymous": false, "isArchived": false, "tags": {}, "properties": {},
            });
            builder.with_workspace(|workspace| {
                if version == 0 {
                    workspace
                        .documents
                        .put("models", resource(&model, json!({}), at));
                }
                let versions = format!("models/{model}/versions");
                let name = (version + 1).to_string();
                workspace
                    .documents
                    .put(&versions, resource(&name, body, at));
            });
            builder.with_account(&builder.account, |account| {
                for file in 0..FILES_OF_VERSION {
                    let (path, text) = (
                        format!("{folder}/part-{file}.txt"),
                        format!("{number} {file}\n"),
                    );
                    let written = Written::default();
                    // The container is there, and nothing else refuses.
                    let _ = account
                        .blobs
                        .put(&builder.container, &path, text.into(), written, at);
                }
            });
        }
    }

    fn notebooks(&self, builder: &Builder<'_>) {
        let at = builder.ago(24 * 30);
        let others = self.jobs + FILES_OF_VERSION * self.model_versions;
        builder.with_account(&builder.account, |account| {
            for number in 0..self.files.saturating_sub(others) {
                let directory = number / FILES_OF_DIRECTORY;
                let path = format!("many/{directory:05}/{number:06}.py");
                let text = format!("print({number})\n");
                // The share is there, and the paths are fine.
                let _ = account.shares.write(&builder.share, &path, text.into(), at);
            }
        });
    }
}

fn job_name(number: usize) -> String {
    format!("many_{number:06}")
}

fn resource(name: &str, properties: Value, at: Timestamp) -> Resource {
    let body = Map::from_iter([("properties".to_owned(), properties)]);
    Resource::new(name, body, AUTHOR, at)
}
