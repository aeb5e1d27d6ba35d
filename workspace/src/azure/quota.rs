//! What Azure Resource Manager lets one identity ask of one subscription: token buckets that all connections of a
//! program share, so that an agent with many workspaces stays below the limit of their subscription.
//!
//! The sizes are those of Microsoft's page "Understand how Azure Resource Manager throttles requests" (since 2024, per
//! subscription, region and principal): reads 250, 25 a second; writes and deletes 200, 10 a second. Where an answer says
//! that less is left, since others use the same identity, the bucket is emptied so far.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure_core::http::headers::Headers;
use azure_core::http::{Method, Request};
use tokio::time::Instant;
use url::Url;

/// Reads, writes and deletes have buckets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    Read,
    Write,
    Delete,
}

impl Sort {
    fn of(method: Method) -> Self {
        match method {
            Method::Get | Method::Head => Self::Read,
            Method::Delete => Self::Delete,
            _ => Self::Write,
        }
    }

    /// Size, and how much comes back in a second.
    fn size(self) -> (f64, f64) {
        match self {
            Self::Read => (250.0, 25.0),
            Self::Write | Self::Delete => (200.0, 10.0),
        }
    }

    /// What the name of its remaining header ends with.
    fn header(self) -> &'static str {
        match self {
            Self::Read => "-reads",
            Self::Write => "-writes",
            Self::Delete => "-deletes",
        }
    }
}

#[derive(Debug)]
struct Bucket {
    /// Below nothing where requests wait for what is still to come.
    left: f64,
    at: Instant,
}

type Buckets = HashMap<(String, Sort), Bucket>;

/// The buckets of all subscriptions. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Quota(Arc<Mutex<Buckets>>);

impl Quota {
    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request of Resource Manager may go. Who asks first goes first.
    pub(crate) async fn take(&self, request: &Request) {
        let sort = Sort::of(request.method());
        let wait = {
            let mut buckets = self.buckets();
            let bucket = bucket(&mut buckets, request.url(), sort);
            bucket.left -= 1.0;
            let (_, rate) = sort.size();
            Duration::from_secs_f64((-bucket.left).max(0.0) / rate)
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Learns from an answer that less is left than was thought.
    pub(crate) fn learn(&self, request: &Request, headers: &Headers) {
        let sort = Sort::of(request.method());
        let left: Option<f64> = headers
            .iter()
            .filter(|(name, _)| {
                let name = name.as_str();
                name.starts_with("x-ms-ratelimit-remaining-subscription")
                    && name.ends_with(sort.header())
            })
            .filter_map(|(_, value)| value.as_str().parse().ok())
            .reduce(f64::min);
        if let Some(left) = left {
            let mut buckets = self.buckets();
            let bucket = bucket(&mut buckets, request.url(), sort);
            bucket.left = bucket.left.min(left);
        }
    }
}

/// The bucket of a subscription, filled up to now.
fn bucket<'a>(buckets: &'a mut Buckets, url: &Url, sort: Sort) -> &'a mut Bucket {
    let now = Instant::now();
    let (size, rate) = sort.size();
    let bucket = buckets.entry((subscription(url), sort)).or_insert(Bucket {
        left: size,
        at: now,
    });
    let came = now.duration_since(bucket.at).as_secs_f64() * rate;
    bucket.left = (bucket.left + came).min(size);
    bucket.at = now;
    bucket
}

/// `S` of `/subscriptions/S/…`, in lower case; empty for what belongs to the tenant.
fn subscription(url: &Url) -> String {
    let mut parts = url.path_segments().into_iter().flatten();
    match (parts.next(), parts.next()) {
        (Some(first), Some(id)) if first.eq_ignore_ascii_case("subscriptions") => {
            id.to_ascii_lowercase()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn request(method: Method, path: &str) -> Request {
        let url = Url::parse(&format!("https://management.x{path}")).unwrap();
        Request::new(url, method)
    }

    async fn time_of(quota: &Quota, request: &Request, count: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            quota.take(request).await;
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn reads_of_a_subscription_go_at_the_pace_of_its_bucket() {
        let quota = Quota::default();
        let read = request(Method::Get, "/subscriptions/A/x");
        assert_eq!(time_of(&quota, &read, 250).await, Duration::ZERO);
        // Another connection of the same agent, and the id in another letter case.
        let same = request(Method::Head, "/Subscriptions/a/y");
        let slow = time_of(&quota.clone(), &same, 50).await;
        assert!(
            slow >= Duration::from_secs(2) && slow < Duration::from_millis(2200),
            "{slow:?}"
        );
        let other = request(Method::Get, "/subscriptions/B/x");
        assert_eq!(time_of(&quota, &other, 250).await, Duration::ZERO);
        let write = request(Method::Put, "/subscriptions/A/x");
        assert_eq!(time_of(&quota, &write, 200).await, Duration::ZERO);
        assert!(time_of(&quota, &write, 10).await >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_used_of_the_quota_is_learnt_from_the_answer() {
        let quota = Quota::default();
        let read = request(Method::Get, "/subscriptions/A/x");
        quota.take(&read).await;
        let mut headers = Headers::new();
        headers.insert("x-ms-ratelimit-remaining-subscription-writes", "0");
        quota.learn(&read, &headers);
        assert_eq!(time_of(&quota, &read, 10).await, Duration::ZERO);
        headers.insert("x-ms-ratelimit-remaining-subscription-reads", "0");
        quota.learn(&read, &headers);
        assert!(time_of(&quota, &read, 25).await >= Duration::from_millis(999));
    }
}
