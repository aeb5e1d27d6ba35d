//! The simulator on its sockets and in-process: the same answers, and the same misbehaviour of the wire.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::{HttpClient, Method, Request, Url};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use simulator::clock::RuntimeClock;
use simulator::faults::{Fault, Rule};
use simulator::{Server, Settings, Simulator, SimulatorTransport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const METADATA: &str = "/metadata/endpoints?api-version=2022-09-01";

/// One HTTP/1.1 request over TLS; everything that came back, and whether the connection ended well.
async fn get(server: &Server, host: &str, target: &str) -> (String, bool) {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n\r\n",
        server.port()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await.is_ok();
    (String::from_utf8_lossy(&answer).into_owned(), ended)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn every_name_below_the_suffix_is_served_with_a_certificate_of_its_own() {
    let server = Server::start(Settings::default()).await.unwrap();
    let (answer, _) = get(&server, "management.sim.localhost", METADATA).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let document: Value = serde_json::from_str(body(&answer)).unwrap();
    let port = server.port();
    assert_eq!(
        document[0]["suffixes"]["storage"],
        format!("core.sim.localhost:{port}")
    );
    let (answer, _) = get(&server, "acct.blob.core.sim.localhost", "/c/b").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let (answer, _) = get(&server, "westeurope.api.sim.localhost", "/discovery").await;
    assert!(
        body(&answer).contains(&format!("https://westeurope.api.sim.localhost:{port}")),
        "{answer}"
    );
    let (answer, _) = get(&server, "elsewhere.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}

#[tokio::test]
async fn cut_and_reset_answers_are_seen_on_the_wire() {
    let server = Server::start(Settings::default()).await.unwrap();
    let set = |fault| {
        let rule = Rule {
            path: Some("/metadata/".to_owned()),
            ..Rule::always(fault)
        };
        server.simulator().set_faults(1, vec![rule]);
    };
    let host = "management.sim.localhost";
    set(Fault::Truncate { bytes: Some(10) });
    let (answer, _) = get(&server, host, METADATA).await;
    let length: usize = answer
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(body(&answer).len(), 10);
    assert!(length > 10, "the length promises more: {length}");
    set(Fault::Reset { executed: false });
    let (answer, ended) = get(&server, host, METADATA).await;
    assert_eq!((answer.as_str(), ended), ("", false));
}

#[tokio::test]
async fn metadata_service_of_the_machine_is_plain_http() {
    let server = Server::start(Settings::default()).await.unwrap();
    let address = server.imds_url().replace("http://", "");
    let ask = async |header: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let target = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://storage.azure.com";
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(ask("").await.starts_with("HTTP/1.1 400"));
    let answer = ask("Metadata: true\r\n").await;
    let token: Value = serde_json::from_str(body(&answer)).unwrap();
    assert!(
        token["expires_on"].is_string() && token["expires_in"].is_string(),
        "{token}"
    );
}

fn in_process() -> (Simulator, SimulatorTransport) {
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    let simulator = Simulator::with_clock(
        Settings::default(),
        Arc::new(RuntimeClock::starting_at(start)),
    );
    let transport = SimulatorTransport::new(&simulator);
    (simulator, transport)
}

fn metadata() -> Request {
    let url = Url::parse(&format!("https://management.sim.localhost{METADATA}")).unwrap();
    Request::new(url, Method::Get)
}

#[tokio::test(start_paused = true)]
async fn azure_core_reaches_the_simulator_without_sockets_in_virtual_time() {
    let (simulator, transport) = in_process();
    let answer = transport.execute_request(&metadata()).await.unwrap();
    assert_eq!(u16::from(answer.status()), 200);
    let rule = Rule {
        path: Some("/metadata/".to_owned()),
        ..Rule::always(Fault::Slow { ms: 3_600_000 })
    };
    simulator.set_faults(1, vec![rule]);
    let before = simulator.now();
    transport.execute_request(&metadata()).await.unwrap();
    let waited = simulator.now().duration_since(before);
    assert_eq!(waited.as_secs(), 3600, "an hour that nobody waited for");
}

#[tokio::test(start_paused = true)]
async fn throttled_request_that_comes_back_in_time_is_no_early_retry() {
    let (simulator, transport) = in_process();
    let rule = Rule {
        path: Some("/metadata/".to_owned()),
        times: Some(1),
        ..Rule::always(Fault::Throttle {
            retry_after: 9,
            date: false,
        })
    };
    simulator.set_faults(1, vec![rule]);
    let answer = transport.execute_request(&metadata()).await.unwrap();
    assert_eq!(u16::from(answer.status()), 429);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(
        u16::from(
            transport
                .execute_request(&metadata())
                .await
                .unwrap()
                .status()
        ),
        200
    );
    simulator.assert_no_early_retries();
}

#[tokio::test(start_paused = true)]
async fn cut_body_is_an_error_in_process_too() {
    let (simulator, transport) = in_process();
    let rule = Rule {
        path: Some("/metadata/".to_owned()),
        ..Rule::always(Fault::Truncate { bytes: None })
    };
    simulator.set_faults(1, vec![rule]);
    let answer = transport.execute_request(&metadata()).await.unwrap();
    assert!(answer.try_into_raw_response().await.is_err());
    simulator.set_faults(
        1,
        vec![Rule {
            path: Some("/metadata/".to_owned()),
            ..Rule::always(Fault::Reset { executed: false })
        }],
    );
    assert!(transport.execute_request(&metadata()).await.is_err());
}
