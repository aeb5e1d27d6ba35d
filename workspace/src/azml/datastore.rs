//! Datastores. Their credentials are no part of the document; the YAML is written without.

use serde_json::Value;

use super::AzMl;
use super::field::{Field, How, Walk, field, known, resource, same};

/// Datastores.
pub static DATASTORE: AzMl = AzMl {
    noun: "datastore",
    file: "datastore.yml",
    map: |walk| {
        let schema = match walk
            .given
            .document
            .pointer("/properties/datastoreType")
            .and_then(Value::as_str)
        {
            Some("AzureFile") => "azureFile",
            Some("AzureDataLakeGen1") => "azureDataLakeGen1",
            Some("AzureDataLakeGen2") => "azureDataLakeGen2",
            Some("OneLake") => "oneLake",
            _ => "azureBlob",
        };
        walk.whole(schema, FIELDS)
    },
};

const DATA_ACCESS: &str =
    "the YAML schema has no place for the identity that opens it in the studio";
const PLACE: &str = "the YAML names the account alone";

const FIELDS: &[Field] = &resource(&[
    field(
        "datastoreType",
        "type",
        How::Word(&[
            ("AzureDataLakeGen1", "azure_data_lake_gen1"),
            ("AzureDataLakeGen2", "azure_data_lake_gen2"),
        ]),
    ),
    same("description", "description"),
    same("tags", "tags"),
    same("accountName", "account_name"),
    same("containerName", "container_name"),
    same("fileShareName", "file_share_name"),
    same("filesystem", "filesystem"),
    same("storeName", "store_name"),
    same("endpoint", "endpoint"),
    same("protocol", "protocol"),
    same("oneLakeWorkspaceName", "one_lake_workspace_name"),
    field(
        "artifact",
        "artifact",
        How::Object(&[
            field("artifactType", "type", How::Word(&[])),
            same("artifactName", "name"),
        ]),
    ),
    field("credentials", "", How::By(credentials)),
    field(
        "serviceDataAccessAuthIdentity",
        "",
        How::Only("\"None\"", DATA_ACCESS),
    ),
    field("subscriptionId", "", How::Left(PLACE)),
    field("resourceGroup", "", How::Left(PLACE)),
    known("isDefault"),
]);

fn credentials(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if value.get("credentialsType").and_then(Value::as_str) != Some("None") {
        walk.leave(
            "credentials are never written into a folder; give them when the datastore is made",
        );
    }
    None
}
