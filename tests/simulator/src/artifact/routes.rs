//! Operations on artifacts: list, addresses, content, empty ones to be written.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::place::{Place, not_found};
use crate::blob::{Content, ContentHeaders, Written};
use crate::call::Call;
use crate::history::outcome::ARTIFACTS;
use crate::history::scope::Scope;
use crate::history::{Run, bad_request, from_token, to_token};
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Folders whose files Studio shows as logs.
const LOGS: [&str; 5] = [
    "user_logs/",
    "system_logs/",
    "logs/",
    "azureml-logs/",
    "std_log.txt",
];

fn path(call: &Call) -> Result<&str, Refusal> {
    let path = call.query.get("path").unwrap_or_default();
    let hostile = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if path.is_empty() || hostile {
        return Err(bad_request(format!("The artifact path is invalid: {path}")));
    }
    Ok(path)
}

/// The artifacts below a path, as they are or with an address each.
pub(super) fn list(call: &Call, state: &State, place: &Place, addresses: bool) -> Answer {
    let prefix = call.query.get("path").unwrap_or_default();
    let token = call
        .query
        .get("continuationToken")
        .filter(|it| !it.is_empty());
    let start = token.map_or(Ok(0), from_token)?;
    let rows = state.settings.page;
    let all = place.below(state, prefix)?;
    let token = (start + rows < all.len()).then(|| to_token(start + rows));
    let mut value = Vec::new();
    for (path, blob) in all.into_iter().skip(start).take(rows) {
        value.push(if addresses {
            place.information(state, path, "r", call.now)?
        } else {
            place.shown(path, blob)
        });
    }
    let link = token.as_deref().map(|token| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("path", prefix)
            .append_pair("continuationToken", token)
            .finish();
        format!(
            "{}{}?{query}",
            state.cloud.data_url(&call.label),
            call.raw_path
        )
    });
    let body = json!({"value": value, "continuationToken": token, "nextLink": link});
    Ok(Reply::json(StatusCode::OK, &body))
}

/// One artifact.
pub(super) fn metadata(call: &Call, state: &State, place: &Place) -> Answer {
    let path = path(call)?;
    let body = place.shown(path, place.blob(state, path)?);
    Ok(Reply::json(StatusCode::OK, &body))
}

/// One artifact with an address; one that may be written need not be there.
pub(super) fn content_information(
    call: &Call,
    state: &State,
    place: &Place,
    permissions: &str,
) -> Answer {
    let path = path(call)?;
    if permissions == "r" {
        place.blob(state, path)?;
    }
    let body = place.information(state, path, permissions, call.now)?;
    Ok(Reply::json(StatusCode::OK, &body))
}

/// The bytes of an artifact.
pub(super) fn download(call: &Call, state: &State, place: &Place) -> Answer {
    let path = path(call)?;
    let blob = place.blob(state, path)?;
    if let Some(status) = blob.unreadable {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Err(Refusal::history(
            status,
            "ServiceError",
            format!("Cannot read artifact {path}"),
        ));
    }
    let kind = blob.headers.content_type.as_deref();
    Ok(Reply::bytes(StatusCode::OK, blob.content.to_bytes())
        .with("content-type", kind.unwrap_or("application/octet-stream")))
}

/// Writes an artifact, or adds to one.
pub(super) fn upload(call: &Call, state: &mut State, place: &Place) -> Answer {
    let path = path(call)?;
    let held = place
        .blob(state, path)
        .ok()
        .map(|blob| blob.content.clone());
    let appends = call.query.is("append", "true");
    if held.is_some() && !appends && !call.query.is("allowOverwrite", "true") {
        return Err(Refusal::history(
            StatusCode::CONFLICT,
            "UserError",
            format!(
                "Resource Conflict: ArtifactId {} already exists.",
                place.blob_name(path)
            ),
        ));
    }
    let new = Content::from(call.body.clone());
    let content = match held {
        Some(held) if appends => Content::concat([held, new]),
        _ => new,
    };
    let kind = call.header("content-type").map(str::to_owned);
    put(call, state, place, path, content, kind)?;
    let body = place.shown(path, place.blob(state, path)?);
    Ok(Reply::json(StatusCode::OK, &body))
}

fn put(
    call: &Call,
    state: &mut State,
    place: &Place,
    path: &str,
    content: Content,
    kind: Option<String>,
) -> Result<(), Refusal> {
    let written = Written {
        headers: ContentHeaders {
            content_type: kind,
            ..ContentHeaders::default()
        },
        ..Written::default()
    };
    let blobs = &mut place.account_mut(state)?.blobs;
    blobs.create_container(ARTIFACTS, call.now);
    blobs.put(
        ARTIFACTS,
        &place.blob_name(path),
        content,
        written,
        call.now,
    )?;
    Ok(())
}

/// Makes empty artifacts of a container and answers with addresses that write them.
pub(super) fn create(call: &Call, state: &mut State, place: &Place) -> Answer {
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| bad_request("The request's body is no JSON."))?;
    let paths = body.get("paths").and_then(Value::as_array);
    let paths: Vec<String> = paths
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("path")?.as_str().map(str::to_owned))
        .collect();
    let mut made = Made::default();
    for path in &paths {
        made.add(call, state, place, path, path)?;
    }
    Ok(made.answer())
}

/// The same for ids of any container: `ORIGIN/CONTAINER/PATH`.
pub(super) fn create_by_id(call: &Call, state: &mut State, scope: &Scope) -> Answer {
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| bad_request("The request's body is no JSON."))?;
    let ids = body.get("artifactIds").and_then(Value::as_array);
    let ids: Vec<String> = ids
        .into_iter()
        .flatten()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    let mut made = Made::default();
    for id in &ids {
        let parts = id.splitn(3, '/').collect::<Vec<_>>();
        let [origin, container, path] = parts.as_slice() else {
            return Err(bad_request(format!("The artifact id is invalid: {id}")));
        };
        let place = Place::new(state, scope, origin, container)?;
        made.add(call, state, &place, path, id)?;
    }
    Ok(made.answer())
}

/// Artifacts that a batch made.
#[derive(Default)]
struct Made {
    artifacts: Map<String, Value>,
    information: Map<String, Value>,
    errors: Map<String, Value>,
}

impl Made {
    fn add(
        &mut self,
        call: &Call,
        state: &mut State,
        place: &Place,
        path: &str,
        key: &str,
    ) -> Result<(), Refusal> {
        if place.blob(state, path).is_ok() {
            let conflict = json!({"error": {"code": "UserError", "message": format!("Resource Conflict: ArtifactId {} already exists.", place.blob_name(path))}});
            self.errors.insert(key.to_owned(), conflict);
            return Ok(());
        }
        put(call, state, place, path, Content::default(), None)?;
        let artifact = place.shown(path, place.blob(state, path)?);
        self.artifacts.insert(key.to_owned(), artifact);
        // Only its record is made here. The bytes come as a blob that must not be there yet: azureml-mlflow 1.62 writes it with
        // `If-None-Match: *`.
        let blobs = &mut place.account_mut(state)?.blobs;
        blobs.delete(ARTIFACTS, &place.blob_name(path), call.now)?;
        let information = place.information(state, path, "rcw", call.now)?;
        self.information.insert(key.to_owned(), information);
        Ok(())
    }

    fn answer(self) -> Reply {
        let body = json!({
            "artifacts": self.artifacts,
            "artifactContentInformation": self.information,
            "errors": self.errors,
        });
        Reply::json(StatusCode::OK, &body)
    }
}

/// Removes an artifact.
pub(super) fn delete(call: &Call, state: &mut State, place: &Place) -> Answer {
    let path = path(call)?;
    place.blob(state, path)?;
    let blobs = &mut place.account_mut(state)?.blobs;
    blobs
        .delete(ARTIFACTS, &place.blob_name(path), call.now)
        .map_err(|_| not_found(path))?;
    Ok(Reply::empty(StatusCode::OK))
}

/// The log files of a run with a signed address each, as its details list them. They differ with every read.
pub(crate) fn log_files(
    call: &Call,
    state: &State,
    scope: &Scope,
    run: &Run,
) -> Result<Value, Refusal> {
    let place = Place::new(state, scope, "ExperimentRun", &run.data_container())?;
    let mut files = Map::new();
    for (path, _) in place.below(state, "")? {
        if LOGS.iter().any(|folder| path.starts_with(folder)) {
            let address = place.address(state, path, "r", call.now)?;
            files.insert(path.to_owned(), Value::String(address));
        }
    }
    Ok(Value::Object(files))
}
