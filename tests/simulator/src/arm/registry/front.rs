//! The registry's own front in a region's data plane, as azure-ai-ml 1.35.2 uses it: discovery, and below
//! `/mferp/managementfrontend` the same resources as Resource Manager has, with an api-version of its own, and places for
//! bytes of every kind (`tempdatarefs`).

use http::StatusCode;
use serde_json::{Value, json};

use super::{asset_of, bad_request, no_workspace, unknown_route};
use crate::arm::{below_workspace, missing_api_version, operation, upload};
use crate::call::Call;
use crate::gate;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// What stands before `/subscriptions` in its addresses.
pub(in crate::arm) const PREFIX: &str = "mferp/managementfrontend";
/// The api-version that the official client writes.
const API_VERSION: &str = "2021-10-01-dataplanepreview";

/// `GET /registrymanagement/v1.0/registries/NAME/discovery`: where a registry is. It asks for a token.
pub(crate) fn discover(call: &Call, state: &State) -> Answer {
    let [
        "registrymanagement",
        "v1.0",
        "registries",
        name,
        "discovery",
    ] = call.parts()[..]
    else {
        return Err(unknown_route(call));
    };
    let action = format!("{}/registries/read", crate::PROVIDER);
    gate::demand(call, state, &action, call.raw_path.as_str())?;
    let named = |key: &WorkspaceKey| key.is_registry();
    let mut found = state.workspaces.iter().filter(|(key, _)| named(key));
    let found = found.find(|(_, registry)| registry.name.eq_ignore_ascii_case(name));
    let Some((_, registry)) = found else {
        let text = format!("Registry {name} could not be found.");
        return Err(Refusal::history(StatusCode::NOT_FOUND, "UserError", text));
    };
    let base = state.cloud.data_url(&registry.location);
    let front = match state.settings.front_elsewhere {
        true => format!(
            "https://cert-{}.experiments.elsewhere.example",
            registry.location
        ),
        false => base.clone(),
    };
    Ok(Reply::json(
        StatusCode::OK,
        &json!({
            "registryName": registry.name, "tenantId": state.directory.tenant,
            "subscriptionId": registry.subscription, "resourceGroup": registry.group, "workspaceName": null,
            "primaryRegion": registry.location, "regions": [registry.location],
            "primaryRegionResourceProviderUri": format!("{front}/"),
            "registryFqdns": {registry.location.clone(): {"uri": base}},
        }),
    ))
}

/// Answers a call below `/mferp/managementfrontend`.
pub(crate) fn handle(call: &Call, state: &mut State) -> Answer {
    let inner = Call {
        segments: call.segments.get(2..).unwrap_or_default().to_vec(),
        ..call.clone()
    };
    if call.segment(1) != "managementfrontend" {
        return Err(unknown_route(call));
    }
    match call.query.get("api-version") {
        Some(API_VERSION) => {}
        Some(_) => {
            let text = "The api-version is none that registries have.";
            return Err(bad_request("InvalidApiVersionParameter", text));
        }
        None => return Err(missing_api_version()),
    }
    if let [
        "subscriptions",
        _,
        "providers",
        _,
        "locations",
        _,
        route,
        id,
    ] = inner.parts()[..]
    {
        return operation::poll(&inner, state, route, id);
    }
    match WorkspaceKey::of_segments(&inner.segments) {
        Some((key, rest)) if key.is_registry() => below_workspace(&inner, state, &key, rest),
        _ => Err(unknown_route(call)),
    }
}

/// `PUT …/tempdatarefs/NAME/versions/VERSION`: a place for the bytes of a version that is not there yet.
pub(super) fn temporary(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    let registry = state.workspace(key).ok_or_else(|| no_workspace(call))?;
    let body = call.json()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let asset = asset_of(registry, text("assetId"));
    let ("TemporaryBlobReference", Some((collection, version))) =
        (text("temporaryDataReferenceType"), asset)
    else {
        let text = "The body names no asset of this registry.";
        return Err(bad_request("UserError", text));
    };
    if registry.documents.get(&collection, &version).is_some() {
        return Err(Refusal::arm(
            StatusCode::CONFLICT,
            "UserError",
            "Asset already exists.",
        ));
    }
    upload::start(call, state, key)
}
