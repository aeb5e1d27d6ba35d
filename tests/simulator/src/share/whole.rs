//! Shares themselves: create, properties, metadata, delete, snapshots, and their list.

use http::{Method, StatusCode};

use super::{BEARER_SHARE_VERSION_MIN, check_bearer};
use crate::blob::headers::{metadata, with_metadata};
use crate::blob::list::includes;
use crate::blob::xml::{element, escape};
use crate::blob::{StorageError, access, unsupported};
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
        (Method::PUT, "snapshot") => snapshot(call, state, name),
        (Method::DELETE, "") => delete(call, state, name),
        _ => Err(unsupported(call)),
    }
}

fn properties(call: &Call, state: &State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let shares = &access::account(call, state)?.shares;
    let share = shares.at(name, call.query.get("sharesnapshot"))?;
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
    if let Some(time) = call.query.get("sharesnapshot") {
        shares.remove_snapshot(name, time)?;
        return Ok(Reply::empty(StatusCode::ACCEPTED));
    }
    let with_snapshots = call.header("x-ms-delete-snapshots") == Some("include");
    if !shares.share(name)?.snapshots.is_empty() && !with_snapshots {
        let text = "The share has snapshots and the operation requires no snapshots.";
        return Err(StorageError::new(409, "ShareHasSnapshots", text).into());
    }
    shares.remove(name);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// Snapshot Share. Metadata of the request takes the place of the share's own.
fn snapshot(call: &Call, state: &mut State, name: &str) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let shares = &mut access::account_mut(call, state)?.shares;
    let time = shares.snapshot(name, metadata(call), call.now)?;
    let share = shares.share(name)?;
    Ok(
        access::tagged(StatusCode::CREATED, &share.etag, share.modified)
            .with("x-ms-snapshot", time),
    )
}

fn list(call: &Call, state: &State) -> Answer {
    check_bearer(call, BEARER_SHARE_VERSION_MIN)?;
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}/\"><Shares>",
        escape(&state.cloud.file_url(&call.label))
    );
    let prefix = call.query.get("prefix").unwrap_or_default();
    let shares = access::account(call, state)?.shares.iter();
    let named = shares.filter(|(name, _)| name.starts_with(prefix));
    let all = named.flat_map(|(name, share)| {
        let wanted = includes(call, "snapshots");
        let kept = share.snapshots.iter().filter(move |_| wanted);
        let kept = kept.map(move |(time, kept)| (name, Some(time), kept));
        kept.chain([(name, None, share)])
    });
    for (name, time, share) in all {
        xml.push_str("<Share>");
        element(&mut xml, "Name", name);
        if let Some(time) = time {
            element(&mut xml, "Snapshot", time);
        }
        xml.push_str("<Properties>");
        element(&mut xml, "Last-Modified", &http_date(share.modified));
        element(&mut xml, "Etag", &access::quoted(&share.etag));
        element(&mut xml, "Quota", QUOTA_GIB);
        element(&mut xml, "AccessTier", "TransactionOptimized");
        xml.push_str("</Properties>");
        if includes(call, "metadata") {
            xml.push_str("<Metadata>");
            for (name, value) in &share.metadata {
                element(&mut xml, name, value);
            }
            xml.push_str("</Metadata>");
        }
        xml.push_str("</Share>");
    }
    xml.push_str("</Shares><NextMarker /></EnumerationResults>");
    Ok(Reply::xml(StatusCode::OK, xml))
}
