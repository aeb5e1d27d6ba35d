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
    by_hand: approved_at_its_resource,
    ..PLAIN
};

/// A private endpoint that a rule makes waits at its resource until whoever owns that approves it.
fn approved_at_its_resource(hand: &ByHand<'_>) -> Vec<Command> {
    let text = |pointer: &str| hand.written?.pointer(pointer)?.as_str();
    let resource = text("/properties/destination/serviceResourceId");
    let sort = text("/properties/type");
    let Some(resource) = resource.filter(|_| sort == Some("PrivateEndpoint")) else {
        return Vec::new();
    };
    let name = resource.rsplit('/').next().unwrap_or(resource);
    vec![approval(
        format!(
            "approve at {name} the private endpoint of the rule {}",
            hand.id.name
        ),
        resource,
        "[?properties.privateLinkServiceConnectionState.status=='Pending'].id",
    )]
}

/// The command that approves the connection which a query finds at a resource. It fails where the query finds several, so
/// that it lets in nobody else.
fn approval(what: String, resource: &str, query: &str) -> Command {
    const LIST: [&str; 5] = [
        "az",
        "network",
        "private-endpoint-connection",
        "list",
        "--id",
    ];
    const APPROVE: [&str; 7] = [
        "az",
        "network",
        "private-endpoint-connection",
        "approve",
        "--description",
        "Approved after a restore",
        "--id",
    ];
    let list = [resource, "--query", query, "--output", "tsv"];
    Command {
        what,
        why: "whoever owns the resource lets it in, unless it is approved by itself; where several wait, the command fails and the list that it asks for shows them",
        words: APPROVE.map(str::to_owned).to_vec(),
        told: Some(
            LIST.iter()
                .chain(&list)
                .map(|word| (*word).to_owned())
                .collect(),
        ),
    }
}

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

/// The private endpoint that leads to the target as one led to the source, in the subnet of that one: the document says
/// which, or the endpoint itself where it still is there. And its approval, where it is not approved by itself.
fn endpoint_to_the_target(hand: &ByHand<'_>) -> Vec<Command> {
    let text = |pointer: &str| hand.document.pointer(pointer).and_then(Value::as_str);
    let id = text("/properties/privateEndpoint/id").unwrap_or_default();
    let parts: Vec<&str> = id.split('/').collect();
    let (["", _, subscription, _, group, .., name], Some(target)) =
        (parts.as_slice(), hand.target.arm_id())
    else {
        return Vec::new();
    };
    let restored = format!("{name}-restored");
    let mut words: Vec<&str> = vec![
        "az",
        "network",
        "private-endpoint",
        "create",
        "--subscription",
        subscription,
        "--resource-group",
        group,
        "--name",
        &restored,
        "--private-connection-resource-id",
        &target,
        "--group-id",
        "amlworkspace",
        "--connection-name",
        name,
        "--subnet",
    ];
    let subnet = text("/properties/privateEndpoint/subnetArmId").filter(|id| !id.is_empty());
    words.extend(subnet);
    let show = [
        "az",
        "network",
        "private-endpoint",
        "show",
        "--ids",
        id,
        "--query",
        "subnet.id",
        "--output",
        "tsv",
    ];
    let told = match subnet {
        Some(_) => None,
        None => Some(show.map(str::to_owned).to_vec()),
    };
    let make = Command {
        what: format!("make a private endpoint to the target as {name} is one to the source"),
        why: "whoever owns the network makes it, and the workspace only approves it",
        words: words.into_iter().map(str::to_owned).collect(),
        told,
    };
    let query = format!("[?ends_with(properties.privateEndpoint.id, '/{restored}')].id");
    let approve = approval(
        format!("approve the private endpoint {restored} at the target"),
        &target,
        &query,
    );
    vec![make, approve]
}
