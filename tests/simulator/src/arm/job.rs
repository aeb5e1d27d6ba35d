//! Jobs: a PUT starts a run, and the run is what a job shows of its life.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::operation::{self, Told};
use super::{bad_request, read, render};
use crate::call::Call;
use crate::cloud::Cloud;
use crate::documents::Resource;
use crate::history::Run;
use crate::reply::{Answer, Reply};
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

pub(crate) use crate::history::submission::runs;

fn strings(bag: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let pairs = bag.and_then(Value::as_object).into_iter().flatten();
    pairs
        .map(|(name, value)| {
            (
                name.clone(),
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        })
        .collect()
}

/// Writes what the run knows over what the specification says.
pub(crate) fn overlay(
    workspace: &Workspace,
    resource: &Resource,
    properties: &mut Map<String, Value>,
    cloud: &Cloud,
) {
    let Some(run) = workspace.history.run(&resource.name) else {
        return;
    };
    properties.insert("status".into(), json!(run.status));
    properties.insert("experimentName".into(), json!(run.experiment));
    properties.insert("displayName".into(), json!(run.display_name));
    properties.insert("description".into(), json!(run.description));
    properties.insert("tags".into(), json!(run.tags));
    properties.insert("properties".into(), json!(run.properties));
    properties.insert("isArchived".into(), json!(run.hidden));
    let tracking = format!(
        "azureml://{}/mlflow/v1.0{}?",
        cloud.data_host(&workspace.location),
        workspace.arm_id()
    );
    let studio = format!(
        "{}/runs/{}?wsid={}",
        cloud.portal_url(),
        resource.name,
        workspace.arm_id()
    );
    let service = |kind: &str, endpoint: String| json!({"jobServiceType": kind, "port": null, "endpoint": endpoint, "status": null, "errorMessage": null, "properties": null, "nodes": null});
    // Beside those that the job was made with, such as a terminal.
    let mut services = match properties.remove("services") {
        Some(Value::Object(services)) => services,
        _ => Map::new(),
    };
    services.insert("Tracking".into(), service("Tracking", tracking));
    services.insert("Studio".into(), service("Studio", studio));
    properties.insert("services".into(), Value::Object(services));
    let kind = properties
        .get("jobType")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if matches!(kind, "Command" | "Sweep") {
        let place = format!(
            "azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{}",
            resource.name
        );
        if let Some(outputs) = properties
            .entry("outputs")
            .or_insert_with(|| json!({}))
            .as_object_mut()
        {
            outputs.entry("default").or_insert_with(|| {
                json!({"description": null, "uri": place, "mode": "ReadWriteMount", "jobOutputType": "uri_folder"})
            });
        }
    }
}

/// What a later PUT may change goes into the run.
pub(crate) fn update(run: &mut Run, properties: &Map<String, Value>) {
    if let Some(tags) = properties.get("tags").filter(|tags| tags.is_object()) {
        run.tags = strings(Some(tags));
    }
    if let Some(text) = properties.get("description").and_then(Value::as_str) {
        run.description = Some(text.to_owned());
    }
    if let Some(archived) = properties.get("isArchived").and_then(Value::as_bool) {
        run.hidden = archived;
    }
    for (name, value) in strings(properties.get("properties")) {
        run.properties.entry(name).or_insert(value); // run properties are written once
    }
}

/// `POST …/cancel`.
pub(crate) fn cancel(call: &Call, state: &mut State, key: &WorkspaceKey, name: &str) -> Answer {
    let workspace = state
        .workspace_mut(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let place = render::place_of("jobs");
    let (subscription, location) = (workspace.subscription.clone(), workspace.location.clone());
    let run = workspace
        .history
        .run_mut(name)
        .ok_or_else(|| read::not_found(&place, name))?;
    if run.is_terminal() {
        return Err(bad_request(
            "UserError",
            format!(
                "Job {name} is in state {} and cannot be cancelled.",
                run.status
            ),
        ));
    }
    run.set_status("Canceled", call.now);
    workspace.history.hold(name);
    let at = (
        subscription.as_str(),
        location.as_str(),
        "mfeOperationsStatus",
    );
    Ok(operation::start(
        call,
        state,
        Reply::empty(StatusCode::ACCEPTED),
        at,
        Told::ByLocation,
        None,
    ))
}
