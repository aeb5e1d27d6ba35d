//! Artifacts: the files that runs left, and where their blobs lie.
//!
//! An artifact is a blob of the workspace's account: container `azureml`, path `ORIGIN/CONTAINER/PATH`
//! (`ExperimentRun/dcid.RUN/user_logs/std_log.txt`). Nothing is kept here. Routes are those of `artifact/v2.0`
//! (OpenAPI 2019-09-30) and of run history's own `artifacts`.

mod place;
mod routes;

use http::Method;

use crate::call::Call;
use crate::history::scope::{self, Scope};
use crate::reply::Answer;
use crate::state::State;

pub(crate) use routes::log_files;

/// What a workspace keeps of this: nothing, its blobs do.
#[derive(Debug, Default)]
pub struct Artifacts;

/// Answers a call to the data plane below `/artifact/`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let scope = scope::of(call, state, "metadata/artifacts", false)?;
    let parts = scope.parts();
    match parts.as_slice() {
        ["artifacts", "batch", "metadata"] if call.method == Method::POST => {
            routes::create_by_id(call, state, &scope)
        }
        // Older clients put the word before the artifact, newer ones after it.
        ["artifacts", "prefix", "contentinfo", origin, container] => below_container(
            call,
            state,
            &scope,
            origin,
            container,
            &["prefix", "contentinfo"],
        ),
        ["artifacts", "contentinfo", origin, container] => {
            below_container(call, state, &scope, origin, container, &["contentinfo"])
        }
        ["artifacts", origin, container, below @ ..] => {
            below_container(call, state, &scope, origin, container, below)
        }
        _ => Err(scope::no_route(call)),
    }
}

/// Answers a call to the artifacts of one container, however it was reached.
pub(crate) fn below_container(
    call: &Call,
    state: &mut State,
    scope: &Scope,
    origin: &str,
    container: &str,
    below: &[&str],
) -> Answer {
    let place = place::Place::new(state, scope, origin, container)?;
    match (call.method.clone(), below) {
        (Method::GET, [] | ["path"]) => routes::list(call, state, &place, false),
        (Method::GET, ["prefix", "contentinfo"]) => routes::list(call, state, &place, true),
        (Method::GET, ["metadata"]) => routes::metadata(call, state, &place),
        (Method::GET, ["contentinfo" | "artifacturi"]) => {
            routes::content_information(call, state, &place, "r")
        }
        (Method::GET, ["write"]) => routes::content_information(call, state, &place, "rcw"),
        (Method::GET, ["content"]) => routes::download(call, state, &place),
        (Method::POST, ["content"]) => routes::upload(call, state, &place),
        (Method::POST, ["batch", "metadata"]) => routes::create(call, state, &place),
        (Method::DELETE, ["metadata"]) => routes::delete(call, state, &place),
        _ => Err(scope::no_route(call)),
    }
}
