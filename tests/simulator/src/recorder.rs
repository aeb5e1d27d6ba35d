//! Recordings: every request that arrives, one a line, so that it can be played again.
//!
//! The lines hold no token, no secret and no signature. Bytes of blobs and files are told by their number and digest.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::call::{Call, Service};
use crate::cloud::Cloud;
use crate::reply::Reply;

/// What stands in place of a secret.
const TAKEN_OUT: &str = "REDACTED";

/// Headers that say what a request asks, besides `x-ms-*`.
const KEPT: [&str; 12] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "metadata",
    "range",
    "user-agent",
];

/// Headers of `x-ms-*` that differ between two runs of one client, or carry a secret.
const LEFT_OUT: [&str; 5] = [
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
    "x-ms-correlation-request-id",
    "x-ms-copy-source-authorization",
    "x-ms-encryption-key",
];

/// Members of forms that prove who asks.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "refresh_token"];

/// Writes what arrives to a file.
#[derive(Debug)]
pub struct Recorder {
    file: File,
}

impl Recorder {
    /// A new recording; one of that name is replaced.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self { file })
    }

    /// Notes a request and the status of its answer. What cannot be written is missing there and hurts nobody else.
    pub(crate) fn note(&mut self, call: &Call, cloud: &Cloud, reply: &Reply) {
        let Some((service, host)) = place(call, cloud) else {
            return;
        };
        let line = json!({
            "service": service, "method": call.method.as_str(), "host": host, "target": target(call),
            "headers": headers(call), "body": body(call), "status": reply.status.as_u16(),
        });
        let _ = writeln!(self.file, "{line}");
    }
}

fn place(call: &Call, cloud: &Cloud) -> Option<(&'static str, String)> {
    let bare = |url: String| url.replacen("https://", "", 1);
    Some(match call.service {
        Service::Arm if call.segment(0) == "metadata" => ("meta", bare(cloud.arm_url())),
        Service::Arm => ("arm", bare(cloud.arm_url())),
        Service::Login => ("aad", bare(cloud.login_url())),
        Service::Data => ("data", cloud.data_host(&call.label)),
        Service::Blob => ("blob", bare(cloud.blob_url(&call.label))),
        Service::Dfs => ("dfs", bare(cloud.dfs_url(&call.label))),
        Service::File => ("file", bare(cloud.file_url(&call.label))),
        Service::Control | Service::Imds => return None,
    })
}

fn target(call: &Call) -> String {
    let pairs = call.raw_query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| match pair.split_once('=') {
        Some(("sig", _)) => format!("sig={TAKEN_OUT}"),
        _ => pair.to_owned(),
    });
    let query: Vec<String> = pairs.collect();
    match query.is_empty() {
        true => call.raw_path.clone(),
        false => format!("{}?{}", call.raw_path, query.join("&")),
    }
}

fn headers(call: &Call) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in &call.headers {
        let name = name.as_str();
        let says = KEPT.contains(&name) || (name.starts_with("x-ms-") && !LEFT_OUT.contains(&name));
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == "x-azureml-token" {
            kept.insert(name.to_owned(), Value::from(TAKEN_OUT));
        } else if says {
            let value = if name == "x-ms-copy-source" || name == "x-ms-rename-source" {
                without_query(&value)
            } else {
                value
            };
            kept.insert(name.to_owned(), Value::from(value));
        }
    }
    kept
}

fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

fn body(call: &Call) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    let kind = call.header("content-type").unwrap_or_default();
    let text = std::str::from_utf8(&call.body).ok();
    match text {
        Some(form) if call.service == Service::Login => Value::from(without_proof(form)),
        Some(text) if matches!(call.service, Service::Arm | Service::Data) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        }
        // Lists of blocks, tags and policies are instructions, not content.
        Some(text) if kind.contains("xml") => Value::from(text),
        _ => {
            json!({"bytes": call.body.len(), "sha256": hex::encode(Sha256::digest(&call.body))})
        }
    }
}

fn without_proof(form: &str) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in url::form_urlencoded::parse(form.as_bytes()) {
        let secret = PROOFS.contains(&key.as_ref());
        out.append_pair(&key, if secret { TAKEN_OUT } else { &value });
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use http::Method;

    use super::*;
    use crate::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
    use crate::{Caller, Settings, Simulator};

    #[test]
    fn recording_holds_what_was_asked_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        let simulator = Simulator::new(Settings::default());
        simulator.record(Recorder::create(&path).unwrap());
        let form = format!(
            "client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=client_credentials&scope=x%2F.default"
        );
        let url = format!("https://login.sim.localhost/{TENANT}/oauth2/v2.0/token");
        let request = http::Request::builder().method("POST").uri(url);
        simulator.handle(request.body(form.into()).unwrap());
        let caller = Caller::new(&simulator);
        caller.arm(
            Method::GET,
            "/subscriptions/s/resourceGroups?api-version=2021-04-01&sig=abc",
            None,
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("sig=REDACTED") && text.contains(CLIENT_ID),
            "{text}"
        );
        assert!(
            !text.contains(CLIENT_SECRET) && !text.contains("Bearer"),
            "{text}"
        );
    }
}
