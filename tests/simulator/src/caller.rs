//! A client for tests and worlds: it speaks to the simulator in-process, through the same routes as everybody.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;

use crate::reply::Reply;
use crate::simulator::Simulator;
use crate::state::CLIENT_ID;

/// Calls a simulator with the tokens of one principal.
#[derive(Debug, Clone)]
pub struct Caller {
    simulator: Simulator,
    client_id: String,
}

impl Caller {
    /// Calls with the principal that every simulator knows.
    pub fn new(simulator: &Simulator) -> Self {
        Self::of(simulator, CLIENT_ID)
    }

    /// Calls with another principal of the directory.
    pub fn of(simulator: &Simulator, client_id: &str) -> Self {
        Self {
            simulator: simulator.clone(),
            client_id: client_id.to_owned(),
        }
    }

    /// A token for an audience; empty for a principal that is not known.
    pub fn token(&self, audience: &str) -> String {
        let now = self.simulator.now();
        let state = self.simulator.state();
        let principal = state.directory.principal(&self.client_id);
        principal
            .map(|known| state.directory.token(known, audience, now))
            .unwrap_or_default()
    }

    /// An ARM call; `target` is path and query.
    pub fn arm(&self, method: Method, target: &str, body: Option<&Value>) -> Reply {
        let arm = self.simulator.state().cloud.arm_url();
        let token = self.token(&arm);
        self.send(method, &format!("{arm}{target}"), &token, body)
    }

    /// A call to the data plane of a region.
    pub fn data(&self, method: Method, region: &str, target: &str, body: Option<&Value>) -> Reply {
        let base = self.simulator.state().cloud.data_url(region);
        let token = self.token("https://ml.azure.com");
        self.send(method, &format!("{base}{target}"), &token, body)
    }

    /// A call to a blob or file by its whole URL, with a token for storage and what a recent client sends with it. A header
    /// given here takes the place of one that is sent by itself; an empty value leaves it out.
    pub fn storage(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let token = format!("Bearer {}", self.token("https://storage.azure.com"));
        let own = [
            ("authorization", token.as_str()),
            ("x-ms-version", "2025-01-05"),
            ("x-ms-file-request-intent", "backup"),
        ];
        let own = own
            .iter()
            .filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
        let given = headers.iter().filter(|(_, value)| !value.is_empty());
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in own.chain(given) {
            request = request.header(*name, *value);
        }
        match request.body(body.into()) {
            Ok(request) => self.simulator.handle(request),
            Err(_) => Reply::empty(http::StatusCode::BAD_REQUEST),
        }
    }

    /// A JSON call with a bearer token to any address of the cloud.
    pub fn send(&self, method: Method, url: &str, token: &str, body: Option<&Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(url);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let bytes = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        match request
            .header("content-type", "application/json")
            .body(bytes)
        {
            Ok(request) => self.simulator.handle(request),
            Err(_) => Reply::empty(http::StatusCode::BAD_REQUEST),
        }
    }
}
