//! The list of a run's artifacts, folder by folder.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Request, listed, ok, tracking_uri};
use crate::history::outcome::ARTIFACTS;
use crate::reply::Answer;
use crate::state::State;

/// What lies in a folder of a run's artifacts: files with their sizes, folders without.
pub(super) fn list(request: &Request<'_>, state: &State) -> Answer {
    let run = request.run(state)?;
    let workspace = request.workspace(state)?;
    let folder = request.text("path").unwrap_or_default();
    let folder = folder.trim_matches('/');
    let inside = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let (start, rows) = request.page(state.settings.page)?;
    let prefix = format!("{}{inside}", run.artifact_prefix());
    let container = state
        .accounts
        .get(&workspace.account)
        .and_then(|account| account.blobs.container(ARTIFACTS).ok());
    let mut entries: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for (name, blob) in container
        .into_iter()
        .flat_map(|it| it.blobs.range(prefix.clone()..))
    {
        let Some(below) = name.strip_prefix(&prefix) else {
            break;
        };
        match below.split_once('/') {
            Some((directory, _)) => entries.insert(format!("{inside}{directory}"), None),
            None => entries.insert(format!("{inside}{below}"), Some(blob.content.size())),
        };
    }
    let next = (start + rows < entries.len()).then_some(start + rows);
    let files: Vec<Value> = entries
        .into_iter()
        .skip(start)
        .take(rows)
        .map(|(path, size)| match size {
            Some(size) => json!({"path": path, "is_dir": false, "file_size": size}),
            None => json!({"path": path, "is_dir": true}),
        })
        .collect();
    let experiment = workspace.history.experiment(&run.experiment);
    let experiment = experiment.map(|it| it.id.as_str()).unwrap_or_default();
    let below = format!("/experiments/{experiment}/runs/{}/artifacts", run.run_id);
    let mut body = listed("files", files, next);
    body.insert(
        "root_uri".to_owned(),
        json!(tracking_uri(state, workspace, &below)),
    );
    Ok(ok(Value::Object(body)))
}
