//! The workspace itself: each published field of it that a client writes is set, and a workspace that is made with
//! `--create-workspace` has it as it was, or it stands in a list with the reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use workspace::pointer::Pointer;

use super::corpus::each_leaf;
use super::models::{FieldName, Maker, Models, Spot};
use crate::restore::create::Site;
use crate::specification::{beside, say};

/// The model of a workspace's document.
pub(super) const ROOT: &str = "Workspace";

/// Resources that are nobody's in this cloud, and stay as they are named.
const OUTSIDE: &str =
    "/subscriptions/f0000000-0000-4000-8000-00000000000f/resourceGroups/rg-shared";

/// Fields that a new workspace is made without, and why.
const LEFT: &[(&str, &str)] = &[
    (
        "/properties/associatedWorkspaces",
        "those of a hub name it, and it names none",
    ),
    (
        "/properties/discoveryUrl",
        "the service writes it, though the model says otherwise",
    ),
    (
        "/properties/featureStoreSettings/offlineStoreConnectionName",
        "the connection is not there yet",
    ),
    (
        "/properties/featureStoreSettings/onlineStoreConnectionName",
        "the connection is not there yet",
    ),
    (
        "/properties/imageBuildCompute",
        "the compute is not there yet; a command sets it",
    ),
    (
        "/properties/managedNetwork/outboundRules",
        "each is an item of its own",
    ),
    (
        "/properties/managedNetwork/status",
        "the service tells how far its network is",
    ),
];

/// Resources beside the source that its document names, and those that take their place.
struct Named {
    moved: Vec<(String, String)>,
}

impl Named {
    fn of_type(&self, part: &str) -> &str {
        let mut moved = self.moved.iter();
        let (from, _) = moved.find(|(from, _)| from.contains(part)).unwrap();
        from
    }

    /// What a field is that must lead somewhere, or be one of few words.
    fn sample(&self, spot: &Spot<'_>) -> Option<Value> {
        let vault = self.of_type("/vaults/");
        let identity = self.of_type("/userAssignedIdentities/");
        Some(match (spot.model, spot.field) {
            (_, "location") => json!("westeurope"),
            (ROOT, "kind") => json!("Default"),
            ("ManagedServiceIdentity", "type") => json!("SystemAssigned,UserAssigned"),
            (_, "userAssignedIdentities") => json!({identity: {}}),
            (_, "primaryUserAssignedIdentity" | "userAssignedIdentity") => json!(identity),
            (_, "storageAccount") => json!(self.of_type("/storageAccounts/")),
            (_, "applicationInsights") => json!(self.of_type("/components/")),
            (_, "containerRegistry") => json!(self.of_type("/registries/")),
            (_, "keyVault" | "keyVaultArmId") => json!(vault),
            (_, "keyIdentifier") => {
                let name = vault.rsplit('/').next().unwrap();
                json!(format!("https://{name}.vault.azure.net/keys/cmk/1"))
            }
            (_, "imageBuildCompute") => json!("cpu-cluster"),
            (_, "isolationMode") => json!("AllowOnlyApprovedOutbound"),
            (_, "outboundRules") => {
                json!({"pypi": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"}})
            }
            (_, "hubResourceId") => json!(format!(
                "{OUTSIDE}/providers/Microsoft.MachineLearningServices/workspaces/ws-hub"
            )),
            (_, "associatedWorkspaces") => json!([]),
            (_, "additionalWorkspaceStorageAccounts") => json!([format!(
                "{OUTSIDE}/providers/Microsoft.Storage/storageAccounts/stshared"
            )]),
            (_, "defaultWorkspaceResourceGroup") => json!(OUTSIDE),
            (
                _,
                "cosmosDbResourceId"
                | "searchAccountResourceId"
                | "storageAccountResourceId"
                | "serverlessComputeCustomSubnet"
                | "privateLinkResourceId",
            ) => json!(format!("{OUTSIDE}/providers/Microsoft.Shared/things/it")),
            _ => return None,
        })
    }
}

fn made(models: &Models, named: &Named) -> (Vec<Value>, BTreeSet<FieldName>) {
    let sample = |spot: &Spot<'_>| named.sample(spot);
    let mut maker = Maker::new(models, &sample);
    let documents = maker.documents(ROOT);
    (documents, maker.set)
}

/// The fields that the documents of this file set.
pub(super) fn set(models: &Models) -> BTreeSet<FieldName> {
    let types = [
        "storageAccounts",
        "vaults",
        "components",
        "registries",
        "userAssignedIdentities",
    ];
    let moved = types
        .map(|of| (format!("/{of}/it"), String::new()))
        .to_vec();
    made(models, &Named { moved }).1
}

/// The last part of an id.
fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_published_field_of_a_workspace_is_in_one_that_is_made_of_it_or_is_left_for_a_reason()
{
    let Some(folder) = beside("shared/azure/swagger") else {
        return;
    };
    let models = Models::load(&folder);
    let mut site = Site::new().await;
    for (of, from, to) in [
        (
            "Microsoft.ContainerRegistry/registries",
            "crsource",
            "crnew",
        ),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            "id-source",
            "id-new",
        ),
    ] {
        site.add_resource(of, from, to);
    }
    let named = Named {
        moved: site.resources(),
    };
    let (documents, set) = made(&models, &named);
    let [document] = &documents[..] else {
        panic!("one document has them all: {documents:#?}");
    };
    site.change_source(document).await;
    let plan = site.plan(&site.request()).await.unwrap();
    let outline = site.apply(&plan).await.unwrap();
    assert!(outline.failures.is_empty(), "{:#?}", outline.failures);

    let mut wished = document.to_string();
    for (from, to) in &named.moved {
        wished = wished.replace(from, to);
        wished = wished.replace(
            &format!("https://{}.vault", last(from)),
            &format!("https://{}.vault", last(to)),
        );
    }
    let mut wished: Value = serde_json::from_str(&wished).unwrap();
    wished["location"] = json!("northeurope");
    let found = site.made();
    let mut left = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut compared = 0;
    each_leaf(&wished, &mut Pointer::root(), &mut |at, value| {
        let pointer = at.to_string();
        let there = found.pointer(&pointer);
        // What the service adds to an identity is its own.
        let is_same = match value {
            Value::Object(_) => there.is_some_and(Value::is_object),
            value => there == Some(value),
        };
        compared += 1;
        let below = |field: &str| pointer == field || pointer.starts_with(&format!("{field}/"));
        match LEFT.iter().find(|(field, _)| below(field)) {
            _ if is_same => {}
            Some((field, _)) => drop(left.insert(*field)),
            None => wrong.push(format!("{pointer}: {value} became {there:?}")),
        }
    });
    say(&format!(
        "a workspace made anew: {} fields set, {compared} values compared; left out: {LEFT:#?}",
        set.len()
    ));
    assert!(wrong.is_empty(), "{wrong:#?}");
    let listed: BTreeSet<&str> = LEFT.iter().map(|(field, _)| *field).collect();
    assert_eq!(left, listed);
    assert!(compared > 40, "{compared}");
}
