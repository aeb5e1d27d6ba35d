//! Azure Files of an account: shares and their snapshots, directories, files written range by range.
//!
//! Shapes follow the File service's OpenAPI (2024-08-04) and what the official SDK sends (azure-storage-file-share
//! 12.27.1). Strict where Azure is: a bearer token needs `x-ms-file-request-intent: backup` and a recent version, a
//! directory must be there before its files. This file only tells the operations apart.

mod directory;
mod entry;
mod error;
mod extents;
mod list;
mod properties;
mod range;
mod read;
mod snapshot;
mod store;
mod time;
mod tree;
mod whole;
mod write;

use http::Method;

use crate::blob::access;
use crate::blob::{StorageError, unsupported};
use crate::call::Call;
use crate::identity::Identity;
use crate::reply::{Answer, Refusal};
use crate::state::State;

pub use entry::{Entry, File, Properties};
pub use extents::Extents;
pub use store::ShareStore;
pub use time::{parse, whole_ticks};
pub use tree::Share;

/// The oldest version in which a bearer token opens a file.
const BEARER_VERSION_MIN: &str = "2022-11-02";

/// The oldest version in which a bearer token opens a share itself.
const BEARER_SHARE_VERSION_MIN: &str = "2024-11-04";

/// Characters that no name of a file or directory may have.
const NAME_FORBIDDEN: [char; 8] = ['"', '\\', ':', '|', '<', '>', '*', '?'];

/// Answers a call to `ACCOUNT.file.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let answer = match route(call, state) {
        Ok(reply) => reply,
        Err(refusal) => refusal.into_reply(),
    };
    Ok(access::stamp(call, state, answer))
}

fn route(call: &Call, state: &mut State) -> Answer {
    let share = call.segment(0).to_owned();
    let restype = call.query.get("restype").unwrap_or_default();
    let comp = call.query.get("comp").unwrap_or_default();
    snapshot::check_reads(call)?;
    if share.is_empty() || restype == "share" {
        return whole::handle(call, state, &share);
    }
    check_bearer(call, BEARER_VERSION_MIN)?;
    let path = path(call)?;
    let method = call.method.clone();
    match (restype, method, comp) {
        ("directory", Method::GET, "list") => list::entries(call, state, &share, &path),
        ("directory", method, comp) => match (method, comp) {
            (Method::PUT, "") => directory::create(call, state, &share, &path),
            (Method::GET | Method::HEAD, "" | "metadata") => {
                directory::read(call, state, &share, &path)
            }
            (Method::PUT, "metadata") => write::set_metadata(call, state, &share, &path),
            (Method::PUT, "properties") => write::set_properties(call, state, &share, &path),
            (Method::DELETE, "") => directory::delete(call, state, &share, &path),
            _ => Err(unsupported(call)),
        },
        (_, Method::GET | Method::HEAD, "") => read::content(call, state, &share, &path),
        (_, Method::GET | Method::HEAD, "metadata") => read::metadata(call, state, &share, &path),
        (_, Method::GET, "rangelist") => range::list(call, state, &share, &path),
        (_, Method::PUT, "") => write::create(call, state, &share, &path),
        (_, Method::PUT, "range") => range::put(call, state, &share, &path),
        (_, Method::PUT, "metadata") => write::set_metadata(call, state, &share, &path),
        (_, Method::PUT, "properties") => write::set_properties(call, state, &share, &path),
        (_, Method::PUT, "rename") => write::rename(call, state, &share, &path),
        (_, Method::DELETE, "") => write::delete(call, state, &share, &path),
        _ => Err(unsupported(call)),
    }
}

/// The path that a call names, checked. Dots at the end of a part are dropped unless the call keeps them.
fn path(call: &Call) -> Result<String, Refusal> {
    normal(call, &call.rest(1), "x-ms-allow-trailing-dot")
}

fn normal(call: &Call, path: &str, keep_dots: &str) -> Result<String, Refusal> {
    let keeps = call
        .header(keep_dots)
        .is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let part = if keeps {
            part
        } else {
            part.trim_end_matches('.')
        };
        let forbidden = |it: char| NAME_FORBIDDEN.contains(&it) || it < ' ';
        if part.is_empty() || part.chars().count() > 255 || part.contains(forbidden) {
            return Err(StorageError::new(
                400,
                "InvalidResourceName",
                "The specified resource name contains invalid characters.",
            )
            .into());
        }
        parts.push(part);
    }
    Ok(parts.join("/"))
}

/// What a bearer token needs besides its rights: a recent version, and the intent to do as a backup does.
fn check_bearer(call: &Call, version_min: &str) -> Result<(), StorageError> {
    const INTENT: &str = "x-ms-file-request-intent";
    if !matches!(call.identity, Identity::Bearer(_)) {
        return Ok(());
    }
    if call.header("x-ms-version").unwrap_or_default() < version_min {
        return Err(StorageError::new(
            400,
            "FeatureVersionMismatch",
            "The operation for AuthenticationScheme OAuth is not supported in this version.",
        ));
    }
    match call.header(INTENT) {
        Some("backup") => Ok(()),
        Some(other) => Err(StorageError::invalid_header(INTENT, other)),
        None => Err(StorageError::missing_header(INTENT)),
    }
}

#[cfg(test)]
mod tests;
