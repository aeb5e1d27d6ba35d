//! Endpoints: online, batch, serverless, and the subscriptions that serverless ones need.

use serde_json::{Map, Value};

use super::AzMl;
use super::field::{Field, How, NO_PLACE, Walk, field, known, resource, same};
use super::refer::{compute, reference};
use crate::Identity;

/// Online endpoints.
pub static ONLINE_ENDPOINT: AzMl = AzMl {
    noun: "online-endpoint",
    file: "endpoint.yml",
    map: |walk| {
        let attached = walk.given.document.pointer("/properties/compute");
        match attached.is_some_and(|compute| !compute.is_null()) {
            true => walk.whole("kubernetesOnlineEndpoint", KUBERNETES),
            false => walk.whole("managedOnlineEndpoint", MANAGED),
        }
    },
};

/// Batch endpoints.
pub static BATCH_ENDPOINT: AzMl = AzMl {
    noun: "batch-endpoint",
    file: "endpoint.yml",
    map: |walk| walk.whole("batchEndpoint", BATCH),
};

/// Serverless endpoints.
pub static SERVERLESS_ENDPOINT: AzMl = AzMl {
    noun: "serverless-endpoint",
    file: "endpoint.yml",
    map: |walk| walk.whole("serverlessEndpoint", SERVERLESS),
};

/// Subscriptions to models of the marketplace.
pub static MARKETPLACE_SUBSCRIPTION: AzMl = AzMl {
    noun: "marketplace-subscription",
    file: "subscription.yml",
    map: |walk| walk.whole("marketplaceSubscription", SUBSCRIPTION),
};

const SKU: &str = "the YAML of endpoints has no place for it";

pub(super) const AUTH: &[(&str, &str)] = &[
    ("AMLToken", "aml_token"),
    ("AADToken", "aad_token"),
    ("AAD", "aad"),
];

/// What every tracked resource says above its properties.
macro_rules! tracked {
    ($properties:expr) => {
        &[
            known("id"),
            known("name"),
            known("type"),
            known("systemData"),
            known("kind"),
            same("tags", "tags"),
            field("location", "location", How::By(location)),
            field("identity", "identity", How::By(identity)),
            field("sku", "", How::Left(SKU)),
            field("properties", "", How::Inline($properties)),
        ]
    };
}

/// What every online endpoint says.
macro_rules! online {
    ($($own:expr),* $(,)?) => {
        tracked!(&[
            same("description", "description"),
            same("properties", "properties"),
            field("authMode", "auth_mode", How::Word(AUTH)),
            same("traffic", "traffic"),
            same("mirrorTraffic", "mirror_traffic"),
            field("keys", "", How::Left(KEYS)),
            known("scoringUri"),
            known("swaggerUri"),
            known("provisioningState"),
            $($own),*
        ])
    };
}

const KEYS: &str = "keys are never written into a folder";

const MANAGED: &[Field] = online![field(
    "publicNetworkAccess",
    "public_network_access",
    How::Word(&[])
)];

const KUBERNETES: &[Field] = online![
    field("compute", "compute", How::By(compute)),
    field(
        "publicNetworkAccess",
        "",
        How::Only("\"Enabled\"", NO_PLACE)
    ),
];

const BATCH: &[Field] = tracked!(&[
    same("description", "description"),
    same("properties", "properties"),
    field("authMode", "auth_mode", How::Word(AUTH)),
    field(
        "defaults",
        "defaults",
        How::Object(&[same("deploymentName", "deployment_name")])
    ),
    field("keys", "", How::Left(KEYS)),
    known("scoringUri"),
    known("swaggerUri"),
    known("provisioningState"),
]);

const SERVERLESS: &[Field] = tracked!(&[
    field("authMode", "auth_mode", How::Word(AUTH)),
    field(
        "modelSettings",
        "",
        How::Inline(&[field("modelId", "model_id", How::By(reference))])
    ),
    known("inferenceEndpoint"),
    known("endpointState"),
    known("marketplaceSubscriptionId"),
    known("provisioningState"),
]);

const SUBSCRIPTION: &[Field] = &resource(&[
    field("modelId", "model_id", How::By(reference)),
    known("marketplacePlan"),
    known("marketplaceSubscriptionStatus"),
    known("provisioningState"),
]);

/// The identities that a resource has: of its own, of others, or both.
pub(super) const IDENTITY_TYPE: Field = field(
    "type",
    "type",
    How::Word(&[
        (
            "SystemAssigned, UserAssigned",
            "system_assigned,user_assigned",
        ),
        (
            "SystemAssigned,UserAssigned",
            "system_assigned,user_assigned",
        ),
    ]),
);

/// Endpoints have one identity in YAML: their own, or one of another.
fn identity(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = value.get("type").and_then(Value::as_str);
    let others = value.get("userAssignedIdentities");
    let others = others.and_then(Value::as_object).map_or(0, Map::len);
    if others > 1 || sort.is_some_and(|sort| sort.contains(',')) {
        walk.leave("the YAML of endpoints names one identity");
        return None;
    }
    walk.value(value, How::Object(IDENTITY))
}

pub(super) const IDENTITY: &[Field] = &[
    IDENTITY_TYPE,
    field(
        "userAssignedIdentities",
        "user_assigned_identities",
        How::By(identities),
    ),
    known("principalId"),
    known("tenantId"),
];

/// The ids are the object's keys; the YAML lists them.
fn identities(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some(members) = value.as_object() else {
        walk.leave("it names no identities");
        return None;
    };
    let ids = members
        .keys()
        .map(|id| serde_json::json!({ "resource_id": id }));
    Some(ids.collect())
}

/// The workspace's own region goes without saying: another workspace may lie elsewhere.
pub(super) fn location(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let spoken = |text: &str| text.replace(' ', "").to_ascii_lowercase();
    let own = match walk.given.identity {
        Identity::Azure { region, .. } | Identity::Registry { region, .. } => spoken(region),
        Identity::Folder(_) => String::new(),
    };
    (value.as_str().map(spoken) != Some(own)).then(|| value.clone())
}
