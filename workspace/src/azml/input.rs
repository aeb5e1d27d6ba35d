//! Inputs and outputs of jobs, in ARM's spelling and in that of pipelines' untyped parts.

use serde_json::{Map, Value};

use super::field::{Field, How, Walk, field, same};
use super::refer::reference;

/// How bytes come into a job and out of it.
const MODES: &[(&str, &str)] = &[
    ("ReadOnlyMount", "ro_mount"),
    ("ReadWriteMount", "rw_mount"),
];

pub(super) const DATA_INPUT: &[Field] = &[
    field("jobInputType", "type", How::Word(&[])),
    field("type", "type", How::Word(&[])),
    field("uri", "path", How::By(reference)),
    field("path", "path", How::By(reference)),
    field("mode", "mode", How::Word(MODES)),
    same("pathOnCompute", "path_on_compute"),
];

const DATA_OUTPUT: &[Field] = &[
    field("jobOutputType", "type", How::Word(&[])),
    field("type", "type", How::Word(&[])),
    field("uri", "path", How::By(reference)),
    field("path", "path", How::By(reference)),
    field("mode", "mode", How::Word(MODES)),
    same("assetName", "name"),
    same("assetVersion", "version"),
    same("name", "name"),
    same("version", "version"),
    same("pathOnCompute", "path_on_compute"),
];

/// An input: the value itself where it is literal, else type and path.
pub(super) fn input(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    match literal(value, &["jobInputType", "job_input_type"]) {
        Some(literal) => Some(literal),
        None => walk
            .value(value, How::Object(DATA_INPUT))
            .or_else(|| whole(value)),
    }
}

/// An output. The one that the service adds for the run's own artifacts is no part of the job's definition.
pub(super) fn output(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if is_artifacts(value, walk) {
        return None;
    }
    match literal(value, &["jobOutputType", "job_output_type", "type"]) {
        Some(literal) => Some(literal),
        // A port that says nothing is a port all the same.
        None => walk
            .value(value, How::Object(DATA_OUTPUT))
            .or_else(|| Some(whole(value).unwrap_or_else(|| Value::Object(Map::new())))),
    }
}

fn literal(value: &Value, types: &[&str]) -> Option<Value> {
    let is_literal = types
        .iter()
        .filter_map(|name| value.get(name)?.as_str())
        .any(|word| word.eq_ignore_ascii_case("literal"));
    is_literal.then(|| value.get("value").cloned())?
}

/// What is no object is written as it is: a binding, a number.
fn whole(value: &Value) -> Option<Value> {
    (!value.is_object() && !value.is_null()).then(|| value.clone())
}

fn is_artifacts(value: &Value, walk: &Walk<'_>) -> bool {
    let own = format!("dcid.{}", walk.given.id.name);
    let uri = value.get("uri").and_then(Value::as_str).unwrap_or_default();
    uri.split('/').any(|part| part == own)
}
