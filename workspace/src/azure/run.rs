//! Runs as a restore writes them: MLflow's words, with times and values exactly as they were.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::Error;

/// The id of a run. Letters, digits, `_`, `-` and `.`, so that it can stand in a path.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// Checks an id.
    pub fn new(id: impl Into<String>) -> Result<Self, Error> {
        let id = id.into();
        let sound = !id.is_empty()
            && id.len() <= 256
            && id.chars().any(|c| c != '.')
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if sound {
            Ok(Self(id))
        } else {
            Err(Error::Name {
                text: id,
                what: "the id of a run",
            })
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

/// The id of an experiment, as the service gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ExperimentId(pub String);

/// A run to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The experiment that it belongs to.
    pub experiment: ExperimentId,
    /// The name that people see.
    pub name: String,
    /// When it began.
    pub start: Option<Timestamp>,
    /// Its tags, which the call that makes it carries itself: a crash leaves no nameless run. `mlark.source_run` is one.
    pub tags: BTreeMap<String, String>,
    /// The run that it is a child of.
    pub parent: Option<RunId>,
}

/// A run that was found by its `mlark.source_run`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFound {
    /// Its id.
    pub id: RunId,
    /// The experiment that it belongs to.
    pub experiment: ExperimentId,
    /// MLflow's status, such as `RUNNING`.
    pub status: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Where MLflow says that its artifacts lie.
    pub artifact_uri: Option<String>,
}

/// One point of a metric. The value is the number as it was written, so that no digit is lost.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// The metric's name.
    pub key: String,
    /// Its value; `NaN` and infinities are written as `"NaN"`, `"Infinity"` and `"-Infinity"`.
    pub value: serde_json::Value,
    /// When it was logged.
    pub time: Timestamp,
    /// The step.
    pub step: i64,
}

/// How a run ended, in MLflow's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// `FINISHED`.
    Finished,
    /// `FAILED`.
    Failed,
    /// `KILLED`.
    Killed,
}

impl RunEnd {
    /// MLflow's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}
