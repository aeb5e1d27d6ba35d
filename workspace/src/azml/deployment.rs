//! Deployments: online and batch. Their names hold the endpoint's: `EP/NAME`.

use serde_json::{Map, Value};

use super::field::{Field, How, NO_PLACE, SECOND_MS, Walk, field, gather, known, same};
use super::job::RESOURCES;
use super::refer::{compute, reference};
use super::{AzMl, Unmapped};

/// Online deployments.
pub static ONLINE_DEPLOYMENT: AzMl = AzMl {
    noun: "online-deployment",
    file: "deployment.yml",
    map: |walk| {
        let sort = walk
            .given
            .document
            .pointer("/properties/endpointComputeType");
        let (word, schema, fields) = match sort.and_then(Value::as_str) {
            Some("Kubernetes") => ("kubernetes", "kubernetesOnlineDeployment", KUBERNETES),
            _ => ("managed", "managedOnlineDeployment", MANAGED),
        };
        let mut out = deployment(walk, schema, fields)?;
        out.insert("type".to_owned(), word.into());
        Ok(out)
    },
};

/// Batch deployments.
pub static BATCH_DEPLOYMENT: AzMl = AzMl {
    noun: "batch-deployment",
    file: "deployment.yml",
    map: |walk| {
        let component = walk
            .given
            .document
            .pointer("/properties/deploymentConfiguration/componentId");
        let (schema, fields, word) = match component {
            Some(_) => ("pipelineComponentBatchDeployment", OF_PIPELINE, "pipeline"),
            None => ("modelBatchDeployment", OF_MODEL, "model"),
        };
        let mut out = deployment(walk, schema, fields)?;
        out.insert("type".to_owned(), word.into());
        if component.is_none() {
            if !out.contains_key("compute") {
                return Err(Unmapped(
                    "it names no compute, without which the YAML is none".to_owned(),
                ));
            }
            gather(&mut out, "settings", SETTINGS);
        }
        Ok(out)
    },
};

fn deployment(
    walk: &mut Walk<'_>,
    schema: &str,
    fields: &'static [Field],
) -> Result<Map<String, Value>, Unmapped> {
    let (endpoint, name) = walk
        .given
        .id
        .name
        .split_once('/')
        .ok_or_else(|| Unmapped("its name does not say the endpoint".to_owned()))?;
    let mut out = walk.whole(schema, fields)?;
    out.insert("name".to_owned(), name.into());
    out.insert("endpoint_name".to_owned(), endpoint.into());
    Ok(out)
}

const MILLISECOND: u64 = 1;

/// What every deployment says.
macro_rules! deployment {
    ($($own:expr),* $(,)?) => {
        &[
            known("id"),
            known("name"),
            known("type"),
            known("systemData"),
            known("kind"),
            same("tags", "tags"),
            field("location", "", How::Known),
            field("identity", "", How::Left("the YAML of deployments has no place for it")),
            field("sku", "", How::Inline(&[
                same("capacity", "instance_count"),
                known("name"),
                known("tier"),
            ])),
            field("properties", "", How::Inline(&[
                same("description", "description"),
                same("properties", "properties"),
                field("environmentId", "environment", How::By(reference)),
                same("environmentVariables", "environment_variables"),
                field("codeConfiguration", "code_configuration", How::Object(&[
                    field("codeId", "code", How::By(reference)),
                    same("scoringScript", "scoring_script"),
                ])),
                known("provisioningState"),
                $($own),*
            ])),
        ]
    };
}

const PROBE: &[Field] = &[
    same("failureThreshold", "failure_threshold"),
    same("successThreshold", "success_threshold"),
    field("initialDelay", "initial_delay", How::Duration(SECOND_MS)),
    field("period", "period", How::Duration(SECOND_MS)),
    field("timeout", "timeout", How::Duration(SECOND_MS)),
];

const QUANTITIES: &[Field] = &[
    same("cpu", "cpu"),
    same("memory", "memory"),
    same("gpu", "nvidia.com/gpu"),
];

/// What every online deployment says.
macro_rules! online {
    ($($own:expr),* $(,)?) => {
        deployment![
                known("endpointComputeType"),
                field("model", "model", How::By(reference)),
                same("modelMountPath", "model_mount_path"),
                same("instanceType", "instance_type"),
                same("appInsightsEnabled", "app_insights_enabled"),
                field(
                    "scaleSettings",
                    "scale_settings",
                    How::Object(&[
                        field("scaleType", "type", How::Word(&[])),
                        same("minInstances", "min_instances"),
                        same("maxInstances", "max_instances"),
                        field(
                            "pollingInterval",
                            "polling_interval",
                            How::Duration(SECOND_MS)
                        ),
                        same(
                            "targetUtilizationPercentage",
                            "target_utilization_percentage"
                        ),
                    ]),
                ),
                field(
                    "requestSettings",
                    "request_settings",
                    How::Object(&[
                        same(
                            "maxConcurrentRequestsPerInstance",
                            "max_concurrent_requests_per_instance"
                        ),
                        field(
                            "maxQueueWait",
                            "max_queue_wait_ms",
                            How::Duration(MILLISECOND)
                        ),
                        field(
                            "requestTimeout",
                            "request_timeout_ms",
                            How::Duration(MILLISECOND)
                        ),
                    ]),
                ),
                field("livenessProbe", "liveness_probe", How::Object(PROBE)),
                field("readinessProbe", "readiness_probe", How::Object(PROBE)),
                field("dataCollector", "data_collector", How::By(data_collector)),
            $($own),*
        ]
    };
}

const MANAGED: &[Field] = online![field(
    "egressPublicNetworkAccess",
    "egress_public_network_access",
    How::Word(&[])
)];

const KUBERNETES: &[Field] = online![
    field(
        "egressPublicNetworkAccess",
        "",
        How::Only("\"Enabled\"", NO_PLACE)
    ),
    field(
        "containerResourceRequirements",
        "resources",
        How::Object(&[
            field("containerResourceLimits", "limits", How::Object(QUANTITIES)),
            field(
                "containerResourceRequests",
                "requests",
                How::Object(QUANTITIES)
            ),
        ]),
    ),
];

const DATA_COLLECTOR: &[Field] = &[
    field("rollingRate", "rolling_rate", How::Word(&[])),
    field(
        "requestLogging",
        "request_logging",
        How::Object(&[same("captureHeaders", "capture_headers")]),
    ),
    field(
        "collections",
        "collections",
        How::Each(&[
            field(
                "dataCollectionMode",
                "enabled",
                How::Word(&[("Enabled", "true"), ("Disabled", "false")]),
            ),
            same("clientId", "client_id"),
            field("dataId", "data", How::By(reference)),
            // Said once for all of them.
            known("samplingRate"),
        ]),
    ),
];

/// Where requests and answers are kept. ARM has a rate of sampling for each collection, the YAML one for all.
fn data_collector(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let mut out = walk.value(value, How::Object(DATA_COLLECTOR))?;
    let collections = value.get("collections").and_then(Value::as_object);
    let mut rates = collections
        .into_iter()
        .flat_map(Map::values)
        .filter_map(|collection| collection.get("samplingRate"));
    if let (Some(first), Some(members)) = (rates.next(), out.as_object_mut()) {
        members.insert("sampling_rate".to_owned(), first.clone());
        if rates.any(|rate| rate != first) {
            walk.leave("the YAML has one rate of sampling for all collections");
        }
    }
    Some(out)
}

/// A model, by the id that ARM wraps.
fn model(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    match value.get("assetId") {
        Some(id) => reference(id, walk),
        None => {
            walk.leave("the YAML names models by their ids");
            None
        }
    }
}

/// What the YAML of a model's deployment says below `settings`.
const SETTINGS: &[&str] = &[
    "error_threshold",
    "mini_batch_size",
    "max_concurrency_per_instance",
    "logging_level",
    "output_action",
    "output_file_name",
    "retry_settings",
];

const OF_MODEL: &[Field] = deployment![
    field("model", "model", How::By(model)),
    field("compute", "compute", How::By(compute)),
    same("errorThreshold", "error_threshold"),
    same("miniBatchSize", "mini_batch_size"),
    same("maxConcurrencyPerInstance", "max_concurrency_per_instance"),
    field("loggingLevel", "logging_level", How::Word(&[])),
    field("outputAction", "output_action", How::Word(&[])),
    same("outputFileName", "output_file_name"),
    field(
        "retrySettings",
        "retry_settings",
        How::Object(&[
            same("maxRetries", "max_retries"),
            field("timeout", "timeout", How::Duration(SECOND_MS))
        ]),
    ),
    field("resources", "resources", How::Object(RESOURCES)),
    // That it is one of a model.
    known("deploymentConfiguration"),
];

/// The component that a pipeline's deployment runs, by the id that ARM wraps.
fn component(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    reference(value.get("assetId").unwrap_or(value), walk)
}

const OF_PIPELINE: &[Field] = &[
    known("id"),
    known("name"),
    known("type"),
    known("systemData"),
    known("kind"),
    same("tags", "tags"),
    known("location"),
    field(
        "properties",
        "",
        How::Inline(&[
            same("description", "description"),
            known("provisioningState"),
            field(
                "deploymentConfiguration",
                "",
                How::Inline(&[
                    known("deploymentConfigurationType"),
                    field("componentId", "component", How::By(component)),
                    same("settings", "settings"),
                    same("description", "description"),
                    same("tags", "tags"),
                ]),
            ),
        ]),
    ),
];
