//! Connections: with each sort of credential, and with none.

use serde_json::json;

use super::builder::Builder;
use crate::error::Error;

/// Six connections.
pub(super) fn all(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 90);
    let service = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.CognitiveServices/accounts/ai-{}",
        builder.world.spec.subscription, builder.world.spec.group, builder.name
    );
    let openai = json!({"ApiType": "azure", "ResourceId": service, "Location": "swedencentral"});
    for (name, category, way, target, credentials) in [
        (
            "openai",
            "AzureOpenAI",
            "ApiKey",
            "https://ai.example.net/",
            json!({"key": "key-of-the-model"}),
        ),
        (
            "tickets",
            "CustomKeys",
            "CustomKeys",
            "https://tickets.example.net",
            json!({"keys": {"token": "token-of-tickets", "user/name": "robot-of-tickets"}}),
        ),
        (
            "search",
            "CognitiveSearch",
            "AAD",
            "https://search.example.net",
            json!(null),
        ),
        (
            "blobs",
            "AzureBlob",
            "SAS",
            "https://stpartner.blob.core.windows.net/in",
            json!({"sas": "sig-of-partner"}),
        ),
        (
            "feed",
            "PythonFeed",
            "UsernamePassword",
            "https://feed.example.net/simple",
            json!({"username": "builder", "password": "password-of-feed"}),
        ),
        (
            "managed",
            "AzureSqlDb",
            "ManagedIdentity",
            "sql.example.net",
            json!({"clientId": "5e5c0a0e-0000-4000-8000-000000000001", "resourceId": format!("{service}-identity")}),
        ),
    ] {
        let mut properties = json!({
            "category": category, "authType": way, "target": target, "isSharedToAll": true,
            "sharedUserList": [], "metadata": {"owner": builder.name, "ApiVersion": "2024-02-01"},
        });
        if category == "AzureOpenAI" {
            properties["metadata"] = openai.clone();
        }
        if !credentials.is_null() {
            properties["credentials"] = credentials;
        }
        builder.put(&format!("connections/{name}"), properties, at)?;
    }
    Ok(())
}
