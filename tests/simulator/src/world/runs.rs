//! What became of jobs: status and times of their runs, metrics, logs, outputs.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::builder::{Builder, NewFile};
use crate::blob::{Content, Fill};
use crate::history::outcome::ARTIFACTS;
use crate::metric::{Metric, Point};

/// Sets status and times of a job's run and those below it, and returns when it ended, or was last heard of.
pub(super) fn lived(
    builder: &Builder<'_>,
    name: &str,
    status: &str,
    archived: bool,
    at: Timestamp,
) -> Timestamp {
    let ends = if status == "Running" {
        builder.ago(0)
    } else {
        builder.after(at, 240 + builder.below(5_000))
    };
    let starts = builder.after(at, 45);
    let error = json!({"error": {
        "code": "UserError", "message": "Execution failed. User process 'python' exited with status code 1.",
    }});
    builder.with_workspace(|workspace| {
        let history = &mut workspace.history;
        let children = history.children(name);
        let mut ids = vec![name.to_owned()];
        ids.extend(children.iter().map(|run| run.run_id.clone()));
        for (index, id) in ids.iter().enumerate() {
            history.hold(id);
            let Some(run) = history.run_mut(id) else {
                continue;
            };
            run.created = Some(at);
            run.set_status("Running", starts);
            if status != "Running" {
                run.set_status(status, ends);
            }
            run.hidden = archived && index == 0;
            if status == "Failed" {
                run.more.insert("error".to_owned(), error.clone());
            }
        }
    });
    ends
}

/// Writes metrics, logs and small outputs of a job's run and those below it. A pipeline leaves its own only in its steps.
pub(super) fn left(
    builder: &Builder<'_>,
    name: &str,
    status: &str,
    at: Timestamp,
    ends: Timestamp,
) {
    if status == "Canceled" {
        return;
    }
    let is_pipeline = name.starts_with("pipeline");
    let mut runs: Vec<String> = builder.with_workspace(|workspace| {
        let children = workspace.history.children(name);
        children.iter().map(|run| run.run_id.clone()).collect()
    });
    if !is_pipeline {
        runs.push(name.to_owned());
    }
    for run in runs {
        metrics(builder, &run, at, ends);
        artifacts(builder, &run, status, ends);
    }
    if is_pipeline && status == "Completed" {
        let report = format!("azureml/{name}/report/report.json");
        builder.blob(&builder.container, &report, "{\"auc\": 0.91}".into(), ends);
    }
}

fn metrics(builder: &Builder<'_>, run: &str, at: Timestamp, ends: Timestamp) {
    let points = 4 + builder.below(60);
    let scale = 1.0 + builder.below(1_000) as f64 / 1_000.0;
    let mut loss = Metric::scalar("train/loss", run);
    let mut accuracy = Metric::scalar("val/accuracy", run);
    for step in 0..points {
        let created = builder.after(at, 50 + 3 * step).min(ends);
        let value = scale / (1.0 + step as f64 * 0.37);
        loss.points
            .push(point(builder, "train/loss", value, step, created));
        if step % 4 == 0 {
            let value = 1.0 - value / 3.0;
            accuracy
                .points
                .push(point(builder, "val/accuracy", value, step, created));
        }
    }
    let mut curves = vec![loss, accuracy];
    match builder.below(6) {
        0 => curves.push(table(builder, run, at)),
        1 => {
            let mut diverged = Metric::scalar("grad_norm", run);
            let values = [0.5, 17.25, f64::INFINITY, f64::NAN];
            for (step, value) in (0..).zip(values) {
                diverged
                    .points
                    .push(point(builder, "grad_norm", value, step, at));
            }
            curves.push(diverged);
        }
        _ => {}
    }
    builder.with_workspace(|workspace| {
        for metric in curves {
            workspace.metrics.replace(run, metric);
        }
    });
}

fn point(builder: &Builder<'_>, name: &str, value: f64, step: u64, at: Timestamp) -> Point {
    // MLflow counts in milliseconds.
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    Point {
        id: builder.guid(),
        ..Point::scalar(name, value, step as i64, at)
    }
}

/// A metric that is no number: a row for each class.
fn table(builder: &Builder<'_>, run: &str, at: Timestamp) -> Metric {
    let columns = [
        ("class", "String"),
        ("precision", "Double"),
        ("recall", "Double"),
    ];
    let mut metric = Metric {
        columns: columns
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .into(),
        display: "azureml.v1.table".to_owned(),
        ..Metric::scalar("per class", run)
    };
    for (class, precision) in [("ok", 0.9), ("défaut", 0.8), ("unklar", 0.7)] {
        let data: [(&str, Value); 3] = [
            ("class", json!(class)),
            ("precision", json!(precision)),
            ("recall", json!(0.5)),
        ];
        metric.points.push(Point {
            id: builder.guid(),
            created: at,
            step: 0,
            data: Map::from_iter(data.map(|(name, value)| (name.to_owned(), value))),
        });
    }
    metric
}

fn artifacts(builder: &Builder<'_>, run: &str, status: &str, ends: Timestamp) {
    let put = |path: &str, content: Content| {
        let name = format!("ExperimentRun/dcid.{run}/{path}");
        builder.blob(ARTIFACTS, &name, content, ends);
    };
    let mut log = format!("Run {run} began\n");
    for line in 0..20 + builder.below(300) {
        let loss = 1.0 / (1.0 + line as f64);
        log.push_str(&format!("step {line:05} loss {loss:.4}\n"));
    }
    if status == "Failed" {
        log.push_str(
            "Traceback (most recent call last):\n  File \"train.py\", line 20\nMemoryError\n",
        );
    }
    put("user_logs/std_log.txt", log.into());
    let lifecycle = "Preparing\nRunning\nFinished\n";
    put("system_logs/lifecycler/lifecycler.log", lifecycle.into());
    if builder.below(3) == 0 {
        let image = Content::generated(Fill::Noise, builder.seed(), 3_000);
        put("outputs/confusion matrix.png", image);
        put("outputs/empty.txt", Content::default());
    }
}

/// Writes the model that a completed job trained: its named output, and an MLflow model among its artifacts.
pub(super) fn left_model(builder: &Builder<'_>, run: &str, ends: Timestamp) {
    let weights = |size: u64| Content::generated(Fill::Weights, builder.seed(), size);
    let size = 4 * (1_000 + builder.below(12_000));
    for (path, content) in [
        ("model.bin", weights(size)),
        ("config.json", "{\"layers\": 4}".into()),
    ] {
        let name = format!("azureml/{run}/model/{path}");
        builder.blob(&builder.container, &name, content, ends);
    }
    for (path, content) in mlflow_model(weights(size / 2)) {
        let name = format!("ExperimentRun/dcid.{run}/model/{path}");
        builder.blob(ARTIFACTS, &name, content, ends);
    }
}

/// The files of an MLflow model.
pub(super) fn mlflow_model(weights: Content) -> Vec<NewFile> {
    let description = "artifact_path: model\nflavors:\n  python_function:\n    data: data\n    env:\n      conda: conda.yaml\n    loader_module: mlflow.pytorch\n    python_version: 3.10.13\nmlflow_version: 2.9.2\nmodel_uuid: 0c9d3a4b5e6f47018293a4b5c6d7e8f9\n";
    let conda = "channels:\n- conda-forge\ndependencies:\n- python=3.10\n";
    let files = [
        ("MLmodel", description.into()),
        ("conda.yaml", conda.into()),
        ("python_env.yaml", "python: 3.10.13\n".into()),
        ("requirements.txt", "mlflow==2.9.2\ntorch==2.1.0\n".into()),
        ("data/model.pth", weights),
        (
            "data/pickle_module_info.txt",
            "mlflow.pytorch.pickle_module".into(),
        ),
    ];
    files
        .map(|(path, content)| (path.to_owned(), content))
        .into()
}
