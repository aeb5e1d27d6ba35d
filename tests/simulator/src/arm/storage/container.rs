//! Containers as resource manager sees them.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{PROVIDER, Place, conflict, hold, policy, properties, refused};
use crate::account::Account;
use crate::arm::{ok, operation, page};
use crate::blob::{BlobStore, Container, Metadata};
use crate::call::Call;
use crate::clock::iso;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

const TYPE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

/// The blob service that a place lies in; its account was looked up before.
pub(super) fn store<'a>(state: &'a State, place: &Place) -> Result<&'a BlobStore, Refusal> {
    let account = state.accounts.get(&place.account);
    account.map(|found| &found.blobs).ok_or_else(gone)
}

/// The same, to change it.
pub(super) fn store_mut<'a>(
    state: &'a mut State,
    place: &Place,
) -> Result<&'a mut BlobStore, Refusal> {
    let account = state.accounts.get_mut(&place.account);
    account.map(|found| &mut found.blobs).ok_or_else(gone)
}

fn gone() -> Refusal {
    let text = "The storage account was not found.";
    Refusal::arm(StatusCode::NOT_FOUND, "ResourceNotFound", text)
}

/// All containers of an account.
pub(super) fn list(call: &Call, state: &State, account: &Account) -> Answer {
    let rows: Vec<(&str, &Container)> = account.blobs.iter().collect();
    let base = format!("{}/blobServices/default/containers", account.arm_id);
    page::answer(call, state, &rows, None, |(name, container)| {
        document(
            &format!("{base}/{name}"),
            name,
            container,
            (&account.blobs, call.now),
            &state.directory.tenant,
        )
    })
}

/// One container.
pub(super) fn show(state: &State, place: &Place) -> Answer {
    let blobs = store(state, place)?;
    let container = blobs
        .container(&place.container)
        .map_err(|error| refused(&error))?;
    let tenant = &state.directory.tenant;
    let now = container.modified;
    ok(&document(
        &place.id,
        &place.container,
        container,
        (blobs, now),
        tenant,
    ))
}

fn document(
    id: &str,
    name: &str,
    container: &Container,
    (blobs, now): (&BlobStore, Timestamp),
    tenant: &str,
) -> Value {
    let worm = &container.worm;
    let (status, lease) = blobs.lease_of_container(name, now);
    let mut properties = json!({
        "publicAccess": "None", "leaseStatus": status, "leaseState": lease,
        "lastModifiedTime": iso(container.modified), "metadata": container.metadata,
        "hasImmutabilityPolicy": worm.policy.is_some(), "hasLegalHold": !worm.holds.is_empty(),
    });
    if let Some(policy) = &worm.policy {
        properties["immutabilityPolicy"] = policy::within_container(policy, tenant);
    }
    if !worm.holds.is_empty() {
        properties["legalHold"] = hold::within_container(&worm.holds, tenant);
    }
    if worm.of_versions {
        properties["immutableStorageWithVersioning"] = json!({"enabled": true});
    }
    json!({"id": id, "name": name, "type": TYPE, "etag": format!("\"{}\"", container.etag), "properties": properties})
}

/// Makes or changes a container. Immutable storage with versioning comes with its making, and needs versions.
pub(super) fn put(call: &Call, state: &mut State, place: &Place) -> Answer {
    let body = call.json()?;
    let wanted = properties(&body);
    let metadata = wanted.get("metadata").and_then(Value::as_object);
    let metadata: Option<Metadata> = metadata.map(|pairs| {
        let pairs = pairs.iter();
        pairs
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
            .collect()
    });
    let of_versions = wanted
        .pointer("/immutableStorageWithVersioning/enabled")
        .and_then(Value::as_bool);
    let blobs = store_mut(state, place)?;
    let name = place.container.as_str();
    let exists = blobs.container(name).is_ok();
    if !exists && call.method == Method::PATCH {
        let missing = blobs.container(name).err();
        return Err(missing.map_or_else(gone, |error| refused(&error)));
    }
    let enabled = exists && blobs.container(name).is_ok_and(|it| it.worm.of_versions);
    match of_versions {
        Some(false) if enabled => {
            return Err(conflict(
                "ImmutableStorageWithVersioningCannotBeDisabled",
                "Immutable storage with versioning cannot be taken from a container.",
            ));
        }
        Some(true) if exists && !enabled => {
            return Err(conflict(
                "ContainerMigrationRequired",
                "An existing container must be migrated to immutable storage with versioning.",
            ));
        }
        Some(true) if !blobs.versioning => return Err(versions_needed()),
        _ => {}
    }
    if !exists {
        blobs
            .create(name, Metadata::new(), call.now)
            .map_err(|error| refused(&error))?;
    }
    let changed = blobs.touch(name, call.now, |container| {
        container.worm.of_versions |= of_versions == Some(true);
        if let Some(metadata) = metadata {
            container.metadata = metadata;
        }
    });
    changed.map_err(|error| refused(&error))?;
    let status = if exists {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let reply = show(state, place)?;
    Ok(Reply { status, ..reply })
}

fn versions_needed() -> Refusal {
    conflict(
        "VersioningRequired",
        "Immutable storage with versioning needs blob versioning of the storage account.",
    )
}

/// Takes a container away: where it has a policy, only an empty one.
pub(super) fn delete(call: &Call, state: &mut State, place: &Place) -> Answer {
    let blobs = store_mut(state, place)?;
    let Ok(container) = blobs.container(&place.container) else {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    let worm = &container.worm;
    worm.check_container(true, container.is_empty())
        .map_err(|error| refused(&error))?;
    if blobs.lease_of_container(&place.container, call.now).0 == "Locked" {
        return Err(conflict(
            "LeaseIdMissing",
            "There is currently a lease on the container and no lease ID was specified in the request.",
        ));
    }
    blobs.remove(&place.container);
    Ok(Reply::empty(StatusCode::OK))
}

/// Makes a container one with policies of single blobs. It needs a policy, versions, and no hold.
pub(super) fn migrate(call: &Call, state: &mut State, place: &Place) -> Answer {
    let blobs = store_mut(state, place)?;
    if !blobs.versioning {
        return Err(versions_needed());
    }
    let container = blobs
        .container(&place.container)
        .map_err(|error| refused(&error))?;
    let worm = &container.worm;
    if worm.policy.is_none() || !worm.holds.is_empty() {
        return Err(conflict(
            "ContainerMigrationNotPossible",
            "A container that is migrated must have an immutability policy and no legal hold.",
        ));
    }
    let changed = blobs.touch(&place.container, call.now, |container| {
        container.worm.of_versions = true;
    });
    changed.map_err(|error| refused(&error))?;
    let location = state
        .accounts
        .get(&place.account)
        .map(|account| account.location.clone());
    let id = operation::register(call, state, Some(place.id.clone()));
    let url = format!(
        "{}/subscriptions/{}/providers/{PROVIDER}/locations/{}/asyncOperationResults/{id}?monitor=true&api-version={}",
        state.cloud.arm_url(),
        call.segment(1),
        location.unwrap_or_default(),
        call.query.get("api-version").unwrap_or_default()
    );
    Ok(Reply::empty(StatusCode::ACCEPTED)
        .with("location", url)
        .with("retry-after", "1"))
}
