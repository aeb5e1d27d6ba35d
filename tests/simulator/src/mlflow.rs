//! MLflow's REST interface over the same runs, as Azure ML serves it below `/mlflow/v1.0` and `/mlflow/v2.0`.
//!
//! Shapes are those of MLflow's REST API 2.0; what the official plugin sends was seen from mlflow 3.15 with
//! azureml-mlflow 1.62.0. Members without a value are left out of answers, as protobuf's JSON does.

mod answer;
mod artifacts;
mod error;
mod experiments;
mod filter;
mod lag;
mod log;
mod runs;
mod search;

use http::Method;

use crate::call::Call;
use crate::history::scope;
use crate::reply::Answer;
use crate::state::State;

pub use lag::{Lag, Mlflow};

/// Operations that ask and change nothing, though clients may POST them.
const ASKING: [&str; 3] = ["search", "get-history", "list"];

/// Answers a call to the data plane below `/mlflow/`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let last = call.segments.last().map_or("", String::as_str);
    let scope = scope::of(call, state, "experiments/runs", ASKING.contains(&last))?;
    let parts = scope.parts();
    let operation = match parts.as_slice() {
        ["api", "2.0", "mlflow", operation @ ..]
        | ["api", "2.0", "preview", "mlflow", operation @ ..] => operation,
        _ => return Err(scope::no_route(call)),
    };
    let request = answer::Request::new(call, &scope)?;
    let posts = call.method == Method::POST;
    let gets = call.method == Method::GET;
    match operation {
        ["experiments", "create"] if posts => experiments::create(&request, state),
        ["experiments", "get"] if gets => experiments::get(&request, state),
        ["experiments", "get-by-name"] if gets => experiments::get_by_name(&request, state),
        ["experiments", "search"] => experiments::search(&request, state),
        ["experiments", "update"] if posts => experiments::update(&request, state),
        ["experiments", "delete"] if posts => experiments::archive(&request, state, true),
        ["experiments", "restore"] if posts => experiments::archive(&request, state, false),
        ["experiments", "set-experiment-tag"] if posts => experiments::set_tag(&request, state),
        ["runs", "create"] if posts => runs::create(&request, state),
        ["runs", "update"] if posts => runs::update(&request, state),
        ["runs", "get"] if gets => runs::get(&request, state),
        ["runs", "delete"] if posts => runs::delete(&request, state, true),
        ["runs", "restore"] if posts => runs::delete(&request, state, false),
        ["runs", "search"] if posts => search::runs(&request, state),
        ["runs", "set-tag"] if posts => log::set_tag(&request, state),
        ["runs", "delete-tag"] if posts => log::delete_tag(&request, state),
        ["runs", "log-metric"] if posts => log::metric(&request, state),
        ["runs", "log-parameter"] if posts => log::parameter(&request, state),
        ["runs", "log-batch"] if posts => log::batch(&request, state),
        ["metrics", "get-history"] if gets => runs::metric_history(&request, state),
        ["artifacts", "list"] if gets => artifacts::list(&request, state),
        _ => Err(error::no_endpoint(call)),
    }
}

#[cfg(test)]
mod tests;
