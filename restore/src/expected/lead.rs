//! What an item must lead to: the service makes none whose references of these fields lead nowhere.

use serde_json::Value;
use workspace::reference::references;
use workspace::{Identity, ItemId, Kind};

/// The items of the target that a document, as it is written there, must lead to.
pub(crate) fn must_lead(kind: &Kind, value: &Value, target: &Identity) -> Vec<ItemId> {
    if kind.must_lead.is_empty() {
        return Vec::new();
    }
    let found = references(kind, value).into_iter();
    let musts = found.filter(|(pointer, _)| kind.must_lead.contains(&pointer.as_str()));
    musts
        .filter_map(|(_, reference)| reference.item_in(target))
        .collect()
}
