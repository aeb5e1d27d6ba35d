//! The secret half of a signer.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
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

    /// PKCS #8 in PEM, of version 1: without the public key, since OpenSSL 3.0 refuses version 2.
    pub(crate) fn to_pem(&self) -> Result<SecretString, Error> {
        let bytes = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF).map_err(refused)?;
        Ok(pem.as_str().into())
    }

    /// Reads PKCS #8 in PEM, of version 1 or 2.
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_first_version_of_pkcs_8_is_written_and_both_are_read() {
        let secret = SigningSecret::generate().unwrap();
        let first = secret.to_pem().unwrap();
        let second = secret.0.to_pkcs8_pem(LineEnding::LF).unwrap();
        assert_ne!(first.expose_secret(), second.as_str());
        for text in [first.expose_secret(), second.as_str()] {
            let read = SigningSecret::from_pem(text).unwrap();
            assert_eq!(read.to_seed(), secret.to_seed());
        }
        let der = KeypairBytes {
            secret_key: secret.0.to_bytes(),
            public_key: None,
        };
        let der = der.to_pkcs8_der().unwrap();
        assert_eq!(der.as_bytes().len(), 48);
        assert_eq!(&der.as_bytes()[16..], secret.to_seed().as_slice());
        let (begin, end) = first.expose_secret().split_at(40);
        assert!(SigningSecret::from_pem(&format!("{begin}B{end}")).is_err());
    }
}
