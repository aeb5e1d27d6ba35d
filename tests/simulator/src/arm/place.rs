//! Where below a workspace a call points: a collection, an item, or an action on one.

use super::collection::{Collection, canonical, row};

/// A parsed ARM path below a workspace.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The row that rules it.
    pub(crate) row: &'static Collection,
    /// Collection names in canonical letter case: `["models", "versions"]`.
    pub(crate) kind: Vec<String>,
    /// The collection's path: `models/churn/versions`.
    pub(crate) collection: String,
    /// The item's name; `None` for the collection itself.
    pub(crate) name: Option<String>,
    /// What a POST wants done.
    pub(crate) action: Option<String>,
}

impl Place {
    /// Parses segments after the workspace. `posts` says that the last one is an action. `None` for the workspace itself.
    pub(crate) fn parse(segments: &[String], posts: bool) -> Option<Self> {
        let (segments, action) = match segments.split_last() {
            Some((last, head)) if posts => (head, Some(last.clone())),
            _ => (segments, None),
        };
        let mut kind: Vec<String> = Vec::new();
        let mut collection = String::new();
        let mut name = None;
        for pair in segments.chunks(2) {
            if let Some(above) = name.take() {
                collection = format!("{collection}/{above}/");
            }
            let above: Vec<&str> = kind.iter().map(String::as_str).collect();
            let next = canonical(&above, pair.first()?);
            collection.push_str(&next);
            kind.push(next);
            name = pair.get(1).cloned();
        }
        if kind.is_empty() {
            return None;
        }
        let path: Vec<&str> = kind.iter().map(String::as_str).collect();
        Some(Self {
            row: row(&path),
            kind,
            collection,
            name,
            action,
        })
    }

    /// The resource type: `Microsoft.MachineLearningServices/workspaces/models/versions`.
    pub(crate) fn resource_type(&self) -> String {
        format!("{}/workspaces/{}", crate::PROVIDER, self.kind.join("/"))
    }

    /// The place of the container of a version, or of the endpoint of a deployment: `("models", "churn")`.
    pub(crate) fn parent(&self) -> Option<(String, String)> {
        let (head, _) = self.collection.rsplit_once('/')?;
        let (collection, name) = head.rsplit_once('/')?;
        Some((collection.to_owned(), name.to_owned()))
    }

    /// Whether it is of that kind.
    pub(crate) fn is(&self, kind: &[&str]) -> bool {
        self.kind == kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, posts: bool) -> Option<Place> {
        let segments: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        Place::parse(&segments, posts)
    }

    #[test]
    fn collection_names_get_their_own_case_and_items_keep_theirs() {
        let found = place("MODELS/Churn/Versions/1", false).map(|place| {
            (
                place.collection.clone(),
                place.name.clone(),
                place.resource_type(),
                place.parent(),
            )
        });
        let parent = Some(("models".to_owned(), "Churn".to_owned()));
        let kind = "Microsoft.MachineLearningServices/workspaces/models/versions".to_owned();
        assert_eq!(
            found,
            Some((
                "models/Churn/versions".to_owned(),
                Some("1".to_owned()),
                kind,
                parent
            ))
        );
    }

    #[test]
    fn post_ends_in_its_action() {
        let found =
            place("datastores/ds/listSecrets", true).map(|place| (place.name, place.action));
        assert_eq!(
            found,
            Some((Some("ds".to_owned()), Some("listSecrets".to_owned())))
        );
        assert!(place("", false).is_none());
    }
}
