//! Run history: the runs of a workspace, which are also the state of its jobs.
//!
//! A job is a specification in ARM and a run here with the same name. What changes while it lives (status, times, tags,
//! display name, hidden) is kept in the run alone; ARM shows it from here. Routes and models are those of the client that
//! azure-ai-ml 1.35.2 carries. This file only tells the operations apart.

mod changes;
mod document;
mod experiments;
mod lists;
pub mod outcome;
mod query;
mod routes;
mod run;
pub(crate) mod scope;
mod store;
pub mod submission;

use http::Method;

use crate::artifact;
use crate::call::Call;
use crate::reply::Answer;
use crate::state::State;

pub(crate) use document::bad_request;
pub(crate) use query::{from_token, to_token};
pub use run::Run;
pub(crate) use run::text_of;
pub use store::{Experiment, Filters, History};

/// Answers a call to the data plane below `/history/`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let last = call.segments.last().map_or("", String::as_str);
    let asks = call.method == Method::POST
        && (last.ends_with(":query") || last == "runIds" || last == "rundata");
    let scope = scope::of(call, state, "experiments/runs", asks)?;
    let parts = scope.parts();
    match parts.as_slice() {
        ["experiments:query"] if call.method == Method::POST => {
            experiments::query(call, state, &scope)
        }
        ["rundata"] if call.method == Method::POST => routes::run_data(call, state, &scope),
        ["experiments", name] => experiments::by_name(call, state, &scope, name),
        ["experimentids", id] => experiments::by_id(call, state, &scope, id),
        ["experiments", name, below @ ..] => {
            below_experiment(call, state, &scope, Some(name), below)
        }
        ["experimentids", id, below @ ..] => {
            let name = experiments::name_of(state, &scope, id)?;
            below_experiment(call, state, &scope, Some(&name), below)
        }
        _ => below_experiment(call, state, &scope, None, &parts),
    }
}

fn below_experiment(
    call: &Call,
    state: &mut State,
    scope: &scope::Scope,
    experiment: Option<&str>,
    below: &[&str],
) -> Answer {
    match (call.method.clone(), below) {
        (Method::POST, ["runs:query"]) => lists::query(call, state, scope, experiment),
        (Method::POST, ["runs", "runIds"]) => lists::by_ids(call, state, scope, experiment),
        (Method::PATCH, ["batch", "runs"]) => routes::batch(call, state, scope, experiment),
        (Method::GET, ["runs", run]) => routes::get(call, state, scope, experiment, run),
        (Method::POST, ["runs", run]) => routes::add(call, state, scope, experiment, run),
        (Method::PATCH, ["runs", run]) => routes::patch(call, state, scope, experiment, run),
        (Method::GET, ["runs", run, "details"]) => {
            routes::details(call, state, scope, experiment, run)
        }
        (Method::GET, ["runs", run, "children"]) => {
            lists::children(call, state, scope, experiment, run)
        }
        (Method::DELETE | Method::PATCH, ["runs", run, "tags"]) => {
            changes::change_tags(call, state, scope, experiment, run)
        }
        (Method::POST, ["runs", run, "cancel"]) => {
            changes::cancel(call, state, scope, experiment, run)
        }
        (Method::POST, ["runs", run, "events"]) => {
            changes::event(call, state, scope, experiment, run)
        }
        (_, ["runs", run, "artifacts", below @ ..]) => {
            routes::find(state, scope, experiment, run)?;
            let container = format!("dcid.{run}");
            artifact::below_container(call, state, scope, "ExperimentRun", &container, below)
        }
        _ => Err(scope::no_route(call)),
    }
}

#[cfg(test)]
mod tests;
