//! Registries: the assets of a workspace and nothing else, every PUT a long operation, the bytes of each version in a
//! container of its own that only a signature of the service opens.
//!
//! From the published OpenAPI (`registries.json` and `mfe.json`, 2024-04-01): `startPendingUpload` of codes, models and
//! data, and `datareferences` for reading. `tempdatarefs` and `datarefs` are what azure-ai-ml 1.35.2 asks the registry's own
//! front for (`_utils/_registry_utils.py`), for environments too. Names of actions are those of the built-in role AzureML
//! Registry User.

mod front;

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::collection::Finish;
use super::operation::{self, Told};
use super::place::Place;
use super::{
    bad_request, group, method_not_allowed, no_workspace, ok, page, unknown_route, workspaces,
};
use crate::call::{Call, Service};
use crate::clock::later;
use crate::reply::{Answer, Refusal, Reply};
use crate::sas;
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

pub(super) use front::PREFIX as FRONT;
pub(crate) use front::{discover, handle as front};

/// The kinds that a registry has.
const KINDS: [&str; 5] = ["codes", "models", "data", "environments", "components"];
/// Those for whose bytes Resource Manager gives a place.
const WITH_BYTES: [&str; 3] = ["codes", "models", "data"];
/// Where a version's document names its bytes, below `properties`.
const PLACES: [(&str, &str); 4] = [
    ("codes", "/codeUri"),
    ("models", "/modelUri"),
    ("data", "/dataUri"),
    ("environments", "/build/contextUri"),
];
/// How an asset's PUT ends.
pub(super) const PUT: Finish = Finish::Later("mfeOperationsStatus");

/// Makes a registry, with storage that is the service's own.
pub fn create(state: &mut State, spec: &workspaces::WorkspaceSpec, now: Timestamp) -> WorkspaceKey {
    let mut made = workspaces::build(state, spec, now);
    made.registry = true;
    made.documents = Default::default();
    if let Some(account) = state.accounts.get_mut(&made.account) {
        account.of_service = true;
    }
    let key = made.key();
    state.workspaces.insert(key.clone(), made);
    key
}

/// Takes a registry away, with its storage.
pub fn remove(state: &mut State, key: &WorkspaceKey) -> bool {
    let Some(gone) = state.workspaces.remove(key) else {
        return false;
    };
    state.accounts.remove(&gone.account);
    true
}

/// Lists registries of a subscription or resource group.
pub(super) fn list(
    call: &Call,
    state: &State,
    subscription: &str,
    of_group: Option<&str>,
) -> Answer {
    let rows: Vec<&Workspace> = state
        .workspaces
        .iter()
        .filter(|(key, _)| key.is_in(subscription, of_group) && key.is_registry())
        .map(|(_, registry)| registry)
        .collect();
    page::answer(call, state, &rows, None, |registry| show(state, registry))
}

/// The action that a call below a registry needs.
pub(super) fn action(call: &Call, rest: &[String]) -> String {
    let verb = match call.method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ if asks_reference(call, rest) => "read",
        _ => "write",
    };
    let assets = if rest.is_empty() { "" } else { "assets/" };
    format!("{}/registries/{assets}{verb}", crate::PROVIDER)
}

/// Whether a call asks for the address of bytes to read: the front has a shorter word for it.
fn asks_reference(call: &Call, rest: &[String]) -> bool {
    let first = rest.first().map(String::as_str).unwrap_or_default();
    let word = match call.service {
        Service::Data => "datarefs",
        _ => "datareferences",
    };
    call.method == Method::POST && first.eq_ignore_ascii_case(word)
}

/// What a registry answers by itself; `None` for what is answered as in a workspace.
pub(super) fn own(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    rest: &[String],
) -> Option<Answer> {
    let Some(first) = rest.first() else {
        return Some(itself(call, state, key));
    };
    if asks_reference(call, rest) {
        return Some(reference(call, state, key));
    }
    if call.service == Service::Data && call.method == Method::PUT && first == "tempdatarefs" {
        return Some(front::temporary(call, state, key));
    }
    let known = |kinds: &[&str]| kinds.iter().any(|kind| first.eq_ignore_ascii_case(kind));
    let uploads = call.method == Method::POST;
    match known(if uploads { &WITH_BYTES } else { &KINDS }) {
        true => None,
        false => Some(Err(unknown_route(call))),
    }
}

fn itself(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    match call.method {
        Method::GET => {
            let registry = state.workspace(key).ok_or_else(|| no_workspace(call))?;
            ok(&show(state, registry))
        }
        Method::PUT => put(call, state, key),
        Method::DELETE => Ok(Reply::empty(match remove(state, key) {
            true => StatusCode::OK,
            false => StatusCode::NO_CONTENT,
        })),
        _ => Err(method_not_allowed(call)),
    }
}

/// Makes a registry, or changes its tags and settings.
fn put(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    let Value::Object(mut body) = call.json()? else {
        let text = "The body must be an object.";
        return Err(bad_request("InvalidRequestContent", text));
    };
    let location = body.get("location").and_then(Value::as_str);
    let Some(location) = location.map(str::to_owned) else {
        let text = "The location property is required for this definition.";
        return Err(bad_request("LocationRequired", text));
    };
    let is_new = !state.workspaces.contains_key(key);
    if is_new {
        if state.group(call.segment(1), call.segment(3)).is_none() {
            return Err(group::no_group(call.segment(3)));
        }
        let named = |at: usize| call.segment(at);
        let spec = workspaces::WorkspaceSpec::new(named(1), named(3), named(7), &location);
        create(state, &spec, call.now);
    }
    for name in ["id", "name", "type", "systemData", "location"] {
        body.remove(name);
    }
    let registry = state.workspaces.get_mut(key);
    let registry = registry.ok_or_else(|| no_workspace(call))?;
    registry.body.extend(body);
    let (subscription, location, id) = (
        registry.subscription.clone(),
        registry.location.clone(),
        registry.arm_id(),
    );
    let shown = show(
        state,
        state.workspace(key).ok_or_else(|| no_workspace(call))?,
    );
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let at = (
        subscription.as_str(),
        location.as_str(),
        "registryOperationsStatus",
    );
    let reply = Reply::json(status, &shown);
    Ok(operation::start(
        call,
        state,
        reply,
        at,
        Told::ByStatus,
        Some(id),
    ))
}

/// A registry's document.
pub(super) fn show(state: &State, registry: &Workspace) -> Value {
    let base = state.cloud.data_url(&registry.location);
    let storage = state.accounts.get(&registry.account);
    let mut document = json!({
        "id": registry.arm_id(), "name": registry.name, "type": format!("{}/registries", crate::PROVIDER),
        "location": registry.location, "tags": {}, "identity": {"type": "SystemAssigned"},
        "properties": {
            "publicNetworkAccess": "Enabled",
            "discoveryUrl": format!("{base}/registrymanagement/v1.0/registries/{}/discovery", registry.name),
            "mlFlowRegistryUri": format!("azureml://{}/mlflow/v1.0{}", state.cloud.data_host(&registry.location), registry.arm_id()),
            "managedResourceGroup": {"resourceId": format!("/subscriptions/{}/resourceGroups/azureml-rg-{}", registry.subscription, registry.name)},
            "regionDetails": [{"location": registry.location, "acrDetails": [], "storageAccountDetails": [{
                "systemCreatedStorageAccount": {
                    "storageAccountName": registry.account, "storageAccountType": "Standard_LRS",
                    "storageAccountHnsEnabled": false, "allowBlobPublicAccess": false,
                    "armResourceId": {"resourceId": storage.map(|account| &account.arm_id)},
                },
            }]}],
        },
    });
    for (name, said) in &registry.body {
        match (document.get_mut(name), said) {
            (Some(Value::Object(own)), Value::Object(said)) if name == "properties" => {
                let theirs = said.iter().filter(|(name, _)| *name != "regionDetails");
                own.extend(theirs.map(|(name, value)| (name.clone(), value.clone())));
            }
            _ => document[name] = said.clone(),
        }
    }
    document
}

/// Refuses a version whose bytes lie outside the registry's own storage: it takes in none that it does not hold.
pub(super) fn check(
    state: &State,
    registry: &Workspace,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<(), Refusal> {
    let of_kind = |kind: &&str| place.is(&[kind, "versions"]);
    let found = PLACES.iter().find(|(kind, _)| of_kind(kind));
    let Some((_, pointer)) = found.filter(|_| registry.registry) else {
        return Ok(());
    };
    let all = Value::Object(properties.clone());
    let Some(uri) = all.pointer(pointer).and_then(Value::as_str) else {
        return Ok(());
    };
    match container_of(state, registry, uri) {
        Some(_) => Ok(()),
        None => Err(bad_request(
            "ValidationError",
            format!("'{uri}' is no place in the storage of this registry."),
        )),
    }
}

/// The container of the registry's own storage that an address names.
fn container_of<'a>(state: &State, registry: &Workspace, uri: &'a str) -> Option<&'a str> {
    let base = format!("{}/", state.cloud.blob_url(&registry.account));
    let path = uri.strip_prefix(&base)?;
    path.split('/').next().filter(|name| !name.is_empty())
}

/// `POST …/datareferences/NAME/versions/VERSION`: a signature to read the container that an address names.
fn reference(call: &Call, state: &State, key: &WorkspaceKey) -> Answer {
    let registry = state.workspace(key).ok_or_else(|| no_workspace(call))?;
    let body = call.json()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let refused = |what: &str| -> Refusal {
        bad_request("UserError", format!("'{what}' is not of this registry."))
    };
    let uri = text("blobUri");
    let container = container_of(state, registry, uri).ok_or_else(|| refused(uri))?;
    let (collection, version) =
        asset_of(registry, text("assetId")).ok_or_else(|| refused(text("assetId")))?;
    if registry.documents.get(&collection, &version).is_none() {
        return Err(Refusal::arm(
            StatusCode::NOT_FOUND,
            "UserError",
            format!("'{collection}/{version}' is not there."),
        ));
    }
    let account = state.accounts.get(&registry.account);
    let account = account.ok_or_else(|| no_workspace(call))?;
    let expires = later(call.now, Duration::from_secs(3600));
    let signature = sas::issue(account, Service::Blob, container, "rl", expires);
    let base = state.cloud.blob_url(&registry.account);
    ok(&json!({"blobReferenceForConsumption": {
        "blobUri": uri, "storageAccountArmId": account.arm_id,
        "credential": {"credentialType": "SAS", "sasUri": format!("{base}/{container}?{signature}")},
    }}))
}

/// Collection and version of an asset's id, `azureml://registries/R/models/m/versions/1`. The official client writes the
/// kind in the singular where it reads a model (`AzureMLResourceType.MODEL`), and the service takes both.
fn asset_of(registry: &Workspace, id: &str) -> Option<(String, String)> {
    let own = id.strip_prefix("azureml://registries/")?;
    let (name, asset) = own.split_once('/')?;
    if !name.eq_ignore_ascii_case(&registry.name) {
        return None;
    }
    let (collection, version) = asset.rsplit_once('/')?;
    let (kind, rest) = collection.split_once('/')?;
    let plural = KINDS
        .iter()
        .find(|known| known.trim_end_matches('s') == kind || **known == kind)?;
    Some((format!("{plural}/{rest}"), version.to_owned()))
}
