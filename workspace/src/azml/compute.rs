//! Computes. What attaches something by its ARM id names it as it is.

use serde_json::Value;

use super::endpoint::{IDENTITY, location};
use super::field::{Field, How, SECOND_MS, Walk, field, known, same};
use super::{AzMl, Unmapped};

/// Computes.
pub static COMPUTE: AzMl = AzMl {
    noun: "compute",
    file: "compute.yml",
    map: |walk| {
        let sort = walk
            .given
            .document
            .pointer("/properties/computeType")
            .and_then(Value::as_str);
        let schema = match sort {
            Some("AmlCompute") => "amlCompute",
            Some("ComputeInstance") => "computeInstance",
            Some("Kubernetes") => "kubernetesCompute",
            Some("VirtualMachine") => "vmCompute",
            Some("SynapseSpark") => "synapseSparkCompute",
            other => {
                let other = other.unwrap_or("no type");
                return Err(Unmapped(format!(
                    "`az ml` has no YAML for computes of {other}"
                )));
            }
        };
        walk.whole(schema, FIELDS)
    },
};

const FIELDS: &[Field] = &[
    known("id"),
    known("name"),
    known("type"),
    known("systemData"),
    same("tags", "tags"),
    field("location", "location", How::By(location)),
    field("identity", "identity", How::Object(IDENTITY)),
    field(
        "properties",
        "",
        How::Inline(&[
            field(
                "computeType",
                "type",
                How::Word(&[
                    ("AmlCompute", "amlcompute"),
                    ("ComputeInstance", "computeinstance"),
                    ("VirtualMachine", "virtualmachine"),
                    ("SynapseSpark", "synapsespark"),
                ]),
            ),
            same("description", "description"),
            same("resourceId", "resource_id"),
            field("computeLocation", "", How::Known),
            // Whether people can sign in by SSH says the same.
            known("disableLocalAuth"),
            known("createdOn"),
            known("modifiedOn"),
            known("isAttachedCompute"),
            known("provisioningState"),
            known("provisioningErrors"),
            field("properties", "", How::Inline(PROPERTIES)),
        ]),
    ),
];

const ADMIN_KEY: &str = "credentials are never written into a folder";

const PROPERTIES: &[Field] = &[
    field("vmSize", "size", How::Same),
    field("vmPriority", "tier", How::Word(&[])),
    field(
        "scaleSettings",
        "",
        How::Inline(&[
            same("minNodeCount", "min_instances"),
            same("maxNodeCount", "max_instances"),
            field(
                "nodeIdleTimeBeforeScaleDown",
                "idle_time_before_scale_down",
                How::Duration(SECOND_MS),
            ),
        ]),
    ),
    field(
        "remoteLoginPortPublicAccess",
        "ssh_public_access_enabled",
        How::By(ssh),
    ),
    field(
        "subnet",
        "network_settings",
        How::Object(&[same("id", "subnet")]),
    ),
    same("enableNodePublicIp", "enable_node_public_ip"),
    field(
        "osType",
        "",
        How::Only("\"Linux\"", "the YAML knows Linux alone"),
    ),
    field(
        "isolatedNetwork",
        "",
        How::Only("false", "the YAML schema has no place for it"),
    ),
    field("userAccountCredentials", "", How::Left(ADMIN_KEY)),
    same("namespace", "namespace"),
    same("idleTimeBeforeShutdown", "idle_time_before_shutdown"),
    same("enableSSO", "enable_sso"),
    same("enableRootAccess", "enable_root_access"),
    same("releaseQuotaOnStop", "release_quota_on_stop"),
    same("enableOSPatching", "enable_os_patching"),
    field(
        "sshPort",
        "",
        How::Left(
            "the YAML asks for it with the credentials, which are never written into a folder",
        ),
    ),
    field("administratorAccount", "", How::Left(ADMIN_KEY)),
    field(
        "autoScaleProperties",
        "scale_settings",
        How::Object(&[
            same("enabled", "auto_scale_enabled"),
            same("minNodeCount", "min_node_count"),
            same("maxNodeCount", "max_node_count"),
        ]),
    ),
    field(
        "autoPauseProperties",
        "auto_pause_settings",
        How::Object(&[
            same("enabled", "auto_pause_enabled"),
            same("delayInMinutes", "delay_in_minutes"),
        ]),
    ),
];

fn ssh(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    match value.as_str() {
        Some("Enabled") => Some(true.into()),
        Some("Disabled") => Some(false.into()),
        _ => None,
    }
}
