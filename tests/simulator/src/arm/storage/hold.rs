//! Legal hold of a container: tags that somebody sets and takes away.

use serde_json::{Value, json};

use super::container::store_mut;
use super::{Place, refused};
use crate::arm::{bad_request, ok};
use crate::blob::Hold;
use crate::call::Call;
use crate::clock::iso;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// The most tags that a container may have.
const TAGS_MOST: usize = 10;

/// The tags of a call: three to 23 letters and digits each, in lower case.
fn tags(call: &Call) -> Result<Vec<String>, Refusal> {
    let body = call.json()?;
    let tags = body.get("tags").and_then(Value::as_array);
    let tags = tags.into_iter().flatten().filter_map(Value::as_str);
    let tags: Vec<String> = tags.map(str::to_lowercase).collect();
    let fits = |tag: &String| {
        (3..=23).contains(&tag.len()) && tag.chars().all(|it| it.is_ascii_alphanumeric())
    };
    if tags.is_empty() || !tags.iter().all(fits) {
        return Err(bad_request(
            "InvalidLegalHoldTag",
            "A legal hold tag must be 3 to 23 alphanumeric characters.",
        ));
    }
    Ok(tags)
}

/// `POST …/setLegalHold`: adds tags. Those that are there stay as they were.
pub(super) fn set(call: &Call, state: &mut State, place: &Place) -> Answer {
    let tags = tags(call)?;
    let by = object_id(call);
    change(call, state, place, |holds| {
        for tag in tags {
            if holds.iter().all(|held| held.tag != tag) {
                let (at, by) = (call.now, by.clone());
                holds.push(Hold { tag, at, by });
            }
        }
    })
}

/// `POST …/clearLegalHold`: takes tags away.
pub(super) fn clear(call: &Call, state: &mut State, place: &Place) -> Answer {
    let tags = tags(call)?;
    change(call, state, place, |holds| {
        holds.retain(|held| !tags.contains(&held.tag));
    })
}

fn change(
    call: &Call,
    state: &mut State,
    place: &Place,
    change: impl FnOnce(&mut Vec<Hold>),
) -> Answer {
    let blobs = store_mut(state, place)?;
    let container = blobs
        .container(&place.container)
        .map_err(|error| refused(&error))?;
    let mut holds = container.worm.holds.clone();
    if container.worm.of_versions {
        return Err(super::conflict(
            "ContainerLegalHoldNotSupported",
            "A container with immutable storage with versioning has holds of single blobs alone.",
        ));
    }
    change(&mut holds);
    if holds.len() > TAGS_MOST {
        return Err(bad_request(
            "TooManyLegalHoldTags",
            "A container can have ten legal hold tags.",
        ));
    }
    let tags: Vec<&str> = holds.iter().map(|held| held.tag.as_str()).collect();
    let body = json!({"hasLegalHold": !tags.is_empty(), "tags": tags});
    let changed = blobs.touch(&place.container, call.now, |it| it.worm.holds = holds);
    changed.map_err(|error| refused(&error))?;
    ok(&body)
}

/// Object id of the caller.
pub(super) fn object_id(call: &Call) -> String {
    let claims = call.identity.claims();
    claims
        .map(|claims| claims.object_id.clone())
        .unwrap_or_default()
}

/// The hold within a container's document.
pub(super) fn within_container(holds: &[Hold], tenant: &str) -> Value {
    let tags = holds.iter().map(|held| {
        json!({"tag": held.tag, "timestamp": iso(held.at), "objectIdentifier": held.by, "tenantId": tenant})
    });
    json!({"hasLegalHold": true, "tags": tags.collect::<Vec<_>>()})
}
