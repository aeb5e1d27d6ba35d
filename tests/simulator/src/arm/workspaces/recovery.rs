//! Soft delete of a workspace: what goes at once, what comes back, and when the rest goes too.
//!
//! From Microsoft's page "Recover workspace data after soft delete": for 14 days the name is taken and nothing answers; computes,
//! endpoints and jobs that had not ended are gone for good, and all else is there again after a recovery. Storage is the
//! customer's own and is not touched.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::arm::bad_request;
use crate::clock::later;
use crate::reply::Refusal;
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

/// How long a workspace may be recovered.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// Collections that are deleted for good, whatever lies below them.
const NOT_KEPT: [&str; 4] = [
    "computes",
    "onlineEndpoints",
    "batchEndpoints",
    "serverlessEndpoints",
];

/// The member that asks for a recovery. It is an act and no property.
const RECOVERS: &str = "softDeleteRecovery";

/// Deletes softly.
pub(crate) fn delete(workspace: &mut Workspace, now: Timestamp) {
    workspace.deleted = Some(now);
    for collection in NOT_KEPT {
        for name in names(workspace, collection) {
            workspace.documents.remove(collection, &name);
        }
    }
    for job in names(workspace, "jobs") {
        let run = workspace.history.run(&job);
        if run.is_some_and(|run| !run.is_terminal()) {
            workspace.documents.remove("jobs", &job);
            workspace.history.remove(&job);
        }
    }
}

fn names(workspace: &Workspace, collection: &str) -> Vec<String> {
    let all = workspace.documents.list(collection);
    all.iter().map(|one| one.name.clone()).collect()
}

/// Lets those workspaces go for good whose time is over.
pub(crate) fn purge(state: &mut State, now: Timestamp) {
    state.workspaces.retain(|_, workspace| {
        workspace
            .deleted
            .is_none_or(|deleted| later(deleted, KEPT) > now)
    });
}

/// Refuses to write a workspace that is deleted softly, unless the body recovers it; takes that word out of the body.
pub(super) fn admit(
    state: &State,
    key: &WorkspaceKey,
    body: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let properties = body.get_mut("properties").and_then(Value::as_object_mut);
    let asked = properties.and_then(|properties| properties.remove(RECOVERS));
    let recovers = asked.is_some_and(|value| value == Value::Bool(true));
    let found = state.workspaces.get(key);
    let deleted = found.is_some_and(|found| found.deleted.is_some());
    match (deleted, recovers) {
        (true, false) => Err(Refusal::arm(
            StatusCode::CONFLICT,
            "Conflict",
            "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete",
        )),
        (false, true) if found.is_none() => Err(bad_request(
            "SoftDeletedWorkspaceNotFound",
            "There is no soft-deleted workspace of this name to recover.",
        )),
        _ => Ok(()),
    }
}
