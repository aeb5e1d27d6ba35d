//! An application's certificate: the signed assertion by which it proves to the login endpoint who it is.
//!
//! azure_identity's own client certificate needs OpenSSL, so its client assertion is given one made here: a JWT signed
//! with the certificate's RSA key (RFC 7523; header and claims as Microsoft's page "Microsoft identity platform
//! application authentication certificate credentials" names them: `PS256`, `x5t#S256`). The file is read for every
//! token, so that a renewed certificate serves without a restart. Nothing of the key is ever part of an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::azure::wire::own;
use crate::{Clock, Error};

/// The largest file that is taken: a key and a long chain.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How long an assertion may be used; Microsoft's page says 5 to 10 minutes.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// How much earlier it begins, for a login endpoint whose clock is behind.
const EARLIER: Duration = Duration::from_secs(60);
/// The credential's name in errors and configuration.
const NAME: &str = "client-certificate";

/// Makes assertions.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) file: PathBuf,
    pub(crate) client_id: String,
    /// The token endpoint, for which the assertion is good.
    pub(crate) audience: Url,
    pub(crate) clock: Clock,
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let (file, claims) = (self.file.clone(), self.claims());
        let made = tokio::task::spawn_blocking(move || Certificate::read(&file)?.sign(&claims));
        let made = made.await.map_err(|source| Error::Local {
            what: "the client certificate".to_owned(),
            source: Box::new(source),
        });
        made.and_then(|made| made).map_err(own)
    }
}

impl Assertion {
    fn claims(&self) -> Value {
        let now = self.clock.now().as_second();
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or_default();
        json!({
            "aud": self.audience.as_str(), "iss": self.client_id, "sub": self.client_id,
            "jti": format!("{:032x}", rand::random::<u128>()),
            "iat": now, "nbf": now - seconds(EARLIER), "exp": now + seconds(LIFE),
        })
    }
}

/// A certificate with its key.
struct Certificate {
    thumbprint: [u8; 32],
    key: KeyPair,
}

impl Certificate {
    /// Reads a PEM file with a certificate and its key, in any order; of several certificates the first counts.
    fn read(file: &Path) -> Result<Self, Error> {
        let unreadable = |source: std::io::Error| Error::Local {
            what: format!("the client certificate {}", file.display()),
            source: Box::new(source),
        };
        let size = std::fs::metadata(file).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(refused(file, "it is larger than 256 KiB"));
        }
        let bytes = Zeroizing::new(std::fs::read(file).map_err(unreadable)?);
        Self::parse(&bytes).map_err(|why| refused(file, why))
    }

    fn parse(pem: &[u8]) -> Result<Self, &'static str> {
        if !contains(pem, b"-----BEGIN ") {
            return Err(
                "it is no PEM file; `openssl pkcs12 -in FILE -out NEW.pem -nodes` makes one of a PFX file",
            );
        }
        if contains(pem, b"ENCRYPTED") {
            return Err(
                "its key is encrypted; `openssl pkey -in FILE` takes the passphrase away, and the file's mode protects it",
            );
        }
        let certificate =
            CertificateDer::from_pem_slice(pem).map_err(|_| "it has no certificate in it")?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it has no private key in it")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("its key is no RSA key, and Entra ID takes no other"),
        };
        Ok(Self {
            thumbprint: Sha256::digest(&certificate).into(),
            key: key.map_err(|_| "its key is no RSA key, and Entra ID takes no other")?,
        })
    }

    /// The JWT of these claims.
    fn sign(&self, claims: &Value) -> Result<String, Error> {
        let header = json!({
            "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(self.thumbprint),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Error::Credential {
                credential: NAME.to_owned(),
                reason: "its key does not sign".to_owned(),
            })?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn refused(file: &Path, why: &str) -> Error {
    Error::Credential {
        credential: NAME.to_owned(),
        reason: format!("{}: {why}", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_certificate_is_refused_with_what_to_do() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        for (text, why) in [
            ("0\u{1}binary".to_owned(), "openssl pkcs12"),
            (pem("ENCRYPTED PRIVATE KEY"), "openssl pkey"),
            (pem("PRIVATE KEY"), "no certificate"),
            (pem("CERTIFICATE"), "no private key"),
            (pem("CERTIFICATE") + &pem("EC PRIVATE KEY"), "no RSA key"),
            (pem("CERTIFICATE") + &pem("PRIVATE KEY"), "no RSA key"),
        ] {
            let said = Certificate::parse(text.as_bytes()).err();
            assert!(said.is_some_and(|said| said.contains(why)), "{text}");
        }
    }
}
