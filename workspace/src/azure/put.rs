//! Writing documents: PUT and DELETE in Resource Manager, and the long operations that they start.

use std::time::Duration;

use azure_core::http::{Context, Method, Request};
use serde_json::Value;
use url::Url;

use super::answer::{Answer, shortened, told};
use super::arm::item_parts;
use super::cloud::host_of;
use super::connection::{Access, json_request, success};
use super::retry::retry_after;
use super::workspace::AzureWorkspace;
use crate::{Error, ItemId, Kind};

/// An operation that takes longer is given up; deployments take 20 minutes.
const POLL_FOR: Duration = Duration::from_secs(2 * 60 * 60);
const POLL_FIRST: Duration = Duration::from_millis(500);
const POLL_MOST: Duration = Duration::from_secs(15);
/// How often what was just made is looked for.
const SHOWN_TRIES: u32 = 6;

impl AzureWorkspace {
    /// PUTs a document and follows the operation that it starts to its end; answers what the service then holds. Where
    /// the cloud does not know the api-version, the next older one of the kind serves.
    pub async fn put(&self, id: &ItemId, body: &Value, api_version: &str) -> Result<Value, Error> {
        let kind = Kind::by_name(&id.kind)?;
        let parts = item_parts(kind, id)?;
        // With validation the service asks the storage account, which it may not be able to reach.
        let query: &[(&str, &str)] = if kind.store.is_some() {
            &[("skipValidation", "true")]
        } else {
            &[]
        };
        let parts = parts.iter().map(String::as_str);
        let (url, sent, own) = loop {
            let version = self.arm().version_to_write(kind, api_version)?;
            let url = self.arm().url(parts.clone(), query, version)?;
            let request = json_request(Method::Put, url.clone(), body);
            let sent = self
                .connection()
                .send(Access::Token, Context::new(), request);
            match sent.await {
                Err(error) if self.arm().tries_older(kind, version, &error) => {}
                sent => break (url, sent, self.arm().url(parts.clone(), &[], version)?),
            }
        };
        if kind.store.is_some() {
            self.datastore_cache().clear().await;
        }
        self.arm().forget_names(kind);
        let answer = sent.map_err(missing_reference)?;
        if self.follow(&url, &answer).await? {
            return self.shown(&own, &answer.act).await;
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        let document = answer.json()?;
        match is_under_way(&document) {
            true => self.poll_resource(&own, &answer).await,
            false => Ok(document),
        }
    }

    /// Deletes an item; one that is not there is no error.
    pub async fn delete(&self, id: &ItemId, api_version: &str) -> Result<(), Error> {
        let kind = Kind::by_name(&id.kind)?;
        let parts = item_parts(kind, id)?;
        let (url, answer) = loop {
            let version = self.arm().version_to_write(kind, api_version)?;
            let parts = parts.iter().map(String::as_str);
            let url = self.arm().url(parts, &[], version)?;
            let request = Request::new(url.clone(), Method::Delete);
            let answer = self
                .connection()
                .send(Access::Token, Context::new(), request);
            match answer.await {
                Err(error) if self.arm().tries_older(kind, version, &error) => {}
                answer => break (url, answer),
            }
        };
        self.arm().forget_names(kind);
        match answer {
            Ok(answer) => self.follow(&url, &answer).await.map(|_| ()),
            Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Follows a long operation to its end, if the answer started one.
    pub(super) async fn follow(&self, from: &Url, answer: &Answer) -> Result<bool, Error> {
        if let Some(address) = answer.header("azure-asyncoperation") {
            let url = self.operation(from, address)?;
            self.poll_status(&url, answer).await?;
            return Ok(true);
        }
        match answer.header("location") {
            Some(address) if answer.status == 202 => {
                let url = self.operation(from, address)?;
                self.poll_location(&url, answer).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The address of an operation, which must be on the same host.
    fn operation(&self, from: &Url, address: &str) -> Result<Url, Error> {
        match from.join(address) {
            Ok(url) if url.scheme() == "https" && host_of(&url) == host_of(from) => Ok(url),
            Ok(url) => Err(Error::Untrusted {
                host: host_of(&url),
            }),
            Err(_) => Err(Error::Name {
                text: shortened(address.split('?').next().unwrap_or_default(), 200),
                what: "the address of an operation",
            }),
        }
    }

    async fn poll_status(&self, url: &Url, started: &Answer) -> Result<(), Error> {
        let mut pause = Pause::new(started, self);
        loop {
            pause.wait(&started.act).await?;
            let answer = self.connection().get(url.clone()).await?;
            let document = answer.json()?;
            let status = document
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match status {
                "Succeeded" => return Ok(()),
                "Failed" | "Canceled" | "Cancelled" => {
                    return Err(Error::Operation {
                        act: started.act.clone(),
                        status: status.to_owned(),
                        reason: reason_of(&document, &answer),
                    });
                }
                // Any other is under way.
                _ => pause.next(&answer, self),
            }
        }
    }

    async fn poll_location(&self, url: &Url, started: &Answer) -> Result<(), Error> {
        let mut pause = Pause::new(started, self);
        loop {
            pause.wait(&started.act).await?;
            let request = Request::new(url.clone(), Method::Get);
            let answer = self
                .connection()
                .exchange(Access::Token, Context::new(), request)
                .await?;
            if answer.status != 202 {
                return success(answer).map(|_| ());
            }
            pause.next(&answer, self);
        }
    }

    /// An operation of which no header tells, but the state of the resource itself.
    pub(super) async fn poll_resource(&self, url: &Url, started: &Answer) -> Result<Value, Error> {
        let mut pause = Pause::new(started, self);
        loop {
            pause.wait(&started.act).await?;
            let answer = self.connection().get(url.clone()).await?;
            let document = made(&answer, &started.act)?;
            if !is_under_way(&document) {
                return Ok(document);
            }
            pause.next(&answer, self);
        }
    }

    /// What the service shows after an operation; it may take a moment to show it. An operation may say that it succeeded
    /// and leave something that says of itself that it failed.
    pub(super) async fn shown(&self, url: &Url, act: &str) -> Result<Value, Error> {
        let mut tries = 0;
        loop {
            match self.connection().get(url.clone()).await {
                Ok(answer) => return made(&answer, act),
                Err(Error::NotFound(_)) if tries < SHOWN_TRIES => {
                    tries += 1;
                    tokio::time::sleep(POLL_FIRST * tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What was made, unless it says of itself that it was not.
fn made(answer: &Answer, act: &str) -> Result<Value, Error> {
    let document = answer.json()?;
    if has_failed(&document) {
        return Err(Error::Operation {
            act: act.to_owned(),
            status: provisioning_state(&document).to_owned(),
            reason: reason_of(&document, answer),
        });
    }
    Ok(document)
}

fn provisioning_state(document: &Value) -> &str {
    let state = document.pointer("/properties/provisioningState");
    state.and_then(Value::as_str).unwrap_or_default()
}

/// Whether a resource says of itself that making it failed. It is there all the same, and may be written again.
pub fn has_failed(document: &Value) -> bool {
    matches!(provisioning_state(document), "Failed" | "Canceled")
}

/// Whether a resource says of itself that it is still being made. Words that are not known count as an end.
pub(super) fn is_under_way(document: &Value) -> bool {
    matches!(
        provisioning_state(document),
        "Accepted" | "Creating" | "InProgress" | "Provisioning" | "Running" | "Updating"
    )
}

/// The wait between two looks at an operation.
struct Pause {
    next: Duration,
    waited: Duration,
    growing: Duration,
}

impl Pause {
    fn new(started: &Answer, workspace: &AzureWorkspace) -> Self {
        let mut pause = Self {
            next: POLL_FIRST,
            waited: Duration::ZERO,
            growing: POLL_FIRST,
        };
        pause.next(started, workspace);
        pause
    }

    fn next(&mut self, answer: &Answer, workspace: &AzureWorkspace) {
        let now = workspace.connection().clock().now();
        self.ask(retry_after(&answer.headers, now));
    }

    /// Waits next as the service asks for, but never less than the first wait: the end is counted in waits, and without any
    /// it would never come.
    fn ask(&mut self, asked: Option<Duration>) {
        self.next = asked.unwrap_or(self.growing).max(POLL_FIRST);
        self.growing = (self.growing * 2).min(POLL_MOST);
    }

    async fn wait(&mut self, act: &str) -> Result<(), Error> {
        self.waited = self.waited.saturating_add(self.next);
        if self.waited > POLL_FOR {
            return Err(Error::Operation {
                act: act.to_owned(),
                status: "Running".to_owned(),
                reason: "it did not end in two hours".to_owned(),
            });
        }
        tokio::time::sleep(self.next).await;
        Ok(())
    }
}

/// What a failed operation says of itself: code, message, details, and the id of the answer for Azure's support.
fn reason_of(document: &Value, answer: &Answer) -> String {
    let error = document.get("error").unwrap_or(&Value::Null);
    let code = error.get("code").and_then(Value::as_str);
    let code = shortened(code.unwrap_or("no code"), 80);
    let message = shortened(&told(error).unwrap_or_default(), 400);
    match answer.header("x-ms-request-id") {
        Some(id) => format!("{code}: {message} (request {})", shortened(id, 80)),
        None => format!("{code}: {message}"),
    }
}

/// A PUT that is answered by 404, or refused because something it names is not there.
fn missing_reference(error: Error) -> Error {
    let names_missing = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("not found") || text.contains("does not exist") || text.contains("notfound")
    };
    match error {
        Error::NotFound(refusal) => Error::MissingReference(refusal),
        Error::Invalid(refusal)
            if names_missing(&refusal.code) || names_missing(&refusal.message) =>
        {
            Error::MissingReference(refusal)
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause() -> Pause {
        Pause {
            next: POLL_FIRST,
            waited: Duration::ZERO,
            growing: POLL_FIRST,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_asks_for_no_wait_is_given_up_after_two_hours_too() {
        let start = tokio::time::Instant::now();
        let mut pause = pause();
        let mut looks = 0;
        while looks < 100_000 && pause.wait("PUT x").await.is_ok() {
            looks += 1;
            pause.ask(Some(Duration::ZERO));
        }
        assert_eq!(looks, 2 * 60 * 60 * 2, "two a second");
        assert!(start.elapsed() >= POLL_FOR, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_asks_for_the_longest_wait_of_all_is_given_up_at_once() {
        let start = tokio::time::Instant::now();
        let mut pause = pause();
        assert!(pause.wait("PUT x").await.is_ok());
        pause.ask(Some(Duration::MAX));
        assert!(matches!(
            pause.wait("PUT x").await,
            Err(Error::Operation { .. })
        ));
        assert!(start.elapsed() < POLL_MOST, "{:?}", start.elapsed());
    }
}
