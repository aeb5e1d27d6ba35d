//! Metrics: the values that runs logged over time.
//!
//! Shapes are those of `metric/v2.0` in the client that azure-ai-ml 1.35.2 carries. A scalar metric has one column of its
//! own name; tables and images have several, or artifact ids as values. A point that is sent twice is kept twice.

mod routes;
mod store;

use http::Method;

use crate::call::Call;
use crate::history::scope;
use crate::reply::Answer;
use crate::state::State;

pub use store::{Metric, Metrics, Point};

/// Answers a call to the data plane below `/metric/`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let last = call.segments.last().map_or("", String::as_str);
    let asks = matches!(last, "list" | "full" | "sample");
    let scope = scope::of(call, state, "experiments/runs", asks)?;
    let parts = scope.parts();
    match (call.method.clone(), parts.as_slice()) {
        (Method::POST, ["runs", run, "list"]) => routes::list(call, state, &scope, run),
        (Method::POST, ["runs", run, "full"]) => routes::full(call, state, &scope, run),
        (Method::POST, ["runs", run, "sample"]) => routes::sample(call, state, &scope, run),
        (Method::POST, ["runs", run, "batch"]) => routes::batch(call, state, &scope, run),
        (Method::DELETE, ["runs", run, "deleteMetrics"]) => routes::delete(state, &scope, run),
        _ => Err(scope::no_route(call)),
    }
}
