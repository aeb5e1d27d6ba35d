//! Schedules: the trigger, and what it starts. A job stands in a file of its own, since `az ml` takes no definition inline;
//! a monitor stands in the schedule.

use serde_json::{Map, Value};

use super::field::{Field, How, Walk, field, known, resource, same};
use super::{AzMl, Unmapped, job, monitor};
use crate::ItemId;

/// Schedules.
pub static SCHEDULE: AzMl = AzMl {
    noun: "schedule",
    file: "schedule.yml",
    map: schedule,
};

/// The definition of the job that a schedule starts.
const DEFINITION: &str = "job.yml";

const FIELDS: &[Field] = &resource(&[
    same("displayName", "display_name"),
    same("description", "description"),
    same("tags", "tags"),
    same("properties", "properties"),
    field("trigger", "trigger", How::Object(TRIGGER)),
    field(
        "isEnabled",
        "",
        How::Only(
            "true",
            "that it is disabled is no field of YAML; a schedule that is created starts enabled",
        ),
    ),
    known("provisioningState"),
    // Written by what it does.
    known("action"),
]);

pub(super) const TRIGGER: &[Field] = &[
    field("triggerType", "type", How::Word(&[])),
    same("expression", "expression"),
    field("frequency", "frequency", How::Word(&[])),
    same("interval", "interval"),
    field(
        "schedule",
        "schedule",
        How::Object(&[
            same("hours", "hours"),
            same("minutes", "minutes"),
            field("weekDays", "week_days", How::Word(&[])),
            same("monthDays", "month_days"),
        ]),
    ),
    same("startTime", "start_time"),
    same("endTime", "end_time"),
    same("timeZone", "time_zone"),
];

fn schedule(walk: &mut Walk<'_>) -> Result<Map<String, Value>, Unmapped> {
    let action = walk.given.document.pointer("/properties/action");
    let sort = action
        .and_then(|action| action.get("actionType"))
        .and_then(Value::as_str);
    let defined = |name: &str| action.and_then(|action| action.get(name));
    match sort {
        Some("CreateJob") => {
            let definition = defined("jobDefinition").and_then(Value::as_object);
            let definition = definition.ok_or_else(|| Unmapped("it defines no job".to_owned()))?;
            let mut out = walk.whole("schedule", FIELDS)?;
            let job = create_job(definition, walk)?;
            out.insert("create_job".to_owned(), job.into());
            Ok(out)
        }
        Some("CreateMonitor") => {
            let mut out = walk.whole("monitorSchedule", FIELDS)?;
            let definition = defined("monitorDefinition");
            let monitor = definition.and_then(|definition| {
                walk.below(&["properties", "action", "monitorDefinition"], |walk| {
                    walk.value(definition, How::Object(monitor::DEFINITION))
                })
            });
            let monitor = monitor.filter(|monitor| monitor.get("compute").is_some());
            let monitor = monitor.ok_or_else(|| Unmapped("it defines no monitor".to_owned()))?;
            out.insert("create_monitor".to_owned(), monitor);
            Ok(out)
        }
        other => Err(Unmapped(format!(
            "`az ml` has no YAML for schedules of {}",
            other.unwrap_or("no action")
        ))),
    }
}

/// The path of the job's YAML: a definition of its own, or that of the job which the schedule names.
fn create_job(definition: &Map<String, Value>, walk: &mut Walk<'_>) -> Result<String, Unmapped> {
    let is_whole = [
        "jobs",
        "command",
        "entry",
        "componentId",
        "trial",
        "taskDetails",
    ]
    .iter()
    .any(|name| definition.contains_key(*name));
    if is_whole {
        let mut written = walk.below(&["properties", "action", "jobDefinition"], |walk| {
            job::definition(definition, walk)
        });
        if let Ok(members) = &mut written {
            members.remove("name");
        }
        let text = crate::yaml::to_yaml(&Value::Object(written?));
        walk.beside.push((DEFINITION, text));
        return Ok(format!("./{DEFINITION}"));
    }
    let source = definition
        .get("sourceJobId")
        .and_then(Value::as_str)
        .and_then(|source| source.rsplit('/').next())
        .ok_or_else(|| Unmapped("it neither defines a job nor names one".to_owned()))?;
    match walk.given.neighbours.get(&ItemId::new("jobs", source)) {
        Some(super::Neighbour {
            folder,
            file: Some(file),
            ..
        }) => Ok(format!("{folder}/{file}")),
        _ => Ok(format!("azureml:{source}")),
    }
}
