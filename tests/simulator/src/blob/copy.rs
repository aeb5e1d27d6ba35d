//! Copy Blob and Copy Blob From URL: within this cloud, done when it is answered.

use http::StatusCode;
use url::Url;

use super::access;
use super::error::StorageError;
use super::headers;
use super::read::readable;
use super::store::Written;
use super::write;
use crate::call::{Call, percent_decode};
use crate::reply::Answer;
use crate::state::State;

/// Copies a blob of the same account. Metadata and tier come from the request where it has them, else from the source.
pub(super) fn copy(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let (from_container, from_name) = source(call, state)?;
    let id = state.guid();
    let blobs = &mut access::account_mut(call, state)?.blobs;
    write::check_create(call, blobs, container, name)?;
    let from = blobs
        .blob(&from_container, &from_name)
        .map_err(|_| cannot_verify())?;
    readable(from)?;
    let content = from.content.clone();
    let sent = headers::metadata(call);
    let written = Written {
        headers: from.headers.clone(),
        metadata: if sent.is_empty() {
            from.metadata.clone()
        } else {
            sent
        },
        tier: write::written(call)?.tier,
    };
    let blocks = from.blocks.clone();
    let blob = blobs.commit(container, name, content, blocks, written, call.now)?;
    Ok(
        access::tagged(StatusCode::ACCEPTED, &blob.etag, blob.modified)
            .with("x-ms-copy-id", id)
            .with("x-ms-copy-status", "success"),
    )
}

fn source(call: &Call, state: &State) -> Result<(String, String), StorageError> {
    let text = call.header("x-ms-copy-source").unwrap_or_default();
    let invalid = || StorageError::invalid_header("x-ms-copy-source", text);
    let url = Url::parse(text).map_err(|_| invalid())?;
    let own = Url::parse(&state.cloud.blob_url(&call.label)).map_err(|_| invalid())?;
    if url.host_str() != own.host_str() {
        return Err(cannot_verify());
    }
    let path = percent_decode(url.path());
    match path.trim_start_matches('/').split_once('/') {
        Some((container, name)) => Ok((container.to_owned(), name.to_owned())),
        None => Err(invalid()),
    }
}

fn cannot_verify() -> StorageError {
    StorageError::new(
        404,
        "CannotVerifyCopySource",
        "The specified blob does not exist.",
    )
}
