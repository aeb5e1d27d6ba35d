//! A run as run history's JSON, and a request's JSON applied to a run.
//!
//! Members and their names are those of `Run`, `RunDetails` and `CreateRun` in the client that azure-ai-ml 1.35.2 carries.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::{SpanRound, Timestamp, Unit};
use serde_json::{Map, Value, json};

use super::run::{Run, text_of};
use super::store::{Experiment, History};
use crate::clock::iso;
use crate::reply::Refusal;

/// Members of a `CreateRun` that are fields of their own here, or that only the service writes.
const OWN: [&str; 24] = [
    "runId",
    "parentRunId",
    "experimentId",
    "experimentName",
    "status",
    "startTimeUtc",
    "endTimeUtc",
    "displayName",
    "dataContainerId",
    "description",
    "hidden",
    "runType",
    "properties",
    "parameters",
    "tags",
    "runUuid",
    "runNumber",
    "rootRunId",
    "createdUtc",
    "createdBy",
    "lastModifiedUtc",
    "lastModifiedBy",
    "revision",
    "options",
];

/// Members that the service shows as `null` where nobody wrote them.
const ABSENT: [&str; 21] = [
    "token",
    "tokenExpiryTimeUtc",
    "error",
    "warnings",
    "lastStartTimeUtc",
    "effectiveStartTimeUtc",
    "cancelationReason",
    "scheduleId",
    "name",
    "scriptName",
    "target",
    "runDefinition",
    "jobSpecification",
    "primaryMetricName",
    "createdFrom",
    "cancelUri",
    "completeUri",
    "diagnosticsUri",
    "computeRequest",
    "compute",
    "queueingInfo",
];

/// Members that it shows as `{}` then.
const EMPTY_OBJECTS: [&str; 5] = ["actionUris", "settings", "services", "inputs", "outputs"];

/// Members that it shows as `[]` then.
const EMPTY_LISTS: [&str; 3] = [
    "uniqueChildRunComputeTargets",
    "inputDatasets",
    "outputDatasets",
];

/// Who did something, as the service shows a user.
fn user(client_id: &str, tenant: &str) -> Value {
    json!({
        "userObjectId": client_id, "userPuId": null, "userIdp": null, "userAltSecId": null,
        "userIss": format!("https://sts.windows.net/{tenant}/"), "userTenantId": tenant,
        "userName": client_id, "upn": null,
    })
}

/// A run as the service returns it. `now` shows in what counts while a run is under way.
pub(crate) fn of_run(run: &Run, history: &History, tenant: &str, now: Timestamp) -> Value {
    let experiment = history.experiment(&run.experiment);
    let parent = run.parent.as_deref().and_then(|parent| history.run(parent));
    let root = root(run, history);
    let mut document = json!({
        "runNumber": run.number,
        "rootRunId": root.run_id,
        "createdUtc": run.created.map(iso),
        "createdBy": user(&run.created_by, tenant),
        "userId": run.created_by,
        "revision": run.revision,
        "statusRevision": if run.is_terminal() { 3 } else { 1 },
        "runUuid": run.uuid,
        "parentRunUuid": parent.map(|parent| parent.uuid.as_str()),
        "rootRunUuid": root.uuid,
        "hasVirtualParent": false,
        "currentComputeTime": current_compute_time(run, now),
        "computeDuration": elapsed(run.started, run.ended),
        "lastModifiedBy": user(&run.created_by, tenant),
        "lastModifiedUtc": run.modified.or(run.created).map(iso),
        "duration": elapsed(run.started, run.ended),
        "currentAttemptId": 1,
        "runId": run.run_id,
        "parentRunId": run.parent,
        "experimentId": experiment.map(|it| it.id.as_str()),
        "experimentName": run.experiment,
        "status": run.status,
        "startTimeUtc": run.started.map(iso),
        "endTimeUtc": run.ended.map(iso),
        "displayName": run.display_name,
        "dataContainerId": run.data_container(),
        "description": run.description,
        "hidden": run.hidden,
        "runType": run.run_type,
        "runTypeV2": {"orchestrator": null, "traits": [], "attribution": null, "computeType": null},
        "properties": run.properties,
        "parameters": run.parameters,
        "tags": run.tags,
        "retainForLifetimeOfWorkspace": false,
    });
    if let Value::Object(members) = &mut document {
        for name in ABSENT {
            members.insert(name.to_owned(), Value::Null);
        }
        for name in EMPTY_OBJECTS {
            members.insert(name.to_owned(), json!({}));
        }
        for name in EMPTY_LISTS {
            members.insert(name.to_owned(), json!([]));
        }
        for (name, value) in &run.more {
            members.insert(name.clone(), value.clone());
        }
    }
    document
}

/// The members of a run that its details repeat; the log files are added by who can sign their addresses.
pub(crate) fn details(run: &Run, history: &History, tenant: &str, now: Timestamp) -> Value {
    let mut document = of_run(run, history, tenant, now);
    if let Value::Object(members) = &mut document {
        let created = members.remove("createdUtc").unwrap_or(Value::Null);
        members.insert("createdTimeUtc".to_owned(), created);
        members.insert("jobCost".to_owned(), Value::Null);
        for name in [
            "experimentId",
            "experimentName",
            "token",
            "tokenExpiryTimeUtc",
            "hidden",
        ] {
            members.remove(name);
        }
    }
    document
}

/// An experiment as the service returns it.
pub(crate) fn of_experiment(experiment: &Experiment, workspace_arm_id: &str) -> Value {
    json!({
        "experimentId": experiment.id,
        "name": experiment.name,
        "description": experiment.description,
        "createdUtc": iso(experiment.created),
        "tags": experiment.tags,
        "archivedTime": experiment.archived.map(iso),
        "retainForLifetimeOfWorkspace": false,
        "artifactLocation": format!("azureml:/{workspace_arm_id}/experiments/{}", experiment.id),
    })
}

fn root<'a>(run: &'a Run, history: &'a History) -> &'a Run {
    let mut root = run;
    // A chain longer than any real one is a circle.
    for _ in 0..16 {
        match root
            .parent
            .as_deref()
            .and_then(|parent| history.run(parent))
        {
            Some(parent) => root = parent,
            None => break,
        }
    }
    root
}

/// Counts up while a run is under way: it differs with every read.
fn current_compute_time(run: &Run, now: Timestamp) -> Value {
    if run.is_terminal() {
        return json!("00:00:00");
    }
    elapsed(run.started, run.started.map(|_| now))
}

/// A duration as .NET writes it: `00:12:34.0000000`.
fn elapsed(from: Option<Timestamp>, to: Option<Timestamp>) -> Value {
    let (Some(from), Some(to)) = (from, to) else {
        return Value::Null;
    };
    let span = to - from;
    let Ok(span) = span.round(SpanRound::new().largest(Unit::Hour).smallest(Unit::Second)) else {
        return Value::Null;
    };
    json!(format!(
        "{:02}:{:02}:{:02}.0000000",
        span.get_hours(),
        span.get_minutes(),
        span.get_seconds()
    ))
}

/// The refusal of a request whose content cannot be.
pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::history(StatusCode::BAD_REQUEST, "UserError", message)
}

/// Applies a `CreateRun` to a run: tags and parameters are merged, properties written once, unknown members kept.
pub(crate) fn apply(
    run: &mut Run,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let strings = |name: &str| body.get(name).and_then(Value::as_object);
    check_write_once(&run.properties, strings("properties"))?;
    let started = time(body, "startTimeUtc")?;
    let ended = time(body, "endTimeUtc")?;
    for (name, value) in strings("properties").into_iter().flatten() {
        run.properties.insert(name.clone(), text_of(value));
    }
    for (name, value) in strings("tags").into_iter().flatten() {
        run.tags.insert(name.clone(), text_of(value));
    }
    for (name, value) in strings("parameters").into_iter().flatten() {
        run.parameters.insert(name.clone(), value.clone());
    }
    for (name, field) in [
        ("displayName", &mut run.display_name),
        ("description", &mut run.description),
    ] {
        if let Some(value) = body.get(name) {
            *field = value.as_str().map(str::to_owned);
        }
    }
    if let Some(parent) = text("parentRunId") {
        run.parent = Some(parent.to_owned());
    }
    if let Some(kind) = text("runType") {
        run.run_type = kind.to_owned();
    }
    if let Some(hidden) = body.get("hidden").and_then(Value::as_bool) {
        run.hidden = hidden;
    }
    run.started = started.or(run.started);
    run.ended = ended.or(run.ended);
    if let Some(status) = text("status") {
        run.set_status(status, now);
    }
    for (name, value) in body
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
    {
        run.more.insert(name.clone(), value.clone());
    }
    run.touch(now);
    Ok(())
}

fn check_write_once(
    held: &BTreeMap<String, String>,
    sent: Option<&Map<String, Value>>,
) -> Result<(), Refusal> {
    for (name, value) in sent.into_iter().flatten() {
        if held.get(name).is_some_and(|old| *old != text_of(value)) {
            return Err(bad_request(format!(
                "Property '{name}' cannot be changed: run properties are immutable."
            )));
        }
    }
    Ok(())
}

fn time(body: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().and_then(|text| text.parse().ok()) {
            Some(at) => Ok(Some(at)),
            None => Err(bad_request(format!(
                "The value of {name} is no time: {value}"
            ))),
        },
    }
}
