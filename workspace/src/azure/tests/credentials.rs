//! Where tokens come from, over the simulated login endpoint and metadata service, and over real sockets with HTTPS.

use std::time::Duration;

use simulator::Server;
use simulator::state::CLIENT_ID;
use simulator::world::{self, World};
use url::Url;

use super::bench::{Bench, list};
use crate::Error;
use crate::azure::credential::{
    ClientSecret, DefaultSources, ManagedIdentity, ManagedIdentityEndpoint,
};
use crate::azure::{
    AzureWorkspace, CloudName, Connection, CredentialSource, ReadOptions, Service, Settings,
};

fn metadata_service() -> ManagedIdentity {
    let url = Url::parse("http://imds.sim.localhost/").expect("an address");
    ManagedIdentity {
        client_id: None,
        endpoint: ManagedIdentityEndpoint::MetadataAt(url),
    }
}

async fn open(bench: &Bench, settings: Settings) -> Result<AzureWorkspace, Error> {
    let connection = Connection::open(settings).await?;
    AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await
}

#[tokio::test(start_paused = true)]
async fn a_managed_identity_opens_a_workspace() -> Result<(), Error> {
    let bench = Bench::new();
    let settings = Settings {
        credential: CredentialSource::ManagedIdentity(metadata_service()),
        ..bench.settings()
    };
    let workspace = open(&bench, settings).await?;
    assert!(!list(&workspace, "jobs").await?.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_chain_says_who_answered_and_why_others_did_not() -> Result<(), Error> {
    let bench = Bench::new();
    let wrong = match bench.settings().credential {
        CredentialSource::ClientSecret(right) => ClientSecret {
            secret: "wr0ng".into(),
            ..right
        },
        other => panic!("{other:?}"),
    };
    let sources = DefaultSources {
        client_secret: Some(wrong),
        managed_identity: metadata_service(),
        ..DefaultSources::default()
    };
    let settings = Settings {
        credential: CredentialSource::Default(Box::new(sources.clone())),
        ..bench.settings()
    };
    let workspace = open(&bench, settings).await?;
    let origin = workspace
        .connection()
        .credential_origin()
        .expect("somebody answered");
    assert_eq!(origin.source, "managed-identity");
    let [(passed, why)] = origin.passed_over.as_slice() else {
        panic!("{origin:?}");
    };
    assert_eq!(passed, "client-secret");
    assert!(why.starts_with("AADSTS7000215"), "{why}");
    let nobody = ManagedIdentity {
        client_id: Some("00000000-0000-4000-8000-000000000000".to_owned()),
        ..metadata_service()
    };
    let settings = Settings {
        credential: CredentialSource::Default(Box::new(DefaultSources {
            managed_identity: nobody,
            ..sources
        })),
        ..bench.settings()
    };
    let error = open(&bench, settings).await.expect_err("nobody answers");
    let text = error.to_string();
    assert!(
        text.contains("AADSTS7000215") && text.contains("Identity not found"),
        "{text}"
    );
    assert!(!text.contains("wr0ng"), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_runs_out() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(50 * 60)).await;
        list(&workspace, "schedules").await?;
    }
    let traffic = workspace.connection().traffic();
    assert_eq!(traffic.requests.get(&(Service::Arm, Some(401))), None);
    let logins = traffic.requests.get(&(Service::Login, Some(200)));
    assert!(logins.is_some_and(|logins| *logins >= 3), "{traffic:?}");
    Ok(())
}

/// Real sockets, so real time: names below `.localhost`, a root certificate of one's own, HTTP/2, plain http for the
/// metadata service alone.
#[tokio::test]
async fn a_private_cloud_is_reached_over_https_with_its_own_root() -> Result<(), Error> {
    let server = Server::start(simulator::Settings::default())
        .await
        .expect("it listens");
    World::small(3).build(server.simulator()).expect("a world");
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, server.ca_pem()).expect("a file");
    let arm = server.simulator().state().cloud.arm_url();
    let endpoint = Url::parse(&server.imds_url()).expect("an address");
    let settings = Settings {
        cloud: CloudName::At(Url::parse(&arm).expect("an address")),
        credential: CredentialSource::ManagedIdentity(ManagedIdentity {
            client_id: Some(CLIENT_ID.to_owned()),
            endpoint: ManagedIdentityEndpoint::MetadataAt(endpoint),
        }),
        ca_file: Some(ca_file),
        ..Settings::default()
    };
    let name = format!(
        "azureml://subscriptions/{}/resourceGroups/{}/workspaces/*",
        world::SOURCE_SUBSCRIPTION,
        world::SOURCE_GROUP
    );
    let stranger = Settings {
        ca_file: None,
        ..settings.clone()
    };
    let refused = Connection::open(stranger).await;
    assert!(
        matches!(refused, Err(Error::Unreachable { .. })),
        "{refused:?}"
    );
    let connection = Connection::open(settings).await?;
    let names = connection.workspaces(&name.parse()?).await?;
    assert_eq!(names.len(), 1);
    for name in &names {
        let workspace = AzureWorkspace::open(&connection, name, ReadOptions::default()).await?;
        for kind in ["models", "notebooks"] {
            for item in list(&workspace, kind).await? {
                let own = item.file.clone().map(Ok).into_iter();
                let files = futures::StreamExt::collect::<Vec<_>>(crate::Workspace::files(
                    &workspace, &item,
                ));
                for file in own.chain(files.await) {
                    let file = file?;
                    let read = super::bench::bytes(&workspace, &file).await?;
                    assert_eq!(read.len() as u64, file.size.unwrap_or_default());
                }
            }
        }
    }
    Ok(())
}
