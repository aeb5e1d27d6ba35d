//! The workspace that a call to a region's data plane is about, and whether the caller may.

use http::{Method, StatusCode};

use crate::PROVIDER;
use crate::call::Call;
use crate::reply::Refusal;
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

/// A workspace and what the path says after it.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The workspace, which exists and lies in the region of the call's host.
    pub(crate) key: WorkspaceKey,
    /// Segments after the workspace's own.
    pub(crate) rest: Vec<String>,
}

/// Finds the workspace of `/SERVICE/VERSION/subscriptions/…/workspaces/W/…`. `area` names the permission that is
/// needed, such as `experiments/runs`: reading for GET, HEAD and what only asks, writing for the rest.
pub(crate) fn of(call: &Call, state: &State, area: &str, asks: bool) -> Result<Scope, Refusal> {
    let after = call.segments.get(2..).unwrap_or_default();
    let Some((key, rest)) = WorkspaceKey::of_segments(after) else {
        return Err(no_route(call));
    };
    let found = state
        .workspace(&key)
        .filter(|found| found.location.eq_ignore_ascii_case(&call.label));
    let Some(workspace) = found else {
        return Err(Refusal::history(
            StatusCode::NOT_FOUND,
            "UserError",
            format!(
                "Workspace not found: {}",
                after.last().map_or("", String::as_str)
            ),
        ));
    };
    let reads = asks || call.method == Method::GET || call.method == Method::HEAD;
    let verb = if reads { "read" } else { "write" };
    let action = format!("{PROVIDER}/workspaces/{area}/{verb}");
    check(call, state, &action, workspace)?;
    Ok(Scope {
        key,
        rest: rest.to_vec(),
    })
}

fn check(call: &Call, state: &State, action: &str, workspace: &Workspace) -> Result<(), Refusal> {
    match call.identity.claims() {
        Some(claims) if !state.directory.allows(&claims.client_id, action) => {
            Err(Refusal::history(
                StatusCode::FORBIDDEN,
                "UserError",
                format!(
                    "The client '{}' does not have authorization to perform action '{action}' over scope '{}'.",
                    claims.object_id,
                    workspace.arm_id()
                ),
            ))
        }
        _ => Ok(()),
    }
}

impl Scope {
    /// Segments after the workspace, for slice patterns.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.rest.iter().map(String::as_str).collect()
    }

    /// The workspace.
    pub(crate) fn workspace<'a>(&self, state: &'a State) -> Result<&'a Workspace, Refusal> {
        state.workspace(&self.key).ok_or_else(gone)
    }

    /// The same, to change it.
    pub(crate) fn workspace_mut<'a>(
        &self,
        state: &'a mut State,
    ) -> Result<&'a mut Workspace, Refusal> {
        state.workspace_mut(&self.key).ok_or_else(gone)
    }
}

fn gone() -> Refusal {
    Refusal::history(StatusCode::NOT_FOUND, "UserError", "Workspace not found")
}

/// The refusal of an address that the data plane does not have.
pub(crate) fn no_route(call: &Call) -> Refusal {
    Refusal::history(
        StatusCode::NOT_FOUND,
        "UserError",
        format!("No such route: {} {}", call.method, call.raw_path),
    )
}

/// Who calls, as records name them.
pub(crate) fn caller(call: &Call) -> String {
    call.identity
        .claims()
        .map(|claims| claims.client_id.clone())
        .unwrap_or_default()
}
