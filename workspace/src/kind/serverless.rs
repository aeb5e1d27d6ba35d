//! Endpoints of models that others host, and the subscriptions to the marketplace that those need.

use super::{Asked, Kind, Origin, PLAIN, Restore, attribute};

pub(super) static ENDPOINT: Kind = Kind {
    name: "serverlessEndpoints",
    singular: "serverless endpoint",
    origin: Origin::Collection("serverlessEndpoints"),
    optional: true,
    free_text: &["/tags/**"],
    region_fields: &["/location"],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/identity/principalId",
        "/identity/tenantId",
        "/identity/userAssignedIdentities/*/principalId",
        "/identity/userAssignedIdentities/*/clientId",
        "/properties/provisioningState",
        "/properties/endpointState",
        "/properties/inferenceEndpoint",
        "/properties/marketplaceSubscriptionId",
    ],
    create_only: &["/location", "/properties/modelSettings"],
    restore: Restore::Put,
    asked: Asked::Deployments,
    follows: &["marketplaceSubscriptions"],
    order: 92,
    order_reason: "a serverless endpoint needs the subscription to its model",
    losses: &[
        attribute::CREATOR_LOSS,
        (
            "its address and keys",
            "the service makes them for each endpoint and takes none",
            "give the new ones to those who call it",
        ),
    ],
    azml: Some(&crate::azml::SERVERLESS_ENDPOINT),
    ..PLAIN
};

pub(super) static SUBSCRIPTION: Kind = Kind {
    name: "marketplaceSubscriptions",
    singular: "marketplace subscription",
    origin: Origin::Collection("marketplaceSubscriptions"),
    optional: true,
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/provisioningState",
        "/properties/marketplacePlan",
        "/properties/marketplaceSubscriptionStatus",
    ],
    create_only: &["/properties/modelId"],
    restore: Restore::Put,
    asked: Asked::Deployments,
    order: 88,
    order_reason: "serverless endpoints need the subscription to their model",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::MARKETPLACE_SUBSCRIPTION),
    ..PLAIN
};
