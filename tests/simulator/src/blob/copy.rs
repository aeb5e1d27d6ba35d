//! Copy Blob and Copy Blob From URL: within an account, done when it is answered, but for what comes out of the archive.
//!
//! From Microsoft's pages "Copy Blob" and "Blob rehydration from the archive tier": the copy of an archived blob is there at
//! once, in the archive, and on its way to the tier that was asked for; the source stays as it is.

use http::StatusCode;
use jiff::Timestamp;
use url::Url;

use super::bill::Class;
use super::error::StorageError;
use super::read::readable;
use super::record::Blob;
use super::tier::{self, Rehydration, Tier};
use super::version::{self, Which};
use super::{access, headers, write};
use crate::call::{Call, Query, percent_decode};
use crate::clock::http_date;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// What a blob remembers of the copy that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Id of the copy.
    pub id: String,
    /// Address of the source, without a signature.
    pub source: String,
    /// When it was done.
    pub at: Timestamp,
}

/// Where a copy comes from.
struct Source {
    container: String,
    name: String,
    which: Which,
    address: String,
}

/// Copies a blob of the same account. Metadata and tier come from the request where it has them, else from the source.
pub(super) fn copy(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let source = source(call, state)?;
    let id = state.guid();
    let blobs = &mut access::account_mut(call, state)?.blobs;
    write::check_create(call, blobs, container, name)?;
    let mut written = write::written(call)?;
    write::check_kept(call, blobs, container, name, &written)?;
    let (from, _) = blobs
        .find(&source.container, &source.name, &source.which)
        .map_err(|_| cannot_verify())?;
    check_source(call, from)?;
    let onto_itself = source.which == Which::Current
        && (source.container.as_str(), source.name.as_str()) == (container, name);
    let begun = rehydration(call, from, name, onto_itself, written.tier)?;
    let (content, blocks) = (from.content.clone(), from.blocks.clone());
    written.headers = from.headers.clone();
    if written.metadata.is_empty() {
        written.metadata = from.metadata.clone();
    }
    if let Some(begun) = begun {
        (written.tier, written.rehydration) = (Some(Tier::Archive), Some(begun));
        blobs.bills.operation(Class::Read, Tier::Archive);
        blobs.bills.rehydrates(None, begun, content.size());
    }
    written.copied = Some(Copied {
        id: id.clone(),
        source: source.address,
        at: call.now,
    });
    let blob = blobs.commit(container, name, content, blocks, written, call.now)?;
    let reply = access::tagged(StatusCode::ACCEPTED, &blob.etag, blob.modified);
    Ok(version::named(reply, blob)
        .with("x-ms-copy-id", id)
        .with("x-ms-copy-status", "success"))
}

/// The way out of the archive that a copy begins. A blob that is archived cannot be copied within the archive, nor onto itself.
fn rehydration(
    call: &Call,
    from: &Blob,
    name: &str,
    onto_itself: bool,
    to: Option<Tier>,
) -> Result<Option<Rehydration>, StorageError> {
    if from.rehydration.is_some() {
        return Err(tier::being_rehydrated());
    }
    if from.tier() != Tier::Archive {
        readable(from)?;
        return Ok(None);
    }
    let to = to.unwrap_or_default();
    if onto_itself || to == Tier::Archive {
        return Err(tier::archived());
    }
    let priority = tier::priority(call)?;
    let bytes = from.content.size();
    Ok(Some(Rehydration::begin(
        to, priority, name, bytes, call.now,
    )))
}

fn check_source(call: &Call, from: &Blob) -> Result<(), StorageError> {
    let found = Some((from.etag.as_str(), from.modified));
    match headers::condition_of(call, "x-ms-source-", found) {
        Ok(true) => Ok(()),
        _ => Err(StorageError::new(
            412,
            "SourceConditionNotMet",
            "The source condition specified using HTTP conditional header(s) is not met.",
        )),
    }
}

fn source(call: &Call, state: &State) -> Result<Source, StorageError> {
    let text = call.header("x-ms-copy-source").unwrap_or_default();
    let invalid = || StorageError::invalid_header("x-ms-copy-source", text);
    let url = Url::parse(text).map_err(|_| invalid())?;
    let own = Url::parse(&state.cloud.blob_url(&call.label)).map_err(|_| invalid())?;
    if url.host_str() != own.host_str() {
        return Err(cannot_verify());
    }
    let query = Query::parse(url.query().unwrap_or_default());
    let which = match (query.get("versionid"), query.get("snapshot")) {
        (Some(id), _) => Which::Version(id.to_owned()),
        (None, Some(moment)) => Which::Snapshot(moment.to_owned()),
        (None, None) => Which::Current,
    };
    let path = percent_decode(url.path());
    let (container, name) = path
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(invalid)?;
    Ok(Source {
        container: container.to_owned(),
        name: name.to_owned(),
        which,
        address: text.split('?').next().unwrap_or_default().to_owned(),
    })
}

fn cannot_verify() -> StorageError {
    StorageError::new(
        404,
        "CannotVerifyCopySource",
        "The specified blob does not exist.",
    )
}

/// An answer with what is known of the copy that made a blob.
pub(super) fn shown(reply: Reply, blob: &Blob) -> Reply {
    let Some(copied) = &blob.copied else {
        return reply;
    };
    let size = blob.content.size();
    reply
        .with("x-ms-copy-id", &copied.id)
        .with("x-ms-copy-source", &copied.source)
        .with("x-ms-copy-status", "success")
        .with("x-ms-copy-progress", format!("{size}/{size}"))
        .with("x-ms-copy-completion-time", http_date(copied.at))
}
