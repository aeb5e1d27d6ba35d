//! What arrived: counts by route and by client, calls that came again before `Retry-After` allowed it, and calls that were
//! tried again at all.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use crate::call::{Call, Service};
use crate::clock::later;
use crate::faults::key;
use crate::reply::{Reply, WireFault};

/// Arrivals that are remembered one by one at most.
const KEPT: usize = 200_000;

/// One call, as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// At which service.
    pub service: Service,
    /// Storage account or region in its host.
    pub label: String,
    /// Method.
    pub method: String,
    /// Path and query as sent, signatures taken out.
    pub target: String,
    /// Route template.
    pub route: String,
    /// Status of the answer; 0 for a reset.
    pub status: u16,
}

/// Calls of one route that were answered alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Route {
    /// Service.
    pub service: Service,
    /// Method.
    pub method: String,
    /// Route template.
    pub route: String,
    /// Status of the answers; 0 for resets.
    pub status: u16,
}

/// Calls of one client to one route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OfClient {
    /// The first product in its `User-Agent`, such as `azsdk-python-storage-blob/12.31.1`.
    pub client: String,
    /// Service.
    pub service: Service,
    /// Method.
    pub method: String,
    /// Route template.
    pub route: String,
}

/// A call that came again after an answer that was no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Who tried again.
    pub client: String,
    /// Method.
    pub method: String,
    /// Route template.
    pub route: String,
    /// The answer before; 0 for a reset.
    pub after: u16,
}

/// An answer that was no success, and the id that the client gave the call.
#[derive(Debug)]
struct Trouble {
    status: u16,
    id: Option<String>,
}

/// What arrived so far.
#[derive(Debug, Default)]
pub struct Arrivals {
    counts: BTreeMap<Route, u64>,
    clients: BTreeMap<OfClient, u64>,
    trouble: HashMap<String, Trouble>,
    retried: Vec<Retried>,
    log: Vec<Arrival>,
    not_before: HashMap<String, Timestamp>,
    early: Vec<String>,
    received: BTreeMap<Service, u64>,
    sent: BTreeMap<Service, u64>,
}

impl Arrivals {
    /// Notes a call before it is answered: did it come too early, or again?
    pub(crate) fn came(&mut self, call: &Call, route: &str) {
        let key = key(call);
        if let Some(before) = self.trouble.remove(&key)
            && before.is_tried_again(call)
        {
            self.retried.push(Retried {
                client: client(call).to_owned(),
                method: call.method.to_string(),
                route: route.to_owned(),
                after: before.status,
            });
        }
        let Some(moment) = self.not_before.remove(&key) else {
            return;
        };
        if call.now < moment {
            self.early
                .push(format!("{key} came at {} and not after {moment}", call.now));
        }
    }

    /// Notes the answer to a call.
    pub(crate) fn answered(&mut self, call: &Call, route: &str, reply: &Reply) {
        let reset = matches!(reply.fault, WireFault::Reset);
        let status = if reset { 0 } else { reply.status.as_u16() };
        let throttled = matches!(
            reply.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let exact = reply
            .header("x-ms-retry-after-ms")
            .and_then(|wait| wait.parse().ok())
            .map(|wait| later(call.now, Duration::from_millis(wait)));
        let stated = reply.header("retry-after");
        let then = exact.or_else(|| stated.map(|wait| moment(wait, reply, call.now)));
        if let Some(then) = then.filter(|_| throttled && !reset) {
            self.not_before.insert(key(call), then);
        }
        if call.service == Service::Control {
            return;
        }
        *self.received.entry(call.service).or_default() += call.body.len() as u64;
        *self.sent.entry(call.service).or_default() += sent(call, reply);
        let method = call.method.to_string();
        let counted = Route {
            service: call.service,
            method: method.clone(),
            route: route.to_owned(),
            status,
        };
        *self.counts.entry(counted).or_default() += 1;
        let of_client = OfClient {
            client: client(call).to_owned(),
            service: call.service,
            method: method.clone(),
            route: route.to_owned(),
        };
        *self.clients.entry(of_client).or_default() += 1;
        if !(200..400).contains(&status) {
            let id = call.header(REQUEST_ID).map(str::to_owned);
            self.trouble.insert(key(call), Trouble { status, id });
        }
        if self.log.len() < KEPT {
            let target = format!("{}?{}", call.raw_path, without_signature(&call.raw_query));
            let (service, label) = (call.service, call.label.clone());
            self.log.push(Arrival {
                at: call.now,
                service,
                label,
                method,
                target,
                route: route.to_owned(),
                status,
            });
        }
    }

    /// Counts by route, since the last reset.
    pub fn counts(&self) -> &BTreeMap<Route, u64> {
        &self.counts
    }

    /// How many calls of a service, method and route there were, whatever the answer.
    pub fn count(&self, service: Service, method: &str, route: &str) -> u64 {
        let fits = |of: &Route| of.service == service && of.method == method && of.route == route;
        self.counts
            .iter()
            .filter(|(of, _)| fits(of))
            .map(|(_, n)| n)
            .sum()
    }

    /// Bytes of bodies that a service received since the last reset.
    pub fn received(&self, service: Service) -> u64 {
        self.received.get(&service).copied().unwrap_or_default()
    }

    /// Bytes of bodies that a service sent since the last reset; of one that was cut short, those before the cut.
    pub fn sent(&self, service: Service) -> u64 {
        self.sent.get(&service).copied().unwrap_or_default()
    }

    /// Counts by client, service, method and route, whatever the answers.
    pub fn clients(&self) -> &BTreeMap<OfClient, u64> {
        &self.clients
    }

    /// Calls that came again after an answer that was no success.
    pub fn retried(&self) -> &[Retried] {
        &self.retried
    }

    /// All calls in their order, up to a bound.
    pub fn log(&self) -> &[Arrival] {
        &self.log
    }

    /// Calls that came again too early, for people.
    pub fn early(&self) -> &[String] {
        &self.early
    }

    /// Forgets counts, log, early and repeated calls; what clients were told to wait for stays.
    pub fn reset(&mut self) {
        self.counts.clear();
        self.clients.clear();
        self.retried.clear();
        self.trouble.clear();
        self.log.clear();
        self.early.clear();
        self.received.clear();
        self.sent.clear();
    }
}

/// The id that a client gives a call, and each further try of it.
const REQUEST_ID: &str = "x-ms-client-request-id";

impl Trouble {
    /// Whether the same call is another try: it says so by its id, or the answer was one after which clients try again.
    fn is_tried_again(&self, call: &Call) -> bool {
        let passing = matches!(self.status, 0 | 401 | 408 | 429 | 500..);
        let id = call.header(REQUEST_ID);
        passing || (id.is_some() && id == self.id.as_deref())
    }
}

/// The first product of a `User-Agent`.
fn client(call: &Call) -> &str {
    let agent = call.header("user-agent").unwrap_or_default();
    agent.split(' ').next().unwrap_or_default()
}

fn sent(call: &Call, reply: &Reply) -> u64 {
    let bytes = match reply.fault {
        _ if call.method == http::Method::HEAD => 0,
        WireFault::Reset => 0,
        WireFault::Truncate(at) => at.min(reply.body.len()),
        _ => reply.body.len(),
    };
    bytes as u64
}

/// The first moment that a `Retry-After` allows. A date in it is by the clock of the answer's own `Date`.
fn moment(wait: &str, reply: &Reply, now: Timestamp) -> Timestamp {
    if let Ok(seconds) = wait.parse() {
        return later(now, Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let Some(then) = date(wait) else { return now };
    let from = reply.header("date").and_then(date).unwrap_or(now);
    let wait = Duration::try_from(then.duration_since(from));
    later(now, wait.unwrap_or_default())
}

fn without_signature(query: &str) -> String {
    let parts = query.split('&').filter(|part| !part.starts_with("sig="));
    parts.collect::<Vec<_>>().join("&")
}
