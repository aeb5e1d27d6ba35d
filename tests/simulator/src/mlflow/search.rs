//! The search of runs: by experiment, view and filter, in small pages, from an index that may lag behind.

use serde_json::Value;

use super::answer::{self, Request, listed, ok};
use super::error::invalid;
use super::filter::Filter;
use crate::history::Run;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// Search of runs.
pub(super) fn runs(request: &Request<'_>, state: &mut State) -> Answer {
    let (start, rows) = request.page(state.settings.page)?;
    let ids = request
        .fields
        .get("experiment_ids")
        .and_then(Value::as_array);
    let ids: Vec<&str> = ids
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if ids.is_empty() {
        return Err(invalid(
            "Missing value for required parameter 'experiment_ids'.",
        ));
    }
    let filter = Filter::parse(&request.text("filter").unwrap_or_default())?;
    let view = request
        .text("run_view_type")
        .unwrap_or_else(|| "ACTIVE_ONLY".to_owned());
    let now = request.call.now;
    request.workspace_mut(state)?.mlflow.searched(now);
    let workspace = request.workspace(state)?;
    let experiments: Vec<&str> = ids
        .iter()
        .filter_map(|id| Some(workspace.history.experiment_by_id(id)?.name.as_str()))
        .collect();
    let mut found: Vec<&Run> = workspace
        .history
        .runs()
        .filter(|run| experiments.contains(&run.experiment.as_str()))
        .filter(|run| match view.as_str() {
            "ALL" => true,
            "DELETED_ONLY" => run.deleted,
            _ => !run.deleted,
        })
        .filter(|run| workspace.mlflow.finds(&run.run_id))
        .filter(|run| filter.holds(run, workspace.metrics.of_run(&run.run_id)))
        .collect();
    sort(&mut found, request)?;
    let next = (start + rows < found.len()).then_some(start + rows);
    let shown: Vec<Value> = found
        .into_iter()
        .skip(start)
        .take(rows)
        .map(|run| answer::run(state, workspace, run))
        .collect();
    Ok(ok(Value::Object(listed("runs", shown, next))))
}

/// Newest first unless the call says otherwise; equal ones by id. Only the start time can be ordered by.
fn sort(runs: &mut [&Run], request: &Request<'_>) -> Result<(), Refusal> {
    let order = request.fields.get("order_by").and_then(Value::as_array);
    let order = order
        .and_then(|order| order.first()?.as_str())
        .unwrap_or("start_time DESC");
    let order = order.to_ascii_lowercase();
    if !order.contains("start_time") && !order.contains("created") {
        return Err(invalid(format!("Invalid order_by clause '{order}'")));
    }
    let ascends = order.trim_end().ends_with("asc");
    runs.sort_by(|a, b| {
        let by_time = a.started.cmp(&b.started);
        let by_time = if ascends { by_time } else { by_time.reverse() };
        by_time.then_with(|| a.run_id.cmp(&b.run_id))
    });
    Ok(())
}
