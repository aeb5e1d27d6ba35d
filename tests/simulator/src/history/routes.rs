//! Operations on runs: read, create, change, list.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::document::{self, bad_request};
use super::query::{self, Wanted};
use super::run::{Run, text_of};
use super::scope::{Scope, caller};
use crate::artifact;
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

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
        .filter(|run| experiment.is_none_or(|name| name == run.experiment))
        .ok_or_else(|| {
            Refusal::history(
                StatusCode::NOT_FOUND,
                "UserError",
                format!("Run {run_id} not found."),
            )
        })
}

fn shown(call: &Call, state: &State, scope: &Scope, run: &Run) -> Result<Value, Refusal> {
    let history = &scope.workspace(state)?.history;
    Ok(document::of_run(
        run,
        history,
        &state.directory.tenant,
        call.now,
    ))
}

fn object(call: &Call) -> Result<Map<String, Value>, Refusal> {
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

/// Several runs by id.
pub(super) fn by_ids(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
) -> Answer {
    let body = object(call)?;
    let ids = body.get("runIds").and_then(Value::as_array);
    let mut runs = Map::new();
    let mut errors = Map::new();
    for run_id in ids.into_iter().flatten().filter_map(Value::as_str) {
        match find(state, scope, experiment, run_id) {
            Ok(run) => runs.insert(run_id.to_owned(), shown(call, state, scope, run)?),
            Err(refused) => errors.insert(run_id.to_owned(), refused.into_reply().body_json()),
        };
    }
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"runs": runs, "errors": errors}),
    ))
}

/// The runs of an experiment that fit a filter.
pub(super) fn query(call: &Call, state: &State, scope: &Scope, experiment: Option<&str>) -> Answer {
    let body = if call.body.is_empty() {
        Map::new()
    } else {
        object(call)?
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let wanted = Wanted {
        filter: text("filter"),
        order: text("orderBy"),
        token: text("continuationToken"),
        top: body
            .get("top")
            .and_then(Value::as_u64)
            .map(|top| top as usize),
    };
    let history = &scope.workspace(state)?.history;
    if experiment.is_some_and(|name| history.experiment(name).is_none()) {
        return Err(Refusal::history(
            StatusCode::NOT_FOUND,
            "UserError",
            "Experiment not found.",
        ));
    }
    let runs = history
        .runs()
        .filter(|run| !run.deleted && experiment.is_none_or(|name| name == run.experiment))
        .collect();
    list(call, state, scope, runs, &wanted, false)
}

/// The runs below one.
pub(super) fn children(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    find(state, scope, experiment, run_id)?;
    let wanted = Wanted {
        filter: call.query.get("$filter"),
        order: call.query.get("$orderby"),
        token: call.query.get("$continuationtoken"),
        top: call.query.number("$top"),
    };
    let runs = scope.workspace(state)?.history.children(run_id);
    list(call, state, scope, runs, &wanted, true)
}

fn list(
    call: &Call,
    state: &State,
    scope: &Scope,
    runs: Vec<&Run>,
    wanted: &Wanted<'_>,
    links: bool,
) -> Answer {
    let (rows, token) = query::page(runs, wanted, state.settings.page)?;
    let rows = rows
        .into_iter()
        .map(|run| shown(call, state, scope, run))
        .collect::<Result<Vec<_>, _>>()?;
    let link = token.as_deref().filter(|_| links).map(|token| {
        format!(
            "{}{}?$continuationtoken={token}",
            state.cloud.data_url(&call.label),
            call.raw_path
        )
    });
    let body = json!({"value": rows, "continuationToken": token, "nextLink": link});
    Ok(Reply::json(StatusCode::OK, &body))
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

/// Changes or removes tags: DELETE with a list of names, PATCH with `tagsToModify` and `tagsToDelete`.
pub(super) fn change_tags(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    find(state, scope, experiment, run_id)?;
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| bad_request("The request's body is no JSON."))?;
    let removed = body
        .as_array()
        .or_else(|| body.get("tagsToDelete")?.as_array());
    let history = &mut scope.workspace_mut(state)?.history;
    if let Some(run) = history.run_mut(run_id) {
        for name in removed.into_iter().flatten().filter_map(Value::as_str) {
            run.tags.remove(name);
        }
        let changed = body.get("tagsToModify").and_then(Value::as_object);
        for (name, value) in changed.into_iter().flatten() {
            run.tags.insert(name.clone(), text_of(value));
        }
        run.touch(call.now);
    }
    get(call, state, scope, experiment, run_id)
}

/// Cancels a run that is under way.
pub(super) fn cancel(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    if find(state, scope, experiment, run_id)?.is_terminal() {
        return Err(bad_request(format!(
            "Run {run_id} is already in a terminal state."
        )));
    }
    set_status(call, state, scope, run_id, "Canceled")?;
    Ok(Reply::empty(StatusCode::OK))
}

/// An event of a run: its status changes as the event's name says, any other event is taken and does nothing.
pub(super) fn event(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    find(state, scope, experiment, run_id)?;
    let body = object(call)?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let status = match name.rsplit('.').next() {
        Some("Start") => Some("Running"),
        Some("Completed") => Some("Completed"),
        Some("Failed") => Some("Failed"),
        Some("Canceled") => Some("Canceled"),
        _ => None,
    };
    if let Some(status) = status {
        set_status(call, state, scope, run_id, status)?;
    }
    Ok(Reply::empty(StatusCode::OK))
}

fn set_status(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    run_id: &str,
    status: &str,
) -> Result<(), Refusal> {
    let history = &mut scope.workspace_mut(state)?.history;
    history.hold(run_id);
    if let Some(run) = history.run_mut(run_id) {
        run.set_status(status, call.now);
    }
    Ok(())
}
