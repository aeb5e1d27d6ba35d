//! What runs log: metrics, parameters, tags, one by one or in batches.
//!
//! Limits are those of MLflow's REST API. A parameter is written once. A metric point that is sent twice is there twice,
//! as in the service: a client that repeats itself is found out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::{Request, ok};
use super::error::{invalid, invalid_state};
use crate::history::{Run, text_of};
use crate::metric::{Metric, Point};
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// The most metrics of a batch.
const METRICS_MAX: usize = 1_000;
/// The most parameters, and the most tags, of a batch.
const PAIRS_MAX: usize = 100;
/// The most bytes of a batch.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// The longest key of a metric, parameter or tag.
const KEY_CHARS_MAX: usize = 250;
/// The longest value of a parameter.
const PARAM_CHARS_MAX: usize = 6_000;
/// The longest value of a tag.
const TAG_CHARS_MAX: usize = 5_000;

/// The run that is logged to, which must not be deleted.
fn active<'s>(request: &Request<'_>, state: &'s State) -> Result<&'s Run, Refusal> {
    let run = request.run(state)?;
    if run.deleted {
        return Err(invalid_state(format!(
            "The run {} must be in the 'active' state. Current state is deleted.",
            run.run_id
        )));
    }
    Ok(run)
}

fn check_length(what: &str, key: &str, value: &str, max: usize) -> Result<(), Refusal> {
    if key.chars().count() > KEY_CHARS_MAX {
        return Err(invalid(format!(
            "{what} key '{key}' had a length of more than {KEY_CHARS_MAX}."
        )));
    }
    if value.chars().count() > max {
        return Err(invalid(format!(
            "{what} value of '{key}' had a length of more than {max}."
        )));
    }
    Ok(())
}

/// Refuses tags that are too long.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    tags.iter()
        .try_for_each(|(key, value)| check_length("Tag", key, value, TAG_CHARS_MAX))
}

/// Refuses parameters that are too long or that would change one.
fn check_params(run: &Run, params: &[(String, String)]) -> Result<(), Refusal> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in params {
        check_length("Param", key, value, PARAM_CHARS_MAX)?;
        let held = run.parameters.get(key).map(text_of);
        let other = seen.insert(key, value);
        if held.is_some_and(|held| held != *value) || other.is_some_and(|other| other != value) {
            return Err(invalid(format!(
                "Changing param values is not allowed. Param with key='{key}' was already logged for run ID='{}'. Attempted logging new value '{value}'.",
                run.run_id
            )));
        }
    }
    Ok(())
}

fn apply(
    request: &Request<'_>,
    state: &mut State,
    run_id: &str,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
) -> Result<(), Refusal> {
    let now = request.call.now;
    if let Some(run) = request.workspace_mut(state)?.history.run_mut(run_id) {
        for (key, value) in params {
            run.parameters.insert(key, Value::String(value));
        }
        for (key, value) in tags {
            set_one_tag(run, key, value);
        }
        run.touch(now);
    }
    Ok(())
}

/// Sets a tag, and the field that it stands for where it is one of MLflow's own.
fn set_one_tag(run: &mut Run, key: String, value: String) {
    match key.as_str() {
        "mlflow.runName" => run.display_name = Some(value.clone()),
        "mlflow.note.content" => run.description = Some(value.clone()),
        _ => {}
    }
    run.tags.insert(key, value);
}

fn parse_point(fields: &Map<String, Value>, now: Timestamp) -> Result<(String, Point), Refusal> {
    let Some(key) = fields
        .get("key")
        .and_then(Value::as_str)
        .filter(|key| !key.is_empty())
    else {
        return Err(invalid("Missing value for required parameter 'key'."));
    };
    check_length("Metric", key, "", TAG_CHARS_MAX)?;
    let value = match fields.get("value") {
        Some(Value::Number(number)) => Value::Number(number.clone()),
        Some(Value::String(text)) if text.parse::<f64>().is_ok() => Value::String(text.clone()),
        other => {
            let other = other.unwrap_or(&Value::Null);
            return Err(invalid(format!(
                "Got invalid value {other} for metric '{key}'."
            )));
        }
    };
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text_of(value)
            .parse::<i64>()
            .map(Some)
            .map_err(|_| invalid(format!("Got invalid {name} {value} for metric '{key}'."))),
    };
    let created = match number("timestamp")? {
        None => now,
        Some(ms) => Timestamp::from_millisecond(ms)
            .map_err(|_| invalid(format!("Got invalid timestamp {ms} for metric '{key}'.")))?,
    };
    let point = Point {
        id: String::new(),
        created,
        step: number("step")?.unwrap_or(0),
        data: Map::from_iter([(key.to_owned(), value)]),
    };
    Ok((key.to_owned(), point))
}

fn append(
    request: &Request<'_>,
    state: &mut State,
    run_id: &str,
    points: Vec<(String, Point)>,
) -> Result<(), Refusal> {
    for (key, mut point) in points {
        point.id = state.guid();
        let mut metric = Metric::scalar(&key, run_id);
        metric.points.push(point);
        request.workspace_mut(state)?.metrics.append(run_id, metric);
    }
    Ok(())
}

/// One point of a metric.
pub(super) fn metric(request: &Request<'_>, state: &mut State) -> Answer {
    let run_id = active(request, state)?.run_id.clone();
    let point = parse_point(&request.fields, request.call.now)?;
    append(request, state, &run_id, vec![point])?;
    Ok(ok(json!({})))
}

/// One parameter.
pub(super) fn parameter(request: &Request<'_>, state: &mut State) -> Answer {
    let run = active(request, state)?;
    let params = vec![(
        request.required("key")?,
        request.text("value").unwrap_or_default(),
    )];
    check_params(run, &params)?;
    let run_id = run.run_id.clone();
    apply(request, state, &run_id, params, Vec::new())?;
    Ok(ok(json!({})))
}

/// One tag.
pub(super) fn set_tag(request: &Request<'_>, state: &mut State) -> Answer {
    let run_id = active(request, state)?.run_id.clone();
    let tags = vec![(
        request.required("key")?,
        request.text("value").unwrap_or_default(),
    )];
    check_tags(&tags)?;
    apply(request, state, &run_id, Vec::new(), tags)?;
    Ok(ok(json!({})))
}

/// Removes a tag, which must be there.
pub(super) fn delete_tag(request: &Request<'_>, state: &mut State) -> Answer {
    let run_id = active(request, state)?.run_id.clone();
    let key = request.required("key")?;
    let now = request.call.now;
    let run = request.workspace_mut(state)?.history.run_mut(&run_id);
    let removed = run.and_then(|run| {
        run.touch(now);
        run.tags.remove(&key)
    });
    match removed {
        Some(_) => Ok(ok(json!({}))),
        None => Err(super::error::not_found(format!(
            "No tag with name: {key} in run with id {run_id}"
        ))),
    }
}

/// Many of each. All of it is checked before any of it is kept.
pub(super) fn batch(request: &Request<'_>, state: &mut State) -> Answer {
    if request.call.body.len() > BATCH_BYTES_MAX {
        return Err(invalid(format!(
            "Batched logging API requests must be at most {BATCH_BYTES_MAX} bytes, got one of size {}.",
            request.call.body.len()
        )));
    }
    let run = active(request, state)?;
    let params = request.pairs("params")?;
    let tags = request.pairs("tags")?;
    let metrics = request.fields.get("metrics").and_then(Value::as_array);
    let metrics = metrics.map(Vec::as_slice).unwrap_or_default();
    check_count("metrics", metrics.len(), METRICS_MAX)?;
    check_count("params", params.len(), PAIRS_MAX)?;
    check_count("tags", tags.len(), PAIRS_MAX)?;
    check_count(
        "entities",
        metrics.len() + params.len() + tags.len(),
        METRICS_MAX,
    )?;
    check_params(run, &params)?;
    check_tags(&tags)?;
    let mut points = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let fields = metric.as_object();
        let fields = fields.ok_or_else(|| invalid("A metric of the batch is no object."))?;
        points.push(parse_point(fields, request.call.now)?);
    }
    let run_id = run.run_id.clone();
    apply(request, state, &run_id, params, tags)?;
    append(request, state, &run_id, points)?;
    Ok(ok(json!({})))
}

fn check_count(what: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        return Err(invalid(format!(
            "A batch logging request can contain at most {max} {what}. Got {count} {what}. Please split up {what} across multiple requests and try again."
        )));
    }
    Ok(())
}
