//! References: every string of a body that names something of a workspace must lead to something that is there, and in this
//! workspace. Free text is none of our business.
//!
//! The grammar is the official SDK's (`azure.ai.ml.constants`): ARM ids, `azureml:` names, `azureml://` addresses, `runs:/`.
//! References to registries and to other resource providers pass.

use serde_json::Value;

use super::bad_request;
use super::place::Place;
use crate::PROVIDER;
use crate::documents::Documents;
use crate::reply::Refusal;
use crate::workspace::{Workspace, WorkspaceKey};

/// Members whose text is for people and programs, or a bag of the user's own.
const FREE: [&str; 19] = [
    "command",
    "condaFile",
    "description",
    "displayName",
    "display_name",
    "tags",
    "environmentVariables",
    "environment_variables",
    "experimentName",
    "args",
    "scoringScript",
    "metadata",
    "_source",
    "credentials",
    "name",
    "version",
    "value",
    "properties",
    "flavors",
];
const ASSETS: [&str; 6] = [
    "environments",
    "models",
    "data",
    "components",
    "codes",
    "featurestoreEntities",
];

/// What a string may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// An item of a collection: `("models/churn/versions", "1")`.
    Item(String, String),
    /// A label of an asset.
    Label(String, String),
    /// An asset of any kind by name and version, or by name and label.
    Named(String, Option<String>),
    /// A job or run.
    Run(String),
    /// A workspace that is not this one.
    Elsewhere,
}

/// Refuses a body in which a reference leads nowhere.
pub(crate) fn check(workspace: &Workspace, body: &Value) -> Result<(), Refusal> {
    match body.get("properties") {
        Some(Value::Object(properties)) => properties
            .iter()
            .try_for_each(|(name, value)| walk(workspace, name, value)),
        _ => Ok(()),
    }
}

fn walk(workspace: &Workspace, name: &str, value: &Value) -> Result<(), Refusal> {
    if FREE.contains(&name) {
        return Ok(());
    }
    match value {
        Value::String(text) => one(workspace, name, text),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| walk(workspace, name, item)),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, value)| walk(workspace, name, value)),
        _ => Ok(()),
    }
}

fn one(workspace: &Workspace, name: &str, text: &str) -> Result<(), Refusal> {
    let Some(target) = parse(workspace, name, text) else {
        return Ok(());
    };
    let documents = &workspace.documents;
    let found = match &target {
        Target::Elsewhere => {
            let text = format!(
                "'{text}' in {name} belongs to another workspace and cannot be used in workspace '{}'.",
                workspace.name
            );
            return Err(bad_request("ValidationError", text));
        }
        Target::Item(collection, item) => has_item(documents, collection, item),
        Target::Label(collection, item) => has_item(documents, collection, item),
        Target::Named(item, version) => has_named(documents, item, version.as_deref()),
        Target::Run(run) => {
            workspace.history.run(run).is_some() || documents.get("jobs", run).is_some()
        }
    };
    if found {
        return Ok(());
    }
    let text = format!(
        "'{text}' in {name} was not found in workspace '{}' of resource group '{}'.",
        workspace.name, workspace.group
    );
    Err(bad_request("ValidationError", text))
}

fn has_item(documents: &Documents, collection: &str, name: &str) -> bool {
    let default = name == "azureml_default" && !documents.list(collection).is_empty();
    default || documents.get(collection, name).is_some()
}

fn has_named(documents: &Documents, name: &str, version: Option<&str>) -> bool {
    ASSETS.iter().any(|kind| match version {
        Some(version) => documents
            .get(&format!("{kind}/{name}/versions"), version)
            .is_some(),
        None => documents.get(kind, name).is_some(),
    })
}

/// What a string refers to, if it is a reference at all.
fn parse(workspace: &Workspace, name: &str, text: &str) -> Option<Target> {
    if text.contains(char::is_whitespace) || text.contains("${{") {
        return None;
    }
    if let Some(rest) = text.strip_prefix("azureml://") {
        return address(workspace, rest);
    }
    if let Some(rest) = text.strip_prefix("runs:/") {
        let run = rest.trim_start_matches('/').split('/').next()?;
        return Some(Target::Run(run.to_owned()));
    }
    let inner = text.strip_prefix("azureml:").unwrap_or(text);
    if inner.to_ascii_lowercase().starts_with("/subscriptions/") {
        return arm_id(workspace, inner);
    }
    if text.starts_with("azureml:") {
        return short(inner);
    }
    let compute = ["computeId", "compute", "default_compute", "computeName"].contains(&name);
    let bare = !text.is_empty() && !text.contains('/') && !text.eq_ignore_ascii_case("serverless");
    match name {
        "jobName" if bare => Some(Target::Run(text.to_owned())),
        "sourceJobId" if bare => Some(Target::Run(text.to_owned())),
        _ if compute && bare => Some(Target::Item("computes".to_owned(), text.to_owned())),
        _ => None,
    }
}

fn arm_id(workspace: &Workspace, id: &str) -> Option<Target> {
    let segments: Vec<String> = id
        .trim_start_matches('/')
        .split('/')
        .map(str::to_owned)
        .collect();
    let (key, rest) = WorkspaceKey::of_segments(&segments)?;
    if key.is_registry() {
        return None;
    }
    if key != workspace.key() {
        return Some(Target::Elsewhere);
    }
    below(rest)
}

/// What `models/churn/versions/1` leads to.
fn below(rest: &[String]) -> Option<Target> {
    let head = rest.first()?.to_ascii_lowercase();
    let name = rest.get(1)?.clone();
    if head == "jobs" || head == "runs" {
        return Some(Target::Run(name));
    }
    if head == "datastores" || head == "computes" {
        return Some(Target::Item(head, name));
    }
    let place = Place::parse(rest, false)?;
    match place.kind.last().map(String::as_str) {
        Some("labels") => place
            .parent()
            .map(|(collection, item)| Target::Label(collection, item)),
        _ => Some(Target::Item(place.collection.clone(), place.name?)),
    }
}

/// What stands after `azureml://`.
fn address(workspace: &Workspace, rest: &str) -> Option<Target> {
    let segments: Vec<String> = rest.split('/').map(str::to_owned).collect();
    let lower: Vec<String> = segments
        .iter()
        .map(|segment| segment.to_lowercase())
        .collect();
    let parts: Vec<&str> = lower.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["registries" | "feeds", ..] => None,
        [
            "subscriptions",
            subscription,
            "resourcegroups",
            group,
            "providers",
            provider,
            "workspaces",
            name,
            ..,
        ] if *provider == PROVIDER.to_lowercase() => here(
            workspace,
            &WorkspaceKey::new(subscription, group, name),
            &segments[8..],
        ),
        [
            "subscriptions",
            subscription,
            "resourcegroups",
            group,
            "workspaces",
            name,
            ..,
        ] => here(
            workspace,
            &WorkspaceKey::new(subscription, group, name),
            &segments[6..],
        ),
        ["resourcegroups", group, "workspaces", name, ..] => here(
            workspace,
            &WorkspaceKey::new(&workspace.subscription, group, name),
            &segments[4..],
        ),
        ["locations", _, "workspaces", guid, ..] => {
            if *guid != workspace.guid {
                return Some(Target::Elsewhere);
            }
            below(&segments[4..])
        }
        ["artifacts", "experimentrun", container, ..] => {
            let run = segments.get(2)?.strip_prefix("dcid.").unwrap_or(container);
            Some(Target::Run(run.to_owned()))
        }
        ["artifacts", ..] => None,
        _ => below(&segments),
    }
}

fn here(workspace: &Workspace, key: &WorkspaceKey, rest: &[String]) -> Option<Target> {
    if *key == workspace.key() {
        below(rest)
    } else {
        Some(Target::Elsewhere)
    }
}

/// What stands after `azureml:`: `name:version`, `name@label`, or the name of a compute.
fn short(rest: &str) -> Option<Target> {
    if rest.contains('/') {
        return None;
    }
    if let Some((name, _label)) = rest.split_once('@') {
        return Some(Target::Named(name.to_owned(), None));
    }
    Some(match rest.split_once(':') {
        Some((name, version)) => Target::Named(name.to_owned(), Some(version.to_owned())),
        None => Target::Item("computes".to_owned(), rest.to_owned()),
    })
}
