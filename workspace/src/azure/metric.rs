//! The history of a metric as a file: `metrics/NAME.jsonl`, one line a point, in the order in which the service keeps them.
//!
//! A line is `{"columns","createdUtc","data","metricId","name","namespace","step"}`, keys sorted, numbers as the service
//! wrote them. `columns` and `namespace` are the metric's own; they stand in each line so that a line is complete.

use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::history::{History, MetricName};
use crate::{ByteStream, Entry, Error, FilePath, Location, SourceFile, Validators};

/// The file of a metric.
pub(crate) fn file(run: &str, metric: &MetricName) -> Result<SourceFile, Error> {
    let full = match &metric.namespace {
        Some(namespace) => format!("{namespace}/{}", metric.name),
        None => metric.name.clone(),
    };
    Ok(SourceFile {
        path: FilePath::new(format!("metrics/{}.jsonl", path_of(&full)))?,
        entry: Entry::File,
        size: None,
        validators: Validators::default(),
        content_type: Some("application/x-ndjson".to_owned()),
        metadata: Default::default(),
        tier: None,
        attributes: None,
        location: Location::Metric {
            run: run.to_owned(),
            metric: metric.name.clone(),
            namespace: metric.namespace.clone(),
        },
    })
}

/// A metric's name as a path: what a path cannot hold is percent-encoded.
fn path_of(name: &str) -> String {
    let part = |part: &str| match part {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => part
            .chars()
            .map(|c| match c {
                '%' => "%25".to_owned(),
                c if c.is_control() || c == '\\' => format!("%{:02X}", u32::from(c)),
                c => c.to_string(),
            })
            .collect(),
    };
    let parts: Vec<String> = name.split('/').map(part).collect();
    parts.join("/")
}

/// The lines of a metric, a page of the service at a time.
pub(crate) fn read(history: &History, run: &str, metric: MetricName) -> ByteStream {
    history
        .metric_pages(run.to_owned(), metric.clone())
        .map(move |page| lines(page?, &metric))
        .try_filter(|lines| {
            let some = !lines.is_empty();
            async move { some }
        })
        .boxed()
}

fn lines(mut page: Value, metric: &MetricName) -> Result<Bytes, Error> {
    let unusable = |reason: &str| Error::Answer {
        act: format!("the history of metric {}", metric.name),
        reason: reason.to_owned(),
    };
    let points = match page.get_mut("value").map(Value::take) {
        Some(Value::Array(points)) => points,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err(unusable("`value` is no list")),
    };
    let columns = page.get("columns").cloned().unwrap_or_default();
    let namespace = page.get("namespace").cloned().unwrap_or_default();
    let mut text = BytesMut::new();
    for point in points {
        let Value::Object(point) = point else {
            return Err(unusable("a point is no object"));
        };
        let mut line: Map<String, Value> = point;
        line.insert("name".to_owned(), Value::from(metric.name.as_str()));
        line.insert("columns".to_owned(), columns.clone());
        line.insert("namespace".to_owned(), namespace.clone());
        let line = Value::Object(line).to_string();
        text.reserve(line.len() + 1);
        text.put_slice(line.as_bytes());
        text.put_u8(b'\n');
    }
    Ok(text.freeze())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde_json::json;

    fn metric(name: &str) -> MetricName {
        MetricName {
            name: name.to_owned(),
            namespace: None,
        }
    }

    #[test]
    fn every_name_of_a_metric_has_a_path_of_its_own() {
        let names = [
            "loss",
            "train/loss",
            "a//b",
            "a/%/b",
            "..",
            "%2E%2E",
            "x\ny",
            "/",
            "%",
        ];
        let paths: Vec<String> = names
            .iter()
            .map(|name| file("r", &metric(name)).unwrap().path.to_string())
            .collect();
        let mut single = paths.clone();
        single.sort();
        single.dedup();
        assert_eq!(single.len(), names.len(), "{paths:?}");
    }

    #[test]
    fn a_line_holds_the_number_as_it_was_written() {
        let page: Value = serde_json::from_str(
            r#"{"columns":{"loss":"Double"},"value":[{"step":1,"data":{"loss":0.10},"createdUtc":"x","metricId":"m"}]}"#,
        )
        .unwrap();
        let text = lines(page, &metric("loss")).unwrap();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "{\"columns\":{\"loss\":\"Double\"},\"createdUtc\":\"x\",\"data\":{\"loss\":0.10},\"metricId\":\"m\",\"name\":\"loss\",\"namespace\":null,\"step\":1}\n"
        );
        assert!(
            lines(json!({"value": null}), &metric("loss"))
                .unwrap()
                .is_empty()
        );
        assert!(lines(json!({"value": 3}), &metric("loss")).is_err());
    }
}
