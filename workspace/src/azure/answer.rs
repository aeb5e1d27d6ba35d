//! A service's answer, and the errors that answers mean.

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Method, RawResponse, Request};
use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::cloud::host_of;
use crate::error::{Cause, Refusal};
use crate::{Error, json};

const MESSAGE_CHARS_MAX: usize = 400;
/// How many details of an error are told.
const DETAILS_MAX: usize = 3;
const CODE_CHARS_MAX: usize = 80;

/// An answer: status, headers, the whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) act: String,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers
            .get_optional_str(&HeaderName::from_static(name))
    }

    /// The body as strict JSON.
    pub(crate) fn json(&self) -> Result<Value, Error> {
        json::parse(&self.body).map_err(|error| Error::Answer {
            act: self.act.clone(),
            reason: reason(&error),
        })
    }

    /// An answer that cannot be used.
    pub(crate) fn unusable(&self, reason: impl Into<String>) -> Error {
        Error::Answer {
            act: self.act.clone(),
            reason: reason.into(),
        }
    }

    /// The error of an answer that is no success.
    pub(crate) fn refusal(&self) -> Error {
        refused(refusal(
            self.act.clone(),
            self.status,
            &self.headers,
            &self.body,
        ))
    }
}

/// Method and address of a request, without the query.
pub(crate) fn act_of(request: &Request) -> String {
    act(request.method(), request.url())
}

/// Method and address, without the query.
pub(crate) fn act(method: Method, url: &Url) -> String {
    let method: &str = method.as_ref();
    format!("{method} {}", address(url))
}

/// An address without its query, fragment and user.
pub(crate) fn address(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host_of(url), url.path())
}

/// An error and its causes in one line.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// Whether storage refused to make something since it is there already. A lease, a policy that keeps what is there, a
/// container that is just going are conflicts as well, and say nothing of the kind. (Storage's error codes: the first two
/// answer `If-None-Match: *`.)
pub(crate) fn is_there_already(error: &Error) -> bool {
    const CODES: [&str; 4] = [
        "BlobAlreadyExists",
        "ConditionNotMet",
        "ContainerAlreadyExists",
        "ResourceAlreadyExists",
    ];
    matches!(error, Error::Conflict(refusal) if CODES.contains(&refusal.code.as_str()))
}

/// The error that azure_core's one stands for.
pub(crate) fn from_core(error: azure_core::Error, act: &str) -> Error {
    if let ErrorKind::HttpResponse {
        raw_response: Some(response),
        ..
    } = error.kind()
    {
        return from_response(response, act);
    }
    match error.into_downcast::<Error>() {
        Ok(own) => own,
        Err(error) => wrapped(error, act),
    }
}

/// An error of ours somewhere below the words of others, or else those words.
fn wrapped(error: azure_core::Error, act: &str) -> Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        match cause.downcast_ref::<Error>() {
            Some(Error::Unreachable { host, source }) => {
                return Error::Unreachable {
                    host: host.clone(),
                    source: source.to_string().into(),
                };
            }
            Some(Error::Broken { act, tries, source }) => {
                return Error::Broken {
                    act: act.clone(),
                    tries: *tries,
                    source: source.to_string().into(),
                };
            }
            Some(Error::Credential { credential, reason }) => {
                return Error::Credential {
                    credential: credential.clone(),
                    reason: reason.clone(),
                };
            }
            _ => next = cause.source(),
        }
    }
    Error::Answer {
        act: act.to_owned(),
        reason: shortened(&reason(&error), MESSAGE_CHARS_MAX),
    }
}

fn from_response(response: &RawResponse, act: &str) -> Error {
    refused(refusal(
        act.to_owned(),
        u16::from(response.status()),
        response.headers(),
        response.body().as_ref(),
    ))
}

fn refused(refusal: Refusal) -> Error {
    match refusal.status {
        401 | 403 => Error::Forbidden(refusal),
        404 => Error::NotFound(refusal),
        409 | 412 => Error::Conflict(refusal),
        400 | 422 => Error::Invalid(refusal),
        _ => Error::Refused(refusal),
    }
}

/// What an answer says about why: JSON of ARM, run history and MLflow, XML of storage, or headers alone.
fn refusal(act: String, status: u16, headers: &Headers, body: &[u8]) -> Refusal {
    let header = |name| headers.get_optional_str(&HeaderName::from_static(name));
    let (code, message) = said(body);
    let code = code.or_else(|| header("x-ms-error-code").map(str::to_owned));
    Refusal {
        act,
        status,
        code: shortened(&code.unwrap_or_default(), CODE_CHARS_MAX),
        message: shortened(&message.unwrap_or_default(), MESSAGE_CHARS_MAX),
        request_id: header("x-ms-request-id")
            .map(str::to_owned)
            .or_else(|| correlated(body))
            .map(|id| shortened(&id, CODE_CHARS_MAX))
            .filter(|id| !id.is_empty()),
    }
}

/// The id of the request in the body of run history's errors, which do not always have the header.
fn correlated(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let id = value.pointer("/correlation/request")?;
    id.as_str().map(str::to_owned)
}

fn said(body: &[u8]) -> (Option<String>, Option<String>) {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        return match value.get("error") {
            Some(error @ Value::Object(_)) => (text(error.get("code")), told(error)),
            Some(Value::String(code)) => (Some(code.clone()), text(value.get("error_description"))),
            _ => (
                text(value.get("error_code").or(value.get("code"))),
                text(value.get("message")),
            ),
        };
    }
    let text = String::from_utf8_lossy(body);
    (element(&text, "Code"), element(&text, "Message"))
}

/// The message of an ARM error, with what its `details` say besides (code and message of each).
pub(crate) fn told(error: &Value) -> Option<String> {
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
        shortened(text, MESSAGE_CHARS_MAX)
    };
    let mut told = text(error, "message");
    let details = error.get("details").and_then(Value::as_array);
    for detail in details.into_iter().flatten().take(DETAILS_MAX) {
        let (code, message) = (text(detail, "code"), text(detail, "message"));
        if !message.is_empty() && !told.contains(&message) {
            let colon = if code.is_empty() { "" } else { ": " };
            told = format!("{told} ({code}{colon}{message})");
        }
    }
    (!told.is_empty()).then_some(told)
}

/// The text of an XML element, which storage's error bodies have flat.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.to_owned())
}

/// One line of bounded length without control characters.
pub(crate) fn shortened(text: &str, chars: usize) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty());
    let line: String = line
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    match line.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// A cause that is only text.
pub(crate) fn cause(text: impl Into<String>) -> Cause {
    text.into().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_services_error_body_is_understood() {
        let cases: [(&str, &str, &str); 5] = [
            (
                r#"{"error":{"code":"BadRequest","message":"Not valid.","details":[{"code":"X","message":"The field a.\nMore"},{"code":"Y"}]}}"#,
                "BadRequest",
                "Not valid. (X: The field a.)",
            ),
            (
                r#"{"error":{"code":"AuthorizationFailed","message":"No.\nMore"}}"#,
                "AuthorizationFailed",
                "No.",
            ),
            (
                r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No run"}"#,
                "RESOURCE_DOES_NOT_EXIST",
                "No run",
            ),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: x\r\nTrace"}"#,
                "invalid_client",
                "AADSTS7000215: x",
            ),
            (
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>Gone\nTime</Message></Error>",
                "BlobNotFound",
                "Gone",
            ),
        ];
        for (body, code, message) in cases {
            let refusal = refusal("GET x".into(), 400, &Headers::new(), body.as_bytes());
            assert_eq!(
                (refusal.code.as_str(), refusal.message.as_str()),
                (code, message)
            );
        }
    }

    #[test]
    fn who_reads_an_error_can_name_the_request_to_azures_support() {
        let history = br#"{"error":{"code":"UserError","message":"No"},"correlation":{"operation":"o","request":"r1"}}"#;
        let mut headers = Headers::new();
        let id = |headers: &Headers| refused(refusal("GET x".into(), 500, headers, history));
        assert!(id(&headers).to_string().ends_with("(request r1)"));
        headers.insert("x-ms-request-id", "r2");
        assert!(id(&headers).to_string().ends_with("(request r2)"));
    }

    #[test]
    fn sas_token_never_appears_in_errors() -> Result<(), url::ParseError> {
        let url = Url::parse("https://user:pw@acct.blob.core.x/c/b?sv=1&sig=s3cret#s3cret")?;
        let request = Request::new(url, Method::Get);
        let answer = Answer {
            act: act_of(&request),
            status: 403,
            headers: Headers::new(),
            body: Bytes::new(),
        };
        let shown = format!("{0} {0:?}", answer.refusal());
        assert!(shown.contains("acct.blob.core.x/c/b"), "{shown}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("pw"),
            "{shown}"
        );
        Ok(())
    }
}
