//! No token, signature or key is found in anything that mlark leaves or says: log lines, errors, metrics, journals, files.
//!
//! The transport notes every secret that goes over the wire; what mlark wrote is searched for each of them afterwards,
//! compressed files in their plain form. A repository without encryption stores no credential, and nothing hides in it; one
//! with encryption stores them where the configuration asks, and then they are nowhere in the clear.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::headers::AUTHORIZATION;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use mlark::config::environment::Environment;
use mlark::context::Sink;
use mlark::metrics::Metrics;
use mlark::{Context, ExitStatus};
use simulator::clock::RuntimeClock;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::world::{self, World};
use simulator::{Settings, Simulator, SimulatorTransport};
use workspace::Clock;
use workspace::azure::credential::ClientSecret;
use workspace::azure::{CloudName, Connection, CredentialSource};

use super::storm::mix;

/// Passes everything on, and keeps what no other may see.
#[derive(Debug)]
struct Listens {
    inner: SimulatorTransport,
    heard: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl HttpClient for Listens {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut heard = Vec::new();
        if let Some(text) = request.headers().get_optional_str(&AUTHORIZATION) {
            let secret = text.rsplit([' ', ':']).next().unwrap();
            heard.push(secret.to_owned());
        }
        let pairs = request.url().query_pairs();
        heard.extend(
            pairs
                .filter(|(name, _)| name == "sig")
                .map(|(_, sig)| sig.into_owned()),
        );
        self.heard.lock().unwrap().extend(heard);
        self.inner.execute_request(request).await
    }
}

/// What was written, by whoever writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Scene {
    simulator: Simulator,
    folder: tempfile::TempDir,
    heard: Arc<Mutex<BTreeSet<String>>>,
    said: Written,
    clock: Clock,
}

impl Scene {
    fn new(encrypted: bool) -> Self {
        let clock = RuntimeClock::starting_at("2026-11-23T02:00:00Z".parse().unwrap());
        let simulator = Simulator::with_clock(Settings::default(), Arc::new(clock));
        world::pair(&simulator, &World::small(7)).unwrap();
        let clock = {
            let simulator = simulator.clone();
            Clock::new(move || simulator.now())
        };
        let scene = Self {
            simulator,
            folder: tempfile::tempdir().unwrap(),
            heard: Arc::default(),
            said: Written::default(),
            clock,
        };
        scene.configure(encrypted);
        scene
    }

    fn configure(&self, encrypted: bool) {
        let (at, arm) = (
            self.folder.path().display(),
            self.simulator.state().cloud.arm_url(),
        );
        let source = world::SOURCE_SUBSCRIPTION;
        let (group, workspace) = (world::SOURCE_GROUP, world::SOURCE_WORKSPACE);
        let target = world::TARGET_SUBSCRIPTION;
        let owner = match encrypted {
            true => format!("identity_file = \"{at}/owner.key\"\n"),
            false => String::new(),
        };
        let text = format!(
            "[repository]\nurl = \"{at}/repository\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n{owner}\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\n\
             [[workspace]]\nname = \"prod\"\ndata = \"all\"\nsecrets = {encrypted}\ndatastore_access = \"datastore\"\n\
             url = \"azureml://subscriptions/{source}/resourceGroups/{group}/workspaces/{workspace}\"\n\
             [[target]]\nname = \"other\"\n\
             url = \"azureml://subscriptions/{target}/resourceGroups/rg-recovery/workspaces/ws-recovery\"\n"
        );
        std::fs::write(self.folder.path().join("mlark.toml"), text).unwrap();
    }

    fn transport(&self) -> Arc<Listens> {
        Arc::new(Listens {
            inner: SimulatorTransport::new(&self.simulator),
            heard: self.heard.clone(),
        })
    }

    async fn mlark(&self, arguments: &[&str]) -> ExitStatus {
        let variables = [
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT_ID),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let context = Context {
            environment: Environment::from_iter(variables),
            transport: Some(self.transport()),
            clock: self.clock.clone(),
            stdout: Sink::new(self.said.clone()),
            stderr: Sink::new(self.said.clone()),
            ..Context::of_process()
        };
        let config = self.folder.path().join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap(), "-v"];
        all.extend(arguments);
        mlark::run(all, context).await
    }

    /// Metrics of a connection that asks for what there is and what there is not.
    async fn metrics(&self) -> String {
        let metrics = Metrics::default();
        let arm = self.simulator.state().cloud.arm_url();
        let settings = workspace::azure::Settings {
            cloud: CloudName::At(arm.parse().unwrap()),
            credential: CredentialSource::ClientSecret(ClientSecret {
                tenant_id: TENANT.to_owned(),
                client_id: CLIENT_ID.to_owned(),
                secret: CLIENT_SECRET.to_owned().into(),
            }),
            transport: Some(self.transport()),
            observer: Some(metrics.wire()),
            clock: self.clock.clone(),
            ..workspace::azure::Settings::default()
        };
        let connection = Connection::open(settings).await.unwrap();
        connection.storage_token().await.unwrap();
        metrics.text()
    }

    /// Every secret there is: those that went over the wire, and those that the cloud keeps.
    fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = self.heard.lock().unwrap().clone();
        let state = self.simulator.state();
        secrets.insert(CLIENT_SECRET.to_owned());
        secrets.extend(
            state
                .accounts
                .values()
                .flat_map(|account| account.keys.clone()),
        );
        secrets
    }
}

/// The bytes of a file in its plain form: a pack is zstd, whose frames come one after the other. A catalogue that is
/// being closed takes the files beside it away.
fn plain(path: &Path) -> Vec<u8> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        read => read.unwrap(),
    };
    let unpacked = std::process::Command::new("zstd")
        .args(["-dcq"])
        .arg(path)
        .output();
    let mut all = bytes;
    if let Ok(unpacked) = unpacked {
        all.extend(unpacked.stdout);
    }
    all
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found
}

#[tokio::test(start_paused = true)]
async fn no_token_signature_or_key_is_in_any_log_error_metric_journal_or_file() {
    let scene = Scene::new(false);
    search(&scene, &["init", "--unencrypted"], &[]).await;
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_stored_and_restored_are_nowhere_in_the_clear() {
    let scene = Scene::new(true);
    search(&scene, &["init"], &["--include", "secrets"]).await;
}

/// Backs up and restores through trouble, lets requests be refused, and searches what is left and what was said.
async fn search(scene: &Scene, init: &[&str], restore: &[&str]) {
    let log = Written::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    assert_eq!(scene.mlark(init).await, ExitStatus::Done);
    scene.simulator.set_faults(3, mix(3));
    scene.mlark(&["backup"]).await;
    let apply = ["restore", "apply", "latest", "--into", "other", "--yes"];
    scene.mlark(&[&apply[..], restore].concat()).await;
    // Errors: what is refused, and a cloud that is not there.
    let principal = |denied: &str| {
        let mut state = scene.simulator.state();
        state.directory.principal_mut(CLIENT_ID).unwrap().denied = vec![denied.to_owned()];
    };
    principal("*/read");
    assert_ne!(scene.mlark(&["--json", "backup"]).await, ExitStatus::Done);
    principal("nothing/read");
    let metrics = scene.metrics().await;
    drop(guard);

    let secrets = scene.secrets();
    assert!(secrets.len() > 20, "{}", secrets.len());
    let said = scene.said.0.lock().unwrap().clone();
    let logged = log.0.lock().unwrap().clone();
    assert!(
        said.len() > 1_000 && logged.len() > 10_000,
        "{} {}",
        said.len(),
        logged.len()
    );
    let mut places = vec![
        ("what mlark said".to_owned(), said),
        ("log lines".to_owned(), logged),
        ("metrics".to_owned(), metrics.into_bytes()),
    ];
    let left = files(scene.folder.path());
    assert!(
        left.iter()
            .any(|path| path.to_string_lossy().contains("restores.sqlite")),
        "{left:#?}"
    );
    assert!(
        left.iter()
            .any(|path| path.to_string_lossy().contains("/packs/")),
        "{left:#?}"
    );
    places.extend(
        left.iter()
            .map(|path| (path.display().to_string(), plain(path))),
    );
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "a secret that begins with {:.6} is in {place}",
                secret
            );
        }
    }
}
