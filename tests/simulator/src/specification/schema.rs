//! Whether a JSON value is as a schema of OpenAPI 2.0 says, as Azure writes them: discriminators, read-only members, open
//! enumerations (`modelAsString`), `x-nullable`.
//!
//! It is no JSON Schema, whose checkers know none of these. Patterns are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::documents::{At, Documents};

/// Values nest no deeper than this.
const DEPTH_MAX: usize = 40;

/// Which way a body went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// To the service.
    Request,
    /// From it.
    Answer,
}

/// What was found in one body.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) wrong: Vec<String>,
    /// JSON pointers of members that no schema knows.
    pub(super) unknown: Vec<String>,
}

/// A schema with all that it is made from laid flat.
#[derive(Debug, Default)]
struct Flat<'a> {
    members: BTreeMap<&'a str, At<'a>>,
    required: BTreeSet<&'a str>,
    others: Option<At<'a>>,
    /// Whether members are named at all: a schema without is open.
    named: bool,
}

/// Holds values against schemas.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    pub(super) documents: &'a Documents,
    pub(super) side: Side,
    pub(super) found: Found,
}

impl<'a> Checker<'a> {
    /// Checks one value; `place` is its JSON pointer.
    pub(super) fn check(&mut self, schema: At<'a>, value: &Value, place: &str) {
        if place.matches('/').count() > DEPTH_MAX {
            return;
        }
        let Some(schema) = self.documents.follow(schema) else {
            return;
        };
        let typed = schema.value.get("type").and_then(Value::as_str);
        match (typed, value) {
            // A member that is null stands for one that is not there.
            (_, Value::Null) => {}
            (Some("string"), Value::String(text)) => self.text(schema, text, place),
            (Some("integer"), Value::Number(number)) if !number.is_f64() => {}
            (Some("number"), Value::Number(_)) | (Some("boolean"), Value::Bool(_)) => {}
            (Some("array"), Value::Array(items)) => {
                let file = schema.file;
                let of = schema.value.get("items").map(|value| At { file, value });
                for (at, item) in items.iter().enumerate() {
                    if let Some(of) = of {
                        self.check(of, item, &format!("{place}/{at}"));
                    }
                }
            }
            (Some("object") | None, Value::Object(_)) => self.object(schema, value, place),
            (None, _) => {}
            (Some(typed), value) => {
                let wrong = format!("{} is {}, not {typed}", shown(place), sort(value));
                self.found.wrong.push(wrong);
            }
        }
    }

    fn text(&mut self, schema: At<'_>, text: &str, place: &str) {
        let open = schema
            .value
            .pointer("/x-ms-enum/modelAsString")
            .and_then(Value::as_bool);
        if let Some(words) = schema.value.get("enum").and_then(Value::as_array)
            && open != Some(true)
            && !words.iter().any(|word| word.as_str() == Some(text))
        {
            let wrong = format!("{} is `{text}`, none of its words", shown(place));
            self.found.wrong.push(wrong);
        }
        let format = schema.value.get("format").and_then(Value::as_str);
        let good = match format {
            Some("date-time") => is_time(text),
            Some("duration") => text.starts_with('P') || text.starts_with("-P"),
            _ => true,
        };
        if !good {
            let format = format.unwrap_or_default();
            let wrong = format!("{} is no {format}: `{text}`", shown(place));
            self.found.wrong.push(wrong);
        }
        let least = schema.value.get("minLength").and_then(Value::as_u64);
        if least.is_some_and(|least| (text.chars().count() as u64) < least) {
            self.found
                .wrong
                .push(format!("{} is too short", shown(place)));
        }
    }

    fn object(&mut self, schema: At<'a>, value: &Value, place: &str) {
        let mut flat = Flat::default();
        self.flatten(schema, value, true, &mut flat);
        let Some(members) = value.as_object() else {
            return;
        };
        for name in &flat.required {
            let there = members.get(*name).is_some_and(|value| !value.is_null());
            let expected = flat.members.get(name).is_none_or(|at| self.crosses(*at));
            if !there && expected {
                let wrong = format!("{}/{name} is required and not there", named(place));
                self.found.wrong.push(wrong);
            }
        }
        for (name, value) in members {
            let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
            match (flat.members.get(name.as_str()), flat.others) {
                (Some(member), _) => self.check(*member, value, &place),
                (None, Some(others)) => self.check(others, value, &place),
                (None, None) if flat.named => self.found.unknown.push(place),
                (None, None) => {}
            }
        }
    }

    /// Whether a member goes the way that this body went.
    fn crosses(&self, member: At<'_>) -> bool {
        let flag = |name: &str| member.value.get(name).and_then(Value::as_bool) == Some(true);
        let mutability = member
            .value
            .get("x-ms-mutability")
            .and_then(Value::as_array);
        let may = |way: &str| {
            mutability.is_none_or(|ways| ways.iter().any(|one| one.as_str() == Some(way)))
        };
        match self.side {
            Side::Request => !flag("readOnly") && (may("create") || may("update")),
            Side::Answer => !flag("x-ms-secret") && may("read"),
        }
    }

    fn flatten(&self, schema: At<'a>, value: &Value, dispatch: bool, flat: &mut Flat<'a>) {
        let Some(schema) = self.documents.follow(schema) else {
            return;
        };
        let file = schema.file;
        let within = |value: &'a Value| At { file, value };
        if let Some(members) = schema.value.get("properties").and_then(Value::as_object) {
            flat.named = true;
            for (name, member) in members {
                flat.members.insert(name, within(member));
            }
        }
        if let Some(required) = schema.value.get("required").and_then(Value::as_array) {
            flat.required
                .extend(required.iter().filter_map(Value::as_str));
        }
        match schema.value.get("additionalProperties") {
            Some(others @ Value::Object(_)) => flat.others = Some(within(others)),
            Some(Value::Bool(true)) => flat.named = false,
            _ => {}
        }
        let parts = schema.value.get("allOf").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            self.flatten(within(part), value, false, flat);
        }
        let tag = schema
            .value
            .get("discriminator")
            .and_then(Value::as_str)
            .and_then(|name| value.get(name)?.as_str());
        if let Some(tag) = tag.filter(|_| dispatch)
            && let Some(derived) = self.documents.definition(schema, tag)
            && !std::ptr::eq(derived.value, schema.value)
        {
            self.flatten(derived, value, false, flat);
        }
    }
}

/// RFC 3339, or the same without an offset, as schedules and run history have it.
fn is_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || format!("{text}Z").parse::<Timestamp>().is_ok()
}

fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn shown(place: &str) -> String {
    match place {
        "" => "the body".to_owned(),
        place => named(place),
    }
}

/// A place with the names of maps and the numbers of lists taken out, so that findings can be counted.
fn named(place: &str) -> String {
    let parts = place.split('/').map(|part| {
        let number = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if number { "*" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}
