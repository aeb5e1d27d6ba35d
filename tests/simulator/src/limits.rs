//! What Resource Manager lets one principal ask of one subscription: token buckets whose rest every answer tells.
//!
//! Sizes as Microsoft's page "Understand how Azure Resource Manager throttles requests" has them for a subscription:
//! reads 250 and 25 a second, writes and deletes 200 and 10 a second. Off unless `Settings::limited` says so: many a test
//! asks more in one moment of its virtual time than a client can in a real one.

use std::collections::HashMap;

use http::{Method, StatusCode};
use jiff::Timestamp;

use crate::call::Call;
use crate::reply::Refusal;
use crate::state::State;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Reads,
    Writes,
    Deletes,
}

impl Sort {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Reads,
            Method::DELETE => Self::Deletes,
            _ => Self::Writes,
        }
    }

    fn size(self) -> (f64, f64) {
        match self {
            Self::Reads => (250.0, 25.0),
            Self::Writes | Self::Deletes => (200.0, 10.0),
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Reads => "read",
            Self::Writes => "write",
            Self::Deletes => "delete",
        }
    }
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

/// The buckets, by principal, subscription and sort of call.
#[derive(Debug, Default)]
pub struct Limits(HashMap<(String, String, Sort), Bucket>);

/// Counts an ARM call against its bucket. What is left of it; refused where nothing is.
pub(crate) fn charge(call: &Call, state: &mut State) -> Result<Option<u64>, Refusal> {
    let Some(claims) = call.identity.claims().filter(|_| state.settings.limited) else {
        return Ok(None);
    };
    let subscription = match (call.segment(0), call.segment(1)) {
        (first, id) if first.eq_ignore_ascii_case("subscriptions") => id.to_lowercase(),
        _ => String::new(),
    };
    let sort = Sort::of(&call.method);
    let (size, rate) = sort.size();
    let key = (claims.client_id.clone(), subscription.clone(), sort);
    let bucket = state.limits.0.entry(key).or_insert(Bucket {
        left: size,
        at: call.now,
    });
    let came = call.now.duration_since(bucket.at).as_secs_f64().max(0.0) * rate;
    bucket.left = (bucket.left + came).min(size);
    bucket.at = call.now;
    if bucket.left >= 1.0 {
        bucket.left -= 1.0;
        return Ok(Some(bucket.left as u64));
    }
    let verb = sort.verb();
    let text = format!(
        "Number of '{verb}' requests for subscription '{subscription}' actor '{}' exceeded. Please try again after '1' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.",
        claims.object_id
    );
    let refusal = Refusal::arm(
        StatusCode::TOO_MANY_REQUESTS,
        "SubscriptionRequestsThrottled",
        text,
    );
    Err(refusal.with("retry-after", "1"))
}
