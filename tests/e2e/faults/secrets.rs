//! No token, signature or key is found in anything that mlark leaves or says: log lines, errors, metrics, journals, files.
//!
//! The transport notes every secret that goes over the wire; what mlark wrote and what its daemon serves is searched for
//! each of them afterwards, compressed files in their plain form. A repository without encryption stores no credential, and nothing hides in it; one
//! with encryption stores them where the configuration asks, and then they are nowhere in the clear.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::AUTHORIZATION;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use mlark::config::environment::Environment;
use mlark::context::Sink;
use mlark::shutdown::Shutdown;
use mlark::{Context, ExitStatus};
use simulator::clock::RuntimeClock;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::world::{self, World};
use simulator::{Settings, Simulator, SimulatorTransport};
use url::form_urlencoded::byte_serialize;
use workspace::Clock;

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
        // An address that leaks may have its signature as it was made, as it was sent, or with every sign encoded that may be.
        let pairs = request.url().query_pairs();
        for (_, sig) in pairs.filter(|(name, _)| name == "sig") {
            heard.push(byte_serialize(sig.as_bytes()).collect());
            heard.push(sig.into_owned());
        }
        let sent = request.url().query().unwrap_or_default().split('&');
        let sent = sent.filter_map(|pair| pair.strip_prefix("sig="));
        heard.extend(sent.map(str::to_owned));
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
            "[daemon]\nlisten = \"127.0.0.1:0\"\n\
             [repository]\nurl = \"{at}/repository\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n{owner}\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\n\
             [[workspace]]\nname = \"prod\"\nschedule = \"0 2 * * *\"\ndata = \"all\"\nsecrets = {encrypted}\ndatastore_access = \"datastore\"\n\
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
        self.until(Shutdown::default(), arguments).await
    }

    async fn until(&self, shutdown: Shutdown, arguments: &[&str]) -> ExitStatus {
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
            shutdown,
            ..Context::of_process()
        };
        let config = self.folder.path().join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap(), "-v"];
        all.extend(arguments);
        mlark::run(all, context).await
    }

    /// What the daemon serves after a day of work: the numbers for Prometheus, and the page for people.
    async fn served(&self) -> Vec<u8> {
        let stop = Shutdown::default();
        let asks = async {
            tokio::time::sleep(Duration::from_secs(36 * 3600)).await;
            let said = String::from_utf8(self.said.0.lock().unwrap().clone()).unwrap();
            let (_, address) = said.rsplit_once("The status page is http://").unwrap();
            let (address, _) = address.split_once('/').unwrap();
            let mut served = Vec::new();
            for page in ["/metrics", "/"] {
                let address = address.to_owned();
                let got = tokio::task::spawn_blocking(move || get(&address, page));
                served.extend(got.await.unwrap());
            }
            stop.request();
            served
        };
        let (ended, served) =
            tokio::join!(self.until(stop.clone(), &["daemon", "--no-progress"]), asks);
        assert_eq!(ended, ExitStatus::Done);
        served
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

/// A page as it goes over the wire.
fn get(address: &str, page: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{page}");
    answer
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
    let served = scene.served().await;
    assert!(
        String::from_utf8_lossy(&served).contains("mlark_requests_total{"),
        "the daemon asked for nothing"
    );
    drop(guard);

    let secrets = scene.secrets();
    assert!(secrets.len() > 20, "{}", secrets.len());
    assert!(
        secrets.iter().any(|secret| secret.ends_with("%3D")),
        "no signature went over the wire: {}",
        String::from_utf8_lossy(&scene.said.0.lock().unwrap())
    );
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
        ("what the daemon serves".to_owned(), served),
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
