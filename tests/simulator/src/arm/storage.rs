//! Microsoft.Storage as far as a backup or an export needs it: accounts, their blob service, containers, and what keeps a
//! container's blobs as they are.
//!
//! Shapes follow the published OpenAPI (2023-01-01). Anything that resource manager writes here is what the blob service obeys.

mod account;
mod container;
mod hold;
mod policy;

use http::{Method, StatusCode};
use serde_json::Value;

use super::{method_not_allowed, unknown_route};
use crate::account::Account;
use crate::blob::StorageError;
use crate::call::Call;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// The resource provider's name.
pub(super) const PROVIDER: &str = "Microsoft.Storage";

/// Answers a call below `…/providers/Microsoft.Storage/storageAccounts`; `rest` is what comes after, in lower case.
pub(super) fn handle(call: &Call, state: &mut State, rest: &[&str]) -> Answer {
    let [name, below @ ..] = rest else {
        return match call.method {
            Method::GET => account::list(call, state),
            _ => Err(method_not_allowed(call)),
        };
    };
    if call.method == Method::PUT && below.is_empty() && !state.accounts.contains_key(*name) {
        return account::create(call, state, name);
    }
    let account = account_of(call, state, name)?;
    match (&call.method, below) {
        (&Method::GET, []) => account::show(account, state),
        (&Method::PUT | &Method::PATCH, []) => account::change(call, state, name),
        (&Method::DELETE, []) => account::delete(state, name),
        (&Method::POST, ["listkeys"]) => account::keys(account),
        (_, ["blobservices", "default"]) => account::blob_service(call, state, name),
        (&Method::GET, ["blobservices", "default", "containers"]) => {
            container::list(call, state, account)
        }
        (
            _,
            [
                "blobservices",
                "default",
                "containers",
                container,
                below @ ..,
            ],
        ) => below_container(call, state, &Place::new(call, name, container), below),
        _ => Err(unknown_route(call)),
    }
}

fn below_container(call: &Call, state: &mut State, place: &Place, below: &[&str]) -> Answer {
    match (&call.method, below) {
        (&Method::GET, []) => container::show(state, place),
        (&Method::PUT | &Method::PATCH, []) => container::put(call, state, place),
        (&Method::DELETE, []) => container::delete(call, state, place),
        (&Method::POST, ["setlegalhold"]) => hold::set(call, state, place),
        (&Method::POST, ["clearlegalhold"]) => hold::clear(call, state, place),
        (&Method::POST, ["migrate"]) => container::migrate(call, state, place),
        (&Method::GET, ["immutabilitypolicies", "default"]) => policy::show(state, place),
        (&Method::PUT, ["immutabilitypolicies", "default"]) => policy::put(call, state, place),
        (&Method::DELETE, ["immutabilitypolicies", "default"]) => {
            policy::delete(call, state, place)
        }
        (&Method::POST, ["immutabilitypolicies", "default", "lock"]) => {
            policy::lock(call, state, place)
        }
        (&Method::POST, ["immutabilitypolicies", "default", "extend"]) => {
            policy::extend(call, state, place)
        }
        _ => Err(unknown_route(call)),
    }
}

/// A container by account, and its id up to there.
struct Place {
    account: String,
    container: String,
    id: String,
}

impl Place {
    fn new(call: &Call, account: &str, container: &str) -> Self {
        let head = call.segments.get(..8).unwrap_or_default().join("/");
        Self {
            account: account.to_owned(),
            container: container.to_owned(),
            id: format!("/{head}/blobServices/default/containers/{container}"),
        }
    }
}

/// The account of that name, where it lies in the subscription and group that the call names.
fn account_of<'a>(call: &Call, state: &'a State, name: &str) -> Result<&'a Account, Refusal> {
    let asked = format!("/{}", call.segments.get(..8).unwrap_or_default().join("/"));
    state
        .accounts
        .get(name)
        .filter(|found| found.arm_id.eq_ignore_ascii_case(&asked))
        .ok_or_else(|| {
            let text = format!("The Resource '{PROVIDER}/storageAccounts/{name}' was not found.");
            Refusal::arm(StatusCode::NOT_FOUND, "ResourceNotFound", text)
        })
}

/// What the blob service refuses, in resource manager's form.
fn refused(error: &StorageError) -> Refusal {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal::arm(status, error.code, error.message.clone())
}

fn conflict(code: &str, text: &str) -> Refusal {
    Refusal::arm(StatusCode::CONFLICT, code, text)
}

/// The `properties` of a body, or nothing.
fn properties(body: &Value) -> &Value {
    body.get("properties").unwrap_or(&Value::Null)
}
