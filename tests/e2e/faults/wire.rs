//! The same over HTTPS: two seeds, on sockets and in real time, so that waits are short.

use mlark::capture::Ending;
use simulator::Settings;
use simulator::faults::{Fault, Rule};
use simulator::server::Server;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use simulator::world::World;
use workspace::Workspace;
use workspace::azure::credential::ClientSecret;
use workspace::azure::{
    AzureWorkspace, CloudName, Connection, CredentialSource, ReadOptions, WorkspaceName,
};

use super::manifest;
use super::storm::{mix, struck};
use crate::backup::bench::Bench;

/// The mix of a seed with waits of a second and pauses of milliseconds.
fn brief(seed: u64) -> Vec<Rule> {
    let mut rules = mix(seed);
    for rule in &mut rules {
        match &mut rule.fault {
            Fault::Throttle { retry_after, .. } => *retry_after = 1,
            Fault::ClockSkew {
                retry_after: Some(wait),
                ..
            } => *wait = 1,
            Fault::Slow { ms } | Fault::SlowBody { ms, .. } => *ms = 50,
            _ => {}
        }
    }
    rules
}

async fn open(server: &Server, world: &World, ca: &std::path::Path) -> AzureWorkspace {
    let arm = server.simulator().state().cloud.arm_url();
    let settings = workspace::azure::Settings {
        cloud: CloudName::At(arm.parse().unwrap()),
        credential: CredentialSource::ClientSecret(ClientSecret {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            secret: CLIENT_SECRET.to_owned().into(),
        }),
        ca_file: Some(ca.to_owned()),
        ..workspace::azure::Settings::default()
    };
    let connection = Connection::open(settings).await.unwrap();
    let spec = &world.spec;
    let name = WorkspaceName::new(&spec.subscription, &spec.group, &spec.name).unwrap();
    let opened = AzureWorkspace::open(&connection, &name, ReadOptions::default()).await;
    opened.unwrap()
}

async fn back_up(source: &dyn Workspace) -> Vec<serde_json::Value> {
    let bench = Bench::unencrypted().await;
    let report = bench.back_up(source).await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    manifest::lines(&bench.newest().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seeds_over_https_leave_the_same_snapshot_as_none() {
    let server = Server::start(Settings::default()).await.unwrap();
    let world = World::small(7);
    world.build(server.simulator()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let calm = back_up(&open(&server, &world, &ca).await).await;
    for seed in 1..=2 {
        server.simulator().state().arrivals.reset();
        server.simulator().set_faults(seed, brief(seed));
        let found = back_up(&open(&server, &world, &ca).await).await;
        manifest::assert_equal(&found, &calm, &format!("seed {seed}"));
        server.simulator().assert_no_early_retries();
        let (calls, struck) = struck(server.simulator());
        assert!(struck * 8 > calls, "{struck} of {calls} calls were struck");
    }
}
