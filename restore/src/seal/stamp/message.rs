//! What goes over the wire in RFC 3161, and what of the Cryptographic Message Syntax (RFC 5652) a time stamp uses: the
//! ASN.1 of both, in the order of the standards. Certificates are kept as they came, since encoding them again might
//! change what is signed.

use der::asn1::{BitString, Int, ObjectIdentifier, OctetString, SetOfVec, Uint};
use der::{Any, Choice, DecodeValue, Encode, Sequence, Tag, Tagged};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use x509_cert::attr::Attributes;
use x509_cert::ext::Extensions;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{Certificate, Fault, WHAT};

/// id-signedData.
pub(super) const SIGNED_DATA: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-ct-TSTInfo.
pub(super) const STAMP: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// id-contentType.
pub(super) const CONTENT_TYPE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// id-messageDigest.
pub(super) const MESSAGE_DIGEST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// id-aa-signingCertificate (RFC 2634), with SHA-1.
pub(super) const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// id-aa-signingCertificateV2 (RFC 5035).
pub(super) const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// More certificates than any authority sends.
const CERTIFICATES_MAX: usize = 32;

/// TimeStampReq.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Request {
    pub(super) version: u8,
    pub(super) imprint: Imprint,
    pub(super) policy: Option<ObjectIdentifier>,
    pub(super) nonce: Option<Uint>,
    #[asn1(default = "Default::default")]
    pub(super) certificate: bool,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// MessageImprint.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Imprint {
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) digest: OctetString,
}

/// TimeStampResp.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Response {
    pub(super) status: Status,
    pub(super) token: Option<ContentInfo>,
}

/// PKIStatusInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Status {
    pub(super) status: u8,
    pub(super) text: Option<Vec<String>>,
    pub(super) failure: Option<BitString>,
}

impl Status {
    /// The authority's words, or what its number means.
    pub(super) fn said(&self) -> String {
        let text = self.text.as_deref().unwrap_or_default().join("; ");
        let failure = self.failure.as_ref().and_then(|failure| {
            let at = failure.bits().position(|bit| bit)?;
            FAILURES
                .iter()
                .find_map(|(bit, name)| (*bit == at).then_some(*name))
        });
        let word = match (failure, self.status) {
            (Some(failure), _) => failure,
            (None, 2) => "rejection",
            (None, 3) => "waiting",
            (None, 4) => "a revocation is near",
            (None, 5) => "a revocation was made",
            (None, _) => "an unknown status",
        };
        match text.is_empty() {
            true => word.to_owned(),
            false => format!("{word}: {}", text.escape_debug()),
        }
    }
}

/// PKIFailureInfo, by bit (RFC 3161 section 2.4.2).
const FAILURES: [(usize, &str); 8] = [
    (0, "badAlg"),
    (2, "badRequest"),
    (5, "badDataFormat"),
    (14, "timeNotAvailable"),
    (15, "unacceptedPolicy"),
    (16, "unacceptedExtension"),
    (17, "addInfoNotAvailable"),
    (25, "systemFailure"),
];

/// TSTInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct StampInfo {
    pub(super) version: u8,
    pub(super) policy: ObjectIdentifier,
    pub(super) imprint: Imprint,
    pub(super) serial: Int,
    made: Any,
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordered: bool,
    pub(super) nonce: Option<Uint>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    authority: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// Accuracy.
#[derive(Clone, Debug, Sequence)]
struct Accuracy {
    seconds: Option<Uint>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

impl StampInfo {
    /// genTime: `YYYYMMDDhhmmss[.s…]Z`, the fraction without trailing zeros.
    pub(super) fn time(&self) -> Result<Timestamp, Fault> {
        let unread = || Fault::unread(WHAT, "its time is none");
        if self.made.tag() != Tag::GeneralizedTime {
            return Err(unread());
        }
        let text = std::str::from_utf8(self.made.value()).map_err(|_| unread())?;
        let text = text.strip_suffix('Z').ok_or_else(unread)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() != 14 || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
            return Err(unread());
        }
        let made = DateTime::strptime("%Y%m%d%H%M%S", whole).map_err(|_| unread())?;
        let nanos: i32 = format!("{fraction:0<9}").parse().map_err(|_| unread())?;
        made.with()
            .subsec_nanosecond(nanos)
            .build()
            .and_then(|made| made.to_zoned(TimeZone::UTC))
            .map(|made| made.timestamp())
            .map_err(|_| unread())
    }
}

/// ContentInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct ContentInfo {
    pub(super) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) content: Any,
}

/// SignedData.
#[derive(Clone, Debug, Sequence)]
pub(super) struct SignedData {
    version: u8,
    digest_algorithms: SetOfVec<Any>,
    pub(super) content: Encapsulated,
    #[asn1(
        context_specific = "0",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(
        context_specific = "1",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    revocations: Option<SetOfVec<Any>>,
    signers: SetOfVec<Any>,
}

/// EncapsulatedContentInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Encapsulated {
    pub(super) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<OctetString>,
}

impl SignedData {
    /// The bytes that are signed.
    pub(super) fn content(&self) -> Result<Vec<u8>, Fault> {
        match &self.content.content {
            Some(content) => Ok(content.as_bytes().to_vec()),
            None => Err(Fault::unread(WHAT, "it has no content")),
        }
    }

    /// The one signer that a time stamp has.
    pub(super) fn signer(&self) -> Result<SignerInfo, Fault> {
        match self.signers.as_slice() {
            [one] => one.decode_as().map_err(|error| Fault::unread(WHAT, error)),
            _ => Err(Fault::unread(WHAT, "it has not exactly one signer")),
        }
    }

    pub(super) fn certificates(&self) -> Result<Vec<Certificate>, Fault> {
        let sent = self
            .certificates
            .as_ref()
            .map_or(&[][..], SetOfVec::as_slice);
        let plain = sent.iter().filter(|sent| sent.tag() == Tag::Sequence);
        let read = plain.take(CERTIFICATES_MAX).map(|certificate| {
            let der = certificate
                .to_der()
                .map_err(|error| Fault::unread(WHAT, error))?;
            Certificate::from_der(&der)
        });
        read.collect()
    }
}

/// SignerInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct SignerInfo {
    version: u8,
    pub(super) signer: Identified,
    pub(super) digest_algorithm: AlgorithmIdentifierOwned,
    #[asn1(
        context_specific = "0",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    signed: Option<Attributes>,
    pub(super) signature_algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: OctetString,
    #[asn1(
        context_specific = "1",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    unsigned: Option<Attributes>,
}

impl SignerInfo {
    pub(super) fn has(&self, oid: ObjectIdentifier) -> bool {
        let signed = self.signed.as_ref().map_or(&[][..], SetOfVec::as_slice);
        signed.iter().any(|attribute| attribute.oid == oid)
    }

    /// The one value of the one signed attribute of a sort.
    pub(super) fn attribute<T>(&self, oid: ObjectIdentifier) -> Result<T, Fault>
    where
        T: for<'a> Choice<'a> + for<'a> DecodeValue<'a>,
    {
        let unread = |why: &str| Fault::unread(WHAT, why);
        let signed = self.signed.as_ref().map_or(&[][..], SetOfVec::as_slice);
        let mut found = signed.iter().filter(|attribute| attribute.oid == oid);
        let (Some(one), None) = (found.next(), found.next()) else {
            return Err(unread("a signed attribute is missing or stands twice"));
        };
        match one.values.as_slice() {
            [value] => value
                .decode_as()
                .map_err(|error| Fault::unread(WHAT, error)),
            _ => Err(unread("a signed attribute has not exactly one value")),
        }
    }

    /// What the signature is over: the signed attributes as a SET OF (RFC 5652 section 5.4).
    pub(super) fn signed_bytes(&self) -> Result<Vec<u8>, Fault> {
        match &self.signed {
            Some(signed) => signed.to_der().map_err(|error| Fault::unread(WHAT, error)),
            None => Err(Fault::unread(WHAT, "nothing in it is signed")),
        }
    }
}

/// SignerIdentifier.
#[derive(Clone, Debug, Choice)]
pub(super) enum Identified {
    Serial(Named),
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    KeyId(OctetString),
}

/// IssuerAndSerialNumber.
#[derive(Clone, Debug, Sequence)]
pub(super) struct Named {
    pub(super) issuer: Name,
    pub(super) serial: SerialNumber,
}

/// SigningCertificate and SigningCertificateV2: the first entry names the signer's certificate.
#[derive(Clone, Debug, Sequence)]
pub(super) struct SigningCertificate {
    certificates: Vec<Any>,
    policies: Option<Any>,
}

impl SigningCertificate {
    pub(super) fn first<T>(&self) -> Result<T, Fault>
    where
        T: for<'a> Choice<'a> + for<'a> DecodeValue<'a>,
    {
        let first = self.certificates.first();
        let first = first.ok_or_else(|| Fault::unread(WHAT, "it names no certificate"))?;
        first
            .decode_as()
            .map_err(|error| Fault::unread(WHAT, error))
    }
}

/// ESSCertID: SHA-1.
#[derive(Clone, Debug, Sequence)]
pub(super) struct EssCertId {
    pub(super) digest: OctetString,
    issuer: Option<Any>,
}

/// ESSCertIDv2: SHA-256 where no algorithm stands in it.
#[derive(Clone, Debug, Sequence)]
pub(super) struct EssCertIdV2 {
    pub(super) algorithm: Option<AlgorithmIdentifierOwned>,
    pub(super) digest: OctetString,
    issuer: Option<Any>,
}
