//! Resources of other providers that a workspace names: key vaults, Application Insights, container registries, managed
//! identities. Only that they are there counts, so each is its document and nothing more.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{bad_request, group, method_not_allowed, ok};
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Their types, providers first.
const TYPES: [(&str, &str); 4] = [
    ("Microsoft.KeyVault", "vaults"),
    ("Microsoft.Insights", "components"),
    ("Microsoft.ContainerRegistry", "registries"),
    ("Microsoft.ManagedIdentity", "userAssignedIdentities"),
];
/// Where a workspace's document names resources that must be there before it.
const NAMED: [&str; 4] = [
    "storageAccount",
    "keyVault",
    "applicationInsights",
    "containerRegistry",
];

/// The type of a provider and a collection, in any letter case: as Azure spells it.
pub(crate) fn resource_type(provider: &str, collection: &str) -> Option<String> {
    let mut types = TYPES.iter();
    let found = types.find(|(one, other)| {
        one.eq_ignore_ascii_case(provider) && other.eq_ignore_ascii_case(collection)
    });
    found.map(|(provider, collection)| format!("{provider}/{collection}"))
}

/// Puts one in by its id, as somebody would who made it elsewhere.
pub(crate) fn add(state: &mut State, id: &str) {
    state.beside.insert(id.to_lowercase(), json!({}));
}

/// GET, PUT and DELETE of one.
pub(crate) fn one(call: &Call, state: &mut State, of_type: &str) -> Answer {
    let id = format!("/{}", call.segments.join("/"));
    match call.method {
        Method::GET => match state.beside.get(&id.to_lowercase()) {
            Some(body) => ok(&show(&id, of_type, body)),
            None => Err(absent(&id)),
        },
        Method::PUT => {
            let body = call.json()?;
            if state.group(call.segment(1), call.segment(3)).is_none() {
                return Err(group::no_group(call.segment(3)));
            }
            let shown = show(&id, of_type, &body);
            state.beside.insert(id.to_lowercase(), body);
            Ok(Reply::json(StatusCode::CREATED, &shown))
        }
        Method::DELETE => {
            state.beside.remove(&id.to_lowercase());
            Ok(Reply::empty(StatusCode::OK))
        }
        _ => Err(method_not_allowed(call)),
    }
}

fn show(id: &str, of_type: &str, body: &Value) -> Value {
    let mut shown = body.as_object().cloned().unwrap_or_default();
    shown.insert("id".to_owned(), json!(id));
    shown.insert("name".to_owned(), json!(id.rsplit('/').next()));
    shown.insert("type".to_owned(), json!(of_type));
    Value::Object(shown)
}

fn absent(id: &str) -> Refusal {
    let text = format!("The Resource '{id}' was not found.");
    Refusal::arm(StatusCode::NOT_FOUND, "ResourceNotFound", text)
}

/// Refuses a workspace that names what is not there; answers the storage account that it names.
pub(crate) fn check(state: &State, body: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let properties = body.get("properties").and_then(Value::as_object);
    let named = properties.into_iter().flatten();
    let named = named
        .filter(|(name, _)| NAMED.contains(&name.as_str()))
        .filter_map(|(_, id)| id.as_str());
    let identities = body
        .get("identity")
        .and_then(|identity| identity.get("userAssignedIdentities")?.as_object());
    let keys = identities.into_iter().flatten().map(|(id, _)| id.as_str());
    let mut account = None;
    for id in named.chain(keys) {
        let mut accounts = state.accounts.values();
        let held = accounts.find(|held| held.arm_id.eq_ignore_ascii_case(id));
        if let Some(held) = held {
            account = Some(held.name.clone());
        } else if !state.beside.contains_key(&id.to_lowercase()) {
            let text =
                format!("Missing dependent resources in workspace json: '{id}' was not found.");
            return Err(bad_request("ValidationError", text));
        }
    }
    Ok(account)
}
