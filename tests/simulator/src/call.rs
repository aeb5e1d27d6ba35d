//! One request, parsed once: which service, which path, what is asked, by whom, when.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::identity::Identity;
use crate::reply::Refusal;

/// The services of the cloud, told apart by host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Resource manager, with `/metadata/endpoints`.
    Arm,
    /// The token endpoint.
    Login,
    /// Blob storage of an account.
    Blob,
    /// Azure Files of an account.
    File,
    /// Azure Data Lake Storage Gen2 of an account: its containers as file systems.
    Dfs,
    /// Data plane of a region: discovery, run history, metrics, artifacts, MLflow.
    Data,
    /// What tests talk to.
    Control,
    /// The metadata service of a virtual machine.
    Imds,
}

/// Query parameters in their order, decoded. Names compare without regard to case, as Azure does.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `a=b&c=d`.
    pub fn parse(raw: &str) -> Self {
        Self(
            url::form_urlencoded::parse(raw.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// Value of the first parameter of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the parameter has that value, without regard to case.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// A number, where the parameter is one.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A parsed request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service that its host names.
    pub service: Service,
    /// What stands before the service in the host: storage account, region, or nothing.
    pub label: String,
    /// HTTP method.
    pub method: Method,
    /// Path as sent, still percent-encoded.
    pub raw_path: String,
    /// Query as sent, without the question mark.
    pub raw_query: String,
    /// Segments after the first `/`, percent-decoded; `/` alone has none, a trailing `/` leaves an empty last one.
    pub segments: Vec<String>,
    /// Query parameters.
    pub query: Query,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who asks, proven before a handler sees the call.
    pub identity: Identity,
    /// When it arrived.
    pub now: Timestamp,
    /// What was left of the subscription's allowance for this sort of call, where it is counted.
    pub left: Option<u64>,
    /// How far lists lag behind writes for this call; zero unless a fault says more.
    pub lag: Duration,
}

impl Call {
    /// Parses a request. `None` where its host is none of this cloud's.
    pub fn parse(request: http::Request<Bytes>, cloud: &Cloud, now: Timestamp) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let host = parts
            .uri
            .host()
            .map(str::to_owned)
            .or_else(|| header_host(&parts.headers))?;
        let (service, label) = service_of(&host, cloud)?;
        let raw_path = parts.uri.path().to_owned();
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Some(Self {
            service,
            label,
            segments: segments_of(&raw_path),
            query: Query::parse(&raw_query),
            method: parts.method,
            raw_path,
            raw_query,
            headers: parts.headers,
            body,
            identity: Identity::Anonymous,
            now,
            left: None,
            lag: Duration::ZERO,
        })
    }

    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Segments from `from` on joined by `/` again: the path of a blob or file.
    pub fn rest(&self, from: usize) -> String {
        self.segments.get(from..).unwrap_or_default().join("/")
    }

    /// A segment, or the empty string.
    pub fn segment(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// Segments as `&str`, for slice patterns.
    pub fn parts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The body as JSON; an empty one is `Null`.
    pub fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::arm(
                http::StatusCode::BAD_REQUEST,
                "InvalidRequestContent",
                format!(
                    "The request content was invalid and could not be deserialized: '{error}'."
                ),
            )
        })
    }
}

fn header_host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(http::header::HOST)?.to_str().ok()?;
    Some(
        host.rsplit_once(':')
            .map_or(host, |(name, _)| name)
            .to_owned(),
    )
}

fn service_of(host: &str, cloud: &Cloud) -> Option<(Service, String)> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "169.254.169.254" {
        return Some((Service::Imds, String::new()));
    }
    let own = host.strip_suffix(cloud.suffix())?.strip_suffix('.')?;
    let labels: Vec<&str> = own.split('.').collect();
    let found = match labels.as_slice() {
        ["management"] => (Service::Arm, String::new()),
        ["login"] => (Service::Login, String::new()),
        ["control"] => (Service::Control, String::new()),
        ["imds"] => (Service::Imds, String::new()),
        [account, "blob", "core"] => (Service::Blob, (*account).to_owned()),
        [account, "dfs", "core"] => (Service::Dfs, (*account).to_owned()),
        [account, "file", "core"] => (Service::File, (*account).to_owned()),
        [region, "api"] => (Service::Data, (*region).to_owned()),
        _ => return None,
    };
    Some(found)
}

fn segments_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(percent_decode).collect()
}

/// Undoes percent-encoding; what is no valid escape stays, bytes that are no UTF-8 are replaced.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
