//! A transport that notes to whom tokens go, and changes answers on their way, as a hostile service would.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::headers::{AUTHORIZATION, Headers};
use azure_core::http::{AsyncRawResponse, HttpClient, Request};

use crate::azure::Settings;

/// Changes an answer: request, status, headers, body.
type Twist = Box<dyn Fn(&Request, &mut u16, &mut Headers, &mut String) + Send + Sync>;

/// One request as it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) host: String,
    pub(super) token: bool,
}

/// The transport.
pub(super) struct Spy {
    inner: Arc<dyn HttpClient>,
    twist: Twist,
    sent: Mutex<Vec<Sent>>,
}

impl fmt::Debug for Spy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spy")
    }
}

impl Spy {
    /// Settings with a spy in front of their transport.
    pub(super) fn before(
        settings: Settings,
        twist: impl Fn(&Request, &mut u16, &mut Headers, &mut String) + Send + Sync + 'static,
    ) -> (Settings, Arc<Self>) {
        let spy = Arc::new(Self {
            inner: settings.transport.clone().expect("a transport"),
            twist: Box::new(twist),
            sent: Mutex::default(),
        });
        let settings = Settings {
            transport: Some(spy.clone()),
            ..settings
        };
        (settings, spy)
    }

    /// What was sent.
    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panicked").clone()
    }
}

#[async_trait]
impl HttpClient for Spy {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let sent = Sent {
            host: request.url().host_str().unwrap_or_default().to_owned(),
            token: request.headers().get_optional_str(&AUTHORIZATION).is_some(),
        };
        self.sent.lock().expect("nobody panicked").push(sent);
        let answer = self.inner.execute_request(request).await?;
        let (status, mut headers, body) = answer.deconstruct();
        let body = body.collect().await?;
        let mut status = u16::from(status);
        let Ok(mut text) = String::from_utf8(body.to_vec()) else {
            return Ok(AsyncRawResponse::from_bytes(status.into(), headers, body));
        };
        (self.twist)(request, &mut status, &mut headers, &mut text);
        if text.as_bytes() != body.as_ref() {
            headers.insert("content-length", text.len().to_string());
        }
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            headers,
            text.into_bytes(),
        ))
    }
}
