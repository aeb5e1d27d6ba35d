//! Blob storage of an account: containers, block blobs with their past, tiers and holds, listings, copies.
//!
//! Shapes follow the Blob service's OpenAPI (2024-08-04) and what the official SDK sends (azure-storage-blob 12.31.1).
//! This file only tells the operations apart; each family has a file of its own.

pub(crate) mod access;
mod bill;
mod blocks;
mod container;
mod content;
mod copy;
mod error;
pub(crate) mod headers;
mod hold;
mod known;
mod lease;
pub(crate) mod list;
mod read;
mod record;
mod store;
mod tier;
mod version;
pub(crate) mod worm;
mod write;
pub(crate) mod xml;

use http::{Method, StatusCode};

use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

pub use bill::{Bills, Class};
pub use content::{Content, Fill};
pub use copy::Copied;
pub use error::StorageError;
pub use record::{Blob, ContentHeaders, Metadata, Written};
pub(crate) use store::etag;
pub use store::{BlobStore, Container};
pub use tier::{Priority, Rehydration, Tier};
pub use version::{Past, Sort, Which};
pub use worm::{Change, Hold, Policy, Retention, Worm};

/// Answers a call to `ACCOUNT.blob.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let was = tier_of(call, state);
    let answer = match route(call, state) {
        Ok(reply) => reply,
        Err(refusal) => refusal.into_reply(),
    };
    charge(call, state, was, &answer);
    Ok(access::stamp(call, state, answer))
}

/// The tier in which the blob of a call is paid: where it lies, or where it is on its way to.
fn tier_of(call: &Call, state: &State) -> Option<Tier> {
    let blobs = &state.accounts.get(&call.label)?.blobs;
    let which = version::Which::of(call).ok()?;
    let (blob, _) = blobs.find(call.segment(0), &call.rest(1), &which).ok()?;
    Some(blob.rehydration.map_or(blob.tier(), |begun| begun.to))
}

/// Puts a call on the account's bill.
fn charge(call: &Call, state: &mut State, was: Option<Tier>, reply: &Reply) {
    let is = tier_of(call, state);
    let class = bill::class(call, was);
    let Some(account) = state.accounts.get_mut(&call.label) else {
        return;
    };
    let (container, name) = (call.segment(0), call.rest(1));
    let bills = &mut account.blobs.bills;
    let tier = match class {
        Class::Write => is.or(was),
        _ => was.or(is),
    };
    bills.operation(class, tier.unwrap_or_default());
    if !reply.status.is_success() {
        return;
    }
    match class {
        Class::Read if call.method == Method::GET => {
            bills.reads(was.unwrap_or_default(), reply.body.len() as u64);
        }
        Class::Write if !call.query.is("comp", "block") && !call.query.is("comp", "tier") => {
            let size = account
                .blobs
                .blob(container, &name)
                .map(|blob| blob.content.size());
            account
                .blobs
                .bills
                .writes(tier.unwrap_or_default(), size.unwrap_or_default());
        }
        _ => {}
    }
}

fn route(call: &Call, state: &mut State) -> Answer {
    let container = call.segment(0).to_owned();
    let name = call.rest(1);
    if container.is_empty() {
        return account_level(call, state);
    }
    if name.is_empty() && call.query.is("restype", "container") {
        return container::handle(call, state, &container);
    }
    let comp = call.query.get("comp").unwrap_or_default();
    version::check_writes_current(call)?;
    lease::admit(call, state, &container, &name)?;
    match (call.method.clone(), comp) {
        (Method::PUT, "lease") => lease::act(call, state, &container, &name),
        (Method::GET | Method::HEAD, "") => read::content(call, state, &container, &name),
        (Method::GET | Method::HEAD, "metadata") => read::metadata(call, state, &container, &name),
        (Method::GET, "blocklist") => blocks::list(call, state, &container, &name),
        (Method::PUT, "") if call.header("x-ms-copy-source").is_some() => {
            copy::copy(call, state, &container, &name)
        }
        (Method::PUT, "") => write::put(call, state, &container, &name),
        (Method::PUT, "block") => blocks::stage(call, state, &container, &name),
        (Method::PUT, "blocklist") => blocks::commit(call, state, &container, &name),
        (Method::PUT, "metadata") => write::set_metadata(call, state, &container, &name),
        (Method::PUT, "properties") => write::set_properties(call, state, &container, &name),
        (Method::PUT, "tier") => tier::set(call, state, &container, &name),
        (Method::PUT, "snapshot") => version::snapshot(call, state, &container, &name),
        (Method::PUT, "legalhold") => hold::legal_hold(call, state, &container, &name),
        (Method::PUT | Method::DELETE, _) if call.query.is("comp", "immutabilityPolicies") => {
            hold::policy(call, state, &container, &name)
        }
        (Method::DELETE, "") => write::delete(call, state, &container, &name),
        _ => Err(unsupported(call)),
    }
}

fn account_level(call: &Call, state: &mut State) -> Answer {
    match (call.query.get("restype"), call.query.get("comp")) {
        (None, Some("list")) => list::containers(call, state),
        (Some("account"), Some("properties")) => {
            let hierarchical = access::account(call, state)?.blobs.hierarchical;
            Ok(account_information(hierarchical))
        }
        _ => Err(unsupported(call)),
    }
}

fn account_information(hierarchical: bool) -> Reply {
    Reply::empty(StatusCode::OK)
        .with("x-ms-sku-name", "Standard_LRS")
        .with("x-ms-account-kind", "StorageV2")
        .with("x-ms-is-hns-enabled", hierarchical.to_string())
}

/// The refusal of an operation that this stand-in does not know, or that Azure does not.
pub(crate) fn unsupported(call: &Call) -> Refusal {
    StorageError::new(
        405,
        "UnsupportedHttpVerb",
        format!(
            "The resource doesn't support specified Http Verb. {} {}",
            call.method, call.raw_path
        ),
    )
    .into()
}

#[cfg(test)]
mod tests;
