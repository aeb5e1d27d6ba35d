//! Endpoints: opened by keys and by tokens, with two deployments that share the traffic, and one without any.

use serde_json::json;

use super::builder::Builder;
use super::words::MODELS;
use crate::error::Error;

/// Two online endpoints.
pub(super) fn online(builder: &Builder<'_>, codes: &[String]) -> Result<(), Error> {
    let location = &builder.world.spec.location;
    let at = builder.ago(24 * 12);
    let endpoint = |mode: &str, traffic: serde_json::Value| {
        json!({
            "location": location, "kind": "Managed", "identity": {"type": "SystemAssigned"},
            "tags": {"team": "serving", "owner": builder.name},
            "properties": {
                "authMode": mode, "description": "Answers within a second", "publicNetworkAccess": "Enabled",
                "properties": {"tier": "gold"}, "traffic": traffic,
            },
        })
    };
    let mut keyed = endpoint("Key", json!({}));
    keyed["properties"]["keys"] =
        json!({"primaryKey": "first-key-of-scoring", "secondaryKey": "second-key-of-scoring"});
    builder.put_whole("onlineEndpoints/scoring", &keyed, at)?;
    for (index, colour) in ["blue", "green"].into_iter().enumerate() {
        let model = MODELS.get(index).map_or("", |(name, _)| *name);
        let body = json!({
            "location": location, "kind": "Managed", "tags": {"colour": colour},
            "sku": {"name": "Default", "capacity": index + 1},
            "properties": {
                "endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2",
                "model": builder.id(&format!("models/{model}/versions/1")),
                "environmentId": builder.id("environments/sklearn-train/versions/2"),
                "codeConfiguration": {"codeId": codes.first(), "scoringScript": "src/evaluate.py"},
                "environmentVariables": {"MODE": colour, "PASSWORD": "chosen by its owner"},
                "livenessProbe": {"failureThreshold": 30, "period": "PT10S", "timeout": "PT2S"},
                "requestSettings": {"maxConcurrentRequestsPerInstance": 2, "requestTimeout": "PT1M"},
                "scaleSettings": {"scaleType": "Default"}, "properties": {"made": "by hand"},
            },
        });
        builder.put_whole(
            &format!("onlineEndpoints/scoring/deployments/{colour}"),
            &body,
            at,
        )?;
    }
    let shared = endpoint("Key", json!({"blue": 90, "green": 10}));
    builder.put_whole("onlineEndpoints/scoring", &shared, at)?;
    builder.put_whole(
        "onlineEndpoints/by-token",
        &endpoint("AADToken", json!({})),
        at,
    )
}
