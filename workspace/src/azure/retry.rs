//! The policy that sends a request again: throttling is obeyed, trouble is outlived, and what is not safe to repeat is
//! not repeated.
//!
//! In place of azure_core's retry, which knows neither a request that must not be repeated nor a service that asks to be
//! left alone for longer than a minute. It counts every request that is sent and sleeps by tokio's time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Context, Request};
use jiff::Timestamp;

use super::answer::{act_of, cause, reason};
use super::cloud::host_of;
use super::hold::Hold;
use super::pace::{Pace, Pass};
use super::quota::Quota;
use super::traffic::{Counter, Exchange, Service};
use super::wire::own;
use crate::{Clock, Error};

/// How often a request is sent again because the service says that it is busy (429, or a `Retry-After`).
const THROTTLED_MAX: u32 = 40;
/// How often after a 5xx, a 408 or a broken connection.
const TROUBLE_MAX: u32 = 10;
/// How often to a host that has never answered.
const STRANGER_MAX: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A service that wants to be left alone for longer is given up.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Says that a request must not be repeated once the service may have acted on it; put into a request's context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Once;

/// What all pipelines of a connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counter: Counter,
    pub(crate) pace: Pace,
    pub(crate) quota: Quota,
    pub(crate) clock: Clock,
    hold: Hold,
    answered: Mutex<BTreeSet<String>>,
}

impl Shared {
    pub(crate) fn new(counter: Counter, pace: Pace, quota: Quota, clock: Clock) -> Self {
        Self {
            counter,
            pace,
            quota,
            clock,
            hold: Hold::default(),
            answered: Mutex::default(),
        }
    }

    /// Whether a host ever answered.
    pub(crate) fn knows(&self, host: &str) -> bool {
        self.answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(host)
    }

    fn heard_from(&self, host: &str) {
        self.answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(host.to_owned());
    }
}

/// Sends a request until it is answered.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) service: Service,
    pub(crate) shared: Arc<Shared>,
    /// Statuses that mean "not yet" besides the usual ones.
    pub(crate) also: &'static [u16],
}

/// What has been tried so far for one request.
#[derive(Debug, Default)]
struct Tries {
    throttled: u32,
    trouble: u32,
    unauthorized: u32,
}

/// What to do after a try.
enum Next {
    Done,
    Wait(Duration),
    GiveUp,
}

#[async_trait]
impl Policy for Retry {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let once = ctx.value::<Once>().is_some();
        let mut tries = Tries::default();
        loop {
            let pass = self.admitted(request).await;
            let result = next[0].send(ctx, request, &next[1..]).await;
            drop(pass);
            let step = match &result {
                Ok(answer) => self.after_answer(answer, once, request, &mut tries),
                Err(error) => self.after_error(error, once, request, &mut tries),
            };
            match step {
                Next::Done => return result,
                Next::Wait(time) => tokio::time::sleep(time).await,
                Next::GiveUp => return result.map_err(|error| given_up(error, request, &tries)),
            }
        }
    }
}

impl Retry {
    /// Waits until a request may go: there is room, nothing holds its address back, and the quota allows it. What came to be
    /// held back while the quota was waited for is waited for too; the quota is taken once.
    async fn admitted(&self, request: &Request) -> Pass {
        let address = act_of(request);
        let mut allowed = self.service != Service::Arm;
        loop {
            let pass = self.shared.pace.enter(self.service).await;
            let mut held = self.shared.hold.until(&address);
            if held.is_none() && !allowed {
                self.shared.quota.take(request).await;
                allowed = true;
                held = self.shared.hold.until(&address);
            }
            let Some(until) = held else {
                return pass;
            };
            drop(pass);
            tokio::time::sleep_until(until).await;
        }
    }

    fn after_answer(
        &self,
        answer: &AsyncRawResponse,
        once: bool,
        request: &Request,
        tries: &mut Tries,
    ) -> Next {
        let status = u16::from(answer.status());
        let headers = answer.headers();
        self.shared.heard_from(&host_of(request.url()));
        if self.service == Service::Arm {
            self.shared.quota.learn(request, headers);
        }
        let asked = retry_after(headers, self.shared.clock.now());
        let throttling = status == 429 || (status == 503 && asked.is_some());
        let step = match status {
            _ if throttling => {
                tries.throttled += 1;
                self.shared.pace.throttled(self.service);
                let wait = asked.unwrap_or_else(|| backoff(tries.throttled + 1));
                if tries.throttled > THROTTLED_MAX || wait > LONGEST_RETRY_AFTER {
                    Next::Done
                } else {
                    Next::Wait(wait.max(FIRST_WAIT))
                }
            }
            // The token was taken back or has run out; the authorisation policy has forgotten it.
            401 if tries.unauthorized == 0 && authorized(request) => {
                tries.unauthorized += 1;
                Next::Wait(Duration::ZERO)
            }
            _ if retried(status) || self.also.contains(&status) => {
                tries.trouble += 1;
                let wait = asked.unwrap_or_default().max(backoff(tries.trouble));
                if once || tries.trouble > TROUBLE_MAX || wait > LONGEST_RETRY_AFTER {
                    Next::Done
                } else {
                    Next::Wait(wait)
                }
            }
            _ => {
                self.shared.pace.answered(self.service, headers);
                Next::Done
            }
        };
        let held = match &step {
            Next::Wait(time) if throttling => *time,
            _ => Duration::ZERO,
        };
        if !held.is_zero() {
            self.shared.hold.back(act_of(request), held);
        }
        self.count(Some(status), held);
        step
    }

    fn after_error(
        &self,
        error: &azure_core::Error,
        once: bool,
        request: &Request,
        tries: &mut Tries,
    ) -> Next {
        let unsent = matches!(error.kind(), ErrorKind::Connection);
        if !unsent && !matches!(error.kind(), ErrorKind::Io) {
            return Next::Done;
        }
        self.count(None, Duration::ZERO);
        tries.trouble += 1;
        let most = if self.shared.knows(&host_of(request.url())) {
            TROUBLE_MAX
        } else {
            STRANGER_MAX
        };
        if tries.trouble > most || (once && !unsent) {
            Next::GiveUp
        } else {
            Next::Wait(backoff(tries.trouble))
        }
    }

    fn count(&self, status: Option<u16>, throttled: Duration) {
        self.shared.counter.count(&Exchange {
            service: self.service,
            status,
            throttled,
        });
    }
}

fn authorized(request: &Request) -> bool {
    request
        .headers()
        .get_optional_str(&azure_core::http::headers::AUTHORIZATION)
        .is_some()
}

fn retried(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

fn given_up(error: azure_core::Error, request: &Request, tries: &Tries) -> azure_core::Error {
    let source = cause(reason(&error));
    if matches!(error.kind(), ErrorKind::Connection) {
        own(Error::Unreachable {
            host: host_of(request.url()),
            source,
        })
    } else {
        own(Error::Broken {
            act: act_of(request),
            tries: tries.throttled + tries.trouble,
            source,
        })
    }
}

/// Doubling waits with jitter on top, so that many requests do not come back at once.
fn backoff(tries: u32) -> Duration {
    let whole = FIRST_WAIT
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(LONGEST_WAIT);
    whole.mul_f64(1.0 + rand::random::<f64>() * 0.25)
}

/// How long a service asks to be left alone: `x-ms-retry-after-ms`, `retry-after-ms`, or `Retry-After` in seconds or as a
/// date (RFC 9110, 10.2.3). A date counts from the answer's own `Date`, so that the two clocks need not agree.
pub(crate) fn retry_after(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let header = |name| headers.get_optional_str(&HeaderName::from_static(name));
    for name in ["x-ms-retry-after-ms", "retry-after-ms"] {
        if let Some(wait) = header(name).and_then(|text| text.trim().parse().ok()) {
            return Some(Duration::from_millis(wait));
        }
    }
    let text = header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = moment(text)?;
    let from = date(headers).unwrap_or(now);
    Some(Duration::try_from(then.duration_since(from)).unwrap_or_default())
}

/// When an answer was given, by the one that gave it.
pub(crate) fn date(headers: &Headers) -> Option<Timestamp> {
    moment(headers.get_optional_str(&HeaderName::from_static("date"))?)
}

fn moment(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use azure_core::http::Method;
    use futures::FutureExt;
    use tokio::time::Instant;
    use url::Url;

    use super::*;

    /// What lies behind the policy: it answers the first request with a status and a wait, all others with 200, and notes
    /// when each came.
    #[derive(Debug)]
    struct Behind {
        status: u16,
        wait: &'static str,
        asked: Mutex<Vec<Instant>>,
    }

    impl Behind {
        fn new(status: u16, wait: &'static str) -> Arc<Self> {
            Arc::new(Self {
                status,
                wait,
                asked: Mutex::default(),
            })
        }

        fn asked(&self) -> Vec<Instant> {
            self.asked.lock().unwrap().clone()
        }
    }

    #[async_trait]
    impl Policy for Behind {
        async fn send(
            &self,
            _ctx: &Context,
            _request: &mut Request,
            _next: &[Arc<dyn Policy>],
        ) -> PolicyResult {
            let mut headers = Headers::new();
            let mut asked = self.asked.lock().unwrap();
            asked.push(Instant::now());
            let status = if asked.len() == 1 {
                headers.insert("retry-after", self.wait);
                self.status
            } else {
                200
            };
            let body = Vec::<u8>::new();
            Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
        }
    }

    fn retry() -> Retry {
        let (counter, pace) = (Counter::default(), Pace::new(None));
        let shared = Shared::new(counter, pace, Quota::default(), Clock::system());
        Retry {
            service: Service::Arm,
            shared: Arc::new(shared),
            also: &[],
        }
    }

    fn request() -> Request {
        let url = Url::parse("https://management.x/subscriptions/a/b").unwrap();
        Request::new(url, Method::Get)
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_of_up_to_an_hour_is_kept_and_a_longer_one_is_not_whatever_the_status() {
        for status in [408, 429, 500, 502, 503, 504] {
            for (wait, kept) in [
                ("3600", true),
                ("3601", false),
                ("18446744073709551615", false),
            ] {
                let behind = Behind::new(status, wait);
                let next: [Arc<dyn Policy>; 1] = [behind.clone()];
                let start = Instant::now();
                let answer = retry().send(&Context::new(), &mut request(), &next).await;
                let (last, tries) = if kept { (200, 2) } else { (status, 1) };
                assert_eq!(u16::from(answer.unwrap().status()), last, "{status} {wait}");
                assert_eq!(behind.asked().len(), tries, "{status} {wait}");
                let waited = start.elapsed() >= LONGEST_RETRY_AFTER;
                assert_eq!(waited, kept, "{status} {wait}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_back_while_the_quota_is_waited_for_is_waited_for_too() {
        let retry = retry();
        // Others took all that is left, and what comes back in the next two seconds.
        for _ in 0..300 {
            let _ = retry.shared.quota.take(&request()).now_or_never();
        }
        let behind = Behind::new(200, "0");
        let next: [Arc<dyn Policy>; 1] = [behind.clone()];
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let (ctx, mut asked) = (Context::new(), request());
        let told = async {
            tokio::time::sleep(second).await;
            retry.shared.hold.back(act_of(&request()), 10 * second);
        };
        let (answer, ()) = tokio::join!(retry.send(&ctx, &mut asked, &next), told);
        assert!(answer.is_ok());
        let came: Vec<Duration> = behind.asked().iter().map(|at| *at - start).collect();
        assert!(
            matches!(came.as_slice(), [at] if *at >= 11 * second && *at < 12 * second),
            "{came:?}"
        );
    }

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        retry_after(&headers, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn each_way_to_ask_for_a_pause_is_understood() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(&[("retry-after", "17")]), seconds(17));
        assert_eq!(
            wait(&[("x-ms-retry-after-ms", "1500")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            wait(&[
                ("retry-after", "Mon, 23 Nov 2026 09:10:18 GMT"),
                ("date", "Mon, 23 Nov 2026 09:10:08 GMT")
            ]),
            seconds(10)
        );
        assert_eq!(
            wait(&[("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT")]),
            seconds(60)
        );
        assert_eq!(
            wait(&[
                ("retry-after", "Mon, 23 Nov 2026 09:10:08 GMT"),
                ("date", "Mon, 23 Nov 2026 09:10:18 GMT")
            ]),
            seconds(0)
        );
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn waits_double_and_end_at_half_a_minute() {
        for tries in 1..40 {
            let wait = backoff(tries);
            assert!(wait >= FIRST_WAIT && wait <= LONGEST_WAIT.mul_f64(1.25));
        }
        assert!(backoff(7) >= FIRST_WAIT * 64);
    }
}
