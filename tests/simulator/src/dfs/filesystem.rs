//! File systems: the containers of an account, and lists of the paths in one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use crate::blob::{Blob, StorageError, access};
use crate::call::Call;
use crate::clock::http_date;
use crate::dfs::path::{self, OWNER, PERMISSIONS};
use crate::reply::Reply;
use crate::state::State;

/// What a request ends with.
pub(super) type Done = Result<Reply, StorageError>;

/// Filesystem Create.
pub(super) fn create(call: &Call, state: &mut State, name: &str) -> Done {
    let metadata = path::metadata(call)?;
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let made = blobs.create(name, metadata, call.now)?;
    let reply = access::tagged(StatusCode::CREATED, &made.etag, made.modified);
    Ok(reply.with("x-ms-namespace-enabled", blobs.hierarchical.to_string()))
}

/// Filesystem Get Properties.
pub(super) fn properties(call: &Call, state: &State, name: &str) -> Done {
    let blobs = &access::account(call, state)?.blobs;
    let found = blobs.container(name)?;
    let reply = access::tagged(StatusCode::OK, &found.etag, found.modified)
        .with("x-ms-namespace-enabled", blobs.hierarchical.to_string());
    Ok(reply.with("x-ms-properties", path::encoded(&found.metadata)))
}

/// Filesystem Delete.
pub(super) fn delete(call: &Call, state: &mut State, name: &str) -> Done {
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let found = blobs.container(name)?;
    found.worm.check_container(false, found.is_empty())?;
    blobs.remove(name);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// Filesystem List.
pub(super) fn all(call: &Call, state: &State) -> Done {
    let prefix = call.query.get("prefix").unwrap_or_default();
    let found = access::account(call, state)?.blobs.iter();
    let named = found.filter(|(name, _)| name.starts_with(prefix));
    let rows: Vec<(&str, Value)> = named
        .map(|(name, it)| {
            let modified = http_date(it.modified);
            (
                name,
                json!({"name": name, "lastModified": modified, "eTag": it.etag}),
            )
        })
        .collect();
    page(call, state, "filesystems", rows)
}

/// Path List: what is in a directory, or anywhere below it.
pub(super) fn paths(call: &Call, state: &State, name: &str) -> Done {
    let held = access::account(call, state)?.blobs.container(name)?;
    let directory = call.query.get("directory").unwrap_or_default();
    let directory = directory.trim_matches('/');
    if !directory.is_empty() && !held.blobs.get(directory).is_some_and(|it| it.directory) {
        return Err(StorageError::blob_not_found());
    }
    let recursive = match call.query.get("recursive") {
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        other => {
            let text = other.unwrap_or_default();
            return Err(StorageError::invalid_query("recursive", text));
        }
    };
    let found = held.below(directory, recursive);
    let rows = found.map(|(path, blob)| (path, row(path, blob)));
    page(call, state, "paths", rows.collect())
}

/// Numbers and truths are texts here, as the service writes them.
fn row(path: &str, blob: &Blob) -> Value {
    let mut row = json!({
        "name": path, "contentLength": blob.content.size().to_string(), "lastModified": http_date(blob.modified),
        "etag": blob.etag, "owner": OWNER, "group": OWNER, "permissions": PERMISSIONS,
    });
    if blob.directory {
        row["isDirectory"] = json!("true");
    }
    row
}

/// A page, and where the next one begins.
fn page(call: &Call, state: &State, member: &str, rows: Vec<(&str, Value)>) -> Done {
    let text = call.query.get("maxResults");
    let wanted = match text.map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(wanted)) if wanted > 0 => wanted,
        Some(_) => {
            let text = text.unwrap_or_default();
            return Err(StorageError::invalid_query("maxResults", text));
        }
    };
    let from = match call.query.get("continuation").filter(|it| !it.is_empty()) {
        None => String::new(),
        Some(token) => STANDARD_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| StorageError::invalid_query("continuation", token))?,
    };
    let most = wanted.min(state.settings.page);
    let mut rest = rows.into_iter().filter(|(name, _)| *name >= from.as_str());
    let shown: Vec<Value> = rest.by_ref().take(most).map(|(_, row)| row).collect();
    let reply = Reply::json(StatusCode::OK, &json!({ member: shown }));
    Ok(match rest.next() {
        Some((next, _)) => reply.with("x-ms-continuation", STANDARD_NO_PAD.encode(next)),
        None => reply,
    })
}
