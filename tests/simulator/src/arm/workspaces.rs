//! Workspaces: made with a storage account and four datastores, listed, changed, deleted softly or for good.

pub(crate) mod recovery;

use http::{Method, StatusCode};
use jiff::Timestamp;
use rand::Rng;
use serde_json::{Map, Value, json};

use super::operation::{self, Told};
use super::{
    bad_request, beside, group, method_not_allowed, no_workspace, ok, page, render, unknown_route,
};
use crate::account::Account;
use crate::call::Call;
use crate::clock::later;
use crate::documents::{Documents, Resource};
use crate::history::History;
use crate::reply::{Answer, Reply};
use crate::state::{ResourceGroup, State};
use crate::workspace::{Workspace, WorkspaceKey};

/// What a workspace is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceSpec {
    /// Subscription id.
    pub subscription: String,
    /// Resource group; made where there is none.
    pub group: String,
    /// Name.
    pub name: String,
    /// Region, such as `westeurope`.
    pub location: String,
    /// Name of its storage account; made up where it is not said. One that exists is shared, as Azure allows.
    pub account: Option<String>,
    /// `properties.workspaceId`; made up where it is not said.
    pub guid: Option<String>,
}

impl WorkspaceSpec {
    /// A specification.
    pub fn new(subscription: &str, group: &str, name: &str, location: &str) -> Self {
        Self {
            subscription: subscription.to_owned(),
            group: group.to_owned(),
            name: name.to_owned(),
            location: location.to_owned(),
            account: None,
            guid: None,
        }
    }
}

/// Makes a workspace as Azure does: storage account, containers, shares, default datastores. Answers its key.
pub fn create(state: &mut State, spec: &WorkspaceSpec, now: Timestamp) -> WorkspaceKey {
    let mut workspace = build(state, spec, now);
    add_datastores(state, &mut workspace, now);
    for id in render::beside(&workspace) {
        beside::add(state, &id);
    }
    let key = workspace.key();
    state.workspaces.insert(key.clone(), workspace);
    key
}

/// One with its group and storage account, which nobody knows of yet.
pub(super) fn build(state: &mut State, spec: &WorkspaceSpec, now: Timestamp) -> Workspace {
    if state.group(&spec.subscription, &spec.group).is_none() {
        state.add_group(ResourceGroup {
            subscription: spec.subscription.clone(),
            name: spec.group.clone(),
            location: spec.location.clone(),
        });
    }
    let (fresh, share_guid) = (state.guid(), state.guid());
    let guid = spec.guid.clone().unwrap_or(fresh);
    let salt = state.random.random();
    let account = create_account(state, spec);
    let blob_container = format!("azureml-blobstore-{guid}");
    let notebook_share = format!("code-{share_guid}");
    if let Some(found) = state.accounts.get_mut(&account) {
        for container in [&blob_container, "azureml"] {
            found.blobs.create_container(container, now);
        }
        for share in [&notebook_share, &format!("azureml-filestore-{guid}")] {
            found.shares.create_share(share, now);
        }
    }
    Workspace {
        subscription: spec.subscription.clone(),
        group: spec.group.clone(),
        name: spec.name.clone(),
        guid,
        location: spec.location.clone(),
        account,
        blob_container,
        notebook_share,
        body: Map::new(),
        created: now,
        modified: now,
        ready: now,
        deleted: None,
        documents: Documents::default(),
        assignments: Vec::new(),
        registry: false,
        history: History::new(salt),
        metrics: Default::default(),
        artifacts: Default::default(),
        mlflow: Default::default(),
    }
}

fn create_account(state: &mut State, spec: &WorkspaceSpec) -> String {
    let letters = spec.name.chars().filter(char::is_ascii_alphanumeric);
    let letters = letters.take(12).collect::<String>().to_lowercase();
    let number = state.random.random_range(0..100_000_000);
    let name = spec
        .account
        .clone()
        .unwrap_or_else(|| format!("st{letters}{number:08}"));
    if state.accounts.contains_key(&name) {
        return name;
    }
    let arm_id = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{name}",
        spec.subscription, spec.group
    );
    let mut account = Account::new(name.clone(), arm_id, &mut state.random);
    account.location.clone_from(&spec.location);
    state.accounts.insert(name.clone(), account);
    name
}

/// The four datastores that every workspace has (aml-api 2.1).
fn add_datastores(state: &State, workspace: &mut Workspace, now: Timestamp) {
    let Some(account) = state.accounts.get(&workspace.account) else {
        return;
    };
    let filestore = format!("azureml-filestore-{}", workspace.guid);
    let stores = [
        (
            "workspaceblobstore",
            "AzureBlob",
            "containerName",
            workspace.blob_container.clone(),
        ),
        (
            "workspaceartifactstore",
            "AzureBlob",
            "containerName",
            "azureml".to_owned(),
        ),
        (
            "workspaceworkingdirectory",
            "AzureFile",
            "fileShareName",
            workspace.notebook_share.clone(),
        ),
        (
            "workspacefilestore",
            "AzureFile",
            "fileShareName",
            filestore,
        ),
    ];
    for (name, kind, member, store) in stores {
        let mut properties = json!({
            "datastoreType": kind, "accountName": account.name, "endpoint": state.cloud.storage_suffix(), "protocol": "https",
            "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey"}},
            "description": null, "tags": {}, "properties": {}, "isDefault": name == "workspaceblobstore",
            "serviceDataAccessAuthIdentity": "None", "subscriptionId": workspace.subscription, "resourceGroup": workspace.group,
        });
        properties[member] = json!(store);
        let body = Map::from_iter([("properties".to_owned(), properties)]);
        let secrets = json!({"secretsType": "AccountKey", "key": account.keys[0]});
        let mut resource = Resource::new(name, body, "simulator", now);
        resource.secrets = Some(secrets);
        workspace.documents.put("datastores", resource);
    }
}

/// Lists workspaces of a subscription or resource group.
pub(crate) fn list(
    call: &Call,
    state: &State,
    subscription: &str,
    of_group: Option<&str>,
) -> Answer {
    if let Some(name) = of_group
        && state.group(subscription, name).is_none()
    {
        return Err(group::no_group(name));
    }
    let rows: Vec<&Workspace> = state
        .workspaces
        .iter()
        .filter(|(key, workspace)| {
            let is_ours = key.is_in(subscription, of_group) && !key.is_registry();
            is_ours && workspace.deleted.is_none()
        })
        .map(|(_, workspace)| workspace)
        .collect();
    let tenant = &state.directory.tenant;
    page::answer(call, state, &rows, None, |workspace| {
        render::workspace(workspace, &state.cloud, tenant, call.now)
    })
}

/// GET, PUT, PATCH, DELETE of a workspace and the POSTs on it.
pub(crate) fn one(call: &Call, state: &mut State, key: &WorkspaceKey, rest: &[String]) -> Answer {
    match (&call.method, rest) {
        (&Method::GET, []) => {
            let workspace = state.workspace(key).ok_or_else(|| no_workspace(call))?;
            ok(&render::workspace(
                workspace,
                &state.cloud,
                &state.directory.tenant,
                call.now,
            ))
        }
        (&Method::PUT | &Method::PATCH, []) => put(call, state, key),
        (&Method::DELETE, []) => delete(call, state, key),
        (&Method::POST, [action]) => post(call, state, key, &action.to_lowercase()),
        _ => Err(method_not_allowed(call)),
    }
}

fn post(call: &Call, state: &State, key: &WorkspaceKey, action: &str) -> Answer {
    let workspace = state.workspace(key).ok_or_else(|| no_workspace(call))?;
    let account = state
        .accounts
        .get(&workspace.account)
        .ok_or_else(|| no_workspace(call))?;
    match action {
        "liststorageaccountkeys" => ok(&json!({"userStorageKey": account.keys[0]})),
        "listkeys" => ok(&json!({
            "userStorageKey": account.keys[0], "userStorageArmId": account.arm_id, "userStorageResourceId": account.arm_id,
            "appInsightsInstrumentationKey": workspace.guid, "containerRegistryCredentials": null, "notebookAccessKeys": null,
        })),
        _ => Err(unknown_route(call)),
    }
}

fn put(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    let Value::Object(mut body) = call.json()? else {
        return Err(bad_request(
            "InvalidRequestContent",
            "The body must be an object.",
        ));
    };
    if call.method == Method::PATCH && state.workspace(key).is_none() {
        return Err(no_workspace(call));
    }
    recovery::admit(state, key, &mut body)?;
    let account = beside::check(state, &body)?;
    if !state.workspaces.contains_key(key) {
        let location = body
            .get("location")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let Some(location) = location else {
            return Err(bad_request(
                "LocationRequired",
                "The location property is required for this definition.",
            ));
        };
        if state.group(call.segment(1), call.segment(3)).is_none() {
            return Err(group::no_group(call.segment(3)));
        }
        let spec = WorkspaceSpec::new(call.segment(1), call.segment(3), call.segment(7), &location);
        create(state, &WorkspaceSpec { account, ..spec }, call.now);
    }
    let ends = later(call.now, state.settings.operation);
    let workspace = state
        .workspaces
        .get_mut(key)
        .ok_or_else(|| no_workspace(call))?;
    for name in ["id", "name", "type", "systemData", "location"] {
        body.remove(name);
    }
    merge(&mut workspace.body, body);
    workspace.deleted = None;
    workspace.modified = call.now;
    workspace.ready = ends;
    let (subscription, location, id) = (
        workspace.subscription.clone(),
        workspace.location.clone(),
        workspace.arm_id(),
    );
    let at = (
        subscription.as_str(),
        location.as_str(),
        "workspaceOperationsStatus",
    );
    Ok(operation::start(
        call,
        state,
        Reply::empty(StatusCode::ACCEPTED),
        at,
        Told::ByLocation,
        Some(id),
    ))
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if name == "properties" => {
                old.extend(new)
            }
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

fn delete(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    let purge = call.query.is("forceToPurge", "true");
    let Some(found) = state
        .workspaces
        .get_mut(key)
        .filter(|found| purge || found.deleted.is_none())
    else {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    let (subscription, location) = (found.subscription.clone(), found.location.clone());
    if purge {
        state.workspaces.remove(key);
    } else {
        recovery::delete(found, call.now);
    }
    let at = (
        subscription.as_str(),
        location.as_str(),
        "workspaceOperationsStatus",
    );
    Ok(operation::start(
        call,
        state,
        Reply::empty(StatusCode::ACCEPTED),
        at,
        Told::ByLocation,
        None,
    ))
}
