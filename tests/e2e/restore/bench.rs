//! A simulated cloud with a workspace in use and an empty one elsewhere, an encrypted repository, and restores from the
//! one into the other, all in one process and in virtual time.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ::restore::{
    Action, Event, Journal, Observer, OnConflict, Options, Outline, Plan, Request, Session, Stop,
    Target, Verification, apply, plan, verify,
};
use archive_format::{
    Identity, InitOptions, KeyChain, LocalStorage, OpenOptions, Repository, SnapshotReader,
};
use mlark::capture::{self, Policy, Report, back_up};
use mlark::shutdown::Shutdown;
use serde_json::Value;
use simulator::arm::WorkspaceSpec;
use simulator::clock::RuntimeClock;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::workspace::WorkspaceKey;
use simulator::world::{self, TARGET_SUBSCRIPTION, World};
use simulator::{Settings, Simulator, SimulatorTransport};
use tempfile::TempDir;
use workspace::azure::{
    self, AzureWorkspace, CloudName, Connection, CredentialSource, ReadOptions, WorkspaceName,
};
use workspace::{Clock, Workspace};

/// A repository of one owner, who is at hand.
pub(crate) struct Store {
    pub(crate) folder: TempDir,
    pub(crate) repository: Repository,
    pub(crate) clock: Clock,
}

impl Store {
    pub(crate) async fn new(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = Identity::generate();
        let storage = Arc::new(LocalStorage::new(folder.path().join("repository")));
        let options = InitOptions {
            owners: vec![owner.to_recipient()],
            unencrypted: false,
            pack_bytes: 64 << 20,
            label: "bench".to_owned(),
            program: "mlark test".to_owned(),
            now: clock.now(),
        };
        let made = Repository::init(storage.clone(), options).await.unwrap();
        let keys = KeyChain {
            machine: Some(made.machine_key),
            owners: vec![owner],
        };
        let options = OpenOptions {
            cache: folder.path().join("cache"),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "mlark test".to_owned(),
        };
        let repository = Repository::open(storage, keys, options).await.unwrap();
        Self {
            folder,
            repository,
            clock,
        }
    }

    pub(crate) async fn back_up(&self, source: &dyn Workspace) -> Report {
        self.back_up_as("prod", source).await
    }

    pub(crate) async fn back_up_as(&self, name: &str, source: &dyn Workspace) -> Report {
        let mut policy = Policy::new(name, self.clock.clone());
        policy.secrets = true;
        let (unobserved, stop) = (capture::Unobserved, Shutdown::default());
        let report = back_up(source, &self.repository, &policy, &unobserved, &stop);
        report.await.unwrap()
    }

    pub(crate) async fn newest(&self) -> SnapshotReader {
        let history = self.repository.history().await.unwrap();
        self.repository.snapshot(history.last().unwrap())
    }

    /// A journal of its own, as another machine would have one.
    pub(crate) async fn journal(&self, name: &str) -> Journal {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Journal::open(&folder).await.unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A cloud with two workspaces, and a repository with a snapshot of the first.
pub(crate) struct Bench {
    pub(crate) simulator: Simulator,
    pub(crate) connection: Connection,
    pub(crate) store: Store,
    pub(crate) source: WorkspaceKey,
    pub(crate) target: WorkspaceKey,
}

/// The workspace to restore into.
pub(crate) fn target_spec() -> WorkspaceSpec {
    WorkspaceSpec::new(
        TARGET_SUBSCRIPTION,
        "rg-recovery",
        "ws-recovery",
        "northeurope",
    )
}

impl Bench {
    /// A small world, backed up.
    pub(crate) async fn small() -> Self {
        Self::of(&World::small(3)).await
    }

    pub(crate) async fn of(world: &World) -> Self {
        let start = "2026-11-23T02:00:00Z".parse().unwrap();
        let clock = Arc::new(RuntimeClock::starting_at(start));
        let simulator = Simulator::with_clock(Settings::default(), clock);
        let source = world.build(&simulator).unwrap();
        let target = world::target(&simulator, &target_spec()).unwrap();
        let clock = {
            let simulator = simulator.clone();
            Clock::new(move || simulator.now())
        };
        let connection = connect(&simulator, &clock).await;
        let bench = Self {
            store: Store::new(clock).await,
            simulator,
            connection,
            source,
            target,
        };
        let source = bench.open(&bench.source).await;
        bench.store.back_up(&source).await;
        bench
    }

    pub(crate) fn name(&self, key: &WorkspaceKey) -> WorkspaceName {
        name(&self.simulator, key)
    }

    pub(crate) async fn open(&self, key: &WorkspaceKey) -> AzureWorkspace {
        let name = self.name(key);
        let options = ReadOptions {
            data: azure::DataBytes::DefaultDatastore,
            ..ReadOptions::default()
        };
        AzureWorkspace::open(&self.connection, &name, options)
            .await
            .unwrap()
    }

    pub(crate) async fn target_of(&self, key: &WorkspaceKey) -> Target {
        Target::Azure(self.open(key).await)
    }

    pub(crate) fn request(&self, selectors: &[&str], on_conflict: OnConflict) -> Request {
        Request {
            selectors: selectors.iter().map(|text| (*text).to_owned()).collect(),
            target: "target".to_owned(),
            options: Options {
                on_conflict,
                ..Options::default()
            },
            now: self.store.clock.now(),
        }
    }

    /// Plans everything into the other workspace.
    pub(crate) async fn plan(&self) -> Plan {
        self.plan_of(&self.target, &[], OnConflict::Fail).await
    }

    pub(crate) async fn plan_of(
        &self,
        key: &WorkspaceKey,
        selectors: &[&str],
        on_conflict: OnConflict,
    ) -> Plan {
        self.plan_request(key, &self.request(selectors, on_conflict))
            .await
    }

    pub(crate) async fn plan_request(&self, key: &WorkspaceKey, request: &Request) -> Plan {
        let reader = self.store.newest().await;
        let target = self.target_of(key).await;
        plan(&reader, &target, request, &::restore::Unobserved)
            .await
            .unwrap()
    }

    pub(crate) async fn apply(&self, plan: &Plan, key: &WorkspaceKey) -> Outline {
        let outline = self
            .apply_watched(plan, key, &Watch::default(), "journal")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        outline
    }

    /// One attempt, which may be stopped or fail.
    pub(crate) async fn apply_watched(
        &self,
        plan: &Plan,
        key: &WorkspaceKey,
        watch: &Watch,
        journal: &str,
    ) -> Result<Outline, ::restore::Error> {
        let reader = self.store.newest().await;
        let target = self.target_of(key).await;
        let journal = self.store.journal(journal).await;
        let session = Session {
            journal: &journal,
            stop: &watch.stop,
            observer: watch,
            clock: &self.store.clock,
            fresh: true,
        };
        apply(plan, &reader, &target, &session).await
    }

    pub(crate) async fn verify(&self, key: &WorkspaceKey, selectors: &[&str]) -> Verification {
        let request = self.request(selectors, OnConflict::Fail);
        self.verify_request(key, &request).await
    }

    pub(crate) async fn verify_request(
        &self,
        key: &WorkspaceKey,
        request: &Request,
    ) -> Verification {
        let reader = self.store.newest().await;
        let target = self.target_of(key).await;
        let journal = self.store.journal("journal").await;
        verify(
            &reader,
            &target,
            request,
            Some(&journal),
            &::restore::Unobserved,
        )
        .await
        .unwrap()
    }

    pub(crate) fn dump(&self, key: &WorkspaceKey) -> Value {
        self.simulator.dump(key).unwrap()
    }

    /// Takes every compute of the target away.
    pub(crate) fn lose_computes(&self) {
        let mut state = self.simulator.state();
        let target = state.workspaces.get_mut(&self.target).unwrap();
        let computes = target.documents.list("computes").into_iter();
        let computes: Vec<String> = computes.map(|compute| compute.name.clone()).collect();
        for name in computes {
            assert!(target.documents.remove("computes", &name).is_some());
        }
    }

    /// Takes the workspace that was backed up away, with its storage account.
    pub(crate) fn lose_source(&self) {
        let mut state = self.simulator.state();
        if let Some(lost) = state.workspaces.remove(&self.source) {
            state.accounts.remove(&lost.account);
        }
    }
}

async fn connect(simulator: &Simulator, clock: &Clock) -> Connection {
    let arm = simulator.state().cloud.arm_url();
    let settings = azure::Settings {
        cloud: CloudName::At(arm.parse().unwrap()),
        credential: CredentialSource::ClientSecret(azure::credential::ClientSecret {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            secret: CLIENT_SECRET.to_owned().into(),
        }),
        transport: Some(Arc::new(SimulatorTransport::new(simulator))),
        clock: clock.clone(),
        ..azure::Settings::default()
    };
    Connection::open(settings).await.unwrap()
}

fn name(simulator: &Simulator, key: &WorkspaceKey) -> WorkspaceName {
    let state = simulator.state();
    let found = &state.workspaces[key];
    let named = match found.registry {
        true => WorkspaceName::registry,
        false => WorkspaceName::new,
    };
    named(&found.subscription, &found.group, &found.name).unwrap()
}

/// Sees every event, and stops after so many steps where that was asked.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) stop: Stop,
    pub(crate) stop_after: Option<usize>,
    seen: Mutex<Vec<Event>>,
}

impl Watch {
    /// Asks to stop once so many steps have ended.
    pub(crate) fn stopping_after(steps: usize) -> Self {
        Self {
            stop_after: Some(steps),
            ..Self::default()
        }
    }

    /// How many steps began.
    pub(crate) fn begun(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|event| matches!(event, Event::Step { .. }))
            .count()
    }

    /// How many steps ended.
    pub(crate) fn ended(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|event| matches!(event, Event::Done { .. }))
            .count()
    }
}

impl Observer for Watch {
    fn event(&self, event: Event) {
        self.seen.lock().unwrap().push(event);
        if self.stop_after.is_some_and(|after| self.ended() >= after) {
            self.stop.ask();
        }
    }
}

/// How many steps of a plan have an action.
pub(crate) fn count(plan: &Plan, action: Action) -> usize {
    plan.steps
        .iter()
        .filter(|step| step.action == action)
        .count()
}

/// A dump without what differs between two restores that end the same: times of writing, entity tags, the ids that the
/// service gave to runs, and the containers that it gave to code.
pub(crate) fn normal(dump: &Value) -> Value {
    let mut text = dump.to_string();
    for (given, own) in given_names(dump) {
        text = text.replace(&given, &own);
    }
    let mut value: Value = serde_json::from_str(&text).unwrap();
    forget_times(&mut value);
    // A specification may name runs by the ids that the service gave them, so its digest varies with them.
    for (name, blob) in value["blobs"].as_object_mut().unwrap() {
        if name.ends_with("/mlark/job.json") {
            blob.as_object_mut().unwrap().remove("sha256");
        }
    }
    value
}

fn given_names(dump: &Value) -> Vec<(String, String)> {
    let runs = dump["runs"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(id, run)| {
            let source = run["tags"]["mlark.source_run"].as_str()?;
            Some((id.clone(), format!("run-of-{source}")))
        });
    let codes = dump["documents"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, document)| {
            let uri = document.pointer("/properties/codeUri")?.as_str()?;
            let container = uri.split('/').nth(3)?;
            Some((container.to_owned(), format!("container-of-{name}")))
        });
    runs.chain(codes).collect()
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["systemData", "etag", "created", "creationContext"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}
