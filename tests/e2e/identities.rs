//! Each workspace, target and repository is reached as the application that its own part of the configuration names, or as
//! whoever is logged in with `az`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::headers::AUTHORIZATION;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus, Sink};
use mlark_tests::apart::{self, Said};
use simulator::arm::WorkspaceSpec;
use simulator::clock::RuntimeClock;
use simulator::directory::Principal;
use simulator::state::TENANT;
use simulator::world::{self, World};
use simulator::{Caller, Server, Settings, Simulator, SimulatorTransport};
use workspace::Clock;

/// Passes everything on, and notes as which application each host and workspace was asked.
#[derive(Debug)]
struct Listens {
    simulator: Simulator,
    inner: SimulatorTransport,
    asked: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
}

#[async_trait]
impl HttpClient for Listens {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let proof = request.headers().get_optional_str(&AUTHORIZATION);
        if let Some(application) = proof.and_then(|proof| self.application_of(proof)) {
            let mut asked = self.asked.lock().unwrap();
            asked.entry(about(request)).or_default().insert(application);
        }
        self.inner.execute_request(request).await
    }
}

impl Listens {
    /// Whose token it is.
    fn application_of(&self, proof: &str) -> Option<String> {
        let token = proof.strip_prefix("Bearer ")?;
        let claims = self.simulator.state().directory.verify(token);
        Some(claims.unwrap().client_id)
    }
}

/// What a request is about: a workspace, or else the first part of the host's name, which of storage is the account.
fn about(request: &Request) -> String {
    let mut parts = request.url().path_segments().unwrap();
    if parts.any(|part| part.eq_ignore_ascii_case("workspaces")) {
        return parts.next().unwrap().to_owned();
    }
    let host = request.url().host_str().unwrap();
    host.split('.').next().unwrap().to_owned()
}

/// An application of the configuration: the word in its client id, and what it is for.
fn client_id(number: u32) -> String {
    format!("5b9c6d2e-7a31-4c58-8a44-0c4f3f6d{number:04}")
}

const DEFAULT: u32 = 10;
const REPOSITORY: u32 = 11;
const SOURCE: u32 = 12;
const SECOND: u32 = 13;
const TARGET: u32 = 14;

/// The first part of the name of the resource manager's host.
const RESOURCE_MANAGER: &str = "management";
/// The workspace whose account holds the repository.
const STORE: &str = "ws-store";

struct Scene {
    simulator: Simulator,
    folder: tempfile::TempDir,
    clock: Clock,
    asked: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
}

impl Scene {
    fn new() -> Self {
        let clock = RuntimeClock::starting_at("2026-11-23T02:00:00Z".parse().unwrap());
        let simulator = Simulator::with_clock(Settings::default(), Arc::new(clock));
        world::pair(&simulator, &World::small(7)).unwrap();
        // The account of the third one is where the repository lies.
        for name in ["ws-second", STORE] {
            simulator.create_workspace(&WorkspaceSpec::new("s2", "rg-2", name, "westeurope"));
        }
        let folder = tempfile::tempdir().unwrap();
        {
            let mut state = simulator.state();
            for number in [DEFAULT, REPOSITORY, SOURCE, SECOND, TARGET] {
                let (id, secret) = (client_id(number), format!("secret~{number}"));
                std::fs::write(folder.path().join(format!("secret{number}")), &secret).unwrap();
                let principal = Principal::with_secret(id, format!("object{number}"), secret);
                state.directory.principals.push(principal);
            }
        }
        let now = simulator.now();
        let account = account_of(&simulator, STORE);
        let mut state = simulator.state();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        blobs.create_container("mlark", now);
        drop(state);
        let clock = {
            let simulator = simulator.clone();
            Clock::new(move || simulator.now())
        };
        let scene = Self {
            simulator,
            folder,
            clock,
            asked: Arc::default(),
        };
        scene.configure();
        scene
    }

    fn configure(&self) {
        let at = self.folder.path().display();
        let arm = self.simulator.state().cloud.arm_url();
        let of = |number: u32| {
            format!(
                "client_id = \"{}\"\nclient_secret_file = \"{at}/secret{number}\"\n",
                client_id(number)
            )
        };
        let url = |subscription: &str, group: &str, name: &str| {
            format!(
                "url = \"azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}\"\n"
            )
        };
        let source = url(
            world::SOURCE_SUBSCRIPTION,
            world::SOURCE_GROUP,
            world::SOURCE_WORKSPACE,
        );
        let text = format!(
            "[repository]\nurl = \"az://{}/mlark\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
             [repository.credential]\n{}[azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\ntenant_id = \"{TENANT}\"\n{}\
             [[workspace]]\nname = \"prod\"\n{source}[workspace.azure]\n{}\
             [[workspace]]\nname = \"second\"\n{}[workspace.azure]\n{}\
             [[target]]\nname = \"rescue\"\n{}[target.azure]\n{}",
            account_of(&self.simulator, STORE),
            of(REPOSITORY),
            of(DEFAULT),
            of(SOURCE),
            url("s2", "rg-2", "ws-second"),
            of(SECOND),
            url(world::TARGET_SUBSCRIPTION, "rg-recovery", "ws-recovery"),
            of(TARGET),
        );
        std::fs::write(self.folder.path().join("mlark.toml"), text).unwrap();
    }

    async fn mlark(&self, arguments: &[&str]) -> ExitStatus {
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            transport: Some(Arc::new(Listens {
                simulator: self.simulator.clone(),
                inner: SimulatorTransport::new(&self.simulator),
                asked: self.asked.clone(),
            })),
            clock: self.clock.clone(),
            stdout: Sink::new(std::io::sink()),
            stderr: Sink::new(std::io::sink()),
            ..Context::of_process()
        };
        let config = self.folder.path().join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap()];
        all.extend(arguments);
        mlark::run(all, context).await
    }
}

/// The storage account of a workspace.
fn account_of(simulator: &Simulator, name: &str) -> String {
    let state = simulator.state();
    let mut all = state.workspaces.values();
    all.find(|it| it.name == name).unwrap().account.clone()
}

#[tokio::test(start_paused = true)]
async fn each_workspace_target_and_repository_is_reached_as_its_own_application() {
    let scene = Scene::new();
    for arguments in [
        &["init", "--unencrypted"][..],
        &["backup"],
        &[
            "restore",
            "apply",
            "latest:prod",
            "--into",
            "rescue",
            "--yes",
        ],
    ] {
        let status = scene.mlark(arguments).await;
        // Some things cannot come back, which is told and no failure.
        assert!(
            matches!(status, ExitStatus::Done | ExitStatus::Gaps),
            "{arguments:?}: {status:?}"
        );
    }
    let asked = scene.asked.lock().unwrap().clone();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, number) in [
        (world::SOURCE_WORKSPACE, SOURCE),
        ("ws-second", SECOND),
        ("ws-recovery", TARGET),
    ] {
        let own = BTreeSet::from([client_id(number)]);
        expected.insert(name.to_owned(), own.clone());
        expected.insert(account_of(&scene.simulator, name), own);
    }
    // A plan looks whether the source is gone, as whoever is to restore.
    let source = expected.get_mut(world::SOURCE_WORKSPACE).unwrap();
    source.insert(client_id(TARGET));
    // Of no workspace are the types that the service has, which each backup asks for, and what became of an operation, which
    // only the restore began.
    expected.insert(
        RESOURCE_MANAGER.to_owned(),
        [SOURCE, SECOND, TARGET].map(client_id).into(),
    );
    let repository = BTreeSet::from([client_id(REPOSITORY)]);
    expected.insert(account_of(&scene.simulator, STORE), repository);
    for (about, applications) in &asked {
        assert_eq!(
            expected.get(about),
            Some(applications),
            "{about}: {asked:#?}"
        );
    }
    for about in expected.keys() {
        // The empty workspace has nothing in its storage but the share.
        assert!(
            asked.contains_key(about),
            "{about} was not asked: {asked:#?}"
        );
    }
}

/// What `az` says to whoever asks for a token, from tokens that were made before.
fn az(simulator: &Simulator, folder: &std::path::Path) {
    let caller = Caller::new(simulator);
    let expires = simulator.now().as_second() + 3_000;
    let mut cases = String::new();
    let arm = simulator.state().cloud.arm_url();
    for audience in [&arm, "https://storage.azure.com", "https://ml.azure.com"] {
        let answer = serde_json::json!({
            "accessToken": caller.token(audience), "expires_on": expires, "tokenType": "Bearer",
            "subscription": "s", "tenant": TENANT,
        });
        cases.push_str(&format!("*{audience}*) echo '{answer}' ;;\n"));
    }
    let log = folder.join("az.log");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in\n{cases}*) echo nobody >&2; exit 1 ;;\nesac\n",
        log.display()
    );
    let program = folder.join("az");
    std::fs::write(&program, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the search path of a process of its own"
)]
async fn whoever_is_logged_in_with_az_is_asked_for_the_configured_tenant() {
    let server = Server::start(Settings::default()).await.unwrap();
    World::small(3).build(server.simulator()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    az(server.simulator(), at);
    std::fs::write(at.join("ca.pem"), server.ca_pem()).unwrap();
    let arm = server.simulator().state().cloud.arm_url();
    let text = format!(
        "[repository]\nurl = \"{0}/repository\"\ncache = \"{0}/cache\"\nkey_file = \"{0}/agent.key\"\n\
         [azure]\ncloud = \"{arm}\"\nca_file = \"{0}/ca.pem\"\ncredential = \"azure-cli\"\ntenant_id = \"{TENANT}\"\n\
         [[workspace]]\nname = \"prod\"\nurl = \"azureml://subscriptions/{1}/resourceGroups/{2}/workspaces/{3}\"\n",
        at.display(),
        world::SOURCE_SUBSCRIPTION,
        world::SOURCE_GROUP,
        world::SOURCE_WORKSPACE,
    );
    std::fs::write(at.join("mlark.toml"), text).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = apart::command("identities::program_of_az", at).unwrap();
    command.env("PATH", format!("{}:{path}", at.display()));
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let said = Said::of(&output.unwrap().unwrap()).unwrap().0;
    assert!(said.contains("\"credential\": \"azure-cli\""), "{said}");
    assert!(said.contains("\"answer\": \"allowed\""), "{said}");
    assert!(!said.contains("\"answer\": \"missing\""), "{said}");
    let log = std::fs::read_to_string(at.join("az.log")).unwrap();
    let calls: Vec<&str> = log.lines().collect();
    assert_eq!(calls.len(), 3, "one for each audience: {log}");
    for call in calls {
        assert!(call.ends_with(&format!("--tenant {TENANT}")), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by whoever_is_logged_in_with_az_is_asked_for_the_configured_tenant"]
async fn program_of_az() {
    let config = apart::folder().unwrap().join("mlark.toml");
    let config = config.to_str().unwrap();
    for arguments in [&["init", "--unencrypted"][..], &["doctor", "--json"]] {
        let mut all = vec!["mlark", "--config", config, "--no-progress"];
        all.extend(arguments);
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            ..Context::of_process()
        };
        assert_eq!(mlark::run(all, context).await, ExitStatus::Done);
    }
}
