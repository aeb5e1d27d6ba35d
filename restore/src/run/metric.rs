//! Metric histories of a snapshot, line by line, as points that MLflow takes. What is no scalar is none.

use archive_format::FileEntry;
use bytes::BytesMut;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use workspace::azure::MetricPoint;

use super::read_time;
use crate::Error;
use crate::snapshot::{Loaded, Source};

/// A longer line is damage: one point of one metric.
const LINE_BYTES_MAX: usize = 4 << 20;

/// The metric that a file is about, where its lines do not say.
fn name_of(path: &str) -> &str {
    let path = path.strip_prefix("metrics/").unwrap_or(path);
    path.strip_suffix(".jsonl").unwrap_or(path)
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// Points of scalars.
    Points(Vec<MetricPoint>),
    /// Anything else: a table, an image, a confusion matrix.
    Other,
}

/// The name that MLflow shows: run history keeps a namespace apart.
fn key_of(line: &Value, name: &str) -> String {
    let text = |member: &str| {
        line.get(member)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    match (text("namespace"), text("name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (_, None) => name.to_owned(),
    }
}

/// Reads one line: run history's `{createdUtc, step, name, data: {column: value}}`. MLflow keeps milliseconds.
pub(crate) fn read_line(line: &Value, name: &str) -> Line {
    let name = &key_of(line, name);
    let time = line
        .get("createdUtc")
        .or_else(|| line.get("timestamp"))
        .and_then(|time| match time {
            Value::String(text) => read_time(text),
            other => jiff::Timestamp::from_millisecond(other.as_i64()?).ok(),
        });
    let step = line.get("step").and_then(Value::as_i64).unwrap_or_default();
    let Some(time) = time else {
        return Line::Other;
    };
    let point = |key: &str, value: &Value| {
        scalar(value).map(|value| MetricPoint {
            key: key.to_owned(),
            value,
            time,
            step,
        })
    };
    let points: Option<Vec<MetricPoint>> = match (line.get("data"), line.get("value")) {
        (Some(Value::Object(data)), _) if data.len() == 1 => {
            data.values().map(|value| point(name, value)).collect()
        }
        (_, Some(value)) => point(name, value).map(|point| vec![point]),
        _ => None,
    };
    points
        .filter(|points| !points.is_empty())
        .map_or(Line::Other, Line::Points)
}

/// A number, or the words for what JSON has no number for.
fn scalar(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => match text.as_str() {
            "NaN" | "Infinity" | "-Infinity" => Some(value.clone()),
            text => text.parse::<serde_json::Number>().ok().map(Value::Number),
        },
        _ => None,
    }
}

/// The lines of a history as they come, in bounded memory.
pub(crate) fn lines(source: &Source, file: &FileEntry) -> BoxStream<'static, Result<Line, Error>> {
    lines_of(source.bytes(file), file.path.as_str())
}

/// The same of bytes from anywhere; the path names them in errors.
pub(crate) fn lines_of(
    bytes: workspace::ByteStream,
    path: &str,
) -> BoxStream<'static, Result<Line, Error>> {
    let name = name_of(path).to_owned();
    let path = path.to_owned();
    futures::stream::unfold(
        (bytes, BytesMut::new(), false),
        move |(mut bytes, mut rest, mut ended)| {
            let (name, path) = (name.clone(), path.clone());
            async move {
                loop {
                    if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                        let line = rest.split_to(end + 1);
                        if line.iter().all(u8::is_ascii_whitespace) {
                            continue;
                        }
                        return Some((parse(&line, &name, &path), (bytes, rest, ended)));
                    }
                    if ended {
                        let line = rest.split();
                        if line.iter().all(u8::is_ascii_whitespace) {
                            return None;
                        }
                        return Some((parse(&line, &name, &path), (bytes, rest, ended)));
                    }
                    match bytes.next().await {
                        Some(Ok(piece)) if rest.len() + piece.len() <= 2 * LINE_BYTES_MAX => {
                            rest.extend_from_slice(&piece)
                        }
                        Some(Ok(_)) => {
                            ended = true;
                            rest.clear();
                            let error = Error::snapshot(path, "a line of it is too long");
                            return Some((Err(error), (bytes, rest, ended)));
                        }
                        Some(Err(error)) => {
                            ended = true;
                            rest.clear();
                            return Some((Err(Error::snapshot(path, error)), (bytes, rest, ended)));
                        }
                        None => ended = true,
                    }
                }
            }
        },
    )
    .boxed()
}

fn parse(line: &[u8], name: &str, path: &str) -> Result<Line, Error> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| Error::snapshot(path, error))?;
    Ok(read_line(&value, name))
}

/// What a job's histories tell about themselves.
#[derive(Debug, Default)]
pub(crate) struct Peculiarities {
    /// Metrics that are no series of numbers, each with the reason why MLflow cannot take them.
    pub(crate) unusual: Vec<(String, &'static str)>,
    /// Whether points have times finer than a millisecond.
    pub(crate) fine_times: bool,
}

/// Looks at each history of a job to its end: one that begins with numbers may go on with something else.
pub(crate) async fn peculiarities(
    source: &Source,
    loaded: &Loaded,
) -> Result<Peculiarities, Error> {
    let mut found = Peculiarities::default();
    for file in super::histories(loaded) {
        match peculiarity(source, file, &mut found.fine_times).await {
            // A damaged one is left out when its step reads it.
            Err(_) if source.is_partial() && source.note_lost(&loaded.id, file) => {}
            Err(error) => return Err(error),
            Ok(None) => {}
            Ok(Some(reason)) => {
                let name = name_of(file.path.as_str()).to_owned();
                found.unusual.push((name, reason));
            }
        }
    }
    Ok(found)
}

/// Why MLflow cannot take a history whole, if it cannot.
async fn peculiarity(
    source: &Source,
    file: &FileEntry,
    fine_times: &mut bool,
) -> Result<Option<&'static str>, Error> {
    let (mut numbers, mut others) = (false, false);
    let mut history = lines(source, file);
    while let Some(line) = history.try_next().await? {
        match line {
            Line::Other => others = true,
            Line::Points(points) => {
                numbers = true;
                *fine_times |= points.iter().any(|point| super::is_fine(point.time));
            }
        }
    }
    Ok(match (numbers, others) {
        (_, false) => None,
        (true, true) => Some("some of its points are no numbers, and MLflow logs only those"),
        (false, true) => Some("it is no series of numbers, and MLflow logs only those"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn points(line: &Value) -> Option<Vec<MetricPoint>> {
        match read_line(line, "loss") {
            Line::Points(points) => Some(points),
            Line::Other => None,
        }
    }

    #[test]
    fn a_value_keeps_every_digit_its_step_and_its_time() {
        let line: Value = serde_json::from_str(
            r#"{"createdUtc": "2026-01-01T00:00:00.123Z", "step": 7, "data": {"loss": 0.30000000000000004441}}"#,
        )
        .unwrap_or_default();
        let points = points(&line).unwrap_or_default();
        assert_eq!(points.len(), 1);
        assert_eq!(points[0].value.to_string(), "0.30000000000000004441");
        assert_eq!(
            (points[0].step, points[0].time.to_string().as_str()),
            (7, "2026-01-01T00:00:00.123Z")
        );
    }

    #[test]
    fn numbers_in_strings_and_what_json_cannot_say_are_scalars_and_tables_are_not() {
        let line =
            |value: Value| json!({"createdUtc": "2026-01-01T00:00:00Z", "data": {"loss": value}});
        assert_eq!(
            points(&line(json!("NaN"))).map(|p| p[0].value.clone()),
            Some(json!("NaN"))
        );
        assert_eq!(
            points(&line(json!("0.5"))).map(|p| p[0].value.to_string()),
            Some("0.5".to_owned())
        );
        assert_eq!(points(&line(json!("aml://artifactId/x.png"))), None);
        assert_eq!(points(&line(json!([1, 2]))), None);
        assert_eq!(points(&json!({"data": {"loss": 1}})), None);
    }
}
