//! What a PUT must pass before anything is kept.

use http::StatusCode;
use serde_json::{Map, Value};

use super::bad_request;
use super::place::Place;
use crate::call::Call;
use crate::documents::Resource;
use crate::reply::Refusal;
use crate::state::State;
use crate::workspace::Workspace;

/// Refuses an item whose endpoint is not there.
pub(super) fn parent(workspace: &Workspace, place: &Place) -> Result<(), Refusal> {
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

/// Refuses an item that lacks what its kind needs.
pub(super) fn members(
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
pub(super) fn kind(
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
        ["data", "versions"] => data_type(workspace, place, text("dataType")),
        ["components", "versions"] => component(place, name, properties),
        ["datastores"] if !call.query.is("skipValidation", "true") => match text("accountName") {
            Some(account) if !state.accounts.contains_key(account) => Err(bad_request(
                "UserError",
                format!("The storage account '{account}' of datastore '{name}' cannot be reached."),
            )),
            _ => Ok(()),
        },
        ["jobs"] => job(name, properties),
        ["onlineEndpoints" | "batchEndpoints"] => {
            super::endpoint::check(state, workspace, place, name, properties)
        }
        ["serverlessEndpoints"] => super::endpoint::check_serverless(workspace, name, properties),
        ["privateEndpointConnections"]
            if workspace.documents.get(&place.collection, name).is_none() =>
        {
            Err(bad_request(
                "BadRequest",
                format!(
                    "The private endpoint connection '{name}' is made from the side of the private endpoint."
                ),
            ))
        }
        ["outboundRules"] if text("category").is_some_and(|sort| sort != "UserDefined") => {
            Err(bad_request(
                "ValidationError",
                format!("The outbound rule '{name}' may only be of category UserDefined."),
            ))
        }
        _ => Ok(()),
    }
}

fn data_type(workspace: &Workspace, place: &Place, sent: Option<&str>) -> Result<(), Refusal> {
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

fn component(place: &Place, version: &str, properties: &Map<String, Value>) -> Result<(), Refusal> {
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

fn job(name: &str, properties: &Map<String, Value>) -> Result<(), Refusal> {
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
pub(super) fn unchanged(
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
        new.is_some_and(|new| !same(new, at(before, member)) && !same(new, shown))
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

/// Whether two values are the same; the letters of `resourceGroups` in an id or address do not count, since the SDK writes them small.
fn same(new: &Value, old: Option<&Value>) -> bool {
    let fold = |text: &str| text.replace("/resourcegroups/", "/resourceGroups/");
    match (new, old) {
        (Value::String(new), Some(Value::String(old))) => fold(new) == fold(old),
        (new, old) => Some(new) == old,
    }
}
