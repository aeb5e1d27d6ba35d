//! Operations on metrics: list, full history, sample, write, delete.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::store::{Metric, Point};
use crate::call::Call;
use crate::clock::iso;
use crate::history::scope::Scope;
use crate::history::{bad_request, from_token, text_of, to_token};
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// How many points of a metric a page holds for each row that a page of a list does.
pub(crate) const POINTS_PER_ROW: usize = 8;

/// The most points that a sample has.
const SAMPLE_POINTS: usize = 250;

fn check_run(state: &State, scope: &Scope, run_id: &str) -> Result<(), Refusal> {
    match scope.workspace(state)?.history.run(run_id) {
        Some(_) => Ok(()),
        None => Err(Refusal::history(
            StatusCode::NOT_FOUND,
            "UserError",
            format!("Run {run_id} not found."),
        )),
    }
}

fn object(call: &Call) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ if call.body.is_empty() => Ok(Map::new()),
        _ => Err(bad_request("The request's body is no JSON object.")),
    }
}

fn position(body: &Map<String, Value>) -> Result<usize, Refusal> {
    let token = body.get("continuationToken").and_then(Value::as_str);
    token.filter(|it| !it.is_empty()).map_or(Ok(0), from_token)
}

/// The names and columns of a run's metrics.
pub(super) fn list(call: &Call, state: &State, scope: &Scope, run_id: &str) -> Answer {
    check_run(state, scope, run_id)?;
    let start = position(&object(call)?)?;
    let rows = state.settings.page;
    let of_run = scope.workspace(state)?.metrics.of_run(run_id);
    let all: Vec<&Metric> = of_run.into_iter().flat_map(|of| of.values()).collect();
    let token = (start + rows < all.len()).then(|| to_token(start + rows));
    let rows: Vec<Value> = all
        .into_iter()
        .skip(start)
        .take(rows)
        .map(|metric| {
            json!({
                "metricKey": {"namespace": metric.namespace, "name": metric.name, "labels": [], "labelNames": []},
                "columns": metric.columns,
                "properties": {"uxMetricType": metric.display},
            })
        })
        .collect();
    let body = json!({"value": rows, "continuationToken": token, "nextLink": null});
    Ok(Reply::json(StatusCode::OK, &body))
}

fn find<'a>(
    state: &'a State,
    scope: &Scope,
    run_id: &str,
    body: &Map<String, Value>,
) -> Result<&'a Metric, Refusal> {
    check_run(state, scope, run_id)?;
    let name = body
        .get("metricName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let found = scope.workspace(state)?.metrics.get(run_id, name);
    found.ok_or_else(|| {
        Refusal::history(
            StatusCode::NOT_FOUND,
            "UserError",
            format!("Metric {name} of run {run_id} not found."),
        )
    })
}

fn shown(metric: &Metric, points: &[&Point], token: Option<&str>) -> Value {
    let points: Vec<Value> = points
        .iter()
        .map(|point| {
            json!({"metricId": point.id, "createdUtc": iso(point.created), "step": point.step, "data": point.data})
        })
        .collect();
    json!({
        "dataContainerId": metric.data_container,
        "name": metric.name,
        "columns": metric.columns,
        "properties": {"uxMetricType": metric.display},
        "namespace": metric.namespace,
        "standardSchemaId": null,
        "value": points,
        "continuationToken": token,
        "nextLink": null,
    })
}

/// All points of a metric, a page at a time.
pub(super) fn full(call: &Call, state: &State, scope: &Scope, run_id: &str) -> Answer {
    let body = object(call)?;
    let metric = find(state, scope, run_id, &body)?;
    let start = position(&body)?;
    let rows = state.settings.page * POINTS_PER_ROW;
    let time = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)?
            .parse::<Timestamp>()
            .ok()
    };
    let (from, to) = (time("startTime"), time("endTime"));
    let all: Vec<&Point> = metric
        .points
        .iter()
        .filter(|point| from.is_none_or(|from| point.created >= from))
        .filter(|point| to.is_none_or(|to| point.created <= to))
        .collect();
    let token = (start + rows < all.len()).then(|| to_token(start + rows));
    let page: Vec<&Point> = all.into_iter().skip(start).take(rows).collect();
    Ok(Reply::json(
        StatusCode::OK,
        &shown(metric, &page, token.as_deref()),
    ))
}

/// Some points of a metric, evenly spread.
pub(super) fn sample(call: &Call, state: &State, scope: &Scope, run_id: &str) -> Answer {
    let metric = find(state, scope, run_id, &object(call)?)?;
    let each = metric.points.len().div_ceil(SAMPLE_POINTS).max(1);
    let points: Vec<&Point> = metric.points.iter().step_by(each).collect();
    let mut body = shown(metric, &points, None);
    body["isPartialResult"] = json!(each > 1);
    body["numValuesLogged"] = json!(metric.points.len());
    body["derivedLabelValues"] = json!({});
    Ok(Reply::json(StatusCode::OK, &body))
}

/// Adds points to metrics.
pub(super) fn batch(call: &Call, state: &mut State, scope: &Scope, run_id: &str) -> Answer {
    check_run(state, scope, run_id)?;
    let body = object(call)?;
    let sent = body.get("values").and_then(Value::as_array);
    let mut metrics = Vec::new();
    for value in sent.into_iter().flatten() {
        metrics.push(parse(value, run_id, call.now)?);
    }
    for mut metric in metrics {
        for point in &mut metric.points {
            if point.id.is_empty() {
                point.id = state.guid();
            }
        }
        scope.workspace_mut(state)?.metrics.append(run_id, metric);
    }
    Ok(Reply::json(StatusCode::OK, &json!({"errors": []})))
}

fn parse(value: &Value, run_id: &str, now: Timestamp) -> Result<Metric, Refusal> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(name) = text(value, "name").filter(|name| !name.is_empty()) else {
        return Err(bad_request("A metric has no name."));
    };
    let columns = value.get("columns").and_then(Value::as_object);
    let display = value
        .get("properties")
        .and_then(|it| text(it, "uxMetricType"));
    let mut metric = Metric {
        columns: columns
            .into_iter()
            .flatten()
            .map(|(name, kind)| (name.clone(), text_of(kind)))
            .collect(),
        namespace: text(value, "namespace").unwrap_or_default(),
        ..Metric::scalar(&name, run_id)
    };
    metric.display = match display {
        Some(display) => display,
        None if metric.is_scalar() => metric.display,
        None => "azureml.v1.table".to_owned(),
    };
    for point in value
        .get("value")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let created = match text(point, "createdUtc") {
            None => now,
            Some(at) => at
                .parse()
                .map_err(|_| bad_request(format!("createdUtc is no time: {at}")))?,
        };
        metric.points.push(Point {
            id: text(point, "metricId").unwrap_or_default(),
            created,
            step: point.get("step").and_then(Value::as_i64).unwrap_or(0),
            data: point
                .get("data")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        });
    }
    Ok(metric)
}

/// Removes all metrics of a run.
pub(super) fn delete(state: &mut State, scope: &Scope, run_id: &str) -> Answer {
    check_run(state, scope, run_id)?;
    scope.workspace_mut(state)?.metrics.remove(run_id);
    Ok(Reply::empty(StatusCode::OK))
}
