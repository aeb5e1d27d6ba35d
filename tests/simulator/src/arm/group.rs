//! Subscriptions and resource groups: as much of them as Azure ML's clients ask for.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::operation::{self, Told};
use super::{method_not_allowed, ok, page};
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::{ResourceGroup, State};

/// `GET /subscriptions`.
pub(crate) fn subscriptions(call: &Call, state: &State) -> Answer {
    let mut ids: Vec<&str> = state
        .groups
        .values()
        .map(|group| group.subscription.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    page::answer(call, state, &ids, None, |id| show_subscription(state, id))
}

/// `GET /subscriptions/S`.
pub(crate) fn subscription(state: &State, id: &str) -> Answer {
    match state
        .groups
        .values()
        .find(|group| group.subscription.eq_ignore_ascii_case(id))
    {
        Some(group) => ok(&show_subscription(state, &group.subscription)),
        None => Err(no_subscription(id)),
    }
}

fn show_subscription(state: &State, id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": format!("Subscription {}", &id[..id.len().min(4)]),
        "state": "Enabled", "tenantId": state.directory.tenant, "authorizationSource": "RoleBased",
    })
}

fn no_subscription(id: &str) -> Refusal {
    let text = format!("The subscription '{id}' could not be found.");
    Refusal::arm(StatusCode::NOT_FOUND, "SubscriptionNotFound", text)
}

/// The refusal of a resource group that is not there.
pub(crate) fn no_group(name: &str) -> Refusal {
    let text = format!("Resource group '{name}' could not be found.");
    Refusal::arm(StatusCode::NOT_FOUND, "ResourceGroupNotFound", text)
}

/// `GET /subscriptions/S/resourceGroups`.
pub(crate) fn list(call: &Call, state: &State, subscription: &str) -> Answer {
    let of = |group: &&ResourceGroup| group.subscription.eq_ignore_ascii_case(subscription);
    let rows: Vec<&ResourceGroup> = state.groups.values().filter(of).collect();
    if rows.is_empty() {
        return Err(no_subscription(subscription));
    }
    page::answer(call, state, &rows, None, |group| show(group))
}

fn show(group: &ResourceGroup) -> Value {
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", group.subscription, group.name), "name": group.name,
        "type": "Microsoft.Resources/resourceGroups", "location": group.location, "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    })
}

/// GET, HEAD, PUT and DELETE of one group. Deleting it deletes its workspaces for good.
pub(crate) fn one(call: &Call, state: &mut State, subscription: &str, name: &str) -> Answer {
    let found = state.group(subscription, name).cloned();
    match (&call.method, found) {
        (&Method::GET, Some(group)) => ok(&show(&group)),
        (&Method::HEAD, Some(_)) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        (&Method::GET | &Method::HEAD | &Method::DELETE, None) => Err(no_group(name)),
        (&Method::PUT, found) => {
            let body = call.json()?;
            let location = body
                .get("location")
                .and_then(Value::as_str)
                .unwrap_or("westeurope");
            let status = if found.is_some() {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            };
            let group = found.unwrap_or_else(|| ResourceGroup {
                subscription: call.segment(1).to_owned(),
                name: call.segment(3).to_owned(),
                location: location.to_owned(),
            });
            let body = show(&group);
            state.add_group(group);
            Ok(Reply::json(status, &body))
        }
        (&Method::DELETE, Some(group)) => {
            state
                .workspaces
                .retain(|key, _| !key.is_in(subscription, Some(name)));
            state.remove_group(subscription, name);
            let reply = Reply::empty(StatusCode::ACCEPTED);
            let at = (
                subscription,
                group.location.as_str(),
                "groupOperationsStatus",
            );
            Ok(operation::start(
                call,
                state,
                reply,
                at,
                Told::ByLocation,
                None,
            ))
        }
        _ => Err(method_not_allowed(call)),
    }
}
