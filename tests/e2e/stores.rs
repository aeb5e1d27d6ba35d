//! A repository in the cloud's own storage, opened by an identity, in virtual time: throttled, cut off, refused.

mod archive;
mod cold;
mod conformance;
mod erasure;
mod exports;
mod limits;

use std::path::Path;
use std::sync::Arc;

use archive_format::storage::{Created, FileUse, StorageFault};
use archive_format::{FileName, Storage, StreamingStorage};
use bytes::Bytes;
use futures::TryStreamExt;
use mlark::config::environment::Environment;
use mlark::config::{Azure, Repository};
use mlark::store::{self, Address};
use mlark::{Context, failure::Failure};
use simulator::blob::Tier;
use simulator::call::Service;
use simulator::clock::RuntimeClock;
use simulator::faults::{Fault, Rule};
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::world::World;
use simulator::{Settings, Simulator, SimulatorTransport};

const START: &str = "2026-11-23T02:00:00Z";

/// A cloud with a container `mlark` in the storage account of its workspace.
struct Store {
    simulator: Simulator,
    account: String,
}

impl Store {
    fn new() -> Self {
        let clock = RuntimeClock::starting_at(START.parse().unwrap());
        Self::of(Simulator::with_clock(Settings::default(), Arc::new(clock)))
    }

    fn of(simulator: Simulator) -> Self {
        let key = World::small(7).build(&simulator).unwrap();
        let at = simulator.now();
        let account = {
            let mut state = simulator.state();
            let account = state.workspace(&key).unwrap().account.clone();
            let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
            blobs.create_container("mlark", at);
            state.arrivals.reset();
            account
        };
        Self { simulator, account }
    }

    /// The storage as the program opens it, with this secret of the application.
    async fn open(&self, container: &str, secret: &str) -> Result<Arc<dyn Storage>, Failure> {
        let storage: Arc<dyn Storage> = self.open_streaming(container, secret).await?;
        Ok(storage)
    }

    /// The same as a store that takes streams.
    async fn open_streaming(
        &self,
        container: &str,
        secret: &str,
    ) -> Result<Arc<dyn StreamingStorage>, Failure> {
        let address = format!("az://{}/{container}/team/a", self.account);
        let variables = [
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT_ID),
            ("AZURE_CLIENT_SECRET", secret),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let context = Context {
            environment: Environment::from_iter(variables),
            transport: Some(Arc::new(SimulatorTransport::new(&self.simulator))),
            ..Context::of_process()
        };
        let azure = Azure {
            cloud: Some(self.simulator.state().cloud.arm_url()),
            credential: Some(mlark::config::CredentialKind::ClientSecret),
            ..Azure::default()
        };
        let address = Address::parse(&address).unwrap();
        store::open_streaming(&address, &Repository::default(), &azure, &context).await
    }

    fn faults(&self, rules: Vec<Rule>) {
        self.simulator.set_faults(5, rules);
    }

    /// Nobody came back before the time that the service asked for.
    fn never_too_early(&self) {
        let early = self.simulator.state().arrivals.early().to_vec();
        assert!(early.is_empty(), "{early:#?}");
    }
}

fn rule(method: &str, contains: &str, fault: Fault) -> Rule {
    Rule {
        method: Some(method.to_owned()),
        contains: Some(contains.to_owned()),
        ..Rule::always(fault).on(Service::Blob)
    }
}

/// A file of its own length.
fn large(folder: &Path, bytes: usize) -> std::path::PathBuf {
    let file = folder.join("pack");
    let content: Vec<u8> = (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect();
    std::fs::write(&file, content).unwrap();
    file
}

#[tokio::test(start_paused = true)]
async fn an_identity_opens_a_container_and_a_storm_changes_nothing() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let some = |share: f64, fault: Fault| Rule {
        service: Some(Service::Blob),
        ..Rule::always(fault).with_probability(share)
    };
    store.faults(vec![
        some(
            0.2,
            Fault::Throttle {
                retry_after: 3,
                date: false,
            },
        ),
        some(
            0.05,
            Fault::Status {
                status: 500,
                code: None,
            },
        ),
        some(0.05, Fault::Reset { executed: false }),
        some(0.05, Fault::Reset { executed: true }),
        some(0.05, Fault::Truncate { bytes: None }),
    ]);
    for number in 0..60 {
        let name = FileName::log(number);
        let bytes = Bytes::from(format!("entry {number}"));
        let created = storage.create(&name, bytes.clone()).await.unwrap();
        assert_eq!(created, Created::New, "{name}");
        let another = storage.create(&name, Bytes::from_static(b"another"));
        assert_eq!(another.await.unwrap(), Created::Exists, "{name}");
        assert_eq!(storage.read(&name, 100).await.unwrap(), bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = large(folder.path(), 41 << 20);
    let pack = FileName::new("packs/ab/large").unwrap();
    let create = async || {
        let created = storage.create_from_file(&pack, &file, FileUse::Contents);
        created.await.unwrap()
    };
    assert_eq!(create().await, Created::New);
    assert_eq!(create().await, Created::Exists);
    let read = storage.read(&pack, 64 << 20).await.unwrap();
    assert!(read == std::fs::read(&file).unwrap());
    let listed: Vec<_> = storage.list("log/").try_collect().await.unwrap();
    assert_eq!(listed.len(), 60);
    for file in listed {
        storage.delete(&file.name).await.unwrap();
    }
    assert_eq!(storage.list("log/").try_next().await.unwrap(), None);
    store.never_too_early();
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_carried_out_and_never_answered_is_our_own() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let lost = Fault::Reset { executed: true };
    store.faults(vec![Rule {
        times: Some(1),
        ..rule("PUT", "/log/0000000001", lost.clone())
    }]);
    let name = FileName::log(1);
    let created = storage.create(&name, Bytes::from_static(b"mine")).await;
    assert_eq!(created.unwrap(), Created::New);
    // The same where the last step of an upload in parts is lost.
    store.faults(vec![Rule {
        times: Some(1),
        ..rule("PUT", "comp=blocklist", lost)
    }]);
    let folder = tempfile::tempdir().unwrap();
    let file = large(folder.path(), 17 << 20);
    let pack = FileName::new("packs/ab/large").unwrap();
    let created = storage.create_from_file(&pack, &file, FileUse::Contents);
    assert_eq!(created.await.unwrap(), Created::New);
    assert_eq!(storage.size(&pack).await.unwrap(), Some(17 << 20));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_create_leaves_it_unclear() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let never = Fault::Reset { executed: false };
    store.faults(vec![rule("PUT", "/log/", never)]);
    let name = FileName::log(1);
    let error = storage
        .create(&name, Bytes::from_static(b"mine"))
        .await
        .unwrap_err();
    assert_eq!(error.fault, StorageFault::Unclear, "{error:?}");
    assert_eq!(storage.size(&name).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_is_sent_again_alone() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    store.faults(vec![Rule {
        times: Some(2),
        ..rule("PUT", "comp=block&", Fault::Reset { executed: false })
    }]);
    store.simulator.state().arrivals.reset();
    let folder = tempfile::tempdir().unwrap();
    let file = large(folder.path(), 24 << 20);
    let pack = FileName::new("packs/ab/large").unwrap();
    let created = storage.create_from_file(&pack, &file, FileUse::Contents);
    assert_eq!(created.await.unwrap(), Created::New);
    let state = store.simulator.state();
    let puts: u64 = state
        .arrivals
        .counts()
        .iter()
        .filter(|(route, _)| route.service == Service::Blob && route.method == "PUT")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(puts, 3 + 2 + 1, "three parts, two of them again, one list");
}

#[tokio::test(start_paused = true)]
async fn a_refused_identity_a_missing_container_and_an_archived_pack_are_told_apart() {
    let store = Store::new();
    let storage = store.open("mlark", "wrong").await.unwrap();
    let error = storage.read(&FileName::record(), 100).await.unwrap_err();
    assert_eq!(error.fault, StorageFault::Denied, "{error:?}");
    let failure = Failure::of_archive(&error.into());
    assert_eq!(failure.status.code(), 1);
    let lines = failure.lines();
    assert!(
        lines.contains("client-secret") && lines.contains("check `credential`"),
        "{lines}"
    );
    assert!(!lines.contains("wrong"), "{lines}");

    let storage = store.open("nothere", CLIENT_SECRET).await.unwrap();
    for error in [
        storage.read(&FileName::record(), 100).await.unwrap_err(),
        storage
            .create(&FileName::record(), Bytes::new())
            .await
            .unwrap_err(),
        storage.list("").try_next().await.unwrap_err(),
    ] {
        assert_eq!(error.fault, StorageFault::NoStore, "{error:?}");
        let failure = Failure::of_archive(&error.into());
        assert_eq!(failure.status.code(), 10);
        assert!(failure.lines().contains("az storage container create"));
    }

    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let name = FileName::new("packs/ab/abc").unwrap();
    storage
        .create(&name, Bytes::from_static(b"cold"))
        .await
        .unwrap();
    {
        let mut state = store.simulator.state();
        let blobs = &mut state.accounts.get_mut(&store.account).unwrap().blobs;
        blobs
            .set_tier("mlark", "team/a/packs/ab/abc", Tier::Archive)
            .unwrap();
    }
    let error = storage.read_range(&name, 0..2).await.unwrap_err();
    assert_eq!(error.fault, StorageFault::Archived, "{error:?}");
    assert!(
        Failure::of_archive(&error.into())
            .lines()
            .contains("mlark restore rehydrate")
    );
}
