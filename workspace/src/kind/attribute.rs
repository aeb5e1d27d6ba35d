//! How a selector's attributes are read from documents, and what the documents of assets have in common.

use jiff::Timestamp;
use serde_json::Value;

use super::Loss;
use crate::select::{AttributeName, AttributeValue};
use crate::{Document, Form};

/// Read-only fields of a version (appendix of fields, api-version 2025-12-01).
pub(super) const VERSION_READ_ONLY: &[&str] = &[
    "/id",
    "/name",
    "/type",
    "/systemData",
    "/properties/provisioningState",
];

/// Read-only fields of a container.
pub(super) const CONTAINER_READ_ONLY: &[&str] = &[
    "/id",
    "/name",
    "/type",
    "/systemData",
    "/properties/provisioningState",
    "/properties/latestVersion",
    "/properties/nextVersion",
];

/// What no asset keeps.
pub(super) const CREATOR_LOSS: Loss = (
    "creator and times",
    "the service writes them itself",
    "they stay in the snapshot's document",
);

fn text(value: &Value, pointer: &str) -> Option<AttributeValue> {
    let text = value.pointer(pointer)?.as_str()?;
    Some(AttributeValue::Text(text.to_owned()))
}

fn time(value: &Value, pointer: &str) -> Option<AttributeValue> {
    parse_time(value.pointer(pointer)?.as_str()?).map(AttributeValue::Time)
}

/// Services write times with and without an offset; without one they are UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| format!("{}Z", text.replacen(' ', "T", 1)).parse().ok())
}

fn of_form(documents: &[Document], form: Form) -> Option<&Value> {
    documents
        .iter()
        .find(|document| document.form == form)
        .map(|document| &document.value)
}

/// Attributes that every ARM resource has.
pub(super) fn of_resource(documents: &[Document], name: &AttributeName) -> Option<AttributeValue> {
    let arm = of_form(documents, Form::Arm)?;
    let value = match name {
        AttributeName::Created => time(arm, "/systemData/createdAt"),
        AttributeName::Modified => {
            time(arm, "/systemData/lastModifiedAt").or_else(|| time(arm, "/systemData/createdAt"))
        }
        AttributeName::Creator => text(arm, "/systemData/createdBy"),
        AttributeName::Archived => Some(AttributeValue::Flag(flag(arm, "/properties/isArchived"))),
        AttributeName::Anonymous => {
            Some(AttributeValue::Flag(flag(arm, "/properties/isAnonymous")))
        }
        AttributeName::Type => type_of(arm),
        AttributeName::Tag(tag) => Some(
            // Resources that are tracked have their tags at the top.
            ["/properties/tags", "/tags"]
                .iter()
                .find_map(|at| arm.pointer(at)?.get(tag)?.as_str())
                .map_or(AttributeValue::Absent, |tag| {
                    AttributeValue::Text(tag.to_owned())
                }),
        ),
        _ => None,
    };
    // The document is at hand, so what it does not say is not there.
    value.or(Some(AttributeValue::Absent))
}

/// Attributes of a job: the run record has the times, the specification the rest.
pub(super) fn of_job(documents: &[Document], name: &AttributeName) -> Option<AttributeValue> {
    let arm = of_form(documents, Form::Arm);
    let run = of_form(documents, Form::RunHistory);
    match name {
        AttributeName::Experiment => arm
            .and_then(|arm| text(arm, "/properties/experimentName"))
            .or_else(|| run.and_then(|run| text(run, "/experimentName"))),
        AttributeName::Status => arm
            .and_then(|arm| text(arm, "/properties/status"))
            .or_else(|| run.and_then(|run| text(run, "/status"))),
        AttributeName::Started => moment(arm, run, "StartTimeUtc", "/startTimeUtc"),
        AttributeName::Ended => moment(arm, run, "EndTimeUtc", "/endTimeUtc"),
        AttributeName::Created => run
            .and_then(|run| time(run, "/createdUtc"))
            .or_else(|| of_resource(documents, name)),
        AttributeName::Tag(tag) if arm.is_none() => run.map(|run| {
            run.pointer("/tags")
                .and_then(|tags| tags.get(tag))
                .and_then(Value::as_str)
                .map_or(AttributeValue::Absent, |tag| {
                    AttributeValue::Text(tag.to_owned())
                })
        }),
        AttributeName::Archived if arm.is_none() => {
            run.map(|run| AttributeValue::Flag(flag(run, "/hidden")))
        }
        _ => of_resource(documents, name),
    }
}

/// A time that the run record states, or the specification's system properties. A run record without it says that it
/// has not come yet.
fn moment(
    arm: Option<&Value>,
    run: Option<&Value>,
    property: &str,
    pointer: &str,
) -> Option<AttributeValue> {
    let stated = arm
        .and_then(|arm| arm.pointer("/properties/properties"))
        .and_then(|properties| properties.get(property))
        .and_then(Value::as_str)
        .and_then(parse_time)
        .map(AttributeValue::Time);
    match run {
        Some(run) => Some(
            time(run, pointer)
                .or(stated)
                .unwrap_or(AttributeValue::Absent),
        ),
        None => stated,
    }
}

fn flag(value: &Value, pointer: &str) -> bool {
    value
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The discriminator of whichever kind it is.
fn type_of(arm: &Value) -> Option<AttributeValue> {
    [
        "/properties/jobType",
        "/properties/modelType",
        "/properties/dataType",
        "/properties/datastoreType",
        "/properties/componentSpec/type",
        "/properties/computeType",
        "/properties/environmentType",
        "/properties/action/actionType",
        "/properties/category",
        "/properties/endpointComputeType",
        "/properties/authMode",
        "/properties/principalType",
        "/kind",
    ]
    .iter()
    .find_map(|pointer| text(arm, pointer))
}
