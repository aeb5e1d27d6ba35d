//! Every field that Azure publishes for a document of a kind that is restored is set once, and comes back as it was.
//!
//! The documents are made of the published models, which lie beside the project in `shared/azure/swagger`; without them
//! this test says so and passes. Fields that neither it nor `itself.rs` sets are printed, and each belongs to a model that
//! is explained.

use std::collections::{BTreeMap, BTreeSet};

use ::restore::{OnConflict, Plan};
use serde_json::{Value, json};
use simulator::documents::Resource;
use simulator::world::World;
use workspace::pointer::Pointer;
use workspace::{ItemId, Kind};

use super::corpus::each_leaf;
use super::coverage;
use super::itself;
use super::models::{FieldName, Maker, Models, Spot};
use super::samples::Source;
use crate::restore::bench::Bench;
use crate::specification::{beside, say};

/// The models of documents that a restore writes: kind, model, and whether it is of a version.
const ROOTS: &[(&str, &str, bool)] = &[
    ("datastores", "Datastore", false),
    (
        "connections",
        "WorkspaceConnectionPropertiesV2BasicResource",
        false,
    ),
    ("computes", "ComputeResource", false),
    ("environments", "EnvironmentContainer", false),
    ("environments", "EnvironmentVersion", true),
    ("codes", "CodeContainer", false),
    ("codes", "CodeVersion", true),
    ("data", "DataContainer", false),
    ("data", "DataVersionBase", true),
    ("models", "ModelContainer", false),
    ("models", "ModelVersion", true),
    ("components", "ComponentContainer", false),
    ("components", "ComponentVersion", true),
    ("featurestoreEntities", "FeaturestoreEntityContainer", false),
    ("featurestoreEntities", "FeaturestoreEntityVersion", true),
    ("featuresets", "FeaturesetContainer", false),
    ("featuresets", "FeaturesetVersion", true),
    ("outboundRules", "OutboundRuleBasicResource", false),
    ("marketplaceSubscriptions", "MarketplaceSubscription", false),
    ("serverlessEndpoints", "ServerlessEndpoint", false),
    ("onlineEndpoints", "OnlineEndpoint", false),
    ("onlineDeployments", "OnlineDeployment", false),
    ("batchEndpoints", "BatchEndpoint", false),
    ("batchDeployments", "BatchDeployment", false),
    ("schedules", "Schedule", false),
    ("jobs", "JobBase", false),
];

/// Fields that the service writes itself, though no model says so: kind and JSON pointer.
const SERVICES_OWN: &[(&str, &str)] = &[
    ("connections", "/properties/error"),
    ("connections", "/properties/peStatus"),
    ("outboundRules", "/properties/status"),
];

/// Fields that do not come back: kind, JSON pointer, and what the loss report says of it beforehand.
const LOST: &[(&str, &str, &str)] = &[
    ("codes", "/properties/codeUri", "the place of its bytes"),
    (
        "schedules",
        "/properties/isEnabled",
        "/properties/isEnabled",
    ),
    (
        "schedules",
        "/properties/action/jobDefinition/sourceJobId",
        "/properties/action/jobDefinition/sourceJobId",
    ),
];

/// A document that was made, as an item.
struct Made {
    kind: &'static Kind,
    id: ItemId,
    /// As a client writes it.
    body: Value,
    /// What only a POST returns.
    secrets: Option<Value>,
}

impl Made {
    fn new(kind: &str, version: bool, number: usize, body: Value) -> Self {
        let kind = Kind::find(kind).unwrap();
        let name = match (kind.above(), version || !kind.versioned) {
            (Some(_), _) => format!("cov0/cov{number}"),
            (None, true) => format!("cov{number}"),
            (None, false) => format!("box{number}"),
        };
        let id = match version {
            true => ItemId::versioned(kind.name, name, "1"),
            false => ItemId::new(kind.name, name),
        };
        let mut made = Self {
            kind,
            id,
            body,
            secrets: None,
        };
        made.secrets = made.split();
        made
    }

    /// Takes out what a service never shows again.
    fn split(&mut self) -> Option<Value> {
        let pointer = self.kind.secrets?.pointer;
        let (above, last) = pointer.rsplit_once('/')?;
        let members = self.body.pointer_mut(above)?.as_object_mut()?;
        let taken = members.remove(last)?;
        if let Some(sort) = taken.get("secretsType") {
            members.insert(last.to_owned(), json!({"secretsType": sort}));
        }
        Some(taken)
    }

    /// The collection that the service has it in, and its name there.
    fn place(&self) -> (String, &str) {
        if let Some((above, segment, name)) = self.id.nested() {
            return (format!("{}/{}/{segment}", above.kind, above.name), name);
        }
        match &self.id.version {
            Some(version) => (
                format!("{}/{}/versions", self.id.kind, self.id.name),
                version,
            ),
            None => (self.id.kind.clone(), &self.id.name),
        }
    }

    fn key(&self) -> String {
        let (collection, name) = self.place();
        format!("{collection}/{name}")
    }

    /// Puts it where the service has it, as it is.
    fn put(&self, bench: &Bench) {
        let now = bench.simulator.now();
        let mut state = bench.simulator.state();
        let documents = &mut state.workspace_mut(&bench.source).unwrap().documents;
        if self.id.version.is_some() {
            let sort = &self.body["properties"]["dataType"];
            let body = json!({"properties": {"dataType": sort}});
            let body = body.as_object().unwrap().clone();
            let container = Resource::new(&self.id.name, body, "fields", now);
            documents.put(self.kind.name, container);
        }
        let (collection, name) = self.place();
        let body = self.body.as_object().unwrap().clone();
        let mut resource = Resource::new(name, body, "fields", now);
        resource.secrets.clone_from(&self.secrets);
        documents.put(&collection, resource);
        if self.kind.name == "jobs" {
            // A job has a run, and this one ended as another did.
            let history = &mut state.workspace_mut(&bench.source).unwrap().history;
            let ended = history
                .runs()
                .find(|run| run.is_terminal() && run.parent.is_none());
            let mut run = ended.unwrap().clone();
            run.run_id.clone_from(&self.id.name);
            let said = &self.body["properties"];
            let text = |member: &str| said[member].as_str().map(str::to_owned);
            run.experiment = text("experimentName").unwrap();
            (run.display_name, run.description) = (text("displayName"), text("description"));
            run.hidden = said["isArchived"] == true;
            let bag = |member: &str| serde_json::from_value(said[member].clone()).unwrap();
            (run.tags, run.properties) = (bag("tags"), bag("properties"));
            history.insert(run);
        }
    }
}

/// Documents of every root, and the fields that are set in them.
fn made(models: &Models, source: &Source) -> (Vec<Made>, BTreeSet<FieldName>) {
    let mut all = Vec::new();
    let mut set = BTreeSet::new();
    for (kind, root, version) in ROOTS {
        let sample = |spot: &Spot<'_>| source.sample(spot);
        let mut maker = Maker::new(models, &sample);
        let documents = maker.documents(root);
        set.append(&mut maker.set);
        all.extend(
            documents
                .into_iter()
                .enumerate()
                .map(|(number, body)| Made::new(kind, *version, number, body)),
        );
    }
    (all, set)
}

/// The names of source and target, each with one word for both; runs by the ids that they had.
struct Words(Vec<(String, String)>);

impl Words {
    fn new(before: &Value, after: &Value) -> Self {
        let mut words = Vec::new();
        for dump in [before, after] {
            let id = dump["workspace"]["id"].as_str().unwrap();
            let parts: Vec<&str> = id.split('/').collect();
            for (at, word) in [(2, "SUBSCRIPTION"), (4, "GROUP"), (8, "WORKSPACE")] {
                words.push((parts[at].to_owned(), word.to_owned()));
            }
            let text = |pointer: &str| dump.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            words.push((text("/account"), "ACCOUNT".to_owned()));
            words.push((text("/workspace/location"), "REGION".to_owned()));
            words.push((text("/workspace/properties/workspaceId"), "GUID".to_owned()));
        }
        for (run, about) in after["runs"].as_object().unwrap() {
            if let Some(source) = about["tags"]["mlark.source_run"].as_str() {
                words.push((run.clone(), source.to_owned()));
            }
        }
        Self(words)
    }

    fn plain(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (name, word) in &self.0 {
            text = text.replace(name, word);
        }
        serde_json::from_str(&text).unwrap()
    }
}

/// One restore of everything, and what came of it.
struct Restored {
    bench: Bench,
    plan: Plan,
    after: Value,
    words: Words,
}

impl Restored {
    fn is_written(&self, made: &Made) -> bool {
        let step = self.plan.steps.iter().find(|step| step.item == made.id);
        let step = step.unwrap_or_else(|| panic!("no step for {}", made.id));
        step.action.changes()
    }

    /// What there is of an item, and the pointers of what was taken out of it: what the target has; the specification
    /// of a run; the snapshot's document where nothing is made.
    async fn found(&self, made: &Made) -> (Value, Vec<String>) {
        if made.kind.name == "jobs" {
            let job = specification(&self.bench, &self.after, &made.id.name);
            return (job, Vec::new());
        }
        if self.is_written(made) {
            return (self.after["documents"][made.key()].clone(), Vec::new());
        }
        let newest = self.bench.store.newest().await;
        let version = made.id.version.as_deref();
        let item = newest.item(&made.id.kind, &made.id.name, version).await;
        let item = item.unwrap().unwrap();
        let document = newest.document(&item.documents[0]).await.unwrap();
        let taken = item.secrets.iter().map(|entry| entry.pointer.clone());
        (document, taken.collect())
    }

    /// Values that are not as they were and of which nobody says why. What is lost as foretold is noted.
    async fn wrong(
        &self,
        made: &Made,
        lost: &mut BTreeSet<(&'static str, &'static str)>,
    ) -> Vec<String> {
        let (now, taken) = self.found(made).await;
        let mut wrong = Vec::new();
        for (pointer, how) in differing(made, &now, &self.words) {
            let is_here = |kind: &str, at: &str| kind == made.kind.name && at == pointer;
            let own = SERVICES_OWN.iter().any(|(kind, at)| is_here(kind, at));
            let known = LOST.iter().find(|(kind, at, _)| is_here(kind, at));
            let mut losses = self.plan.losses.iter().filter(|loss| loss.item == made.id);
            match known.filter(|(_, _, what)| losses.any(|loss| loss.what == *what)) {
                Some((kind, at, _)) => {
                    lost.insert((kind, at));
                }
                None if own || taken.contains(&pointer) => {}
                None => wrong.push(format!("{} {pointer}: {how}", made.id)),
            }
        }
        let secret = made.secrets.as_ref().filter(|_| self.is_written(made));
        if secret.is_some_and(|secret| self.after["secrets"][made.key()] != *secret) {
            wrong.push(format!("{}: its secret is not what it was", made.id));
        }
        wrong
    }
}

/// A backup of documents, and a restore of everything.
async fn restored(bench: Bench, made: &[Made]) -> Restored {
    made.iter().for_each(|made| made.put(&bench));
    let opened = bench.open(&bench.source).await;
    let report = bench.store.back_up(&opened).await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    let mut request = bench.request(&[], OnConflict::Fail);
    let include = &mut request.options.include;
    (include.secrets, include.deployments, include.compute) = (true, true, true);
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let (before, after) = (bench.dump(&bench.source), bench.dump(&bench.target));
    Restored {
        words: Words::new(&before, &after),
        bench,
        plan,
        after,
    }
}

/// The specification that lies beside a restored run.
fn specification(bench: &Bench, after: &Value, job: &str) -> Value {
    let runs = after["runs"].as_object().unwrap().iter();
    let mut runs = runs.filter(|(_, run)| run["tags"]["mlark.source_run"] == job);
    let (run, _) = runs.next().unwrap_or_else(|| panic!("no run of {job}"));
    let state = bench.simulator.state();
    let account = &state.accounts[after["account"].as_str().unwrap()];
    let path = format!("ExperimentRun/dcid.{run}/mlark/job.json");
    let mut containers = account.blobs.iter();
    let blob = containers.find_map(|(_, container)| container.blobs.get(&path));
    let specification: Value = serde_json::from_slice(&blob.unwrap().content.to_bytes()).unwrap();
    specification["body"].clone()
}

/// The values of a document that are not as they were: pointer, what was, what is.
fn differing(made: &Made, now: &Value, words: &Words) -> Vec<(String, String)> {
    let before = words.plain(&made.body);
    let now = words.plain(now);
    let mut differing = Vec::new();
    each_leaf(&before, &mut Pointer::root(), &mut |at, value| {
        let pointer = at.to_string();
        let there = now.pointer(&pointer);
        if there != Some(value) {
            differing.push((pointer, format!("{value} became {there:?}")));
        }
    });
    differing
}

#[tokio::test(start_paused = true)]
async fn every_published_field_comes_back_as_it_was_or_is_said_to_be_lost() {
    let Some(folder) = beside("shared/azure/swagger") else {
        return;
    };
    let models = Models::load(&folder);
    let bench = Bench::of(&World::everything(3)).await;
    let source = Source {
        dump: bench.dump(&bench.source),
    };
    let (made, mut set) = made(&models, &source);
    let restored = restored(bench, &made).await;

    let mut wrong = Vec::new();
    let mut lost = BTreeSet::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for made in &made {
        wrong.extend(restored.wrong(made, &mut lost).await);
        *counts.entry(made.kind.name).or_default() += 1;
    }
    say(&format!("documents of every field, by kind: {counts:?}"));
    assert!(wrong.is_empty(), "{} values: {wrong:#?}", wrong.len());
    let foretold: BTreeSet<_> = LOST.iter().map(|(kind, at, _)| (*kind, *at)).collect();
    assert_eq!(lost, foretold);
    let roots = ROOTS.iter().map(|(_, root, _)| *root);
    let roots: Vec<&str> = roots.chain([itself::ROOT]).collect();
    set.append(&mut itself::set(&models));
    coverage::judge(&models, &roots, &set);
}
