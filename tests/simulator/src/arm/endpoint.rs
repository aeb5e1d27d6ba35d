//! What holds for endpoints alone: traffic and defaults name deployments that are there, names are taken once a region,
//! and a model of the marketplace needs a subscription.

use http::StatusCode;
use serde_json::{Map, Value};

use super::bad_request;
use super::place::Place;
use crate::reply::Refusal;
use crate::state::State;
use crate::workspace::Workspace;

/// Checks the PUT of an online or batch endpoint.
pub(super) fn check(
    state: &State,
    workspace: &Workspace,
    place: &Place,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<(), Refusal> {
    is_free(state, workspace, place, name)?;
    let deployments = format!("{}/{name}/deployments", place.collection);
    let has = |deployment: &str| workspace.documents.get(&deployments, deployment).is_some();
    let missing = |deployment: &str| {
        bad_request(
            "BadArgument",
            format!("The deployment '{deployment}' does not exist at endpoint '{name}'."),
        )
    };
    for member in ["traffic", "mirrorTraffic"] {
        let Some(shares) = properties.get(member).and_then(Value::as_object) else {
            continue;
        };
        if let Some(unknown) = shares.keys().find(|deployment| !has(deployment)) {
            return Err(missing(unknown));
        }
        let sum: u64 = shares.values().filter_map(Value::as_u64).sum();
        if sum > 100 {
            return Err(bad_request(
                "BadArgument",
                format!("The {member} of endpoint '{name}' comes to {sum} percent."),
            ));
        }
    }
    let default = properties.get("defaults");
    let default = default.and_then(|defaults| defaults.get("deploymentName")?.as_str());
    match default.filter(|deployment| !has(deployment)) {
        Some(unknown) => Err(missing(unknown)),
        None => Ok(()),
    }
}

/// A name is taken once a region, whoever's workspace it is in.
fn is_free(state: &State, workspace: &Workspace, place: &Place, name: &str) -> Result<(), Refusal> {
    let taken = state.workspaces.values().any(|other| {
        other.deleted.is_none()
            && other.location == workspace.location
            && other.key() != workspace.key()
            && other.documents.get(&place.collection, name).is_some()
    });
    if !taken {
        return Ok(());
    }
    let text = format!(
        "An endpoint with the name '{name}' already exists in region {}. Choose another name.",
        workspace.location
    );
    Err(Refusal::arm(
        StatusCode::CONFLICT,
        "EndpointNameAlreadyInUse",
        text,
    ))
}

/// Checks the PUT of a serverless endpoint.
pub(super) fn check_serverless(
    workspace: &Workspace,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<(), Refusal> {
    let model = properties.get("modelSettings");
    let model = model.and_then(|settings| settings.get("modelId"));
    let subscriptions = workspace.documents.list("marketplaceSubscriptions");
    let subscribed = subscriptions
        .iter()
        .any(|one| one.properties().and_then(|p| p.get("modelId")) == model);
    match model {
        Some(model) if !subscribed => Err(bad_request(
            "UserError",
            format!("Endpoint '{name}' needs a marketplace subscription to {model}."),
        )),
        _ => Ok(()),
    }
}

/// Refuses a resource of another region than its workspace.
pub(super) fn check_region(
    workspace: &Workspace,
    place: &Place,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    let plain = |text: &str| text.replace(' ', "").to_lowercase();
    let location = body.get("location").and_then(Value::as_str);
    match location.filter(|_| place.row.tracked) {
        Some(other) if plain(other) != plain(&workspace.location) => {
            let text = format!(
                "The provided location '{other}' is not available for resource type '{}' in a workspace of '{}'.",
                place.resource_type(),
                workspace.location
            );
            Err(bad_request("LocationNotAvailableForResourceType", text))
        }
        _ => Ok(()),
    }
}
