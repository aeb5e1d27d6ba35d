//! Requests read and answers written in MLflow's shapes.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::error::{invalid, not_found};
use crate::call::Call;
use crate::clock::unix_ms;
use crate::history::scope::Scope;
use crate::history::{Experiment, Run, text_of};
use crate::metric::{Metric, Point};
use crate::reply::{Refusal, Reply};
use crate::state::State;
use crate::workspace::Workspace;

/// A call with its fields, which come in the query of a GET and in the body of a POST.
pub(super) struct Request<'a> {
    pub(super) call: &'a Call,
    pub(super) scope: &'a Scope,
    pub(super) fields: Map<String, Value>,
}

impl<'a> Request<'a> {
    pub(super) fn new(call: &'a Call, scope: &'a Scope) -> Result<Self, Refusal> {
        let mut fields: Map<String, Value> = call
            .query
            .pairs()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        if !call.body.is_empty() {
            match serde_json::from_slice(&call.body) {
                Ok(Value::Object(body)) => fields.extend(body),
                _ => return Err(invalid("The request's body is no JSON object.")),
            }
        }
        Ok(Self {
            call,
            scope,
            fields,
        })
    }

    /// A field as text; numbers are taken as text too.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::Null => None,
            value => Some(text_of(value)),
        }
    }

    /// A field that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| invalid(format!("Missing value for required parameter '{name}'.")))
    }

    /// A whole number, written as one or as text.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(invalid(format!(
                    "Invalid value {text} for parameter '{name}'."
                ))),
            },
        }
    }

    /// The run's id, under its new or its old name.
    pub(super) fn run_id(&self) -> Result<String, Refusal> {
        match self.text("run_id").filter(|id| !id.is_empty()) {
            Some(run_id) => Ok(run_id),
            None => self.required("run_uuid"),
        }
    }

    /// `[{"key","value"}]` of a field.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, Refusal> {
        let mut pairs = Vec::new();
        for entry in self
            .fields
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |member: &str| entry.get(member).map(text_of);
            match (text("key"), text("value")) {
                (Some(key), value) if !key.is_empty() => {
                    pairs.push((key, value.unwrap_or_default()));
                }
                _ => return Err(invalid(format!("An entry of '{name}' has no key."))),
            }
        }
        Ok(pairs)
    }

    pub(super) fn workspace<'s>(&self, state: &'s State) -> Result<&'s Workspace, Refusal> {
        self.scope.workspace(state)
    }

    pub(super) fn workspace_mut<'s>(
        &self,
        state: &'s mut State,
    ) -> Result<&'s mut Workspace, Refusal> {
        self.scope.workspace_mut(state)
    }

    /// The run that the call is about.
    pub(super) fn run<'s>(&self, state: &'s State) -> Result<&'s Run, Refusal> {
        let run_id = self.run_id()?;
        let found = self.workspace(state)?.history.run(&run_id);
        found.ok_or_else(|| not_found(format!("Run with id={run_id} not found")))
    }

    /// Where a page begins and how many rows it has.
    pub(super) fn page(&self, rows_max: usize) -> Result<(usize, usize), Refusal> {
        let token = self.text("page_token").filter(|token| !token.is_empty());
        let start = match token {
            None => 0,
            Some(token) => {
                crate::history::from_token(&token).map_err(|_| invalid("Invalid page token"))?
            }
        };
        let wanted = self.number("max_results")?.filter(|rows| *rows > 0);
        let rows = wanted.map_or(rows_max, |rows| rows_max.min(rows as usize));
        Ok((start, rows))
    }
}

/// An answer of a list: rows under a name, left out where there are none, and the token of the next page.
pub(super) fn listed(name: &str, rows: Vec<Value>, next: Option<usize>) -> Map<String, Value> {
    let mut body = Map::new();
    if !rows.is_empty() {
        body.insert(name.to_owned(), Value::Array(rows));
    }
    if let Some(next) = next {
        body.insert(
            "next_page_token".to_owned(),
            json!(crate::history::to_token(next)),
        );
    }
    body
}

/// A good answer.
pub(super) fn ok(body: Value) -> Reply {
    Reply::json(StatusCode::OK, &body)
}

/// The status that run history has for one of MLflow's.
pub(super) fn history_status(status: &str) -> Result<&'static str, Refusal> {
    match status {
        "RUNNING" => Ok("Running"),
        "SCHEDULED" => Ok("NotStarted"),
        "FINISHED" => Ok("Completed"),
        "FAILED" => Ok("Failed"),
        "KILLED" => Ok("Canceled"),
        _ => Err(invalid(format!("Invalid run status: {status}"))),
    }
}

/// The status that MLflow has for one of run history's.
pub(super) fn mlflow_status(status: &str) -> &'static str {
    match status {
        "Completed" => "FINISHED",
        "Failed" | "NotResponding" => "FAILED",
        "Canceled" | "CancelRequested" => "KILLED",
        "NotStarted" | "Queued" => "SCHEDULED",
        _ => "RUNNING",
    }
}

/// `azureml://HOST/mlflow/v2.0/…` of a workspace, with what lies below it.
pub(super) fn tracking_uri(state: &State, workspace: &Workspace, below: &str) -> String {
    format!(
        "azureml://{}/mlflow/v2.0{}{below}",
        state.cloud.data_host(&workspace.location),
        workspace.arm_id()
    )
}

/// A run's `info`.
pub(super) fn info(state: &State, workspace: &Workspace, run: &Run) -> Value {
    let experiment = workspace.history.experiment(&run.experiment);
    let experiment = experiment.map(|it| it.id.as_str()).unwrap_or_default();
    let below = format!("/experiments/{experiment}/runs/{}/artifacts", run.run_id);
    let mut info = json!({
        "run_id": run.run_id,
        "run_uuid": run.run_id,
        "run_name": run.display_name.as_deref().unwrap_or(&run.run_id),
        "experiment_id": experiment,
        "user_id": run.created_by,
        "status": mlflow_status(&run.status),
        "start_time": run.started.or(run.created).map(unix_ms),
        "artifact_uri": tracking_uri(state, workspace, &below),
        "lifecycle_stage": if run.deleted { "deleted" } else { "active" },
    });
    if let Some(ended) = run.ended {
        info["end_time"] = json!(unix_ms(ended));
    }
    info
}

/// A whole run.
pub(super) fn run(state: &State, workspace: &Workspace, run: &Run) -> Value {
    let metrics = workspace.metrics.of_run(&run.run_id);
    let metrics: Vec<Value> = metrics
        .into_iter()
        .flat_map(BTreeMap::values)
        .filter_map(latest)
        .collect();
    let params: BTreeMap<&String, String> = run
        .parameters
        .iter()
        .map(|(key, value)| (key, text_of(value)))
        .collect();
    let mut tags = run.tags.clone();
    for (key, value) in [
        (
            "mlflow.rootRunId",
            run.parent.as_ref().unwrap_or(&run.run_id),
        ),
        (
            "mlflow.runName",
            run.display_name.as_ref().unwrap_or(&run.run_id),
        ),
        ("mlflow.user", &run.created_by),
    ] {
        tags.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let mut data = Map::new();
    for (name, rows) in [
        ("metrics", metrics),
        ("params", key_values(params)),
        ("tags", key_values(&tags)),
    ] {
        if !rows.is_empty() {
            data.insert(name.to_owned(), Value::Array(rows));
        }
    }
    json!({"info": info(state, workspace, run), "data": data, "inputs": {}})
}

fn key_values<K: serde::Serialize, V: serde::Serialize>(
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Vec<Value> {
    pairs
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// The last point of a scalar metric: by step, then by time.
fn latest(metric: &Metric) -> Option<Value> {
    let scalar = metric.is_scalar().then_some(metric)?;
    let point = scalar
        .points
        .iter()
        .max_by_key(|point| (point.step, point.created))?;
    Some(self::point(metric, point))
}

/// A point of a scalar metric.
pub(super) fn point(metric: &Metric, point: &Point) -> Value {
    json!({
        "key": metric.name,
        "value": point.data.get(&metric.name).cloned().unwrap_or(Value::Null),
        "timestamp": unix_ms(point.created),
        "step": point.step,
    })
}

/// An experiment.
pub(super) fn experiment(state: &State, workspace: &Workspace, experiment: &Experiment) -> Value {
    json!({
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": tracking_uri(state, workspace, &format!("/experiments/{}", experiment.id)),
        "lifecycle_stage": if experiment.archived.is_some() { "deleted" } else { "active" },
        "creation_time": unix_ms(experiment.created),
        "last_update_time": unix_ms(experiment.created),
        "tags": key_values(&experiment.tags),
    })
}
