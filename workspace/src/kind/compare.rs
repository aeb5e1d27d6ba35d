//! Whether two documents of a kind say the same, and what the body of a PUT is.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Kind;
use crate::ItemId;
use crate::pointer::{Pointer, without};
use crate::reference::Reference;

/// A field in which two documents differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// JSON pointer.
    pub pointer: String,
    /// What the first document says; `None` where it says nothing.
    pub left: Option<Value>,
    /// What the second says.
    pub right: Option<Value>,
}

impl Kind {
    /// The fields in which two documents of an item differ, without what only the service writes and what changes by
    /// itself. An absent member and `null` say the same, and so do an empty object and an absent one, `1` and `1.0`, and
    /// two spellings of one reference: services answer with either.
    pub fn differences(&self, id: &ItemId, left: &Value, right: &Value) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut ignored = self.read_only_of(id).to_vec();
        ignored.extend(self.volatile);
        let walk = Compare {
            kind: self,
            ignored: &ignored,
        };
        walk.compare(&mut Pointer::root(), Some(left), Some(right), &mut found);
        found
    }

    /// Whether an item read again is the item of before: like [`Kind::differences`], but read-only fields count, since
    /// a job's status is one.
    pub fn is_unchanged(&self, before: &Value, now: &Value) -> bool {
        if self.volatile.is_empty() {
            return before == now;
        }
        without(before, self.volatile) == without(now, self.volatile)
    }

    /// The body of a PUT: without read-only fields and without nulls, except in untyped JSON.
    pub fn body(&self, id: &ItemId, value: &Value) -> Value {
        let mut body = without(value, self.read_only_of(id));
        drop_nulls(&mut body, &mut Pointer::root(), self.untyped);
        body
    }
}

fn drop_nulls(value: &mut Value, at: &mut Pointer, kept: &[&str]) {
    if at.matches_any(kept) {
        return;
    }
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (name, member) in members {
                at.push(name.as_str());
                drop_nulls(member, at, kept);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                at.push(index.to_string());
                drop_nulls(item, at, kept);
                at.pop();
            }
        }
        _ => {}
    }
}

struct Compare<'a> {
    kind: &'a Kind,
    ignored: &'a [&'a str],
}

impl Compare<'_> {
    fn compare(
        &self,
        at: &mut Pointer,
        left: Option<&Value>,
        right: Option<&Value>,
        found: &mut Vec<Difference>,
    ) {
        if !at.parts().is_empty() && at.matches_any(self.ignored) {
            return;
        }
        match (said(left), said(right)) {
            (None, None) => {}
            (Some(Value::Object(one)), Some(Value::Object(two))) => {
                self.members(at, one, two, found);
            }
            (Some(Value::Object(one)), None) => self.members(at, one, &Map::new(), found),
            (None, Some(Value::Object(two))) => self.members(at, &Map::new(), two, found),
            (Some(Value::Array(one)), Some(Value::Array(two))) if one.len() == two.len() => {
                for (index, (one, two)) in one.iter().zip(two).enumerate() {
                    at.push(index.to_string());
                    self.compare(at, Some(one), Some(two), found);
                    at.pop();
                }
            }
            (Some(one), Some(two)) if self.same(at, one, two) => {}
            (one, two) => found.push(Difference {
                pointer: at.to_string(),
                left: one.cloned(),
                right: two.cloned(),
            }),
        }
    }

    fn members(
        &self,
        at: &mut Pointer,
        one: &Map<String, Value>,
        two: &Map<String, Value>,
        found: &mut Vec<Difference>,
    ) {
        let only_two = two.keys().filter(|name| !one.contains_key(*name));
        for name in one.keys().chain(only_two) {
            at.push(name.as_str());
            self.compare(at, one.get(name), two.get(name), found);
            at.pop();
        }
    }

    fn same(&self, at: &Pointer, one: &Value, two: &Value) -> bool {
        match (one, two) {
            (Value::Number(one), Value::Number(two)) => {
                one == two || number(&one.to_string()) == number(&two.to_string())
            }
            (Value::String(one), Value::String(two)) if one != two => {
                !at.matches_any(self.kind.free_text)
                    && Reference::parse(one)
                        .zip(Reference::parse(two))
                        .is_some_and(|(one, two)| one.is_same_as(&two))
            }
            _ => one == two,
        }
    }
}

/// Null and nothing say the same.
fn said(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// A number without what does not change it: the zeros after its point, and the point. Numbers with an exponent stay as
/// written.
fn number(text: &str) -> Cow<'_, str> {
    if text.contains('.') && !text.contains(['e', 'E']) {
        Cow::Owned(text.trim_end_matches('0').trim_end_matches('.').to_owned())
    } else {
        Cow::Borrowed(text)
    }
}
