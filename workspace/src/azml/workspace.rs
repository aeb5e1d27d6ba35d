//! The workspace itself: a plain one, a hub, a project of a hub, or a feature store, which has a schema of its own.

use serde_json::{Map, Value, json};

use super::endpoint::IDENTITY_TYPE;
use super::field::{Field, How, Walk, field, known, same};
use super::{AzMl, Unmapped};

/// Workspaces.
pub static WORKSPACE: AzMl = AzMl {
    noun: "workspace",
    file: "workspace.yml",
    map: workspace,
};

fn workspace(walk: &mut Walk<'_>) -> Result<Map<String, Value>, Unmapped> {
    let sort = walk.given.document.get("kind").and_then(Value::as_str);
    let (schema, fields, word) = match sort.unwrap_or("Default").to_ascii_lowercase().as_str() {
        "default" => ("workspace", PLAIN, None),
        "hub" => ("hub", PLAIN, Some("hub")),
        "project" => ("project", PLAIN, Some("project")),
        "featurestore" => ("featureStore", FEATURE_STORE, None),
        other => {
            return Err(Unmapped(format!(
                "`az ml` has no YAML for workspaces of kind {other}"
            )));
        }
    };
    let mut out = walk.whole(schema, fields)?;
    if let Some(word) = word {
        out.insert("kind".to_owned(), word.into());
    }
    Ok(out)
}

const SKU: &str = "the YAML of workspaces has no place for it";

/// What every sort of workspace says.
macro_rules! workspace {
    ($($own:expr),* $(,)?) => {
        &[
            known("id"),
            known("name"),
            known("type"),
            known("kind"),
            known("systemData"),
            known("etag"),
            same("tags", "tags"),
            same("location", "location"),
            field("sku", "", How::By(sku)),
            field("identity", "identity", How::Object(IDENTITY)),
            field("properties", "", How::Inline(&[
                same("description", "description"),
                same("friendlyName", "display_name"),
                same("storageAccount", "storage_account"),
                same("keyVault", "key_vault"),
                same("applicationInsights", "application_insights"),
                same("containerRegistry", "container_registry"),
                same("hbiWorkspace", "hbi_workspace"),
                same("imageBuildCompute", "image_build_compute"),
                same("primaryUserAssignedIdentity", "primary_user_assigned_identity"),
                field("publicNetworkAccess", "public_network_access", How::Word(&[])),
                field("encryption", "customer_managed_key", How::Object(KEY)),
                field("managedNetwork", "managed_network", How::By(network)),
                field("v1LegacyMode", "", How::Only("false", SKU)),
                field("allowPublicAccessWhenBehindVnet", "", How::Only("false", SKU)),
                $($own),*
            ])),
        ]
    };
}

const PLAIN: &[Field] = workspace![
    field("networkAcls", "network_acls", How::By(addresses)),
    same("systemDatastoresAuthMode", "system_datastores_auth_mode"),
    same("provisionNetworkNow", "provision_network_now"),
    same("enableDataIsolation", "enable_data_isolation"),
    same("allowRoleAssignmentOnRG", "allow_roleassignment_on_rg"),
    same("hubResourceId", "hub_id"),
    field(
        "workspaceHubConfig",
        "",
        How::Inline(&[same(
            "defaultWorkspaceResourceGroup",
            "default_resource_group"
        )])
    ),
    // The service lists them itself.
    known("associatedWorkspaces"),
    field(
        "serverlessComputeSettings",
        "serverless_compute",
        How::Object(&[
            same("serverlessComputeCustomSubnet", "custom_subnet"),
            same("serverlessComputeNoPublicIP", "no_public_ip"),
        ])
    ),
];

const FEATURE_STORE: &[Field] = workspace![field(
    "featureStoreSettings",
    "",
    How::Inline(&[field(
        "computeRuntime",
        "compute_runtime",
        How::Object(&[same("sparkRuntimeVersion", "spark_runtime_version")])
    )])
)];

/// There is one that everybody has.
fn sku(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if value.get("name").and_then(Value::as_str) != Some("Basic") {
        walk.leave(SKU);
    }
    None
}

const IDENTITY: &[Field] = &[
    IDENTITY_TYPE,
    field(
        "userAssignedIdentities",
        "user_assigned_identities",
        How::By(identities),
    ),
    known("principalId"),
    known("tenantId"),
];

fn identities(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    let ids = value.as_object()?.keys();
    let named = ids.map(|id| (id.clone(), json!({ "resource_id": id })));
    Some(Value::Object(named.collect()))
}

const KEY: &[Field] = &[
    known("status"),
    field(
        "keyVaultProperties",
        "",
        How::Inline(&[
            same("keyVaultArmId", "key_vault"),
            same("keyIdentifier", "key_uri"),
        ]),
    ),
    same("cosmosDbResourceId", "cosmosdb_id"),
    same("storageAccountResourceId", "storage_id"),
    same("searchAccountResourceId", "search_id"),
];

/// The addresses that are let in. The SDK refuses a list that lets nobody in.
fn addresses(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let some = |rules: &Value| rules.as_array().is_some_and(|rules| !rules.is_empty());
    let denies = value.get("defaultAction").and_then(Value::as_str) == Some("Deny");
    if denies && !value.get("ipRules").is_some_and(some) {
        walk.leave("the YAML has no list of addresses that lets nobody in");
        return None;
    }
    walk.value(value, How::Object(ADDRESSES))
}

const ADDRESSES: &[Field] = &[
    same("defaultAction", "default_action"),
    field("ipRules", "ip_rules", How::Each(&[same("value", "value")])),
];

const NETWORK: &[Field] = &[
    field("isolationMode", "isolation_mode", How::Word(&[])),
    field("firewallSku", "firewall_sku", How::Word(&[])),
    field("outboundRules", "outbound_rules", How::By(rules)),
    known("status"),
    known("networkId"),
    known("firewallPublicIpAddress"),
];

/// The managed network; without its mode the SDK loads none.
fn network(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let written = walk.value(value, How::Object(NETWORK))?;
    if written.get("isolation_mode").is_none() {
        walk.leave("without its isolation mode the YAML has no managed network");
        return None;
    }
    Some(written)
}

/// The rules that people made, which the YAML lists with their names.
fn rules(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let mut out = Vec::new();
    for (name, rule) in value.as_object()? {
        let category = rule.get("category").and_then(Value::as_str);
        if category.is_some_and(|category| category != "UserDefined") {
            continue;
        }
        walk.at.push(name.as_str());
        if let Some(Value::Object(mut members)) = walk.value(rule, How::Object(RULE)) {
            members.insert("name".to_owned(), name.clone().into());
            out.push(Value::Object(members));
        }
        walk.at.pop();
    }
    Some(Value::Array(out))
}

const RULE: &[Field] = &[
    field("type", "type", How::Word(&[("FQDN", "fqdn")])),
    field("destination", "destination", How::By(destination)),
    same("fqdns", "fqdns"),
    known("category"),
    known("status"),
    known("errorInformation"),
    known("parentRuleNames"),
];

const DESTINATION: &[Field] = &[
    same("serviceTag", "service_tag"),
    same("protocol", "protocol"),
    same("portRanges", "port_ranges"),
    same("addressPrefixes", "address_prefixes"),
    same("serviceResourceId", "service_resource_id"),
    same("subresourceTarget", "subresource_target"),
    same("sparkEnabled", "spark_enabled"),
    known("sparkStatus"),
];

fn destination(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    match value {
        Value::Object(_) => walk.value(value, How::Object(DESTINATION)),
        name => Some(name.clone()),
    }
}
