//! The metrics of a workspace's runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The metrics of all runs of a workspace: by run, by name.
#[derive(Debug, Default)]
pub struct Metrics(BTreeMap<String, BTreeMap<String, Metric>>);

/// One metric of one run with its whole history.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The container of its run.
    pub data_container: String,
    /// Columns and their types: `Double`, `String`, `Artifact`, …
    pub columns: BTreeMap<String, String>,
    /// How Studio shows it: `azureml.v1.scalar`, `azureml.v1.table`, …
    pub display: String,
    /// The namespace; empty for what users log.
    pub namespace: String,
    /// The points in the order in which they came.
    pub points: Vec<Point>,
}

/// One logged value.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The service's own id of it.
    pub id: String,
    /// When it was logged.
    pub created: Timestamp,
    /// The step it belongs to.
    pub step: i64,
    /// Values by column.
    pub data: Map<String, Value>,
}

impl Metric {
    /// A scalar metric without points.
    pub fn scalar(name: &str, run_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            data_container: format!("dcid.{run_id}"),
            columns: BTreeMap::from([(name.to_owned(), "Double".to_owned())]),
            display: "azureml.v1.scalar".to_owned(),
            namespace: String::new(),
            points: Vec::new(),
        }
    }

    /// Whether each of its points is one number.
    pub fn is_scalar(&self) -> bool {
        self.columns.len() == 1
            && self
                .columns
                .values()
                .all(|kind| matches!(kind.as_str(), "Double" | "Integer" | "Float" | "Long"))
    }
}

impl Point {
    /// One number. What JSON has no number for is text, as MLflow writes it: `NaN`, `Infinity`.
    pub fn scalar(name: &str, value: f64, step: i64, created: Timestamp) -> Self {
        let value = if value.is_nan() {
            json!("NaN")
        } else if value.is_infinite() {
            json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
        } else {
            json!(value)
        };
        Self {
            id: String::new(),
            created,
            step,
            data: Map::from_iter([(name.to_owned(), value)]),
        }
    }
}

impl Metrics {
    /// The metrics of a run by name.
    pub fn of_run(&self, run_id: &str) -> Option<&BTreeMap<String, Metric>> {
        self.0.get(run_id)
    }

    /// A metric of a run.
    pub fn get(&self, run_id: &str, name: &str) -> Option<&Metric> {
        self.0.get(run_id)?.get(name)
    }

    /// Puts a metric in, in place of one of the same name.
    pub fn replace(&mut self, run_id: &str, metric: Metric) {
        let of = self.0.entry(run_id.to_owned()).or_default();
        of.insert(metric.name.clone(), metric);
    }

    /// Adds points to a metric, which `new` makes where it is not there. Nothing is left out, not even what is there.
    pub fn append(&mut self, run_id: &str, new: Metric) {
        let of = self.0.entry(run_id.to_owned()).or_default();
        match of.get_mut(&new.name) {
            Some(held) => held.points.extend(new.points),
            None => {
                of.insert(new.name.clone(), new);
            }
        }
    }

    /// Removes all metrics of a run.
    pub fn remove(&mut self, run_id: &str) {
        self.0.remove(run_id);
    }
}
