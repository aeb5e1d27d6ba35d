//! What `doctor` says of identity and permissions.

use std::sync::{Arc, Mutex};

use mlark::config::environment::Environment;
use mlark::{Context, Sink};
use serde_json::Value;
use simulator::SimulatorTransport;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use workspace::Role;
use workspace::permission::Action;

use super::give;
use crate::backup::cloud::Cloud;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A machine that is configured for one workspace of a cloud, with a repository.
struct Machine<'a> {
    cloud: &'a Cloud,
    home: tempfile::TempDir,
    /// Keys of the workspace besides its name and address.
    more: &'static str,
    /// Keys of the repository besides its cache.
    repository: String,
    /// What the address of the target ends in besides the workspace's own.
    target: &'static str,
}

impl<'a> Machine<'a> {
    async fn new(cloud: &'a Cloud) -> Self {
        Self::with(cloud, "").await
    }

    async fn with(cloud: &'a Cloud, more: &'static str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let repository = format!("url = \"{}/repository\"\n", home.path().display());
        let machine = Self {
            cloud,
            home,
            more,
            repository,
            target: "-rescue",
        };
        let (code, text) = machine.run(&["init", "--unencrypted"]).await;
        assert_eq!(code, 0, "{text}");
        machine
    }

    /// Exit code, and everything that was said.
    async fn run(&self, arguments: &[&str]) -> (u8, String) {
        let written = Written::default();
        let mut context = Context::of_process();
        let home = self.home.path();
        let arm = self.cloud.simulator.state().cloud.arm_url();
        context.environment = Environment::from_iter(
            [
                ("HOME", home.to_str().unwrap()),
                ("AZURE_TENANT_ID", TENANT),
                ("AZURE_CLIENT_ID", CLIENT_ID),
                ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
                (
                    "ARM_CLOUD_METADATA_URL",
                    &format!("{arm}/metadata/endpoints"),
                ),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        context.stdout = Sink::new(written.clone());
        context.stderr = Sink::new(written.clone());
        context.terminals = mlark::Terminals::default();
        context.clock = self.cloud.bench.clock();
        context.transport = Some(Arc::new(SimulatorTransport::new(&self.cloud.simulator)));
        let config = home.join("mlark.toml");
        let text = format!(
            "[repository]\n{3}cache = \"{0}/cache\"\n[[workspace]]\nname = \"prod\"\nurl = \"{1}\"\n{2}\
             [[target]]\nname = \"rescue\"\nurl = \"{1}{4}\"\n",
            home.display(),
            self.cloud.name.arm_id(),
            self.more,
            self.repository,
            self.target,
        );
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let all = ["mlark"].iter().chain(arguments).copied();
        let status = mlark::run(all.chain(["--config", config]), context).await;
        let said = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        (status.code(), said)
    }

    async fn doctor(&self) -> (u8, Value) {
        let (code, said) = self.run(&["doctor", "--json"]).await;
        (code, serde_json::from_str(&said).expect(&said))
    }
}

/// What the directory calls mlark.
fn object(cloud: &Cloud) -> String {
    let state = cloud.simulator.state();
    let principal = state.directory.principal(CLIENT_ID).unwrap();
    principal.object_id.clone()
}

fn answers<'a>(report: &'a Value, answer: &str) -> Vec<&'a Value> {
    let permissions = report["permissions"].as_array().unwrap().iter();
    permissions.filter(|one| one["answer"] == answer).collect()
}

#[tokio::test(start_paused = true)]
async fn doctor_says_who_mlark_is_and_what_each_permission_answered() {
    let cloud = Cloud::everything().await;
    give(&cloud.simulator, &Role::backup(), None);
    let machine = Machine::new(&cloud).await;
    let (code, report) = machine.doctor().await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["healthy"], true);
    let object = object(&cloud);
    let who = &report["identities"][0];
    assert_eq!(who["credential"], "client-secret");
    assert_eq!(who["tenant"], TENANT);
    assert_eq!(who["client"], CLIENT_ID);
    assert_eq!(who["object"], object);
    let allowed = answers(&report, "allowed");
    for action in Role::backup().actions {
        let found = allowed.iter().find(|one| {
            let actions = one["actions"].as_array().unwrap();
            actions.iter().any(|name| name == action.name())
        });
        let asked = found.unwrap_or_else(|| panic!("{action} was not asked"));
        assert!(asked["asked"].as_str().unwrap().starts_with("GET https://"));
        assert!(asked["status"].is_number());
    }
    let (_, text) = machine.run(&["doctor"]).await;
    assert!(
        text.contains(&object) && text.contains("client-secret"),
        "{text}"
    );
    for said in [report.to_string(), text] {
        assert!(
            !said.contains(CLIENT_SECRET) && !said.contains("eyJ"),
            "{said}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn doctor_says_whether_kinds_that_it_does_not_know_can_be_looked_for() {
    let cloud = Cloud::small().await;
    let machine = Machine::new(&cloud).await;
    let state = |report: &Value| -> Value {
        let mut checks = report["checks"].as_array().unwrap().iter();
        let action = "Microsoft.Resources/subscriptions/providers/read";
        checks.find(|check| check["what"] == action).unwrap()["state"].clone()
    };
    give(&cloud.simulator, &Role::backup(), None);
    let (code, report) = machine.doctor().await;
    assert_eq!((code, state(&report)), (0, "unknown".into()), "{report:#}");
    let mut both = Role::backup();
    both.actions.extend(Role::discovery().actions);
    give(&cloud.simulator, &both, None);
    let (code, report) = machine.doctor().await;
    assert_eq!((code, state(&report)), (0, "good".into()), "{report:#}");
}

#[tokio::test(start_paused = true)]
async fn doctor_names_whichever_one_action_of_the_role_is_missing() {
    let role = Role::backup();
    for action in &role.actions {
        let cloud = Cloud::everything().await;
        let machine = Machine::new(&cloud).await;
        give(&cloud.simulator, &role, Some(action));
        let (code, report) = machine.doctor().await;
        let whole = action.name().ends_with("/workspaces/read");
        assert_eq!(code, if whole { 1 } else { 3 }, "{action}: {report:#}");
        assert_eq!(report["healthy"], false);
        let missing = answers(&report, "missing");
        assert!(!missing.is_empty(), "{action}");
        for one in missing {
            let named = one["actions"].as_array().unwrap();
            assert!(
                named.iter().any(|name| name == action.name()),
                "{action}: {one}"
            );
            assert_eq!(one["status"], 403);
        }
        let (_, text) = machine.run(&["doctor"]).await;
        assert!(text.contains("doctor --grant"), "{text}");
    }
}

/// What the report says of the actions on targets.
fn of_target(report: &Value, answer: &str) -> Vec<String> {
    let found = answers(report, answer).into_iter();
    let found = found.filter(|one| one["target"] == "rescue");
    found
        .map(|one| one["actions"][0].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn doctor_names_whichever_one_action_of_the_restore_role_is_missing_on_a_target() {
    let role = Role::restore();
    let cloud = Cloud::small().await;
    let machine = Machine {
        target: "",
        ..Machine::new(&cloud).await
    };
    for missing in role.actions.iter().map(Some).chain([None]) {
        give(&cloud.simulator, &role, missing);
        cloud.take_requests();
        let (_, report) = machine.doctor().await;
        let expected: Vec<&str> = missing.into_iter().map(Action::name).collect();
        assert_eq!(of_target(&report, "missing"), expected, "{report:#}");
        let allowed = of_target(&report, "allowed").len();
        let account_is_known =
            missing.is_none_or(|action| !action.name().ends_with("/workspaces/read"));
        if account_is_known {
            assert_eq!(allowed + expected.len(), role.actions.len(), "{report:#}");
        }
        let checks = report["checks"].as_array().unwrap().iter();
        let mut of_target = checks.filter(|check| check["on"] == "rescue");
        let bad = of_target.find(|check| check["state"] == "bad");
        assert_eq!(
            bad.map(|check| check["what"].as_str().unwrap()),
            missing.map(Action::name)
        );
        if let Some(bad) = bad {
            assert!(bad["next"].as_str().unwrap().contains("--grant"), "{bad}");
        }
        let requests = cloud.take_requests();
        let writes = requests.keys().filter(|name| name.contains(" PUT "));
        assert_eq!(writes.count(), 0, "{requests:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_without_a_permission_ends_in_3_and_one_that_is_not_there_is_not_judged() {
    let cloud = Cloud::small().await;
    give(&cloud.simulator, &Role::backup(), None);
    let mut machine = Machine::new(&cloud).await;
    let (code, report) = machine.doctor().await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(of_target(&report, "missing"), [""; 0]);
    machine.target = "";
    let (code, report) = machine.doctor().await;
    assert_eq!(code, 3, "{report:#}");
    assert!(of_target(&report, "missing").len() > 10, "{report:#}");
    // What is said of the workspace that is backed up stays as it is.
    let missing = answers(&report, "missing").into_iter();
    assert_eq!(missing.filter(|one| one["target"].is_null()).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn doctor_says_who_mlark_is_on_each_workspace_and_target_and_where_the_repository_lies() {
    let cloud = Cloud::small().await;
    let mut machine = Machine::new(&cloud).await;
    machine.target = "";
    let account = {
        let state = cloud.simulator.state();
        state.workspace(&cloud.key).unwrap().account.clone()
    };
    let store = format!("az://{account}/mlark");
    machine.repository = format!("url = \"{store}\"\n");
    let (_, report) = machine.doctor().await;
    let of = |member: &str, name: &str| {
        let mut identities = report["identities"].as_array().unwrap().iter();
        let found = identities.find(|identity| identity[member] == name);
        found.map(|identity| identity["client"].clone())
    };
    for (member, name) in [
        ("workspace", "prod"),
        ("target", "rescue"),
        ("repository", store.as_str()),
    ] {
        assert_eq!(of(member, name), Some(CLIENT_ID.into()), "{report:#}");
    }
    let file = machine.home.path().join("signature");
    std::fs::write(&file, "sv=1&sig=s3cret").unwrap();
    machine.repository += &format!("sas_file = {file:?}\n");
    let (_, report) = machine.doctor().await;
    let said = report.to_string();
    assert!(
        said.contains("a shared access signature, read from"),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn roles_that_change_storage_are_asked_about_where_the_configuration_wants_them() {
    let on = "archived = \"rehydrate\"\nshare_snapshot = true\n";
    let more: Vec<Action> = [Role::rehydration(), Role::share_snapshot()]
        .into_iter()
        .flat_map(|role| role.actions)
        .collect();
    let mut whole = Role::backup();
    whole.actions.extend(more.iter().cloned());
    let named = |report: &Value, answer: &str| -> Vec<String> {
        let found = answers(report, answer).into_iter();
        let names = found.flat_map(|one| one["actions"].as_array().unwrap().clone());
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    for missing in more.iter().map(Some).chain([None]) {
        let cloud = Cloud::small().await;
        let machine = Machine::with(&cloud, on).await;
        give(&cloud.simulator, &whole, missing);
        let before = cloud.simulator.dump(&cloud.key).unwrap();
        let (code, report) = machine.doctor().await;
        assert_eq!(code, if missing.is_some() { 3 } else { 0 }, "{report:#}");
        let expected: Vec<&str> = missing.into_iter().map(Action::name).collect();
        assert_eq!(named(&report, "missing"), expected);
        let allowed = named(&report, "allowed");
        for action in more.iter().filter(|action| Some(*action) != missing) {
            assert!(
                allowed.iter().any(|name| name == action.name()),
                "{action}: {report:#}"
            );
        }
        assert_eq!(cloud.simulator.dump(&cloud.key).unwrap(), before);
    }

    let cloud = Cloud::small().await;
    give(&cloud.simulator, &Role::backup(), None);
    let machine = Machine::new(&cloud).await;
    let (code, report) = machine.doctor().await;
    assert_eq!(code, 0, "{report:#}");
    let checks = report["checks"].as_array().unwrap().iter();
    let unneeded = checks.filter(|check| check["says"].as_str().unwrap().starts_with("not needed"));
    assert_eq!(unneeded.count(), 2, "{report:#}");
}

#[tokio::test(start_paused = true)]
async fn the_role_that_locks_files_is_asked_about_and_granted_where_exports_have_a_retention() {
    let cloud = Cloud::small().await;
    let account = {
        let at = cloud.simulator.now();
        let mut state = cloud.simulator.state();
        let account = state.workspace(&cloud.key).unwrap().account.clone();
        let held = state.accounts.get_mut(&account).unwrap();
        held.blobs.versioning = true;
        held.blobs.create_container("vault", at);
        held.blobs.container_mut("vault").unwrap().worm.of_versions = true;
        account
    };
    let more = format!(
        "[[destination]]\nname = \"cold\"\nurl = \"az://{account}/vault/exports\"\nretain = \"7y\"\n"
    );
    let machine = Machine::with(&cloud, Box::leak(more.into_boxed_str())).await;
    let locks = |report: &Value| {
        let mut checks = report["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["what"] == "locks of exports to cold");
        check.unwrap_or_else(|| panic!("{report:#}")).clone()
    };
    give(&cloud.simulator, &Role::backup(), None);
    let (code, report) = machine.doctor().await;
    assert_eq!(
        (code, &locks(&report)["state"]),
        (3, &"bad".into()),
        "{report:#}"
    );
    let mut whole = Role::backup();
    whole.actions.extend(Role::keeping().actions);
    give(&cloud.simulator, &whole, None);
    let before = cloud.simulator.dump(&cloud.key).unwrap();
    let (code, report) = machine.doctor().await;
    assert_eq!(
        (code, &locks(&report)["state"]),
        (0, &"good".into()),
        "{report:#}"
    );
    assert_eq!(cloud.simulator.dump(&cloud.key).unwrap(), before);
    let (code, said) = machine.run(&["doctor", "--grant"]).await;
    assert_eq!(code, 0, "{said}");
    let mut lines = said.lines().filter(|line| line.contains("mlark lock"));
    assert!(
        lines.next().unwrap().contains("role definition create"),
        "{said}"
    );
    assert!(lines.next().unwrap().contains(&account), "{said}");
}

#[tokio::test(start_paused = true)]
async fn doctor_changes_nothing() {
    let cloud = Cloud::everything().await;
    let machine = Machine::new(&cloud).await;
    cloud.take_requests();
    machine.doctor().await;
    let requests = cloud.take_requests();
    let asks = requests
        .keys()
        .all(|name| name.contains(" GET ") || name.contains(" HEAD ") || name.starts_with("Login"));
    assert!(asks, "{requests:#?}");
}

#[tokio::test(start_paused = true)]
async fn doctor_says_what_is_wrong_before_any_permission() {
    let cloud = Cloud::everything().await;
    let machine = Machine::new(&cloud).await;
    {
        let mut state = cloud.simulator.state();
        let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
        principal.secret = Some("another".to_owned());
        principal.managed = false;
    }
    let (code, report) = machine.doctor().await;
    assert_eq!(code, 1, "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let identity = checks.iter().find(|check| check["area"] == "identity");
    let identity = identity.unwrap();
    assert_eq!(identity["state"], "bad");
    assert!(
        identity["says"].as_str().unwrap().contains("AADSTS7000215"),
        "{identity}"
    );
}

#[tokio::test(start_paused = true)]
async fn grant_prints_the_commands_for_roles_and_assignments() {
    let cloud = Cloud::everything().await;
    let machine = Machine::new(&cloud).await;
    let (code, text) = machine.run(&["doctor", "--grant"]).await;
    assert_eq!(code, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let of = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        of("az role definition create --role-definition '{"),
        3,
        "{text}"
    );
    assert_eq!(of("az role assignment create "), 5, "{text}");
    assert_eq!(lines.len(), 8, "{text}");
    let object = object(&cloud);
    assert_eq!(text.matches(&object).count(), 5, "{text}");
    let subscription = format!("/subscriptions/{}'", cloud.name.subscription);
    let of_discovery: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains("--role 'mlark discovery'"))
        .collect();
    assert_eq!(of_discovery.len(), 1, "{text}");
    assert!(of_discovery[0].ends_with(&subscription), "{text}");
    let account = cloud
        .simulator
        .state()
        .workspace(&cloud.key)
        .unwrap()
        .account
        .clone();
    assert!(
        text.contains(&format!("/storageAccounts/{account}'")),
        "{text}"
    );
    let definition = lines[0].split_once(" '").unwrap().1.trim_end_matches('\'');
    let definition: Value = serde_json::from_str(definition).unwrap();
    assert_eq!(definition["Name"], "mlark backup");
}

#[tokio::test(start_paused = true)]
async fn grant_prints_the_roles_of_restores_that_make_workspaces_and_submit_jobs_where_they_are_asked_for()
 {
    let cloud = Cloud::everything().await;
    let machine = Machine::new(&cloud).await;
    let words = ["doctor", "--grant", "--create-workspace", "--resubmit"];
    let (code, text) = machine.run(&words).await;
    assert_eq!(code, 0, "{text}");
    let rescue = format!("{}-rescue", cloud.name.arm_id());
    let group = rescue.split("/providers/").next().unwrap().to_owned();
    for (role, scope) in [(Role::creation(), group), (Role::resubmission(), rescue)] {
        let of_role = text
            .lines()
            .filter(|line| line.contains(&format!("--role '{}' ", role.name)));
        let of_role: Vec<&str> = of_role.collect();
        assert_eq!(of_role.len(), 1, "{text}");
        assert!(
            of_role[0].ends_with(&format!("--scope '{scope}'")),
            "{text}"
        );
        let defined = text.lines().find(|line| {
            line.starts_with("az role definition") && line.contains(&format!("\"{}\"", role.name))
        });
        let defined = defined.unwrap();
        assert!(
            role.actions
                .iter()
                .all(|action| defined.contains(action.name()))
        );
    }
    let (code, text) = machine.run(&["doctor", "--resubmit"]).await;
    assert_eq!(code, 2, "{text}");
}
