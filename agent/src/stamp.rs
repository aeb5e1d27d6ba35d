//! Time stamps of exports (RFC 3161): the question lies in the seal, an authority is asked, its answer is judged and put beside
//! it, and the chain of custody says so. Where it does not answer the question waits; whoever looks at the export later asks
//! again.

use std::time::Duration;

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, StreamingStorage};
use azure_core::http::{Method, Request};
use bytes::Bytes;
use restore::bag::events::{add_event, read_seal};
use restore::bag::{ANSWER, Actor, QUESTION};
use restore::seal::{Authority, Query, stamp};
use serde_json::json;
use url::Url;
use workspace::azure::{Channel, Repeat};

use crate::azure::settings;
use crate::failure::{Failure, chain};
use crate::session::Session;

/// How long an authority may take, its repetitions included.
const LIMIT: Duration = Duration::from_secs(60);
/// The largest answer: a token with a chain of certificates.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Asks for a time stamp of an export, and says where it did not come. Whether it is there now.
pub async fn tell(
    session: &Session,
    storage: &dyn StreamingStorage,
    name: &str,
    by: &Actor,
) -> bool {
    match ask(session, storage, name, by).await {
        Ok(stamped) => stamped,
        Err(why) => {
            session.ui.warn(&format!(
                "{name} has no time stamp so far: {why}; `mlark export status` asks again"
            ));
            false
        }
    }
}

/// Asks where the export waits for an answer. Whether it has one then; one that never asked has none.
pub async fn ask(
    session: &Session,
    storage: &dyn StreamingStorage,
    name: &str,
    by: &Actor,
) -> Result<bool, String> {
    let file = |below: &str| {
        FileName::new(format!("{name}.seal/{below}")).map_err(|error| error.to_string())
    };
    let (question, answer) = (file(QUESTION)?, file(ANSWER)?);
    let seal = read_seal(storage, name)
        .await
        .map_err(|error| chain(&error))?;
    let Some((seal, url)) = seal.and_then(|seal| {
        let url = seal.timestamp_url.clone()?;
        Some((seal, url))
    }) else {
        return Ok(false);
    };
    let there = storage.size(&answer).await.map_err(|error| chain(&error))?;
    if there.is_some() {
        return Ok(true);
    }
    let query = match storage.read(&question, ANSWER_BYTES_MAX).await {
        Ok(bytes) => Query::from_der(&bytes).map_err(|error| chain(&error))?,
        Err(error) if error.fault == StorageFault::NotFound => return Ok(false),
        Err(error) => return Err(chain(&error)),
    };
    let reply = tokio::select! {
        reply = send(session, &url, &query) => reply?,
        () = tokio::time::sleep(LIMIT) => return Err("the authority did not answer in time".to_owned()),
    };
    let stamp =
        stamp::judge(&reply, &query, &Authority::default()).map_err(|error| chain(&error))?;
    match storage.create(&answer, reply).await {
        Ok(Created::New) => {}
        Ok(Created::Exists) => return Ok(true),
        Err(error) => return Err(chain(&error)),
    }
    let says = json!({
        "authority": url, "signer": stamp.signer, "time": stamp.time, "serial": stamp.serial,
    });
    let now = session.context.clock.now();
    add_event(storage, &seal, now, "time stamp", by, &says)
        .await
        .map_err(|error| chain(&error))?;
    Ok(true)
}

async fn send(session: &Session, url: &str, query: &Query) -> Result<Bytes, String> {
    let told = |failure: Failure| failure.sentence();
    let url = Url::parse(url).map_err(|error| format!("`timestamp_url` is no address: {error}"))?;
    let host = url.host_str().unwrap_or("no host").to_owned();
    let settings = settings(&session.config.azure, &session.context, None).map_err(told)?;
    let channel = Channel::open(&settings)
        .await
        .map_err(|error| chain(&error))?;
    let mut request = Request::new(url, Method::Post);
    request.insert_header("content-type", "application/timestamp-query");
    request.set_body(query.der().to_vec());
    let reply = channel
        .send(request, Repeat::Allowed, ANSWER_BYTES_MAX)
        .await;
    let reply = reply.map_err(|error| chain(&error))?;
    match reply.status {
        200 => Ok(reply.body),
        status => Err(format!("{host} answered {status}")),
    }
}
