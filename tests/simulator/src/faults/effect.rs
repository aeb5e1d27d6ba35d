//! What a fault does: before the service sees the call, in its place, and to its answer.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::Fault;
use crate::call::{Call, Service};
use crate::clock::{http_date, later};
use crate::reply::{Refusal, Reply, WireFault};

/// What a fault does to a call before the service sees it.
pub(crate) fn prepare(fault: &Fault, call: &mut Call) {
    if let Fault::StaleList { seconds } = fault {
        call.lag = Duration::from_secs(*seconds);
    }
}

/// The answer that a fault makes without the service; `None` where the service answers first.
pub(crate) fn instead(fault: &Fault, call: &Call, now: Timestamp) -> Option<Reply> {
    match fault {
        Fault::Throttle { retry_after, date } => {
            let wait = if *date {
                http_date(later(now, Duration::from_secs(*retry_after)))
            } else {
                retry_after.to_string()
            };
            Some(throttled(call).with("retry-after", wait))
        }
        Fault::ThrottleMs { ms } => {
            Some(throttled(call).with("x-ms-retry-after-ms", ms.to_string()))
        }
        Fault::ClockSkew {
            seconds,
            retry_after: Some(wait),
        } => {
            let then = later(skewed(now, *seconds), Duration::from_secs(*wait));
            Some(throttled(call).with("retry-after", http_date(then)))
        }
        Fault::Status { status, code } => Some(failure(call, *status, code.as_deref())),
        Fault::ExpiredToken => Some(expired(call)),
        Fault::Reset { executed: false } => Some(Reply {
            fault: WireFault::Reset,
            ..Reply::empty(StatusCode::OK)
        }),
        Fault::Reset { .. }
        | Fault::Truncate { .. }
        | Fault::Slow { .. }
        | Fault::SlowBody { .. }
        | Fault::Failed { .. }
        | Fault::Twice
        | Fault::ClockSkew { .. }
        | Fault::StaleList { .. } => None,
    }
}

fn throttled(call: &Call) -> Reply {
    let (status, code) = match call.service {
        Service::Blob | Service::File | Service::Dfs => {
            (StatusCode::SERVICE_UNAVAILABLE, "ServerBusy")
        }
        _ => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
    };
    let text = "The request is being throttled as the limit has been reached. Please retry after the time that the headers name.";
    refuse(call, status, code, text).into_reply()
}

fn failure(call: &Call, status: u16, code: Option<&str>) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = code.unwrap_or(match status.as_u16() {
        403 => "AuthorizationFailed",
        404 => "ResourceNotFound",
        503 => "ServerBusy",
        _ => "InternalError",
    });
    let text = "The service could not carry out the request.";
    refuse(call, status, code, text).into_reply()
}

fn expired(call: &Call) -> Reply {
    let code = match call.service {
        Service::Blob | Service::File | Service::Dfs => "InvalidAuthenticationInfo",
        _ => "ExpiredAuthenticationToken",
    };
    let text = "Lifetime validation failed. The token is expired.";
    refuse(call, StatusCode::UNAUTHORIZED, code, text)
        .with(
            "www-authenticate",
            "Bearer error=\"invalid_token\", error_description=\"The token is expired.\"",
        )
        .into_reply()
}

fn skewed(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(now)
}

fn refuse(call: &Call, status: StatusCode, code: &str, text: &str) -> Refusal {
    match call.service {
        Service::Blob | Service::File => Refusal::storage(status, code, text),
        Service::Data => Refusal::history(status, code, text),
        Service::Dfs => Refusal::from(
            Reply::json(
                status,
                &serde_json::json!({"error": {"code": code, "message": text}}),
            )
            .with("x-ms-error-code", code),
        ),
        _ => Refusal::arm(status, code, text),
    }
}

/// What a fault does to the service's own answer.
pub(crate) fn spoil(fault: &Fault, call: &Call, mut reply: Reply) -> Reply {
    reply.fault = match fault {
        Fault::Reset { .. } => WireFault::Reset,
        Fault::Slow { ms } => WireFault::Slow(Duration::from_millis(*ms)),
        Fault::SlowBody { ms, pieces } => WireFault::SlowBody {
            pause: Duration::from_millis(*ms),
            pieces: *pieces,
        },
        Fault::Truncate { bytes } if call.method != Method::HEAD && reply.body.len() > 1 => {
            WireFault::Truncate(
                bytes
                    .unwrap_or(reply.body.len() / 2)
                    .min(reply.body.len() - 1),
            )
        }
        _ => reply.fault,
    };
    match fault {
        Fault::Failed { status } if reply.status.is_success() => failure(call, *status, None),
        Fault::ClockSkew { seconds, .. } => {
            reply.with("date", http_date(skewed(call.now, *seconds)))
        }
        _ => reply,
    }
}
