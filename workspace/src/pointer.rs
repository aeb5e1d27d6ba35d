//! JSON pointers (RFC 6901) and patterns of them, by which the table of kinds names fields of documents.
//!
//! A pattern is a pointer in which `*` stands for any one part and `**` for any number of parts, none included. It
//! never changes a document by itself; the callers decide what a matching field means.

use serde_json::Value;

/// The parts of a pointer, unescaped: where one stands while walking a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads pointer text; `None` where it neither is empty nor starts with `/`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::root());
        }
        let parts = text.strip_prefix('/')?.split('/');
        Some(Self(
            parts
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect(),
        ))
    }

    /// Goes one level down.
    pub fn push(&mut self, part: impl Into<String>) {
        self.0.push(part.into());
    }

    /// Goes one level up.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The unescaped parts.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// The last part, such as `codeId`; list indices are passed over, so that the items of `entities` are `entities`.
    pub fn field(&self) -> &str {
        self.0
            .iter()
            .rev()
            .find(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or("", String::as_str)
    }

    /// Whether a pattern names exactly this place.
    pub fn matches(&self, pattern: &str) -> bool {
        let pattern: Vec<&str> = pattern
            .strip_prefix('/')
            .unwrap_or(pattern)
            .split('/')
            .collect();
        parts_match(&pattern, &self.0)
    }

    /// Whether a pattern names this place or one above it.
    pub fn is_below_or_at(&self, pattern: &str) -> bool {
        (1..=self.0.len()).any(|length| {
            let pattern: Vec<&str> = pattern
                .strip_prefix('/')
                .unwrap_or(pattern)
                .split('/')
                .collect();
            parts_match(&pattern, &self.0[..length])
        })
    }

    /// Whether one of several patterns names exactly this place.
    pub fn matches_any(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.matches(pattern))
    }
}

/// Writes the escaped text, such as `/properties/tags/a~1b`.
impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

/// Patterns have at most a few `**`, so the plain recursion stays small whatever the document.
fn parts_match(pattern: &[&str], parts: &[String]) -> bool {
    match pattern.split_first() {
        None => parts.is_empty(),
        Some((&"**", rest)) => {
            rest.is_empty() || (0..=parts.len()).any(|skip| parts_match(rest, &parts[skip..]))
        }
        Some((&first, rest)) => parts.split_first().is_some_and(|(part, below)| {
            (first == "*" || first == part.as_str()) && parts_match(rest, below)
        }),
    }
}

/// A copy of a document without the fields that the patterns name.
pub fn without(value: &Value, patterns: &[&str]) -> Value {
    fn walk(value: &Value, at: &mut Pointer, patterns: &[&str]) -> Value {
        match value {
            Value::Object(members) => {
                let mut kept = serde_json::Map::new();
                for (name, member) in members {
                    at.push(name.as_str());
                    if !at.matches_any(patterns) {
                        kept.insert(name.clone(), walk(member, at, patterns));
                    }
                    at.pop();
                }
                Value::Object(kept)
            }
            Value::Array(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    at.push(index.to_string());
                    kept.push(walk(item, at, patterns));
                    at.pop();
                }
                Value::Array(kept)
            }
            other => other.clone(),
        }
    }
    walk(value, &mut Pointer::root(), patterns)
}

/// What a walk over a document meets.
enum Met<'d> {
    /// The name of a member.
    Name(&'d str),
    /// A string.
    Text(&'d str),
}

/// Calls `visit` with every name and every string of a document and where it stands, in the document's order.
fn walk(value: &Value, at: &mut Pointer, visit: &mut dyn FnMut(&Pointer, Met<'_>)) {
    match value {
        Value::String(text) => visit(at, Met::Text(text)),
        Value::Object(members) => {
            for (name, member) in members {
                at.push(name.as_str());
                visit(at, Met::Name(name));
                walk(member, at, visit);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push(index.to_string());
                walk(item, at, visit);
                at.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls `visit` with every string of a document and where it stands, in the document's order.
pub fn each_string(value: &Value, visit: &mut dyn FnMut(&Pointer, &str)) {
    walk(value, &mut Pointer::root(), &mut |at, met| {
        if let Met::Text(text) = met {
            visit(at, text);
        }
    });
}

/// Calls `visit` with the name of every member of a document and where it stands, in the document's order.
pub fn each_name(value: &Value, visit: &mut dyn FnMut(&Pointer, &str)) {
    walk(value, &mut Pointer::root(), &mut |at, met| {
        if let Met::Name(name) = met {
            visit(at, name);
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Pointer {
        Pointer::parse(text).unwrap_or_default()
    }

    #[test]
    fn a_star_stands_for_one_part_and_two_for_any_number() {
        assert!(at("/properties/inputs/a/uri").matches("/properties/inputs/*/uri"));
        assert!(!at("/properties/inputs/a/b/uri").matches("/properties/inputs/*/uri"));
        assert!(at("/properties/command").matches("/properties/**/command"));
        assert!(at("/properties/jobs/a/trial/command").matches("/properties/**/command"));
        assert!(!at("/properties/inputs/command/uri").matches("/properties/**/command"));
        assert!(at("/properties/tags/team/x").matches("/properties/tags/**"));
        assert!(!at("/properties/tagsy").matches("/properties/tags/**"));
    }

    #[test]
    fn parts_with_slashes_and_tildes_are_escaped() {
        let mut pointer = Pointer::root();
        pointer.push("a/b~c");
        assert_eq!(pointer.to_string(), "/a~1b~0c");
        assert_eq!(Pointer::parse("/a~1b~0c"), Some(pointer));
    }

    #[test]
    fn the_field_of_a_list_item_is_the_lists_name() {
        assert_eq!(at("/properties/entities/0").field(), "entities");
        assert_eq!(Pointer::root().field(), "");
    }

    #[test]
    fn fields_are_left_out_by_pattern_and_the_rest_stays() {
        let value = json!({"id": 1, "properties": {"a": [{"status": 1, "b": 2}], "status": 3}});
        assert_eq!(
            without(&value, &["/id", "/properties/a/*/status"]),
            json!({"properties": {"a": [{"b": 2}], "status": 3}})
        );
    }
}
