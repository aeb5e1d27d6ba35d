//! Discovery: the addresses of a region's data plane. Anyone may ask.
//!
//! A workspace's `discoveryUrl` leads here; the keys are those that azure-ai-ml 1.35.2 knows (`WorkspaceDiscoveryUrlKey`).

use http::{Method, StatusCode};
use serde_json::json;

use crate::call::Call;
use crate::history::scope::no_route;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// Answers a call to `/discovery` of a region.
pub fn handle(call: &Call, state: &State) -> Answer {
    if call.method != Method::GET {
        return Err(no_route(call));
    }
    let base = state.cloud.data_url(&call.label);
    let body = json!({
        "api": base,
        "catalog": base,
        "experimentation": base,
        "gallery": base,
        "history": base,
        "hyperdrive": base,
        "labeling": base,
        "modelmanagement": base,
        "pipelines": base,
        "studio": state.cloud.portal_url(),
    });
    Ok(Reply::json(StatusCode::OK, &body))
}
