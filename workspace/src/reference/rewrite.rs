//! Rewriting a whole document, and finding the references in one. Every string is looked at, at any depth; what stands in
//! free text, in fields that only the service writes, or is no reference as a whole is byte-equal afterwards. The names of
//! members are looked at like strings.

use serde_json::Value;

use super::rewriter::mapped_text;
use super::{Form, Reference, Rewriter, Slot, StoreName};
use crate::kind::BareName;
use crate::pointer::{Pointer, each_name, each_string};
use crate::{ItemId, Kind};

mod member;
mod region;

/// A string that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// JSON pointer; of a member whose name was changed, the one that it had.
    pub pointer: String,
    /// What stood there.
    pub from: String,
    /// What stands there now.
    pub to: String,
}

/// A string that was not changed and that mentions a name of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// JSON pointer; of a member whose name mentions the source, the member's.
    pub pointer: String,
    /// The text.
    pub text: String,
    /// Which of the source's names it mentions.
    pub names: Vec<String>,
}

/// A reference that still leads to the source, since nothing in the target takes the place of what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// JSON pointer.
    pub pointer: String,
    /// What stands there now.
    pub text: String,
    /// Why.
    pub reason: &'static str,
}

/// A document after rewriting.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewritten {
    /// The document.
    pub value: Value,
    /// What was changed.
    pub changed: Vec<Change>,
    /// What merely mentions the source.
    pub mentions: Vec<Mention>,
    /// What still leads to the source.
    pub left: Vec<Left>,
}

/// Rewrites the references of a document of a kind.
pub fn rewrite(kind: &Kind, value: &Value, rewriter: &Rewriter) -> Rewritten {
    let mut walk = Walk {
        kind,
        rewriter,
        names: rewriter.source_names(),
        at: Pointer::root(),
        changed: Vec::new(),
        mentions: Vec::new(),
        left: Vec::new(),
    };
    let mut value = walk.value(value);
    walk.store(&mut value);
    walk.region(&mut value);
    Rewritten {
        value,
        changed: walk.changed,
        mentions: walk.mentions,
        left: walk.left,
    }
}

/// Every reference of a document with its JSON pointer, bare names of things that must exist included; first the strings,
/// then the names of members.
pub fn references(kind: &Kind, value: &Value) -> Vec<(String, Reference)> {
    let mut found = Vec::new();
    each_string(value, &mut |at, text| {
        if is_passed_over(kind, at) {
            return;
        }
        let reference = Reference::parse_in(text, at.field()).or_else(|| {
            let bare = bare_name(kind, at, text).filter(|bare| bare.must_exist)?;
            Some(Reference::bare(text, bare.kinds.first()?))
        });
        if let Some(reference) = reference {
            found.push((at.to_string(), reference));
        }
    });
    each_name(value, &mut |at, name| {
        if !is_passed_over(kind, at)
            && let Some(reference) = Reference::parse(name)
        {
            found.push((at.to_string(), reference));
        }
    });
    found
}

/// Whether a string is free text or the service's own.
fn is_passed_over(kind: &Kind, at: &Pointer) -> bool {
    at.matches_any(kind.free_text) || is_read_only(kind, at)
}

fn is_read_only(kind: &Kind, at: &Pointer) -> bool {
    kind.read_only
        .iter()
        .any(|pattern| at.is_below_or_at(pattern))
}

fn bare_name<'k>(kind: &'k Kind, at: &Pointer, text: &str) -> Option<&'k BareName> {
    kind.bare_names
        .iter()
        .find(|bare| at.matches(bare.at))
        .filter(|bare| !text.is_empty() && !text.contains("${{") && !bare.except.contains(&text))
}

struct Walk<'a> {
    kind: &'a Kind,
    rewriter: &'a Rewriter,
    names: Vec<String>,
    at: Pointer,
    changed: Vec<Change>,
    mentions: Vec<Mention>,
    left: Vec<Left>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Object(members) => Value::Object(self.members(members)),
            Value::Array(items) => {
                let mut written = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.at.push(index.to_string());
                    written.push(self.value(item));
                    self.at.pop();
                }
                Value::Array(written)
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        if is_read_only(self.kind, &self.at) {
            return text.to_owned();
        }
        if self.at.matches_any(self.kind.free_text) {
            self.mention(text);
            return text.to_owned();
        }
        let (to, left) = match Reference::parse_in(text, self.at.field()) {
            Some(reference) => {
                let outcome = self.rewriter.map(&reference);
                (outcome.text, outcome.left)
            }
            None => self.bare(text),
        };
        self.note(text, &to, left);
        to
    }

    /// Notes what became of a text that stands here.
    fn note(&mut self, from: &str, to: &str, left: Option<&'static str>) {
        match left {
            Some(reason) => self.left.push(Left {
                pointer: self.at.to_string(),
                text: to.to_owned(),
                reason,
            }),
            None => self.mention(to),
        }
        if to != from {
            self.changed.push(Change {
                pointer: self.at.to_string(),
                from: from.to_owned(),
                to: to.to_owned(),
            });
        }
    }

    /// A string that is no reference by itself; its field may say that it is a name.
    fn bare(&self, text: &str) -> (String, Option<&'static str>) {
        let Some(bare) = bare_name(self.kind, &self.at, text) else {
            return (text.to_owned(), None);
        };
        for kind in bare.kinds {
            let from = ItemId::new(*kind, text);
            let to = self.rewriter.map_item(&from);
            if to != from {
                return (to.name, None);
            }
        }
        let lost = bare.kinds.contains(&"jobs")
            && !self.rewriter.stays()
            && self.rewriter.run_of(text).is_none();
        (text.to_owned(), lost.then_some("the job was not restored"))
    }

    fn mention(&mut self, text: &str) {
        if is_read_only(self.kind, &self.at) {
            return;
        }
        let names: Vec<String> = self
            .names
            .iter()
            .filter(|name| mentions(text, name))
            .cloned()
            .collect();
        if !names.is_empty() {
            self.mentions.push(Mention {
                pointer: self.at.to_string(),
                text: text.to_owned(),
                names,
            });
        }
    }

    /// The fields of a document that names a store by account and container.
    fn store(&mut self, value: &mut Value) {
        let Some(fields) = self.kind.store else {
            return;
        };
        let text = |value: &Value, pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let container = fields
            .containers
            .iter()
            .find_map(|pointer| Some((*pointer, text(value, pointer)?)));
        let (Some(account), Some((pointer, container))) = (text(value, fields.account), container)
        else {
            return;
        };
        if let Some(to) = self.rewriter.map_store(&StoreName { account, container }) {
            self.put(value, fields.account, to.account);
            self.put(value, pointer, to.container);
        }
        for (pointer, slot) in [
            (fields.subscription, Slot::Subscription),
            (fields.resource_group, Slot::ResourceGroup),
        ] {
            let to = text(value, pointer).and_then(|own| self.rewriter.mapped_scope(slot, &own));
            if let Some(to) = to {
                self.put(value, pointer, to);
            }
        }
    }

    fn put(&mut self, value: &mut Value, pointer: &str, to: String) {
        let Some(Value::String(place)) = value.pointer_mut(pointer) else {
            return;
        };
        if *place != to {
            let from = std::mem::replace(place, to.clone());
            self.mentions.retain(|mention| mention.pointer != pointer);
            self.changed.push(Change {
                pointer: pointer.to_owned(),
                from,
                to,
            });
        }
    }
}

/// Whether a text holds a name, in any letter case, that is no part of a longer word.
fn mentions(text: &str, name: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let whole = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    };
    text.match_indices(name).any(|(at, _)| whole(at))
}

impl Rewriter {
    /// The names of the source in lower case by which a text mentions it, without those that the target has too.
    fn source_names(&self) -> Vec<String> {
        [
            Slot::Subscription,
            Slot::Workspace,
            Slot::WorkspaceGuid,
            Slot::Account,
        ]
        .into_iter()
        .filter_map(|slot| {
            let from = mapped_text(&self.source, slot)?.to_ascii_lowercase();
            let same =
                mapped_text(&self.target, slot).is_some_and(|to| to.eq_ignore_ascii_case(&from));
            (!same && !from.is_empty()).then_some(from)
        })
        .collect()
    }

    /// The names of the source that a text mentions, in lower case: for text that is in no document, such as the tags of
    /// a run.
    pub fn mentioned_in(&self, text: &str) -> Vec<String> {
        let mut names = self.source_names();
        names.retain(|name| mentions(text, name));
        names
    }
}

impl Reference {
    /// A name that only its field says is one.
    fn bare(name: &str, kind: &'static str) -> Self {
        Self {
            form: Form::Bare,
            parts: vec![super::Part {
                slot: Slot::Name,
                text: name.to_owned(),
            }],
            assumed: Some(kind),
        }
    }
}
