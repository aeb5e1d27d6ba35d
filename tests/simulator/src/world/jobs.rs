//! Jobs of all sorts: commands, sweeps, pipelines, AutoML; completed, failed, cancelled, archived, and two under way.

use serde_json::{Value, json};

use super::builder::Builder;
use super::words::{EXPERIMENTS, TEAMS};
use super::{assets, components, decoys, runs};
use crate::error::Error;

/// The smallest number of jobs that holds each sort.
const COUNT_MIN: usize = 12;

/// Hours between the first job and the last settled one.
const SPAN_HOURS: u64 = 24 * 160;

/// One job to be made.
struct Plan {
    name: String,
    kind: Kind,
    index: usize,
    status: &'static str,
    /// Hours since it was submitted.
    age: u64,
    archived: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    Mention,
    Whole,
    Sweep,
    Pipeline,
    AutoMl,
}

/// Makes all jobs, oldest first, and returns the completed ones that left a model.
pub(super) fn all(builder: &Builder<'_>, codes: &[String]) -> Result<Vec<String>, Error> {
    let count = builder.world.jobs.max(COUNT_MIN);
    let mut trained = Vec::new();
    for index in 0..count {
        let plan = plan(builder, index, count);
        let at = builder.ago(plan.age);
        let code = codes.get(index % codes.len().max(1));
        let properties = properties(builder, &plan, code.map_or("", String::as_str));
        builder.put(&format!("jobs/{}", plan.name), properties, at)?;
        let ends = runs::lived(builder, &plan.name, plan.status, plan.archived, at);
        runs::left(builder, &plan.name, plan.status, at, ends);
        if plan.kind == Kind::Command && plan.status == "Completed" && index.is_multiple_of(2) {
            runs::left_model(builder, &plan.name, ends);
            trained.push(plan.name);
        }
    }
    Ok(trained)
}

/// The last two jobs are under way, the three before them ended within a day, all others are settled.
fn plan(builder: &Builder<'_>, index: usize, count: usize) -> Plan {
    let left = count - index;
    let kind = match index {
        1 => Kind::Mention,
        3 => Kind::Whole,
        _ if left <= 2 => Kind::Command,
        _ if index % 16 == 5 => Kind::Pipeline,
        _ if index % 20 == 7 => Kind::Sweep,
        _ if index % 25 == 9 => Kind::AutoMl,
        _ => Kind::Command,
    };
    let status = match left {
        1 | 2 => "Running",
        _ if index % 23 == 11 => "Canceled",
        _ if index % 19 == 8 => "Failed",
        _ => "Completed",
    };
    let words = ["brave_fox", "calm_river", "good-lake", "train"];
    let word = builder.one(&words).unwrap_or("train");
    let name = match kind {
        Kind::Mention => "decoy_mention".to_owned(),
        Kind::Whole => "decoy_whole".to_owned(),
        Kind::Pipeline => format!("pipeline_{index:04}"),
        Kind::Sweep => format!("sweep_{index:04}"),
        Kind::AutoMl => format!("automl_{index:04}"),
        Kind::Command if index == 0 => "churn_0000".to_owned(),
        Kind::Command => format!("{word}_{index:04}"),
    };
    Plan {
        name,
        kind,
        index,
        status,
        age: match left {
            1 | 2 => 1,
            3..=5 => 10 + left as u64,
            _ => 48 + SPAN_HOURS * left as u64 / count as u64,
        },
        archived: index % 31 == 6,
    }
}

fn properties(builder: &Builder<'_>, plan: &Plan, code: &str) -> Value {
    let index = plan.index;
    let experiment = EXPERIMENTS[index % EXPERIMENTS.len()];
    let cluster = assets::CLUSTERS[index % 2].0;
    let mut properties = json!({
        "displayName": format!("{experiment} {index}"), "experimentName": experiment,
        "description": "Nightly training", "isArchived": false,
        "computeId": builder.id(&format!("computes/{cluster}")),
        "tags": {
            "team": TEAMS[index % TEAMS.len()],
            "stage": if index.is_multiple_of(3) { "prod" } else { "dev" },
            "keep": if index.is_multiple_of(7) { "no" } else { "yes" },
        },
        "properties": {
            "mlflow.source.git.branch": "main",
            "mlflow.source.git.commit": format!("{:040x}", builder.seed()),
        },
    });
    let own = match plan.kind {
        Kind::Command | Kind::Mention | Kind::Whole => command(builder, plan, code),
        Kind::Sweep => sweep(builder, code),
        Kind::Pipeline => pipeline(builder),
        Kind::AutoMl => auto_ml(builder),
    };
    if let (Some(properties), Value::Object(own)) = (properties.as_object_mut(), own) {
        properties.extend(own);
    }
    match plan.kind {
        Kind::Mention => {
            properties["command"] = json!(decoys::command(builder));
            properties["description"] = json!(decoys::description(builder));
            properties["tags"]["origin"] = json!(decoys::tag(builder));
        }
        Kind::Whole => properties["command"] = json!(decoys::whole_command(builder)),
        _ => {}
    }
    properties
}

fn environment(builder: &Builder<'_>, index: usize) -> String {
    let id = match index % 5 {
        0 => "sklearn-train/versions/2".to_owned(),
        1 => "torch-gpu/versions/1".to_owned(),
        2 => "gpu-built/versions/1".to_owned(),
        3 => format!(
            "{}/versions/{}",
            assets::ANONYMOUS_ENVIRONMENT,
            assets::ANONYMOUS_VERSION
        ),
        _ => "sklearn-train/versions/1".to_owned(),
    };
    builder.id(&format!("environments/{id}"))
}

fn command(builder: &Builder<'_>, plan: &Plan, code: &str) -> Value {
    let index = plan.index;
    let asset = builder.id("data/churn-csv/versions/1");
    let lake = "azureml://datastores/lake_by_key/paths/raw/2024/01/";
    let data = match index % 3 {
        0 => json!({"uri": asset, "jobInputType": "uri_file"}),
        1 => json!({"uri": "azureml:defect-images:1", "jobInputType": "uri_folder"}),
        _ => json!({"uri": lake, "jobInputType": "uri_folder"}),
    };
    let literal = |value: String| json!({"value": value, "jobInputType": "literal"});
    json!({
        "jobType": "Command",
        "command": "python train.py --data ${{inputs.data}} --lr ${{inputs.lr}} --model ${{outputs.model}}",
        "codeId": code, "environmentId": environment(builder, index),
        "environmentVariables": {"TOKENIZERS_PARALLELISM": "false"},
        "inputs": {
            "data": data,
            "lr": literal(format!("0.{:03}", 1 + index % 300)),
            "epochs": literal((5 + index % 40).to_string()),
            "augment": literal((if index.is_multiple_of(2) { "True" } else { "False" }).to_owned()),
        },
        "outputs": {"model": {"mode": "ReadWriteMount", "jobOutputType": "uri_folder"}},
        "resources": {"instanceCount": 1, "shmSize": "2g"},
        "limits": {"jobLimitsType": "Command", "timeout": "PT5H"},
    })
}

fn sweep(builder: &Builder<'_>, code: &str) -> Value {
    json!({
        "jobType": "Sweep",
        "trial": {
            "codeId": code, "environmentId": environment(builder, 0),
            "command": "python train.py --lr ${{search_space.lr}} --batch ${{inputs.batch}}",
        },
        "searchSpace": {"lr": ["loguniform", [-6, -1]], "layers": ["choice", [[2, 4, 8]]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random", "seed": 7},
        "limits": {"jobLimitsType": "Sweep", "maxTotalTrials": 8, "maxConcurrentTrials": 2, "timeout": "PT2H"},
        "earlyTermination": {
            "policyType": "Bandit", "delayEvaluation": 0, "evaluationInterval": 2, "slackFactor": 0.1, "slackAmount": 0,
        },
        "objective": {"goal": "maximize", "primaryMetric": "val/accuracy"},
        "inputs": {"batch": {"value": "16", "jobInputType": "literal"}}, "outputs": {},
    })
}

fn pipeline(builder: &Builder<'_>) -> Value {
    json!({
        "jobType": "Pipeline", "jobs": components::pipeline_jobs(builder),
        "inputs": {"data": {"uri": builder.id("data/defect-images/versions/1"), "jobInputType": "uri_folder"}},
        "outputs": {"report": {"jobOutputType": "uri_file", "mode": "ReadWriteMount"}},
        "settings": {
            "default_compute": builder.id("computes/cpu-cluster"),
            "default_datastore": builder.id("datastores/workspaceblobstore"),
            "continue_on_step_failure": false, "_source": "DSL",
        },
    })
}

fn auto_ml(builder: &Builder<'_>) -> Value {
    json!({
        "jobType": "AutoML", "outputs": {}, "resources": {"instanceCount": 1},
        "taskDetails": {
            "taskType": "Classification", "primaryMetric": "AUCWeighted", "targetColumnName": "churned",
            "logVerbosity": "Info",
            "trainingData": {"uri": builder.id("data/demand-table/versions/1"), "jobInputType": "mltable"},
            "limitSettings": {"maxTrials": 10, "maxConcurrentTrials": 2, "timeout": "PT1H"},
        },
    })
}
