//! A repository whose packs lie in the archive, and one with a lock period, as the program meets them in virtual time.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mlark::config::environment::Environment;
use mlark::prices::Prices;
use mlark::{Context, ExitStatus, Sink};
use serde_json::Value;
use simulator::SimulatorTransport;
use simulator::blob::{Bills, Class, Priority, Tier};
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use tokio::time::Instant;
use workspace::Clock;

use super::cold::keep_by_file;
use super::{START, Store};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// The program with a repository in a container of the simulated cloud, and a folder that it backs up.
pub(super) struct Site {
    pub(super) store: Store,
    pub(super) folder: tempfile::TempDir,
    since: Instant,
}

impl Site {
    pub(super) fn new(repository: &str) -> Self {
        let site = Self {
            store: Store::new(),
            folder: tempfile::tempdir().unwrap(),
            since: Instant::now(),
        };
        let at = site.folder.path().display().to_string();
        let arm = site.store.simulator.state().cloud.arm_url();
        std::fs::create_dir_all(site.path("ws/deep")).unwrap();
        std::fs::write(site.path("secret"), CLIENT_SECRET).unwrap();
        for number in 0..6_u64 {
            let bytes = super::conformance::noise(1_500_000, number + 1);
            std::fs::write(site.path(&format!("ws/deep/{number}.bin")), bytes).unwrap();
        }
        let account = &site.store.account;
        let text = format!(
            "[repository]\nurl = \"az://{account}/mlark/team\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
             pack_size = \"1 MiB\"\n{repository}\n\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\ntenant_id = \"{TENANT}\"\n\
             client_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{at}/secret\"\n\
             [retention]\nkeep_last = 1\ngrace = \"0s\"\n\
             [[workspace]]\nname = \"prod\"\nurl = \"{at}/ws\"\n"
        );
        std::fs::write(site.path("mlark.toml"), text).unwrap();
        site
    }

    pub(super) fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join(below)
    }

    /// The day so many days from now.
    pub(super) fn day(&self, days: i64) -> String {
        let at = self.now() + SignedDuration::from_hours(24 * days);
        at.strftime("%Y-%m-%d").to_string()
    }

    /// The workspace of the cloud that the account belongs to.
    pub(super) fn workspace(&self) -> String {
        let state = self.store.simulator.state();
        let mut all = state.workspaces.values();
        let found = all.find(|it| it.account == self.store.account).unwrap();
        format!(
            "azureml://subscriptions/{}/resourceGroups/{}/workspaces/{}",
            found.subscription, found.group, found.name
        )
    }

    pub(super) fn now(&self) -> Timestamp {
        START.parse::<Timestamp>().unwrap() + self.since.elapsed()
    }

    /// Runs the program; gives what it wrote to standard output, and to standard error.
    pub(super) async fn run(&self, words: &[&str]) -> (ExitStatus, String, String) {
        let (out, said) = (Kept::default(), Kept::default());
        let (start, since) = (START.parse::<Timestamp>().unwrap(), self.since);
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            transport: Some(Arc::new(SimulatorTransport::new(&self.store.simulator))),
            clock: Clock::new(move || start + since.elapsed()),
            stdout: Sink::new(out.clone()),
            stderr: Sink::new(said.clone()),
            ..Context::of_process()
        };
        let config = self.path("mlark.toml");
        let mut all = vec![
            "mlark",
            "--config",
            config.to_str().unwrap(),
            "--no-progress",
        ];
        all.extend(words);
        let status = mlark::run(all, context).await;
        (status, out.text(), said.text())
    }

    pub(super) async fn json(&self, words: &[&str], expected: ExitStatus) -> Value {
        let words = [words, &["--json"]].concat();
        let (status, out, said) = self.run(&words).await;
        assert_eq!(status, expected, "{words:?}: {out} {said}");
        serde_json::from_str(&out).unwrap()
    }

    pub(super) async fn well(&self, words: &[&str]) -> String {
        let (status, out, said) = self.run(words).await;
        assert_eq!(status, ExitStatus::Done, "{words:?}: {out} {said}");
        out
    }

    /// Shows the bytes of an item's only file.
    async fn show(&self, item: &str) -> (ExitStatus, String) {
        let shown = self.json(&["show", "latest", item], ExitStatus::Done).await;
        let path = shown["files"][0]["path"].as_str().unwrap().to_owned();
        let (status, _, why) = self.run(&["show", "latest", item, "--file", &path]).await;
        (status, why)
    }

    fn bills(&self) -> Bills {
        self.bills_of(&self.store.account)
    }

    fn forget_bills(&self) {
        self.forget_bills_of(&self.store.account);
    }

    /// What was counted of a storage account.
    pub(super) fn bills_of(&self, account: &str) -> Bills {
        let state = self.store.simulator.state();
        state.accounts[account].blobs.bills.clone()
    }

    pub(super) fn forget_bills_of(&self, account: &str) {
        let mut state = self.store.simulator.state();
        let account = state.accounts.get_mut(account).unwrap();
        account.blobs.bills = Bills::default();
    }

    /// Names and tiers of the repository's files.
    fn tiers(&self) -> BTreeMap<String, Tier> {
        let state = self.store.simulator.state();
        let blobs = &state.accounts[&self.store.account].blobs;
        let container = blobs.container("mlark").unwrap();
        let tiers = container.blobs.iter();
        tiers
            .map(|(name, blob)| (name.clone(), blob.tier()))
            .collect()
    }

    pub(super) fn same_as_before(&self, folder: &str) {
        for number in 0..6 {
            let name = format!("deep/{number}.bin");
            let read = |root: &Path| std::fs::read(root.join(&name)).unwrap();
            assert!(read(&self.path("ws")) == read(&self.path(folder)), "{name}");
        }
    }
}

/// What the account owes by the prices of the program.
fn owed(bills: &Bills) -> f64 {
    let prices = Prices::read(None).unwrap();
    let mut sum = 0.0;
    let archive = &prices.archive;
    for (tier, of) in [
        (Tier::Hot, prices.hot),
        (Tier::Cool, prices.cool),
        (Tier::Cold, prices.cold),
    ] {
        for (class, price) in [
            (Class::Write, of.write),
            (Class::Read, of.read),
            (Class::List, of.list),
            (Class::Other, of.other),
        ] {
            sum += bills.operations(class, tier) as f64 * price / 10_000.0;
        }
        sum += bills.read_bytes(tier) as f64 / f64::from(1 << 30) * of.retrieval;
    }
    let high = bills.rehydrations(Priority::High) as f64;
    let reads = bills.operations(Class::Read, Tier::Archive) as f64 - high;
    let of = [
        (reads, archive.read),
        (high, archive.high_read),
        (
            bills.operations(Class::Write, Tier::Archive) as f64,
            archive.write,
        ),
        (
            bills.operations(Class::Other, Tier::Archive) as f64,
            archive.other,
        ),
    ];
    sum += of
        .iter()
        .map(|(count, price)| count * price / 10_000.0)
        .sum::<f64>();
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    sum += gib(bills.rehydrated_bytes(Priority::Standard)) * archive.retrieval;
    sum += gib(bills.rehydrated_bytes(Priority::High)) * archive.high_retrieval;
    sum + gib(bills.early_byte_days(Tier::Archive)) * archive.gib_month / 30.0
}

/// An estimate is within a tenth of what the account owes.
pub(super) fn near(estimated: &Value, bills: &Bills) {
    let (estimated, owed) = (estimated["cost"].as_f64().unwrap(), owed(bills));
    let off = (estimated - owed).abs() / owed;
    assert!(
        off < 0.1,
        "estimated {estimated}, owed {owed}: {off:.3} off"
    );
}

#[tokio::test(start_paused = true)]
async fn an_archived_repository_is_restored_over_hours_though_it_is_killed_twice() {
    let site = Site::new("data_tier = \"archive\"");
    site.well(&["init", "--unencrypted"]).await;
    site.well(&["backup"]).await;
    let tiers = site.tiers();
    let archived = tiers.iter().filter(|(_, tier)| **tier == Tier::Archive);
    let archived: Vec<&String> = archived.map(|(name, _)| name).collect();
    assert!(archived.len() > 5, "{tiers:?}");
    assert!(archived.iter().all(|name| name.contains("/packs/")));
    assert!(
        archived.len() < tiers.len(),
        "names lie where they can be read"
    );

    // What cannot be read says so, and nothing is begun by asking.
    site.forget_bills();
    let plan = ["restore", "plan", "latest", "--into", "back"];
    let back = site.path("back");
    let plan = [&plan[..4], &[back.to_str().unwrap()]].concat();
    let told = site.json(&plan, ExitStatus::Gaps).await;
    let said = &told["rehydration"];
    assert_eq!(said["files"], archived.len(), "{told}");
    let next = told["next"].as_str().unwrap();
    assert!(
        next.starts_with("mlark restore apply latest --into "),
        "{next}"
    );
    let (status, why) = site.show("files/deep/1.bin").await;
    assert_eq!(status, ExitStatus::Failed, "{why}");
    assert!(why.contains("mlark restore rehydrate"), "{why}");
    let checked = site.json(&["check", "--read-data"], ExitStatus::Gaps).await;
    assert_eq!(checked["archived"], archived.len(), "{checked}");
    assert_eq!(checked["outcome"], "sound");
    assert_eq!(site.bills().rehydrations(Priority::Standard), 0);

    // Begun without waiting, it goes on by itself; killed twice while it waits, it is not begun again.
    site.forget_bills();
    let began = site.now();
    let mut apply = vec![
        "restore",
        "apply",
        "latest",
        "--into",
        back.to_str().unwrap(),
    ];
    let (status, _, why) = site.run(&apply).await;
    assert_eq!(status, ExitStatus::Usage, "nobody can be asked: {why}");
    apply.extend(["--yes", "--keep-copies"]);
    let told = site
        .json(&[&apply[..], &["--no-wait"]].concat(), ExitStatus::Gaps)
        .await;
    assert_eq!(told["outcome"], "waiting", "{told}");
    for _ in 0..2 {
        let killed = tokio::time::timeout(3 * HOUR, site.run(&apply)).await;
        assert!(killed.is_err(), "it was still waiting");
    }
    site.well(&apply).await;
    site.same_as_before("back");
    let seconds = said["seconds"].as_u64().unwrap();
    let took = site.now().duration_since(began).unsigned_abs();
    assert!(
        took > 5 * HOUR && took <= Duration::from_secs(seconds),
        "{took:?}"
    );
    let bills = site.bills();
    assert_eq!(
        bills.rehydrations(Priority::Standard),
        archived.len() as u64
    );
    assert_eq!(
        bills.rehydrated_bytes(Priority::Standard),
        said["bytes"].as_u64().unwrap()
    );
    assert_eq!(bills.early_byte_days(Tier::Archive), 0);
    near(said, &bills);
    // Copies are no foreign files, and every pack can be read now.
    let checked = site.json(&["check", "--read-data"], ExitStatus::Done).await;
    assert_eq!(checked["archived"], 0, "{checked}");
    assert_eq!(checked["warnings"], 0, "{checked}");
    // A restore that does not say that they stay takes them away; one that the store keeps is told.
    let thawed = || {
        let tiers = site.tiers();
        let copies = tiers.keys().filter(|name| name.contains("/thawed/"));
        copies.count()
    };
    assert_eq!(thawed(), archived.len());
    let fault = Fault::Status {
        status: 403,
        code: Some("AuthorizationPermissionMismatch".to_owned()),
    };
    let refused = Rule {
        method: Some("DELETE".to_owned()),
        contains: Some("/thawed/".to_owned()),
        ..Rule::always(fault).on(Service::Blob)
    };
    site.store.simulator.set_faults(3, vec![refused]);
    let again = [
        "restore",
        "apply",
        "latest",
        "--into",
        back.to_str().unwrap(),
        "--yes",
    ];
    let (status, _, said) = site.run(&again).await;
    assert_eq!(status, ExitStatus::Done, "{said}");
    assert!(said.contains("a day until somebody deletes them"), "{said}");
    site.store.simulator.set_faults(3, Vec::new());
    site.well(&again).await;
    assert_eq!(thawed(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_bring_an_archived_snapshot_back_says_what_does() {
    let site = Site::new("data_tier = \"archive\"");
    site.well(&["init", "--unencrypted"]).await;
    site.well(&["backup"]).await;
    let to = site.path("cold");
    let bag = [
        "export",
        "bag",
        "latest",
        "--plain",
        "--to",
        to.to_str().unwrap(),
    ];
    let acts = [&["drill"][..], &bag];
    for act in acts {
        let (status, _, why) = site.run(act).await;
        assert_eq!(status, ExitStatus::Failed, "{act:?}: {why}");
        assert!(why.contains("mlark restore rehydrate "), "{act:?}: {why}");
    }
    assert!(!to.exists(), "nothing is begun");
    site.well(&["restore", "rehydrate", "latest", "--yes"])
        .await;
    for act in acts {
        site.well(act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_file_comes_back_in_place_with_its_own_packs_and_its_early_days_are_foretold() {
    let site = Site::new("data_tier = \"archive\"");
    site.well(&["init", "--unencrypted"]).await;
    site.well(&["backup"]).await;
    tokio::time::sleep(20 * 24 * HOUR).await;
    let all = site
        .json(
            &["restore", "rehydrate", "latest", "--dry-run"],
            ExitStatus::Gaps,
        )
        .await;
    site.forget_bills();
    let words = [
        "restore",
        "rehydrate",
        "latest",
        "files/deep/3.bin",
        "--rehydrate",
        "in-place",
        "--rehydrate-priority",
        "high",
    ];
    let told = site
        .json(&[&words[..], &["--dry-run"]].concat(), ExitStatus::Gaps)
        .await;
    let said = &told["rehydration"];
    assert!(
        said["files"].as_u64() < all["rehydration"]["files"].as_u64(),
        "{told} {all}"
    );
    assert!(said["early"].as_f64().unwrap() > 0.0, "{told}");
    let done = site
        .json(&[&words[..], &["--yes"]].concat(), ExitStatus::Done)
        .await;
    assert_eq!(done["outcome"], "complete");
    let bills = site.bills();
    assert_eq!(
        bills.rehydrations(Priority::High),
        said["files"].as_u64().unwrap()
    );
    let back = site.path("one");
    let into = back.to_str().unwrap();
    site.well(&[
        "restore",
        "apply",
        "latest",
        "files/deep/3.bin",
        "--into",
        into,
        "--yes",
    ])
    .await;
    let read = |root: &str| std::fs::read(site.path(root).join("deep/3.bin")).unwrap();
    assert!(read("ws") == read("one"));
    near(said, &site.bills());
    // A pack that it needs may hold other files as well, never all.
    let mut archived = 0;
    for number in 0..6 {
        let (status, _) = site.show(&format!("files/deep/{number}.bin")).await;
        assert!(number != 3 || status == ExitStatus::Done);
        archived += usize::from(status == ExitStatus::Failed);
    }
    assert!(archived > 0, "the others stay archived");
}

#[tokio::test(start_paused = true)]
async fn each_snapshot_extends_the_lock_of_reused_packs_and_prune_passes_over_them() {
    let site = Site::new("lock = \"90d\"");
    let refused = {
        site.well(&["init", "--unencrypted"]).await;
        site.json(&["backup"], ExitStatus::Gaps).await
    };
    let why = refused["snapshots"][0]["locks"]["failure"]
        .as_str()
        .unwrap();
    assert!(why.contains("version-level immutability"), "{why}");
    keep_by_file(&site.store);
    let locked = |days: i64| site.now() + SignedDuration::from_hours(24 * days);
    let first = site.json(&["backup"], ExitStatus::Done).await;
    let extended = first["snapshots"][0]["locks"]["extended"].as_u64().unwrap();
    assert!(extended > 10, "{first}");
    let ends = |value: &Value| {
        value["nearest"]
            .as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
    };
    let first_end = ends(&first["snapshots"][0]["locks"]);
    assert!(
        first_end >= locked(90) && first_end <= locked(100),
        "{first_end}"
    );
    // The next night finds everything locked long enough, but for the log that grew.
    tokio::time::sleep(24 * HOUR).await;
    let second = site.json(&["backup"], ExitStatus::Done).await;
    let again = second["snapshots"][0]["locks"]["extended"]
        .as_u64()
        .unwrap();
    assert!(again < extended / 2, "{second}");
    // Weeks later the same packs are reused, and their lock goes on.
    tokio::time::sleep(30 * 24 * HOUR).await;
    site.json(&["backup"], ExitStatus::Done).await;
    let status = site.json(&["status"], ExitStatus::Done).await;
    let locks = &status["repository"]["locks"];
    assert_eq!(locks["unlocked"], 0, "{locks}");
    assert!(ends(locks) >= locked(90), "{locks}");
    assert!(
        site.well(&["status"]).await.contains("the first ends "),
        "for people"
    );

    // What nobody needs any more is kept all the same until its lock ends.
    tokio::time::sleep(24 * HOUR).await;
    for number in 0..6 {
        std::fs::remove_file(site.path(&format!("ws/deep/{number}.bin"))).unwrap();
    }
    std::fs::write(site.path("ws/left.txt"), "left").unwrap();
    let (status, _, why) = site.run(&["backup"]).await;
    assert!(
        matches!(status, ExitStatus::Done | ExitStatus::Gaps),
        "{why}"
    );
    if status == ExitStatus::Gaps {
        let snapshots = site
            .json(&["snapshots", "--latest", "1"], ExitStatus::Done)
            .await;
        let id = snapshots["snapshots"][0]["id"].as_str().unwrap().to_owned();
        site.well(&["snapshots", "accept", &id]).await;
    }
    let forgotten = site.json(&["forget"], ExitStatus::Done).await;
    let pruned = site.json(&["prune"], ExitStatus::Done).await;
    let spared = pruned["spared"].as_array().unwrap();
    let spared = spared.iter().find(|row| row["reason"] == "locked");
    let spared = spared.unwrap_or_else(|| panic!("{pruned:#} after {forgotten:#}"));
    assert!(spared["packs"].as_u64().unwrap() >= 6, "{pruned}");
    let until: Timestamp = spared["until"].as_str().unwrap().parse().unwrap();
    assert!(until >= locked(90), "{until}");
    assert!(
        site.well(&["prune", "--dry-run"])
            .await
            .contains("the store keeps them locked, until")
    );
    tokio::time::sleep(100 * 24 * HOUR).await;
    let pruned = site.json(&["prune"], ExitStatus::Done).await;
    assert!(pruned["deleted"].as_u64().unwrap() >= 6, "{pruned}");
}
