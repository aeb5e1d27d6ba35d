//! Online endpoints and the deployments below them.

use serde_json::Value;

use super::{
    Asked, HeldBack, Kind, Machines, Origin, PLAIN, Restore, Secrets, Until, Without, attribute,
};

/// What lies in `properties` of an endpoint and only the service writes.
pub(super) const ENDPOINT_READ_ONLY: &[&str] = &[
    "/id",
    "/name",
    "/type",
    "/systemData",
    "/identity/principalId",
    "/identity/tenantId",
    "/identity/userAssignedIdentities/*/principalId",
    "/identity/userAssignedIdentities/*/clientId",
    "/properties/provisioningState",
    "/properties/scoringUri",
    "/properties/swaggerUri",
];

/// Text of endpoints and deployments in which nothing is a reference.
pub(super) const FREE_TEXT: &[&str] = &[
    "/tags/**",
    "/properties/description",
    "/properties/codeConfiguration/scoringScript",
];

/// Fields of a deployment that only the service writes.
pub(super) const DEPLOYMENT_READ_ONLY: &[&str] = &[
    "/id",
    "/name",
    "/type",
    "/systemData",
    "/identity/principalId",
    "/identity/tenantId",
    "/identity/userAssignedIdentities/*/principalId",
    "/identity/userAssignedIdentities/*/clientId",
    "/properties/provisioningState",
];

pub(super) const ENDPOINT: Kind = Kind {
    name: "onlineEndpoints",
    singular: "online endpoint",
    origin: Origin::Collection("onlineEndpoints"),
    optional: true,
    free_text: FREE_TEXT,
    region_fields: &["/location"],
    read_only: ENDPOINT_READ_ONLY,
    create_only: &["/location", "/properties/authMode", "/properties/keys"],
    secrets: Some(Secrets {
        operation: "listKeys",
        pointer: "/properties/keys",
        answer: "",
        has_any: is_opened_by_key,
        without: Without::New,
    }),
    held_back: &[
        HeldBack {
            pointer: "/properties/traffic",
            value: "{}",
            reason: TRAFFIC,
            until: Until::Below,
            by_hand: "update",
        },
        HeldBack {
            pointer: "/properties/mirrorTraffic",
            value: "{}",
            reason: TRAFFIC,
            until: Until::Below,
            by_hand: "update",
        },
    ],
    restore: Restore::Put,
    order: 90,
    order_reason: "an endpoint names nothing but identities, and deployments lie below it",
    losses: &[
        attribute::CREATOR_LOSS,
        (
            "its address",
            "the service gives each endpoint an address by its name and region",
            "tell its callers the new one",
        ),
    ],
    azml: Some(&crate::azml::ONLINE_ENDPOINT),
    ..PLAIN
};

const TRAFFIC: &str = "traffic names deployments, which are made after their endpoint";

/// Keys of an endpoint that lets in by tokens are nobody's.
pub(super) fn is_opened_by_key(document: &Value) -> bool {
    let mode = document.pointer("/properties/authMode");
    mode.and_then(Value::as_str) == Some("Key")
}

pub(super) const DEPLOYMENT: Kind = Kind {
    name: "onlineDeployments",
    singular: "online deployment",
    origin: Origin::Nested {
        parent: "onlineEndpoints",
        segment: "deployments",
    },
    optional: true,
    free_text: FREE_TEXT,
    region_fields: &["/location"],
    read_only: DEPLOYMENT_READ_ONLY,
    create_only: &[
        "/location",
        "/properties/endpointComputeType",
        "/properties/instanceType",
        "/properties/codeConfiguration",
    ],
    restore: Restore::Put,
    asked: Asked::Deployments,
    order: 95,
    order_reason: "a deployment lies below its endpoint and names models, environments and code",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::ONLINE_DEPLOYMENT),
    machines: Some(Machines {
        size: "/properties/instanceType",
        count: "/sku/capacity",
    }),
    ..PLAIN
};
