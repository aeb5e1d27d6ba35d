//! The network of a workspace: the rules by which its managed network lets traffic out, and the private endpoints that
//! lead to it.

use serde_json::Value;

use super::{ByHand, Command, Kind, Origin, PLAIN, Restore, attribute};
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
    by_hand: endpoint_to_the_target,
    ..PLAIN
};

/// The private endpoint that leads to the target as one led to the source. Which subnet it lies in, no document says.
fn endpoint_to_the_target(hand: &ByHand<'_>) -> Vec<Command> {
    let id = hand.document.pointer("/properties/privateEndpoint/id");
    let parts: Vec<&str> = id
        .and_then(Value::as_str)
        .unwrap_or_default()
        .split('/')
        .collect();
    let (["", _, subscription, _, group, .., name], Some(target)) =
        (parts.as_slice(), hand.target.arm_id())
    else {
        return Vec::new();
    };
    let words = [
        "az",
        "network",
        "private-endpoint",
        "create",
        "--subscription",
        subscription,
        "--resource-group",
        group,
        "--name",
        &format!("{name}-restored"),
        "--subnet",
        "ID-OF-ITS-SUBNET",
        "--private-connection-resource-id",
        &target,
        "--group-id",
        "amlworkspace",
        "--connection-name",
        name,
    ];
    vec![Command {
        what: format!("make a private endpoint to the target as {name} is one to the source"),
        why: "whoever owns the network makes it, and the workspace only approves it",
        words: words.map(str::to_owned).to_vec(),
    }]
}
