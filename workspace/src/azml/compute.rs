//! Computes. What attaches something by its ARM id names it as it is.

use serde_json::Value;

use super::endpoint::{IDENTITY, location};
use super::field::{Field, How, MINUTE_MS, NO_PLACE, SECOND_MS, Walk, field, known, same};
use super::schedule::TRIGGER;
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
    field("isolatedNetwork", "", How::Only("false", NO_PLACE)),
    field(
        "sshSettings",
        "",
        How::Inline(&[
            field("sshPublicAccess", "ssh_public_access_enabled", How::By(ssh)),
            field(
                "adminPublicKey",
                "ssh_settings",
                How::By(|key, _| Some(serde_json::json!({ "ssh_key_value": key }))),
            ),
            known("adminUserName"),
            known("sshPort"),
        ]),
    ),
    field(
        "personalComputeInstanceSettings",
        "create_on_behalf_of",
        How::Object(&[field(
            "assignedUser",
            "",
            How::Inline(&[
                same("objectId", "user_object_id"),
                same("tenantId", "user_tenant_id"),
            ]),
        )]),
    ),
    field(
        "setupScripts",
        "setup_scripts",
        How::Object(&[field(
            "scripts",
            "",
            How::Inline(&[
                field("creationScript", "creation_script", How::By(script)),
                field("startupScript", "startup_script", How::By(script)),
            ]),
        )]),
    ),
    field(
        "schedules",
        "schedules",
        How::Object(&[field(
            "computeStartStop",
            "compute_start_stop",
            How::Each(&[
                field("action", "action", How::Word(&[])),
                field("status", "state", How::Word(&[])),
                field("recurrence", "trigger", How::By(trigger)),
                field("cron", "trigger", How::By(trigger)),
                // Which of the two it is.
                known("triggerType"),
                known("id"),
                known("provisioningStatus"),
                known("schedule"),
            ]),
        )]),
    ),
    field(
        "customServices",
        "custom_applications",
        How::Each(&[
            same("name", "name"),
            same("type", "type"),
            field(
                "image",
                "image",
                How::Object(&[known("type"), same("reference", "reference")]),
            ),
            field(
                "endpoints",
                "endpoints",
                How::Each(&[
                    same("target", "target"),
                    same("published", "published"),
                    // The SDK's own word.
                    known("name"),
                    field("protocol", "", How::Only("\"http\"", NO_PLACE)),
                ]),
            ),
            field(
                "environmentVariables",
                "environment_variables",
                How::EachBy(|variable, _| variable.get("value").cloned()),
            ),
            field(
                "volumes",
                "bind_mounts",
                How::Each(&[
                    same("source", "source"),
                    same("target", "target"),
                    known("type"),
                    field("readOnly", "", How::Only("false", NO_PLACE)),
                ]),
            ),
            field("docker", "", How::Only("{\"privileged\":true}", NO_PLACE)),
        ]),
    ),
    // The SDK shares what runs on one with nobody, or with all, as the service does by itself.
    known("computeInstanceAuthorizationType"),
    field(
        "applicationSharingPolicy",
        "",
        How::Only("\"Shared\"", NO_PLACE),
    ),
    field("userAccountCredentials", "", How::Left(ADMIN_KEY)),
    same("namespace", "namespace"),
    field(
        "idleTimeBeforeShutdown",
        "idle_time_before_shutdown_minutes",
        How::Duration(MINUTE_MS),
    ),
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

/// A script of the workspace's own storage; the YAML has no place for one that the document holds whole.
fn script(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if value.get("scriptSource").and_then(Value::as_str) != Some("workspaceStorage") {
        walk.leave("the YAML names a script by its path alone");
        return None;
    }
    walk.value(value, How::Object(SCRIPT))
}

const SCRIPT: &[Field] = &[
    known("scriptSource"),
    same("scriptData", "path"),
    same("scriptArguments", "command"),
    field("timeout", "timeout_minutes", How::By(minutes)),
];

/// `15m`.
fn minutes(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let number = value
        .as_str()
        .and_then(|text| text.strip_suffix('m')?.parse::<u64>().ok());
    if number.is_none() {
        walk.leave(NO_PLACE);
    }
    number.map(Value::from)
}

/// When an instance starts or stops.
fn trigger(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let mut written = walk.value(value, How::Object(TRIGGER))?;
    let sort = match value.get("expression") {
        Some(_) => "cron",
        None => "recurrence",
    };
    written
        .as_object_mut()?
        .insert("type".to_owned(), sort.into());
    Some(written)
}

fn ssh(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    match value.as_str() {
        Some("Enabled") => Some(true.into()),
        Some("Disabled") => Some(false.into()),
        _ => None,
    }
}
