//! Shares themselves: create, properties, metadata, delete, and their list.

use http::{Method, StatusCode};

use super::{BEARER_SHARE_VERSION_MIN, check_bearer};
use crate::blob::access;
use crate::blob::headers::{metadata, with_metadata};
use crate::blob::unsupported;
use crate::blob::xml::{element, escape};
use crate::call::Call;
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The quota that a share shows, in GiB.
const QUOTA_GIB: &str = "102400";

/// Answers a call to a share, or to the account where it names none.
pub(super) fn handle(call: &Call, state: &mut State, name: &str) -> Answer {
    let comp = call.query.get("comp").unwrap_or_default();
    if name.is_empty() {
        return if comp == "list" {
            list(call, state)
        } else {
            Err(unsupported(call))
        };
    }
    match (call.method.clone(), comp) {
        (Method::GET | Method::HEAD, "" | "metadata") => properties(call, state, name),
        (Method::PUT, "") => create(call, state, name),
        (Method::DELETE, "") => delete(call, state, name),
        _ => Err(unsupported(call)),
    }
}

fn properties(call: &Call, state: &State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let share = access::account(call, state)?.shares.share(name)?;
    let reply = access::tagged(StatusCode::OK, &share.etag, share.modified)
        .with("x-ms-share-quota", QUOTA_GIB)
        .with("x-ms-access-tier", "TransactionOptimized")
        .with("x-ms-enabled-protocols", "SMB");
    Ok(with_metadata(reply, &share.metadata))
}

fn create(call: &Call, state: &mut State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    shares.create(name, metadata(call), call.now)?;
    let share = shares.share(name)?;
    Ok(access::tagged(
        StatusCode::CREATED,
        &share.etag,
        share.modified,
    ))
}

fn delete(call: &Call, state: &mut State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    shares.share(name)?;
    shares.remove(name);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

fn list(call: &Call, state: &State) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}/\"><Shares>",
        escape(&state.cloud.file_url(&call.label))
    );
    for (name, share) in access::account(call, state)?.shares.iter() {
        xml.push_str("<Share>");
        element(&mut xml, "Name", name);
        xml.push_str("<Properties>");
        element(&mut xml, "Last-Modified", &http_date(share.modified));
        element(&mut xml, "Etag", &access::quoted(&share.etag));
        element(&mut xml, "Quota", QUOTA_GIB);
        element(&mut xml, "AccessTier", "TransactionOptimized");
        xml.push_str("</Properties></Share>");
    }
    xml.push_str("</Shares><NextMarker /></EnumerationResults>");
    Ok(Reply::xml(StatusCode::OK, xml))
}
