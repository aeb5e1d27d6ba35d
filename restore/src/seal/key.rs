//! Keys that sign exports: Ed25519 (RFC 8032) and ECDSA on P-256, from PEM as `openssl genpkey` writes it (PKCS#8, or
//! SEC 1 for the elliptic curve). They live in the owner's file or a systemd credential, never in a repository.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use der::asn1::BitString;
use der::pem::LineEnding;
use der::{Decode, Encode};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use sha2::{Digest, Sha256};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use zeroize::Zeroize;

use super::algorithm::{self, EC_KEY, ED25519, P256};
use super::{Certificate, Fault};

/// A private key.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hint = self.public.hint();
        f.debug_struct("SigningKey")
            .field("hint", &hint)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the first key of a PEM text.
    ///
    /// # Errors
    /// `Fault::Unread` where there is none, or only one that is wrapped by a passphrase; `Fault::Unknown` for another sort
    /// than Ed25519 and P-256.
    pub fn from_pem(text: &[u8]) -> Result<Self, Fault> {
        const WHAT: &str = "signing key";
        let wrapped = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
        if text.windows(wrapped.len()).any(|window| window == wrapped) {
            let why = "it is wrapped by a passphrase; a systemd credential keeps it better";
            return Err(Fault::unread(WHAT, why));
        }
        let mut der = PrivateKeyDer::from_pem_slice(text)
            .map_err(|_| Fault::unread(WHAT, "there is no PEM private key in it"))?;
        let pair = pair_of(&der);
        der.zeroize();
        let pair = pair.ok_or_else(|| {
            Fault::unknown(WHAT, "neither Ed25519 nor ECDSA on P-256 (PKCS#8 or SEC 1)")
        })?;
        let public = public_of(&pair)?;
        Ok(Self { pair, public })
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs: Ed25519 its 64 bytes, ECDSA with SHA-256 in DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Fault::unread("signing key", "it cannot sign")),
        }
    }
}

fn pair_of(der: &PrivateKeyDer<'_>) -> Option<Pair> {
    let p256 = &ECDSA_P256_SHA256_ASN1_SIGNING;
    match der {
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519);
            ed25519
                .or_else(|_| EcdsaKeyPair::from_pkcs8(p256, der).map(Pair::P256))
                .ok()
        }
        PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(p256, der.secret_sec1_der())
            .map(Pair::P256)
            .ok(),
        _ => None,
    }
}

fn public_of(pair: &Pair) -> Result<PublicKey, Fault> {
    let (oid, parameters, bytes) = match pair {
        Pair::Ed25519(pair) => (ED25519, None, pair.public_key().as_ref()),
        Pair::P256(pair) => (
            EC_KEY,
            Some(der::Any::from(P256)),
            pair.public_key().as_ref(),
        ),
    };
    let subject_public_key =
        BitString::from_bytes(bytes).map_err(|error| Fault::unread("signing key", error))?;
    Ok(PublicKey(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters },
        subject_public_key,
    }))
}

/// A public key: of those that sign here, and of those that others sign with (P-384, P-521, RSA).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(super) SubjectPublicKeyInfoOwned);

impl PublicKey {
    /// Reads the first public key of a PEM text, or that of its first certificate.
    pub fn from_pem(text: &[u8]) -> Result<Self, Fault> {
        const WHAT: &str = "public key";
        match SubjectPublicKeyInfoDer::from_pem_slice(text) {
            Ok(der) => SubjectPublicKeyInfoOwned::from_der(der.as_ref())
                .map(Self)
                .map_err(|error| Fault::unread(WHAT, error)),
            Err(_) => match Certificate::chain_from_pem(text)?.first() {
                Some(certificate) => Ok(certificate.key()),
                None => Err(Fault::unread(WHAT, "there is none in it")),
            },
        }
    }

    /// As `openssl pkey -pubout` writes it: PEM, 64 characters a line, a line feed at the end.
    pub fn to_pem(&self) -> Result<String, Fault> {
        let der = self
            .0
            .to_der()
            .map_err(|error| Fault::unread("public key", error))?;
        der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &der)
            .map_err(|error| Fault::unread("public key", error))
    }

    /// What OMS bundles name a key by: the SHA-256 of its PEM in hex, as `model-signing` 1.1 computes it. Empty for a key
    /// that cannot be written.
    pub fn hint(&self) -> String {
        self.to_pem()
            .map(|pem| hex::encode(Sha256::digest(pem)))
            .unwrap_or_default()
    }

    /// Checks a signature over a message with the hash that goes with the key.
    pub(crate) fn verify(
        &self,
        message: &[u8],
        signature: &[u8],
        what: &'static str,
    ) -> Result<(), Fault> {
        let hash = algorithm::natural(&self.0)
            .ok_or_else(|| Fault::unknown("public key", self.0.algorithm.oid))?;
        algorithm::check(&self.0, hash, message, signature, what)
    }
}
