//! PUT and PATCH of an item: checked as strictly as Azure checks, then kept whole.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::collection::Finish;
use super::operation::{self, Told};
use super::place::Place;
use super::{bad_request, job, read, reference, render, secret};
use crate::call::Call;
use crate::clock::later;
use crate::documents::Resource;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

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
    check_parent(workspace, place)?;
    check_members(place, name, properties(&body), old.is_some())?;
    check_place(call, state, workspace, place, name, properties(&body))?;
    reference::check(workspace, &Value::Object(body.clone()))?;
    if let Some(old) = &old {
        let shown = render::resource(workspace, place, old, &state.cloud, call.now);
        check_unchanged(place, name, &sent, old, &shown)?;
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
            ..resource(call, state, place, name, body, old)
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

fn check_parent(workspace: &Workspace, place: &Place) -> Result<(), Refusal> {
    let Some((collection, name)) = place.parent().filter(|_| place.row.needs_parent) else {
        return Ok(());
    };
    if workspace.documents.get(&collection, &name).is_some() {
        return Ok(());
    }
    let text = format!(
        "Can not perform requested operation on nested resource. Parent resource '{collection}/{name}' not found."
    );
    Err(Refusal::arm(
        StatusCode::NOT_FOUND,
        "ParentResourceNotFound",
        text,
    ))
}

fn check_members(
    place: &Place,
    name: &str,
    properties: &Map<String, Value>,
    exists: bool,
) -> Result<(), Refusal> {
    for member in place.row.required {
        if !exists && properties.get(*member).is_none_or(Value::is_null) {
            return Err(bad_request(
                "ValidationError",
                format!(
                    "The {member} field of {}/{name} is required.",
                    place.collection
                ),
            ));
        }
    }
    let bags = ["tags"]
        .iter()
        .filter_map(|bag| Some((*bag, properties.get(*bag)?.as_object()?)));
    for (bag, members) in bags {
        if let Some((tag, _)) = members
            .iter()
            .find(|(_, value)| !(value.is_string() || value.is_null()))
        {
            return Err(bad_request(
                "ValidationError",
                format!(
                    "The value of '{tag}' in {bag} of {}/{name} must be a string.",
                    place.collection
                ),
            ));
        }
    }
    Ok(())
}

/// What holds for one kind alone.
fn check_place(
    call: &Call,
    state: &State,
    workspace: &Workspace,
    place: &Place,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<(), Refusal> {
    let text = |member: &str| properties.get(member).and_then(Value::as_str);
    let kind: Vec<&str> = place.kind.iter().map(String::as_str).collect();
    match kind.as_slice() {
        ["data", "versions"] => check_data_type(workspace, place, text("dataType")),
        ["components", "versions"] => check_component(place, name, properties),
        ["datastores"] if !call.query.is("skipValidation", "true") => match text("accountName") {
            Some(account) if !state.accounts.contains_key(account) => Err(bad_request(
                "UserError",
                format!("The storage account '{account}' of datastore '{name}' cannot be reached."),
            )),
            _ => Ok(()),
        },
        ["jobs"] => check_job(name, properties),
        _ => Ok(()),
    }
}

fn check_data_type(
    workspace: &Workspace,
    place: &Place,
    sent: Option<&str>,
) -> Result<(), Refusal> {
    let Some((collection, container)) = place.parent() else {
        return Ok(());
    };
    let found = workspace.documents.get(&collection, &container);
    let old = found.and_then(|found| found.properties()?.get("dataType")?.as_str());
    match (old, sent) {
        (Some(old), Some(sent)) if old != sent => Err(bad_request(
            "UserError",
            format!(
                "Data asset '{container}' is of type {old}; a version of type {sent} cannot be added."
            ),
        )),
        _ => Ok(()),
    }
}

fn check_component(
    place: &Place,
    version: &str,
    properties: &Map<String, Value>,
) -> Result<(), Refusal> {
    if properties
        .get("isAnonymous")
        .and_then(Value::as_bool)
        .unwrap_or(false)
    {
        return Ok(());
    }
    let Some(Value::Object(spec)) = properties.get("componentSpec") else {
        return Ok(());
    };
    let name = place.parent().map(|(_, name)| name).unwrap_or_default();
    for (member, expected) in [("name", name.as_str()), ("version", version)] {
        if spec
            .get(member)
            .and_then(Value::as_str)
            .is_some_and(|found| found != expected)
        {
            return Err(bad_request(
                "UserError",
                format!(
                    "The {member} in componentSpec does not match '{expected}' of the request."
                ),
            ));
        }
    }
    Ok(())
}

fn check_job(name: &str, properties: &Map<String, Value>) -> Result<(), Refusal> {
    let text = |member: &str| properties.get(member).and_then(Value::as_str);
    let missing = match text("jobType") {
        Some("Command") => ["command", "environmentId"]
            .into_iter()
            .find(|member| text(member).is_none()),
        Some("Sweep") => ["trial", "objective", "searchSpace"]
            .into_iter()
            .find(|member| !properties.contains_key(*member)),
        _ => None,
    };
    match missing {
        Some(member) => Err(bad_request(
            "ValidationError",
            format!("The {member} field of job {name} is required."),
        )),
        None => Ok(()),
    }
}

/// Refuses a change of what was fixed when the item was made. What the service shows may be sent back.
fn check_unchanged(
    place: &Place,
    name: &str,
    sent: &Map<String, Value>,
    old: &Resource,
    shown: &Value,
) -> Result<(), Refusal> {
    let Some(before) = old.properties() else {
        return Ok(());
    };
    let differs = |member: &str| {
        let new = at(sent, member).filter(|value| !value.is_null());
        let shown = shown
            .get("properties")
            .and_then(Value::as_object)
            .and_then(|map| at(map, member));
        new.is_some() && new != at(before, member) && new != shown
    };
    let changed = match place.row.only_mutable {
        Some(mutable) => sent
            .keys()
            .map(String::as_str)
            .find(|member| !mutable.contains(member) && differs(member)),
        None => place
            .row
            .create_only
            .iter()
            .copied()
            .find(|member| differs(member)),
    };
    let Some(member) = changed else { return Ok(()) };
    let path = format!("{}/{name}", place.collection);
    let text = match member {
        "codeUri" => format!(
            "The code asset {path} is already linked to an asset in your datastore that does not match the content."
        ),
        "modelUri" | "dataUri" => {
            format!("Asset paths cannot be updated: {member} of {path} cannot be changed.")
        }
        _ => format!(
            "{member} of {path} is immutable and cannot be changed. Create a new version instead."
        ),
    };
    Err(bad_request("UserError", text))
}

/// A member by dotted path.
fn at<'a>(properties: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = properties.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// A PUT that leaves out what cannot change does not take it away.
fn keep_create_only(place: &Place, body: &mut Map<String, Value>, old: &Resource) {
    let (Some(Value::Object(properties)), Some(before)) =
        (body.get_mut("properties"), old.properties())
    else {
        return;
    };
    for (member, value) in before {
        let fixed = match place.row.only_mutable {
            Some(mutable) => !mutable.contains(&member.as_str()),
            None => place.row.create_only.contains(&member.as_str()),
        };
        if fixed {
            properties.insert(member.clone(), value.clone());
        }
    }
}

fn add_defaults(place: &Place, body: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = body.get_mut("properties") else {
        return;
    };
    let mut fill = |name: &str, value: Value| {
        let slot = properties.entry(name).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    };
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
        ["environments", "versions"] => fill("osType", json!("Linux")),
        ["models", "versions"] => fill("modelType", json!("custom_model")),
        _ => {}
    }
}

fn resource(
    call: &Call,
    state: &State,
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
    if matches!(place.row.put, Finish::Later(_)) {
        resource.ready = later(call.now, state.settings.operation);
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
    match place.row.put {
        Finish::Now => Ok(reply),
        Finish::Later(route) => {
            let result = body.get("id").and_then(Value::as_str).map(str::to_owned);
            let at = (subscription.as_str(), location.as_str(), route);
            Ok(operation::start(
                call,
                state,
                reply,
                at,
                Told::ByStatus,
                result,
            ))
        }
    }
}
