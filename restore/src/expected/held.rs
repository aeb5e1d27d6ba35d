//! Fields that are written with another value at first, and what they get later: from a person, or from the restore itself
//! once that is there which they name.

use serde_json::Value;
use workspace::kind::{HeldBack, Until};
use workspace::reference::Rewriter;
use workspace::{ItemId, Kind};

use super::{Given, Shaping};
use crate::Action;
use crate::manual::Chore;

/// A field that is written last, with the value that it gets then.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Last {
    /// The field.
    pub(crate) field: &'static HeldBack,
    /// The value until then.
    first: Value,
    /// The value in the end.
    pub(crate) value: Value,
    /// The items of the target that it names.
    pub(crate) names: Vec<ItemId>,
}

impl Last {
    /// What a field of an item becomes: what it names goes by its name in the target.
    fn new(
        field: &'static HeldBack,
        first: Value,
        was: Value,
        (kind, id): (&'static Kind, &ItemId),
        rewriter: &Rewriter,
    ) -> Self {
        let mut names = Vec::new();
        let mut mapped = |name: String| -> String {
            let Some((below, _)) = kind.below().next() else {
                return name;
            };
            let own = ItemId::new(below.name, format!("{}/{name}", id.name));
            let to = rewriter.map_item(&own);
            let name = to.nested().map_or(name, |(_, _, name)| name.to_owned());
            names.push(to);
            name
        };
        let value = match was {
            Value::Object(members) => members
                .into_iter()
                .map(|(name, share)| (mapped(name), share))
                .collect(),
            Value::String(name) => Value::String(mapped(name)),
            other => other,
        };
        Self {
            field,
            first,
            value,
            names,
        }
    }

    /// Whether a document has it.
    pub(crate) fn is_in(&self, document: &Value) -> bool {
        document.pointer(self.field.pointer) == Some(&self.value)
    }

    /// Whether nobody has set the field of a document. A service may name each deployment with a share of nothing.
    pub(crate) fn is_unset_in(&self, document: &Value) -> bool {
        match document.pointer(self.field.pointer) {
            None | Some(Value::Null) => true,
            Some(Value::Object(shares)) => shares.values().all(|share| share.as_f64() == Some(0.0)),
            Some(other) => *other == self.first,
        }
    }

    /// Writes it into a document.
    pub(crate) fn put_in(&self, document: &mut Value) {
        if let Some(place) = document.pointer_mut(self.field.pointer) {
            *place = self.value.clone();
        }
    }
}

impl Shaping<'_> {
    /// Fields that are written with another value at first, such as a schedule's `isEnabled`.
    pub(super) fn hold_back(&mut self, value: &mut Value, given: &Given<'_>) {
        for held in self.kind.held_back {
            let Ok(first) = serde_json::from_str::<Value>(held.value) else {
                continue;
            };
            let Some(place) = value.pointer_mut(held.pointer) else {
                continue;
            };
            if *place == first || place.is_null() {
                continue;
            }
            let was = std::mem::replace(place, first.clone());
            self.ignored.push(held.pointer.to_owned());
            if held.until == Until::Below {
                let item = (self.kind, self.id);
                self.last
                    .push(Last::new(held, first, was, item, given.rewriter));
                continue;
            }
            self.chores.push(Chore::HeldBack(held.by_hand));
            self.row(
                Action::Create,
                held.pointer,
                held.reason,
                format!(
                    "written as {}; set it to {was} when the target is ready",
                    held.value
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use workspace::Identity;

    use super::*;

    const TRAFFIC: HeldBack = HeldBack {
        pointer: "/properties/traffic",
        value: "{}",
        reason: "",
        until: Until::Below,
        by_hand: "update",
    };

    #[test]
    fn shares_go_by_the_names_of_the_target_and_nothing_is_no_share() {
        let folder = Identity::Folder("/x".into());
        let mut rewriter = Rewriter::new(folder.clone(), folder);
        let below = |name: &str| ItemId::new("onlineDeployments", name);
        rewriter.renamed(below("ep/green"), below("ep/olive"));
        let (kind, id) = (
            Kind::find("onlineEndpoints").unwrap_or_else(|| panic!("the row")),
            ItemId::new("onlineEndpoints", "ep"),
        );
        let was = json!({"blue": 90, "green": 10});
        let last = Last::new(&TRAFFIC, json!({}), was, (kind, &id), &rewriter);
        assert_eq!(last.value, json!({"blue": 90, "olive": 10}));
        assert_eq!(last.names, [below("ep/blue"), below("ep/olive")]);
        let with = |traffic: Value| json!({"properties": {"traffic": traffic}});
        for unset in [json!({}), json!(null), json!({"blue": 0, "olive": 0})] {
            assert!(last.is_unset_in(&with(unset.clone())), "{unset}");
        }
        assert!(!last.is_unset_in(&with(json!({"blue": 1}))));
        let mut document = with(json!({}));
        assert!(!last.is_in(&document));
        last.put_in(&mut document);
        assert!(last.is_in(&document));
    }
}
