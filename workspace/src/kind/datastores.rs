//! Datastores: pointers to storage accounts. Deleting or writing one touches no byte behind it.

use serde_json::Value;

use super::{ARM_API_VERSIONS, Content, Kind, Restore, Secrets, StoreFields, attribute};
use crate::ItemId;

/// The datastores that every workspace is made with.
const DEFAULT_NAMES: &[&str] = &[
    "workspaceblobstore",
    "workspaceartifactstore",
    "workspaceworkingdirectory",
    "workspacefilestore",
];

pub(super) static ROW: Kind = Kind {
    name: "datastores",
    singular: "datastore",
    collection: Some("datastores"),
    versioned: false,
    container: None,
    named_by_path: false,
    // Thirty to a page without it; `nextLink` is followed all the same.
    list_query: &[("count", "100")],
    api_versions: ARM_API_VERSIONS,
    content: Content::None,
    must_have_files: false,
    free_text: &["/properties/tags/**", "/properties/description"],
    bare_names: &[],
    store: Some(StoreFields {
        account: "/properties/accountName",
        containers: &[
            "/properties/containerName",
            "/properties/fileShareName",
            "/properties/filesystem",
        ],
        subscription: "/properties/subscriptionId",
        resource_group: "/properties/resourceGroup",
    }),
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/isDefault",
    ],
    create_only: &[
        "/properties/datastoreType",
        "/properties/accountName",
        "/properties/containerName",
        "/properties/fileShareName",
        "/properties/filesystem",
        "/properties/storeName",
        "/properties/endpoint",
        "/properties/protocol",
        "/properties/serviceDataAccessAuthIdentity",
        "/properties/artifact",
        "/properties/oneLakeWorkspaceName",
    ],
    untyped: &[],
    volatile: &[],
    secrets: Some(Secrets {
        operation: "listSecrets",
        pointer: "/properties/credentials/secrets",
    }),
    mapped_by_name,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: None,
    restore: Restore::Put,
    order: 10,
    order_reason: "models, data and jobs name datastores, which name nothing in the workspace",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::DATASTORE),
};

/// Every workspace has its own default datastores; writing the source's over them would cut it off from its storage.
fn mapped_by_name(id: &ItemId, _: &Value) -> Option<&'static str> {
    DEFAULT_NAMES.contains(&id.name.as_str()).then_some(
        "every workspace has a default datastore of this name, on its own storage account",
    )
}
