//! A simulated cloud and a client of it, in one process and in virtual time.

use futures::TryStreamExt;
use jiff::Timestamp;
use simulator::clock::{Clock as _, RuntimeClock};
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::transport::SimulatorTransport;
use simulator::world::{self, World, target};
use simulator::{Settings as Cloud, Simulator};
use url::Url;

use crate::azure::credential::ClientSecret;
use crate::azure::{
    AzureWorkspace, CloudName, Connection, CredentialSource, ReadOptions, Settings, WorkspaceName,
};
use crate::{Clock, Error, Listed, Workspace};

/// A source with a small world in it, and an empty target.
pub(super) struct Bench {
    pub(super) simulator: Simulator,
    pub(super) source: WorkspaceName,
    pub(super) target: WorkspaceName,
    clock: RuntimeClock,
}

impl Bench {
    pub(super) fn new() -> Self {
        let start = Timestamp::from_second(1_795_425_018).unwrap_or_default();
        let clock = RuntimeClock::starting_at(start);
        let simulator = Simulator::with_clock(Cloud::default(), std::sync::Arc::new(clock));
        let world = World::small(3);
        world.build(&simulator).expect("the world can be built");
        let spec =
            simulator::arm::WorkspaceSpec::new("b0", "rg-recovery", "ws-recovery", "northeurope");
        target(&simulator, &spec).expect("the target can be built");
        Self {
            source: WorkspaceName::new(
                world::SOURCE_SUBSCRIPTION,
                world::SOURCE_GROUP,
                world::SOURCE_WORKSPACE,
            )
            .expect("a name"),
            target: WorkspaceName::new("b0", "rg-recovery", "ws-recovery").expect("a name"),
            simulator,
            clock,
        }
    }

    pub(super) fn settings(&self) -> Settings {
        let clock = self.clock;
        Settings {
            cloud: CloudName::At(Url::parse("https://management.sim.localhost").expect("a URL")),
            credential: CredentialSource::ClientSecret(ClientSecret {
                tenant_id: TENANT.to_owned(),
                client_id: CLIENT_ID.to_owned(),
                secret: CLIENT_SECRET.into(),
            }),
            transport: Some(std::sync::Arc::new(SimulatorTransport::new(
                &self.simulator,
            ))),
            clock: Clock::new(move || clock.now()),
            ..Settings::default()
        }
    }

    pub(super) async fn connect(&self) -> Result<Connection, Error> {
        Connection::open(self.settings()).await
    }

    pub(super) async fn open(&self, name: &WorkspaceName) -> Result<AzureWorkspace, Error> {
        AzureWorkspace::open(&self.connect().await?, name, ReadOptions::default()).await
    }
}

/// All items of a kind.
pub(super) async fn list(workspace: &AzureWorkspace, kind: &str) -> Result<Vec<Listed>, Error> {
    let kind = crate::Kind::by_name(kind)?;
    workspace.list(kind).try_collect().await
}

/// All bytes of a file.
pub(super) async fn bytes(
    workspace: &AzureWorkspace,
    file: &crate::SourceFile,
) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut stream = workspace.read(file).await?;
    while let Some(piece) = stream.try_next().await? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}
