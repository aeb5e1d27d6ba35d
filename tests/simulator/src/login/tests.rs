//! Tokens: given to who proves who they are, refused to others in the tenant's own words.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::certificate::Certificate;
use crate::reply::Reply;
use crate::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use crate::{Settings, Simulator};

const SCOPE: &str = "https://ml.azure.com/.default";
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn post(simulator: &Simulator, tenant: &str, form: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let url = format!("https://login.sim.localhost/{tenant}/oauth2/v2.0/token");
    simulator.handle(
        http::Request::builder()
            .method("POST")
            .uri(url)
            .body(Bytes::from(body))
            .unwrap(),
    )
}

fn with_secret(simulator: &Simulator, client_id: &str, secret: &str, scope: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("scope", scope),
    ];
    post(simulator, TENANT, &form)
}

fn code(reply: &Reply) -> (u16, i64) {
    (
        reply.status.as_u16(),
        reply.body_json()["error_codes"][0]
            .as_i64()
            .unwrap_or_default(),
    )
}

#[test]
fn client_secret_gives_a_token_for_the_scope_that_is_asked() {
    let simulator = Simulator::new(Settings::default());
    let reply = with_secret(&simulator, CLIENT_ID, CLIENT_SECRET, SCOPE);
    assert_eq!(reply.status, 200);
    let token = reply.body_json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let claims = simulator.state().directory.verify(&token).unwrap();
    assert_eq!(
        (claims.audience.as_str(), claims.client_id.as_str()),
        ("https://ml.azure.com", CLIENT_ID)
    );
}

#[test]
fn refusals_carry_the_codes_of_entra() {
    let simulator = Simulator::new(Settings::default());
    let wrong = with_secret(&simulator, CLIENT_ID, "wrong", SCOPE);
    assert_eq!(code(&wrong), (401, 7_000_215));
    let text = wrong.body_json()["error_description"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.starts_with("AADSTS7000215: Invalid client secret provided."),
        "{text}"
    );
    assert!(!text.contains("wrong"), "the secret is not repeated");
    assert_eq!(
        code(&with_secret(&simulator, "stranger", CLIENT_SECRET, SCOPE)),
        (400, 700_016)
    );
    assert_eq!(
        code(&with_secret(
            &simulator,
            CLIENT_ID,
            CLIENT_SECRET,
            "https://ml.azure.com"
        )),
        (400, 1_002_012)
    );
    assert_eq!(code(&post(&simulator, "other-tenant", &[])), (400, 90_002));
    assert_eq!(
        code(&post(&simulator, TENANT, &[("grant_type", "password")])),
        (400, 70_003)
    );
}

fn assertion(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
}

/// An assertion that names one certificate and is signed with the key of another.
fn signed(claims: &Value, named: &str, signer: &str) -> String {
    let certificate = CertificateDer::from_pem_slice(named.as_bytes()).unwrap();
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(signer.as_bytes()).unwrap()
    else {
        panic!("a key of another form");
    };
    let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let text = format!("{}.{}", part(&header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PSS_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn with_assertion(simulator: &Simulator, assertion: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_assertion_type", BEARER),
        ("client_assertion", assertion),
        ("scope", SCOPE),
    ];
    post(simulator, TENANT, &form)
}

#[test]
fn client_assertion_is_checked_for_subject_audience_time_and_signature() {
    let simulator = Simulator::new(Settings::default());
    let (certificate, pem) = Certificate::generate("an application").unwrap();
    let (_, stranger) = Certificate::generate("another").unwrap();
    simulator.state().directory.principals[0]
        .certificates
        .push(certificate);
    let now = simulator.now().as_second();
    let endpoint = format!("https://login.sim.localhost/{TENANT}/oauth2/v2.0/token");
    let own = |exp: i64, aud: &str| {
        let claims = json!({"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": aud, "exp": exp});
        signed(&claims, &pem, &pem)
    };
    assert_eq!(
        with_assertion(&simulator, &own(now + 300, &endpoint)).status,
        200
    );
    assert_eq!(
        code(&with_assertion(&simulator, &own(now - 1, &endpoint))),
        (401, 700_024)
    );
    assert_eq!(
        code(&with_assertion(
            &simulator,
            &own(now + 300, "https://elsewhere")
        )),
        (401, 700_023)
    );
    let claims = json!({"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": endpoint, "exp": now + 300});
    let of_stranger = with_assertion(&simulator, &signed(&claims, &stranger, &stranger));
    assert_eq!(code(&of_stranger), (401, 700_027));
    let forged = with_assertion(&simulator, &signed(&claims, &pem, &stranger));
    assert_eq!(code(&forged), (401, 700_027));
    assert_eq!(
        code(&with_assertion(&simulator, &assertion(&claims))),
        (401, 50_027)
    );
    assert_eq!(
        code(&with_assertion(&simulator, "no token at all")),
        (401, 50_027)
    );
    simulator.state().directory.principals[0].subject =
        Some("system:serviceaccount:ns:agent".to_owned());
    let federated = json!({"iss": "https://cluster", "sub": "system:serviceaccount:ns:agent", "aud": "api://AzureADTokenExchange", "exp": now + 60});
    assert_eq!(
        with_assertion(&simulator, &assertion(&federated)).status,
        200
    );
}

#[test]
fn identity_endpoints_of_hosted_machines_want_their_header() {
    let simulator = Simulator::new(Settings::default());
    let ask = |header: (&str, &str), version: &str| {
        let url = format!(
            "http://169.254.169.254/msi/token?resource=https://ml.azure.com&api-version={version}"
        );
        let request = http::Request::builder()
            .uri(url)
            .header(header.0, header.1)
            .body(Bytes::new())
            .unwrap();
        simulator.handle(request).status.as_u16()
    };
    assert_eq!(
        ask(("x-identity-header", super::IDENTITY_HEADER), "2019-08-01"),
        200
    );
    assert_eq!(ask(("secret", super::IDENTITY_HEADER), "2017-09-01"), 200);
    assert_eq!(ask(("secret", "guess"), "2017-09-01"), 400);
    assert_eq!(ask(("secret", super::IDENTITY_HEADER), "2019-08-01"), 400);
}
