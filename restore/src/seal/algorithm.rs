//! The signature algorithms of X.509 and CMS that are known, and the one library that computes them: the one that TLS
//! runs on. SHA-1 and MD5 signatures are not among them.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::Fault;

pub(super) const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// The algorithms of certificates and CMS signatures that say their hash (RFC 5758, RFC 4055).
const WITH_HASH: [(&str, Hash); 6] = [
    ("1.2.840.10045.4.3.2", Hash::Sha256),
    ("1.2.840.10045.4.3.3", Hash::Sha384),
    ("1.2.840.10045.4.3.4", Hash::Sha512),
    ("1.2.840.113549.1.1.11", Hash::Sha256),
    ("1.2.840.113549.1.1.12", Hash::Sha384),
    ("1.2.840.113549.1.1.13", Hash::Sha512),
];

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// Only to recognise a certificate that a time stamp names, never for a signature.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn of(oid: ObjectIdentifier) -> Option<Self> {
        [
            (SHA1, Self::Sha1),
            (SHA256, Self::Sha256),
            (SHA384, Self::Sha384),
            (SHA512, Self::Sha512),
        ]
        .into_iter()
        .find_map(|(known, hash)| (known == oid).then_some(hash))
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// The hash of a signature algorithm: its own, or beside a bare key algorithm in CMS that of the content.
pub(super) fn hash_of(algorithm: ObjectIdentifier, beside: Option<Hash>) -> Option<Hash> {
    let named = WITH_HASH
        .iter()
        .find_map(|(oid, hash)| (algorithm.to_string() == *oid).then_some(*hash));
    match (named, algorithm) {
        (Some(hash), _) => Some(hash),
        (None, ED25519) => Some(Hash::Sha512),
        (None, RSA_KEY | EC_KEY) => beside,
        (None, _) => None,
    }
}

/// The hash that goes with a key where nothing else says it: the rule of Sigstore's `PublicKeyDetails`.
pub(super) fn natural(key: &SubjectPublicKeyInfoOwned) -> Option<Hash> {
    match (key.algorithm.oid, curve(key)) {
        (EC_KEY, Some(P256)) | (RSA_KEY, _) => Some(Hash::Sha256),
        (EC_KEY, Some(P384)) => Some(Hash::Sha384),
        (EC_KEY, Some(P521)) | (ED25519, _) => Some(Hash::Sha512),
        _ => None,
    }
}

fn curve(key: &SubjectPublicKeyInfoOwned) -> Option<ObjectIdentifier> {
    key.algorithm.parameters.as_ref()?.decode_as().ok()
}

/// Checks a signature.
pub(super) fn check(
    key: &SubjectPublicKeyInfoOwned,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
    what: &'static str,
) -> Result<(), Fault> {
    let algorithm: &'static dyn VerificationAlgorithm = match (key.algorithm.oid, curve(key), hash)
    {
        (ED25519, _, _) => &signature::ED25519,
        (EC_KEY, Some(P256), Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (EC_KEY, Some(P256), Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (EC_KEY, Some(P256), Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
        (EC_KEY, Some(P384), Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (EC_KEY, Some(P384), Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (EC_KEY, Some(P384), Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
        (EC_KEY, Some(P521), Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
        (EC_KEY, Some(P521), Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
        (EC_KEY, Some(P521), Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        (RSA_KEY, _, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA_KEY, _, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA_KEY, _, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (found, curve, _) => {
            let curve = curve.map(|curve| format!(" on curve {curve}"));
            let found = format!("{found}{}", curve.unwrap_or_default());
            return Err(Fault::unknown("public key", found));
        }
    };
    UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes())
        .verify(message, signature)
        .map_err(|_| Fault::Signature { what })
}
