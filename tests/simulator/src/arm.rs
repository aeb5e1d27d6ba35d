//! Resource manager: subscriptions, resource groups, workspaces and everything below them.

mod assignment;
pub(crate) mod beside;
mod check;
mod collection;
mod delete;
mod endpoint;
mod group;
mod held;
mod job;
mod operation;
mod page;
mod place;
mod read;
mod reference;
mod registry;
mod render;
mod secret;
mod storage;
mod upload;
mod version;
mod workspaces;
mod write;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::Call;
use crate::documents::Resource;
use crate::gate;
use crate::permission;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};
use place::Place;

pub use assignment::RoleAssignment;
pub use operation::Operation;
pub use page::pages;
pub use registry::{create as create_registry, remove as remove_registry};
pub(crate) use registry::{discover as discover_registry, front as registry_front};
pub(crate) use version::missing as missing_api_version;
pub(crate) use workspaces::recovery;
pub use workspaces::{WorkspaceSpec, create as create_workspace};

/// Answers a call to `management.SUFFIX`.
pub(crate) fn handle(call: &Call, state: &mut State) -> Answer {
    if call.parts() == ["metadata", "endpoints"] {
        return crate::metadata::endpoints(call, state);
    }
    if held::is_meant(call) {
        return held::handle(call, state);
    }
    let below = WorkspaceKey::of_segments(&call.segments);
    if let Some((key, rest)) = below
        .as_ref()
        .filter(|(_, rest)| assignment::is_meant(rest))
    {
        assignment::check(call)?;
        return assignment::handle(call, state, key, rest);
    }
    version::check(call, &state.settings.newest)?;
    match below {
        Some((key, rest)) => below_workspace(call, state, &key, rest),
        None => above_workspace(call, state),
    }
}

fn above_workspace(call: &Call, state: &mut State) -> Answer {
    let lower: Vec<String> = call
        .segments
        .iter()
        .map(|segment| segment.to_lowercase())
        .collect();
    let provider = crate::PROVIDER.to_lowercase();
    let parts: Vec<&str> = lower.iter().map(String::as_str).collect();
    if let Some(action) = permission::above_workspace(call, &parts) {
        gate::demand(call, state, &action, call.raw_path.as_str())?;
    }
    match parts.as_slice() {
        ["subscriptions"] => group::subscriptions(call, state),
        ["subscriptions", id] => group::subscription(state, id),
        ["subscriptions", id, "resourcegroups"] => group::list(call, state, id),
        ["subscriptions", id, "resourcegroups", name] => group::one(call, state, id, name),
        ["subscriptions", id, "providers", found] if *found == provider => {
            Ok(version::provider(state, id))
        }
        ["subscriptions", id, "providers", found, "workspaces"] if *found == provider => {
            workspaces::list(call, state, id, None)
        }
        [
            "subscriptions",
            id,
            "resourcegroups",
            name,
            "providers",
            found,
            "workspaces",
        ] if *found == provider => workspaces::list(call, state, id, Some(name)),
        ["subscriptions", id, "providers", found, "registries"] if *found == provider => {
            registry::list(call, state, id, None)
        }
        [
            "subscriptions",
            id,
            "resourcegroups",
            name,
            "providers",
            found,
            "registries",
        ] if *found == provider => registry::list(call, state, id, Some(name)),
        [
            "subscriptions",
            _,
            "providers",
            found,
            "locations",
            _,
            route,
            id,
        ] if *found == provider => operation::poll(call, state, route, id),
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.storage",
            "locations",
            _,
            route,
            id,
        ] => operation::poll(call, state, route, id),
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.storage",
            "storageaccounts",
        ] => storage::handle(call, state, &[]),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.storage",
            "storageaccounts",
            rest @ ..,
        ] => storage::handle(call, state, rest),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            provider,
            collection,
            _,
        ] => match beside::resource_type(provider, collection) {
            Some(of_type) => beside::one(call, state, &of_type),
            None => Err(unknown_route(call)),
        },
        _ => Err(unknown_route(call)),
    }
}

pub(in crate::arm) fn below_workspace(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    rest: &[String],
) -> Answer {
    let place = Place::parse(rest, call.method == Method::POST);
    let (kind, action) = match &place {
        Some(place) => (format!("/{}", place.kind.join("/")), place.action.clone()),
        None if call.method == Method::POST => (String::new(), rest.last().cloned()),
        None => (String::new(), None),
    };
    let verb = match (&call.method, action) {
        (_, Some(action)) => format!("{action}/action"),
        (&Method::GET | &Method::HEAD, None) => "read".to_owned(),
        (&Method::DELETE, None) => "delete".to_owned(),
        _ => "write".to_owned(),
    };
    let action = match key.is_registry() {
        true => registry::action(call, rest),
        false => format!("{}/workspaces{kind}/{verb}", crate::PROVIDER),
    };
    gate::demand(call, state, &action, call.raw_path.as_str())?;
    if key.is_registry()
        && let Some(answer) = registry::own(call, state, key, rest)
    {
        return answer;
    }
    let Some(place) = place else {
        return workspaces::one(call, state, key, rest);
    };
    if state.workspace(key).is_none() {
        return Err(no_workspace(call));
    }
    match (&call.method, &place.name) {
        (&Method::GET, None) => read::list(call, state, key, &place),
        (&Method::GET, Some(name)) => read::one(call, state, key, &place, name),
        (&Method::PUT | &Method::PATCH, Some(name)) => write::put(call, state, key, &place, name),
        (&Method::DELETE, Some(name)) => delete::one(call, state, key, &place, name),
        (&Method::POST, Some(name)) => act(call, state, key, &place, name),
        _ => Err(method_not_allowed(call)),
    }
}

fn act(call: &Call, state: &mut State, key: &WorkspaceKey, place: &Place, name: &str) -> Answer {
    let action = place.action.as_deref().unwrap_or_default().to_lowercase();
    match action.as_str() {
        "startpendingupload" => upload::start(call, state, key),
        "cancel" if place.is(&["jobs"]) => job::cancel(call, state, key, name),
        _ => secret::give(call, state, key, place, name),
    }
}

/// The paths of all collections that a workspace has, kinds without the names between them.
pub(crate) fn collections() -> impl Iterator<Item = &'static [&'static str]> {
    collection::rows().iter().map(|row| row.path)
}

/// A workspace's document, as GET shows it.
pub(crate) fn show_workspace(state: &State, workspace: &Workspace, now: Timestamp) -> Value {
    match workspace.registry {
        true => registry::show(state, workspace),
        false => render::workspace(workspace, &state.cloud, &state.directory.tenant, now),
    }
}

/// An item's document, as GET shows it.
pub(crate) fn show_resource(
    state: &State,
    workspace: &Workspace,
    collection: &str,
    resource: &Resource,
    now: Timestamp,
) -> Value {
    render::resource(
        workspace,
        &render::place_of(collection),
        resource,
        &state.cloud,
        now,
    )
}

/// The document of an ARM id, as GET would show it.
fn show_by_id(call: &Call, state: &State, path: &str) -> Option<Value> {
    let segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(str::to_owned)
        .collect();
    let (key, rest) = WorkspaceKey::of_segments(&segments)?;
    let workspace = state.workspace(&key)?;
    match Place::parse(rest, false) {
        None => Some(show_workspace(state, workspace, call.now)),
        Some(place) => {
            let resource = workspace
                .documents
                .get(&place.collection, place.name.as_deref()?)?;
            Some(render::resource(
                workspace,
                &place,
                resource,
                &state.cloud,
                call.now,
            ))
        }
    }
}

fn no_workspace(call: &Call) -> Refusal {
    let (group, name) = (call.segment(3), call.segment(7));
    let text = format!(
        "The Resource '{}/workspaces/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        crate::PROVIDER
    );
    Refusal::arm(StatusCode::NOT_FOUND, "ResourceNotFound", text)
}

fn unknown_route(call: &Call) -> Refusal {
    let text = format!(
        "The request '{} {}' has no route here.",
        call.method, call.raw_path
    );
    Refusal::arm(StatusCode::NOT_FOUND, "InvalidResourceType", text)
}

fn method_not_allowed(call: &Call) -> Refusal {
    let text = format!(
        "The requested resource does not support http method '{}'.",
        call.method
    );
    Refusal::arm(
        StatusCode::METHOD_NOT_ALLOWED,
        "UnsupportedHttpMethod",
        text,
    )
}

fn bad_request(code: &str, text: impl Into<String>) -> Refusal {
    Refusal::arm(StatusCode::BAD_REQUEST, code, text)
}

fn ok(body: &Value) -> Answer {
    Ok(Reply::json(StatusCode::OK, body))
}

#[cfg(test)]
mod tests;
