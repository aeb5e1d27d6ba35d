//! JSON read strictly: a duplicate key is an error, numbers keep every digit that was written.
//!
//! Of a number only the spelling of its exponent is made uniform (`1E5` becomes `1e+5`), as serde_json does everywhere.
//!
//! Two readers of a document with a duplicate key may see two different documents; what is kept for years must have one
//! meaning.

use std::collections::HashSet;

use serde_json::Value;

/// Why a text is no JSON that is taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON (RFC 8259), or nested deeper than 127 levels.
    #[error("Not JSON")]
    Syntax(#[source] serde_json::Error),
    /// An object has a key twice.
    #[error("The key `{0}` stands twice in one object")]
    Duplicate(String),
}

/// Reads a JSON text.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let value: Value = serde_json::from_slice(text).map_err(JsonError::Syntax)?;
    refuse_duplicates(text)?;
    Ok(value)
}

/// Walks over a text that is known to be JSON and looks at the keys of each object alone.
fn refuse_duplicates(text: &[u8]) -> Result<(), JsonError> {
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let mut key_next = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' => {
                open.push(Some(HashSet::new()));
                key_next = true;
            }
            b'[' => {
                open.push(None);
                key_next = false;
            }
            b'}' | b']' => {
                open.pop();
                key_next = false;
            }
            b',' => key_next = matches!(open.last(), Some(Some(_))),
            b'"' => {
                let end = string_end(text, at);
                if key_next && let Some(Some(keys)) = open.last_mut() {
                    let raw = text.get(at..end).unwrap_or_default();
                    let key: String = serde_json::from_slice(raw).map_err(JsonError::Syntax)?;
                    if !keys.insert(key.clone()) {
                        return Err(JsonError::Duplicate(key));
                    }
                }
                key_next = false;
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Just behind the quote that closes the string whose opening quote is at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_they_were_written() {
        for text in ["1.10", "1e+400", "123456789012345678901234567890", "-0.0"] {
            assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_duplicate_key_is_refused_however_it_is_written() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"a":{},"\u0061":2}]}"#,
            r#"[{"":1,"b":"}","":2}]"#,
        ] {
            assert!(
                matches!(parse(text.as_bytes()), Err(JsonError::Duplicate(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn the_same_key_in_different_objects_is_fine() {
        let text = r#"{"a":{"a":[{"a":1},{"a":"\"a\":,{"}]},"b":["a","a"]}"#;
        assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let text = "[".repeat(100_000);
        assert!(matches!(parse(text.as_bytes()), Err(JsonError::Syntax(_))));
    }
}
