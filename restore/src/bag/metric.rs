//! The history of a metric as a table for people. What is no series of numbers has none; its history is in the bag as it was.

use archive_format::FileEntry;
use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use workspace::azure::MetricPoint;

use super::csv;
use crate::Error;
use crate::run::metric::{self, Line};
use crate::snapshot::Source;

/// The table's head.
pub(crate) const HEAD: [&str; 4] = ["metric", "step", "time", "value"];

/// Whether a file of a job is a metric's history.
pub(crate) fn is_history(kind: &str, path: &str) -> bool {
    kind == "jobs" && path.starts_with("metrics/") && path.ends_with(".jsonl")
}

/// How long the table is; none where the history has no number in it. The history is read to its end: its table is written
/// by reading it again, since a file of a tar says its length before it begins.
pub(crate) async fn length(source: &Source, file: &FileEntry) -> Result<Option<u64>, Error> {
    let mut rows = rows(source, file);
    let (mut bytes, mut points) = (csv::row(HEAD).len() as u64, false);
    while let Some(row) = rows.try_next().await? {
        bytes += row.len() as u64;
        points = true;
    }
    Ok(points.then_some(bytes))
}

/// The table's rows without its head.
pub(crate) fn rows(source: &Source, file: &FileEntry) -> BoxStream<'static, Result<String, Error>> {
    metric::lines(source, file)
        .try_filter_map(|line| async move {
            Ok(match line {
                Line::Points(points) => Some(points.iter().map(row).collect::<String>()),
                Line::Other => None,
            })
        })
        .boxed()
}

fn row(point: &MetricPoint) -> String {
    let (step, time, value) = (
        point.step.to_string(),
        point.time.to_string(),
        match &point.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    );
    // Numbers are written as they are: a minus in front makes no formula of them.
    let name = csv::row([point.key.as_str()]);
    let name = name.trim_end();
    format!("{name},{step},{time},{value}\r\n")
}
