//! Endpoints and deployments: online ones opened by keys and by tokens, a batch endpoint, a serverless one.

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

/// A batch endpoint with two deployments, one of a model and one of a pipeline.
pub(super) fn batch(builder: &Builder<'_>, codes: &[String]) -> Result<(), Error> {
    let location = &builder.world.spec.location;
    let at = builder.ago(24 * 11);
    let endpoint = |defaults: serde_json::Value| {
        json!({
            "location": location, "identity": {"type": "SystemAssigned"}, "tags": {"team": "nightly"},
            "properties": {"authMode": "AADToken", "description": "Every night", "properties": {}, "defaults": defaults},
        })
    };
    builder.put_whole("batchEndpoints/nightly", &endpoint(json!({})), at)?;
    let model = MODELS.first().map_or("", |(name, _)| *name);
    let by_model = json!({
        "model": {"referenceType": "Id", "assetId": builder.id(&format!("models/{model}/versions/1"))},
        "environmentId": builder.id("environments/sklearn-train/versions/1"),
        "codeConfiguration": {"codeId": codes.first(), "scoringScript": "src/evaluate.py"},
        "compute": builder.id("computes/cpu-cluster"), "errorThreshold": -1, "loggingLevel": "Info",
        "maxConcurrencyPerInstance": 1, "miniBatchSize": 10, "outputAction": "AppendRow",
        "outputFileName": "predictions.csv", "resources": {"instanceCount": 2},
        "retrySettings": {"maxRetries": 3, "timeout": "PT30S"}, "properties": {},
    });
    let by_place = json!({
        "model": {"referenceType": "DataPath", "datastoreId": builder.id("datastores/workspaceblobstore"), "path": "models/x"},
        "compute": builder.id("computes/cpu-cluster"), "properties": {},
    });
    for (name, properties) in [("by-model", by_model), ("by-place", by_place)] {
        let body = json!({"location": location, "tags": {}, "properties": properties});
        builder.put_whole(
            &format!("batchEndpoints/nightly/deployments/{name}"),
            &body,
            at,
        )?;
    }
    let chosen = endpoint(json!({"deploymentName": "by-model"}));
    builder.put_whole("batchEndpoints/nightly", &chosen, at)
}

/// A model that others host, with the subscription to it.
pub(super) fn serverless(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 10);
    let model = "azureml://registries/azureml-meta/models/Llama-2-7b";
    builder.put(
        "marketplaceSubscriptions/llama",
        json!({"modelId": model}),
        at,
    )?;
    let body = json!({
        "location": builder.world.spec.location, "tags": {"team": "nlp"}, "sku": {"name": "Consumption"},
        "properties": {"authMode": "Key", "modelSettings": {"modelId": model}, "contentSafety": {"contentSafetyStatus": "Enabled"}},
    });
    builder.put_whole("serverlessEndpoints/llama", &body, at)
}
