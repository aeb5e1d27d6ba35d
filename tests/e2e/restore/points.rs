//! Metrics at a size: every point of many runs comes back with value, step and time, and what is no number as a file.

use std::collections::BTreeMap;

use ::restore::{OnConflict, VerifyOutcome};
use serde_json::{Map, Value, json};
use simulator::history::Run;
use simulator::metric::{Metric, Point};

use super::bench::Bench;

const RUNS: usize = 200;
const METRICS: usize = 50;
const POINTS: usize = 2;

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
fn fill(bench: &Bench) {
    let began = bench.simulator.now();
    let mut state = bench.simulator.state();
    let workspace = state.workspace_mut(&bench.source).unwrap();
    for run in 0..RUNS {
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

/// The points of a run's metrics that are numbers.
fn points(dump: &Value, run: &str) -> BTreeMap<String, Vec<String>> {
    let metrics = dump["metrics"][run].as_object().unwrap();
    let of = |points: &Value| {
        let points = points.as_array().unwrap().iter();
        let mut points: Vec<String> = points
            .map(|point| json!([point["created"], point["step"], point["data"]]).to_string())
            .collect();
        points.sort();
        points
    };
    let numbers = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("metric "));
    numbers
        .map(|(name, points)| (name.clone(), of(points)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_points_of_two_hundred_runs_come_back_and_what_is_no_number_is_said_before()
{
    let bench = Bench::small().await;
    fill(&bench);
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
    assert_eq!(
        told,
        [
            ("jobs/curves_000".to_owned(), "metric table"),
            ("jobs/curves_001".to_owned(), "metric vector"),
            ("jobs/curves_002".to_owned(), "metric mixed"),
        ]
    );
    bench.apply(&plan, &bench.target).await;
    let (before, after) = (bench.dump(&bench.source), bench.dump(&bench.target));
    let restored = after["runs"].as_object().unwrap();
    assert_eq!(restored.len(), RUNS);
    let mut compared = 0;
    for (id, run) in restored {
        let source = run["tags"]["mlark.source_run"].as_str().unwrap();
        let (wished, found) = (points(&before, source), points(&after, id));
        assert_eq!(found, wished, "{source}");
        compared += found.values().map(Vec::len).sum::<usize>();
        let kept = after["blobs"].as_object().unwrap().keys();
        let kept: Vec<&String> = kept
            .filter(|name| name.contains(&format!("dcid.{id}/mlark/metrics/")))
            .collect();
        let odd = ["curves_000", "curves_001", "curves_002"].contains(&source);
        assert_eq!(kept.len(), usize::from(odd), "{source}: {kept:?}");
    }
    assert_eq!(compared, RUNS * METRICS * POINTS);
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(
        found.outcome,
        VerifyOutcome::AsPlanned,
        "{:#?}",
        found.differences
    );
}
