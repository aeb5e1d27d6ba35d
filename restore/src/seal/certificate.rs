//! Certificates (RFC 5280): reading a chain, and judging whether it leads to a root that is trusted.
//!
//! The path rules are those of RFC 5280 section 6 that a chain for signing or time-stamping needs: names, signatures,
//! validity, basic constraints with their path length, key usage. An extension that is critical and not known refuses the
//! certificate. Revocation is not asked for: an archive is judged where no network may be.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode, Sequence};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::algorithm;
use super::{Fault, PublicKey};

const WHAT: &str = "certificate";
/// id-kp-codeSigning.
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// id-kp-timeStamping.
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The extensions that may be critical: basic constraints, key usage, extended key usage, alternative names, key ids.
const KNOWN: [&str; 6] = [
    "2.5.29.19",
    "2.5.29.15",
    "2.5.29.37",
    "2.5.29.17",
    "2.5.29.14",
    "2.5.29.35",
];
/// Longer chains are none that a person keeps.
const DEPTH_MAX: usize = 8;
/// Larger certificates, and more of them, are none.
const CHAIN_MAX: usize = 32;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// What the signature is over: as it came, since encoding it again might change it.
    signed: Vec<u8>,
    parsed: x509_cert::Certificate,
}

/// What a certificate's key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Signing files: key usage `digitalSignature`, or extended key usage `codeSigning` (the rule of `model-signing`).
    Signing,
    /// Time stamps: extended key usage `timeStamping`, critical and alone (RFC 3161 section 2.3).
    TimeStamping,
}

/// A certificate with the signed part as it came.
#[derive(Sequence)]
struct Outer<'a> {
    signed: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

impl Certificate {
    /// Reads one.
    pub fn from_der(der: &[u8]) -> Result<Self, Fault> {
        let unread = |error: der::Error| Fault::unread(WHAT, error);
        let outer = Outer::from_der(der).map_err(unread)?;
        Ok(Self {
            der: der.to_vec(),
            signed: outer.signed.to_der().map_err(unread)?,
            parsed: x509_cert::Certificate::from_der(der).map_err(unread)?,
        })
    }

    /// Reads all certificates of a PEM text in their order, a chain leaf first.
    pub fn chain_from_pem(text: &[u8]) -> Result<Vec<Self>, Fault> {
        let mut chain = Vec::new();
        for der in CertificateDer::pem_slice_iter(text) {
            let der = der.map_err(|_| Fault::unread(WHAT, "its PEM is broken"))?;
            if chain.len() == CHAIN_MAX {
                return Err(Fault::unread(WHAT, "there are more than 32"));
            }
            chain.push(Self::from_der(&der)?);
        }
        Ok(chain)
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its key.
    pub fn key(&self) -> PublicKey {
        PublicKey(self.parsed.tbs_certificate.subject_public_key_info.clone())
    }

    /// Whose it is, as RFC 4514 writes names.
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// The last second at which it is good.
    pub fn not_after(&self) -> Timestamp {
        time(self.parsed.tbs_certificate.validity.not_after)
    }

    pub(super) fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    fn is_valid_at(&self, at: Timestamp) -> bool {
        time(self.parsed.tbs_certificate.validity.not_before) <= at && at <= self.not_after()
    }

    fn is_issued_by(&self, issuer: &Self) -> bool {
        if self.parsed.tbs_certificate.issuer != issuer.parsed.tbs_certificate.subject
            || self.parsed.tbs_certificate.signature != self.parsed.signature_algorithm
        {
            return false;
        }
        let Some(hash) = algorithm::hash_of(self.parsed.signature_algorithm.oid, None) else {
            return false;
        };
        let (key, signature) = (issuer.key(), self.parsed.signature.raw_bytes());
        algorithm::check(&key.0, hash, &self.signed, signature, WHAT).is_ok()
    }

    fn extension<T>(&self) -> Option<(bool, T)>
    where
        T: for<'a> Decode<'a> + der::oid::AssociatedOid,
    {
        self.parsed.tbs_certificate.get::<T>().ok().flatten()
    }

    /// Why it may not stand in a chain at all.
    fn flaw(&self, at: Timestamp) -> Option<String> {
        let extensions = self.parsed.tbs_certificate.extensions.as_deref();
        let unknown = extensions.unwrap_or_default().iter().find(|extension| {
            extension.critical && !KNOWN.contains(&extension.extn_id.to_string().as_str())
        });
        if let Some(extension) = unknown {
            let oid = extension.extn_id;
            return Some(format!("its critical extension {oid} is not known"));
        }
        (!self.is_valid_at(at)).then(|| format!("it is not valid at {at}"))
    }

    /// Whether it may issue others, of which `below` that are authorities themselves stand between it and the leaf.
    fn may_issue(&self, below: usize) -> bool {
        let authority = self
            .extension::<BasicConstraints>()
            .is_some_and(|(_, constraints)| {
                let length = constraints.path_len_constraint;
                constraints.ca && length.is_none_or(|length| below <= usize::from(length))
            });
        let usage = self.extension::<KeyUsage>();
        authority && usage.is_none_or(|(_, usage)| usage.key_cert_sign())
    }

    /// Whether its key may do what is asked of it.
    fn may(&self, usage: Usage) -> bool {
        let extended = self.extension::<ExtendedKeyUsage>();
        match usage {
            Usage::Signing => {
                let signs = self.extension::<KeyUsage>();
                signs.is_some_and(|(_, usage)| usage.digital_signature())
                    || extended.is_some_and(|(_, usage)| usage.0.contains(&CODE_SIGNING))
            }
            Usage::TimeStamping => {
                extended.is_some_and(|(critical, usage)| critical && usage.0 == [TIME_STAMPING])
            }
        }
    }

    /// Judges whether it is good for a use at a time, and leads over some of `between` to one of `roots`.
    ///
    /// # Errors
    /// `Fault::Untrusted` with the reason.
    pub fn verify(
        &self,
        between: &[Self],
        roots: &[Self],
        usage: Usage,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let untrusted = |why: String| Fault::Untrusted {
            sort: WHAT,
            why: format!("`{}`: {why}", self.subject()),
        };
        if let Some(flaw) = self.flaw(at) {
            return Err(untrusted(flaw));
        }
        if !self.may(usage) {
            let needed = match usage {
                Usage::Signing => "it is not for signing",
                Usage::TimeStamping => "it is not for time stamps alone",
            };
            return Err(untrusted(needed.to_owned()));
        }
        let between = &between[..between.len().min(CHAIN_MAX)];
        let mut tries = TRIES_MAX;
        match self.leads(between, roots, at, 0, &mut tries) {
            true => Ok(()),
            false => {
                let issuer = &self.parsed.tbs_certificate.issuer;
                Err(untrusted(format!(
                    "issued by `{issuer}`, it leads to none of the trusted roots"
                )))
            }
        }
    }

    /// The last moment before `at` at which it was good for a use, where it no longer is.
    pub fn was_good_until(
        &self,
        between: &[Self],
        roots: &[Self],
        usage: Usage,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let between = &between[..between.len().min(CHAIN_MAX)];
        let all = std::iter::once(self).chain(between).chain(roots);
        let mut ends: Vec<Timestamp> = all.map(Self::not_after).filter(|end| *end < at).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut latest = ends.into_iter().rev().take(CHAIN_MAX);
        latest.find(|end| self.verify(between, roots, usage, *end).is_ok())
    }

    fn leads(
        &self,
        between: &[Self],
        roots: &[Self],
        at: Timestamp,
        below: usize,
        tries: &mut usize,
    ) -> bool {
        if roots.iter().any(|root| root.der == self.der) {
            return true;
        }
        if below == DEPTH_MAX || *tries == 0 {
            return false;
        }
        *tries -= 1;
        let issues = |issuer: &&Self| {
            issuer.der != self.der
                && issuer.flaw(at).is_none()
                && issuer.may_issue(below)
                && self.is_issued_by(issuer)
        };
        roots.iter().any(|root| issues(&root))
            || between
                .iter()
                .filter(issues)
                .any(|issuer| issuer.leads(between, roots, at, below + 1, tries))
    }
}

/// How many certificates are looked at before a chain counts as none: certificates that issue each other in a circle
/// would otherwise be walked in every order.
const TRIES_MAX: usize = 64;

fn time(time: x509_cert::time::Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
