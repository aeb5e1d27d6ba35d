//! Certificates of applications: made here, registered with a principal, and looked for when an assertion is checked.
//!
//! The authority of TLS is another matter (`authority.rs`). A private key is given to whoever asked for the certificate
//! and not kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::alg_id;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// What the directory keeps of an application's certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    sha1: Vec<u8>,
    sha256: Vec<u8>,
    public_key: Vec<u8>,
}

/// Why an assertion's signature is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// No registered certificate has the thumbprint that the header names; the thumbprint in hex.
    Unknown(String),
    /// The signature is not that certificate's.
    Signature(String),
    /// The header names no thumbprint, or an algorithm that is not taken.
    Header,
}

impl Certificate {
    /// A self-signed certificate with an RSA key of 2048 bits; with it key and certificate as PEM, as `openssl` writes
    /// them into one file.
    pub fn generate(name: &str) -> Result<(Self, String), Error> {
        let failed = |source| Error::Authority { source };
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let made = params.self_signed(&key).map_err(failed)?;
        let certificate = Self {
            sha1: aws_lc_rs::digest::digest(
                &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
                made.der(),
            )
            .as_ref()
            .to_vec(),
            sha256: Sha256::digest(made.der()).to_vec(),
            public_key: key.public_key_raw().to_vec(),
        };
        Ok((
            certificate,
            format!("{}{}", key.serialize_pem(), made.pem()),
        ))
    }

    fn has(&self, thumbprint: &[u8]) -> bool {
        self.sha1 == thumbprint || self.sha256 == thumbprint
    }

    fn verifies(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        let wanted = match algorithm {
            "PS256" => alg_id::RSA_PSS_SHA256,
            "RS256" => alg_id::RSA_PKCS1_SHA256,
            _ => return false,
        };
        let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        known
            .all
            .iter()
            .filter(|known| known.signature_alg_id() == wanted)
            .any(|known| {
                known
                    .verify_signature(&self.public_key, signed, signature)
                    .is_ok()
            })
    }
}

/// Checks the signature of a JWT whose header names one of the certificates by `x5t` (SHA-1) or `x5t#S256`.
pub(crate) fn check(jwt: &str, header: &Value, registered: &[Certificate]) -> Result<(), Wrong> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let algorithm = text("alg").ok_or(Wrong::Header)?;
    let thumbprint = text("x5t#S256")
        .or(text("x5t"))
        .and_then(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok())
        .ok_or(Wrong::Header)?;
    let shown = hex::encode_upper(&thumbprint);
    let certificate = registered
        .iter()
        .find(|known| known.has(&thumbprint))
        .ok_or_else(|| Wrong::Unknown(shown.clone()))?;
    let (signed, signature) = jwt.rsplit_once('.').ok_or(Wrong::Header)?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| Wrong::Signature(shown.clone()))?;
    if certificate.verifies(algorithm, signed.as_bytes(), &signature) {
        Ok(())
    } else {
        Err(Wrong::Signature(shown))
    }
}
