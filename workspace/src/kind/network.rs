//! The network of a workspace: the rules by which its managed network lets traffic out, and the private endpoints that
//! lead to it.

use serde_json::Value;

use super::{Kind, Origin, PLAIN, Restore, attribute};
use crate::ItemId;

pub(super) static OUTBOUND_RULE: Kind = Kind {
    name: "outboundRules",
    singular: "outbound rule",
    origin: Origin::Collection("outboundRules"),
    optional: true,
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/status",
        "/properties/errorInformation",
        "/properties/parentRuleNames",
    ],
    mapped_by_name: made_by_the_service,
    restore: Restore::Put,
    order: 76,
    order_reason: "jobs and deployments may need what a rule opens",
    losses: &[attribute::CREATOR_LOSS],
    ..PLAIN
};

/// The service makes the rules that it needs itself, wherever the network is managed.
fn made_by_the_service(_: &ItemId, document: &Value) -> Option<&'static str> {
    let category = document.pointer("/properties/category")?.as_str()?;
    (category != "UserDefined").then_some("the service makes this rule itself")
}

pub(super) static PRIVATE_ENDPOINT: Kind = Kind {
    name: "privateEndpointConnections",
    singular: "private endpoint connection",
    origin: Origin::Collection("privateEndpointConnections"),
    optional: true,
    free_text: &[
        "/tags/**",
        "/properties/privateLinkServiceConnectionState/description",
    ],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/identity/principalId",
        "/identity/tenantId",
        "/properties/provisioningState",
    ],
    order: 2,
    order_reason: "it names nothing in the workspace",
    losses: &[(
        "the connection",
        "whoever owns the private endpoint makes it; the workspace only approves it",
        "make a private endpoint to the target, and approve it there",
    )],
    ..PLAIN
};
