//! Two documents, field by field: which JSON pointers differ.

use std::fmt;

use archive_format::{ItemDifference, SnapshotReader};
use serde_json::{Value, json};

use super::read;
use crate::failure::Failure;

/// How long a value is shown.
const SHOWN_MAX: usize = 120;

/// A document with the fields that differ.
#[derive(Debug)]
pub(super) struct Document {
    /// Its form.
    pub(super) form: String,
    /// The fields.
    pub(super) fields: Vec<Field>,
}

/// A field that differs.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pointer: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl Field {
    /// The field as JSON: a side that lacks it is left out.
    pub(super) fn value(&self) -> Value {
        let mut row = json!({ "pointer": self.pointer });
        for (side, value) in [("before", &self.before), ("after", &self.after)] {
            if let Some(value) = value {
                row[side] = value.clone();
            }
        }
        row
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() {
            "(all)"
        } else {
            &self.pointer
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                write!(f, "~ {pointer}: {} → {}", short(before), short(after))
            }
            (Some(before), None) => write!(f, "- {pointer}: {}", short(before)),
            (None, after) => write!(
                f,
                "+ {pointer}: {}",
                after.as_ref().map(short).unwrap_or_default()
            ),
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}

/// Reads the documents of a difference, and compares them.
pub(super) async fn of(
    before: &SnapshotReader,
    after: &SnapshotReader,
    found: &ItemDifference,
) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for document in &found.documents {
        let left = read(before, document.before.as_ref()).await?;
        let right = read(after, document.after.as_ref()).await?;
        let mut fields = Vec::new();
        compare(
            "",
            Some(&left).filter(|_| document.before.is_some()),
            Some(&right).filter(|_| document.after.is_some()),
            &mut fields,
        );
        documents.push(Document {
            form: document.form.clone(),
            fields,
        });
    }
    Ok(documents)
}

/// Goes down where both sides have an object, or arrays of one length; anything else is one field.
fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Field>) {
    match (before, after) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                compare(
                    &format!("{pointer}/{escaped}"),
                    left.get(name),
                    right.get(name),
                    found,
                );
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) if left.len() == right.len() => {
            for (place, (left, right)) in left.iter().zip(right).enumerate() {
                compare(
                    &format!("{pointer}/{place}"),
                    Some(left),
                    Some(right),
                    found,
                );
            }
        }
        (before, after) if before != after => found.push(Field {
            pointer: pointer.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_that_differ_are_told_each_by_its_pointer() {
        let before = json!({"a": 1, "b": {"c/d": [1, 2], "gone": null}, "same": [{"x": 1}]});
        let after = json!({"a": 1.0, "b": {"c/d": [1, 3], "new": true}, "same": [{"x": 1}]});
        let mut found = Vec::new();
        compare("", Some(&before), Some(&after), &mut found);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "~ /a: 1 → 1.0",
                "~ /b/c~1d/1: 2 → 3",
                "- /b/gone: null",
                "+ /b/new: true"
            ]
        );
        assert_eq!(
            found[2].value(),
            json!({"pointer": "/b/gone", "before": null})
        );
    }
}
