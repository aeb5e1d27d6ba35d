//! What the PUT of a job sets going: a run, and the runs below it.
//!
//! A pipeline has a child for each of its steps, named by a guid, a sweep one for each of a few trials, numbered (inferred).
//! They run and end with their parent.

use serde_json::{Map, Value, json};

use super::run::{Run, text_of};

/// Trials that a sweep gets, whatever its limits say.
const TRIALS: u64 = 2;

/// The runs of a job of these `properties`, none of them started: its own, then those below it.
pub fn runs(
    name: &str,
    properties: &Map<String, Value>,
    by: &str,
    mut guid: impl FnMut() -> String,
) -> Vec<Run> {
    let parent = run_of(name, properties, by, guid());
    let children = children_of(&parent, properties, guid);
    std::iter::once(parent).chain(children).collect()
}

fn run_of(name: &str, properties: &Map<String, Value>, by: &str, snapshot: String) -> Run {
    let text = |member: &str| properties.get(member).and_then(Value::as_str);
    let kind = text("jobType").unwrap_or_default();
    let mut run = Run {
        run_id: name.to_owned(),
        experiment: text("experimentName")
            .filter(|it| !it.is_empty())
            .unwrap_or("Default")
            .to_owned(),
        display_name: Some(text("displayName").unwrap_or(name).to_owned()),
        description: text("description").map(str::to_owned),
        run_type: run_type(kind).to_owned(),
        created_by: by.to_owned(),
        ..Run::default()
    };
    for (to, member) in [(&mut run.tags, "tags"), (&mut run.properties, "properties")] {
        for (name, value) in properties
            .get(member)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            to.insert(name.clone(), text_of(value));
        }
    }
    run.properties.insert(
        "_azureml.ComputeTargetType".to_owned(),
        "amlctrain".to_owned(),
    );
    run.properties
        .insert("ContentSnapshotId".to_owned(), snapshot);
    for (input, value) in properties
        .get("inputs")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        match value.get("jobInputType").and_then(Value::as_str) {
            Some("literal") => {
                let literal = value.get("value").cloned().unwrap_or(Value::Null);
                run.parameters.insert(input.clone(), literal);
            }
            kind => add_asset(&mut run, "inputs", input, kind, value.get("uri")),
        }
    }
    for (output, value) in properties
        .get("outputs")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let kind = value.get("jobOutputType").and_then(Value::as_str);
        add_asset(&mut run, "outputs", output, kind, value.get("uri"));
    }
    if let Some(metric) = properties
        .get("objective")
        .and_then(|it| it.get("primaryMetric"))
    {
        run.more
            .insert("primaryMetricName".to_owned(), metric.clone());
    }
    run
}

fn add_asset(run: &mut Run, member: &str, name: &str, kind: Option<&str>, uri: Option<&Value>) {
    let assets = run.more.entry(member).or_insert_with(|| json!({}));
    assets[name] = json!({"assetId": uri, "type": kind});
}

fn run_type(job_type: &str) -> &'static str {
    match job_type {
        "Pipeline" => "azureml.PipelineRun",
        "Sweep" => "azureml.sweep",
        "AutoML" => "automl",
        "Spark" => "azureml.SparkJob",
        _ => "azureml.commandjob",
    }
}

/// The runs below a job's: steps of a pipeline, trials of a sweep.
fn children_of(
    parent: &Run,
    properties: &Map<String, Value>,
    mut guid: impl FnMut() -> String,
) -> Vec<Run> {
    let child = |run_id: String, name: String, kind: &str| Run {
        run_id,
        parent: Some(parent.run_id.clone()),
        experiment: parent.experiment.clone(),
        display_name: Some(name),
        run_type: kind.to_owned(),
        created_by: parent.created_by.clone(),
        ..Run::default()
    };
    match properties.get("jobType").and_then(Value::as_str) {
        Some("Pipeline") => {
            let steps = properties.get("jobs").and_then(Value::as_object);
            steps
                .into_iter()
                .flatten()
                .map(|(step, _)| child(guid(), step.clone(), "azureml.StepRun"))
                .collect()
        }
        Some("Sweep") => {
            let limits = properties.get("limits");
            let most = limits.and_then(|limits| limits.get("maxTotalTrials")?.as_u64());
            (0..most.unwrap_or(TRIALS).min(TRIALS))
                .map(|trial| {
                    let run_id = format!("{}_{trial}", parent.run_id);
                    child(run_id, format!("trial_{trial}"), "azureml.commandjob")
                })
                .collect()
        }
        _ => Vec::new(),
    }
}
