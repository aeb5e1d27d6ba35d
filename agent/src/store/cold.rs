//! Tiers, locks and holds of a container of Azure Blob Storage, by the blob service's own operations: Get Blob Properties,
//! List Blobs, Set Blob Tier, Copy Blob, Set Blob Immutability Policy, Set Blob Legal Hold (REST reference, 2023-11-03).
//!
//! It uses the credential and the address of the store that it belongs to. Every request comes to the same when it is sent
//! twice, so that the pipeline may repeat it.

mod versions;

use archive_format::FileName;
use archive_format::storage::object::guard::Refused;
use archive_format::storage::{
    ColdState, ColdStorage, Keeping, Lock, LockMode, Priority, Remains, StorageError, StorageFault,
    Tier, Way,
};
use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{Method, Request};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use object_store::azure::{AzureCredential, AzureCredentialProvider};
use url::Url;
use workspace::azure::{Channel, Repeat, Reply};

/// The version of the service that is spoken: it knows the cold tier.
const VERSION: &str = "2023-11-03";

/// The longest page of a listing.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// No other answer has a body that is looked at beyond this.
const BODY_BYTES_MAX: u64 = 64 << 10;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A container, or the part of it whose names begin with a prefix.
#[derive(Debug)]
pub(super) struct AzureCold {
    pub(super) channel: Channel,
    pub(super) credentials: AzureCredentialProvider,
    /// The blob service's address.
    pub(super) service: Url,
    pub(super) container: String,
    pub(super) prefix: String,
    /// Its name for people.
    pub(super) place: String,
}

/// What is asked of the service: an act, on a name, for messages.
#[derive(Clone, Copy)]
struct Act<'a> {
    does: &'static str,
    name: &'a str,
}

impl AzureCold {
    /// The address of a file, or of the container itself.
    fn url(&self, name: Option<&FileName>) -> Result<Url, Cause> {
        let mut url = self.service.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| "the service's address takes no path")?;
            path.pop_if_empty().push(&self.container);
            if let Some(name) = name {
                let prefix = self.prefix.split('/').filter(|part| !part.is_empty());
                path.extend(prefix).extend(name.as_str().split('/'));
            }
        }
        Ok(url)
    }

    /// A request without its authorisation.
    fn request(
        &self,
        method: Method,
        name: Option<&FileName>,
        queries: &[(&str, &str)],
    ) -> Result<Request, Cause> {
        let mut url = self.url(name)?;
        if !queries.is_empty() {
            url.query_pairs_mut().extend_pairs(queries);
        }
        let mut request = Request::new(url, method);
        put(&mut request, "x-ms-version", VERSION);
        if method == Method::Put {
            put(&mut request, "content-length", "0");
        }
        Ok(request)
    }

    /// Sends a request as the store's identity. An answer that is no success is the error that it means.
    async fn send(
        &self,
        act: Act<'_>,
        mut request: Request,
        limit: u64,
    ) -> Result<Reply, StorageError> {
        let fails = |fault, source: Cause| self.error(act, fault, source);
        match self.credentials.get_credential().await {
            Ok(credential) => authorise(&mut request, &credential),
            Err(error) => return Err(fails(StorageFault::Denied, denied(&error))),
        }
        let sent = self.channel.send(request, Repeat::Allowed, limit).await;
        let reply = sent.map_err(|error| fails(StorageFault::Other, error.into()))?;
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let refused = Refused::read(
            reply.status,
            text(&reply.headers, "x-ms-error-code"),
            &reply.body,
        );
        // Here a header that is not taken is that of a lock or a tier which the container is not made for.
        let fault = match (refused.status, refused.code.as_str()) {
            (400, "InvalidHeaderValue" | "UnsupportedHeader") => StorageFault::Unsupported,
            _ => refused.fault(),
        };
        Err(fails(fault, refused.into()))
    }

    fn error(&self, act: Act<'_>, fault: StorageFault, source: Cause) -> StorageError {
        StorageError {
            act: act.does,
            name: act.name.to_owned(),
            place: self.place.clone(),
            fault,
            source,
        }
    }

    fn other(&self, act: Act<'_>, source: impl Into<Cause>) -> StorageError {
        self.error(act, StorageFault::Other, source.into())
    }

    /// A PUT of a part of a file's state.
    async fn set(
        &self,
        does: &'static str,
        name: &FileName,
        component: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Reply, StorageError> {
        let act = Act {
            does,
            name: name.as_str(),
        };
        let queries: &[(&str, &str)] = match component {
            "" => &[],
            component => &[("comp", component)],
        };
        let request = self.request(Method::Put, Some(name), queries);
        let mut request = request.map_err(|error| self.other(act, error))?;
        for (header, value) in headers {
            put(&mut request, header, value);
        }
        self.send(act, request, BODY_BYTES_MAX).await
    }

    /// Where a copy comes from: with a signature where that is what opens the account.
    async fn source(&self, act: Act<'_>, name: &FileName) -> Result<Url, StorageError> {
        let url = self.url(Some(name));
        let mut url = url.map_err(|error| self.other(act, error))?;
        let credential = self.credentials.get_credential().await;
        match credential.as_deref() {
            Ok(AzureCredential::SASToken(pairs)) => {
                url.query_pairs_mut().extend_pairs(pairs);
            }
            Ok(_) => {}
            Err(error) => return Err(self.error(act, StorageFault::Denied, denied(error))),
        }
        Ok(url)
    }

    /// Begins a copy to the hot tier. One that is there stays, unless it failed.
    async fn copy(&self, name: &FileName, priority: Priority) -> Result<(), StorageError> {
        let act = Act {
            does: "rehydrate",
            name: name.as_str(),
        };
        let copy = name.copy().map_err(|error| self.other(act, error))?;
        let source = self.source(act, name).await?;
        let there = self.properties(&copy).await?;
        let failed = there.is_some_and(|reply| {
            let status = text(&reply.headers, "x-ms-copy-status");
            matches!(status, Some("failed" | "aborted"))
        });
        let mut headers = vec![
            ("x-ms-copy-source", source.as_str()),
            ("x-ms-access-tier", azure_tier(Tier::Hot)),
            ("x-ms-rehydrate-priority", azure_priority(priority)),
        ];
        if !failed {
            headers.push(("if-none-match", "*"));
        }
        match self.set("rehydrate", &copy, "", &headers).await {
            Err(error) if !failed && is_there(&error) => Ok(()),
            done => done.map(drop),
        }
    }

    /// What is known of a file, none where it does not exist.
    async fn properties(&self, name: &FileName) -> Result<Option<Reply>, StorageError> {
        let act = Act {
            does: "look at",
            name: name.as_str(),
        };
        let request = self.request(Method::Head, Some(name), &[]);
        let request = request.map_err(|error| self.other(act, error))?;
        match self.send(act, request, BODY_BYTES_MAX).await {
            Ok(reply) => Ok(Some(reply)),
            Err(error) if error.fault == StorageFault::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of a listing, and where the next begins.
    async fn page(
        &self,
        prefix: &str,
        marker: &str,
    ) -> Result<(Vec<(FileName, ColdState)>, Option<String>), StorageError> {
        let act = Act {
            does: "list",
            name: prefix,
        };
        let before = match self.prefix.as_str() {
            "" => String::new(),
            own => format!("{own}/"),
        };
        let whole = format!("{before}{prefix}");
        let mut queries = vec![
            ("restype", "container"),
            ("comp", "list"),
            ("prefix", whole.as_str()),
            ("include", "copy,immutabilitypolicy,legalhold"),
        ];
        if !marker.is_empty() {
            queries.push(("marker", marker));
        }
        let request = self.request(Method::Get, None, &queries);
        let request = request.map_err(|error| self.other(act, error))?;
        let reply = self.send(act, request, PAGE_BYTES_MAX).await?;
        let page = std::str::from_utf8(&reply.body).map_err(|error| self.other(act, error))?;
        let entries = page.split("<Blob>").skip(1);
        let files = entries.filter_map(|entry| {
            // What has a name that no file of ours can have was put there by somebody else.
            let name = element(entry, "Name")?.strip_prefix(before.as_str())?;
            let name = FileName::new(name).ok()?;
            state_of(|known| element(entry, known.in_list)).map(|state| (name, state))
        });
        let next = element(page, "NextMarker").filter(|marker| !marker.is_empty());
        Ok((files.collect(), next.map(unescaped)))
    }
}

#[async_trait]
impl ColdStorage for AzureCold {
    async fn keeping(&self) -> Result<Keeping, StorageError> {
        let act = Act {
            does: "look at",
            name: "the container",
        };
        let request = self.request(Method::Head, None, &[("restype", "container")]);
        let request = request.map_err(|error| self.other(act, error))?;
        let reply = self.send(act, request, BODY_BYTES_MAX).await?;
        let says = |name| text(&reply.headers, name) == Some("true");
        Ok(Keeping {
            by_file: says("x-ms-immutable-storage-with-versioning-enabled"),
            policy: says("x-ms-has-immutability-policy"),
            held: says("x-ms-has-legal-hold"),
        })
    }

    async fn state(&self, name: &FileName) -> Result<Option<ColdState>, StorageError> {
        let Some(reply) = self.properties(name).await? else {
            return Ok(None);
        };
        let state = state_of(|known| text(&reply.headers, known.in_header));
        let act = Act {
            does: "look at",
            name: name.as_str(),
        };
        let state = state.ok_or_else(|| self.other(act, "the answer has no length"))?;
        Ok(Some(state))
    }

    fn states(&self, prefix: &str) -> BoxStream<'_, Result<(FileName, ColdState), StorageError>> {
        let start = Some((prefix.to_owned(), String::new()));
        stream::try_unfold(start, move |from| async move {
            let Some((prefix, marker)) = from else {
                return Ok(None);
            };
            let (files, next) = self.page(&prefix, &marker).await?;
            let page = stream::iter(files.into_iter().map(Ok));
            Ok(Some((page, next.map(|marker| (prefix, marker)))))
        })
        .try_flatten()
        .boxed()
    }

    async fn set_tier(&self, name: &FileName, tier: Tier) -> Result<(), StorageError> {
        let headers = [("x-ms-access-tier", azure_tier(tier))];
        self.set("move", name, "tier", &headers).await.map(drop)
    }

    async fn rehydrate(
        &self,
        name: &FileName,
        way: Way,
        priority: Priority,
    ) -> Result<(), StorageError> {
        if way == Way::Copy {
            return self.copy(name, priority).await;
        }
        let headers = [
            ("x-ms-access-tier", azure_tier(Tier::Hot)),
            ("x-ms-rehydrate-priority", azure_priority(priority)),
        ];
        match self.set("rehydrate", name, "tier", &headers).await {
            // It is on its way, perhaps to another tier.
            Err(error) if error.fault == StorageFault::Archived => Ok(()),
            done => done.map(drop),
        }
    }

    async fn lock(&self, name: &FileName, lock: Lock) -> Result<(), StorageError> {
        let until = lock.until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [
            ("x-ms-immutability-policy-until-date", until.as_str()),
            ("x-ms-immutability-policy-mode", lock.mode.name()),
        ];
        let done = self.set("lock", name, "immutabilityPolicies", &headers);
        done.await.map(drop)
    }

    async fn hold(&self, name: &FileName, held: bool) -> Result<(), StorageError> {
        let headers = [("x-ms-legal-hold", if held { "true" } else { "false" })];
        let done = self.set("hold", name, "legalhold", &headers);
        done.await.map(drop)
    }

    async fn delete_versions(&self, name: &FileName) -> Result<Remains, StorageError> {
        self.purge(name).await
    }
}

/// A property of a file as headers and as listings name it.
#[derive(Clone, Copy)]
struct Known {
    in_header: &'static str,
    in_list: &'static str,
}

const fn known(in_header: &'static str, in_list: &'static str) -> Known {
    Known { in_header, in_list }
}

const SIZE: Known = known("content-length", "Content-Length");
const TIER: Known = known("x-ms-access-tier", "AccessTier");
const TIER_SINCE: Known = known("x-ms-access-tier-change-time", "AccessTierChangeTime");
const MODIFIED: Known = known("last-modified", "Last-Modified");
const ARCHIVE_STATUS: Known = known("x-ms-archive-status", "ArchiveStatus");
const COPY_STATUS: Known = known("x-ms-copy-status", "CopyStatus");
const UNTIL: Known = known(
    "x-ms-immutability-policy-until-date",
    "ImmutabilityPolicyUntilDate",
);
const MODE: Known = known("x-ms-immutability-policy-mode", "ImmutabilityPolicyMode");
const HOLD: Known = known("x-ms-legal-hold", "LegalHold");

/// The state that properties describe; none where they have no length.
fn state_of<'a>(get: impl Fn(Known) -> Option<&'a str>) -> Option<ColdState> {
    let date = |known| -> Option<Timestamp> { date(get(known)?) };
    let returning = match get(ARCHIVE_STATUS) {
        Some(status) => Some(
            status
                .strip_prefix("rehydrate-pending-to-")
                .and_then(Tier::by_name)
                .unwrap_or(Tier::Hot),
        ),
        // A copy whose bytes are not there is not readable either.
        None => get(COPY_STATUS)
            .filter(|status| *status != "success")
            .map(|_| Tier::Hot),
    };
    let locked = |mode: &str| mode.eq_ignore_ascii_case("locked");
    Some(ColdState {
        size: get(SIZE)?.parse().ok()?,
        tier: get(TIER).and_then(Tier::by_name),
        written: date(MODIFIED),
        since: date(TIER_SINCE).or_else(|| date(MODIFIED)),
        returning,
        lock: date(UNTIL).map(|until| Lock {
            until,
            mode: match get(MODE).is_some_and(locked) {
                true => LockMode::Locked,
                false => LockMode::Unlocked,
            },
        }),
        held: get(HOLD) == Some("true"),
    })
}

fn azure_tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Hot => "Hot",
        Tier::Cool => "Cool",
        Tier::Cold => "Cold",
        Tier::Archive => "Archive",
    }
}

fn azure_priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Standard => "Standard",
        Priority::High => "High",
    }
}

/// Whether a create was refused because its name is taken.
fn is_there(error: &StorageError) -> bool {
    let refused = error.source.downcast_ref::<Refused>();
    refused.is_some_and(|refused| {
        refused.status == 409 && refused.code == "BlobAlreadyExists" || refused.status == 412
    })
}

fn authorise(request: &mut Request, credential: &AzureCredential) {
    match credential {
        AzureCredential::SASToken(pairs) => {
            request.url_mut().query_pairs_mut().extend_pairs(pairs);
        }
        AzureCredential::BearerToken(token) => {
            put(request, "authorization", &format!("Bearer {token}"));
        }
        // No credential of ours signs requests with the account's key.
        AzureCredential::AccessKey(_) => {}
    }
}

/// Why no credential was given, in the words of whoever was asked.
fn denied(error: &object_store::Error) -> Cause {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().into()
}

fn put(request: &mut Request, name: &'static str, value: &str) {
    let name = HeaderName::from_static(name);
    request.insert_header(name, HeaderValue::from(value.to_owned()));
}

fn text<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name))
}

/// The text of the first element of this name. Text in XML has no `<`.
fn element<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// A date of HTTP.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_listings_tell_the_same_of_a_file() {
        let entry = "<Name>a</Name><Properties><Last-Modified>Mon, 23 Nov 2026 02:00:00 GMT</Last-Modified><Content-Length>7</Content-Length>\
            <AccessTier>Archive</AccessTier><ArchiveStatus>rehydrate-pending-to-cool</ArchiveStatus>\
            <ImmutabilityPolicyUntilDate>Tue, 23 Nov 2027 02:00:00 GMT</ImmutabilityPolicyUntilDate><ImmutabilityPolicyMode>locked</ImmutabilityPolicyMode>\
            <LegalHold>true</LegalHold></Properties>";
        let listed = state_of(|known| element(entry, known.in_list));
        let headers = [
            ("last-modified", "Mon, 23 Nov 2026 02:00:00 GMT"),
            ("content-length", "7"),
            ("x-ms-access-tier", "Archive"),
            ("x-ms-archive-status", "rehydrate-pending-to-cool"),
            (
                "x-ms-immutability-policy-until-date",
                "Tue, 23 Nov 2027 02:00:00 GMT",
            ),
            ("x-ms-immutability-policy-mode", "Locked"),
            ("x-ms-legal-hold", "true"),
        ];
        let headed = state_of(|known| {
            let found = headers.iter().find(|(name, _)| *name == known.in_header);
            found.map(|(_, value)| *value)
        });
        assert_eq!(listed, headed);
        let state = headed.unwrap_or_else(|| panic!("it has a length"));
        assert_eq!(state.returning, Some(Tier::Cool));
        assert!(state.held && !state.is_readable());
        assert_eq!(state.lock.map(|lock| lock.mode), Some(LockMode::Locked));
    }

    #[test]
    fn a_copy_that_is_under_way_cannot_be_read() {
        let state = |status: &'static str| {
            state_of(|known| match known.in_header {
                "content-length" => Some("1"),
                "x-ms-copy-status" => Some(status),
                _ => None,
            })
        };
        assert!(state("success").is_some_and(|state| state.is_readable()));
        assert!(state("pending").is_some_and(|state| !state.is_readable()));
        assert_eq!(
            state_of(|_| None),
            None,
            "without a length nothing is known"
        );
    }
}
