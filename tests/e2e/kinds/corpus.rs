//! The published examples: each document comes through a backup without a lost value, has a step in a plan, and no string
//! of it that refers to its workspace is overlooked by the grammar of references.
//!
//! The files lie beside the project in `shared/azure/examples`; without them this test says so and passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::restore::{Target, plan};
use serde_json::{Map, Value, json};
use simulator::documents::Resource;
use simulator::world::World;
use workspace::pointer::{Pointer, each_string};
use workspace::reference::{Rewriter, rewrite};
use workspace::{Kind, Workspace};

use crate::restore::bench::Bench;
use crate::specification::{beside, say};

/// The folder of an example's file, and the kind of the documents in it.
const FOLDERS: &[(&str, &str)] = &[
    ("/Compute/", "computes"),
    ("/Datastore/", "datastores"),
    ("/LabelingJob/", "labelingJobs"),
    ("/Job/", "jobs"),
    ("/OnlineDeployment/", "onlineDeployments"),
    ("/OnlineEndpoint/", "onlineEndpoints"),
    ("/BatchDeployment/", "batchDeployments"),
    ("/BatchEndpoint/", "batchEndpoints"),
    ("/ServerlessEndpoint/", "serverlessEndpoints"),
    ("/MarketplaceSubscription/", "marketplaceSubscriptions"),
    ("/ManagedNetwork/", "outboundRules"),
    ("/PrivateEndpointConnection/", "privateEndpointConnections"),
    ("/Schedule/", "schedules"),
    ("/CodeContainer/", "codes"),
    ("/CodeVersion/", "codes"),
    ("/ComponentContainer/", "components"),
    ("/ComponentVersion/", "components"),
    ("/DataContainer/", "data"),
    ("/DataVersionBase/", "data"),
    ("/EnvironmentContainer/", "environments"),
    ("/EnvironmentVersion/", "environments"),
    ("/ModelContainer/", "models"),
    ("/ModelVersion/", "models"),
    ("/FeaturesetContainer/", "featuresets"),
    ("/FeaturesetVersion/", "featuresets"),
    ("/FeaturestoreEntityContainer/", "featurestoreEntities"),
    ("/FeaturestoreEntityVersion/", "featurestoreEntities"),
    ("/WorkspaceConnection/", "connections"),
];

/// Strings that name the workspace and are no references: the end of the file's name, the pointer, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// One document of an example.
struct Example {
    file: String,
    kind: &'static Kind,
    name: String,
    version: Option<String>,
    /// Without what the service says of every resource.
    body: Map<String, Value>,
}

impl Example {
    /// The collection that it lies in.
    fn collection(&self) -> String {
        if let Some((above, segment)) = self.kind.above() {
            return format!("{}/corpus/{segment}", above.name);
        }
        match self.version {
            Some(_) => format!("{}/{}/versions", self.kind.name, self.name),
            None => self.kind.name.to_owned(),
        }
    }

    /// Its own name there.
    fn last_name(&self) -> &str {
        self.version.as_deref().unwrap_or(&self.name)
    }

    /// Its name as an item.
    fn item_name(&self) -> String {
        match self.kind.above() {
            Some(_) => format!("corpus/{}", self.name),
            None => self.name.clone(),
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|end| end == "json") => found.push(path),
            false => {}
        }
    }
}

/// Every resource in the bodies of an example's request and answers.
fn resources(example: &Value) -> Vec<&Value> {
    let answers = example["responses"].as_object().into_iter().flatten();
    let answers = answers.map(|(_, answer)| &answer["body"]);
    let bodies = answers.chain([&example["parameters"]["body"]]);
    let each = bodies.flat_map(|body| match body["value"].as_array() {
        Some(values) => values.iter().collect(),
        None => vec![body],
    });
    each.filter(|one| one["properties"].is_object()).collect()
}

/// The examples of all kinds, moved into a workspace.
fn examples(folder: &Path, workspace: &str) -> Vec<Example> {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let file = path.strip_prefix(folder).unwrap().display().to_string();
        let kind = FOLDERS.iter().find(|(part, _)| file.contains(part));
        let Some(kind) = kind.and_then(|(_, kind)| Kind::find(kind)) else {
            continue;
        };
        let is_version = file.contains("Version/") || file.contains("VersionBase/");
        let text = std::fs::read(&path).unwrap();
        let Ok(example) = serde_json::from_slice::<Value>(&text) else {
            panic!("{file} is no JSON");
        };
        for resource in resources(&example) {
            let mut body = moved(resource, workspace).as_object().unwrap().clone();
            for own in ["id", "name", "type", "systemData"] {
                body.remove(own);
            }
            found.push(Example {
                file: file.clone(),
                kind,
                name: format!("ex-{}", found.len()),
                version: is_version.then(|| "1".to_owned()),
                body,
            });
        }
    }
    found
}

/// A copy whose ids of things in a workspace are of this one.
fn moved(value: &Value, workspace: &str) -> Value {
    match value {
        Value::String(text) => Value::String(moved_text(text, workspace)),
        Value::Array(items) => items.iter().map(|item| moved(item, workspace)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, member)| (name.clone(), moved(member, workspace)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn moved_text(text: &str, workspace: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mark = "/providers/microsoft.machinelearningservices/workspaces/";
    let (Some(start), Some(at)) = (lower.find("/subscriptions/"), lower.find(mark)) else {
        return text.to_owned();
    };
    let name = at + mark.len();
    let end = text[name..].find('/').map_or(text.len(), |end| name + end);
    format!("{}{workspace}{}", &text[..start], &text[end..])
}

/// Puts an example where the service has it, as it is.
fn put(bench: &Bench, example: &Example) {
    let now = bench.simulator.now();
    let mut state = bench.simulator.state();
    let documents = &mut state.workspace_mut(&bench.source).unwrap().documents;
    let plain = |properties: Value| {
        let body = Map::from_iter([("properties".to_owned(), properties)]);
        Resource::new("corpus", body, "corpus", now)
    };
    if let Some((above, _)) = example.kind.above() {
        documents.put(above.name, plain(json!({"authMode": "AADToken"})));
    }
    if example.version.is_some() {
        let mut container = plain(json!({"dataType": example.body["properties"]["dataType"]}));
        container.name.clone_from(&example.name);
        documents.put(example.kind.name, container);
    }
    let resource = Resource::new(example.last_name(), example.body.clone(), "corpus", now);
    documents.put(&example.collection(), resource);
}

/// The values of an example that a document lacks or has otherwise.
fn lost(example: &Example, saved: &Value, dropped: &[String]) -> Vec<String> {
    let mut lost = Vec::new();
    let body = Value::Object(example.body.clone());
    each_leaf(&body, &mut Pointer::root(), &mut |at, value| {
        let read_only = match example.version.is_none() && example.kind.versioned {
            true => example.kind.container.unwrap().read_only,
            false => example.kind.read_only,
        };
        let service = read_only.iter().any(|pattern| at.is_below_or_at(pattern));
        let pointer = at.to_string();
        let same = saved.pointer(&pointer) == Some(value);
        if !same && !service && !dropped.contains(&pointer) {
            lost.push(format!("{} {pointer}: {value}", example.file));
        }
    });
    lost
}

pub(super) fn each_leaf(value: &Value, at: &mut Pointer, visit: &mut dyn FnMut(&Pointer, &Value)) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                at.push(name.as_str());
                each_leaf(member, at, visit);
                at.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                at.push(index.to_string());
                each_leaf(item, at, visit);
                at.pop();
            }
        }
        leaf => visit(at, leaf),
    }
}

/// Strings that still name the source after rewriting, and that the grammar says nothing of.
fn overlooked(example: &Example, saved: &Value, rewriter: &Rewriter, source: &str) -> Vec<String> {
    let rewritten = rewrite(example.kind, saved, rewriter);
    let mut overlooked = Vec::new();
    each_string(&rewritten.value, &mut |at, text| {
        let pointer = at.to_string();
        let kind = example.kind;
        let service = kind
            .read_only
            .iter()
            .any(|pattern| at.is_below_or_at(pattern));
        let known = EXCEPTIONS
            .iter()
            .any(|(file, at, _)| example.file.ends_with(file) && *at == pointer);
        let left = rewritten.left.iter().any(|left| left.pointer == pointer);
        if text.contains(source) && !service && !known && !left && !at.matches_any(kind.free_text) {
            overlooked.push(format!("{} {pointer}: {text}", example.file));
        }
    });
    overlooked
}

#[tokio::test(start_paused = true)]
async fn every_example_comes_through_without_a_lost_value_or_reference() {
    let Some(folder) = beside("shared/azure/examples") else {
        return;
    };
    let bench = Bench::of(&World::small(3)).await;
    let workspace = bench.name(&bench.source).arm_id();
    let examples = examples(&folder, &workspace);
    examples.iter().for_each(|example| put(&bench, example));
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;

    let target = bench.open(&bench.target).await;
    let rewriter = Rewriter::new(source.identity().clone(), target.identity().clone());
    let newest = bench.store.newest().await;
    let mut lost_values = Vec::new();
    let mut strings = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut naming = 0;
    for example in &examples {
        let (kind, name) = (example.kind.name, example.item_name());
        let item = newest.item(kind, &name, example.version.as_deref()).await;
        let item = item
            .unwrap()
            .unwrap_or_else(|| panic!("{}: {kind}/{name}", example.file));
        let entry = item.documents.iter().find(|entry| entry.form == "arm");
        let saved = newest.document(entry.unwrap()).await.unwrap();
        let dropped: Vec<String> = item
            .secrets
            .iter()
            .map(|entry| entry.pointer.clone())
            .collect();
        lost_values.extend(lost(example, &saved, &dropped));
        strings.extend(overlooked(example, &saved, &rewriter, &workspace));
        *counts.entry(kind).or_default() += 1;
        each_string(&saved["properties"], &mut |_, text| {
            naming += usize::from(text.contains(&workspace));
        });
    }
    say(&format!(
        "examples by kind: {counts:?}; {naming} strings name the workspace"
    ));
    assert!(naming >= 10, "{naming} strings are too few to say anything");
    assert!(lost_values.is_empty(), "{lost_values:#?}");
    assert!(strings.is_empty(), "{strings:#?}");
    for (_, kind) in FOLDERS {
        assert!(counts.contains_key(kind), "no example of {kind}");
    }

    let mut request = bench.request(&[], ::restore::OnConflict::Fail);
    request.options.include.deployments = true;
    request.options.include.secrets = true;
    let plan = plan(
        &newest,
        &Target::Azure(target),
        &request,
        &::restore::Unobserved,
    )
    .await;
    let plan = plan.unwrap();
    for example in &examples {
        let (kind, name) = (example.kind.name, example.item_name());
        let step = plan.steps.iter().find(|step| {
            let item = &step.item;
            item.kind == kind && item.name == name && item.version == example.version
        });
        assert!(
            step.is_some(),
            "{}: {kind}/{name} has no step",
            example.file
        );
    }
}
