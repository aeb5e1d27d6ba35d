//! Points of metrics of a restored run: sent in batches, never twice.
//!
//! The service keeps a point that is sent twice twice. So a batch whose answer was lost is not repeated: what is there is
//! read again, and the rest is sent.

use std::collections::HashMap;

use azure_core::http::{Context, Method};
use serde_json::{Value, json};

use super::answer::Answer;
use super::mlflow::Tokens;
use super::retry::Once;
use super::run::{MetricPoint, RunId};
use super::workspace::AzureWorkspace;
use crate::Error;

/// MLflow's own limits of one batch.
const POINTS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 900 * 1024;
/// How often what is there is read again after an answer was lost.
const ROUNDS_MAX: u32 = 10;
const HISTORY_ROWS: &str = "25000";

/// What tells one point from another, as the service keeps it: milliseconds, step and value.
type Mark = (String, i64, i64, u64);

/// What was handed over of a run's metrics so far, so that a point that comes again later is meant to be there again.
#[derive(Debug, Default)]
pub struct Logged(HashMap<Mark, u64>);

impl Logged {
    fn add(&mut self, points: &[MetricPoint]) {
        for point in points {
            *self.0.entry(mark_of(point)).or_default() += 1;
        }
    }

    /// What of the points that are there was not handed over before.
    fn left(&self, mut there: HashMap<Mark, u64>) -> HashMap<Mark, u64> {
        for (mark, count) in &mut there {
            let known = self.0.get(mark).copied().unwrap_or_default();
            *count = count.saturating_sub(known);
        }
        there
    }
}

impl AzureWorkspace {
    /// Logs points of metrics in batches, leaving out those that are there already and stand for none of those handed over
    /// before. Answers how many were sent.
    pub async fn log_metrics(
        &self,
        run: &RunId,
        points: &[MetricPoint],
        logged: &mut Logged,
    ) -> Result<u64, Error> {
        let mut sent = 0;
        let mut rounds = 0;
        loop {
            let missing = self.missing(run, points, logged).await?;
            match self.send_points(run, &missing, &mut sent).await {
                Err(error) if unclear(&error) && rounds < ROUNDS_MAX => rounds += 1,
                Err(error) => return Err(error),
                Ok(()) => {
                    logged.add(points);
                    return Ok(sent);
                }
            }
        }
    }

    async fn send_points(
        &self,
        run: &RunId,
        points: &[&MetricPoint],
        sent: &mut u64,
    ) -> Result<(), Error> {
        let mut batch: Vec<Value> = Vec::new();
        let mut bytes = 0;
        for point in points {
            let value = json!({
                "key": point.key, "value": point.value,
                "timestamp": point.time.as_millisecond(), "step": point.step,
            });
            let length = value.to_string().len() + 1;
            if batch.len() == POINTS_MAX || (bytes + length > BATCH_BYTES_MAX && !batch.is_empty())
            {
                *sent += self.send_batch(run, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += length;
            batch.push(value);
        }
        if !batch.is_empty() {
            *sent += self.send_batch(run, batch).await?;
        }
        Ok(())
    }

    async fn send_batch(&self, run: &RunId, batch: Vec<Value>) -> Result<u64, Error> {
        let count = batch.len() as u64;
        let body = json!({"run_id": run.as_str(), "metrics": batch});
        self.mlflow("runs/log-batch", &body, Context::new().with_value(Once))
            .await?;
        Ok(count)
    }

    /// The points that are not there yet. A point that stands twice in the list is meant to be there twice.
    async fn missing<'p>(
        &self,
        run: &RunId,
        points: &'p [MetricPoint],
        logged: &Logged,
    ) -> Result<Vec<&'p MetricPoint>, Error> {
        let mut there: HashMap<Mark, u64> = HashMap::new();
        for key in self.logged_keys(run).await? {
            if points.iter().any(|point| point.key == key) {
                self.read_history(run, &key, &mut there).await?;
            }
        }
        let mut there = logged.left(there);
        let mut missing = Vec::new();
        for point in points {
            match there.get_mut(&mark_of(point)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => missing.push(point),
            }
        }
        Ok(missing)
    }

    /// The metrics that a run has any point of.
    async fn logged_keys(&self, run: &RunId) -> Result<Vec<String>, Error> {
        let document = self
            .mlflow_get("runs/get", &[("run_id", run.as_str())])
            .await?;
        let metrics = document
            .pointer("/run/data/metrics")
            .and_then(Value::as_array);
        Ok(metrics
            .into_iter()
            .flatten()
            .filter_map(|metric| metric.get("key")?.as_str().map(str::to_owned))
            .collect())
    }

    async fn read_history(
        &self,
        run: &RunId,
        key: &str,
        there: &mut HashMap<Mark, u64>,
    ) -> Result<(), Error> {
        let mut tokens = Tokens::default();
        loop {
            let mut query = vec![
                ("run_id", run.as_str()),
                ("metric_key", key),
                ("max_results", HISTORY_ROWS),
            ];
            let token = tokens.next.clone();
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            let document = self.mlflow_get("metrics/get-history", &query).await?;
            let points = document.get("metrics").and_then(Value::as_array);
            for point in points.into_iter().flatten() {
                let number = |name: &str| point.get(name).and_then(whole);
                let time = number("timestamp").unwrap_or_default();
                let step = number("step").unwrap_or_default();
                let value = point.get("value").map_or(f64::NAN, float);
                let mark = (key.to_owned(), time, step, value.to_bits());
                *there.entry(mark).or_default() += 1;
            }
            if !tokens.follow(&history_answer(), &document)? {
                return Ok(());
            }
        }
    }
}

/// Stands for the answer in an error about a token that came back.
fn history_answer() -> Answer {
    Answer {
        act: format!("{} metrics/get-history", Method::Get.as_ref()),
        status: 200,
        headers: Default::default(),
        body: Default::default(),
    }
}

fn mark_of(point: &MetricPoint) -> Mark {
    (
        point.key.clone(),
        point.time.as_millisecond(),
        point.step,
        float(&point.value).to_bits(),
    )
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

/// The number as the service keeps it: a double.
fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or(f64::NAN),
        value => value.to_string().parse().unwrap_or(f64::NAN),
    }
}

/// Whether the service may or may not have taken a batch.
fn unclear(error: &Error) -> bool {
    match error {
        Error::Broken { .. } => true,
        error => error
            .refusal()
            .is_some_and(|refusal| refusal.status >= 500 || refusal.status == 408),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn points_are_told_apart_by_what_the_service_keeps() {
        let point = |value: Value, nanosecond: i128| MetricPoint {
            key: "loss".into(),
            value,
            time: Timestamp::from_nanosecond(nanosecond).unwrap_or_default(),
            step: 1,
        };
        let one = mark_of(&point(json!(0.5), 1_000_000));
        assert_eq!(one, mark_of(&point(json!("0.50"), 1_000_999)));
        assert_ne!(one, mark_of(&point(json!(0.5), 2_000_000)));
        assert_ne!(one, mark_of(&point(json!(0.25), 1_000_000)));
        let nan = mark_of(&point(json!("NaN"), 0));
        assert_eq!(nan, mark_of(&point(json!("NaN"), 0)));
    }
}
