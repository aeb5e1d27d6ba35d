//! Which page an address means, and the headers of each answer. Nothing is loaded from elsewhere, nothing runs in a
//! page, and no other page may hold it in a frame.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use tokio::sync::Semaphore;
use url::form_urlencoded;

use super::access::Access;
use super::frame;
use super::lock;
use super::view::{Plans, Source, View};
use super::{item, overview, snapshot, tree};
use crate::failure::Failure;
use crate::health::Health;
use crate::metrics::Metrics;

/// How many pages are made at once; more wait, so that memory has a bound.
const AT_ONCE: usize = 4;
/// The longest query that is read, in bytes.
const QUERY_BYTES_MAX: usize = 16 << 10;

/// What all answers are made of.
#[derive(Debug)]
pub(super) struct Shared {
    access: Access,
    metrics: Metrics,
    policy: HeaderValue,
    turns: Semaphore,
    pub(super) healths: Mutex<Vec<Health>>,
    pub(super) source: Mutex<Option<Source>>,
    pub(super) plans: Mutex<Plans>,
}

impl Shared {
    pub(super) fn new(access: Access, metrics: Metrics) -> Self {
        Self {
            access,
            metrics,
            policy: frame::policy(),
            turns: Semaphore::new(AT_ONCE),
            healths: Mutex::default(),
            source: Mutex::default(),
            plans: Mutex::default(),
        }
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The address means nothing here.
    Unknown,
    /// What it asks for cannot be read.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<archive_format::Error> for Refusal {
    fn from(error: archive_format::Error) -> Self {
        Self::Failed(Failure::of_archive(&error))
    }
}

/// The part of an address behind `?`.
#[derive(Debug, Default)]
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    fn parse(text: &'a str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).take(16).collect())
    }

    /// The value of a name that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_ref())
            .filter(|value| !value.is_empty())
    }
}

/// Answers a request.
pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    // The body is dropped unread.
    let (request, _) = request.into_parts();
    let mut response = match refused(&shared, &request) {
        Some(response) => response,
        None => respond(&shared, &request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, shared.policy.clone());
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

/// Besides the content security policy.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

fn refused(shared: &Shared, request: &Parts) -> Option<Response> {
    if !shared.access.knows_host(&request.headers) {
        return Some(plain(
            StatusCode::MISDIRECTED_REQUEST,
            "This is not the host that was asked for; use 127.0.0.1 or localhost\n",
        ));
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "Nothing can be changed here\n",
        );
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    if request.uri.path() == "/healthz" || shared.access.allows(&request.headers) {
        return None;
    }
    let mut response = plain(
        StatusCode::UNAUTHORIZED,
        "The token of `token_file` is asked for, as password or as bearer\n",
    );
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"mlark\", charset=\"UTF-8\""),
    );
    Some(response)
}

async fn respond(shared: &Shared, request: &Parts) -> Response {
    match request.uri.path() {
        "/metrics" => of(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            shared.metrics.text(),
        ),
        "/healthz" => health(shared, shared.access.allows(&request.headers)),
        path => page(shared, path, request.uri.query().unwrap_or_default()).await,
    }
}

async fn page(shared: &Shared, path: &str, query: &str) -> Response {
    let html = |status, text| of(status, "text/html; charset=utf-8", text);
    // It is never closed, so that a turn always comes.
    let _turn = shared.turns.acquire().await;
    let source = lock(&shared.source).clone();
    let plans = lock(&shared.plans).clone();
    let Some(source) = source else {
        return html(StatusCode::SERVICE_UNAVAILABLE, frame::starting());
    };
    if query.len() > QUERY_BYTES_MAX {
        return html(StatusCode::URI_TOO_LONG, frame::unknown());
    }
    let query = Query::parse(query);
    let made = match Place::of(path) {
        None => Err(Refusal::Unknown),
        Some(place) => place.make(&source.view(plans).await, &query).await,
    };
    match made {
        Ok(text) => html(StatusCode::OK, text),
        Err(Refusal::Unknown) => html(StatusCode::NOT_FOUND, frame::unknown()),
        Err(Refusal::Failed(failure)) => {
            html(StatusCode::SERVICE_UNAVAILABLE, frame::failed(&failure))
        }
    }
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Overview,
    Snapshot(&'a str),
    Items(&'a str),
    Item(&'a str),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if path == "/" {
            return Some(Self::Overview);
        }
        let mut parts = path.strip_prefix("/snapshots/")?.split('/');
        let id = parts.next()?;
        match (parts.next(), parts.next()) {
            (None, None) => Some(Self::Snapshot(id)),
            (Some("items"), None) => Some(Self::Items(id)),
            (Some("item"), None) => Some(Self::Item(id)),
            _ => None,
        }
    }

    async fn make(&self, view: &View, query: &Query<'_>) -> Result<String, Refusal> {
        match self {
            Self::Overview => overview::page(view).await,
            Self::Snapshot(id) => snapshot::page(view, id).await,
            Self::Items(id) => tree::page(view, id, query).await,
            Self::Item(id) => item::page(view, id, query).await,
        }
    }
}

/// The answer is 200 as long as the daemon lives: whether backups are good stands in the body and in the metrics, and
/// restarting the daemon would not mend them. Whoever may not see more learns only that.
fn health(shared: &Shared, whole: bool) -> Response {
    let healths = lock(&shared.healths);
    let is_known = lock(&shared.source).is_some();
    let mut document = serde_json::json!({
        "alive": true,
        "healthy": is_known && healths.iter().all(|health| health.state.is_well()),
    });
    if whole {
        document["workspaces"] = serde_json::json!(*healths);
    }
    of(StatusCode::OK, "application/json", format!("{document}\n"))
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    of(status, "text/plain; charset=utf-8", text.to_owned())
}

fn of(status: StatusCode, sort: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(sort));
    response
}
