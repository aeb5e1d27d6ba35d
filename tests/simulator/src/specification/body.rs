//! One call held against its operation: parameters, both bodies, the status, and that nothing unknown is lost.

use http::Method;
use serde_json::Value;

use super::documents::{At, Documents};
use super::operation::Operation;
use super::schema::{Checker, Found, Side};
use crate::call::{Call, Service};
use crate::reply::Reply;

/// What is wrong with a call, and which properties the specification does not know.
pub(super) fn check(
    documents: &Documents,
    operation: &Operation,
    call: &Call,
    reply: &Reply,
) -> Found {
    let mut found = Found::default();
    let Some((own, path)) = operation.in_file(documents) else {
        return found;
    };
    let refused = reply.status.is_client_error() || reply.status.is_server_error();
    let mut schema = None;
    for parameter in parameters(documents, own).chain(parameters(documents, path)) {
        let text = |name: &str| parameter.value.get(name).and_then(Value::as_str);
        if text("in") == Some("body") {
            schema = parameter.value.get("schema").map(|value| At {
                file: parameter.file,
                value,
            });
        } else if !refused {
            found.wrong.extend(of_parameter(parameter, call));
        }
    }
    let json = matches!(call.service, Service::Arm | Service::Data);
    if let Some(schema) = schema.filter(|_| json && !refused) {
        let sent: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let mut checker = Checker {
            documents,
            side: Side::Request,
            found: Found::default(),
        };
        checker.check(schema, &sent, "");
        merge(&mut found, checker.found, "request");
        if call.method == Method::PUT {
            let back = reply.body_json();
            let lost: Vec<String> = found
                .unknown
                .iter()
                .filter(|place| sent.pointer(place).is_some_and(|value| !value.is_null()))
                .filter(|place| !back.is_null() && back.pointer(place).is_none())
                .map(|place| format!("request: {place} is unknown and was not kept"))
                .collect();
            found.wrong.extend(lost);
        }
    }
    of_answer(documents, own, reply, json, &mut found);
    found
}

fn merge(into: &mut Found, from: Found, side: &str) {
    let wrong = from.wrong.into_iter();
    into.wrong
        .extend(wrong.map(|wrong| format!("{side}: {wrong}")));
    into.unknown.extend(from.unknown);
}

fn parameters<'a>(documents: &'a Documents, at: At<'a>) -> impl Iterator<Item = At<'a>> {
    let list = at.value.get("parameters").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(move |value| {
        documents.follow(At {
            file: at.file,
            value,
        })
    })
}

fn of_parameter(parameter: At<'_>, call: &Call) -> Option<String> {
    let text = |name: &str| parameter.value.get(name).and_then(Value::as_str);
    let name = text("name")?;
    let sent = match text("in")? {
        "query" => call.query.get(name).map(str::to_owned),
        // The length of a body is known here without its header.
        "header" if name.eq_ignore_ascii_case("content-length") => return None,
        "header" => call.header(name).map(str::to_owned),
        _ => return None,
    };
    let required = parameter.value.get("required").and_then(Value::as_bool) == Some(true);
    let Some(sent) = sent else {
        return required
            .then(|| format!("request: the parameter {name} is required and not there"));
    };
    let open = parameter
        .value
        .pointer("/x-ms-enum/modelAsString")
        .and_then(Value::as_bool);
    let words = parameter.value.get("enum").and_then(Value::as_array);
    let known = words.is_none_or(|words| {
        words
            .iter()
            .filter_map(Value::as_str)
            .any(|word| word.eq_ignore_ascii_case(&sent))
    });
    let number = text("type") != Some("integer") || sent.parse::<i64>().is_ok();
    // An api-version is of the family, and another one than the published.
    let versioned = name == "api-version" || name == "x-ms-version";
    match (known || open == Some(true) || versioned, number) {
        (true, true) => None,
        _ => Some(format!("request: the parameter {name} is `{sent}`")),
    }
}

fn of_answer(documents: &Documents, own: At<'_>, reply: &Reply, json: bool, found: &mut Found) {
    let status = reply.status.as_u16().to_string();
    let Some(responses) = own.value.get("responses") else {
        return;
    };
    let Some(response) = responses.get(&status).or_else(|| {
        let default = responses.get("default");
        default.filter(|_| !reply.status.is_success())
    }) else {
        if reply.status.is_success() {
            found
                .wrong
                .push(format!("answer: the status {status} is not among its own"));
        }
        return;
    };
    let at = At {
        file: own.file,
        value: response,
    };
    let Some(at) = documents.follow(at) else {
        return;
    };
    let schema = at.value.get("schema").map(|value| At {
        file: at.file,
        value,
    });
    if let Some(schema) = schema.filter(|_| json) {
        let mut checker = Checker {
            documents,
            side: Side::Answer,
            found: Found::default(),
        };
        let body = reply.body_json();
        if body.is_null() {
            found.wrong.push(format!("answer: {status} has no body"));
        }
        checker.check(schema, &body, "");
        let wrong = checker.found.wrong;
        merge(
            found,
            Found {
                wrong,
                unknown: Vec::new(),
            },
            "answer",
        );
    }
}
