//! A job or run, changed from outside: what its program would have done.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{body, done, no_workspace, refuse};
use crate::call::Call;
use crate::metric::{Metric, Point};
use crate::reply::Answer;
use crate::simulator::Simulator;
use crate::workspace::WorkspaceKey;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    metrics: Vec<Logged>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Logged {
    name: String,
    value: f64,
    #[serde(default)]
    step: i64,
}

/// `POST /workspaces/S/G/W/runs/RUN`.
pub(super) fn change(
    simulator: &Simulator,
    call: &Call,
    key: &WorkspaceKey,
    run_id: &str,
) -> Answer {
    let asked: Change = body(call)?;
    let now = simulator.now();
    let mut state = simulator.state();
    state.advance(now);
    let workspace = state.workspace_mut(key).ok_or_else(|| no_workspace(key))?;
    let no_run = || {
        refuse(
            http::StatusCode::NOT_FOUND,
            format!("There is no run {run_id}"),
        )
    };
    let run = workspace.history.run_mut(run_id).ok_or_else(no_run)?;
    run.tags.extend(asked.tags);
    run.properties.extend(asked.properties);
    if let Some(status) = &asked.status {
        run.set_status(status, now);
    }
    run.touch(now);
    if asked.status.is_some() {
        workspace.history.hold(run_id);
    }
    for logged in asked.metrics {
        let mut metric = Metric::scalar(&logged.name, run_id);
        metric
            .points
            .push(Point::scalar(&logged.name, logged.value, logged.step, now));
        workspace.metrics.append(run_id, metric);
    }
    done()
}
