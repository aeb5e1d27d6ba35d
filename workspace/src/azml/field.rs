//! Tables of fields, and the walk over a document by them. A member that no table names is listed as left out.

use serde_json::{Map, Value};

use super::{Given, LeftOut, Unmapped, word};
use crate::pointer::Pointer;

/// What a member of an object becomes.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Its name in the document. Documents that lie in untyped parts have the same name in snake case.
    from: &'static str,
    /// Its name in the YAML.
    to: &'static str,
    how: How,
}

/// How a value becomes the YAML's.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// As it is.
    Same,
    /// Members of the object, as members of the one above.
    Inline(&'static [Field]),
    /// An object.
    Object(&'static [Field]),
    /// A list, or an object with names of the user's, of objects.
    Each(&'static [Field]),
    /// A word, or a list of words.
    Word(&'static [(&'static str, &'static str)]),
    /// An ISO 8601 duration as a number of units of so many milliseconds.
    Duration(u64),
    /// By a function. `None`: nothing is written.
    By(fn(&Value, &mut Walk<'_>) -> Option<Value>),
    /// A list, or an object with names of the user's, each by a function.
    EachBy(fn(&Value, &mut Walk<'_>) -> Option<Value>),
    /// Said elsewhere in the YAML, or by the service alone.
    Known,
    /// The value, as JSON text, that means nothing; any other is left out for this reason.
    Only(&'static str, &'static str),
    /// Left out for a reason.
    Left(&'static str),
}

pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const MINUTE_MS: u64 = 60_000;

/// The reason why most fields are left out.
pub(super) const NO_PLACE: &str = "the YAML schema has no place for it";

pub(super) const fn field(from: &'static str, to: &'static str, how: How) -> Field {
    Field { from, to, how }
}

/// A member that keeps its value.
pub(super) const fn same(from: &'static str, to: &'static str) -> Field {
    field(from, to, How::Same)
}

/// A member that is said elsewhere, or by the service alone.
pub(super) const fn known(from: &'static str) -> Field {
    field(from, "", How::Known)
}

/// The members of every resource of ARM; what the YAML says of it stands in its `properties`.
pub(super) const fn resource(properties: &'static [Field]) -> [Field; 5] {
    [
        known("id"),
        known("name"),
        known("type"),
        known("systemData"),
        field("properties", "", How::Inline(properties)),
    ]
}

/// The walk over one document.
pub(super) struct Walk<'a> {
    pub(super) given: &'a Given<'a>,
    /// Where the walk stands.
    pub(super) at: Pointer,
    /// The folder of the item whose parts are written, from the YAML's: empty, or `../../environments/e/1/`.
    pub(super) folder: String,
    /// Whether that item has files.
    pub(super) has_files: bool,
    pub(super) left: Vec<LeftOut>,
    /// Files that the YAML names beside it.
    pub(super) beside: Vec<(&'static str, String)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(given: &'a Given<'a>) -> Self {
        Self {
            given,
            at: Pointer::root(),
            folder: String::new(),
            has_files: !given.files.is_empty(),
            left: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// The whole document by a table, with what stands at the head of a YAML file.
    pub(super) fn whole(
        &mut self,
        schema: &str,
        fields: &'static [Field],
    ) -> Result<Map<String, Value>, Unmapped> {
        let Value::Object(members) = self.given.document else {
            return Err(Unmapped("its document is no object".to_owned()));
        };
        let mut out = self.object(members, fields);
        out.insert("$schema".to_owned(), schema_url(schema).into());
        out.entry("name")
            .or_insert_with(|| self.given.id.name.clone().into());
        if let Some(version) = &self.given.id.version {
            out.insert("version".to_owned(), version.clone().into());
        }
        Ok(out)
    }

    /// An object by a table.
    pub(super) fn object(
        &mut self,
        members: &Map<String, Value>,
        fields: &[Field],
    ) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, value) in members {
            self.at.push(name.as_str());
            let found = fields
                .iter()
                .find(|field| field.from == name || word::snake(field.from) == *name);
            match found {
                _ if is_nothing(value) => {}
                Some(Field {
                    how: How::Inline(inner),
                    ..
                }) => {
                    if let Value::Object(below) = value {
                        out.extend(self.object(below, inner));
                    } else {
                        self.leave(NO_PLACE);
                    }
                }
                Some(field) => {
                    if let Some(value) = self.value(value, field.how) {
                        out.insert(field.to.to_owned(), value);
                    }
                }
                None if self.is_read_only() => {}
                None => self.leave(NO_PLACE),
            }
            self.at.pop();
        }
        out
    }

    pub(super) fn value(&mut self, value: &Value, how: How) -> Option<Value> {
        match how {
            How::Same => Some(value.clone()),
            How::Inline(fields) | How::Object(fields) => match value {
                Value::Object(members) => {
                    let members = self.object(members, fields);
                    (!members.is_empty()).then_some(Value::Object(members))
                }
                _ => self.no_place(),
            },
            How::Each(fields) => {
                self.each(value, |walk, value| walk.value(value, How::Object(fields)))
            }
            How::EachBy(by) => self.each(value, |walk, value| by(value, walk)),
            How::Word(words) => match value {
                Value::String(text) => Some(word::word(text, words).into()),
                Value::Array(_) => {
                    self.each(value, |walk, value| walk.value(value, How::Word(words)))
                }
                other => Some(other.clone()),
            },
            How::Duration(unit_ms) => {
                match value.as_str().map(|text| word::duration(text, unit_ms)) {
                    Some(Some(number)) => Some(number),
                    Some(None) => self.no_place(),
                    None => Some(value.clone()),
                }
            }
            How::By(by) => by(value, self),
            How::Known => None,
            How::Only(nothing, reason) => {
                if serde_json::from_str(nothing).ok().as_ref() != Some(value) {
                    self.leave(reason);
                }
                None
            }
            How::Left(reason) => {
                self.leave(reason);
                None
            }
        }
    }

    fn each(
        &mut self,
        value: &Value,
        mut by: impl FnMut(&mut Self, &Value) -> Option<Value>,
    ) -> Option<Value> {
        match value {
            Value::Object(members) => {
                let mut out = Map::new();
                for (name, value) in members {
                    self.at.push(name.as_str());
                    if let Some(value) = by(self, value) {
                        out.insert(name.clone(), value);
                    }
                    self.at.pop();
                }
                let nothing = out.is_empty() && !members.is_empty();
                (!nothing).then_some(Value::Object(out))
            }
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (index, value) in items.iter().enumerate() {
                    self.at.push(index.to_string());
                    out.extend(by(self, value));
                    self.at.pop();
                }
                Some(Value::Array(out))
            }
            _ => self.no_place(),
        }
    }

    /// Does something that stands so many parts below where the walk stands.
    pub(super) fn below<T>(
        &mut self,
        parts: &[&'static str],
        does: impl FnOnce(&mut Self) -> T,
    ) -> T {
        parts.iter().for_each(|part| self.at.push(*part));
        let done = does(self);
        parts.iter().for_each(|_| self.at.pop());
        done
    }

    fn no_place(&mut self) -> Option<Value> {
        self.leave(NO_PLACE);
        None
    }

    /// Notes that what stands here is not in the YAML.
    pub(super) fn leave(&mut self, reason: &'static str) {
        self.left.push(LeftOut {
            pointer: self.at.to_string(),
            reason,
        });
    }

    fn is_read_only(&self) -> bool {
        self.at.matches_any(self.given.read_only)
    }
}

/// Nothing that a YAML would have to say.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Puts members, where there are any, into an object of their own below a name.
pub(super) fn gather(members: &mut Map<String, Value>, below: &str, names: &[&str]) {
    let inner: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), members.remove(*name)?)))
        .collect();
    if !inner.is_empty() {
        members.insert(below.to_owned(), Value::Object(inner));
    }
}

/// Where Microsoft publishes the schemas of `az ml`.
pub(super) fn schema_url(name: &str) -> String {
    format!("https://azuremlschemas.azureedge.net/latest/{name}.schema.json")
}

impl Field {
    /// The table of what stands below, where its members become members of the one above.
    pub(super) fn inline(&self) -> Option<&'static [Field]> {
        match self.how {
            How::Inline(fields) => Some(fields),
            _ => None,
        }
    }
}
