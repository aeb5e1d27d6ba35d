//! The daemon at work in a cloud and a time of its own: a workspace of environments in the simulator, a folder with
//! configuration and repository, and a machine's clock that may be off.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive_format::{KeyChain, LocalStorage, OpenOptions, Repository};
use azure_core::http::HttpClient;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use mlark::config::environment::Environment;
use mlark::shutdown::Shutdown;
use mlark::ui::journal::Journal;
use mlark::{Context, ExitStatus, Sink};
use serde_json::{Value, json};
use simulator::arm::WorkspaceSpec;
use simulator::clock::RuntimeClock;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::workspace::WorkspaceKey;
use simulator::{Caller, Settings, Simulator, SimulatorTransport};
use tokio::time::Instant;
use workspace::Clock;

use super::almanac::{Jump, shown};

/// The workspace's items; each changes once in so many turns.
pub(super) const ITEMS: i64 = 20;

/// Standard error, kept.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The cloud, the machine, and the time.
pub(super) struct Site<'a> {
    pub(super) folder: &'a Path,
    pub(super) simulator: Simulator,
    pub(super) start: Timestamp,
    pub(super) said: Said,
    /// systemd's journal, where there is one.
    pub(super) journal: Option<Arc<Journal>>,
    /// What carries requests: to the simulator, and wherever a test has somebody else.
    pub(super) transport: Arc<dyn HttpClient>,
    since: Instant,
}

impl<'a> Site<'a> {
    /// From a moment on. The time is the runtime's.
    pub(super) fn new(folder: &'a Path, start: Timestamp) -> Self {
        let clock = RuntimeClock::starting_at(start);
        let simulator = Simulator::with_clock(Settings::default(), Arc::new(clock));
        Self {
            folder,
            transport: Arc::new(SimulatorTransport::new(&simulator)),
            simulator,
            start,
            said: Said::default(),
            journal: None,
            since: Instant::now(),
        }
    }

    pub(super) fn truth(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }

    /// The machine's clock.
    fn clock(&self, jumps: Vec<Jump>) -> Clock {
        let (start, since) = (self.start, self.since);
        Clock::new(move || shown(&jumps, start + since.elapsed()))
    }

    /// Runs the program.
    pub(super) async fn mlark(&self, words: &[&str], jumps: &[Jump], stop: Shutdown) -> ExitStatus {
        let silent = Sink::new(std::io::sink());
        self.run(words, jumps, stop, silent).await
    }

    /// What the program answers with `--json`, where all is well.
    pub(super) async fn json(&self, words: &[&str]) -> Value {
        let out = Said::default();
        let mut words = words.to_vec();
        words.push("--json");
        let ran = self.run(&words, &[], Shutdown::default(), Sink::new(out.clone()));
        assert_eq!(ran.await, ExitStatus::Done, "{}", self.said.text());
        serde_json::from_str(&out.text()).unwrap()
    }

    async fn run(
        &self,
        words: &[&str],
        jumps: &[Jump],
        stop: Shutdown,
        stdout: Sink,
    ) -> ExitStatus {
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            transport: Some(Arc::clone(&self.transport)),
            clock: self.clock(jumps.to_vec()),
            stdout,
            stderr: Sink::new(self.said.clone()),
            journal: self.journal.clone(),
            shutdown: stop,
            ..Context::of_process()
        };
        let config = self.folder.join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap()];
        all.extend(words);
        mlark::run(all, context).await
    }

    /// The daemon until a moment of the true time.
    pub(super) async fn daemon_until(&self, end: Timestamp, jumps: &[Jump]) {
        let stop = Shutdown::default();
        let asked = stop.clone();
        let end = async {
            self.wait_until(end).await;
            asked.request();
        };
        let (status, ()) = tokio::join!(self.mlark(&["daemon", "--no-progress"], jumps, stop), end);
        assert_eq!(status, ExitStatus::Done, "{}", self.said.text());
    }

    pub(super) async fn wait_until(&self, moment: Timestamp) {
        let left = moment.duration_since(self.truth());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }

    /// Writes the configuration: of the repository, if it is not the usual folder; and what comes after the credential.
    pub(super) fn configure(&self, repository: Option<&str>, rest: &str) {
        let at = self.folder.display();
        let arm = self.simulator.state().cloud.arm_url();
        let usual = format!("{at}/repository");
        let repository = repository.unwrap_or(&usual);
        std::fs::write(self.folder.join("secret"), CLIENT_SECRET).unwrap();
        let text = format!(
            "[repository]\nurl = \"{repository}\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\ntenant_id = \"{TENANT}\"\n\
             client_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{at}/secret\"\n{rest}",
        );
        std::fs::write(self.folder.join("mlark.toml"), text).unwrap();
    }

    /// A workspace with its items, as they are on turn −1.
    pub(super) fn workspace(&self, name: &str) -> Place {
        let spec = spec(name);
        self.simulator.create_workspace(&spec);
        let place = Place(spec);
        (0..ITEMS).for_each(|item| self.put(&place, item, -1));
        place
    }

    /// A container in a workspace's account, as the address of a repository.
    pub(super) fn container(&self, place: &Place) -> String {
        let at = self.simulator.now();
        let mut state = self.simulator.state();
        let account = state.workspace(&place.key()).unwrap().account.clone();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        blobs.create_container("mlark", at);
        format!("az://{account}/mlark/a")
    }

    /// A container with version-level immutability in an account of its own, beside that of a workspace.
    pub(super) fn vault(&self, place: &Place) -> String {
        let own = {
            let state = self.simulator.state();
            let account = state.workspace(&place.key()).unwrap().account.clone();
            state.accounts[&account].arm_id.clone()
        };
        let beside = own.rsplit_once('/').unwrap().0.to_owned() + "/stcold";
        let target = format!("{beside}?api-version=2023-01-01");
        let body = json!({"location": "westeurope"});
        let reply = Caller::new(&self.simulator).arm(Method::PUT, &target, Some(&body));
        assert!(reply.status.is_success(), "{reply:?}");
        let at = self.simulator.now();
        let mut state = self.simulator.state();
        let blobs = &mut state.accounts.get_mut("stcold").unwrap().blobs;
        blobs.versioning = true;
        blobs.create_container("vault", at);
        blobs.container_mut("vault").unwrap().worm.of_versions = true;
        "az://stcold/vault/exports".to_owned()
    }

    /// Makes the repository that the configuration names.
    pub(super) async fn init(&self) {
        let made = self.mlark(&["init", "--unencrypted"], &[], Shutdown::default());
        assert_eq!(made.await, ExitStatus::Done, "{}", self.said.text());
    }

    /// Puts an item of a workspace, of this turn.
    pub(super) fn put(&self, place: &Place, item: i64, turn: i64) {
        let target = format!(
            "{}/environments/e{item}/versions/1?api-version=2024-04-01",
            place.arm()
        );
        let body = json!({"properties": {
            "image": "python:3.12", "tags": {"turn": turn.to_string(), "item": item.to_string()},
        }});
        let reply = Caller::new(&self.simulator).arm(Method::PUT, &target, Some(&body));
        assert!(reply.status.is_success(), "{reply:?}");
    }

    /// The repository as a reader opens it that has the daemon's cache.
    pub(super) async fn repository(&self) -> Repository {
        open(&self.folder.join("repository"), &self.folder.join("cache")).await
    }
}

/// Opens a repository without keys.
pub(super) async fn open(repository: &Path, cache: &Path) -> Repository {
    let storage = Arc::new(LocalStorage::new(repository.to_owned()));
    let options = OpenOptions {
        cache: cache.to_owned(),
        trusted_signers: Vec::new(),
        expect_head: None,
        tolerate_damage: false,
        program: "mlark test".to_owned(),
    };
    let keys = KeyChain::default();
    Repository::open(storage, keys, options).await.unwrap()
}

/// Where a workspace is.
#[derive(Clone, Debug)]
pub(super) struct Place(pub(super) WorkspaceSpec);

/// The same ids for the same name, however often the cloud is made anew.
fn spec(name: &str) -> WorkspaceSpec {
    let subscription = "a0000000-0000-4000-8000-00000000000a";
    let number = name
        .bytes()
        .fold(0_u64, |sum, byte| (sum << 5) ^ u64::from(byte));
    WorkspaceSpec {
        account: Some(format!("st{}", name.replace('-', ""))),
        guid: Some(format!(
            "b0000000-0000-4000-8000-{:012x}",
            number & 0xffff_ffff_ffff
        )),
        ..WorkspaceSpec::new(subscription, "rg", name, "westeurope")
    }
}

impl Place {
    fn arm(&self) -> String {
        let WorkspaceSpec {
            subscription,
            group,
            name,
            ..
        } = &self.0;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{name}"
        )
    }

    pub(super) fn key(&self) -> WorkspaceKey {
        WorkspaceKey::new(&self.0.subscription, &self.0.group, &self.0.name)
    }

    /// Deletes it.
    pub(super) fn delete(&self, site: &Site<'_>) {
        let target = format!("{}?api-version=2024-04-01", self.arm());
        let reply = Caller::new(&site.simulator).arm(Method::DELETE, &target, None);
        assert!(reply.status.is_success(), "{reply:?}");
    }

    /// Its address in a configuration.
    pub(super) fn url(&self) -> String {
        let WorkspaceSpec {
            subscription,
            group,
            name,
            ..
        } = &self.0;
        format!("azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}")
    }
}

/// A moment so many hours after another.
pub(super) fn hours_after(moment: Timestamp, hours: i64) -> Timestamp {
    moment + SignedDuration::from_hours(hours)
}
