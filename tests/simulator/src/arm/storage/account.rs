//! Storage accounts and their blob service.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{PROVIDER, conflict, properties};
use crate::account::Account;
use crate::arm::{group, method_not_allowed, ok, page};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The list of a resource group, or of a subscription.
pub(super) fn list(call: &Call, state: &State) -> Answer {
    let below = call.raw_path.to_lowercase();
    let above = below
        .rsplit_once("/providers/")
        .map_or("", |(above, _)| above);
    let of = |account: &&Account| {
        let id = account.arm_id.to_lowercase();
        id.strip_prefix(above)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let rows: Vec<&Account> = state.accounts.values().filter(of).collect();
    page::answer(call, state, &rows, None, |account| document(account, state))
}

/// One account.
pub(super) fn show(account: &Account, state: &State) -> Answer {
    ok(&document(account, state))
}

fn document(account: &Account, state: &State) -> Value {
    let name = &account.name;
    let mut properties = account.properties.clone();
    let endpoint = |url: String| format!("{url}/");
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties
        .entry("accessTier")
        .or_insert_with(|| json!("Hot"));
    properties
        .entry("isHnsEnabled")
        .or_insert_with(|| json!(account.blobs.hierarchical));
    properties.insert(
        "primaryEndpoints".to_owned(),
        json!({
            "blob": endpoint(state.cloud.blob_url(name)), "file": endpoint(state.cloud.file_url(name)),
            "dfs": endpoint(state.cloud.dfs_url(name)),
        }),
    );
    json!({
        "id": account.arm_id, "name": name, "type": "Microsoft.Storage/storageAccounts", "kind": "StorageV2",
        "location": account.location, "tags": {}, "sku": {"name": "Standard_LRS", "tier": "Standard"}, "properties": properties,
    })
}

/// Makes an account. Azure may answer 202 and take its time; 200 is among its answers too.
pub(super) fn create(call: &Call, state: &mut State, name: &str) -> Answer {
    let body = call.json()?;
    let (subscription, of_group) = (call.segment(1), call.segment(3));
    if state.group(subscription, of_group).is_none() {
        return Err(group::no_group(of_group));
    }
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/{of_group}/providers/{PROVIDER}/storageAccounts/{name}"
    );
    let mut account = Account::new(name, id, &mut state.random);
    if let Some(location) = body.get("location").and_then(Value::as_str) {
        account.location = location.to_owned();
    }
    let wanted = properties(&body).as_object().cloned().unwrap_or_default();
    account.blobs.hierarchical = wanted
        .get("isHnsEnabled")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    account.properties = wanted;
    state.accounts.insert(name.to_owned(), account);
    shown(state, name)
}

/// Changes an account's properties, and keeps what it does not know.
pub(super) fn change(call: &Call, state: &mut State, name: &str) -> Answer {
    let body = call.json()?;
    let wanted = properties(&body).as_object().cloned().unwrap_or_default();
    if let Some(account) = state.accounts.get_mut(name) {
        account.properties.extend(wanted);
    }
    shown(state, name)
}

fn shown(state: &State, name: &str) -> Answer {
    let document = state
        .accounts
        .get(name)
        .map(|account| document(account, state));
    ok(&document.unwrap_or_default())
}

/// Takes an account away, with all that is in it; not where blobs must stay.
pub(super) fn delete(state: &mut State, name: &str) -> Answer {
    let keeps = state.accounts.get(name).is_some_and(|account| {
        account.blobs.iter().any(|(_, container)| {
            let worm = &container.worm;
            let kept = worm.policy.is_some() || worm.of_versions || !worm.holds.is_empty();
            kept && !container.is_empty()
        })
    });
    if keeps {
        return Err(conflict(
            "AccountProtectedFromDeletion",
            "The storage account has a container with an immutability policy or a legal hold.",
        ));
    }
    state.accounts.remove(name);
    Ok(Reply::empty(StatusCode::OK))
}

/// `POST …/listKeys`.
pub(super) fn keys(account: &Account) -> Answer {
    let keys = ["key1", "key2"].iter().zip(&account.keys);
    let keys: Vec<Value> = keys
        .map(|(key, value)| json!({"keyName": key, "value": value, "permissions": "FULL"}))
        .collect();
    ok(&json!({"keys": keys}))
}

/// `…/blobServices/default`: whether writes leave versions behind. What else is written is kept.
pub(super) fn blob_service(call: &Call, state: &mut State, name: &str) -> Answer {
    let body = call.json()?;
    let Some(account) = state.accounts.get_mut(name) else {
        return Err(method_not_allowed(call));
    };
    match call.method {
        Method::GET => {}
        Method::PUT => {
            let wanted = properties(&body).as_object().cloned().unwrap_or_default();
            let versioning = wanted.get("isVersioningEnabled").and_then(Value::as_bool);
            let needed = account.blobs.iter().any(|(_, it)| it.worm.of_versions);
            if needed && versioning == Some(false) {
                return Err(conflict(
                    "VersioningRequired",
                    "Versioning cannot be disabled while a container has immutable storage with versioning.",
                ));
            }
            account.blobs.versioning = versioning.unwrap_or(account.blobs.versioning);
            account.blob_service.extend(wanted);
        }
        _ => return Err(method_not_allowed(call)),
    }
    let mut properties: Map<String, Value> = account.blob_service.clone();
    properties.insert(
        "isVersioningEnabled".to_owned(),
        json!(account.blobs.versioning),
    );
    ok(&json!({
        "id": format!("{}/blobServices/default", account.arm_id), "name": "default",
        "type": "Microsoft.Storage/storageAccounts/blobServices", "properties": properties,
    }))
}
