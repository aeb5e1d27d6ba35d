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

/// Whether an error is about what the history says, and not about reading it.
pub(crate) fn is_about_the_text(error: &Error) -> bool {
    matches!(error, Error::Snapshot { source, .. } if !source.is::<workspace::Error>())
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_history_that_cannot_be_read_is_not_one_in_another_form() {
        let error = async |piece: Result<Bytes, workspace::Error>| {
            let bytes = stream::iter([piece]).boxed();
            let read = metric::lines_of(bytes, "metrics/loss.jsonl");
            read.try_collect::<Vec<_>>().await.err()
        };
        let odd = error(Ok(Bytes::from_static(b"no JSON\n"))).await;
        assert!(odd.is_some_and(|error| is_about_the_text(&error)));
        let unread = workspace::Error::Unsupported {
            what: "the store".to_owned(),
        };
        let unread = error(Err(unread)).await;
        assert!(unread.is_some_and(|error| !is_about_the_text(&error)));
    }
}
