//! GET of an item, and lists.

use http::StatusCode;
use serde_json::Value;

use super::collection::View;
use super::place::Place;
use super::{bad_request, ok, page, render};
use crate::call::{Call, Service};
use crate::clock::later;
use crate::documents::{Documents, Resource};
use crate::reply::{Answer, Refusal};
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// GET of one item.
pub(crate) fn one(
    call: &Call,
    state: &State,
    key: &WorkspaceKey,
    place: &Place,
    name: &str,
) -> Answer {
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let found = match workspace.documents.get(&place.collection, name) {
        // The SDK asks for a component's default version by this name (seen from azure-ai-ml 1.35.2).
        None if name == "azureml_default" => workspace.documents.list(&place.collection).pop(),
        found => found,
    };
    let resource = found.ok_or_else(|| not_found(place, name))?;
    ok(&render::resource(
        workspace,
        place,
        resource,
        &state.cloud,
        call.now,
    ))
}

/// The refusal of an item that is not there.
pub(crate) fn not_found(place: &Place, name: &str) -> Refusal {
    let text = format!(
        "Could not find asset with ID: {}/{name} of type {}.",
        place.collection,
        place.resource_type()
    );
    let code = if place.row.tracked {
        "ResourceNotFound"
    } else {
        "UserError"
    };
    Refusal::arm(StatusCode::NOT_FOUND, code, text)
}

/// A page of a collection.
pub(crate) fn list(call: &Call, state: &State, key: &WorkspaceKey, place: &Place) -> Answer {
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    if let Some((collection, name)) = place.parent()
        && workspace.documents.get(&collection, &name).is_none()
        && call.query.get("hash").is_none()
        && call.service != Service::Data
    {
        // Codes are asked for by content before they exist, and the front of registries shows none of what is not there:
        // azure-ai-ml 1.35.2 takes any other answer for a failure. The rest is an error.
        return Err(not_found(&render::place_of(&collection), &name));
    }
    let mut rows = match call.query.get("hash") {
        Some(hash) if place.is(&["codes", "versions"]) => codes_by_hash(&workspace.documents, hash),
        _ => of_collection(&workspace.documents, &place.collection),
    };
    let view = view(call, place.row.view)?;
    let hidden_container = place.parent().is_some_and(|(collection, name)| {
        workspace
            .documents
            .get(&collection, &name)
            .is_some_and(Resource::is_archived)
    });
    rows.retain(|(_, resource)| view.shows(workspace, place, resource, hidden_container));
    if !call.lag.is_zero() {
        rows.retain(|(_, resource)| later(resource.created, call.lag) <= call.now);
    }
    order(call, place, &mut rows)?;
    let most = [call.query.number("$top"), count(call, place)]
        .into_iter()
        .flatten()
        .min();
    page::answer(call, state, &rows, most, |(at, resource)| {
        render::resource(workspace, at, resource, &state.cloud, call.now)
    })
}

fn count(call: &Call, place: &Place) -> Option<usize> {
    let default = place.is(&["datastores"]).then_some(30);
    call.query.number("count").or(default)
}

fn of_collection<'a>(documents: &'a Documents, collection: &str) -> Vec<(Place, &'a Resource)> {
    let place = render::place_of(collection);
    documents
        .list(collection)
        .into_iter()
        .map(|resource| (place.clone(), resource))
        .collect()
}

/// Code versions of any name whose content has that hash.
fn codes_by_hash<'a>(documents: &'a Documents, hash: &str) -> Vec<(Place, &'a Resource)> {
    let of_codes = documents
        .collections()
        .filter(|(path, _)| path.starts_with("codes/"));
    let with_place = of_codes.flat_map(|(path, of)| {
        of.values()
            .map(move |resource| (render::place_of(path), resource))
    });
    let matching = with_place.filter(|(_, resource)| {
        let bag = resource
            .properties()
            .and_then(|properties| properties.get("properties"));
        bag.and_then(|bag| bag.get("hash_sha256"))
            .and_then(Value::as_str)
            == Some(hash)
    });
    matching.collect()
}

/// Which rows a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    All,
    Archived(bool),
    Enabled(bool),
}

impl Shown {
    fn shows(
        self,
        workspace: &crate::workspace::Workspace,
        place: &Place,
        resource: &Resource,
        hidden: bool,
    ) -> bool {
        match self {
            Self::All => true,
            Self::Archived(wanted) => {
                let run = place
                    .is(&["jobs"])
                    .then(|| workspace.history.run(&resource.name))
                    .flatten();
                let archived = run.map_or_else(|| resource.is_archived(), |run| run.hidden);
                (archived || hidden) == wanted
            }
            Self::Enabled(wanted) => {
                let enabled = resource
                    .properties()
                    .and_then(|p| p.get("isEnabled"))
                    .and_then(Value::as_bool);
                enabled.unwrap_or(true) == wanted
            }
        }
    }
}

fn view(call: &Call, view: View) -> Result<Shown, Refusal> {
    let asked = call
        .query
        .get("listViewType")
        .unwrap_or_default()
        .to_lowercase();
    let shown = match (view, asked.as_str()) {
        (View::All, _) | (_, "all") => Shown::All,
        (View::Archived, "" | "activeonly") => Shown::Archived(false),
        (View::Archived, "archivedonly") => Shown::Archived(true),
        (View::Enabled, "" | "enabledonly") => Shown::Enabled(true),
        (View::Enabled, "disabledonly") => Shown::Enabled(false),
        _ => {
            return Err(bad_request(
                "UserError",
                format!("The value '{asked}' of listViewType is not valid."),
            ));
        }
    };
    Ok(shown)
}

fn order(call: &Call, place: &Place, rows: &mut [(Place, &Resource)]) -> Result<(), Refusal> {
    let asked = call
        .query
        .get("$orderBy")
        .unwrap_or_default()
        .to_lowercase();
    let mut words = asked.split_whitespace();
    let by = words.next();
    let descending = match words.next() {
        None => by.is_none() && place.row.newest_first,
        Some("asc") => false,
        Some("desc") => true,
        Some(other) => return Err(bad_request("UserError", format!("'{other}' is no order."))),
    };
    match by {
        None | Some("createdtime" | "createdat") => {
            rows.sort_by_key(|(_, resource)| resource.sequence)
        }
        Some("modifiedtime" | "updatedat") => {
            rows.sort_by_key(|(_, resource)| (resource.modified, resource.sequence))
        }
        Some("name") => rows.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name)),
        Some(other) => {
            return Err(bad_request(
                "UserError",
                format!("Lists are not ordered by '{other}'."),
            ));
        }
    }
    if descending {
        rows.reverse();
    }
    Ok(())
}
