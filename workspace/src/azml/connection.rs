//! Connections. Their secrets are never part of the YAML; a type whose key is, has none.
//!
//! Some types call their target by a name of their own, and have names for some of the metadata.

use serde_json::{Map, Value};

use super::field::{Field, How, NO_PLACE, Walk, field, known, resource, same};
use super::{AzMl, Unmapped};

/// Connections.
pub static CONNECTION: AzMl = AzMl {
    noun: "connection",
    file: "connection.yml",
    map: connection,
};

/// How the YAML writes a type.
struct Sort {
    /// ARM's word: the category.
    category: &'static str,
    /// For categories of which the metadata say the sort: what `Kind` is there.
    kind: Option<&'static str>,
    /// The YAML's word.
    word: &'static str,
    /// What it calls the target.
    target: &'static str,
    /// What it calls some of the metadata.
    metadata: &'static [(&'static str, &'static str)],
}

const fn sort(category: &'static str, word: &'static str) -> Sort {
    Sort {
        category,
        kind: None,
        word,
        target: "target",
        metadata: &[],
    }
}

/// The types that the SDK loads without their key.
const SORTS: &[Sort] = &[
    sort("Git", "git"),
    sort("ContainerRegistry", "container_registry"),
    sort("PythonFeed", "python_feed"),
    sort("S3", "s3"),
    sort("Snowflake", "snowflake"),
    sort("AzureSqlDb", "azure_sql_db"),
    sort("AzureSynapseAnalytics", "azure_synapse_analytics"),
    sort("AzureMySqlDb", "azure_my_sql_db"),
    sort("AzurePostgresDb", "azure_postgres_db"),
    sort("CustomKeys", "custom"),
    sort("ADLSGen2", "azure_data_lake_gen2"),
    Sort {
        metadata: &[
            ("AccountName", "account_name"),
            ("ContainerName", "container_name"),
        ],
        target: "url",
        ..sort("AzureBlob", "azure_blob")
    },
    sort("AzureOneLake", ONE_LAKE),
    Sort {
        metadata: &[
            ("ApiVersion", "api_version"),
            ("ResourceId", "open_ai_resource_id"),
        ],
        target: "azure_endpoint",
        ..sort("AzureOpenAI", "azure_open_ai")
    },
    Sort {
        metadata: &[("ResourceId", "ai_services_resource_id")],
        target: "endpoint",
        ..sort("AIServices", "azure_ai_services")
    },
    Sort {
        target: "endpoint",
        ..sort("CognitiveSearch", "azure_ai_search")
    },
    Sort {
        kind: Some("Content Safety"),
        target: "endpoint",
        ..sort("CognitiveService", "azure_content_safety")
    },
    Sort {
        kind: Some("Speech"),
        target: "endpoint",
        ..sort("CognitiveService", "azure_speech_services")
    },
];

/// The SDK loads none without the host of its target beside the target.
const ONE_LAKE: &str = "azure_one_lake";

fn host(address: &str) -> Option<&str> {
    address.strip_prefix("https://")?.split('/').next()
}

/// The types whose YAML is refused without the key.
const WITH_KEY: &[&str] = &["ApiKey", "OpenAI", "Serp", "Serverless"];

fn connection(walk: &mut Walk<'_>) -> Result<Map<String, Value>, Unmapped> {
    let sort = sort_of(walk.given.document)?;
    let mut out = walk.whole("workspaceConnection", FIELDS)?;
    out.insert("type".to_owned(), sort.word.into());
    if let Some(address) = out.remove("target") {
        if sort.word == ONE_LAKE
            && let Some(host) = address.as_str().and_then(host)
        {
            out.insert("endpoint".to_owned(), host.into());
        }
        out.insert(sort.target.to_owned(), address);
    }
    if let Some(Value::Object(mut metadata)) = out.remove("metadata") {
        for (from, to) in sort.metadata {
            if let Some(value) = metadata.remove(*from) {
                out.insert((*to).to_owned(), value);
            }
        }
        if sort.kind.is_some() {
            metadata.remove("Kind");
        }
        if !metadata.is_empty() {
            out.insert("metadata".to_owned(), Value::Object(metadata));
        }
    }
    Ok(out)
}

fn sort_of(document: &Value) -> Result<&'static Sort, Unmapped> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let category = text("/properties/category").unwrap_or_default();
    let is = |word: &str| word.eq_ignore_ascii_case(category);
    if WITH_KEY.iter().copied().any(is) {
        return Err(Unmapped(format!(
            "the YAML of connections to {category} holds their key, which is never written into a folder"
        )));
    }
    let kind = text("/properties/metadata/Kind").unwrap_or_default();
    let found = SORTS.iter().find(|sort| {
        is(sort.category) && sort.kind.is_none_or(|own| own.eq_ignore_ascii_case(kind))
    });
    found.ok_or_else(|| Unmapped(format!("`az ml` has no YAML for connections to {category}")))
}

const SECRET: &str =
    "credentials are never written into a folder; give them when the connection is made";

const FIELDS: &[Field] = &resource(&[
    // Said by the type.
    known("category"),
    same("target", "target"),
    same("metadata", "metadata"),
    same("isSharedToAll", "is_shared"),
    field("authType", "credentials", How::By(credentials)),
    field("credentials", "", How::By(secrets)),
    field("expiryTime", "", How::Left(NO_PLACE)),
    field("peRequirement", "", How::Only("\"NotRequired\"", NO_PLACE)),
    known("peStatus"),
    field(
        "useWorkspaceManagedIdentity",
        "",
        How::Only("false", NO_PLACE),
    ),
    known("createdByWorkspaceArmId"),
    known("group"),
    known("error"),
]);

/// How it signs in. What needs a secret is given one by whoever creates it.
fn credentials(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    match value.as_str() {
        Some("None") => Some(serde_json::json!({ "type": "none" })),
        Some("AAD") => Some(serde_json::json!({ "type": "aad" })),
        Some("ManagedIdentity") => {
            let named = walk.given.document.pointer("/properties/credentials");
            let mut members = Map::from_iter([("type".to_owned(), "managed_identity".into())]);
            for (from, to) in IDENTITY {
                let text = named.and_then(|named| named.get(*from));
                if let Some(text) = text.filter(|text| text.is_string()) {
                    members.insert((*to).to_owned(), text.clone());
                }
            }
            Some(Value::Object(members))
        }
        _ => {
            walk.leave(SECRET);
            None
        }
    }
}

/// What names a managed identity, and is no secret.
const IDENTITY: &[(&str, &str)] = &[("clientId", "client_id"), ("resourceId", "resource_id")];

fn secrets(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let is_identity = |name: &String| IDENTITY.iter().any(|(from, _)| from == name);
    let only_names = value
        .as_object()
        .is_some_and(|it| it.keys().all(is_identity));
    let way = walk.given.document.pointer("/properties/authType");
    if !(only_names && way.and_then(Value::as_str) == Some("ManagedIdentity")) {
        walk.leave("secrets are never written into a folder");
    }
    None
}
