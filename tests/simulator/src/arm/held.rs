//! What whoever asks may do at a resource, as `Microsoft.Authorization` lists it: one entry, since roles here count everywhere.

use http::Method;
use serde_json::{Value, json};

use super::{bad_request, method_not_allowed};
use crate::call::Call;
use crate::reply::Answer;
use crate::state::State;

/// Versions that `Microsoft.Authorization` knows for permissions.
const KNOWN: [&str; 3] = ["2022-04-01", "2018-07-01", "2015-07-01"];

/// Whether a call is one about permissions at what its path names before.
pub(crate) fn is_meant(call: &Call) -> bool {
    let parts: Vec<String> = call.segments.iter().map(|it| it.to_lowercase()).collect();
    parts.ends_with(&["providers", "microsoft.authorization", "permissions"].map(str::to_owned))
}

/// Answers it. No action is needed for it.
pub(crate) fn handle(call: &Call, state: &State) -> Answer {
    let version = call.query.get("api-version").unwrap_or_default();
    if !KNOWN.contains(&version) {
        return Err(bad_request(
            "NoRegisteredProviderFound",
            format!("No registered resource provider found for api-version '{version}'."),
        ));
    }
    if call.method != Method::GET {
        return Err(method_not_allowed(call));
    }
    let claims = call.identity.claims();
    let principal = claims.and_then(|claims| state.directory.principal(&claims.client_id));
    let entries: Vec<Value> = principal
        .map(|principal| {
            let (actions, data_actions) = match &principal.granted {
                Some(grant) => (grant.actions.clone(), grant.data_actions.clone()),
                None => (vec!["*".to_owned()], vec!["*".to_owned()]),
            };
            // A pattern of what is denied means the end of a name.
            let denied = principal.denied.iter();
            let denied: Vec<String> = denied
                .map(|it| format!("*{it}").replace("**", "*"))
                .collect();
            json!({
                "actions": actions, "notActions": denied,
                "dataActions": data_actions, "notDataActions": denied,
            })
        })
        .into_iter()
        .collect();
    super::ok(&json!({ "value": entries }))
}
