//! Azure Data Lake Storage Gen2 of an account: its containers as file systems, with directories, appended and flushed files.
//!
//! As much of it as the official client sends (azure-storage-file-datalake 12.26.1); what that client does by the Blob service,
//! reads and properties above all, goes there. From Microsoft's "Azure Data Lake Storage Gen2 REST API".

mod file;
mod filesystem;
mod path;

use http::{Method, StatusCode};
use serde_json::json;

use crate::blob::{StorageError, access};
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Answers a call to `ACCOUNT.dfs.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let answer = match route(call, state) {
        Ok(reply) => reply,
        Err(refusal) => refusal.into_reply(),
    };
    Ok(access::stamp(call, state, answer))
}

fn route(call: &Call, state: &mut State) -> Answer {
    let (filesystem, path) = (call.segment(0), call.rest(1));
    let path = path.trim_matches('/');
    let resource = call.query.get("resource").unwrap_or_default();
    let action = call.query.get("action").unwrap_or_default();
    let answer = match (call.method.clone(), resource, action, path) {
        (Method::GET, "account", _, "") if filesystem.is_empty() => filesystem::all(call, state),
        (Method::PUT, "filesystem", _, "") => filesystem::create(call, state, filesystem),
        (Method::HEAD, "filesystem", _, "") => filesystem::properties(call, state, filesystem),
        (Method::DELETE, "filesystem", _, "") => filesystem::delete(call, state, filesystem),
        (Method::GET, "filesystem", _, "") => filesystem::paths(call, state, filesystem),
        (Method::PUT, _, _, path) if call.header(path::RENAMES).is_some() => {
            path::rename(call, state, filesystem, path)
        }
        (Method::PUT, "file", _, path) => file::create(call, state, filesystem, path),
        (Method::PUT, "directory", _, path) => path::directory(call, state, filesystem, path),
        (Method::PATCH, _, "append", path) => file::append(call, state, filesystem, path),
        (Method::PATCH, _, "flush", path) => file::flush(call, state, filesystem, path),
        (Method::GET, "", "", path) => file::read(call, state, filesystem, path),
        (Method::HEAD, "", _, path) => path::properties(call, state, filesystem, path),
        (Method::DELETE, _, _, path) => path::delete(call, state, filesystem, path),
        _ => Err(StorageError::new(
            405,
            "UnsupportedHttpVerb",
            "The resource doesn't support the specified HTTP verb.",
        )),
    };
    answer.map_err(|error| refused(&error))
}

/// A refusal in this service's own words and form.
fn refused(error: &StorageError) -> Refusal {
    let code = match error.code {
        "BlobNotFound" => "PathNotFound",
        "BlobAlreadyExists" => "PathAlreadyExists",
        "ContainerNotFound" => "FilesystemNotFound",
        "ContainerAlreadyExists" => "FilesystemAlreadyExists",
        code => code,
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({"error": {"code": code, "message": error.message}});
    let reply = Reply::json(status, &body).with("x-ms-error-code", code);
    let headers = error.headers.iter();
    let reply = headers.fold(reply, |reply, (name, value)| reply.with(name, value));
    Refusal::from(reply)
}

#[cfg(test)]
mod tests;
