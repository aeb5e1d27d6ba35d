//! What time it is for the simulator, so that simulated years need no waiting.
//!
//! Nothing else in this crate asks the operating system for the time.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A source of the present moment.
pub trait Clock: Send + Sync + Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's own time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others take the time from"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// tokio's time counted from a fixed start: under `tokio::time::pause` it moves as the runtime's virtual time does.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl RuntimeClock {
    /// A clock that shows `start` now. Call it inside the runtime whose time it follows.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            origin: tokio::time::Instant::now(),
        }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        later(self.start, self.origin.elapsed())
    }
}

/// A clock that stands still until it is set: for tests of one call.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let mut now = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = later(*now, by);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `from` plus `by`, at most the last moment that can be written.
pub(crate) fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A time as Azure ML writes it: `2026-11-23T02:00:00.1234567Z` (seven digits, as .NET does).
pub fn iso(at: Timestamp) -> String {
    format!(
        "{}.{:07}Z",
        at.strftime("%Y-%m-%dT%H:%M:%S"),
        at.as_nanosecond().rem_euclid(1_000_000_000) / 100
    )
}

/// A time as HTTP headers carry it (RFC 9110, 5.6.7).
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Milliseconds since 1970, as MLflow counts.
pub fn unix_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_azure_writes_them() {
        let at = Timestamp::from_nanosecond(1_795_425_018_529_123_456).unwrap_or_default();
        assert_eq!(iso(at), "2026-11-23T09:10:18.5291234Z");
        assert_eq!(http_date(at), "Mon, 23 Nov 2026 09:10:18 GMT");
        assert_eq!(unix_ms(at), 1_795_425_018_529);
    }

    #[tokio::test(start_paused = true)]
    async fn runtime_clock_follows_virtual_time() {
        let start = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let clock = RuntimeClock::starting_at(start);
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!(clock.now().as_second(), 1_800_086_400);
    }
}
