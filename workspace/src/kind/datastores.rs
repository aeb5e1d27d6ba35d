//! Datastores: pointers to storage accounts. Deleting or writing one touches no byte behind it.

use serde_json::Value;

use super::{Kind, Origin, PLAIN, Restore, Secrets, StoreFields, Without, attribute};
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
    origin: Origin::Collection("datastores"),
    // Thirty to a page without it; `nextLink` is followed all the same.
    list_query: &[("count", "100")],
    free_text: &["/properties/tags/**", "/properties/description"],
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
    secrets: Some(Secrets {
        operation: "listSecrets",
        pointer: "/properties/credentials/secrets",
        answer: "",
        has_any: has_credentials,
        without: Without::Value(r#"{"credentialsType":"None"}"#),
    }),
    mapped_by_name,
    restore: Restore::Put,
    order: 10,
    order_reason: "models, data and jobs name datastores, which name nothing in the workspace",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::DATASTORE),
    ..PLAIN
};

/// Every workspace has its own default datastores; writing the source's over them would cut it off from its storage.
fn mapped_by_name(id: &ItemId, _: &Value) -> Option<&'static str> {
    DEFAULT_NAMES.contains(&id.name.as_str()).then_some(
        "every workspace has a default datastore of this name, on its own storage account",
    )
}

/// A store that is opened by identity has none.
fn has_credentials(document: &Value) -> bool {
    let sort = document.pointer("/properties/credentials/credentialsType");
    sort.and_then(Value::as_str) != Some("None")
}
