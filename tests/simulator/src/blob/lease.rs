//! Lease Blob: who holds one may write and delete the blob, others may only read it.
//!
//! A lease ends by itself on the service's clock. Leases of containers are not served.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;

use super::access;
use super::error::StorageError;
use crate::call::Call;
use crate::clock::later;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The leases of an account's blobs, by container and blob.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(BTreeMap<(String, String), Lease>);

/// One lease. It may have run out.
#[derive(Clone, Debug)]
struct Lease {
    id: String,
    seconds: Option<u64>,
    ends: Option<Timestamp>,
}

impl Lease {
    fn new(id: String, seconds: Option<u64>, now: Timestamp) -> Self {
        let ends = seconds.map(|seconds| later(now, Duration::from_secs(seconds)));
        Self { id, seconds, ends }
    }

    fn is_active(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }
}

/// `PUT …?comp=lease`.
pub(super) fn act(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let fresh = state.guid();
    let account = access::account_mut(call, state)?;
    account.blobs.blob(container, name)?;
    let blob = account.blobs.blob(container, name)?;
    let (etag, modified) = (blob.etag.clone(), blob.modified);
    let leases = &mut account.blobs.leases;
    let key = (container.to_owned(), name.to_owned());
    let (status, header) = match call.header("x-ms-lease-action") {
        Some("acquire") => leases.acquire(call, key, fresh)?,
        Some("renew") => leases.renew(call, key)?,
        Some("change") => leases.change(call, key)?,
        Some("release") => leases.release(call, key)?,
        Some("break") => leases.break_off(call, key)?,
        Some(other) => return Err(StorageError::invalid_header("x-ms-lease-action", other).into()),
        None => return Err(StorageError::missing_header("x-ms-lease-action").into()),
    };
    let reply: Reply = access::tagged(status, &etag, modified);
    Ok(match header {
        Some((name, value)) => reply.with(name, value),
        None => reply,
    })
}

type Done = Result<(StatusCode, Option<(&'static str, String)>), StorageError>;

impl Leases {
    fn acquire(&mut self, call: &Call, key: (String, String), fresh: String) -> Done {
        let text = call.header("x-ms-lease-duration").unwrap_or_default();
        let seconds = match text.parse::<i64>() {
            Ok(-1) => None,
            Ok(seconds @ 15..=60) => Some(seconds.unsigned_abs()),
            _ => return Err(StorageError::invalid_header("x-ms-lease-duration", text)),
        };
        let proposed = call.header("x-ms-proposed-lease-id");
        let held = self.0.get(&key).filter(|lease| lease.is_active(call.now));
        if held.is_some_and(|lease| proposed != Some(&lease.id)) {
            return Err(StorageError::new(
                409,
                "LeaseAlreadyPresent",
                "There is already a lease present.",
            ));
        }
        let id = proposed.map_or(fresh, str::to_owned);
        self.0
            .insert(key, Lease::new(id.clone(), seconds, call.now));
        Ok((StatusCode::CREATED, Some(("x-ms-lease-id", id))))
    }

    fn mine(&mut self, call: &Call, key: &(String, String)) -> Result<&mut Lease, StorageError> {
        let id = call.header("x-ms-lease-id");
        self.0
            .get_mut(key)
            .filter(|lease| id == Some(&lease.id))
            .ok_or_else(|| {
                StorageError::new(
                    409,
                    "LeaseIdMismatchWithLeaseOperation",
                    "The lease ID specified did not match the lease ID for the blob.",
                )
            })
    }

    fn renew(&mut self, call: &Call, key: (String, String)) -> Done {
        let lease = self.mine(call, &key)?;
        *lease = Lease::new(lease.id.clone(), lease.seconds, call.now);
        Ok((StatusCode::OK, Some(("x-ms-lease-id", lease.id.clone()))))
    }

    fn change(&mut self, call: &Call, key: (String, String)) -> Done {
        let Some(proposed) = call.header("x-ms-proposed-lease-id").map(str::to_owned) else {
            return Err(StorageError::missing_header("x-ms-proposed-lease-id"));
        };
        let lease = self.mine(call, &key)?;
        lease.id.clone_from(&proposed);
        Ok((StatusCode::OK, Some(("x-ms-lease-id", proposed))))
    }

    fn release(&mut self, call: &Call, key: (String, String)) -> Done {
        self.mine(call, &key)?;
        self.0.remove(&key);
        Ok((StatusCode::OK, None))
    }

    /// Ends a lease after a period, at the latest when it would end by itself.
    fn break_off(&mut self, call: &Call, key: (String, String)) -> Done {
        let lease = self.0.get_mut(&key).ok_or_else(|| {
            StorageError::new(
                409,
                "LeaseNotPresentWithLeaseOperation",
                "There is currently no lease on the blob.",
            )
        })?;
        let period = call.header("x-ms-lease-break-period");
        let period = period.and_then(|text| text.parse().ok());
        let by_period = period.map(|seconds| later(call.now, Duration::from_secs(seconds)));
        let ends = match (by_period, lease.ends) {
            (Some(one), Some(other)) => one.min(other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => call.now,
        };
        lease.ends = Some(ends);
        let left = ends.duration_since(call.now).as_secs().max(0);
        Ok((
            StatusCode::ACCEPTED,
            Some(("x-ms-lease-time", left.to_string())),
        ))
    }

    /// Refuses a write that does not come from the holder.
    fn check(&self, call: &Call, container: &str, name: &str) -> Result<(), StorageError> {
        let key = (container.to_owned(), name.to_owned());
        let held = self.0.get(&key).filter(|lease| lease.is_active(call.now));
        match (held, call.header("x-ms-lease-id")) {
            (None, None) => Ok(()),
            (Some(lease), Some(id)) if lease.id == id => Ok(()),
            (Some(_), None) => Err(StorageError::new(
                412,
                "LeaseIdMissing",
                "There is currently a lease on the blob and no lease ID was specified in the request.",
            )),
            (Some(_), Some(_)) => Err(StorageError::new(
                412,
                "LeaseIdMismatchWithBlobOperation",
                "The lease ID specified did not match the lease ID for the blob.",
            )),
            (None, Some(_)) => Err(StorageError::new(
                412,
                "LeaseNotPresentWithBlobOperation",
                "There is currently no lease on the blob.",
            )),
        }
    }
}

/// Refuses a call that writes a blob which somebody else holds; forgets the lease of a blob that is gone.
pub(super) fn admit(
    call: &Call,
    state: &mut State,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    let stages = call.query.is("comp", "block");
    if matches!(call.method, Method::GET | Method::HEAD) || stages || call.query.is("comp", "lease")
    {
        return Ok(());
    }
    let account = access::account_mut(call, state)?;
    let there = account.blobs.blob(container, name).is_ok();
    if !there {
        let key = (container.to_owned(), name.to_owned());
        account.blobs.leases.0.remove(&key);
    }
    account.blobs.leases.check(call, container, name)
}
