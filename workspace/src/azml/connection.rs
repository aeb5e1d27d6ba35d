//! Connections. Their secrets are never part of the YAML.

use serde_json::Value;

use super::AzMl;
use super::field::{Field, How, Walk, field, known, resource, same};

/// Connections.
pub static CONNECTION: AzMl = AzMl {
    noun: "connection",
    file: "connection.yml",
    map: |walk| walk.whole("workspaceConnection", FIELDS),
};

const FIELDS: &[Field] = &resource(&[
    field(
        "category",
        "type",
        How::Word(&[
            ("AzureOpenAI", "azure_open_ai"),
            ("AIServices", "azure_ai_services"),
            ("CognitiveSearch", "azure_ai_search"),
            ("CustomKeys", "custom"),
            ("ADLSGen2", "azure_data_lake_gen_2"),
            ("AzureMySqlDb", "azure_my_sql_db"),
            ("S3", "s3"),
        ]),
    ),
    same("target", "target"),
    same("metadata", "metadata"),
    same("isSharedToAll", "is_shared"),
    field("authType", "credentials", How::By(credentials)),
    field(
        "credentials",
        "",
        How::Left("secrets are never written into a folder"),
    ),
    field(
        "expiryTime",
        "",
        How::Left("the YAML schema has no place for it"),
    ),
    field(
        "peRequirement",
        "",
        How::Only("\"NotRequired\"", "the YAML schema has no place for it"),
    ),
    field("peStatus", "", How::Known),
    field(
        "useWorkspaceManagedIdentity",
        "",
        How::Only("false", "the YAML schema has no place for it"),
    ),
    known("createdByWorkspaceArmId"),
    known("group"),
    known("error"),
]);

/// How it signs in. What needs a secret is given one by whoever creates it.
fn credentials(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = match value.as_str() {
        Some("None") => "none",
        Some("AAD") => "aad",
        Some("ManagedIdentity") => "managed_identity",
        _ => {
            walk.leave("credentials are never written into a folder; give them when the connection is made");
            return None;
        }
    };
    Some(serde_json::json!({ "type": sort }))
}
