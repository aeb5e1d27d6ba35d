//! Changes of a run that are no PATCH of it: tags, cancellation, events.

use http::StatusCode;
use serde_json::Value;

use super::document::bad_request;
use super::routes::{find, get, object};
use super::run::text_of;
use super::scope::Scope;
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

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
