//! Operations on runs: create, update, get, delete, metric history.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{self, Request, history_status, listed, ok};
use super::error::{invalid, not_found};
use super::log::check_tags;
use crate::history::Run;
use crate::history::scope::caller;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// How many points of a metric a page holds for each row that a page of a list does.
const POINTS_PER_ROW: usize = 8;

fn time(request: &Request<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    match request.number(name)? {
        None => Ok(None),
        Some(ms) => Timestamp::from_millisecond(ms)
            .map(Some)
            .map_err(|_| invalid(format!("Invalid value {ms} for parameter '{name}'."))),
    }
}

/// Makes a run that is under way.
pub(super) fn create(request: &Request<'_>, state: &mut State) -> Answer {
    let experiment_id = request.required("experiment_id")?;
    let started = time(request, "start_time")?.unwrap_or(request.call.now);
    let tags = request.pairs("tags")?;
    check_tags(&tags)?;
    let run_id = state.guid();
    let now = request.call.now;
    let workspace = request.workspace_mut(state)?;
    let Some(experiment) = workspace.history.experiment_by_id(&experiment_id) else {
        return Err(not_found(format!(
            "No Experiment with id={experiment_id} exists"
        )));
    };
    let tag = |name: &str| {
        tags.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let parent = tag("mlflow.parentRunId");
    if let Some(parent) = parent
        .as_deref()
        .filter(|it| workspace.history.run(it).is_none())
    {
        return Err(not_found(format!("Parent run with id={parent} not found")));
    }
    let mut run = Run {
        run_id: run_id.clone(),
        parent,
        experiment: experiment.name.clone(),
        display_name: request
            .text("run_name")
            .filter(|name| !name.is_empty())
            .or_else(|| tag("mlflow.runName")),
        description: tag("mlflow.note.content"),
        tags: tags.into_iter().collect(),
        created: Some(now),
        started: Some(started),
        created_by: caller(request.call),
        ..Run::default()
    };
    run.display_name
        .get_or_insert_with(|| generated_name(&run_id));
    run.set_status("Running", now);
    workspace.history.insert(run);
    workspace.mlflow.made(&run_id, now);
    shown(request, state, &run_id)
}

/// A name for a run that came without one, as the service gives.
fn generated_name(run_id: &str) -> String {
    format!("gentle_frog_{}", run_id.get(..8).unwrap_or(run_id))
}

fn shown(request: &Request<'_>, state: &State, run_id: &str) -> Answer {
    let workspace = request.workspace(state)?;
    let Some(run) = workspace.history.run(run_id) else {
        return Err(not_found(format!("Run with id={run_id} not found")));
    };
    Ok(ok(json!({"run": answer::run(state, workspace, run)})))
}

/// One run.
pub(super) fn get(request: &Request<'_>, state: &State) -> Answer {
    let run_id = request.run(state)?.run_id.clone();
    shown(request, state, &run_id)
}

/// Changes status, end and name of a run. One that ended may be taken up again, as MLflow allows.
pub(super) fn update(request: &Request<'_>, state: &mut State) -> Answer {
    let run_id = request.run(state)?.run_id.clone();
    let status = request
        .text("status")
        .map(|status| history_status(&status))
        .transpose()?;
    let ended = time(request, "end_time")?;
    let now = request.call.now;
    let workspace = request.workspace_mut(state)?;
    workspace.history.hold(&run_id);
    if let Some(run) = workspace.history.run_mut(&run_id) {
        if let Some(name) = request.text("run_name").filter(|name| !name.is_empty()) {
            run.display_name = Some(name);
        }
        if let Some(status) = status {
            run.ended = ended.or(run.ended);
            run.set_status(status, now);
        }
        run.touch(now);
    }
    let workspace = request.workspace(state)?;
    let run = request.run(state)?;
    Ok(ok(json!({"run_info": answer::info(state, workspace, run)})))
}

/// Deletes a run in MLflow's sense, or brings it back.
pub(super) fn delete(request: &Request<'_>, state: &mut State, delete: bool) -> Answer {
    let run_id = request.run(state)?.run_id.clone();
    let now = request.call.now;
    if let Some(run) = request.workspace_mut(state)?.history.run_mut(&run_id) {
        run.deleted = delete;
        run.touch(now);
    }
    Ok(ok(json!({})))
}

/// All points of a scalar metric, a page at a time; none for a metric that is not there.
pub(super) fn metric_history(request: &Request<'_>, state: &State) -> Answer {
    let run_id = request.run(state)?.run_id.clone();
    let key = request.required("metric_key")?;
    let (start, rows) = request.page(state.settings.page * POINTS_PER_ROW)?;
    let metric = request.workspace(state)?.metrics.get(&run_id, &key);
    let Some(metric) = metric.filter(|metric| metric.is_scalar()) else {
        return Ok(ok(json!({})));
    };
    let next = (start + rows < metric.points.len()).then_some(start + rows);
    let points: Vec<Value> = metric
        .points
        .iter()
        .skip(start)
        .take(rows)
        .map(|point| answer::point(metric, point))
        .collect();
    Ok(ok(Value::Object(listed("metrics", points, next))))
}
