//! The simulator itself: one function from request to answer, over one state.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use crate::arm::WorkspaceSpec;
use crate::call::{Call, Service};
use crate::clock::{Clock, SystemClock, http_date};
use crate::faults::{self, Fault, Rule};
use crate::recorder::Recorder;
use crate::reply::{Answer, Refusal, Reply, settle};
use crate::state::{Settings, State};
use crate::workspace::WorkspaceKey;
use crate::{
    arm, artifact, blob, control, dfs, discovery, gate, history, limits, login, metric, mlflow,
    route, share,
};

/// A stand-in for Azure, whole and in memory. Clones share their state.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

/// Shows nothing of what is in it: that is a cloud, with the secrets of all.
impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

struct Inner {
    clock: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
    state: Mutex<State>,
}

impl Simulator {
    /// An empty cloud on the machine's own time.
    pub fn new(settings: Settings) -> Self {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// An empty cloud on a clock of the caller's.
    pub fn with_clock(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                clock,
                ahead_ms: AtomicI64::new(0),
                state: Mutex::new(State::new(settings)),
            }),
        }
    }

    /// The simulator's present moment.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.inner.ahead_ms.load(Ordering::Relaxed));
        self.inner
            .clock
            .now()
            .checked_add(ahead)
            .unwrap_or(Timestamp::MAX)
    }

    /// Moves the simulator's time on, besides its clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.inner.ahead_ms.fetch_add(by, Ordering::Relaxed);
    }

    /// The state, to seed it or to look at it. Do not hold it over a call to `handle`.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The suffix of all host names.
    pub fn suffix(&self) -> String {
        self.state().cloud.suffix().to_owned()
    }

    /// Makes a workspace with its storage account and default datastores.
    pub fn create_workspace(&self, spec: &WorkspaceSpec) -> WorkspaceKey {
        let now = self.now();
        arm::create_workspace(&mut self.state(), spec, now)
    }

    /// Answers a request. Its URI or `Host` header names the service.
    pub fn handle(&self, request: http::Request<Bytes>) -> Reply {
        let now = self.now();
        let mut state = self.state();
        state.advance(now);
        let Some(mut call) = Call::parse(request, &state.cloud, now) else {
            return Reply::empty(StatusCode::MISDIRECTED_REQUEST);
        };
        if call.service == Service::Control {
            drop(state);
            return settle(control::handle(self, &call));
        }
        let route = route::template(&call);
        state.arrivals.came(&call, &route);
        let reply = serve(&mut call, &route, &mut state);
        state.arrivals.answered(&call, &route, &reply);
        state.record(&call, &reply);
        reply
    }

    /// Sets the rules of what goes wrong, in place of those that are there.
    pub fn set_faults(&self, seed: u64, rules: Vec<Rule>) {
        self.state().faults.set(seed, rules);
    }

    /// Records every request from now on.
    pub fn record(&self, recorder: Recorder) {
        self.state().recorder = Some(recorder);
    }

    /// Panics where a client came again before `Retry-After` allowed it. For tests.
    pub fn assert_no_early_retries(&self) {
        let state = self.state();
        let early = state.arrivals.early();
        assert!(
            early.is_empty(),
            "{} calls came too early: {early:#?}",
            early.len()
        );
    }
}

fn serve(call: &mut Call, route: &str, state: &mut State) -> Reply {
    let Some(fault) = state.faults.strike(call, route) else {
        let reply = settle(admit(call, state));
        return stamp(call, state, reply);
    };
    faults::prepare(&fault, call);
    let reply = match faults::instead(&fault, call, call.now) {
        Some(reply) => reply,
        None => {
            if fault == Fault::Twice {
                let _ = admit(call, state);
            }
            settle(admit(call, state))
        }
    };
    let reply = stamp(call, state, reply);
    faults::spoil(&fault, call, reply)
}

/// Headers that all answers have: ids of the request, time, and ARM's remaining allowance.
fn stamp(call: &Call, state: &mut State, reply: Reply) -> Reply {
    let id = state.guid();
    let mut reply = reply.with("date", http_date(call.now));
    if reply.header("x-ms-request-id").is_none() {
        reply = reply.with("x-ms-request-id", &id);
    }
    if let Some(client) = call.header("x-ms-client-request-id") {
        reply = reply.with("x-ms-client-request-id", client);
    }
    if call.service != Service::Arm {
        return reply;
    }
    let correlation = call.header("x-ms-correlation-request-id").unwrap_or(&id);
    let (name, full) = match call.method {
        Method::GET | Method::HEAD => ("x-ms-ratelimit-remaining-subscription-reads", 249),
        Method::DELETE => ("x-ms-ratelimit-remaining-subscription-deletes", 199),
        _ => ("x-ms-ratelimit-remaining-subscription-writes", 199),
    };
    let throttled = reply.status == StatusCode::TOO_MANY_REQUESTS && state.settings.limited;
    let left = if throttled {
        0
    } else {
        call.left.unwrap_or(full)
    };
    reply
        .with("x-ms-correlation-request-id", correlation)
        .with("x-ms-routing-request-id", format!("SIMULATED:{id}"))
        .with(name, left.to_string())
        .with(
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        )
}

fn admit(call: &mut Call, state: &mut State) -> Answer {
    call.identity = gate::identify(call, state)?;
    if call.service == Service::Arm {
        call.left = limits::charge(call, state)?;
    }
    dispatch(call, state)
}

fn dispatch(call: &Call, state: &mut State) -> Answer {
    match call.service {
        Service::Blob => blob::handle(call, state),
        Service::File => share::handle(call, state),
        Service::Dfs => dfs::handle(call, state),
        Service::Data => data_plane(call, state),
        Service::Arm => arm::handle(call, state),
        Service::Login => login::handle(call, state),
        Service::Imds => login::imds(call, state),
        Service::Control => Err(not_found()),
    }
}

fn data_plane(call: &Call, state: &mut State) -> Answer {
    match call.segment(0) {
        "registrymanagement" => return arm::discover_registry(call, state),
        "mferp" => return arm::registry_front(call, state),
        _ => {}
    }
    gate::demand_data(call, state)?;
    match call.segment(0) {
        "discovery" => discovery::handle(call, state),
        "history" => history::handle(call, state),
        "metric" => metric::handle(call, state),
        "artifact" => artifact::handle(call, state),
        "mlflow" => mlflow::handle(call, state),
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::arm(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        "There is nothing at this address.",
    )
}
