//! Time stamps of exports (RFC 3161): the question lies in the seal, an authority is asked, its answer is judged and put beside
//! it, and the chain of custody says so. Where it does not answer the question waits; whoever looks at the export later asks
//! again.

use std::collections::BTreeMap;
use std::time::Duration;

use archive_format::FileName;
use archive_format::storage::{Created, StorageFault};
use azure_core::http::{Method, Request};
use bytes::Bytes;
use restore::bag::events::add_event;
use restore::bag::{ANSWER, Actor, QUESTION};
use restore::seal::{Authority, Query, stamp};
use serde_json::json;
use url::Url;
use workspace::azure::{Channel, Repeat};

use crate::azure::settings;
use crate::exports;
use crate::failure::{Failure, chain};
use crate::session::Session;
use crate::session::sealed::Sealed;

/// How long an authority may take, its repetitions included.
const LIMIT: Duration = Duration::from_secs(60);
/// The largest answer: a token with a chain of certificates.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The authorities that were asked by one run, and did not answer: one that was silent for one export is not waited for again.
#[derive(Debug, Default)]
pub struct Silent(BTreeMap<String, String>);

/// Asks for a time stamp of an export, and says where it did not come. Whether it is there now.
pub async fn tell(session: &Session, sealed: &Sealed, by: &Actor, silent: &mut Silent) -> bool {
    let name = &sealed.record.name;
    let stamped = match ask(session, sealed, by, silent).await {
        Ok(stamped) => stamped,
        Err(why) => {
            session.ui.warn(&format!(
                "{name} has no time stamp so far: {why}; `mlark export status` and the daemon ask again"
            ));
            return false;
        }
    };
    if stamped == Stamped::Now
        && let Err(failure) = exports::keep_late(sealed.storage.as_ref(), &sealed.record).await
    {
        let why = failure.sentence();
        session.ui.warn(&format!(
            "The time stamp of {name} is there, and is not kept as the export is: {why}"
        ));
    }
    stamped != Stamped::Never
}

/// Whether an export has a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamped {
    /// It wants none.
    Never,
    /// It has had one.
    Before,
    /// It has one since now.
    Now,
}

/// Asks where the export waits for an answer.
async fn ask(
    session: &Session,
    sealed: &Sealed,
    by: &Actor,
    silent: &mut Silent,
) -> Result<Stamped, String> {
    let (storage, seal) = (sealed.storage.as_ref(), &sealed.record);
    let file = |below: &str| {
        FileName::new(format!("{}.seal/{below}", seal.name)).map_err(|error| error.to_string())
    };
    let (question, answer) = (file(QUESTION)?, file(ANSWER)?);
    let Some(url) = &seal.timestamp_url else {
        return Ok(Stamped::Never);
    };
    let there = storage.size(&answer).await.map_err(|error| chain(&error))?;
    if there.is_some() {
        return Ok(Stamped::Before);
    }
    let query = match storage.read(&question, ANSWER_BYTES_MAX).await {
        Ok(bytes) => Query::from_der(&bytes).map_err(|error| chain(&error))?,
        Err(error) if error.fault == StorageFault::NotFound => return Ok(Stamped::Never),
        Err(error) => return Err(chain(&error)),
    };
    let reply = silent.send(session, url, &query).await?;
    let stamp =
        stamp::judge(&reply, &query, &Authority::default()).map_err(|error| chain(&error))?;
    match storage.create(&answer, reply).await {
        Ok(Created::New) => {}
        Ok(Created::Exists) => return Ok(Stamped::Before),
        Err(error) => return Err(chain(&error)),
    }
    let says = json!({
        "authority": url, "signer": stamp.signer, "time": stamp.time, "serial": stamp.serial,
    });
    let now = session.context.clock.now();
    add_event(storage, seal, now, "time stamp", by, &says)
        .await
        .map_err(|error| chain(&error))?;
    Ok(Stamped::Now)
}

impl Silent {
    async fn send(&mut self, session: &Session, url: &str, query: &Query) -> Result<Bytes, String> {
        if let Some(why) = self.0.get(url) {
            return Err(why.clone());
        }
        let reply = tokio::select! {
            reply = send(session, url, query) => reply,
            () = tokio::time::sleep(LIMIT) => Err("the authority did not answer in time".to_owned()),
        };
        reply.inspect_err(|why| {
            self.0.insert(url.to_owned(), why.clone());
        })
    }
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
