//! The secret half of a signer.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use secrecy::SecretString;

use crate::{Error, Signer};

/// An Ed25519 key (RFC 8032) that signs log entries.
#[derive(Clone)]
pub(crate) struct SigningSecret(SigningKey);

impl SigningSecret {
    /// A new random one.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| Error::Worker {
            what: "the source of random bytes",
        })?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Its 32 secret bytes.
    pub(crate) fn to_seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// From its 32 secret bytes.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// PKCS #8 in PEM, which stock tools read too.
    pub(crate) fn to_pem(&self) -> Result<SecretString, Error> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(refused)?;
        Ok(pem.to_string().into())
    }

    /// Reads PKCS #8 in PEM.
    pub(crate) fn from_pem(text: &str) -> Result<Self, Error> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(refused)
    }

    /// The public half.
    pub(crate) fn signer(&self) -> Signer {
        Signer::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn refused(error: impl fmt::Display) -> Error {
    Error::Key {
        what: "signing key",
        reason: error.to_string(),
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret(of {})", self.signer())
    }
}

/// Whether the signer signed these bytes.
pub(crate) fn verifies(signer: &Signer, bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(signer.as_bytes()).is_ok_and(|key| {
        key.verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}
