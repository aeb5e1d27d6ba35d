//! Operations on experiments.

use serde_json::{Value, json};

use super::answer::{self, Request, listed, ok};
use super::error::{already_exists, invalid, not_found};
use crate::history::Experiment;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// Makes an experiment; its name must be free.
pub(super) fn create(request: &Request<'_>, state: &mut State) -> Answer {
    let name = request.required("name")?;
    let tags = request.pairs("tags")?;
    let history = &mut request.workspace_mut(state)?.history;
    if history.experiment(&name).is_some() {
        return Err(already_exists(format!(
            "Experiment(name={name}) already exists."
        )));
    }
    let experiment = history.ensure_experiment(&name, request.call.now);
    experiment.tags.extend(tags);
    Ok(ok(json!({"experiment_id": experiment.id})))
}

fn by_id<'s>(request: &Request<'_>, state: &'s State) -> Result<&'s Experiment, Refusal> {
    let id = request.required("experiment_id")?;
    let found = request.workspace(state)?.history.experiment_by_id(&id);
    found.ok_or_else(|| not_found(format!("No Experiment with id={id} exists")))
}

fn by_id_mut<'s>(
    request: &Request<'_>,
    state: &'s mut State,
) -> Result<&'s mut Experiment, Refusal> {
    let name = by_id(request, state)?.name.clone();
    let history = &mut request.workspace_mut(state)?.history;
    history
        .experiment_mut(&name)
        .ok_or_else(|| not_found(format!("No Experiment named {name} exists")))
}

/// One experiment by id.
pub(super) fn get(request: &Request<'_>, state: &State) -> Answer {
    let experiment = by_id(request, state)?;
    let shown = answer::experiment(state, request.workspace(state)?, experiment);
    Ok(ok(json!({"experiment": shown})))
}

/// One experiment by name.
pub(super) fn get_by_name(request: &Request<'_>, state: &State) -> Answer {
    let name = request.required("experiment_name")?;
    let workspace = request.workspace(state)?;
    let found = workspace.history.experiment(&name);
    let experiment =
        found.ok_or_else(|| not_found(format!("Could not find experiment with name '{name}'")))?;
    let shown = answer::experiment(state, workspace, experiment);
    Ok(ok(json!({"experiment": shown})))
}

/// All experiments of a view, in pages. Only the filter `name = '…'` is known.
pub(super) fn search(request: &Request<'_>, state: &State) -> Answer {
    let (start, rows) = request.page(state.settings.page)?;
    let view = request
        .text("view_type")
        .unwrap_or_else(|| "ACTIVE_ONLY".to_owned());
    let filter = request.text("filter").unwrap_or_default();
    let wanted = match filter.trim() {
        "" => None,
        filter => Some(name_of(filter)?),
    };
    let workspace = request.workspace(state)?;
    let all: Vec<&Experiment> = workspace
        .history
        .experiments()
        .filter(|it| wanted.as_deref().is_none_or(|name| name == it.name))
        .filter(|it| match view.as_str() {
            "ALL" => true,
            "DELETED_ONLY" => it.archived.is_some(),
            _ => it.archived.is_none(),
        })
        .collect();
    let next = (start + rows < all.len()).then_some(start + rows);
    let shown: Vec<Value> = all
        .into_iter()
        .skip(start)
        .take(rows)
        .map(|it| answer::experiment(state, workspace, it))
        .collect();
    Ok(ok(Value::Object(listed("experiments", shown, next))))
}

fn name_of(filter: &str) -> Result<String, Refusal> {
    filter
        .split_once('=')
        .filter(|(field, _)| matches!(field.trim(), "name" | "attribute.name" | "attributes.name"))
        .and_then(|(_, value)| value.trim().strip_prefix('\'')?.strip_suffix('\''))
        .map(str::to_owned)
        .ok_or_else(|| invalid(format!("Invalid filter: {filter}")))
}

/// Changes nothing: Azure ML refuses a new name for an experiment (inferred).
pub(super) fn update(request: &Request<'_>, state: &State) -> Answer {
    let experiment = by_id(request, state)?;
    match request.text("new_name") {
        Some(name) if name != experiment.name => {
            Err(invalid("Renaming of experiments is not supported."))
        }
        _ => Ok(ok(json!({}))),
    }
}

/// Archives an experiment, or brings it back.
pub(super) fn archive(request: &Request<'_>, state: &mut State, archive: bool) -> Answer {
    let now = request.call.now;
    by_id_mut(request, state)?.archived = archive.then_some(now);
    Ok(ok(json!({})))
}

/// Sets a tag of an experiment.
pub(super) fn set_tag(request: &Request<'_>, state: &mut State) -> Answer {
    let key = request.required("key")?;
    let value = request.text("value").unwrap_or_default();
    by_id_mut(request, state)?.tags.insert(key, value);
    Ok(ok(json!({})))
}
