//! A simulated cloud with a workspace in it, in this process and in virtual time, and the client that reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use mlark::capture::Report;
use simulator::clock::RuntimeClock;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::workspace::WorkspaceKey;
use simulator::world::{Census, World};
use simulator::{Caller, Settings, Simulator, SimulatorTransport};
use workspace::azure::credential::ClientSecret;
use workspace::azure::{
    AzureWorkspace, CloudName, Connection, CredentialSource, ReadOptions, WorkspaceName,
};

use super::bench::{Bench, START};

/// A cloud, the workspace in it, and where it is backed up to.
pub(crate) struct Cloud {
    pub(crate) simulator: Simulator,
    pub(crate) key: WorkspaceKey,
    pub(crate) name: WorkspaceName,
    pub(crate) bench: Bench,
}

impl Cloud {
    /// A small world and an unencrypted repository.
    pub(crate) async fn small() -> Self {
        Self::of(&World::small(7), Bench::unencrypted().await)
    }

    /// The same with every kind of thing.
    pub(crate) async fn everything() -> Self {
        Self::of(&World::everything(7), Bench::unencrypted().await)
    }

    /// Any world and repository.
    pub(crate) fn of(world: &World, bench: Bench) -> Self {
        let clock = RuntimeClock::starting_at(START.parse().unwrap());
        let simulator = Simulator::with_clock(Settings::default(), Arc::new(clock));
        let key = world.build(&simulator).unwrap();
        let spec = &world.spec;
        let name = WorkspaceName::new(&spec.subscription, &spec.group, &spec.name).unwrap();
        simulator.state().arrivals.reset();
        Self {
            simulator,
            key,
            name,
            bench,
        }
    }

    /// A connection of its own for each run, as the program makes it.
    pub(crate) async fn connect(&self) -> Connection {
        let arm = self.simulator.state().cloud.arm_url();
        let settings = workspace::azure::Settings {
            cloud: CloudName::At(arm.parse().unwrap()),
            credential: CredentialSource::ClientSecret(ClientSecret {
                tenant_id: TENANT.to_owned(),
                client_id: CLIENT_ID.to_owned(),
                secret: CLIENT_SECRET.to_owned().into(),
            }),
            transport: Some(Arc::new(SimulatorTransport::new(&self.simulator))),
            clock: self.bench.clock(),
            ..workspace::azure::Settings::default()
        };
        Connection::open(settings).await.unwrap()
    }

    /// Opens the workspace anew.
    pub(crate) async fn open(&self) -> AzureWorkspace {
        let connection = self.connect().await;
        let opened = AzureWorkspace::open(&connection, &self.name, ReadOptions::default()).await;
        opened.unwrap()
    }

    /// One backup, as the program makes it: with a connection of its own.
    pub(crate) async fn back_up(&self) -> Report {
        self.bench.back_up(&self.open().await).await
    }

    /// What the workspace holds now.
    pub(crate) fn census(&self) -> Census {
        Census::of(&self.simulator.state(), &self.key)
    }

    /// Calls as somebody who works in the workspace.
    pub(crate) fn caller(&self) -> Caller {
        Caller::new(&self.simulator)
    }

    /// Requests since the last time, by `METHOD route`, those of tokens and the cloud's description too.
    pub(crate) fn take_requests(&self) -> BTreeMap<String, u64> {
        let mut state = self.simulator.state();
        let mut requests = BTreeMap::new();
        for (route, count) in state.arrivals.counts() {
            let name = format!("{:?} {} {}", route.service, route.method, route.route);
            *requests.entry(name).or_default() += count;
        }
        let early = state.arrivals.early().to_vec();
        assert!(
            early.is_empty(),
            "requests came before they were let: {early:?}"
        );
        state.arrivals.reset();
        requests
    }

    /// The bytes of a file of the newest snapshot.
    pub(crate) async fn bytes(
        &self,
        kind: &str,
        name: &str,
        version: Option<&str>,
        path: &str,
    ) -> Vec<u8> {
        let item = self.bench.item(kind, name, version).await.unwrap();
        let file = item.files.iter().find(|file| file.path.as_str() == path);
        let content = file.unwrap().content.clone().unwrap();
        let newest = self.bench.newest().await;
        let pieces: Vec<_> = newest.file(&content).try_collect().await.unwrap();
        pieces.concat()
    }
}
