//! The published examples: each document comes through a backup without a lost value, of a kind that the table has or
//! not, has a step in a plan, and each string of it that is or looks like a reference leads to the target or is listed.
//!
//! The files lie beside the project in `shared/azure/examples`; without them this test says so and passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::restore::{Action, Target, plan};
use serde_json::{Map, Value, json};
use simulator::documents::Resource;
use simulator::world::World;
use workspace::pointer::{Pointer, each_string};
use workspace::reference::{Reference, Rewriter, rewrite};
use workspace::{Kind, Workspace};

use crate::restore::bench::Bench;
use crate::specification::{beside, say};

mod shelf;

/// Where a document belongs.
#[derive(Clone, Copy)]
enum Shelf {
    Known(&'static Kind),
    /// A type that the table of kinds does not have.
    Unknown(&'static str),
}

impl Shelf {
    fn of(file: &str) -> Option<Self> {
        let find = |shelves: &'static [(&str, &str)]| {
            let found = shelves.iter().find(|(part, _)| file.contains(part));
            found.map(|(_, kind)| *kind)
        };
        if let Some(name) = find(shelf::UNKNOWN) {
            return Some(Self::Unknown(name));
        }
        find(shelf::KNOWN).and_then(Kind::find).map(Self::Known)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Known(kind) => kind.name,
            Self::Unknown(name) => name,
        }
    }

    fn above(self) -> Option<(&'static Kind, &'static str)> {
        match self {
            Self::Known(kind) => kind.above(),
            Self::Unknown(_) => None,
        }
    }
}

/// One document of an example.
struct Example {
    file: String,
    kind: Shelf,
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
            Some(_) => format!("{}/{}/versions", self.kind.name(), self.name),
            None => self.kind.name().to_owned(),
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

/// What the published files hold.
#[derive(Default)]
struct Corpus {
    examples: Vec<Example>,
    /// How many files hold no document of a workspace, by the reason.
    aside: BTreeMap<&'static str, usize>,
    /// Files that nobody says anything of.
    unexplained: Vec<String>,
}

impl Corpus {
    /// Reads them, with the documents moved into a workspace.
    fn read(folder: &Path, workspace: &str) -> Self {
        let mut paths = Vec::new();
        files(folder, &mut paths);
        paths.sort();
        let mut corpus = Self::default();
        for path in paths {
            let file = path.strip_prefix(folder).unwrap().display().to_string();
            let Ok(example) = serde_json::from_slice(&std::fs::read(&path).unwrap()) else {
                panic!("{file} is no JSON");
            };
            corpus.add(file, &example, workspace);
        }
        corpus
    }

    fn add(&mut self, file: String, example: &Value, workspace: &str) {
        let resources = resources(example);
        let stem = Path::new(&file).file_stem().unwrap().to_str().unwrap();
        let aside = shelf::ASIDE.iter().find(|(part, _)| file.contains(part));
        let aside = match aside {
            Some((_, reason)) => Some(*reason),
            None if resources.is_empty() && shelf::OPERATIONS.contains(&stem) => {
                Some("the question or the answer of an operation")
            }
            None => None,
        };
        if let Some(reason) = aside {
            *self.aside.entry(reason).or_default() += 1;
            return;
        }
        let Some(kind) = Shelf::of(&file).filter(|_| !resources.is_empty()) else {
            self.unexplained.push(file);
            return;
        };
        let is_version = file.contains("Version/") || file.contains("VersionBase/");
        for resource in resources {
            let mut body = moved(resource, workspace).as_object().unwrap().clone();
            for own in ["id", "name", "type", "systemData"] {
                body.remove(own);
            }
            self.examples.push(Example {
                file: file.clone(),
                kind,
                name: format!("ex-{}", self.examples.len()),
                version: is_version.then(|| "1".to_owned()),
                body,
            });
        }
    }
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
        documents.put(example.kind.name(), container);
    }
    let resource = Resource::new(example.last_name(), example.body.clone(), "corpus", now);
    documents.put(&example.collection(), resource);
}

/// The values of an example that a document lacks or has otherwise.
fn lost(example: &Example, saved: &Value, dropped: &[String]) -> Vec<String> {
    let mut lost = Vec::new();
    let read_only = match example.kind {
        // How far it is the service says itself.
        Shelf::Unknown(_) => &["/properties/provisioningState"],
        Shelf::Known(kind) if example.version.is_none() && kind.versioned => {
            kind.container.unwrap().read_only
        }
        Shelf::Known(kind) => kind.read_only,
    };
    let body = Value::Object(example.body.clone());
    each_leaf(&body, &mut Pointer::root(), &mut |at, value| {
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

/// Whether a string looks like a reference, to somebody who does not know the grammar.
fn looks_like_one(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "azureml:",
        "/subscriptions/",
        "runs:/",
        "wasb",
        "abfs",
        "adl:",
    ]
    .iter()
    .any(|start| text.starts_with(start))
        || [".azurecr.io/", ".blob.", ".dfs.", ".vault."]
            .iter()
            .any(|part| text.contains(part))
}

/// What became of the strings of all examples that are or look like references.
#[derive(Default)]
struct Judgement {
    rewritten: usize,
    /// Strings that stay, by the reason.
    stay: BTreeMap<&'static str, usize>,
    overlooked: Vec<String>,
}

impl Judgement {
    /// Judges one document: each such string leads to the target afterwards, or somebody says why not.
    fn judge(&mut self, example: &Example, saved: &Value, rewriter: &Rewriter, source: &str) {
        let Shelf::Known(kind) = example.kind else {
            // Nothing is made of it.
            return;
        };
        let rewritten = rewrite(kind, saved, rewriter);
        each_string(saved, &mut |at, from| {
            let pointer = at.to_string();
            let mut read_only = kind.read_only.iter();
            let reference = Reference::parse_in(from, at.field());
            let names_source = from.contains(source);
            let is_one = reference.is_some() || looks_like_one(from) || names_source;
            if !is_one || read_only.any(|pattern| at.is_below_or_at(pattern)) {
                return;
            }
            let to = rewritten.value.pointer(&pointer).and_then(Value::as_str);
            if to.is_some_and(|to| to != from && !to.contains(source)) {
                self.rewritten += 1;
                return;
            }
            let mut left = rewritten.left.iter();
            let form = reference.filter(|_| !names_source);
            let form = form.and_then(|reference| {
                let mut forms = shelf::STAYS.iter();
                forms.find(|(form, _)| *form == reference.form())
            });
            let mut exceptions = shelf::EXCEPTIONS.iter();
            let exception =
                exceptions.find(|(file, at, _)| example.file.ends_with(file) && *at == pointer);
            let reason = if at.matches_any(kind.free_text) {
                Some("free text, kept byte by byte")
            } else if let Some(left) = left.find(|left| left.pointer == pointer) {
                Some(left.reason)
            } else {
                form.map(|(_, reason)| *reason)
                    .or(exception.map(|(_, _, reason)| *reason))
            };
            match reason {
                Some(reason) => *self.stay.entry(reason).or_default() += 1,
                None => self
                    .overlooked
                    .push(format!("{} {pointer}: {from}", example.file)),
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn every_example_comes_through_without_a_lost_value_or_reference() {
    let Some(folder) = beside("shared/azure/examples") else {
        return;
    };
    let bench = Bench::of(&World::small(3)).await;
    let workspace = bench.name(&bench.source).arm_id();
    let Corpus {
        examples,
        aside,
        unexplained,
    } = Corpus::read(&folder, &workspace);
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    examples.iter().for_each(|example| put(&bench, example));
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;

    let target = bench.open(&bench.target).await;
    let rewriter = Rewriter::new(source.identity().clone(), target.identity().clone());
    let newest = bench.store.newest().await;
    let mut lost_values = Vec::new();
    let mut judgement = Judgement::default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for example in &examples {
        let (kind, name) = (example.kind.name(), example.item_name());
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
        judgement.judge(example, &saved, &rewriter, &workspace);
        *counts.entry(kind).or_default() += 1;
    }
    say(&format!("examples by kind: {counts:?}"));
    say(&format!(
        "files that hold no document of a workspace: {aside:#?}"
    ));
    say(&format!(
        "references of the examples: {} lead to the target; those that stay: {:#?}",
        judgement.rewritten, judgement.stay
    ));
    let rewritten = judgement.rewritten;
    assert!(rewritten >= 5, "{rewritten} are too few to say anything");
    assert!(lost_values.is_empty(), "{lost_values:#?}");
    let overlooked = judgement.overlooked;
    assert!(overlooked.is_empty(), "{overlooked:#?}");
    for (_, kind) in shelf::KNOWN.iter().chain(shelf::UNKNOWN) {
        assert!(counts.contains_key(kind), "no example of {kind}");
    }
    let stays = shelf::STAYS.iter().map(|(_, reason)| *reason);
    let stays = stays.chain(shelf::EXCEPTIONS.iter().map(|(_, _, reason)| *reason));
    let needless: Vec<&str> = stays
        .filter(|reason| !judgement.stay.contains_key(reason))
        .chain(
            shelf::ASIDE
                .iter()
                .map(|(_, reason)| *reason)
                .filter(|reason| !aside.contains_key(reason)),
        )
        .collect();
    assert!(needless.is_empty(), "{needless:?}");

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
        let (kind, name) = (example.kind.name(), example.item_name());
        let step = plan.steps.iter().find(|step| {
            let item = &step.item;
            item.kind == kind && item.name == name && item.version == example.version
        });
        let Some(step) = step else {
            panic!("{}: {kind}/{name} has no step", example.file);
        };
        if let Shelf::Unknown(_) = example.kind {
            assert_eq!(step.action, Action::Impossible, "{}", example.file);
        }
    }
}
