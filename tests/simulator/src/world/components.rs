//! Components: commands, a pipeline, a pipeline in a pipeline, and anonymous ones that pipelines hold inline.

use serde_json::{Value, json};

use super::builder::Builder;
use crate::error::Error;

/// Versions of the anonymous components, guids in form.
const ANONYMOUS: [&str; 2] = [
    "0f1e2d3c-4b5a-4697-8877-665544332211",
    "a1b2c3d4-e5f6-4789-9abc-def012345678",
];

/// Components of a command, with their versions.
const COMMANDS: [(&str, &str); 4] = [
    ("prepare_data", "1"),
    ("fit_step", "1"),
    ("fit_step", "2"),
    ("score_step", "3"),
];

/// How a node's input is bound to an input of its pipeline.
const PARENT_DATA: &str = "${{parent.inputs.data}}";

fn command(builder: &Builder<'_>, name: &str, version: &str, code: &str) -> Value {
    let environment = builder.id("environments/sklearn-train/versions/2");
    json!({
        "$schema": "https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json",
        "name": name, "version": version, "display_name": name.replace('_', " "), "type": "command",
        "command": "python train.py --data ${{inputs.data}} --lr ${{inputs.lr}} --model ${{outputs.model}}",
        "code": format!("azureml:{code}"), "environment": format!("azureml:{environment}"),
        "is_deterministic": true, "tags": {"owner": "ml"}, "_source": "CLASS",
        "inputs": {"data": {"type": "uri_folder"}, "lr": {"type": "number", "default": "0.01", "min": "0.0", "max": "1.0"}},
        "outputs": {"model": {"type": "uri_folder"}},
    })
}

/// One node of a pipeline: a component with what is bound to its inputs.
fn node(builder: &Builder<'_>, name: &str, component: &str, data: &str) -> Value {
    json!({
        "name": name, "type": if component.contains("pipeline") { "pipeline" } else { "command" },
        "inputs": {
            "data": {"value": data, "job_input_type": "literal"},
            "lr": {"value": "0.3", "job_input_type": "literal"},
        },
        "_source": "REMOTE.WORKSPACE.COMPONENT", "componentId": builder.id(&format!("components/{component}")),
    })
}

fn anonymous(at: usize) -> String {
    format!("azureml_anonymous/versions/{}", ANONYMOUS[at])
}

fn pipeline(name: &str, jobs: &Value) -> Value {
    json!({
        "name": name, "version": "1", "display_name": name, "type": "pipeline", "_source": "DSL", "sourceJobId": null,
        "inputs": {"data": {"type": "uri_folder"}, "lr": {"type": "number", "default": "0.1"}},
        "outputs": {"model": {"type": "uri_folder"}}, "jobs": jobs,
    })
}

fn put(
    builder: &Builder<'_>,
    (name, version): (&str, &str),
    spec: &Value,
    is_anonymous: bool,
    days: u64,
) -> Result<(), Error> {
    let properties = json!({
        "componentSpec": spec, "description": format!("{name} for everyone"), "isAnonymous": is_anonymous,
        "properties": {"client_component_hash": format!("{name}-{version}")}, "tags": {"owner": "ml"},
    });
    let path = format!("components/{name}/versions/{version}");
    builder.put(&path, properties, builder.ago(24 * days))
}

/// All components, leaves first.
pub(super) fn all(builder: &Builder<'_>, codes: &[String]) -> Result<(), Error> {
    let code = |index: usize| {
        codes
            .get(index % codes.len().max(1))
            .map_or("", String::as_str)
    };
    for (index, (name, version)) in COMMANDS.into_iter().enumerate() {
        let spec = command(builder, name, version, code(index));
        put(builder, (name, version), &spec, false, 200 - index as u64)?;
    }
    for (index, version) in ANONYMOUS.into_iter().enumerate() {
        let mut spec = command(builder, "inline_step", "1", code(index + 1));
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("version");
        }
        put(builder, ("azureml_anonymous", version), &spec, true, 190)?;
    }
    let prepared = "${{parent.jobs.prepare.outputs.model}}";
    let jobs = json!({
        "prepare": node(builder, "prepare", "prepare_data/versions/1", PARENT_DATA),
        "train": node(builder, "train", "fit_step/versions/2", prepared),
    });
    put(
        builder,
        ("train_pipeline", "1"),
        &pipeline("train_pipeline", &jobs),
        false,
        180,
    )?;
    let trained = "${{parent.jobs.inner.outputs.model}}";
    let jobs = json!({
        "inner": node(builder, "inner", "train_pipeline/versions/1", PARENT_DATA),
        "inline": node(builder, "inline", &anonymous(0), PARENT_DATA),
        "evaluate": node(builder, "evaluate", "score_step/versions/3", trained),
    });
    put(
        builder,
        ("full_pipeline", "1"),
        &pipeline("full_pipeline", &jobs),
        false,
        170,
    )
}

/// The jobs of a pipeline job.
pub(super) fn pipeline_jobs(builder: &Builder<'_>) -> Value {
    let prepared = "${{parent.jobs.prepare.outputs.model}}";
    json!({
        "prepare": node(builder, "prepare", "prepare_data/versions/1", PARENT_DATA),
        "train": node(builder, "train", "fit_step/versions/1", prepared),
        "inline": node(builder, "inline", &anonymous(1), PARENT_DATA),
        "nested": node(builder, "nested", "train_pipeline/versions/1", PARENT_DATA),
    })
}
