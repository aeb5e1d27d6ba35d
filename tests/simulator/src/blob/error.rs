//! Why a storage service refuses a request: status, code and message as Azure Storage gives them.
//!
//! Both services, Blob and Files, answer errors as the same XML with the code repeated in `x-ms-error-code`.

use http::StatusCode;

use crate::reply::{Refusal, Reply};

/// A refused storage request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError {
    /// The HTTP status.
    pub status: u16,
    /// The code of the XML body and of `x-ms-error-code`.
    pub code: &'static str,
    /// The message of the XML body.
    pub message: String,
    /// Headers that belong to this refusal, such as `WWW-Authenticate`.
    pub headers: Vec<(&'static str, String)>,
}

impl StorageError {
    /// A refusal without headers of its own.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// No such blob.
    pub fn blob_not_found() -> Self {
        Self::new(404, "BlobNotFound", "The specified blob does not exist.")
    }

    /// No such container.
    pub fn container_not_found() -> Self {
        Self::new(
            404,
            "ContainerNotFound",
            "The specified container does not exist.",
        )
    }

    /// A conditional header did not hold.
    pub fn condition_not_met() -> Self {
        Self::new(
            412,
            "ConditionNotMet",
            "The condition specified using HTTP conditional header(s) is not met.",
        )
    }

    /// A header with a value that cannot be.
    pub fn invalid_header(name: &str, value: &str) -> Self {
        Self::new(
            400,
            "InvalidHeaderValue",
            format!(
                "The value for one of the HTTP headers is not in the correct format. {name}: {value}"
            ),
        )
    }

    /// A header that must be there.
    pub fn missing_header(name: &str) -> Self {
        Self::new(
            400,
            "MissingRequiredHeader",
            format!(
                "An HTTP header that's mandatory for this request is not specified. HeaderName: {name}"
            ),
        )
    }

    /// A query parameter with a value that cannot be.
    pub fn invalid_query(name: &str, value: &str) -> Self {
        Self::new(
            400,
            "InvalidQueryParameterValue",
            format!(
                "Value for one of the query parameters specified in the request URI is invalid. {name}={value}"
            ),
        )
    }

    /// A range that the content does not have.
    pub fn invalid_range(size: u64) -> Self {
        Self::new(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        )
        .with("Content-Range", format!("bytes */{size}"))
    }

    /// A caller who is known and may not do this.
    pub fn permission_mismatch() -> Self {
        Self::new(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
    }

    /// A digest that does not belong to the body.
    pub fn md5_mismatch() -> Self {
        Self::new(
            400,
            "Md5Mismatch",
            "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
        )
    }

    fn xml(&self) -> String {
        format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code,
            super::xml::escape(&self.message)
        )
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        let reply = Reply::xml(status, error.xml()).with("x-ms-error-code", error.code);
        let reply = error
            .headers
            .iter()
            .fold(reply, |reply, (name, value)| reply.with(name, value));
        Self::from(reply)
    }
}
