//! The workspace itself with its settings, and who may do what in it.

use serde_json::Value;

use super::{ByHand, Command, Kind, Origin, PLAIN, definition};
use crate::Identity;

/// Api-versions of the workspace itself, the wished one first.
pub(crate) const API_VERSIONS: &[&str] = &["2025-12-01", "2025-06-01", "2024-10-01", "2024-04-01"];

pub(super) static ROW: Kind = Kind {
    name: "workspaces",
    singular: "workspace",
    origin: Origin::Workspace,
    api_versions: API_VERSIONS,
    free_text: &[
        "/tags/**",
        "/properties/description",
        "/properties/friendlyName",
    ],
    bare_names: &[
        definition::compute("/properties/imageBuildCompute"),
        definition::named(
            "/properties/featureStoreSettings/offlineStoreConnectionName",
            &["connections"],
        ),
        definition::named(
            "/properties/featureStoreSettings/onlineStoreConnectionName",
            &["connections"],
        ),
    ],
    region_fields: &["/location"],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/etag",
        "/systemData",
        "/identity/principalId",
        "/identity/tenantId",
        "/identity/userAssignedIdentities/*/principalId",
        "/identity/userAssignedIdentities/*/clientId",
        "/properties/discoveryUrl",
        "/properties/mlFlowTrackingUri",
        "/properties/notebookInfo",
        "/properties/privateEndpointConnections",
        "/properties/privateLinkCount",
        "/properties/provisioningState",
        "/properties/serviceProvisionedResourceGroup",
        "/properties/storageHnsEnabled",
        "/properties/tenantId",
        "/properties/workspaceId",
    ],
    create_only: &[
        "/location",
        "/properties/keyVault",
        "/properties/storageAccount",
        "/properties/hbiWorkspace",
        "/properties/encryption",
    ],
    hides: true,
    order: 1,
    order_reason: "everything else lies in it",
    losses: &[(
        "the workspace's own settings",
        "the target is a workspace of its own, with its own storage, key vault and network",
        "set what it should share with the source",
    )],
    by_hand: settings,
    azml: Some(&crate::azml::WORKSPACE),
    ..PLAIN
};

pub(super) static ROLE_ASSIGNMENT: Kind = Kind {
    name: "roleAssignments",
    singular: "role assignment",
    origin: Origin::Authorization,
    // Of Microsoft.Authorization.
    api_versions: &["2022-04-01", "2020-04-01-preview"],
    // Assignments here and above; those above are none of the workspace's own.
    list_query: &[("$filter", "atScope()")],
    free_text: &["/properties/description", "/properties/condition"],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/properties/createdOn",
        "/properties/updatedOn",
        "/properties/createdBy",
        "/properties/updatedBy",
    ],
    order: 118,
    order_reason: "who may do what is the last thing to settle",
    losses: &[(
        "the assignment",
        "it lets somebody in, which a person decides",
        "assign the role on the target",
    )],
    by_hand: assignment,
    ..PLAIN
};

/// Options of `az ml workspace update` for settings that people choose.
const SETTINGS: &[(&str, &str)] = &[
    ("/properties/description", "--description"),
    ("/properties/friendlyName", "--display-name"),
    ("/properties/imageBuildCompute", "--image-build-compute"),
    ("/properties/publicNetworkAccess", "--public-network-access"),
];

/// The settings of the source that the target has otherwise, and what lies in services beside it.
fn settings(hand: &ByHand<'_>) -> Vec<Command> {
    let mut commands: Vec<Command> = own_settings(hand).into_iter().collect();
    let named = |pointer: &str| -> Option<(String, String)> {
        let id = hand.document.pointer(pointer)?.as_str()?;
        Some((id.to_owned(), id.rsplit('/').next()?.to_owned()))
    };
    if let Some((_, name)) = named("/properties/keyVault") {
        let query = ["--query", "[].name", "--output", "tsv"];
        let words = ["az", "keyvault", "secret", "list", "--vault-name", &name];
        commands.push(Command {
            what: format!("copy the secrets that jobs read from the key vault {name}"),
            why: "what people put into a key vault is in no snapshot",
            words: words.into_iter().chain(query).map(str::to_owned).collect(),
            ..Command::default()
        });
    }
    if let Some((id, name)) = named("/properties/applicationInsights") {
        let words = [
            "az",
            "monitor",
            "app-insights",
            "component",
            "show",
            "--ids",
            &id,
        ];
        commands.push(Command {
            what: format!("keep what {name} has recorded"),
            why: "logs of endpoints lie in Application Insights, and no restore copies them",
            words: words.map(str::to_owned).to_vec(),
            ..Command::default()
        });
    }
    commands
}

fn own_settings(hand: &ByHand<'_>) -> Option<Command> {
    let Identity::Azure {
        subscription,
        resource_group,
        workspace,
        ..
    } = hand.target
    else {
        return None;
    };
    let mut options: Vec<String> = Vec::new();
    let actual = |pointer: &str| hand.actual.and_then(|actual| actual.pointer(pointer));
    for (pointer, option) in SETTINGS {
        let own = hand.document.pointer(pointer);
        // A name for people that nobody gave is the workspace's own.
        let own = own.filter(|own| actual(pointer) != Some(own) && *own != &hand.id.name);
        if let Some(text) = own.and_then(Value::as_str).filter(|text| !text.is_empty()) {
            options.extend([(*option).to_owned(), text.to_owned()]);
        }
    }
    let tags = hand.document.pointer("/tags").and_then(Value::as_object);
    for (name, value) in tags.into_iter().flatten() {
        let there = actual("/tags").and_then(|tags| tags.get(name));
        if let Some(text) = value.as_str().filter(|_| there != Some(value)) {
            options.extend(["--set".to_owned(), format!("tags.{name}={text}")]);
        }
    }
    if options.is_empty() {
        return None;
    }
    let words = [
        "az",
        "ml",
        "workspace",
        "update",
        "--subscription",
        subscription,
        "--resource-group",
        resource_group,
        "--name",
        workspace,
    ];
    Some(Command {
        what: "give the target the settings of the source".to_owned(),
        why: "the target is a workspace of its own, and keeps its own settings",
        words: words
            .into_iter()
            .map(str::to_owned)
            .chain(options)
            .collect(),
        ..Command::default()
    })
}

/// Lets somebody into the target who was let into the source.
fn assignment(hand: &ByHand<'_>) -> Vec<Command> {
    let text = |pointer: &str| hand.document.pointer(pointer).and_then(Value::as_str);
    let role = text("/properties/roleDefinitionId").and_then(|id| id.rsplit('/').next());
    let (Some(principal), Some(role), Some(scope)) =
        (text("/properties/principalId"), role, hand.target.arm_id())
    else {
        return Vec::new();
    };
    let mut words = vec![
        "az",
        "role",
        "assignment",
        "create",
        "--assignee-object-id",
        principal,
        "--role",
        role,
        "--scope",
        &scope,
    ];
    for (pointer, option) in [
        ("/properties/principalType", "--assignee-principal-type"),
        ("/properties/description", "--description"),
        ("/properties/condition", "--condition"),
        ("/properties/conditionVersion", "--condition-version"),
    ] {
        if let Some(said) = text(pointer) {
            words.extend([option, said]);
        }
    }
    vec![Command {
        what: format!("give {principal} the role {role} on the target"),
        why: "it lets somebody in, which a person decides",
        words: words.into_iter().map(str::to_owned).collect(),
        ..Command::default()
    }]
}
