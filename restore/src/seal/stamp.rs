//! RFC 3161 time stamps: the question to an authority, and the judgement of its answer.
//!
//! What is stamped is the SHA-256 of a file. Question and answer are kept as they went over the wire (`.tsq`, `.tsr`), so
//! that `openssl ts -verify` judges them. Sending is the program's part.

mod message;

use der::asn1::{AnyRef, OctetString, Uint};
use der::{Any, Decode, Encode};
use jiff::Timestamp;
use x509_cert::spki::AlgorithmIdentifierOwned;

use self::message::{
    CONTENT_TYPE, ContentInfo, EssCertId, EssCertIdV2, Identified, Imprint, MESSAGE_DIGEST,
    Request, Response, SIGNED_DATA, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2, STAMP, SignedData,
    SignerInfo, SigningCertificate, StampInfo,
};
use super::algorithm::{self, Hash, SHA256};
use super::{Certificate, Fault, Usage};

const WHAT: &str = "time stamp";

/// A question: the time stamp of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    der: Vec<u8>,
    sha256: [u8; 32],
    nonce: Uint,
}

impl Query {
    /// Asks for a digest, with eight random bytes that the answer has to repeat, and for the authority's certificate.
    pub fn new(sha256: [u8; 32], nonce: [u8; 8]) -> Result<Self, Fault> {
        let unread = |error: der::Error| Fault::unread("time-stamp request", error);
        let nonce = Uint::new(&nonce).map_err(unread)?;
        let request = Request {
            version: 1,
            imprint: Imprint {
                algorithm: AlgorithmIdentifierOwned {
                    oid: SHA256,
                    parameters: Some(Any::from(AnyRef::NULL)),
                },
                digest: OctetString::new(sha256).map_err(unread)?,
            },
            policy: None,
            nonce: Some(nonce.clone()),
            certificate: true,
            extensions: None,
        };
        Ok(Self {
            der: request.to_der().map_err(unread)?,
            sha256,
            nonce,
        })
    }

    /// The same with bytes of the operating system.
    pub fn fresh(sha256: [u8; 32]) -> Result<Self, Fault> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|error| Fault::unread("randomness", error))?;
        Self::new(sha256, nonce)
    }

    /// Reads one that was sent, to judge a late answer.
    pub fn from_der(der: &[u8]) -> Result<Self, Fault> {
        const WHAT: &str = "time-stamp request";
        let request = Request::from_der(der).map_err(|error| Fault::unread(WHAT, error))?;
        let digest = request.imprint.digest.as_bytes().try_into();
        match (request.imprint.algorithm.oid, digest, request.nonce) {
            (SHA256, Ok(sha256), Some(nonce)) => Ok(Self {
                der: der.to_vec(),
                sha256,
                nonce,
            }),
            _ => Err(Fault::unread(WHAT, "it is not one that mlark asks")),
        }
    }

    /// What is sent: the body of a POST of `application/timestamp-query`.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The digest that it asks for.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

/// Whose time stamps count.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    /// The roots that the authority's certificate has to lead to. Without any, only the answer's own consistency is
    /// judged: digest, nonce, and that it is signed by the certificate that it brings.
    pub roots: Vec<Certificate>,
}

/// A time stamp that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the digest was there, by the authority's clock.
    pub time: Timestamp,
    /// Whose certificate signed it.
    pub signer: String,
    /// Whether that certificate leads to a trusted root.
    pub trusted: bool,
    /// The authority's number for it, in hex.
    pub serial: String,
}

/// Judges an answer (`application/timestamp-reply`) to a question.
///
/// # Errors
/// `Fault::Refused` where the authority gave none, `Fault::OtherStamp` where it is about something else,
/// `Fault::Signature` and `Fault::Untrusted` where its signature or its certificate is not good, `Fault::Unread` for DER
/// that is none.
pub fn judge(answer: &[u8], query: &Query, authority: &Authority) -> Result<Stamp, Fault> {
    let unread = |error: der::Error| Fault::unread(WHAT, error);
    let response = Response::from_der(answer).map_err(unread)?;
    // 0 is granted, 1 granted with modifications.
    if !matches!(response.status.status, 0 | 1) {
        return Err(Fault::Refused {
            said: response.status.said(),
        });
    }
    let token = response.token.ok_or_else(|| Fault::Refused {
        said: "there is no time stamp in its answer".to_owned(),
    })?;
    let signed = signed_data(&token)?;
    let content = signed.content()?;
    let info = StampInfo::from_der(&content).map_err(unread)?;
    if info.imprint.algorithm.oid != SHA256 || info.imprint.digest.as_bytes() != query.sha256 {
        return Err(Fault::OtherStamp { what: "digest" });
    }
    if info.nonce.as_ref() != Some(&query.nonce) {
        return Err(Fault::OtherStamp { what: "nonce" });
    }
    let time = info.time()?;
    let (signer, others) = signer(&signed, &content)?;
    let trusted = !authority.roots.is_empty();
    if trusted {
        signer.verify(&others, &authority.roots, Usage::TimeStamping, time)?;
    }
    Ok(Stamp {
        time,
        signer: signer.subject(),
        trusted,
        serial: hex::encode(info.serial.as_bytes()),
    })
}

fn signed_data(token: &ContentInfo) -> Result<SignedData, Fault> {
    if token.content_type != SIGNED_DATA {
        return Err(Fault::unknown(WHAT, token.content_type));
    }
    let signed: SignedData = token
        .content
        .decode_as()
        .map_err(|error| Fault::unread(WHAT, error))?;
    match signed.content.content_type == STAMP {
        true => Ok(signed),
        false => Err(Fault::unknown(WHAT, signed.content.content_type)),
    }
}

/// The certificate that signed the content, and the others that came with it; the signature is checked.
fn signer(signed: &SignedData, content: &[u8]) -> Result<(Certificate, Vec<Certificate>), Fault> {
    let info = signed.signer()?;
    let mut certificates = signed.certificates()?;
    let at = certificates
        .iter()
        .position(|certificate| is_of(certificate, &info.signer))
        .ok_or_else(|| Fault::unread(WHAT, "the certificate that signed it is not in it"))?;
    let certificate = certificates.swap_remove(at);
    check_signature(&info, &certificate, content)?;
    Ok((certificate, certificates))
}

fn is_of(certificate: &Certificate, signer: &Identified) -> bool {
    let parsed = &certificate.parsed().tbs_certificate;
    match signer {
        Identified::Serial(named) => {
            named.issuer == parsed.issuer && named.serial == parsed.serial_number
        }
        Identified::KeyId(id) => parsed
            .get::<x509_cert::ext::pkix::SubjectKeyIdentifier>()
            .ok()
            .flatten()
            .is_some_and(|(_, known)| known.0 == *id),
    }
}

fn check_signature(
    info: &SignerInfo,
    certificate: &Certificate,
    content: &[u8],
) -> Result<(), Fault> {
    let hash = Hash::of(info.digest_algorithm.oid)
        .filter(|hash| *hash != Hash::Sha1)
        .ok_or_else(|| Fault::unknown("digest of the time stamp", info.digest_algorithm.oid))?;
    let unread = |why: &str| Fault::unread(WHAT, why);
    let sort: der::asn1::ObjectIdentifier = info.attribute(CONTENT_TYPE)?;
    let digest: OctetString = info.attribute(MESSAGE_DIGEST)?;
    if sort != STAMP {
        return Err(unread("what is signed says that it is no time stamp"));
    }
    if digest.as_bytes() != hash.digest(content) {
        return Err(Fault::Signature {
            what: "the time stamp",
        });
    }
    if !names_certificate(info, certificate)? {
        return Err(unread("what is signed names another certificate"));
    }
    let algorithm = info.signature_algorithm.oid;
    let hash = algorithm::hash_of(algorithm, Some(hash))
        .ok_or_else(|| Fault::unknown("signature of the time stamp", algorithm))?;
    let message = info.signed_bytes()?;
    let (key, signature) = (certificate.key(), info.signature.as_bytes());
    algorithm::check(&key.0, hash, &message, signature, "the time stamp")
}

/// RFC 3161 section 2.4.2 and RFC 5816: the signed attributes name the certificate by its digest.
fn names_certificate(info: &SignerInfo, certificate: &Certificate) -> Result<bool, Fault> {
    let (hash, digest) = match info.has(SIGNING_CERTIFICATE_V2) {
        true => {
            let named: SigningCertificate = info.attribute(SIGNING_CERTIFICATE_V2)?;
            let named: EssCertIdV2 = named.first()?;
            let hash = named
                .algorithm
                .map_or(Some(Hash::Sha256), |named| Hash::of(named.oid));
            (hash, named.digest)
        }
        false => {
            let named: SigningCertificate = info.attribute(SIGNING_CERTIFICATE)?;
            (Some(Hash::Sha1), named.first::<EssCertId>()?.digest)
        }
    };
    Ok(hash.is_some_and(|hash| hash.digest(certificate.der()) == digest.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests;
