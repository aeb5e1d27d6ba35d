//! What the simulator answers, and the wire's misbehaviour that goes with it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// What happens on the wire instead of a clean answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WireFault {
    /// Nothing: the answer arrives.
    #[default]
    None,
    /// The connection is reset before any byte of the answer.
    Reset,
    /// The body ends after that many bytes, though its length says more.
    Truncate(usize),
    /// The answer comes, but late.
    Slow(Duration),
    /// The body comes in pieces, with a pause before each.
    SlowBody {
        /// The pause.
        pause: Duration,
        /// How many pieces.
        pieces: usize,
    },
}

/// An answer: status, headers, body and wire fault.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, except `Content-Length` and `Date`, which the adapters write.
    pub headers: HeaderMap,
    /// The whole body. For `HEAD` it stands for the length only and is not sent.
    pub body: Bytes,
    /// What the wire does to it.
    pub fault: WireFault,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self::bytes(status, Bytes::new())
    }

    /// An answer of raw bytes, without a content type.
    pub fn bytes(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            fault: WireFault::None,
        }
    }

    /// A JSON answer.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::bytes(status, body.to_string())
            .with(CONTENT_TYPE.as_str(), "application/json; charset=utf-8")
    }

    /// An XML answer, as the storage services give them.
    pub fn xml(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::bytes(status, body).with(CONTENT_TYPE.as_str(), "application/xml")
    }

    /// The same answer with a header set. A name or value that HTTP does not allow is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = HeaderValue::from_str(value.as_ref())
            .or_else(|_| HeaderValue::from_bytes(value.as_ref().as_bytes()));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body cut into that many pieces, none of them empty.
    pub(crate) fn pieces(&self, pieces: usize) -> Vec<Bytes> {
        let length = self.body.len().div_ceil(pieces.max(1)).max(1);
        let starts = (0..self.body.len()).step_by(length);
        starts
            .map(|at| self.body.slice(at..(at + length).min(self.body.len())))
            .collect()
    }

    /// The body as JSON; `Null` where it is none.
    pub fn body_json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// An answer that says no. A type of its own so that handlers can use `?`.
#[derive(Debug)]
pub struct Refusal(Box<Reply>);

/// What a handler returns.
pub type Answer = Result<Reply, Refusal>;

impl Refusal {
    /// Refuses as ARM and Azure ML do: `{"error":{"code","message","details","additionalInfo"}}` (common-types v1 ErrorResponse).
    pub fn arm(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let body = json!({"error": {"code": code, "message": message.into(), "details": [], "additionalInfo": [
            {"type": "ComponentName", "info": {"value": "managementfrontend"}}]}});
        Self::from(Reply::json(status, &body).with("x-ms-failure-cause", failure_cause(status)))
    }

    /// Refuses as the storage services do: XML and `x-ms-error-code`.
    pub fn storage(status: StatusCode, code: &str, message: &str) -> Self {
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        Self::from(Reply::xml(status, body).with("x-ms-error-code", code))
    }

    /// Refuses as run history, metrics and artifacts do: `{"error":{"code","message"},"correlation",…}`.
    pub fn history(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let body = json!({"error": {"code": code, "message": message.into(), "innerError": null, "debugInfo": null, "details": []},
            "correlation": {"operation": null, "request": null}, "environment": "simulator", "location": null, "time": null});
        Self::from(Reply::json(status, &body))
    }

    /// The answer itself.
    pub fn into_reply(self) -> Reply {
        *self.0
    }

    /// HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The same refusal with a header set.
    #[must_use]
    pub fn with(self, name: &str, value: impl AsRef<str>) -> Self {
        Self::from(self.0.with(name, value))
    }
}

fn failure_cause(status: StatusCode) -> &'static str {
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        "gateway"
    } else {
        "service"
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self(Box::new(reply))
    }
}

/// The answer of either outcome.
pub(crate) fn settle(answer: Answer) -> Reply {
    answer.unwrap_or_else(Refusal::into_reply)
}
