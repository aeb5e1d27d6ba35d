//! PUT and PATCH of an item: checked as strictly as Azure checks, then kept whole.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::collection::Finish;
use super::operation::{self, Told};
use super::place::Place;
use super::{bad_request, check, endpoint, job, read, reference, registry, render, secret};
use crate::call::Call;
use crate::clock::later;
use crate::documents::Resource;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// Makes or changes an item.
pub(crate) fn put(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
) -> Answer {
    if !place.row.accepts_name(name) {
        return Err(bad_request(
            "UserError",
            format!(
                "The name '{name}' is not valid for {}.",
                place.resource_type()
            ),
        ));
    }
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let old = workspace.documents.get(&place.collection, name).cloned();
    let mut body = object(call, place, old.as_ref(), name)?;
    let sent = properties(&body).clone();
    clean(&mut body, place);
    check::parent(workspace, place)?;
    check::members(place, name, properties(&body), old.is_some())?;
    check::kind(call, state, workspace, place, name, properties(&body))?;
    registry::check(state, workspace, place, properties(&body))?;
    endpoint::check_region(workspace, place, &body)?;
    reference::check(workspace, &Value::Object(body.clone()))?;
    if let Some(old) = &old {
        let shown = render::resource(workspace, place, old, &state.cloud, call.now);
        check::unchanged(place, name, &sent, old, &shown)?;
        keep_create_only(place, &mut body, old);
    }
    let secrets = secret::split(
        place,
        &mut body,
        old.as_ref().and_then(|old| old.secrets.as_ref()),
    );
    add_defaults(place, &mut body);
    let created = old.is_none();
    store(
        call,
        state,
        key,
        place,
        Resource {
            secrets,
            ..resource(call, state, key, place, name, body, old)
        },
    );
    answer(call, state, key, place, name, created)
}

/// The body as an object with an object `properties`; a PATCH is laid over what is there.
fn object(
    call: &Call,
    place: &Place,
    old: Option<&Resource>,
    name: &str,
) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(mut body) = call.json()? else {
        return Err(bad_request(
            "InvalidRequestContent",
            "The request content was invalid: an object is expected.",
        ));
    };
    if call.method == Method::PATCH {
        let old = old.ok_or_else(|| read::not_found(place, name))?;
        let mut whole = old.body.clone();
        for (member, value) in body {
            match (whole.get_mut(&member), value) {
                (Some(Value::Object(old)), Value::Object(new)) if member == "properties" => {
                    old.extend(new)
                }
                (_, value) => {
                    whole.insert(member, value);
                }
            }
        }
        body = whole;
    }
    if !body.get("properties").is_some_and(Value::is_object) {
        return Err(bad_request(
            "ValidationError",
            "The Properties field is required.",
        ));
    }
    Ok(body)
}

fn properties(body: &Map<String, Value>) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    body.get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&NONE)
}

/// Drops what the service writes itself. Members that nobody knows stay.
fn clean(body: &mut Map<String, Value>, place: &Place) {
    for name in ["id", "name", "type", "systemData"] {
        body.remove(name);
    }
    if let Some(Value::Object(properties)) = body.get_mut("properties") {
        properties.retain(|name, _| !place.row.read_only.contains(&name.as_str()));
        if place.is(&["jobs"])
            && let Some(Value::Object(outputs)) = properties.get_mut("outputs")
        {
            outputs.remove("default");
        }
    }
}

/// A PUT that leaves out what cannot change does not take it away.
fn keep_create_only(place: &Place, body: &mut Map<String, Value>, old: &Resource) {
    let (Some(Value::Object(properties)), Some(before)) =
        (body.get_mut("properties"), old.properties())
    else {
        return;
    };
    for (member, value) in before {
        let names = |fixed: &str| fixed.split('.').next() == Some(member.as_str());
        let fixed = match place.row.only_mutable {
            Some(mutable) => !mutable.contains(&member.as_str()),
            None => place.row.create_only.iter().any(|fixed| names(fixed)),
        };
        let whole = !place
            .row
            .create_only
            .iter()
            .any(|fixed| fixed.contains('.') && names(fixed));
        if fixed && (whole || properties.get(member).is_none_or(Value::is_null)) {
            properties.insert(member.clone(), value.clone());
        }
    }
}

fn add_defaults(place: &Place, body: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = body.get_mut("properties") else {
        return;
    };
    let mut fill = |name: &str, value: Value| fill_in(properties, name, value);
    let kind: Vec<&str> = place.kind.iter().map(String::as_str).collect();
    if !matches!(kind.as_slice(), ["computes" | "connections"]) && !place.row.tracked {
        fill("description", Value::Null);
        fill("tags", json!({}));
        fill("properties", json!({}));
    }
    match kind.as_slice() {
        [_, "versions"] => {
            fill("isAnonymous", json!(false));
            fill("isArchived", json!(false));
        }
        ["datastores"] => fill("isDefault", json!(false)),
        ["schedules"] => fill("isEnabled", json!(true)),
        ["jobs"] => fill("isArchived", json!(false)),
        _ if place.row.versioned => fill("isArchived", json!(false)),
        _ => {}
    }
    match kind.as_slice() {
        ["environments", "versions"] => {
            if let Some(Value::Object(build)) = properties.get_mut("build") {
                build
                    .entry("dockerfilePath")
                    .or_insert_with(|| json!("Dockerfile"));
            }
            let mut fill = |name: &str, value: Value| fill_in(properties, name, value);
            fill("osType", json!("Linux"));
            fill("autoRebuild", json!("Disabled"));
        }
        ["models", "versions"] => {
            fill("modelType", json!("custom_model"));
            fill("flavors", json!({})); // the SDK reads its members unasked
        }
        ["onlineEndpoints", "deployments"] => {
            fill("scaleSettings", json!({"scaleType": "Default"}));
            fill("appInsightsEnabled", json!(false));
        }
        ["serverlessEndpoints"] => fill("authMode", json!("Key")),
        _ => {}
    }
}

fn fill_in(properties: &mut Map<String, Value>, name: &str, value: Value) {
    let slot = properties.entry(name).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

/// How a PUT ends: in a registry it is always a long operation.
fn put_of(place: &Place, key: &WorkspaceKey) -> Finish {
    match key.is_registry() {
        true => registry::PUT,
        false => place.row.put,
    }
}

fn resource(
    call: &Call,
    state: &State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
    body: Map<String, Value>,
    old: Option<Resource>,
) -> Resource {
    let by = call
        .identity
        .claims()
        .map_or("simulator", |claims| claims.client_id.as_str());
    let mut resource = Resource::new(name, body, by, call.now);
    if let Some(old) = old {
        resource.created = old.created;
        resource.created_by = old.created_by;
    }
    if put_of(place, key) != Finish::Now {
        resource.ready = later(call.now, state.settings.operation);
        // The next operation that begins is that of this call.
        resource.fails = state.failing_operations > 0;
    }
    resource
}

fn store(call: &Call, state: &mut State, key: &WorkspaceKey, place: &Place, resource: Resource) {
    let created = state.workspace(key).is_none_or(|found| {
        found
            .documents
            .get(&place.collection, &resource.name)
            .is_none()
    });
    let pace = state.settings.pace;
    let runs = match resource.properties() {
        Some(properties) if created && place.is(&["jobs"]) => {
            let properties = properties.clone();
            job::runs(&resource.name, &properties, &resource.created_by, || {
                state.guid()
            })
        }
        _ => Vec::new(),
    };
    let Some(workspace) = state.workspace_mut(key) else {
        return;
    };
    if let Some((collection, container)) = place.parent().filter(|_| !place.row.needs_parent)
        && workspace.documents.get(&collection, &container).is_none()
    {
        workspace.documents.put(
            &collection,
            container_of(&collection, &container, &resource),
        );
    }
    for run in runs {
        workspace.history.start(run, call.now, pace);
    }
    if !created
        && place.is(&["jobs"])
        && let (Some(run), Some(properties)) = (
            workspace.history.run_mut(&resource.name),
            resource.properties(),
        )
    {
        job::update(run, properties);
        run.touch(call.now);
    }
    workspace.documents.put(&place.collection, resource);
}

/// The container that the PUT of a first version makes.
fn container_of(collection: &str, name: &str, version: &Resource) -> Resource {
    let mut properties =
        json!({"description": null, "tags": {}, "properties": {}, "isArchived": false});
    if collection == "data"
        && let Some(kind) = version
            .properties()
            .and_then(|members| members.get("dataType"))
    {
        properties["dataType"] = kind.clone();
    }
    let body = Map::from_iter([("properties".to_owned(), properties)]);
    Resource::new(name, body, &version.created_by, version.modified)
}

fn answer(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
    created: bool,
) -> Answer {
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let resource = workspace
        .documents
        .get(&place.collection, name)
        .ok_or_else(|| read::not_found(place, name))?;
    let body = render::resource(workspace, place, resource, &state.cloud, call.now);
    let (subscription, location) = (workspace.subscription.clone(), workspace.location.clone());
    let status = if created && !place.is(&["connections"]) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let reply = Reply::json(status, &body);
    let put = put_of(place, key);
    match put {
        Finish::Now => Ok(reply),
        Finish::Later(route) | Finish::Elsewhere(route) => {
            let (reply, told) = match put {
                Finish::Elsewhere(_) => (Reply::empty(StatusCode::ACCEPTED), Told::ByLocation),
                _ => (reply, Told::ByStatus),
            };
            let result = body.get("id").and_then(Value::as_str).map(str::to_owned);
            let at = (subscription.as_str(), location.as_str(), route);
            Ok(operation::start(call, state, reply, at, told, result))
        }
    }
}
