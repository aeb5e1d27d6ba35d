//! Deployments: online and batch. Their names hold the endpoint's: `EP/NAME`.

use serde_json::{Map, Value};

use super::field::{Field, How, SECOND_MS, Walk, field, known, same};
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
        let (word, schema) = match sort.and_then(Value::as_str) {
            Some("Kubernetes") => ("kubernetes", "kubernetesOnlineDeployment"),
            _ => ("managed", "managedOnlineDeployment"),
        };
        let mut out = deployment(walk, schema, ONLINE)?;
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
        match component {
            Some(_) => {
                let mut out = deployment(walk, "pipelineComponentBatchDeployment", BATCH)?;
                out.insert("type".to_owned(), "pipeline".into());
                Ok(out)
            }
            None => deployment(walk, "batchDeployment", BATCH),
        }
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
    same("gpu", "nvidia_gpu"),
];

const ONLINE: &[Field] = deployment![
    known("endpointComputeType"),
    field("model", "model", How::By(reference)),
    same("modelMountPath", "model_mount_path"),
    same("instanceType", "instance_type"),
    same("appInsightsEnabled", "app_insights_enabled"),
    field(
        "egressPublicNetworkAccess",
        "egress_public_network_access",
        How::Word(&[])
    ),
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
    field(
        "dataCollector",
        "data_collector",
        How::Object(&[
            field("rollingRate", "rolling_rate", How::Word(&[])),
            field(
                "requestLogging",
                "request_logging",
                How::Object(&[same("captureHeaders", "capture_headers")])
            ),
            field(
                "collections",
                "collections",
                How::Each(&[
                    field(
                        "dataCollectionMode",
                        "enabled",
                        How::Word(&[("Enabled", "true"), ("Disabled", "false")])
                    ),
                    same("clientId", "client_id"),
                    field("dataId", "data", How::By(reference)),
                    same("samplingRate", "sampling_rate"),
                ]),
            ),
        ]),
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

const BATCH: &[Field] = deployment![
    field(
        "model",
        "model",
        How::By(|value, walk| match value.get("assetId") {
            Some(id) => reference(id, walk),
            None => {
                walk.leave("the YAML names models by their ids");
                None
            }
        })
    ),
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
    field(
        "deploymentConfiguration",
        "",
        How::Inline(&[
            known("deploymentConfigurationType"),
            field(
                "componentId",
                "component",
                How::By(|value, walk| match value.get("assetId") {
                    Some(id) => reference(id, walk),
                    None => reference(value, walk),
                })
            ),
            same("settings", "settings"),
            same("description", "description"),
            same("tags", "tags"),
        ]),
    ),
];
