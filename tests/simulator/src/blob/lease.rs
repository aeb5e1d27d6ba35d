//! Lease Blob and Lease Container: who holds one may write and delete, others may only read.
//!
//! A lease ends by itself on the service's clock, or is broken off after a while. From Microsoft's page "Lease Blob": outcomes of
//! use attempts by lease state.

mod standing;

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;

use super::access;
use super::error::StorageError;
use super::version::Which;
use crate::call::Call;
use crate::clock::later;
use crate::reply::{Answer, Reply};
use crate::state::State;

pub(super) use standing::{Standing, shown};

/// Container and blob; the empty name is the container itself.
type Key = (String, String);

/// The leases of an account's blobs and containers.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(BTreeMap<Key, Lease>);

/// One lease. It may have run out.
#[derive(Clone, Debug)]
struct Lease {
    id: String,
    seconds: Option<u64>,
    ends: Option<Timestamp>,
    broken: bool,
}

impl Lease {
    fn new(id: String, seconds: Option<u64>, now: Timestamp) -> Self {
        let ends = seconds.map(|seconds| later(now, Duration::from_secs(seconds)));
        Self {
            id,
            seconds,
            ends,
            broken: false,
        }
    }

    fn standing(&self, now: Timestamp) -> Standing {
        let runs = self.ends.is_none_or(|ends| ends > now);
        match (self.broken, runs) {
            (false, true) => Standing::Leased {
                fixed: self.seconds.is_some(),
            },
            (false, false) => Standing::Expired,
            (true, true) => Standing::Breaking,
            (true, false) => Standing::Broken,
        }
    }
}

/// `PUT …?comp=lease` of a blob, or of a container where the name is empty.
pub(super) fn act(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let fresh = state.guid();
    let account = access::account_mut(call, state)?;
    let (etag, modified) = if name.is_empty() {
        let held = account.blobs.container(container)?;
        (held.etag.clone(), held.modified)
    } else {
        let blob = account.blobs.blob(container, name)?;
        super::headers::condition(call, Some((&blob.etag, blob.modified)))?;
        (blob.etag.clone(), blob.modified)
    };
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

fn conflict(code: &'static str, message: &str) -> StorageError {
    StorageError::new(409, code, message)
}

impl Leases {
    /// How it stands with a blob's lease, or a container's where the name is empty.
    pub(super) fn standing(&self, container: &str, name: &str, now: Timestamp) -> Standing {
        let key = (container.to_owned(), name.to_owned());
        let lease = self.0.get(&key);
        lease.map_or(Standing::Available, |lease| lease.standing(now))
    }

    /// Whether any lease is remembered: lists of many blobs need not look for each.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those of a container that is gone.
    pub(super) fn forget(&mut self, container: &str) {
        self.0.retain(|(of, _), _| of != container);
    }

    fn acquire(&mut self, call: &Call, key: Key, fresh: String) -> Done {
        let text = call.header("x-ms-lease-duration").unwrap_or_default();
        let seconds = match text.parse::<i64>() {
            Ok(-1) => None,
            Ok(seconds @ 15..=60) => Some(seconds.unsigned_abs()),
            _ => return Err(StorageError::invalid_header("x-ms-lease-duration", text)),
        };
        let proposed = call.header("x-ms-proposed-lease-id");
        if let Some(held) = self.0.get(&key) {
            match held.standing(call.now) {
                Standing::Breaking if proposed == Some(&held.id) => {
                    return Err(conflict(
                        "LeaseIsBreakingAndCannotBeAcquired",
                        "The lease ID matched, but the lease is currently in breaking state and can't be acquired until it's broken.",
                    ));
                }
                standing if standing.locks() && proposed != Some(&held.id) => {
                    return Err(conflict(
                        "LeaseAlreadyPresent",
                        "There is already a lease present.",
                    ));
                }
                _ => {}
            }
        }
        let id = proposed.map_or(fresh, str::to_owned);
        self.0
            .insert(key, Lease::new(id.clone(), seconds, call.now));
        Ok((StatusCode::CREATED, Some(("x-ms-lease-id", id))))
    }

    fn mine(&mut self, call: &Call, key: &Key) -> Result<&mut Lease, StorageError> {
        let id = call.header("x-ms-lease-id");
        self.0
            .get_mut(key)
            .filter(|lease| id == Some(&lease.id))
            .ok_or_else(|| {
                conflict(
                    "LeaseIdMismatchWithLeaseOperation",
                    "The lease ID specified did not match the lease ID for the blob.",
                )
            })
    }

    fn renew(&mut self, call: &Call, key: Key) -> Done {
        let lease = self.mine(call, &key)?;
        if lease.broken {
            return Err(conflict(
                "LeaseIsBrokenAndCannotBeRenewed",
                "The lease ID matched, but the lease has been broken explicitly and can't be renewed.",
            ));
        }
        *lease = Lease::new(lease.id.clone(), lease.seconds, call.now);
        Ok((StatusCode::OK, Some(("x-ms-lease-id", lease.id.clone()))))
    }

    fn change(&mut self, call: &Call, key: Key) -> Done {
        let Some(proposed) = call.header("x-ms-proposed-lease-id").map(str::to_owned) else {
            return Err(StorageError::missing_header("x-ms-proposed-lease-id"));
        };
        let lease = self.mine(call, &key)?;
        if lease.broken {
            return Err(conflict(
                "LeaseIsBreakingAndCannotBeChanged",
                "The lease ID matched, but the lease is currently in breaking state and can't be changed.",
            ));
        }
        lease.id.clone_from(&proposed);
        Ok((StatusCode::OK, Some(("x-ms-lease-id", proposed))))
    }

    fn release(&mut self, call: &Call, key: Key) -> Done {
        self.mine(call, &key)?;
        self.0.remove(&key);
        Ok((StatusCode::OK, None))
    }

    /// Ends a lease after a period, at the latest when it would end by itself.
    fn break_off(&mut self, call: &Call, key: Key) -> Done {
        let lease = self.0.get_mut(&key).ok_or_else(|| {
            conflict(
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
        (lease.ends, lease.broken) = (Some(ends), true);
        let left = ends.duration_since(call.now).as_secs().max(0);
        Ok((
            StatusCode::ACCEPTED,
            Some(("x-ms-lease-time", left.to_string())),
        ))
    }

    /// Refuses a call that does not come from the holder. What only reads may come from everybody, unless it names a lease.
    fn check(&self, call: &Call, key: &Key, reads: bool) -> Result<(), StorageError> {
        let held = self.0.get(key);
        let held = held.filter(|lease| lease.standing(call.now).locks());
        let of_container = key.1.is_empty();
        match (held, call.header("x-ms-lease-id")) {
            (None, None) => Ok(()),
            (Some(lease), Some(id)) if lease.id == id => Ok(()),
            (Some(_), None) if reads => Ok(()),
            (Some(_), None) => Err(StorageError::new(
                412,
                "LeaseIdMissing",
                "There is currently a lease on the blob and no lease ID was specified in the request.",
            )),
            (Some(_), Some(_)) => Err(StorageError::new(
                412,
                if of_container {
                    "LeaseIdMismatchWithContainerOperation"
                } else {
                    "LeaseIdMismatchWithBlobOperation"
                },
                "The lease ID specified did not match the lease ID for the blob.",
            )),
            (None, Some(_)) => Err(StorageError::new(
                412,
                if of_container {
                    "LeaseNotPresentWithContainerOperation"
                } else {
                    "LeaseNotPresentWithBlobOperation"
                },
                "There is currently no lease on the blob.",
            )),
        }
    }
}

/// What a call does to a blob, as leases see it.
fn reads(call: &Call) -> bool {
    const NEED_NONE: [&str; 4] = ["tier", "snapshot", "immutabilityPolicies", "legalhold"];
    let comp = call.query.get("comp").unwrap_or_default();
    matches!(call.method, Method::GET | Method::HEAD)
        || NEED_NONE.iter().any(|it| it.eq_ignore_ascii_case(comp))
}

/// Refuses a call to a blob which somebody else holds; forgets the lease of a blob that is gone, and one that had run out
/// before somebody else wrote.
pub(super) fn admit(
    call: &Call,
    state: &mut State,
    container: &str,
    name: &str,
) -> Result<(), StorageError> {
    if call.query.is("comp", "lease") || Which::of(call)? != Which::Current {
        return Ok(());
    }
    let account = access::account_mut(call, state)?;
    let key = (container.to_owned(), name.to_owned());
    if account.blobs.blob(container, name).is_err() {
        account.blobs.leases.0.remove(&key);
    }
    let reads = reads(call);
    account.blobs.leases.check(call, &key, reads)?;
    let ended = |lease: &Lease| !lease.standing(call.now).locks();
    if !reads && account.blobs.leases.0.get(&key).is_some_and(ended) {
        account.blobs.leases.0.remove(&key);
    }
    Ok(())
}

/// Refuses to delete a container that somebody else holds, and any other call that names a lease which is not there.
pub(super) fn admit_container(
    call: &Call,
    state: &State,
    container: &str,
) -> Result<(), StorageError> {
    let key = (container.to_owned(), String::new());
    let leases = &access::account(call, state)?.blobs.leases;
    leases.check(call, &key, call.method != Method::DELETE)
}
