//! Who and what reaches the workspace: rules of its network, private endpoints, assignments of roles.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use crate::arm::RoleAssignment;
use crate::documents::Resource;
use crate::error::Error;

/// Rules of each type, one of them the service's own, and a private endpoint.
pub(super) fn network(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 200);
    let account = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/stpartner",
        builder.world.spec.subscription, builder.world.spec.group
    );
    let tag = json!({"serviceTag": "DataFactory", "protocol": "TCP", "portRanges": "80, 8080-8089", "action": "Allow"});
    for (name, sort, destination) in [
        ("pypi", "FQDN", json!("pypi.org")),
        ("factory", "ServiceTag", tag),
        (
            "partner",
            "PrivateEndpoint",
            json!({"serviceResourceId": account, "subresourceTarget": "blob", "sparkEnabled": false}),
        ),
    ] {
        let properties =
            json!({"type": sort, "category": "UserDefined", "destination": destination});
        builder.put(&format!("outboundRules/{name}"), properties, at)?;
    }
    let required = json!({"type": "ServiceTag", "category": "Required", "destination": {
        "serviceTag": "AzureMachineLearning", "protocol": "TCP", "portRanges": "443"}});
    let endpoint = json!({
        "privateEndpoint": {"id": builder.id("privateEndpoints/pe-notebooks").replace("Microsoft.MachineLearningServices/workspaces", "Microsoft.Network/virtualNetworks")},
        "privateLinkServiceConnectionState": {"status": "Approved", "description": "Approved by anna", "actionsRequired": "None"},
    });
    builder.with_workspace(|workspace| {
        for (collection, name, properties) in [
            ("outboundRules", "__SYS_ST_AzureMachineLearning", required),
            ("privateEndpointConnections", "pe-notebooks.5f", endpoint),
        ] {
            let body = Map::from_iter([("properties".to_owned(), properties)]);
            workspace
                .documents
                .put(collection, Resource::new(name, body, "anna", at));
        }
    });
    Ok(())
}

/// Two assignments at the workspace, and one at the group above it; and what the workspace says of itself.
pub(super) fn roles(builder: &Builder<'_>) {
    let group = format!(
        "/subscriptions/{}/resourceGroups/{}",
        builder.world.spec.subscription, builder.world.spec.group
    );
    let role = |id: &str| {
        format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{id}",
            builder.world.spec.subscription
        )
    };
    let scientist = "f6c7c914-8db3-469d-8ca1-694a8f32e121";
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let assignments: Vec<RoleAssignment> = [
        (scientist, "User", builder.arm_id.as_str()),
        (reader, "Group", builder.arm_id.as_str()),
        (reader, "ServicePrincipal", group.as_str()),
    ]
    .into_iter()
    .map(|(id, sort, scope)| RoleAssignment {
        name: builder.guid(),
        role: role(id),
        principal: builder.guid(),
        sort: sort.to_owned(),
        scope: scope.to_owned(),
    })
    .collect();
    builder.with_workspace(|workspace| {
        workspace.assignments = assignments;
        let said = json!({
            "kind": "FeatureStore", "tags": {"owner": "platform"},
            "properties": {
                "description": "Where everything is made", "imageBuildCompute": "cpu-cluster",
                "featureStoreSettings": {"offlineStoreConnectionName": "blobs", "computeRuntime": {"sparkRuntimeVersion": "3.4"}},
            },
        });
        if let Value::Object(said) = said {
            workspace.body.extend(said);
        }
    });
}
