//! Faults as data: rules that say which calls go wrong, how often and how.
//!
//! Whether a call is struck depends on the seed, the rule, the call and how often that call came before, and on nothing else:
//! neither time nor the order in which concurrent calls arrive.

mod effect;

use std::collections::{HashMap, HashSet};

use http::Method;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::call::{Call, Service};

pub(crate) use effect::{instead, prepare, spoil};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// 429 (503 `ServerBusy` of the storage services) with `Retry-After`.
    Throttle {
        /// Seconds to wait.
        retry_after: u64,
        /// Whether the header is a date in place of seconds.
        #[serde(default)]
        date: bool,
    },
    /// The same, told in `x-ms-retry-after-ms` alone.
    ThrottleMs {
        /// Milliseconds to wait.
        ms: u64,
    },
    /// An error answer, in the service's own form.
    Status {
        /// HTTP status.
        status: u16,
        /// Error code in the body.
        #[serde(default)]
        code: Option<String>,
    },
    /// The connection is reset before an answer.
    Reset {
        /// Whether the call was carried out all the same.
        #[serde(default)]
        executed: bool,
    },
    /// The body of a good answer ends early.
    Truncate {
        /// After how many bytes; half of them where it is not said.
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// The answer takes its time.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer begins at once, and its body comes in pieces with a pause before each.
    SlowBody {
        /// Milliseconds of each pause.
        ms: u64,
        /// How many pieces.
        pieces: usize,
    },
    /// The call was carried out, and the answer says that it was not.
    Failed {
        /// HTTP status of the answer.
        status: u16,
    },
    /// The call arrives twice, as when the wire repeats it; the second answer is the one that goes back.
    Twice,
    /// The service says that the token has run out. Never said twice of the same call: the next token is a new one.
    ExpiredToken,
    /// A server answers whose clock is off: its `Date`, and a `Retry-After` that is a date, are by that clock.
    ClockSkew {
        /// By how many seconds it is ahead; negative: behind.
        seconds: i64,
        /// The call is throttled, and may come again after so many seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// A list of Resource Manager lags behind: what was made within that time is not in it.
    StaleList {
        /// Seconds.
        seconds: u64,
    },
}

impl Fault {
    /// Whether the fault means anything for a call. What it means nothing for is not struck, so that it is not counted.
    fn suits(&self, call: &Call) -> bool {
        match self {
            Self::ExpiredToken => call
                .header("authorization")
                .is_some_and(|text| text.starts_with("Bearer ")),
            Self::StaleList { .. } => call.service == Service::Arm && call.method == Method::GET,
            Self::Truncate { .. } | Self::SlowBody { .. } => call.method != Method::HEAD,
            _ => true,
        }
    }
}

/// Which calls a fault strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only calls to this service.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only calls with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only calls whose path (as sent) begins so.
    #[serde(default)]
    pub path: Option<String>,
    /// Only calls whose path and query contain this.
    #[serde(default)]
    pub contains: Option<String>,
    /// Only calls of this route template.
    #[serde(default)]
    pub route: Option<String>,
    /// Every nth matching call, counted over all of them.
    #[serde(default)]
    pub every: Option<u64>,
    /// Share of matching calls, 0 to 1. Neither this nor `every`: all.
    #[serde(default)]
    pub probability: Option<f64>,
    /// How many matching calls pass before.
    #[serde(default)]
    pub skip: u64,
    /// How many calls are struck at most.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens to them.
    pub fault: Fault,
}

impl Rule {
    /// A rule that strikes every call.
    pub fn always(fault: Fault) -> Self {
        Self {
            service: None,
            method: None,
            path: None,
            contains: None,
            route: None,
            every: None,
            probability: None,
            skip: 0,
            times: None,
            fault,
        }
    }

    /// The same rule for that share of calls.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        Self {
            probability: Some(probability),
            ..self
        }
    }

    /// The same rule for one service.
    #[must_use]
    pub fn on(self, service: Service) -> Self {
        Self {
            service: Some(service),
            ..self
        }
    }

    fn matches(&self, call: &Call, route: &str) -> bool {
        let exempt = match call.service {
            Service::Control => true,
            Service::Login | Service::Imds => self.service != Some(call.service),
            // Official clients do not survive a fault there (seen from azure-ai-ml 1.35.2).
            Service::Arm => {
                call.raw_path.starts_with("/metadata/")
                    && !self
                        .path
                        .as_deref()
                        .is_some_and(|path| path.starts_with("/metadata/"))
            }
            _ => false,
        };
        !exempt
            && self.fault.suits(call)
            && self.service.is_none_or(|service| service == call.service)
            && self
                .method
                .as_deref()
                .is_none_or(|method| call.method.as_str().eq_ignore_ascii_case(method))
            && self
                .path
                .as_deref()
                .is_none_or(|path| call.raw_path.starts_with(path))
            && self
                .contains
                .as_deref()
                .is_none_or(|part| format!("{}?{}", call.raw_path, call.raw_query).contains(part))
            && self.route.as_deref().is_none_or(|wanted| wanted == route)
    }
}

/// All rules, and what they remember.
#[derive(Debug, Default)]
pub struct Faults {
    seed: u64,
    rules: Vec<(Rule, Memory)>,
}

#[derive(Debug, Default)]
struct Memory {
    matched: u64,
    struck: u64,
    attempts: HashMap<String, u64>,
    expired: HashSet<String>,
}

impl Faults {
    /// Sets all rules anew.
    pub fn set(&mut self, seed: u64, rules: Vec<Rule>) {
        self.seed = seed;
        self.rules = rules
            .into_iter()
            .map(|rule| (rule, Memory::default()))
            .collect();
    }

    /// Adds a rule to those that are there.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push((rule, Memory::default()));
    }

    /// The rules, each with how many calls it struck.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules
            .iter()
            .map(|(rule, memory)| (rule, memory.struck))
    }

    /// The fault that strikes a call, by the first rule that does.
    pub(crate) fn strike(&mut self, call: &Call, route: &str) -> Option<Fault> {
        let seed = self.seed;
        let rules = self.rules.iter_mut().enumerate();
        rules
            .filter(|(_, (rule, _))| rule.matches(call, route))
            .find_map(|(at, (rule, memory))| {
                memory
                    .decide(rule, (seed, at), call)
                    .then(|| rule.fault.clone())
            })
    }
}

impl Memory {
    fn decide(&mut self, rule: &Rule, salt: (u64, usize), call: &Call) -> bool {
        self.matched += 1;
        if self.matched <= rule.skip || rule.times.is_some_and(|most| self.struck >= most) {
            return false;
        }
        if rule.fault == Fault::ExpiredToken && self.expired.contains(&key(call)) {
            return false;
        }
        let strikes = match (rule.every, rule.probability) {
            (Some(n), _) => (self.matched - rule.skip).is_multiple_of(n.max(1)),
            (None, Some(probability)) => {
                let key = key(call);
                let attempt = self.attempts.entry(key.clone()).or_default();
                *attempt += 1;
                chance(salt, &key, *attempt) < probability
            }
            (None, None) => true,
        };
        self.struck += u64::from(strikes);
        if strikes && rule.fault == Fault::ExpiredToken {
            self.expired.insert(key(call));
        }
        strikes
    }
}

/// A call without what differs between two tries of the same. Its body and its range belong to it: calls for two
/// metrics of a run, or for two parts of a blob, are not tries of one another.
pub(crate) fn key(call: &Call) -> String {
    let steady = call
        .query
        .pairs()
        .filter(|(name, _)| !["sig", "se", "st", "ske", "skt"].contains(name));
    let query: Vec<String> = steady
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut key = format!(
        "{:?} {} {} {}?{}",
        call.service,
        call.label,
        call.method,
        call.raw_path,
        query.join("&")
    );
    if let Some(range) = call.header("x-ms-range").or_else(|| call.header("range")) {
        key.push_str(&format!(" {range}"));
    }
    if !call.body.is_empty() {
        let digest = hex::encode(&Sha256::digest(&call.body)[..8]);
        key.push_str(&format!(" body {digest}"));
    }
    key
}

/// A number in 0..1 that looks random.
fn chance(salt: (u64, usize), key: &str, attempt: u64) -> f64 {
    let digest = Sha256::digest(format!("{} {} {attempt} {key}", salt.0, salt.1));
    let bits = digest
        .iter()
        .take(4)
        .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
