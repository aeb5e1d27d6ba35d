//! The simulator itself: one function from request to answer, over one state.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::arm::WorkspaceSpec;
use crate::call::{Call, Service};
use crate::clock::{Clock, SystemClock};
use crate::reply::{Answer, Refusal, Reply, settle};
use crate::state::{Settings, State};
use crate::workspace::WorkspaceKey;
use crate::{arm, artifact, blob, discovery, gate, history, login, metric, mlflow, share};

/// A stand-in for Azure, whole and in memory. Clones share their state.
#[derive(Debug, Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
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
        match Call::parse(request, &state.cloud, now) {
            Some(mut call) => settle(admit(&mut call, &mut state)),
            None => Reply::empty(StatusCode::MISDIRECTED_REQUEST),
        }
    }
}

fn admit(call: &mut Call, state: &mut State) -> Answer {
    call.identity = gate::identify(call, state)?;
    dispatch(call, state)
}

fn dispatch(call: &Call, state: &mut State) -> Answer {
    match call.service {
        Service::Blob => blob::handle(call, state),
        Service::File => share::handle(call, state),
        Service::Data => data_plane(call, state),
        Service::Arm => arm::handle(call, state),
        Service::Login => login::handle(call, state),
        Service::Imds => login::imds(call, state),
        Service::Control => Err(not_found()),
    }
}

fn data_plane(call: &Call, state: &mut State) -> Answer {
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
