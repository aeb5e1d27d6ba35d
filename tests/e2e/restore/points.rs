//! Metrics at a size: every point of many runs comes back with value, step and time, and what is no number as a file.

use std::collections::BTreeMap;

use ::restore::{OnConflict, VerifyOutcome};
use serde_json::{Map, Value, json};
use simulator::blob::Written;
use simulator::history::Run;
use simulator::metric::{Metric, Point};

use super::bench::Bench;

const RUNS: usize = 200;
const METRICS: usize = 50;
const POINTS: usize = 2;

/// Runs with a metric that is no series of numbers, and its name.
const ODD: [(&str, &str); 3] = [
    ("curves_000", "table"),
    ("curves_001", "vector"),
    ("curves_002", "mixed"),
];

/// A value of the n-th metric of all: every tenth is none that JSON has.
fn value(n: usize) -> f64 {
    match n % 30 {
        0 => f64::NAN,
        10 => f64::INFINITY,
        20 => f64::NEG_INFINITY,
        1 => 0.1 + 0.2,
        2 => 5e-324,
        3 => f64::MAX,
        4 => -0.0,
        _ => (n as f64).sqrt(),
    }
}

/// Runs that somebody logged with MLflow: steps that go back, steps and whole points that come again.
fn fill(bench: &Bench, runs: usize) {
    let began = bench.simulator.now();
    let mut state = bench.simulator.state();
    let workspace = state.workspace_mut(&bench.source).unwrap();
    for run in 0..runs {
        let id = format!("curves_{run:03}");
        let mut record = Run {
            run_id: id.clone(),
            experiment: "curves".to_owned(),
            created: Some(began),
            started: Some(began),
            ..Run::default()
        };
        record.set_status("Completed", began);
        workspace.history.insert(record);
        for metric in 0..METRICS {
            let name = format!("metric {metric:02}");
            let mut curve = Metric::scalar(&name, &id);
            for point in 0..POINTS {
                let n = (run * METRICS + metric) * POINTS + point;
                let step = match metric % 4 {
                    0 => point as i64,
                    1 => -(point as i64),
                    // The same step again, and once the same point.
                    _ => 7,
                };
                let later = if metric % 4 == 3 {
                    0
                } else {
                    1_000 * point as i64
                };
                let at = began + jiff::SignedDuration::from_millis(later - 500);
                let value = if metric % 4 == 3 {
                    value(n - point)
                } else {
                    value(n)
                };
                curve.points.push(Point::scalar(&name, value, step, at));
            }
            workspace.metrics.append(&id, curve);
        }
    }
    let mut odd = |run: &str, name: &str, rows: Vec<Value>| {
        let mut metric = Metric::scalar(name, run);
        metric.columns.clear();
        for row in rows {
            let data: Map<String, Value> = row.as_object().unwrap().clone();
            for column in data.keys() {
                metric.columns.insert(column.clone(), "Object".to_owned());
            }
            metric.points.push(Point {
                id: String::new(),
                created: began,
                step: 0,
                data,
            });
        }
        workspace.metrics.append(run, metric);
    };
    odd(
        "curves_000",
        "table",
        vec![
            json!({"class": "ok", "recall": 0.5}),
            json!({"class": "bad", "recall": 0.25}),
        ],
    );
    odd(
        "curves_001",
        "vector",
        vec![json!({"vector": [1, 2.5, "NaN"]})],
    );
    // Numbers first, and something else later.
    odd(
        "curves_002",
        "mixed",
        vec![
            json!({"mixed": 0.5}),
            json!({"mixed": 0.75}),
            json!({"mixed": [1, 2]}),
        ],
    );
}

/// Points as text, whatever their order: time, step and values.
fn sorted(points: impl Iterator<Item = (Value, Value, Value)>) -> Vec<String> {
    let time = |time: &Value| -> jiff::Timestamp { time.as_str().unwrap().parse().unwrap() };
    let mut points: Vec<String> = points
        .map(|(created, step, data)| json!([time(&created).to_string(), step, data]).to_string())
        .collect();
    points.sort();
    points
}

/// The points of a run's metric as the service has them; none where it has no such metric.
fn points_of(dump: &Value, run: &str, metric: &str) -> Vec<String> {
    let points = dump["metrics"][run][metric].as_array();
    sorted(points.into_iter().flatten().map(|point| {
        let member = |name: &str| point[name].clone();
        (member("created"), member("step"), member("data"))
    }))
}

/// The points of a run's metrics that are numbers.
fn points(dump: &Value, run: &str) -> BTreeMap<String, Vec<String>> {
    let metrics = dump["metrics"][run].as_object().unwrap();
    let numbers = metrics.keys().filter(|name| name.starts_with("metric "));
    numbers
        .map(|name| (name.clone(), points_of(dump, run, name)))
        .collect()
}

/// The rows of the artifact that keeps a metric whole: a line each.
fn rows_of(content: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(content).unwrap().lines();
    sorted(lines.map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let member = |name: &str| line[name].clone();
        (member("createdUtc"), member("step"), member("data"))
    }))
}

/// The artifacts that keep metrics of the target's runs whole: container, name and bytes by run and metric.
fn kept(bench: &Bench) -> BTreeMap<(String, String), (String, String, Vec<u8>)> {
    let state = bench.simulator.state();
    let account = &state.workspaces[&bench.target].account;
    let mut kept = BTreeMap::new();
    for (container, of) in state.accounts[account].blobs.iter() {
        for (name, blob) in &of.blobs {
            let Some((folder, file)) = name.split_once("/mlark/metrics/") else {
                continue;
            };
            let run = folder.rsplit("dcid.").next().unwrap();
            let metric = file.strip_suffix(".jsonl").unwrap();
            let place = (container.to_owned(), name.clone());
            let bytes = blob.content.to_bytes().to_vec();
            kept.insert(
                (run.to_owned(), metric.to_owned()),
                (place.0, place.1, bytes),
            );
        }
    }
    kept
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_points_of_two_hundred_runs_come_back_and_what_is_no_number_is_said_before()
{
    let bench = Bench::small().await;
    fill(&bench, RUNS);
    let report = bench.store.back_up(&bench.open(&bench.source).await).await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    let selectors = ["jobs/curves_*"];
    let plan = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    let told: Vec<(String, &str)> = plan
        .losses
        .iter()
        .filter(|loss| loss.what.starts_with("metric "))
        .map(|loss| (loss.item.to_string(), loss.what.as_str()))
        .collect();
    let odd = ODD.map(|(run, metric)| (format!("jobs/{run}"), format!("metric {metric}")));
    let told: Vec<(String, String)> = told
        .into_iter()
        .map(|(item, what)| (item, what.to_owned()))
        .collect();
    assert_eq!(told, odd);
    bench.apply(&plan, &bench.target).await;
    let (before, after) = (bench.dump(&bench.source), bench.dump(&bench.target));
    let restored = after["runs"].as_object().unwrap();
    assert_eq!(restored.len(), RUNS);
    let mut compared = 0;
    let mut kept = kept(&bench);
    for (id, run) in restored {
        let source = run["tags"]["mlark.source_run"].as_str().unwrap();
        let (wished, found) = (points(&before, source), points(&after, id));
        assert_eq!(found, wished, "{source}");
        compared += found.values().map(Vec::len).sum::<usize>();
        let Some((_, metric)) = ODD.iter().find(|(run, _)| *run == source) else {
            continue;
        };
        let (_, _, bytes) = kept.remove(&(id.clone(), (*metric).to_owned())).unwrap();
        let rows = points_of(&before, source, metric);
        assert!(!rows.is_empty(), "{source}");
        assert_eq!(rows_of(&bytes), rows, "{source}");
        // What of it is a number is logged too.
        let numbers: Vec<String> = rows
            .into_iter()
            .filter(|row| row.contains(r#"{"mixed":0."#))
            .collect();
        assert_eq!(numbers.len(), if *metric == "mixed" { 2 } else { 0 });
        assert_eq!(points_of(&after, id, metric), numbers, "{source}");
    }
    assert!(kept.is_empty(), "{:?}", kept.keys());
    assert_eq!(compared, RUNS * METRICS * POINTS);
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(
        found.outcome,
        VerifyOutcome::AsPlanned,
        "{:#?}",
        found.differences
    );
}

#[tokio::test(start_paused = true)]
async fn verify_sees_that_what_is_no_number_changed_or_is_gone() {
    let bench = Bench::small().await;
    fill(&bench, ODD.len());
    bench.store.back_up(&bench.open(&bench.source).await).await;
    let selectors = ["jobs/curves_*"];
    let plan = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.differences, []);
    let files = found.files;
    {
        let (kept, now) = (kept(&bench), bench.simulator.now());
        let of = |metric: &str| kept.iter().find(|((_, name), _)| name == metric).unwrap();
        let mut state = bench.simulator.state();
        let account = state.workspaces[&bench.target].account.clone();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        // As long as it was, and a recall higher.
        let (_, (container, name, bytes)) = of("table");
        let text = String::from_utf8(bytes.clone()).unwrap();
        let content = text.replace("0.25", "0.75").into_bytes().into();
        blobs
            .put(container, name, content, Written::default(), now)
            .unwrap();
        let (_, (container, name, _)) = of("vector");
        assert_eq!(blobs.delete_prefix(container, name), 1);
        let ((run, _), _) = of("mixed");
        let metrics = &mut state.workspaces.get_mut(&bench.target).unwrap().metrics;
        let mut mixed = metrics.get(run, "mixed").unwrap().clone();
        mixed.points.pop();
        metrics.replace(run, mixed);
    }
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.outcome, VerifyOutcome::Different);
    let told: Vec<(&str, &str, &str)> = found
        .differences
        .iter()
        .map(|one| (one.item.as_str(), one.what.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "jobs/curves_000",
                "metrics/table.jsonl",
                "the artifact that keeps it has other bytes"
            ),
            (
                "jobs/curves_001",
                "metrics/vector.jsonl",
                "the artifact that keeps it is not there"
            ),
            (
                "jobs/curves_002",
                "metrics/mixed.jsonl",
                "the metric has other points"
            ),
        ]
    );
    assert_eq!(found.files.compared, files.compared);
    assert_eq!(
        (found.files.different, found.files.missing, found.files.same),
        (2, 1, files.same - 3)
    );
}
