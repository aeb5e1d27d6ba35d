//! Operations on one run: read, create, change; and several changed at once.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::document::{self, bad_request};
use super::run::Run;
use super::scope::{Scope, caller};
use super::store::{Experiment, History};
use crate::artifact;
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Whether a word in an experiment's place means that one: by name, or by id as in the artifact addresses of MLflow runs, which
/// azureml-mlflow takes apart and asks with.
fn names(history: &History, word: &str, experiment: &str) -> bool {
    let id = |found: &Experiment| found.id == word;
    word == experiment || history.experiment(experiment).is_some_and(id)
}

/// The run of a path; refused where it is not there, or in another experiment than the path says.
pub(super) fn find<'a>(
    state: &'a State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Result<&'a Run, Refusal> {
    let history = &scope.workspace(state)?.history;
    history
        .run(run_id)
        .filter(|run| experiment.is_none_or(|word| names(history, word, &run.experiment)))
        .ok_or_else(|| {
            Refusal::history(
                StatusCode::NOT_FOUND,
                "UserError",
                format!("Run {run_id} not found."),
            )
        })
}

/// A run as the service returns it.
pub(super) fn shown(
    call: &Call,
    state: &State,
    scope: &Scope,
    run: &Run,
) -> Result<Value, Refusal> {
    let history = &scope.workspace(state)?.history;
    Ok(document::of_run(
        run,
        history,
        &state.directory.tenant,
        call.now,
    ))
}

/// The request's body as an object.
pub(super) fn object(call: &Call) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(bad_request("The request's body is no JSON object.")),
    }
}

/// One run.
pub(super) fn get(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    let run = find(state, scope, experiment, run_id)?;
    Ok(Reply::json(
        StatusCode::OK,
        &shown(call, state, scope, run)?,
    ))
}

/// One run with its log files, each with a signed address.
pub(super) fn details(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    let run = find(state, scope, experiment, run_id)?;
    let history = &scope.workspace(state)?.history;
    let mut body = document::details(run, history, &state.directory.tenant, call.now);
    body["logFiles"] = artifact::log_files(call, state, scope, run)?;
    Ok(Reply::json(StatusCode::OK, &body))
}

/// Creates a run; 409 where there is one of that id.
pub(super) fn add(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    if scope.workspace(state)?.history.run(run_id).is_some() {
        return Err(Refusal::history(
            StatusCode::CONFLICT,
            "UserError",
            format!("Run {run_id} already exists."),
        ));
    }
    patch(call, state, scope, experiment, run_id)
}

/// Creates or changes a run.
pub(super) fn patch(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    add_or_modify(call, state, scope, experiment, run_id, &object(call)?)?;
    let run = find(state, scope, None, run_id)?;
    Ok(Reply::json(
        StatusCode::OK,
        &shown(call, state, scope, run)?,
    ))
}

fn add_or_modify(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    if body
        .get("runId")
        .and_then(Value::as_str)
        .is_some_and(|it| it != run_id)
    {
        return Err(bad_request(
            "The run id of the body is not that of the address.",
        ));
    }
    let history = &mut scope.workspace_mut(state)?.history;
    let mut run = match history.run(run_id) {
        Some(held) => {
            if let Some(name) = experiment.filter(|name| *name != held.experiment) {
                return Err(bad_request(format!(
                    "Cannot create a run with runId={run_id} and experimentId={name}. As a run with runId = {run_id} already exists in the workspace"
                )));
            }
            held.clone()
        }
        None => Run {
            run_id: run_id.to_owned(),
            experiment: experiment.unwrap_or("Default").to_owned(),
            status: "NotStarted".to_owned(),
            created: Some(call.now),
            created_by: caller(call),
            ..Run::default()
        },
    };
    if let Some(parent) = body.get("parentRunId").and_then(Value::as_str)
        && history.run(parent).is_none()
    {
        return Err(bad_request(format!("Parent run {parent} not found.")));
    }
    document::apply(&mut run, body, call.now)?;
    history.insert(run);
    Ok(())
}

/// Creates or changes several runs; what is refused is told apart from the rest.
pub(super) fn batch(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
) -> Answer {
    let body = object(call)?;
    let wanted = body.get("runs").and_then(Value::as_array);
    let mut runs = Map::new();
    let mut errors = Map::new();
    for entry in wanted.into_iter().flatten().filter_map(Value::as_object) {
        let Some(run_id) = entry.get("runId").and_then(Value::as_str) else {
            return Err(bad_request("A run of the batch has no runId."));
        };
        match add_or_modify(call, state, scope, experiment, run_id, entry) {
            Ok(()) => {
                let run = find(state, scope, None, run_id)?;
                runs.insert(run_id.to_owned(), shown(call, state, scope, run)?);
            }
            Err(refused) => {
                errors.insert(run_id.to_owned(), refused.into_reply().body_json());
            }
        }
    }
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"runs": runs, "errors": errors}),
    ))
}

/// A run with its specification, as far as the call selects.
pub(super) fn run_data(call: &Call, state: &State, scope: &Scope) -> Answer {
    let body = object(call)?;
    let run_id = body
        .get("runId")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let run = find(state, scope, None, run_id)?;
    let selects = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let metadata = if selects("selectRunMetadata") {
        shown(call, state, scope, run)?
    } else {
        Value::Null
    };
    let specification = scope
        .workspace(state)?
        .documents
        .get("jobs", run_id)
        .filter(|_| selects("selectJobSpecification"))
        .map(|job| Value::Object(job.body.clone()).to_string());
    let body =
        json!({"runMetadata": metadata, "runDefinition": null, "jobSpecification": specification});
    Ok(Reply::json(StatusCode::OK, &body))
}
