//! The workspace itself with its settings, and who may do what in it.

use super::{Kind, Origin, PLAIN, definition};

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
    ..PLAIN
};
