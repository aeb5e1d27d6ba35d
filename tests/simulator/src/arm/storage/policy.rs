//! The time-based policy of a container: put, locked, extended, never shortened once it is locked.
//!
//! Rules from Microsoft's page "Container-level WORM policies" and the OpenAPI's descriptions: lock, extend and delete want the
//! policy's own ETag. The codes of what a locked policy refuses are not published; the statuses are.

use serde_json::{Value, json};

use super::container::{store, store_mut};
use super::{Place, conflict, hold, properties, refused};
use crate::arm::{bad_request, ok};
use crate::blob::worm::{DAYS_MOST, EXTENSIONS_MOST};
use crate::blob::{Change, Policy};
use crate::call::Call;
use crate::clock::iso;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

const DAYS: &str = "immutabilityPeriodSinceCreationInDays";
const APPENDS: [&str; 2] = [
    "allowProtectedAppendWrites",
    "allowProtectedAppendWritesAll",
];

/// The policy as it stands. A container without one shows zero days.
pub(super) fn show(state: &State, place: &Place) -> Answer {
    let container = store(state, place)?
        .container(&place.container)
        .map_err(|error| refused(&error))?;
    shown(place, container.worm.policy.as_ref())
}

fn shown(place: &Place, policy: Option<&Policy>) -> Answer {
    let etag = policy.map(|it| format!("\"{}\"", it.etag));
    let body = json!({
        "id": format!("{}/immutabilityPolicies/default", place.id), "name": "default",
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies",
        "etag": etag, "properties": policy.map_or_else(|| json!({DAYS: 0, "state": "Unlocked"}), own),
    });
    let reply = ok(&body)?;
    Ok(match etag {
        Some(etag) => reply.with("etag", etag),
        None => reply,
    })
}

fn own(policy: &Policy) -> Value {
    let state = if policy.locked { "Locked" } else { "Unlocked" };
    let mut body = json!({DAYS: policy.days, "state": state});
    for (name, value) in APPENDS.iter().zip(policy.appends) {
        if let Some(value) = value {
            body[*name] = json!(value);
        }
    }
    body
}

/// The policy within a container's document.
pub(super) fn within_container(policy: &Policy, tenant: &str) -> Value {
    let changes = policy.changes.iter().map(|change| {
        json!({"update": change.update, DAYS: change.days, "timestamp": iso(change.at),
            "objectIdentifier": change.by, "tenantId": tenant})
    });
    json!({"etag": format!("\"{}\"", policy.etag), "properties": own(policy), "updateHistory": changes.collect::<Vec<_>>()})
}

/// `PUT`: makes a policy, or changes one that is not locked.
pub(super) fn put(call: &Call, state: &mut State, place: &Place) -> Answer {
    let body = call.json()?;
    let days = days(&body)?;
    let appends = APPENDS.map(|name| properties(&body).get(name).and_then(Value::as_bool));
    change(call, state, place, false, |old| {
        let mut policy = match old {
            Some(old) if old.locked => return Err(locked()),
            Some(old) => old,
            None => Policy {
                days,
                locked: false,
                appends,
                etag: String::new(),
                changes: Vec::new(),
            },
        };
        (policy.days, policy.appends) = (days, appends);
        Ok(Some((policy, "put")))
    })
}

/// `POST …/lock`.
pub(super) fn lock(call: &Call, state: &mut State, place: &Place) -> Answer {
    change(call, state, place, true, |old| {
        let mut policy = old.ok_or_else(none)?;
        policy.locked = true;
        Ok(Some((policy, "lock")))
    })
}

/// `POST …/extend`: a locked policy becomes longer, at most five times.
pub(super) fn extend(call: &Call, state: &mut State, place: &Place) -> Answer {
    let days = days(&call.json()?)?;
    change(call, state, place, true, |old| {
        let mut policy = old.ok_or_else(none)?;
        if !policy.locked {
            return Err(conflict(
                "ContainerImmutabilityPolicyNotLocked",
                "Only a locked immutability policy can be extended.",
            ));
        }
        if days < policy.days {
            return Err(locked());
        }
        let extensions = policy.changes.iter().filter(|it| it.update == "extend");
        if extensions.count() >= EXTENSIONS_MOST {
            return Err(conflict(
                "ContainerImmutabilityPolicyExtensionLimit",
                "A locked immutability policy can be extended five times.",
            ));
        }
        policy.days = days;
        Ok(Some((policy, "extend")))
    })
}

/// `DELETE`: takes a policy away that is not locked. The answer has zero days.
pub(super) fn delete(call: &Call, state: &mut State, place: &Place) -> Answer {
    change(call, state, place, true, |old| {
        if old.is_some_and(|old| old.locked) {
            return Err(locked());
        }
        Ok(None)
    })
}

/// Changes a policy under its own ETag, which some acts must name.
fn change(
    call: &Call,
    state: &mut State,
    place: &Place,
    needs_match: bool,
    change: impl FnOnce(Option<Policy>) -> Result<Option<(Policy, &'static str)>, Refusal>,
) -> Answer {
    let blobs = store_mut(state, place)?;
    let name = place.container.as_str();
    let old = blobs.container(name).map_err(|error| refused(&error))?;
    let old = old.worm.policy.clone();
    let known = old.as_ref().map(|it| it.etag.clone());
    match (call.header("if-match"), known) {
        (None, _) if needs_match => {
            return Err(bad_request(
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified: If-Match.",
            ));
        }
        (None, _) => {}
        (Some("*"), Some(_)) => {}
        (Some(sent), Some(etag)) if sent.trim_matches('"') == etag => {}
        (Some(_), _) => {
            return Err(Refusal::arm(
                http::StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "The condition specified using HTTP conditional header(s) is not met.",
            ));
        }
    }
    let changed = change(old)?;
    let by = hold::object_id(call);
    let touched = blobs.touch(name, call.now, |container| {
        let etag = container.etag.trim_start_matches("0x").to_lowercase();
        container.worm.policy = changed.map(|(mut policy, update)| {
            let (days, at) = (policy.days, call.now);
            let change = Change {
                update,
                days,
                at,
                by,
            };
            policy.changes.push(change);
            policy.etag = etag;
            policy
        });
    });
    let container = touched.map_err(|error| refused(&error))?;
    let reply: Reply = shown(place, container.worm.policy.as_ref())?;
    Ok(reply)
}

fn days(body: &Value) -> Result<i64, Refusal> {
    let days = properties(body).get(DAYS).and_then(Value::as_i64);
    days.filter(|days| (1..=DAYS_MOST).contains(days))
        .ok_or_else(|| {
            bad_request(
                "InvalidImmutabilityPeriod",
                "The immutability period must be between 1 and 146000 days.",
            )
        })
}

fn locked() -> Refusal {
    conflict(
        "ContainerImmutabilityPolicyLocked",
        "The requested operation is not allowed as the container has a locked immutability policy.",
    )
}

fn none() -> Refusal {
    Refusal::arm(
        http::StatusCode::NOT_FOUND,
        "ContainerImmutabilityPolicyNotFound",
        "The container has no immutability policy.",
    )
}
