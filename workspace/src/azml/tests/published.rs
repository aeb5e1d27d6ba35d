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
    // A literal input is its value.
    "/properties/inputs/*/jobInputType",
    "/properties/action/actionType",
    "/properties/model/referenceType",
    "/properties/osType",
    "/identity/userAssignedIdentities/*/principalId",
    "/identity/userAssignedIdentities/*/clientId",
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
    "/properties/properties/applicationSharingPolicy",
    "/properties/properties/computeInstanceAuthorizationType",
    "/properties/regionDetails/*/storageAccountDetails/*/systemCreatedStorageAccount/allowBlobPublicAccess",
    "/properties/properties/customServices/*/endpoints/*/name",
    "/properties/properties/customServices/*/environmentVariables/*/type",
    "/properties/properties/customServices/*/image/type",
    "/properties/properties/customServices/*/volumes/*/readOnly",
    "/properties/properties/sshSettings/sshPort",
    "/properties/properties/sshSettings/sshPublicAccess",
];

/// What need not stand in the YAML of a registry: it has the system's identity without a word.
const OF_REGISTRIES: &[&str] = &["/identity/type"];

/// The mapping and an item for what a folder of examples is about; ids and types in them are placeholders.
fn about(folder: &str) -> Option<(&'static AzMl, ItemId)> {
    let versioned = |kind: &str| ItemId::versioned(kind, "x", "1");
    Some(match folder {
        "EnvironmentVersion" => (&ENVIRONMENT, versioned("environments")),
        "ModelVersion" => (&MODEL, versioned("models")),
        "DataVersionBase" => (&DATA, versioned("data")),
        "CodeVersion" => (&CODE, versioned("codes")),
        "ComponentVersion" => (&COMPONENT, versioned("components")),
        "FeaturesetVersion" => (&FEATURE_SET, versioned("featuresets")),
        "FeaturestoreEntityVersion" => (&FEATURE_STORE_ENTITY, versioned("featurestoreEntities")),
        "Datastore" => (&DATASTORE, ItemId::new("datastores", "x")),
        "Job" => (&JOB, ItemId::new("jobs", "x")),
        "Schedule" => (&SCHEDULE, ItemId::new("schedules", "x")),
        "Compute" => (&COMPUTE, ItemId::new("computes", "x")),
        "WorkspaceConnection" => (&CONNECTION, ItemId::new("connections", "x")),
        "OnlineEndpoint" => (&ONLINE_ENDPOINT, ItemId::new("onlineEndpoints", "x")),
        "BatchEndpoint" => (&BATCH_ENDPOINT, ItemId::new("batchEndpoints", "x")),
        "ServerlessEndpoint" => (
            &SERVERLESS_ENDPOINT,
            ItemId::new("serverlessEndpoints", "x"),
        ),
        "MarketplaceSubscription" => (
            &MARKETPLACE_SUBSCRIPTION,
            ItemId::new("marketplaceSubscriptions", "x"),
        ),
        "Registries" => (&REGISTRY, ItemId::new("registries", "x")),
        "OnlineDeployment" => (&ONLINE_DEPLOYMENT, ItemId::new("onlineDeployments", "x/y")),
        "BatchDeployment" => (&BATCH_DEPLOYMENT, ItemId::new("batchDeployments", "x/y")),
        _ => return None,
    })
}

/// What the example files below a folder are about: the innermost folder that is known.
fn item(path: &Path) -> Option<(&'static AzMl, ItemId)> {
    let folder = path.parent().and_then(Path::file_name);
    // Its folder holds those of what lies in a workspace.
    if folder.is_some_and(|folder| folder == "Workspace") {
        return Some((&WORKSPACE, ItemId::new("workspaces", "x")));
    }
    path.iter().rev().find_map(|part| about(part.to_str()?))
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
            let members = |name: &str| value.get(name).and_then(Value::as_object);
            let asked = members("parameters").into_iter().flatten();
            found.extend(asked.map(|(_, body)| (path.clone(), body.clone())));
            let answers = members("responses").into_iter().flatten();
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
        let Some((azml, id)) =
            item(path).filter(|_| document.get("properties").is_some_and(Value::is_object))
        else {
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
                || given.read_only.iter().any(|own| at.is_below_or_at(own))
                || (id.kind == "registries"
                    && OF_REGISTRIES.iter().any(|own| at.is_below_or_at(own)));
            if !listed && !own && !says(&text, value) {
                missing.push(format!("{}: {at} = {value}", path.display()));
            }
        });
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(written > 60, "only {written} documents were written");
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
    (
        "SystemAssigned,UserAssigned",
        "system_assigned,user_assigned",
    ),
    ("ADLSGen2", "azure_data_lake_gen2"),
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
