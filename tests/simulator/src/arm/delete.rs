//! DELETE of an item.

use http::StatusCode;

use super::bad_request;
use super::collection::Finish;
use super::operation::{self, Told};
use super::place::Place;
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// Takes an item out; 204 where there is none.
pub(crate) fn one(
    call: &Call,
    state: &mut State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
) -> Answer {
    if place.is(&["computes"])
        && !["delete", "detach"]
            .iter()
            .any(|how| call.query.is("underlyingResourceAction", how))
    {
        return Err(bad_request(
            "BadRequest",
            "The query parameter underlyingResourceAction must be Delete or Detach.",
        ));
    }
    let workspace = state
        .workspace_mut(key)
        .ok_or_else(|| super::no_workspace(call))?;
    if workspace
        .documents
        .remove(&place.collection, name)
        .is_none()
    {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    if place.is(&["jobs"]) {
        workspace.history.remove(name);
    }
    let (subscription, location) = (workspace.subscription.clone(), workspace.location.clone());
    match place.row.delete {
        Finish::Now => Ok(Reply::empty(StatusCode::OK)),
        Finish::Later(route) | Finish::Elsewhere(route) => {
            let reply = Reply::empty(StatusCode::ACCEPTED);
            let at = (subscription.as_str(), location.as_str(), route);
            Ok(operation::start(
                call,
                state,
                reply,
                at,
                Told::ByLocation,
                None,
            ))
        }
    }
}
