//! Long-running operations: started by a write, polled at `…/locations/LOCATION/mfeOperationsStatus/ID` until they end.
//!
//! The change itself is made at once; only its end is told later, after `Settings::operation` or three polls.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use crate::call::{Call, Service};
use crate::clock::{iso, later};
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

const POLLS: u32 = 3;

/// An operation under way or done.
#[derive(Debug, Clone)]
pub struct Operation {
    started: Timestamp,
    ends: Timestamp,
    polls: u32,
    fails: bool,
    result: Option<String>,
}

/// How a client learns of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// `Azure-AsyncOperation`: the body of the polled URL says.
    ByStatus,
    /// `Location`: the status code of the polled URL says.
    ByLocation,
}

/// Starts an operation and writes its headers into the answer. `route` is the name that status URLs carry; `result` the URL
/// (without query) of what it makes, where there is something to get.
pub(crate) fn start(
    call: &Call,
    state: &mut State,
    reply: Reply,
    at: (&str, &str, &str),
    told: Told,
    result: Option<String>,
) -> Reply {
    let (subscription, location, route) = at;
    let id = register(call, state, result);
    let version = call.query.get("api-version").unwrap_or_default();
    // The front of registries has operations of its own.
    let front = match call.service {
        Service::Data => format!(
            "{}/{}",
            state.cloud.data_url(&call.label),
            super::registry::FRONT
        ),
        _ => state.cloud.arm_url(),
    };
    let base = format!(
        "{front}/subscriptions/{subscription}/providers/{}/locations/{location}",
        crate::PROVIDER
    );
    let seconds = state.settings.operation.as_secs().max(1).to_string();
    let reply = reply.with("retry-after", seconds);
    match told {
        Told::ByStatus => reply
            .with(
                "azure-asyncoperation",
                format!("{base}/{route}/{id}?api-version={version}"),
            )
            .with("x-ms-async-operation-timeout", "PT1H"),
        Told::ByLocation => {
            let route = route.replace("OperationsStatus", "OperationResults");
            reply.with(
                "location",
                format!("{base}/{route}/{id}?api-version={version}"),
            )
        }
    }
}

/// Remembers an operation that begins now. Says its id.
pub(crate) fn register(call: &Call, state: &mut State, result: Option<String>) -> String {
    let id = state.guid();
    let fails = state.failing_operations > 0;
    state.failing_operations = state.failing_operations.saturating_sub(1);
    let ends = later(call.now, state.settings.operation);
    let operation = Operation {
        started: call.now,
        ends,
        polls: 0,
        fails,
        result,
    };
    state.operations.insert(id.clone(), operation);
    id
}

/// Answers a poll of a status or result URL.
pub(crate) fn poll(call: &Call, state: &mut State, route: &str, id: &str) -> Answer {
    let arm = state.cloud.arm_url();
    let Some(operation) = state.operations.get_mut(id) else {
        let text = format!("The operation '{id}' is not known.");
        return Err(Refusal::arm(
            StatusCode::NOT_FOUND,
            "OperationNotFound",
            text,
        ));
    };
    operation.polls += 1;
    let done = call.now >= operation.ends || operation.polls >= POLLS;
    let operation = operation.clone();
    if route.to_ascii_lowercase().ends_with("results") {
        return Ok(by_location(call, state, &operation, done));
    }
    let status = match (done, operation.fails) {
        (false, _) => "InProgress",
        (true, false) => "Succeeded",
        (true, true) => "Failed",
    };
    let mut body = json!({
        "id": call.raw_path, "name": id, "status": status, "startTime": iso(operation.started),
        "percentComplete": if done { 100 } else { 50 },
    });
    if done {
        body["endTime"] = json!(iso(operation.ends));
        if operation.fails {
            body["error"] = json!({"code": "UserError", "message": "The operation was told to fail.", "details": [{"code": "ToldToFail", "message": "A test wanted it.", "details": []}]});
        } else if let Some(result) = &operation.result {
            body["properties"] = json!({"resourceLocation": format!("{arm}{result}")});
        }
    }
    let reply = Reply::json(StatusCode::OK, &body);
    Ok(if done {
        reply
    } else {
        reply.with("retry-after", "1")
    })
}

fn by_location(call: &Call, state: &State, operation: &Operation, done: bool) -> Reply {
    if !done {
        let here = format!(
            "{}{}?{}",
            state.cloud.arm_url(),
            call.raw_path,
            call.raw_query
        );
        return Reply::empty(StatusCode::ACCEPTED)
            .with("location", here)
            .with("retry-after", "1");
    }
    if operation.fails {
        return Refusal::arm(
            StatusCode::BAD_REQUEST,
            "UserError",
            "The operation was told to fail.",
        )
        .into_reply();
    }
    let result = operation
        .result
        .as_deref()
        .and_then(|path| super::show_by_id(call, state, path));
    result.map_or_else(
        || Reply::empty(StatusCode::NO_CONTENT),
        |body| Reply::json(StatusCode::OK, &body),
    )
}
