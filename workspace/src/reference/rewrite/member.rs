//! The names of members. A few are references, such as those of `userAssignedIdentities`, which are whole ARM ids; most are
//! names of inputs, outputs, steps and tags, and stay.

use serde_json::{Map, Value};

use super::{Walk, is_passed_over};
use crate::Reference;

const TAKEN: &str = "another member has the name that it would get";

impl Walk<'_> {
    /// The members of an object, under their names in the target. None takes the place of another.
    pub(super) fn members(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        let mut written = Map::new();
        for (name, member) in members {
            self.at.push(name.as_str());
            let to = self.name(name, |to| {
                members.contains_key(to) || written.contains_key(to)
            });
            let member = self.value(member);
            written.insert(to, member);
            self.at.pop();
        }
        written
    }

    /// What the name of the member becomes that stands here.
    fn name(&mut self, name: &str, is_taken: impl Fn(&str) -> bool) -> String {
        let reference = match is_passed_over(self.kind, &self.at) {
            true => None,
            false => Reference::parse(name),
        };
        let Some(reference) = reference else {
            self.mention(name);
            return name.to_owned();
        };
        let outcome = self.rewriter.map(&reference);
        let (to, left) = if outcome.text != name && is_taken(&outcome.text) {
            (name.to_owned(), Some(TAKEN))
        } else {
            (outcome.text, outcome.left)
        };
        self.note(name, &to, left);
        to
    }
}
