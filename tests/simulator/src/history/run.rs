//! One run: what the run-history service, ARM's jobs and MLflow show of the same thing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// One run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Its id: the job's name.
    pub run_id: String,
    /// The service's own guid for it.
    pub uuid: String,
    /// Its number within the workspace, from 1.
    pub number: u64,
    /// Run of which it is a child.
    pub parent: Option<String>,
    /// Experiment by name.
    pub experiment: String,
    /// `Starting`, `Running`, `Completed`, `Failed`, `Canceled`, …
    pub status: String,
    /// Display name.
    pub display_name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// `azureml.commandjob`, `azureml.PipelineRun`, …
    pub run_type: String,
    /// Tags; ARM shows them as the job's.
    pub tags: BTreeMap<String, String>,
    /// Properties; written once.
    pub properties: BTreeMap<String, String>,
    /// Parameters, MLflow's too; written once.
    pub parameters: BTreeMap<String, Value>,
    /// Archived, in ARM's word.
    pub hidden: bool,
    /// Deleted in MLflow's sense: listed only by who asks for deleted ones.
    pub deleted: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it started to run.
    pub started: Option<Timestamp>,
    /// When it came to its end.
    pub ended: Option<Timestamp>,
    /// When anything of it changed last.
    pub modified: Option<Timestamp>,
    /// How often it was changed.
    pub revision: u64,
    /// Client id of who made it.
    pub created_by: String,
    /// Anything else a client wrote into it: `inputs`, `outputs`, `target`, `primaryMetricName`, `error`, …
    pub more: Map<String, Value>,
}

/// A value as it stands in a map of strings: text as it is, anything else as JSON.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Run {
    /// Whether its status is one that never changes again.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.status.as_str(),
            "Completed" | "Failed" | "Canceled" | "NotResponding"
        )
    }

    /// Sets the status, and with it the time of start or end.
    pub fn set_status(&mut self, status: &str, at: Timestamp) {
        self.status = status.to_owned();
        if status == "Running" || self.is_terminal() {
            self.started.get_or_insert(at);
        }
        self.ended = self.is_terminal().then(|| self.ended.unwrap_or(at));
        self.touch(at);
    }

    /// Counts a change.
    pub fn touch(&mut self, at: Timestamp) {
        self.revision += 1;
        self.modified = Some(at);
    }

    /// The container of its artifacts.
    pub fn data_container(&self) -> String {
        format!("dcid.{}", self.run_id)
    }

    /// Where its artifacts lie in the container `azureml`, with a slash at the end.
    pub fn artifact_prefix(&self) -> String {
        format!("ExperimentRun/dcid.{}/", self.run_id)
    }
}
