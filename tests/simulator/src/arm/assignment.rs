//! Assignments of roles at a workspace: what `Microsoft.Authorization` lists there, those of the groups above included.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{bad_request, method_not_allowed, no_workspace, page};
use crate::call::Call;
use crate::gate;
use crate::reply::{Answer, Refusal};
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// Versions that `Microsoft.Authorization` knows for assignments.
const KNOWN: [&str; 3] = ["2022-04-01", "2020-04-01-preview", "2015-07-01"];

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Its name, a guid.
    pub name: String,
    /// The ARM id of the role's definition.
    pub role: String,
    /// The object id of who has the role.
    pub principal: String,
    /// `User`, `Group` or `ServicePrincipal`.
    pub sort: String,
    /// Where it was made: the workspace, or something above it.
    pub scope: String,
}

/// Whether a call below a workspace is one about assignments.
pub(crate) fn is_meant(rest: &[String]) -> bool {
    let parts: Vec<String> = rest.iter().map(|part| part.to_lowercase()).collect();
    parts.len() >= 3
        && parts[0] == "providers"
        && parts[1] == "microsoft.authorization"
        && parts[2] == "roleassignments"
}

/// Refuses a call with an api-version that is not known here.
pub(crate) fn check(call: &Call) -> Result<(), Refusal> {
    let version = call.query.get("api-version").unwrap_or_default();
    if KNOWN.contains(&version) {
        return Ok(());
    }
    Err(bad_request(
        "NoRegisteredProviderFound",
        format!("No registered resource provider found for api-version '{version}'."),
    ))
}

/// A page of the assignments, or one of them.
pub(crate) fn handle(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    rest: &[String],
) -> Answer {
    if call.method != Method::GET {
        return Err(method_not_allowed(call));
    }
    let action = "Microsoft.Authorization/roleAssignments/read";
    gate::demand(call, state, action, call.raw_path.as_str())?;
    let workspace = state.workspace(key).ok_or_else(|| no_workspace(call))?;
    let rows: Vec<&RoleAssignment> = workspace.assignments.iter().collect();
    match rest.get(3) {
        None => page::answer(call, state, &rows, None, |row| show(row)),
        Some(name) => match rows.iter().find(|row| row.name.eq_ignore_ascii_case(name)) {
            Some(row) => super::ok(&show(row)),
            None => Err(Refusal::arm(
                StatusCode::NOT_FOUND,
                "RoleAssignmentNotFound",
                format!("The role assignment '{name}' is not found."),
            )),
        },
    }
}

fn show(row: &RoleAssignment) -> Value {
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", row.scope, row.name),
        "name": row.name, "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": row.role, "principalId": row.principal, "principalType": row.sort,
            "scope": row.scope, "condition": null, "conditionVersion": null,
            "createdOn": "2024-03-01T09:00:00.0000000Z", "updatedOn": "2024-03-01T09:00:00.0000000Z",
            "createdBy": row.principal, "updatedBy": row.principal, "description": null,
        },
    })
}
