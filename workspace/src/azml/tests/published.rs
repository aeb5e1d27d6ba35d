//! The published example documents: each value of one is in its YAML or in the list of what the YAML does not say.

use std::path::{Path, PathBuf};

use super::*;
use crate::pointer::Pointer;

/// Fields that a value of need not stand in the YAML: the service's own, or said by the item's name.
const SERVICES_OWN: &[&str] = &[
    "/id",
    "/name",
    "/type",
    "/kind",
    "/location",
    "/systemData",
    "/properties/provisioningState",
    "/properties/status",
    "/properties/scoringUri",
    "/properties/swaggerUri",
    "/properties/isDefault",
    "/properties/isAnonymous",
    "/properties/isArchived",
    "/properties/environmentType",
    "/properties/parameters",
    "/properties/computeLocation",
    "/properties/createdOn",
    "/properties/modifiedOn",
    "/properties/isAttachedCompute",
    "/properties/provisioningErrors",
    "/properties/disableLocalAuth",
    "/properties/endpointComputeType",
    "/properties/sourceJobId",
    "/properties/inferenceEndpoint",
    "/properties/endpointState",
    "/properties/marketplaceSubscriptionId",
    "/properties/marketplacePlan",
    "/properties/marketplaceSubscriptionStatus",
    "/properties/services",
    "/properties/limits/jobLimitsType",
    "/properties/isEnabled",
    "/properties/serviceDataAccessAuthIdentity",
    "/properties/referencedUris",
    "/properties/entry/sparkJobEntryType",
    "/properties/action/actionType",
    "/properties/model/referenceType",
    "/properties/osType",
    "/identity/principalId",
    "/identity/tenantId",
    "/sku/name",
    "/sku/tier",
    "/properties/properties/osType",
    "/properties/autoRebuild",
    "/properties/scaleSettings/scaleType",
    "/properties/createdByWorkspaceArmId",
    "/properties/group",
    "/properties/credentials/credentialsType",
    "/properties/materializationSettings/storeType",
    "/properties/properties/isolatedNetwork",
    "/properties/properties/remoteLoginPortPublicAccess",
];

fn table(collection: &str) -> Option<(&'static AzMl, &'static str)> {
    Some(match collection {
        "environments" => (&ENVIRONMENT, "environments"),
        "models" => (&MODEL, "models"),
        "data" => (&DATA, "data"),
        "datastores" => (&DATASTORE, "datastores"),
        "components" => (&COMPONENT, "components"),
        "jobs" => (&JOB, "jobs"),
        "schedules" => (&SCHEDULE, "schedules"),
        "computes" => (&COMPUTE, "computes"),
        "connections" => (&CONNECTION, "connections"),
        "onlineendpoints" => (&ONLINE_ENDPOINT, "onlineEndpoints"),
        "batchendpoints" => (&BATCH_ENDPOINT, "batchEndpoints"),
        "serverlessendpoints" => (&SERVERLESS_ENDPOINT, "serverlessEndpoints"),
        "marketplacesubscriptions" => (&MARKETPLACE_SUBSCRIPTION, "marketplaceSubscriptions"),
        "featuresets" => (&FEATURE_SET, "featuresets"),
        "featurestoreentities" => (&FEATURE_STORE_ENTITY, "featurestoreEntities"),
        "onlineendpoints/deployments" => (&ONLINE_DEPLOYMENT, "onlineDeployments"),
        "batchendpoints/deployments" => (&BATCH_DEPLOYMENT, "batchDeployments"),
        _ => return None,
    })
}

/// The item that a document is, by its `type` and `id`; containers of versions are none here.
fn item(document: &Value) -> Option<(&'static AzMl, ItemId)> {
    let sort = document.get("type")?.as_str()?.to_ascii_lowercase();
    let collection = sort.split_once("/workspaces/")?.1;
    let parts: Vec<&str> = document.get("id")?.as_str()?.split('/').collect();
    let last = |back: usize| parts.get(parts.len().checked_sub(back)?).copied();
    if let Some(kind) = collection.strip_suffix("/versions") {
        let (azml, kind) = table(kind)?;
        return Some((azml, ItemId::versioned(kind, last(3)?, last(1)?)));
    }
    let (azml, kind) = table(collection)?;
    if Kind::find(kind).is_some_and(|kind| kind.versioned) || kind.starts_with("feature") {
        return None;
    }
    Some(match collection.ends_with("/deployments") {
        true => (
            azml,
            ItemId::new(kind, format!("{}/{}", last(3)?, last(1)?)),
        ),
        false => (azml, ItemId::new(kind, last(1)?)),
    })
}

fn documents(folder: &Path, found: &mut Vec<(PathBuf, Value)>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            documents(&path, found);
        } else if let Ok(text) = std::fs::read(&path)
            && let Ok(value) = serde_json::from_slice::<Value>(&text)
        {
            let answers = value
                .get("responses")
                .and_then(Value::as_object)
                .into_iter()
                .flatten();
            for body in answers.filter_map(|(_, answer)| answer.get("body")) {
                match body.get("value").and_then(Value::as_array) {
                    Some(rows) => found.extend(rows.iter().map(|row| (path.clone(), row.clone()))),
                    None => found.push((path.clone(), body.clone())),
                }
            }
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn every_value_of_a_published_document_is_in_its_yaml_or_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/azure/examples");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let mut found = Vec::new();
    documents(&folder, &mut found);
    let (mut written, mut missing) = (0, Vec::new());
    for (path, document) in &found {
        let Some((azml, id)) = item(document) else {
            continue;
        };
        let identity = source();
        let given = Given {
            id: &id,
            document,
            identity: &identity,
            files: &[],
            neighbours: &BTreeMap::new(),
            read_only: Kind::find(&id.kind).map_or(&[], |kind| kind.read_only_of(&id)),
        };
        let Ok(sheet) = azml.sheet(&given) else {
            continue;
        };
        written += 1;
        let text: String = sheet.files.iter().map(|(_, text)| text.as_str()).collect();
        each_leaf(document, &mut Pointer::root(), &mut |at, value| {
            let listed = sheet
                .left
                .iter()
                .any(|left| at.to_string().starts_with(&left.pointer));
            let own = SERVICES_OWN.iter().any(|own| at.is_below_or_at(own))
                || given.read_only.iter().any(|own| at.is_below_or_at(own));
            if !listed && !own && !says(&text, value) {
                missing.push(format!("{}: {at} = {value}", path.display()));
            }
        });
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(written > 10, "only {written} documents were written");
}

fn each_leaf(value: &Value, at: &mut Pointer, visit: &mut dyn FnMut(&Pointer, &Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            at.push(name.as_str());
            each_leaf(value, at, visit);
            at.pop();
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            at.push(index.to_string());
            each_leaf(value, at, visit);
            at.pop();
        }),
        Value::Null => {}
        leaf => visit(at, leaf),
    }
}

/// Words of the YAML that are not ARM's in snake case.
const WORDS: &[(&str, &str)] = &[
    ("ReadOnlyMount", "ro_mount"),
    ("ReadWriteMount", "rw_mount"),
    ("ADLSGen2", "azure_data_lake_gen_2"),
];

/// Whether a YAML says a value: as it is, as the YAML's word for it, or as a number of units of time.
fn says(text: &str, value: &Value) -> bool {
    match value {
        Value::String(said) => {
            let last = said.rsplit('/').next().unwrap_or_default();
            let known = WORDS
                .iter()
                .any(|(from, to)| from == said && text.contains(to));
            let lower = text.to_lowercase();
            known
                || text.contains(said.as_str())
                || text.contains(&word::snake(said))
                || lower.contains(&said.to_lowercase())
                || lower.contains(&last.to_lowercase())
                || [1, 1_000, 60_000].iter().any(|unit| {
                    word::duration(said, *unit)
                        .is_some_and(|number| text.contains(&number.to_string()))
                })
        }
        value => text.contains(&value.to_string()),
    }
}
