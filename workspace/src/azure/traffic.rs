//! What went over the wire: how many requests, of which service, with which answers, and how long throttling held them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A service of Azure, as requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The cloud's description of itself.
    Metadata,
    /// Tokens: the login endpoint and the metadata service of the machine.
    Login,
    /// Azure Resource Manager.
    Arm,
    /// Run history, metrics, MLflow, artifacts, discovery.
    Data,
    /// Blobs.
    Blob,
    /// File shares.
    File,
}

impl Service {
    /// Its name in metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Login => "login",
            Self::Arm => "arm",
            Self::Data => "data",
            Self::Blob => "blob",
            Self::File => "file",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One request as it was sent, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// To whom.
    pub service: Service,
    /// The answer's status; `None` where the connection broke.
    pub status: Option<u16>,
    /// How long the client will wait because the service asked it to.
    pub throttled: Duration,
}

/// Is told of every request right after its answer. Must not block.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Exchange) + Send + Sync>);

impl Observer {
    /// An observer that calls the given function.
    pub fn new(observe: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// The sums since a connection was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests sent, tries included, by service and status (`None`: the connection broke).
    pub requests: BTreeMap<(Service, Option<u16>), u64>,
    /// How long throttling held requests back, by service; waits of several requests at once all count.
    pub throttled: BTreeMap<Service, Duration>,
}

impl Traffic {
    /// All requests sent.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// Counts what passes a connection.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    sums: Mutex<Traffic>,
    observer: Option<Observer>,
}

impl Counter {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        Self {
            sums: Mutex::default(),
            observer,
        }
    }

    pub(crate) fn count(&self, exchange: &Exchange) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        *sums
            .requests
            .entry((exchange.service, exchange.status))
            .or_default() += 1;
        if !exchange.throttled.is_zero() {
            *sums.throttled.entry(exchange.service).or_default() += exchange.throttled;
        }
        drop(sums);
        if let Some(Observer(observe)) = &self.observer {
            observe(exchange);
        }
    }

    pub(crate) fn sums(&self) -> Traffic {
        self.sums
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
