//! Canonical JSON: keys in RFC 8785's order, no spaces, numbers as they were written; and a strict reader for it.
//!
//! RFC 8785 would also write every number anew as an ECMAScript double. That would change what a service returned, so
//! numbers stay as they are.

mod parse;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Reads JSON strictly: one value, no duplicate key, nothing but white space around it, at most `limit` bytes, at most
/// 128 levels. `what` names it in errors.
pub fn parse(bytes: &[u8], limit: usize, what: &str) -> Result<Value, Error> {
    if bytes.len() > limit {
        return Err(Error::Limit {
            what: what.to_owned(),
            limit: limit as u64,
            found: bytes.len() as u64,
        });
    }
    parse::parse(bytes).map_err(|error| Error::Json {
        what: what.to_owned(),
        reason: error.to_string(),
    })
}

/// The canonical text of a value.
pub fn canonical(value: &Value) -> Vec<u8> {
    canonical_of_about(value, 512)
}

fn canonical_of_about(value: &Value, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    write::write(value, &mut out);
    out
}

/// The canonical text of a record.
pub(crate) fn to_canonical(record: &impl Serialize, what: &str) -> Result<Vec<u8>, Error> {
    let value = serde_json::to_value(record).map_err(|error| Error::Json {
        what: what.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(canonical(&value))
}

/// Reads a record that was written canonically, and refuses any other spelling of it.
pub(crate) fn from_canonical<T: DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
    what: &str,
) -> Result<T, Error> {
    from_value(parse_canonical(bytes, limit, what)?, what)
}

/// Reads a value that was written canonically, and refuses any other spelling of it.
pub(crate) fn parse_canonical(bytes: &[u8], limit: usize, what: &str) -> Result<Value, Error> {
    let value = parse(bytes, limit, what)?;
    if canonical_of_about(&value, bytes.len()) == bytes {
        return Ok(value);
    }
    Err(Error::Json {
        what: what.to_owned(),
        reason: "it is not in canonical form".to_owned(),
    })
}

/// The record that a value is.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, Error> {
    let refused = |reason: String| Error::Json {
        what: what.to_owned(),
        reason,
    };
    if has_private_key(&value) {
        let reason = "a member has a name that means nothing here";
        return Err(refused(reason.to_owned()));
    }
    serde_json::from_value(value).map_err(|error| refused(error.to_string()))
}

/// serde_json passes numbers and raw text between its own types in objects with such a key, and takes any object with one
/// for these: its text would be read as JSON once more, past the limit of levels.
fn has_private_key(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_private_key),
        Value::Object(members) => members.iter().any(|(key, value)| {
            key.starts_with("$serde_json::private::") || has_private_key(value)
        }),
        _ => false,
    }
}

/// What a record's signature covers: all members but itself, those too that a later version wrote, and what is put in
/// front of them.
pub(crate) fn signed_bytes(context: &[u8], mut record: Value) -> Vec<u8> {
    if let Some(members) = record.as_object_mut() {
        members.remove("signature");
    }
    [context, &canonical(&record)].concat()
}

#[cfg(test)]
mod tests;
