//! Everything that a workspace holds as one JSON document, for checkers that share no code with anybody.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::arm;
use crate::blob::Tier;
use crate::clock::iso;
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

/// A workspace with its documents, runs, metrics and files (with SHA-256), deleted softly or not. `None` where there is none.
pub fn workspace(state: &State, key: &WorkspaceKey, now: Timestamp) -> Option<Value> {
    let workspace = state.workspaces.get(key)?;
    let account = state.accounts.get(&workspace.account);
    Some(json!({
        "workspace": arm::show_workspace(state, workspace, now),
        "deleted": workspace.deleted.map(iso),
        "documents": documents(state, workspace, now),
        "secrets": secrets(workspace),
        "runs": runs(workspace),
        "metrics": metrics(workspace),
        "account": workspace.account,
        "blobs": account.map(blobs),
        "files": account.map(files),
    }))
}

fn documents(state: &State, workspace: &Workspace, now: Timestamp) -> Value {
    let mut all = Map::new();
    for (collection, of) in workspace.documents.collections() {
        for resource in of.values() {
            let shown = arm::show_resource(state, workspace, collection, resource, now);
            all.insert(format!("{collection}/{}", resource.name), shown);
        }
    }
    Value::Object(all)
}

fn secrets(workspace: &Workspace) -> Value {
    let all = workspace
        .documents
        .collections()
        .flat_map(|(collection, of)| {
            of.values().filter_map(move |resource| {
                Some((
                    format!("{collection}/{}", resource.name),
                    resource.secrets.clone()?,
                ))
            })
        });
    Value::Object(all.collect())
}

fn runs(workspace: &Workspace) -> Value {
    let all = workspace.history.runs().map(|run| {
        let shown = json!({
            "run_id": run.run_id, "parent": run.parent, "experiment": run.experiment, "status": run.status,
            "display_name": run.display_name, "description": run.description, "run_type": run.run_type, "tags": run.tags,
            "properties": run.properties, "parameters": run.parameters, "hidden": run.hidden, "deleted": run.deleted,
            "created": run.created.map(iso), "started": run.started.map(iso), "ended": run.ended.map(iso),
        });
        (run.run_id.clone(), shown)
    });
    Value::Object(all.collect())
}

fn metrics(workspace: &Workspace) -> Value {
    let mut all = Map::new();
    for run in workspace.history.runs() {
        let Some(of) = workspace.metrics.of_run(&run.run_id) else {
            continue;
        };
        let shown = of.values().map(|metric| {
            let points = metric.points.iter().map(|point| json!({"step": point.step, "created": iso(point.created), "data": point.data}));
            (metric.name.clone(), Value::Array(points.collect()))
        });
        all.insert(run.run_id.clone(), Value::Object(shown.collect()));
    }
    Value::Object(all)
}

fn blobs(account: &Account) -> Value {
    let mut all = Map::new();
    for (container, of) in account.blobs.iter() {
        for (name, blob) in &of.blobs {
            let shown = json!({
                "bytes": blob.content.size(), "sha256": hex::encode(blob.content.sha256()), "content_type": blob.headers.content_type,
                "metadata": blob.metadata, "tier": blob.tier.map(Tier::name), "etag": blob.etag,
            });
            all.insert(format!("{container}/{name}"), shown);
        }
    }
    Value::Object(all)
}

fn files(account: &Account) -> Value {
    let mut all = Map::new();
    for (name, share) in account.shares.iter() {
        for (path, entry) in share.walk() {
            let shown = match &entry.file {
                None => json!({"directory": true}),
                Some(file) => {
                    let content = file.bytes.content();
                    json!({"bytes": content.size(), "sha256": hex::encode(content.sha256()), "written": iso(entry.properties.written)})
                }
            };
            all.insert(format!("{name}/{path}"), shown);
        }
    }
    Value::Object(all)
}
