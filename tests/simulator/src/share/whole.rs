//! Shares themselves: create, properties, metadata, and their list with their snapshots.

use http::{Method, StatusCode};

use super::tree::Share;
use super::{BEARER_SHARE_VERSION_MIN, check_bearer, snapshot};
use crate::blob::access;
use crate::blob::headers::{metadata, with_metadata};
use crate::blob::list::{from_marker, includes, metadata_element, page_size, to_marker};
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
        (Method::PUT, "metadata") => set_metadata(call, state, name),
        (Method::PUT, "snapshot") => {
            check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
            snapshot::create(call, state, name)
        }
        (Method::DELETE, "") => {
            check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
            snapshot::delete(call, state, name)
        }
        _ => Err(unsupported(call)),
    }
}

fn properties(call: &Call, state: &State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let share = snapshot::held(call, state, name)?;
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

fn set_metadata(call: &Call, state: &mut State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    let share = shares.set_metadata(name, metadata(call), call.now)?;
    Ok(access::tagged(StatusCode::OK, &share.etag, share.modified))
}

fn list(call: &Call, state: &State) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let rows_max = page_size(call, state)?;
    let start = from_marker(call)?.unwrap_or_default();
    let prefix = call.query.get("prefix").unwrap_or_default();
    let (with_metadata, with_snapshots) = (includes(call, "metadata"), includes(call, "snapshots"));
    let shares = &access::account(call, state)?.shares;
    let mut rows: Vec<(String, Option<String>, &Share)> = Vec::new();
    for (name, share) in shares.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let moments = if with_snapshots {
            shares.moments(name)
        } else {
            Vec::new()
        };
        for moment in moments {
            let taken = shares.snapshot(name, &moment)?;
            rows.push((name.to_owned(), Some(moment), taken));
        }
        rows.push((name.to_owned(), None, share));
    }
    // The share itself comes after its snapshots.
    let position = |(name, moment, _): &(String, Option<String>, &Share)| {
        format!("{name}\u{0}{}", moment.as_deref().unwrap_or("~"))
    };
    rows.retain(|row| position(row) >= start);
    let next = rows.get(rows_max).map(|row| to_marker(&position(row)));
    rows.truncate(rows_max);
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}/\"><Shares>",
        escape(&state.cloud.file_url(&call.label))
    );
    for (name, moment, share) in &rows {
        share_row(&mut xml, name, moment.as_deref(), share, with_metadata);
    }
    xml.push_str("</Shares>");
    element(&mut xml, "NextMarker", &next.unwrap_or_default());
    xml.push_str("</EnumerationResults>");
    Ok(Reply::xml(StatusCode::OK, xml))
}

fn share_row(xml: &mut String, name: &str, moment: Option<&str>, share: &Share, metadata: bool) {
    xml.push_str("<Share>");
    element(xml, "Name", name);
    if let Some(moment) = moment {
        element(xml, "Snapshot", moment);
    }
    xml.push_str("<Properties>");
    element(xml, "Last-Modified", &http_date(share.modified));
    element(xml, "Etag", &access::quoted(&share.etag));
    element(xml, "Quota", QUOTA_GIB);
    element(xml, "AccessTier", "TransactionOptimized");
    xml.push_str("</Properties>");
    if metadata {
        metadata_element(xml, &share.metadata);
    }
    xml.push_str("</Share>");
}
