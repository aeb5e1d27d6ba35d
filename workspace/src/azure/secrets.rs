//! The credentials of an item, which no document carries: a POST asks for them.

use azure_core::http::{Context, Method, Request};
use secrecy::SecretString;
use serde_json::Value;

use super::arm::{Arm, item_parts};
use super::connection::Access;
use crate::{Error, Kind, Listed, Secret};

/// Members of the answer that only say what sort it is.
const NOT_SECRET: &[&str] = &["secretsType", "credentialsType"];

/// Asks for the credentials of an item, each by the pointer where it would stand in the document.
pub(crate) async fn of(arm: &Arm, item: &Listed) -> Result<Vec<Secret>, Error> {
    let Some((kind, secrets)) =
        Kind::find(&item.id.kind).and_then(|kind| kind.secrets.map(|secrets| (kind, secrets)))
    else {
        return Ok(Vec::new());
    };
    let document = item.document.as_ref();
    if document.is_some_and(|document| !(secrets.has_any)(&document.value)) {
        return Ok(Vec::new());
    }
    let mut parts = item_parts(kind, &item.id)?;
    parts.push(secrets.operation.to_owned());
    let answer = loop {
        let version = arm.version(kind)?;
        let url = arm.url(parts.iter().map(String::as_str), &[], version)?;
        let mut request = Request::new(url, Method::Post);
        request.insert_header("accept", "application/json");
        let answer = arm.connection.send(Access::Token, Context::new(), request);
        match answer.await {
            Err(error) if arm.tries_older(kind, version, &error) => {}
            answer => break answer?,
        }
    };
    // The body is secret as a whole: it must not stand in an error.
    let Ok(mut whole) = crate::json::parse(&answer.body) else {
        return Err(answer.unusable("it is no JSON"));
    };
    let members = match whole.pointer_mut(secrets.answer).map(Value::take) {
        Some(Value::Object(members)) => members,
        // The item has none after all.
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(_) => return Err(answer.unusable("its credentials are no JSON object")),
    };
    Ok(members
        .into_iter()
        .filter(|(name, value)| !NOT_SECRET.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| Secret {
            pointer: format!("{}/{}", secrets.pointer, escaped(&name)),
            value: SecretString::from(value.to_string()),
        })
        .collect())
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
