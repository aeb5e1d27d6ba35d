//! A row of the loss report: what will not be as it was, said before anything is changed.

use archive_format::GapEntry;
use serde::{Deserialize, Serialize};
use workspace::ItemId;

use crate::Action;

/// One thing about one item that a restore cannot, or by its rules does not, bring back as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The item of the snapshot.
    pub item: ItemId,
    /// What is done with the item.
    pub action: Action,
    /// What is lost or different: a field's JSON pointer, or a few words.
    pub what: String,
    /// Why.
    pub reason: String,
    /// What stands in its place, or what to do; empty where there is nothing.
    pub substitute: String,
}

impl Loss {
    /// A row about an item.
    pub fn new(
        item: &ItemId,
        action: Action,
        what: impl Into<String>,
        reason: impl Into<String>,
        substitute: impl Into<String>,
    ) -> Self {
        Self {
            item: item.clone(),
            action,
            what: what.into(),
            reason: reason.into(),
            substitute: substitute.into(),
        }
    }

    /// A row about a kind that the snapshot could not take as it should: items of it may be missing.
    pub(crate) fn of_kind(kind: &ItemId, gap: &GapEntry) -> Self {
        Self::new(
            kind,
            Action::Impossible,
            "items of the kind",
            format!("the snapshot may lack some or all of them: {}", gap.reason),
            "an older snapshot may have them",
        )
    }
}
