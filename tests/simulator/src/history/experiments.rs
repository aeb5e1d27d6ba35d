//! Operations on experiments: read, create, change, list, delete.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::document::{bad_request, of_experiment};
use super::query::{from_token, to_token};
use super::run::text_of;
use super::scope::{Scope, no_route};
use super::store::Experiment;
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

fn not_found() -> Refusal {
    Refusal::history(StatusCode::NOT_FOUND, "UserError", "Experiment not found.")
}

/// The name of an experiment by id.
pub(super) fn name_of(state: &State, scope: &Scope, id: &str) -> Result<String, Refusal> {
    let history = &scope.workspace(state)?.history;
    let found = history.experiment_by_id(id);
    found.map(|it| it.name.clone()).ok_or_else(not_found)
}

fn shown(state: &State, scope: &Scope, experiment: &Experiment) -> Result<Value, Refusal> {
    Ok(of_experiment(experiment, &scope.workspace(state)?.arm_id()))
}

fn answer(state: &State, scope: &Scope, name: &str) -> Answer {
    let found = scope.workspace(state)?.history.experiment(name);
    let body = shown(state, scope, found.ok_or_else(not_found)?)?;
    Ok(Reply::json(StatusCode::OK, &body))
}

/// Reads or makes an experiment.
pub(super) fn by_name(call: &Call, state: &mut State, scope: &Scope, name: &str) -> Answer {
    match call.method {
        Method::GET => {}
        Method::POST => {
            let history = &mut scope.workspace_mut(state)?.history;
            history.ensure_experiment(name, call.now);
        }
        _ => return Err(no_route(call)),
    }
    answer(state, scope, name)
}

/// Reads, changes or deletes an experiment by its id.
pub(super) fn by_id(call: &Call, state: &mut State, scope: &Scope, id: &str) -> Answer {
    let name = name_of(state, scope, id)?;
    match call.method {
        Method::GET => answer(state, scope, &name),
        Method::PATCH => {
            modify(call, state, scope, &name)?;
            answer(state, scope, &name)
        }
        Method::DELETE => {
            let history = &mut scope.workspace_mut(state)?.history;
            if history.runs().any(|run| run.experiment == name) {
                return Err(bad_request("Only empty experiments can be deleted."));
            }
            history.remove_experiment(&name);
            Ok(Reply::empty(StatusCode::OK))
        }
        _ => Err(no_route(call)),
    }
}

fn modify(call: &Call, state: &mut State, scope: &Scope, name: &str) -> Result<(), Refusal> {
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| bad_request("The request's body is no JSON."))?;
    let history = &mut scope.workspace_mut(state)?.history;
    let experiment = history.experiment_mut(name).ok_or_else(not_found)?;
    if let Some(description) = body.get("description") {
        experiment.description = description.as_str().map(str::to_owned);
    }
    for (name, value) in body
        .get("tags")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        experiment.tags.insert(name.clone(), text_of(value));
    }
    if let Some(archive) = body.get("archive").and_then(Value::as_bool) {
        experiment.archived = archive.then_some(call.now);
    }
    Ok(())
}

/// All experiments, in pages.
pub(super) fn query(call: &Call, state: &State, scope: &Scope) -> Answer {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let token = body.get("continuationToken").and_then(Value::as_str);
    let start = token
        .filter(|it| !it.is_empty())
        .map_or(Ok(0), from_token)?;
    let wanted = body
        .get("top")
        .and_then(Value::as_u64)
        .filter(|top| *top > 0);
    let page = state.settings.page;
    let rows = wanted.map_or(page, |top| page.min(top as usize));
    let all: Vec<&Experiment> = scope.workspace(state)?.history.experiments().collect();
    let token = (start + rows < all.len()).then(|| to_token(start + rows));
    let rows = all
        .into_iter()
        .skip(start)
        .take(rows)
        .map(|experiment| shown(state, scope, experiment))
        .collect::<Result<Vec<_>, _>>()?;
    let body = json!({"value": rows, "continuationToken": token, "nextLink": null});
    Ok(Reply::json(StatusCode::OK, &body))
}
