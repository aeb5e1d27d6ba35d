//! What an identity may do at a resource, as Resource Manager itself lists it: the actions of all its roles there and above,
//! with stars and exceptions. To ask changes nothing, so it answers for actions that change something too.
//!
//! From the operation "Permissions - List For Resource" of `Microsoft.Authorization` (2022-04-01). An action is allowed where one
//! entry of the list has it and does not except it; another entry's exceptions take nothing away.

use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::Value;

use super::arm;
use super::connection::Connection;
use super::pager;
use crate::Error;
use crate::permission::{AUTHORIZATION, Action, Plane};

const API_VERSION: &str = "2022-04-01";
/// A list with more entries is taken for one without end.
const ENTRIES_MAX: usize = 10_000;

/// What is held at one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held(Vec<Entry>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    actions: Vec<String>,
    not_actions: Vec<String>,
    data_actions: Vec<String>,
    not_data_actions: Vec<String>,
}

impl Held {
    /// Whether an action is allowed.
    pub fn allows(&self, action: &Action) -> bool {
        self.0.iter().any(|entry| entry.allows(action))
    }
}

impl Entry {
    fn allows(&self, action: &Action) -> bool {
        let (has, excepts) = match action.plane() {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, action.name()));
        any(has) && !any(excepts)
    }
}

/// Whether a pattern means a name. A `*` stands for any text, slashes too; letter case means nothing.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

impl Connection {
    /// What this connection's identity may do at a resource, given by its ARM id: one list.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where it may not even ask, [`Error::NotFound`] where the resource is not there, [`Error::Name`] for
    /// what is no ARM id.
    pub async fn held(&self, arm_id: &str) -> Result<Held, Error> {
        let below = ["providers", AUTHORIZATION, "permissions"];
        let parts = arm_id.split('/').skip(usize::from(arm_id.starts_with('/')));
        let url = arm::url(self, parts.chain(below), &[], API_VERSION)?;
        let pages = pager::pages(self, url);
        futures::pin_mut!(pages);
        let mut entries = Vec::new();
        while let Some(page) = pages.try_next().await? {
            let read = page.values.into_iter().map(entry);
            entries.extend(read.take(ENTRIES_MAX - entries.len()));
        }
        Ok(Held(entries))
    }
}

/// An entry; what is none allows nothing.
fn entry(value: Value) -> Entry {
    serde_json::from_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(entries: Value) -> Held {
        let entries = entries.as_array().cloned().unwrap_or_default();
        Held(entries.into_iter().map(entry).collect())
    }

    #[test]
    fn a_star_stands_for_any_text_and_letter_case_means_nothing() {
        for (pattern, name, expected) in [
            ("*", "a/b/read", true),
            ("a/b/read", "A/B/Read", true),
            ("a/b/read", "a/b/reader", false),
            ("a/*", "a/b/read", true),
            ("*/read", "a/b/read", true),
            ("*/read", "a/read/write", false),
            ("a/*/c/*/read", "a/b/c/d/read", true),
            ("a/*/c/*/read", "a/c/read", false),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_exception_takes_away_from_its_own_entry_alone() {
        let read = Action::of_workspace("models/versions", "read");
        let write = Action::of_workspace("models/versions", "write");
        let contributor = json!({"actions": ["*"], "notActions": ["*/write"]});
        let one = held(json!([contributor]));
        assert!(one.allows(&read) && !one.allows(&write));
        let also = json!({"actions": ["Microsoft.MachineLearningServices/workspaces/models/*"]});
        let two = held(json!([contributor, also]));
        assert!(two.allows(&read) && two.allows(&write));
        assert!(!held(json!([])).allows(&read));
    }

    #[test]
    fn a_data_action_is_not_among_the_others() {
        let blobs = Action::of_blobs("write");
        assert!(!held(json!([{"actions": ["*"]}])).allows(&blobs));
        assert!(held(json!([{"dataActions": ["*"]}])).allows(&blobs));
        let excepted =
            json!([{"dataActions": ["*"], "notDataActions": ["Microsoft.Storage/*/write"]}]);
        assert!(!held(excepted).allows(&blobs));
    }

    #[test]
    fn an_entry_that_is_none_allows_nothing() {
        let read = Action::of_workspace("", "read");
        assert!(!held(json!([7, {"actions": "*"}, null, {}])).allows(&read));
    }
}
