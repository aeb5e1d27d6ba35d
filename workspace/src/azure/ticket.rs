//! The signature by which the container of a version in a registry is read. The service gives it for an hour or so, and a
//! large model takes longer: it is asked for again before it ends, in the middle of a file too.
//!
//! Neither it nor the answer that holds it is ever part of an error.

use std::fmt;
use std::time::Duration;

use azure_core::http::{Context, Method};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::answer::Answer;
use super::connection::{Access, Connection, json_request};
use crate::Error;

/// How long before its end a signature is asked for again.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long one that states no end is used.
const UNSTATED: Duration = Duration::from_secs(10 * 60);

/// A signature, and how it is asked for again.
pub(crate) struct Ticket {
    asker: Connection,
    address: Url,
    body: Value,
    /// What it opens: account and container, without a query.
    opens: Url,
    held: Mutex<Held>,
}

struct Held {
    signature: SecretString,
    until: Timestamp,
}

/// Says nothing of the signature.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("opens", &self.opens.as_str())
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// One that was just given for a container.
    pub(crate) fn new(asker: Connection, address: Url, body: Value, signed: &Url) -> Option<Self> {
        let held = Held::of(signed, asker.clock().now())?;
        Some(Self {
            opens: plain(signed),
            asker,
            address,
            body,
            held: Mutex::new(held),
        })
    }

    /// The query of the signature, which is good for a while.
    pub(crate) async fn signature(&self) -> Result<SecretString, Error> {
        let mut held = self.held.lock().await;
        let now = self.asker.clock().now();
        if now >= held.until {
            let answer = ask(&self.asker, self.address.clone(), &self.body).await?;
            let signed = signed(&answer)?.filter(|signed| plain(signed) == self.opens);
            let renewed = signed.and_then(|signed| Held::of(&signed, now));
            *held = renewed.ok_or_else(|| answer.unusable("it opens another place than before"))?;
        }
        Ok(held.signature.clone())
    }
}

impl Held {
    fn of(signed: &Url, now: Timestamp) -> Option<Self> {
        let signature = SecretString::from(signed.query()?);
        let mut stated = signed.query_pairs().filter(|(name, _)| name == "se");
        let stated = stated.find_map(|(_, text)| text.parse::<Timestamp>().ok());
        let until = match stated {
            Some(end) => end.checked_sub(AHEAD),
            None => now.checked_add(UNSTATED),
        };
        Some(Self {
            signature,
            until: until.ok()?,
        })
    }
}

/// Asks for the bytes of a version: `POST …/datareferences/…`.
pub(crate) async fn ask(asker: &Connection, address: Url, body: &Value) -> Result<Answer, Error> {
    let request = json_request(Method::Post, address, body);
    asker.send(Access::Token, Context::new(), request).await
}

/// The signed address of an answer; `None` where the place needs none.
pub(crate) fn signed(answer: &Answer) -> Result<Option<Url>, Error> {
    let document = answer.json()?;
    let credential = document.pointer("/blobReferenceForConsumption/credential");
    let text = |name: &str| credential?.get(name)?.as_str();
    if text("credentialType") == Some("NoCredentials") {
        return Ok(None);
    }
    let signed = text("sasUri").and_then(|uri| Url::parse(uri).ok());
    let signed = signed.ok_or_else(|| answer.unusable("it gives no address to read"))?;
    Ok(Some(signed))
}

fn plain(signed: &Url) -> Url {
    let mut url = signed.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}
