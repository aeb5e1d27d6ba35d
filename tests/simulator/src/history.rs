//! Run history: the runs of a workspace, which are also the state of its jobs.
//!
//! A job is a specification in ARM and a run here with the same name. What changes while it lives (status, times, tags, display
//! name, hidden) is kept in the run alone; ARM shows it from here.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::clock::later;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// One run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Its id: the job's name.
    pub run_id: String,
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
    /// Archived, in ARM's word.
    pub hidden: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it started to run.
    pub started: Option<Timestamp>,
    /// When it came to its end.
    pub ended: Option<Timestamp>,
    /// Client id of who made it.
    pub created_by: String,
    /// Anything else a client wrote into it.
    pub more: Map<String, Value>,
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
    }
}

/// The runs of a workspace and what is due to happen to them.
#[derive(Debug, Default)]
pub struct History {
    runs: BTreeMap<String, Run>,
    due: BTreeMap<(Timestamp, u64), (String, String)>,
    next_due: u64,
}

impl History {
    /// The run of that id.
    pub fn run(&self, run_id: &str) -> Option<&Run> {
        self.runs.get(run_id)
    }

    /// The same, to change it.
    pub fn run_mut(&mut self, run_id: &str) -> Option<&mut Run> {
        self.runs.get_mut(run_id)
    }

    /// Every run in order of id.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// Puts a run in, in place of one of the same id.
    pub fn insert(&mut self, run: Run) {
        self.runs.insert(run.run_id.clone(), run);
    }

    /// Takes a run out.
    pub fn remove(&mut self, run_id: &str) -> Option<Run> {
        self.due.retain(|_, (due, _)| due != run_id);
        self.runs.remove(run_id)
    }

    /// Starts a run, as the PUT of a job does: it is `Starting` now, `Running` and `Completed` after `pace` and twice `pace`.
    pub fn start(&mut self, mut run: Run, now: Timestamp, pace: Duration) {
        run.created.get_or_insert(now);
        run.set_status("Starting", now);
        self.plan(&run.run_id, "Running", later(now, pace));
        self.plan(&run.run_id, "Completed", later(now, pace * 2));
        self.insert(run);
    }

    /// Lets a run reach `status` at a moment to come.
    pub fn plan(&mut self, run_id: &str, status: &str, at: Timestamp) {
        self.next_due += 1;
        self.due
            .insert((at, self.next_due), (run_id.to_owned(), status.to_owned()));
    }

    /// Drops what was planned for a run, so that its status stays.
    pub fn hold(&mut self, run_id: &str) {
        self.due.retain(|_, (due, _)| due != run_id);
    }

    /// Lets everything happen that is due by `now`. The router calls it before each call.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let at = entry.key().0;
            let (run_id, status) = entry.remove();
            if let Some(run) = self.runs.get_mut(&run_id).filter(|run| !run.is_terminal()) {
                run.set_status(&status, at);
            }
        }
    }
}

/// Answers a call to the data plane below `/history/`.
pub fn handle(_call: &Call, _state: &mut State) -> Answer {
    Err(Refusal::history(
        StatusCode::NOT_FOUND,
        "NotFound",
        "No such route",
    ))
}
