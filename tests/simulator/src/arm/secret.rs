//! What GET never shows and a POST gives: keys of datastores, connections and endpoints.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::place::Place;
use super::{ok, read, render};
use crate::call::{Call, Service};
use crate::clock::later;
use crate::documents::Resource;
use crate::reply::{Answer, Refusal};
use crate::sas;
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// Takes the secret member out of what a client wrote. `keeps` is the secret that the resource has already: a write without one
/// leaves it.
pub(crate) fn split(
    place: &Place,
    body: &mut Map<String, Value>,
    keeps: Option<&Value>,
) -> Option<Value> {
    let secret = place.row.secret?;
    let mut at = body.get_mut("properties")?;
    let (parents, last) = secret
        .member
        .rsplit_once('.')
        .map_or((None, secret.member), |(head, last)| (Some(head), last));
    for name in parents.into_iter().flat_map(|head| head.split('.')) {
        at = at.get_mut(name)?;
    }
    let members = at.as_object_mut()?;
    let found = members.remove(last);
    // Only the discriminator of a datastore's secrets is shown.
    if let Some(kind) = found
        .as_ref()
        .and_then(|value| value.get("secretsType"))
        .cloned()
    {
        members.insert(last.to_owned(), json!({"secretsType": kind}));
    }
    let has_secret = found
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|map| map.keys().any(|name| name != "secretsType"));
    // Keys of an endpoint are taken when it is made, and never again.
    match keeps {
        Some(kept) if !has_secret || last == "keys" => Some(kept.clone()),
        _ => found.filter(|_| has_secret),
    }
}

/// Answers `POST …/listSecrets`, `listKeys`, `listsecrets`.
pub(crate) fn give(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
) -> Answer {
    let action = place.action.as_deref().unwrap_or_default();
    let Some(secret) = place
        .row
        .secret
        .filter(|secret| secret.action.eq_ignore_ascii_case(action))
    else {
        return Err(super::unknown_route(call));
    };
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let resource = workspace
        .documents
        .get(&place.collection, name)
        .ok_or_else(|| read::not_found(place, name))?;
    let by_key = text_of(resource, "authMode").is_none_or(|mode| mode == "Key");
    match secret.member {
        "keys" if !by_key => Err(super::bad_request(
            "BadRequest",
            format!("The endpoint '{name}' lets nobody in by key."),
        )),
        "keys" => ok(&resource.secrets.clone().unwrap_or_else(|| json!({"primaryKey": format!("{name}-primary"), "secondaryKey": format!("{name}-secondary")}))),
        "credentials" => {
            let mut document = render::resource(workspace, place, resource, &state.cloud, call.now);
            document["properties"]["credentials"] = resource.secrets.clone().unwrap_or(Value::Null);
            ok(&document)
        }
        _ => datastore(call, state, resource),
    }
}

fn text_of<'a>(resource: &'a Resource, member: &str) -> Option<&'a str> {
    resource.properties()?.get(member)?.as_str()
}

/// The secret of a datastore; with `expirableSecret` an account key is answered by a signature that dies with it.
fn datastore(call: &Call, state: &State, resource: &Resource) -> Answer {
    let Some(secrets) = &resource.secrets else {
        let text = format!("The datastore {} has no credential.", resource.name);
        return Err(Refusal::arm(StatusCode::BAD_REQUEST, "UserError", text));
    };
    let asked = call.json()?;
    let expirable = asked
        .get("expirableSecret")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if !expirable || secrets.get("secretsType").and_then(Value::as_str) != Some("AccountKey") {
        return ok(secrets);
    }
    let text = |name: &str| text_of(resource, name);
    let (service, container) = match (text("containerName"), text("fileShareName")) {
        (Some(container), _) => (Service::Blob, container),
        (None, Some(share)) => (Service::File, share),
        _ => return ok(secrets),
    };
    let Some(account) = text("accountName").and_then(|name| state.accounts.get(name)) else {
        return ok(secrets);
    };
    let hours = asked
        .get("expireAfterHours")
        .and_then(Value::as_u64)
        .unwrap_or(1)
        .clamp(1, 24);
    let expires = later(call.now, Duration::from_secs(hours * 3600));
    ok(
        &json!({"secretsType": "Sas", "sasToken": sas::issue(account, service, container, "racwdl", expires)}),
    )
}
