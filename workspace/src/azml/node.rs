//! The untyped parts of pipelines and components: steps, settings, specifications. They are close to YAML already; what
//! differs are ids, the tags of unions, and marks of the SDK's own.

use serde_json::{Map, Value};

use super::field::{How, Walk};
use super::input::{input, output};
use super::job::{DISTRIBUTION, ENTRY, IDENTITY, QUEUE, RESOURCES, service};
use super::refer::{compute, datastore, reference};
use super::sweep;

/// Text in which nothing is a reference.
const FREE: &[&str] = &[
    "command",
    "args",
    "conf",
    "description",
    "tags",
    "properties",
    "environment_variables",
];

/// Deeper nests are written as they are: no service takes a pipeline of that depth.
const DEPTH_MAX: usize = 64;

/// A step of a pipeline.
pub(super) fn node(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some(Value::Object(mut members)) = open(value, walk) else {
        return Some(value.clone());
    };
    // The step's key says it.
    members.remove("name");
    Some(Value::Object(members))
}

/// Settings of a pipeline.
pub(super) fn settings(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    open(value, walk)
}

/// A specification of a component.
pub(super) fn specification(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    open(value, walk)
}

/// An untyped part at any depth.
fn open(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if walk.at.parts().len() > DEPTH_MAX {
        return Some(value.clone());
    }
    match value {
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                walk.at.push(name.as_str());
                if let Some((name, value)) = member(name, value, walk) {
                    out.insert(name.to_owned(), value);
                }
                walk.at.pop();
            }
            Some(Value::Object(out))
        }
        Value::Array(_) => walk.value(value, How::EachBy(open)),
        Value::String(_) => reference(value, walk),
        other => Some(other.clone()),
    }
}

/// A member by its name in the YAML.
fn member<'n>(name: &'n str, value: &Value, walk: &mut Walk<'_>) -> Option<(&'n str, Value)> {
    let (name, how) = match name {
        // Where the SDK noted how the step was written.
        "_source" => return None,
        "componentId" | "component_id" => ("component", How::By(reference)),
        "codeId" => ("code", How::By(reference)),
        "environmentId" => ("environment", How::By(reference)),
        "computeId" | "compute" => ("compute", How::By(compute)),
        "default_compute" => (name, How::By(compute)),
        "default_datastore" => (name, How::By(datastore)),
        "trial" => (name, How::By(trial)),
        "inputs" => (name, How::EachBy(port_or_input)),
        "outputs" => (name, How::EachBy(output)),
        "jobs" => (name, How::EachBy(node)),
        "distribution" => (name, How::Object(DISTRIBUTION)),
        "limits" => (name, How::By(limits)),
        "identity" => (name, How::Object(IDENTITY)),
        "queue_settings" => (name, How::Object(QUEUE)),
        "resources" if value.get("runtime_version").is_none() => (name, How::Object(RESOURCES)),
        "entry" => (name, How::Object(ENTRY)),
        "services" => (name, How::EachBy(service)),
        "objective" => (name, How::Object(sweep::OBJECTIVE)),
        "sampling_algorithm" => (name, How::By(sweep::sampling)),
        "early_termination" => (name, How::Object(sweep::EARLY_TERMINATION)),
        "search_space" => (name, How::EachBy(sweep::dimension)),
        _ if FREE.contains(&name) => (name, How::Same),
        _ => (name, How::By(open)),
    };
    Some((name, walk.value(value, how)?))
}

/// A sweep's trial is a component, by its id or whole.
fn trial(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let id = value
        .get("componentId")
        .or_else(|| value.get("component_id"));
    match id {
        Some(id) => reference(id, walk),
        None => open(value, walk),
    }
}

/// Limits of steps: of AutoML in minutes already, of others as durations.
fn limits(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let is_automl = value
        .as_object()
        .is_some_and(|members| members.keys().any(|name| name.ends_with("_minutes")));
    if is_automl {
        return open(value, walk);
    }
    walk.value(value, How::Object(sweep::LIMITS))
}

/// What a step is given, or what a component takes: a port says more than an input does.
fn port_or_input(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let is_input = value.get("job_input_type").is_some() || value.get("jobInputType").is_some();
    if is_input {
        return input(value, walk);
    }
    open(value, walk)
}
