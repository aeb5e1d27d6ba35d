//! OpenSSF Model Signing 1.0: a signature over a set of files, which `model-signing` and every other reader of OMS checks.
//!
//! A bundle is a Sigstore bundle with a DSSE envelope around an in-toto statement that lists the files. Written are the
//! methods `key` and `certificate`; read and judged as well, while bundles of the method `sigstore` are parsed but need
//! Sigstore's own roots and logs, which nothing here keeps. Spelled out in OMS's specification v1.0, sections 4 to 8.

mod statement;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use statement::{Resource, Statement};

use super::{Certificate, Fault, PublicKey, SigningKey, Usage};

/// The bundle format that `model-signing` 1.x writes and reads.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MEDIA_TYPES: &str = "application/vnd.dev.sigstore.bundle";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const WHAT: &str = "bundle";

/// Who signs: a key, alone or with its certificate chain.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    chain: Vec<Certificate>,
}

impl Signer {
    /// With a chain (leaf first, the root may be left out) the method is `certificate`, without one `key`.
    ///
    /// # Errors
    /// `Fault::OtherKey` where the first certificate is another key's.
    pub fn new(key: SigningKey, chain: Vec<Certificate>) -> Result<Self, Fault> {
        match chain.first() {
            Some(leaf) if leaf.key() != *key.public() => Err(Fault::OtherKey),
            _ => Ok(Self { key, chain }),
        }
    }

    /// Its key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs files.
    ///
    /// `name` is the base name of the folder they lie in, `resources` each file with its path from there, in any order,
    /// `ignored` what of the folder is not signed (paths from the folder, no patterns). The answer is a bundle's bytes.
    ///
    /// # Errors
    /// `Fault::Rule` for no file, a path twice, or one that is not canonical.
    pub fn sign(
        &self,
        name: &str,
        resources: &[Resource],
        ignored: &[&str],
    ) -> Result<Vec<u8>, Fault> {
        let payload = Statement::new(name, resources, ignored)?.to_json()?;
        let signature = self.key.sign(&encoded(PAYLOAD_TYPE, &payload))?;
        let material = match self.chain.is_empty() {
            true => Material {
                public_key: Some(KeyName {
                    hint: Some(self.key.public().hint()),
                    raw_bytes: None,
                }),
                ..Material::default()
            },
            false => Material {
                x509_certificate_chain: Some(Chain {
                    certificates: self.chain.iter().map(Raw::of).collect(),
                }),
                ..Material::default()
            },
        };
        let file = File {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                tlog_entries: Some(Vec::new()),
                ..material
            },
            dsse_envelope: Envelope {
                payload: STANDARD.encode(payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signature {
                    sig: STANDARD.encode(signature),
                    keyid: Some(String::new()),
                }],
            },
        };
        serde_json::to_vec(&file).map_err(|error| Fault::unread(WHAT, error))
    }
}

/// Whom a verifier trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys whose signature counts without a certificate.
    pub keys: Vec<PublicKey>,
    /// Certificates that a chain has to lead to.
    pub roots: Vec<Certificate>,
}

/// Who signed a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatory {
    /// A trusted key, by the SHA-256 of its PEM.
    Key(String),
    /// The holder of a certificate that leads to a trusted root, by its subject.
    Certificate(String),
}

impl std::fmt::Display for Signatory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(hint) => write!(f, "the key {hint}"),
            Self::Certificate(subject) => write!(f, "{}", subject.escape_debug()),
        }
    }
}

/// A bundle that keeps the rules of the format. Whether its signature is good is another question.
#[derive(Clone, Debug)]
pub struct Bundle {
    payload: Vec<u8>,
    signature: Vec<u8>,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    /// The hint; none in bundles of before 1.1.
    Key(Option<String>),
    Certificate(Vec<Certificate>),
    Sigstore,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// `Fault::Unread` for no JSON of this shape, `Fault::Rule` where a rule of the format is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let rule = |rule: &str| Fault::Rule {
            what: WHAT,
            rule: rule.to_owned(),
        };
        let file: File =
            serde_json::from_slice(bytes).map_err(|error| Fault::unread(WHAT, error))?;
        if !file.media_type.starts_with(MEDIA_TYPES) {
            return Err(rule("its media type is not that of a Sigstore bundle"));
        }
        let envelope = file.dsse_envelope;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(rule("its payload is no in-toto statement"));
        }
        let [signature] = envelope.signatures.as_slice() else {
            return Err(rule("it has not exactly one signature"));
        };
        let material = file.verification_material;
        let logged = material
            .tlog_entries
            .is_some_and(|entries| !entries.is_empty());
        let method = match (
            material.public_key,
            material.x509_certificate_chain,
            material.certificate,
        ) {
            (Some(key), None, None) if key.hint.is_some() || key.raw_bytes.is_some() => {
                Method::Key(key.hint)
            }
            (None, Some(chain), None) if !chain.certificates.is_empty() => {
                let read = chain.certificates.iter().map(Raw::certificate);
                Method::Certificate(read.collect::<Result<_, _>>()?)
            }
            (None, None, Some(certificate)) if logged => {
                certificate.certificate()?;
                Method::Sigstore
            }
            (None, None, Some(_)) => return Err(rule("it has no entry of a transparency log")),
            _ => return Err(rule("it names not exactly one key, chain or certificate")),
        };
        let (payload, signature) = (decoded(&envelope.payload)?, decoded(&signature.sig)?);
        if payload.is_empty() || signature.is_empty() {
            return Err(rule("its payload or its signature is empty"));
        }
        Ok(Self {
            payload,
            signature,
            method,
        })
    }

    /// What it says, whoever signed it.
    ///
    /// # Errors
    /// `Fault::Unread` and `Fault::Rule` where it is no statement of OMS 1.0.
    pub fn statement(&self) -> Result<Statement, Fault> {
        Statement::parse(&self.payload)
    }

    /// Judges the signature, and gives back what is signed and by whom.
    ///
    /// A certificate has to be good at `at`: the time of a verified time stamp, or now.
    ///
    /// # Errors
    /// `Fault::Untrusted` where nobody in `trust` can have signed it, `Fault::Expired` where somebody can have before `at`,
    /// `Fault::Signature` where it was changed, `Fault::Unknown` for the method `sigstore`.
    pub fn verify(&self, trust: &Trust, at: Timestamp) -> Result<(Statement, Signatory), Fault> {
        let signatory = match &self.method {
            Method::Key(hint) => self.by_key(trust, hint.as_deref())?,
            Method::Certificate(chain) => {
                let Some((leaf, between)) = chain.split_first() else {
                    return Err(Fault::unread(WHAT, "it has no certificate"));
                };
                self.is_signed_by(&leaf.key())?;
                let (roots, usage) = (&trust.roots, Usage::Signing);
                if let Err(fault) = leaf.verify(between, roots, usage, at) {
                    let until = leaf.was_good_until(between, roots, usage, at);
                    return Err(until.map_or(fault, |until| Fault::Expired {
                        subject: leaf.subject(),
                        until,
                    }));
                }
                Signatory::Certificate(leaf.subject())
            }
            Method::Sigstore => {
                return Err(Fault::unknown("signature", "Sigstore's keyless method"));
            }
        };
        Ok((self.statement()?, signatory))
    }

    fn by_key(&self, trust: &Trust, hint: Option<&str>) -> Result<Signatory, Fault> {
        let untrusted = |why: String| Fault::Untrusted { sort: "key", why };
        let named = |key: &&PublicKey| hint.is_none_or(|hint| key.hint() == hint);
        let mut named = trust.keys.iter().filter(named).peekable();
        if named.peek().is_none() {
            let whose = hint.unwrap_or("a key that it does not name");
            return Err(untrusted(format!("it names {whose}")));
        }
        let mut refused = None;
        for key in named {
            match self.is_signed_by(key) {
                Ok(()) => return Ok(Signatory::Key(key.hint())),
                Err(fault) => refused = Some(fault),
            }
        }
        Err(refused.unwrap_or(Fault::Signature { what: WHAT }))
    }

    /// Whether the signature is one by this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<(), Fault> {
        let message = encoded(PAYLOAD_TYPE, &self.payload);
        key.verify(&message, &self.signature, "the statement of the bundle")
    }

    /// The certificates in it, leaf first; none in the other methods.
    pub fn chain(&self) -> &[Certificate] {
        match &self.method {
            Method::Certificate(chain) => chain,
            _ => &[],
        }
    }

    /// The key that it names, by the SHA-256 of its PEM.
    pub fn hint(&self) -> Option<&str> {
        match &self.method {
            Method::Key(hint) => hint.as_deref(),
            _ => None,
        }
    }
}

/// DSSE's pre-authentication encoding.
fn encoded(sort: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!("DSSEv1 {} {sort} {} ", sort.len(), payload.len()).into_bytes();
    text.extend_from_slice(payload);
    text
}

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD
        .decode(text)
        .map_err(|error| Fault::unread(WHAT, error))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<Chain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlog_entries: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyName {
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: String,
}

impl Raw {
    fn of(certificate: &Certificate) -> Self {
        Self {
            raw_bytes: STANDARD.encode(certificate.der()),
        }
    }

    fn certificate(&self) -> Result<Certificate, Fault> {
        Certificate::from_der(&decoded(&self.raw_bytes)?)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    sig: String,
    keyid: Option<String>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests;
