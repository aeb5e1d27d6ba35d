//! How many requests to a service are under way at once: more while it answers, fewer when it says that it is throttling.
//!
//! Additive increase, multiplicative decrease, as TCP does it (RFC 5681). Where a service tells how much of its quota is
//! left, requests are spread out before the quota is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure_core::http::headers::Headers;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::traffic::Service;

const START: f64 = 12.0;
const MOST: usize = 32;
/// Below this many requests left of a quota, requests are spread out.
const QUOTA_LOW: u64 = 25;
/// What ARM gives back in a second (token bucket of 250, 25 a second).
const QUOTA_REFILL: Duration = Duration::from_millis(40);

/// The lanes of all services.
#[derive(Debug)]
pub(crate) struct Pace {
    lanes: Mutex<HashMap<Service, Arc<Lane>>>,
    most: usize,
}

#[derive(Debug)]
struct Lane {
    state: Mutex<LaneState>,
    freed: Notify,
}

#[derive(Debug)]
struct LaneState {
    active: usize,
    limit: f64,
    most: f64,
    narrowed: Option<Instant>,
    left: Option<u64>,
}

/// Leave to send one request; gives it back when dropped.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Lane>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.state().active -= 1;
        self.0.freed.notify_one();
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_enter(self: &Arc<Self>) -> Option<(Pass, Option<u64>)> {
        let mut state = self.state();
        if (state.active as f64) < state.limit.max(1.0).floor() {
            state.active += 1;
            Some((Pass(self.clone()), state.left))
        } else {
            None
        }
    }
}

impl Pace {
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self {
            lanes: Mutex::default(),
            most: most.unwrap_or(MOST).max(1),
        }
    }

    fn lane(&self, service: Service) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes
            .entry(service)
            .or_insert_with(|| {
                Arc::new(Lane {
                    state: Mutex::new(LaneState {
                        active: 0,
                        limit: START.min(self.most as f64),
                        most: self.most as f64,
                        narrowed: None,
                        left: None,
                    }),
                    freed: Notify::new(),
                })
            })
            .clone()
    }

    /// Waits until a request may go.
    pub(crate) async fn enter(&self, service: Service) -> Pass {
        let lane = self.lane(service);
        loop {
            let freed = lane.freed.notified();
            if let Some((pass, left)) = lane.try_enter() {
                if let Some(short) = left.and_then(|left| QUOTA_LOW.checked_sub(left + 1)) {
                    let short = u32::try_from(short).unwrap_or_default() + 1;
                    tokio::time::sleep(QUOTA_REFILL * short).await;
                }
                return pass;
            }
            freed.await;
        }
    }

    /// Learns from an answer.
    pub(crate) fn answered(&self, service: Service, headers: &Headers) {
        let lane = self.lane(service);
        let mut state = lane.state();
        state.limit = (state.limit + 1.0 / state.limit).min(state.most);
        state.left = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-ms-ratelimit-remaining-"))
            .filter_map(|(_, value)| value.as_str().parse().ok())
            .min();
        drop(state);
        lane.freed.notify_one();
    }

    /// Learns that a service throttles. Several answers within a second are one sign.
    pub(crate) fn throttled(&self, service: Service) {
        let lane = self.lane(service);
        let mut state = lane.state();
        let now = Instant::now();
        let fresh = state
            .narrowed
            .is_none_or(|at| now.duration_since(at) >= Duration::from_secs(1));
        if fresh {
            state.limit = (state.limit * 0.7).max(2.0_f64.min(state.most));
            state.narrowed = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_throttling_service_gets_fewer_requests_at_once_and_later_more_again() {
        let pace = Pace::new(Some(8));
        let limit = || pace.lane(Service::Arm).state().limit;
        let at_first = limit();
        for _ in 0..5 {
            pace.throttled(Service::Arm);
        }
        let once = limit();
        assert!(once < at_first && once > at_first * 0.5, "{once}");
        tokio::time::advance(Duration::from_secs(2)).await;
        pace.throttled(Service::Arm);
        assert!(limit() < once);
        for _ in 0..200 {
            pace.answered(Service::Arm, &Headers::new());
        }
        assert!(limit() >= 8.0);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_than_the_limit_are_under_way() {
        let pace = Pace::new(Some(2));
        let first = pace.enter(Service::Blob).await;
        let _second = pace.enter(Service::Blob).await;
        let third = pace.enter(Service::Blob);
        tokio::pin!(third);
        assert!(futures::poll!(&mut third).is_pending());
        drop(first);
        let _third = third.await;
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_out_before_the_quota_is_gone() {
        let pace = Pace::new(None);
        let mut headers = Headers::new();
        headers.insert("x-ms-ratelimit-remaining-subscription-reads", "5");
        pace.answered(Service::Arm, &headers);
        let start = Instant::now();
        drop(pace.enter(Service::Arm).await);
        assert_eq!(start.elapsed(), QUOTA_REFILL * 20);
    }
}
