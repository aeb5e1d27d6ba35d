//! Models: addresses in every form that the service takes, files and folders, several versions, some archived.

use serde_json::{Value, json};

use super::builder::{Builder, NewFile};
use super::runs::mlflow_model;
use super::words::MODELS;
use crate::blob::{Content, Fill};
use crate::error::Error;

/// The smallest number of models.
const COUNT_MIN: usize = 3;

/// One version of a model to be made.
struct Plan<'a> {
    name: &'a str,
    /// The file of its weights.
    weights: &'a str,
    index: usize,
    version: usize,
    /// A job that left a model.
    job: &'a str,
}

/// All models, each with one to three versions. `trained` are jobs that left a model.
pub(super) fn all(builder: &Builder<'_>, trained: &[String]) -> Result<(), Error> {
    let count = builder.world.models.clamp(COUNT_MIN, MODELS.len());
    for (index, (name, weights)) in MODELS.iter().take(count).enumerate() {
        for version in 1..=1 + index % 3 {
            let job = trained.get((index * 3 + version) % trained.len().max(1));
            let plan = Plan {
                name,
                weights,
                index,
                version,
                job: job.map_or("churn_0000", String::as_str),
            };
            model(builder, &plan)?;
        }
        if index % 5 == 3 {
            let body = json!({"isArchived": true, "tags": {"retired": "yes"}, "properties": {}});
            builder.put(&format!("models/{name}"), body, builder.ago(24 * 20))?;
        }
    }
    Ok(())
}

/// Where a model lies, its type, and the job that it came from.
fn place(builder: &Builder<'_>, plan: &Plan<'_>) -> (String, &'static str, Option<String>) {
    let job = plan.job;
    let artifacts = format!("ExperimentRun/dcid.{job}/model");
    // The first versions run through all forms; later versions are uploads, as most are.
    let form = if plan.version == 1 { plan.index % 7 } else { 0 };
    let uri = match form {
        2 => format!("azureml://jobs/{job}/outputs/model/paths/"),
        3 => format!("azureml://artifacts/{artifacts}"),
        4 => format!("runs:/{job}/model"),
        5 => builder.long_uri("workspaceartifactstore", &artifacts),
        form => {
            let at = builder.ago(24 * 40);
            let (top, files, kind) = files(builder, plan);
            let version = plan.version.to_string();
            let place = builder.upload(plan.name, &version, &top, files, at);
            let uri = match form {
                1 => format!("azureml://datastores/workspaceblobstore/paths/{place}"),
                6 => builder.blob_url(&place.replace(' ', "%20")),
                _ => builder.long_uri("workspaceblobstore", &place),
            };
            return (uri, kind, None);
        }
    };
    let kind = if form == 2 {
        "custom_model"
    } else {
        "mlflow_model"
    };
    (uri, kind, Some(job.to_owned()))
}

fn model(builder: &Builder<'_>, plan: &Plan<'_>) -> Result<(), Error> {
    let (uri, kind, job) = place(builder, plan);
    let at = builder.ago(24 * (38 - plan.index as u64) - plan.version as u64);
    let mut properties = json!({
        "modelUri": uri, "modelType": kind, "isAnonymous": false, "isArchived": false,
        "description": format!("{}, trained on all of 2024", plan.name),
        "tags": {"auc": format!("0.{}", 80 + plan.index + plan.version)},
        "properties": {"origin": "training", "größe": plan.weights},
    });
    if let Some(job) = job {
        properties["jobName"] = json!(job);
    }
    if kind == "mlflow_model" {
        properties["flavors"] = json!({"python_function": {"data": {"loader_module": "mlflow.pytorch", "data": "data"}}});
    }
    let path = format!("models/{}/versions/{}", plan.name, plan.version);
    builder.put(&path, properties.clone(), at)?;
    if plan.index % 4 == 1 && plan.version == 2 {
        properties["isArchived"] = Value::Bool(true);
        builder.put(&path, properties, at)?;
    }
    Ok(())
}

/// One file, an MLflow model, or a folder with a tokenizer: the name at the top, the files, the type.
fn files(builder: &Builder<'_>, plan: &Plan<'_>) -> (String, Vec<NewFile>, &'static str) {
    let half = builder.world.model_bytes / 2;
    let size = half + builder.below(half);
    let content = Content::generated(Fill::Weights, builder.seed(), size);
    match plan.index % 3 {
        0 => {
            let top = plan.weights.rsplit('/').next().unwrap_or(plan.weights);
            (
                top.to_owned(),
                vec![(String::new(), content)],
                "custom_model",
            )
        }
        1 => (
            "mlflow model".to_owned(),
            mlflow_model(content),
            "mlflow_model",
        ),
        _ => {
            let files = [
                ("config.json", "{\"hidden_size\": 768}".into()),
                (plan.weights, content),
                ("tokenizer/vocab #1.txt", "the\nа\nä\n".into()),
                ("tokenizer/merges+100%.txt", "t h\nth e\n".into()),
                ("empty.flag", Content::default()),
            ];
            let files = files.map(|(path, content)| (path.to_owned(), content));
            ("bundle".to_owned(), files.into(), "custom_model")
        }
    }
}
