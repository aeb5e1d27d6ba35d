//! The api-version that every ARM call must carry, and the versions that the resource provider knows.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::reply::{Refusal, Reply};
use crate::state::State;

/// Versions of Azure Machine Learning's resource provider, oldest first.
const KNOWN: [&str; 33] = [
    "2020-08-01",
    "2021-03-01-preview",
    "2021-07-01",
    "2021-10-01",
    "2022-01-01-preview",
    "2022-02-01-preview",
    "2022-05-01",
    "2022-06-01-preview",
    "2022-10-01",
    "2022-10-01-preview",
    "2022-12-01-preview",
    "2023-02-01-preview",
    "2023-04-01",
    "2023-04-01-preview",
    "2023-06-01-preview",
    "2023-08-01-preview",
    "2023-10-01",
    "2024-01-01-preview",
    "2024-04-01",
    "2024-04-01-preview",
    "2024-07-01-preview",
    "2024-10-01",
    "2024-10-01-preview",
    "2025-01-01-preview",
    "2025-04-01",
    "2025-04-01-preview",
    "2025-06-01",
    "2025-07-01-preview",
    "2025-09-01",
    "2025-10-01-preview",
    "2025-12-01",
    "2019-05-01",
    "2018-11-19",
];

/// Refuses a call without an api-version, or with one that the provider does not know.
pub(crate) fn check(call: &Call, newest: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let version = call
        .query
        .get("api-version")
        .filter(|version| !version.is_empty())
        .ok_or_else(missing)?;
    if !well_formed(version) {
        let text = format!(
            "The api-version '{version}' is invalid. The api-version query parameter must be either date format 'yyyy-MM-dd' or 'yyyy-MM-dd-preview'."
        );
        return Err(Refusal::arm(
            StatusCode::BAD_REQUEST,
            "InvalidApiVersionParameter",
            text,
        ));
    }
    let ours = call
        .segments
        .iter()
        .any(|segment| segment.eq_ignore_ascii_case(crate::PROVIDER));
    if !ours {
        return Ok(());
    }
    let kind = kind_of(call);
    if kind.is_empty() {
        // The provider itself is shown by Resource Manager, which has versions of its own.
        return Ok(());
    }
    let lowest = newest.get(&kind).map(String::as_str);
    let known: Vec<&str> = KNOWN
        .into_iter()
        .filter(|known| known.ends_with("-preview") || !is_preview(&kind))
        .filter(|known| lowest.is_none_or(|newest| *known <= newest))
        .collect();
    if known.contains(&version) {
        return Ok(());
    }
    if kind != "workspaces" && KNOWN.contains(&version) {
        let text = format!(
            "The resource type '{kind}' could not be found in the namespace '{}' for api version '{version}'. The supported api-versions are '{}'.",
            crate::PROVIDER,
            known.join(",")
        );
        return Err(Refusal::arm(
            StatusCode::NOT_FOUND,
            "InvalidResourceType",
            text,
        ));
    }
    let text = format!(
        "No registered resource provider found for location 'westeurope' and API version '{version}' for type '{kind}'. The supported api-versions are '{}'. The supported locations are 'eastus, westeurope, northeurope'.",
        known.join(", ")
    );
    Err(Refusal::arm(
        StatusCode::BAD_REQUEST,
        "NoRegisteredProviderFound",
        text,
    ))
}

/// The type that a call is about, as ARM names it: `workspaces`, `workspaces/models/versions`.
fn kind_of(call: &Call) -> String {
    let mut parts = call
        .segments
        .iter()
        .skip_while(|segment| !segment.eq_ignore_ascii_case(crate::PROVIDER))
        .skip(1);
    let mut types = Vec::new();
    while let Some(part) = parts.next() {
        types.push(part.as_str());
        parts.next();
    }
    types.join("/")
}

/// Whether only previews of the api have a type.
fn is_preview(kind: &str) -> bool {
    let below = kind.split_once('/').map_or("", |(_, below)| below);
    super::collection::rows()
        .iter()
        .any(|row| row.preview && row.path.join("/").eq_ignore_ascii_case(below))
}

fn well_formed(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok()
}

/// The refusal of a call without api-version.
pub(crate) fn missing() -> Refusal {
    let text = "The api-version query parameter (?api-version=) is required for all requests.";
    Refusal::arm(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", text)
}

/// `GET /subscriptions/S/providers/Microsoft.MachineLearningServices`: which types with which versions. A type that no row
/// has is there once something of it is.
pub(crate) fn provider(state: &State, subscription: &str) -> Reply {
    let mut newest: Vec<&str> = KNOWN.to_vec();
    newest.sort_unstable();
    newest.reverse();
    let of = |kind: &str| {
        let versions = newest.iter();
        let versions: Vec<&&str> = versions
            .filter(|version| version.ends_with("-preview") || !is_preview(kind))
            .collect();
        json!({"resourceType": kind, "locations": ["East US", "West Europe", "North Europe"], "apiVersions": versions})
    };
    let own = state
        .workspaces
        .values()
        .filter(|of| of.subscription.eq_ignore_ascii_case(subscription));
    let others: BTreeSet<String> = own
        .flat_map(|workspace| workspace.documents.collections())
        .map(|(path, _)| path.split('/').step_by(2).collect::<Vec<_>>())
        .filter(|path| {
            super::collection::rows()
                .iter()
                .all(|row| row.path != path.as_slice())
        })
        .map(|path| format!("workspaces/{}", path.join("/")))
        .collect();
    let mut types = vec![of("workspaces")];
    types.extend(
        super::collection::rows()
            .iter()
            .map(|row| of(&format!("workspaces/{}", row.path.join("/")))),
    );
    types.extend(others.iter().map(|kind| of(kind)));
    let body = json!({
        "id": format!("/subscriptions/{subscription}/providers/{}", crate::PROVIDER), "namespace": crate::PROVIDER,
        "registrationState": "Registered", "resourceTypes": types,
    });
    Reply::json(StatusCode::OK, &body)
}
