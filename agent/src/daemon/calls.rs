//! What the daemon tells others over the network: a health-check service that a run began and how it ended, and a webhook
//! that a workspace's state changed. Neither is waited for long, and neither can make a backup fail. The addresses are
//! secrets: whoever knows one can speak in this machine's name.

use std::path::Path;
use std::time::Duration;

use azure_core::http::{Method, Request};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;
use workspace::azure::{Channel, Repeat};

use crate::azure::{read_secret, settings};
use crate::failure::Failure;
use crate::session::Session;

/// How long a call may take, its repetitions included.
const LIMIT: Duration = Duration::from_secs(20);
/// How long after the wish to stop they may still take.
const WHILE_STOPPING: Duration = Duration::from_secs(9);
/// What is read of an answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// In an address of a health-check service it stands for the workspace's name.
const WORKSPACE: &str = "{workspace}";

/// What a health-check service is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// A run began.
    Start,
    /// It ended with a complete snapshot.
    Success,
    /// It did not.
    Fail,
}

impl Ping {
    fn suffix(self) -> &'static str {
        match self {
            Self::Start => "/start",
            Self::Success => "",
            Self::Fail => "/fail",
        }
    }
}

/// Tells the health-check service, where the configuration has one; a call that fails is said and forgotten.
pub(super) async fn ping(session: &Session, ping: Ping, workspace: &str, text: String) {
    let Some(file) = &session.config.daemon.ping_url_file else {
        return;
    };
    let address = |text: &str| {
        let base = text.trim_end_matches('/').replace(WORKSPACE, workspace);
        Url::parse(&format!("{base}{}", ping.suffix()))
    };
    let body = Body {
        text,
        sort: "text/plain; charset=utf-8",
    };
    call(session, "ping_url_file", file, address, body).await;
}

/// Sends a document to the webhook, where the configuration has one.
pub(super) async fn post(session: &Session, document: &Value) -> bool {
    let Some(file) = &session.config.daemon.webhook_url_file else {
        return false;
    };
    let body = Body {
        text: document.to_string(),
        sort: "application/json",
    };
    call(session, "webhook_url_file", file, Url::parse, body).await
}

struct Body {
    text: String,
    sort: &'static str,
}

async fn call(
    session: &Session,
    key: &str,
    file: &Path,
    address: impl Fn(&str) -> Result<Url, url::ParseError>,
    body: Body,
) -> bool {
    let limit = async {
        tokio::select! {
            () = tokio::time::sleep(LIMIT) => {}
            () = session.context.shutdown.wait_and(WHILE_STOPPING) => {}
        }
    };
    let done = tokio::select! {
        done = send(session, file, address, body) => done,
        () = limit => Err("it did not answer in time".to_owned()),
    };
    if let Err(why) = &done {
        session.ui.warn(&format!(
            "The address in daemon.{key} could not be told: {why}; the backup does not depend on it"
        ));
    }
    done.is_ok()
}

/// Sends; errors name no part of the address.
async fn send(
    session: &Session,
    file: &Path,
    address: impl Fn(&str) -> Result<Url, url::ParseError>,
    body: Body,
) -> Result<(), String> {
    let told = |failure: Failure| failure.sentence();
    let text = read_secret(file).map_err(told)?;
    let url = address(text.expose_secret().trim())
        .map_err(|error| format!("the file does not hold an address: {error}"))?;
    let host = url.host_str().unwrap_or("no host").to_owned();
    let settings = settings(&session.config.azure, &session.context, None).map_err(told)?;
    let channel = Channel::open(&settings)
        .await
        .map_err(|error| crate::failure::chain(&error))?;
    let mut request = Request::new(url, Method::Post);
    request.insert_header("content-type", body.sort);
    request.set_body(body.text);
    let reply = channel.send(request, Repeat::Allowed, ANSWER_BYTES_MAX);
    // What the error says may hold the path of the address, which is the secret.
    let reply = reply
        .await
        .map_err(|_| format!("{host} cannot be reached"))?;
    match reply.status {
        200..=299 => Ok(()),
        status => Err(format!("{host} answered {status}")),
    }
}
