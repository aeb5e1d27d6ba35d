//! Each sort of identity against the service that gives its tokens, and what happens when a token is taken back.

use std::time::Duration;

use secrecy::ExposeSecret;
use simulator::call::Service as Called;
use simulator::certificate::Certificate;
use simulator::faults::{Fault, Rule};
use simulator::login::IDENTITY_HEADER;
use simulator::state::{CLIENT_ID, TENANT};
use tokio::time::Instant;
use url::Url;

use super::bench::{Bench, list};
use super::spy::Spy;
use crate::Error;
use crate::azure::credential::{
    ClientCertificate, DefaultSources, ManagedIdentity, ManagedIdentityEndpoint, WorkloadIdentity,
};
use crate::azure::{AzureWorkspace, Connection, CredentialSource, ReadOptions, Service, Settings};

async fn open(bench: &Bench, credential: CredentialSource) -> Result<AzureWorkspace, Error> {
    let settings = Settings {
        credential,
        ..bench.settings()
    };
    let connection = Connection::open(settings).await?;
    AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await
}

fn address(path: &str) -> Url {
    Url::parse(&format!("http://imds.sim.localhost{path}")).expect("an address")
}

fn managed(endpoint: ManagedIdentityEndpoint, client_id: Option<&str>) -> CredentialSource {
    CredentialSource::ManagedIdentity(ManagedIdentity {
        client_id: client_id.map(str::to_owned),
        endpoint,
    })
}

#[tokio::test(start_paused = true)]
async fn a_certificate_opens_a_workspace_and_a_renewed_one_too() -> Result<(), Error> {
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agent.pem");
    let renew = || {
        let (certificate, pem) = Certificate::generate("agent").expect("a certificate");
        let mut state = bench.simulator.state();
        let known = state
            .directory
            .principal_mut(CLIENT_ID)
            .expect("the principal");
        known.secret = None;
        known.certificates = vec![certificate];
        std::fs::write(&file, &pem).expect("a file");
        pem
    };
    renew();
    let source = CredentialSource::ClientCertificate(ClientCertificate {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        file: file.clone(),
    });
    let workspace = open(&bench, source.clone()).await?;
    assert!(!list(&workspace, "models").await?.is_empty());
    // The old one is registered no longer, and the file has the new one.
    renew();
    tokio::time::sleep(Duration::from_secs(2 * 60 * 60)).await;
    assert!(!list(&workspace, "models").await?.is_empty());
    let (_, stranger) = Certificate::generate("stranger").expect("a certificate");
    std::fs::write(&file, &stranger).expect("a file");
    let error = open(&bench, source).await.expect_err("nobody knows it");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("client-certificate") && text.contains("AADSTS700027"),
        "{text}"
    );
    let secret = stranger.lines().nth(3).expect("a line of the key");
    assert!(!text.contains(secret), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn app_service_and_compute_instances_give_tokens_by_their_own_endpoints() -> Result<(), Error>
{
    let bench = Bench::new();
    let app_service = |header: &str| ManagedIdentityEndpoint::Identity {
        endpoint: address("/msi/token"),
        header: header.into(),
    };
    let compute = |secret: &str| ManagedIdentityEndpoint::Msi {
        endpoint: address("/msi/token"),
        secret: secret.into(),
    };
    for endpoint in [app_service(IDENTITY_HEADER), compute(IDENTITY_HEADER)] {
        for client in [None, Some(CLIENT_ID)] {
            let workspace = open(&bench, managed(endpoint.clone(), client)).await?;
            assert!(!list(&workspace, "models").await?.is_empty());
        }
        let stranger = Some("00000000-0000-4000-8000-000000000000");
        let error = open(&bench, managed(endpoint, stranger)).await;
        let error = error.expect_err("an identity that is not assigned");
        assert!(error.to_string().contains("Identity not found"), "{error}");
    }
    for endpoint in [app_service("gu3ss"), compute("gu3ss")] {
        let error = open(&bench, managed(endpoint.clone(), None)).await;
        let text = format!("{0} {0:?} {endpoint:?}", error.expect_err("a wrong secret"));
        assert!(
            text.contains("managed-identity") && !text.contains("gu3ss"),
            "{text}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_federated_token_is_read_anew_each_time() -> Result<(), Error> {
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    let write = |subject: &str| {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(serde_json::json!({"alg": "RS256"}));
        let claims = part(serde_json::json!({
            "sub": subject, "aud": "api://AzureADTokenExchange", "iss": "https://cluster",
            "exp": 4_000_000_000_i64,
        }));
        std::fs::write(&token_file, format!("{header}.{claims}.c2ln")).expect("a file");
        bench.simulator.state().directory.principals[0].subject = Some(subject.to_owned());
    };
    write("system:serviceaccount:a:b");
    let source = CredentialSource::WorkloadIdentity(WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        token_file: token_file.clone(),
    });
    let workspace = open(&bench, source).await?;
    // The cluster renewed it; the old one would be refused.
    write("system:serviceaccount:c:d");
    tokio::time::sleep(Duration::from_secs(2 * 60 * 60)).await;
    assert!(!list(&workspace, "models").await?.is_empty());
    Ok(())
}

/// Rules of the metadata service: it may be away for up to 70 seconds (410), not ready (404), busy (429, 5xx).
#[tokio::test(start_paused = true)]
async fn a_metadata_service_that_is_not_ready_is_waited_for() -> Result<(), Error> {
    for (status, times) in [(410, 9), (404, 3), (500, 3), (503, 3)] {
        let bench = Bench::new();
        let fault = Fault::Status { status, code: None };
        let rule = Rule {
            times: Some(times),
            ..Rule::always(fault).on(Called::Imds)
        };
        bench.simulator.set_faults(1, vec![rule]);
        let identity = ManagedIdentity {
            client_id: None,
            endpoint: ManagedIdentityEndpoint::MetadataAt(address("/")),
        };
        // In a chain too: who answers "not yet" is there, and nobody else is asked.
        let source = CredentialSource::Default(Box::new(DefaultSources {
            managed_identity: identity,
            ..DefaultSources::default()
        }));
        let start = Instant::now();
        let workspace = open(&bench, source).await?;
        let origin = workspace.connection().credential_origin();
        assert_eq!(origin.expect("it answered").source, "managed-identity");
        if status == 410 {
            assert!(
                start.elapsed() >= Duration::from_secs(70),
                "{:?}",
                start.elapsed()
            );
        }
    }
    let bench = Bench::new();
    let busy = Fault::Throttle {
        retry_after: 11,
        date: false,
    };
    let rule = Rule {
        times: Some(2),
        ..Rule::always(busy).on(Called::Imds)
    };
    bench.simulator.set_faults(1, vec![rule]);
    let start = Instant::now();
    open(
        &bench,
        managed(ManagedIdentityEndpoint::MetadataAt(address("/")), None),
    )
    .await?;
    assert!(start.elapsed() >= Duration::from_secs(22));
    bench.simulator.assert_no_early_retries();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_taken_back_is_replaced_once_with_the_claims_that_are_asked_for()
-> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let now = bench.simulator.now();
    bench.simulator.state().directory.principals[0].revoked = Some(now);
    assert!(!list(&workspace, "models").await?.is_empty());
    let claims = bench.simulator.state().directory.claims.clone();
    assert_eq!(claims.len(), 1, "{claims:?}");
    assert!(claims[0].contains("\"nbf\""), "{claims:?}");
    let traffic = workspace.connection().traffic();
    // One 401 for each request that was under way, and one new token.
    assert!(traffic.requests.contains_key(&(Service::Arm, Some(401))));
    // A service that takes no token at all is asked twice and not for ever.
    let later = now + jiff::SignedDuration::from_hours(1000);
    bench.simulator.state().directory.principals[0].revoked = Some(later);
    let before = workspace.connection().traffic();
    let error = list(&workspace, "schedules").await.err();
    assert!(matches!(error, Some(Error::Forbidden(_))), "{error:?}");
    let count = |traffic: &crate::azure::Traffic| {
        let of = (Service::Arm, Some(401));
        traffic.requests.get(&of).copied().unwrap_or_default()
    };
    assert_eq!(count(&workspace.connection().traffic()), count(&before) + 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_login_endpoint_of_the_settings_is_asked_in_place_of_the_clouds() -> Result<(), Error> {
    let bench = Bench::new();
    let settings = Settings {
        authority: Some(Url::parse("https://login.elsewhere.localhost/").expect("an address")),
        ..bench.settings()
    };
    let (settings, spy) = Spy::before(settings, |_, _, _, _| {});
    let connection = Connection::open(settings).await?;
    let _ = AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await;
    let hosts: Vec<_> = spy.sent().into_iter().map(|sent| sent.host).collect();
    assert!(hosts.iter().any(|host| host == "login.elsewhere.localhost"));
    assert!(hosts.iter().all(|host| host != "login.sim.localhost"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn secrets_never_appear_in_what_a_connection_shows() -> Result<(), Error> {
    let bench = Bench::new();
    let settings = bench.settings();
    let secret = match &settings.credential {
        CredentialSource::ClientSecret(known) => known.secret.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    };
    let shown = format!("{settings:?}");
    let workspace = bench.open(&bench.source).await?;
    let token = workspace.connection().storage_token().await?;
    let shown = format!("{shown} {:?} {workspace:?}", workspace.connection());
    assert!(!shown.contains(&secret), "the secret: {shown}");
    assert!(!shown.contains(token.secret()), "the token: {shown}");
    Ok(())
}
