//! `repository.json`: what a repository is, readable without any key. Written once, at init.

use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::magic::{FORMAT_VERSION, KNOWN_FLAGS, RECORD_BYTES_MAX, RECORD_CONTEXT};
use crate::{ChunkParameters, Error, RepositoryId, Signer, json};

/// The repository's first public keys for encryption; later editions come with `keys` entries of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The age recipient of data packs, edition 1.
    pub data: String,
    /// The age recipient of meta packs, index and log, edition 1.
    pub meta: String,
}

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the format.
    pub format: u64,
    /// Features that a reader must know.
    pub flags: Vec<String>,
    /// The repository's id.
    pub id: RepositoryId,
    /// When it was made.
    pub created: Timestamp,
    /// How files are cut.
    pub chunks: ChunkParameters,
    /// A pack is closed at about this size, in bytes.
    pub pack_bytes: u64,
    /// The public keys; none where nothing is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The owners' public signing key: it signs entry 1 and every `keys` entry.
    pub owners_signer: Signer,
    /// The owners' signature of this record without this field, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// Fields that a later version wrote. The signature covers them.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What is looked at before the rest, so that a record of a later version is told apart from damage.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
    #[serde(default)]
    flags: Vec<String>,
}

impl Record {
    /// What the signature covers.
    pub(crate) fn signed_bytes(&self) -> Result<Vec<u8>, Error> {
        let record = serde_json::to_value(self).map_err(invalid)?;
        Ok(json::signed_bytes(RECORD_CONTEXT, record))
    }

    /// The bytes of the file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = json::to_canonical(self, "repository.json")?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the file: the version, the flags, then the rest and its signature.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let what = "repository.json";
        let limit = usize::try_from(RECORD_BYTES_MAX).unwrap_or(usize::MAX);
        let value = json::parse(bytes, limit, what)?;
        let versioned = Versioned::deserialize(&value).map_err(invalid)?;
        if versioned.format != FORMAT_VERSION {
            return Err(Error::UnknownVersion {
                what: "The repository".to_owned(),
                found: versioned.format,
                known: FORMAT_VERSION,
            });
        }
        if let Some(flag) = versioned
            .flags
            .iter()
            .find(|flag| !KNOWN_FLAGS.contains(&flag.as_str()))
        {
            return Err(Error::UnknownFlag {
                what: "The repository".to_owned(),
                flag: flag.clone(),
            });
        }
        let record: Self = json::from_value(value.clone(), what)?;
        record.chunks.check()?;
        record.verify(&json::signed_bytes(RECORD_CONTEXT, value))?;
        Ok(record)
    }

    /// Whether the owners signed these bytes.
    fn verify(&self, signed: &[u8]) -> Result<(), Error> {
        let forged = |reason: &str| Error::Forged {
            what: "repository.json".to_owned(),
            reason: reason.to_owned(),
        };
        let key = VerifyingKey::from_bytes(self.owners_signer.as_bytes())
            .map_err(|_| forged("its signer is no public key"))?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&self.signature, &mut signature)
            .map_err(|_| forged("it has no signature"))?;
        key.verify_strict(signed, &Signature::from_bytes(&signature))
            .map_err(|_| forged("the owners' signature does not fit"))
    }
}

fn invalid(error: serde_json::Error) -> Error {
    Error::Json {
        what: "repository.json".to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::keys::signing::SigningSecret;

    #[test]
    fn what_a_later_version_wrote_is_kept_and_signed() {
        let owners = SigningSecret::generate().unwrap();
        let mut record = Record {
            format: FORMAT_VERSION,
            flags: Vec::new(),
            id: RepositoryId::from_bytes([1; 16]),
            created: jiff::Timestamp::UNIX_EPOCH,
            chunks: ChunkParameters::default(),
            pack_bytes: 1 << 20,
            encryption: None,
            owners_signer: owners.signer(),
            signature: String::new(),
            more: Map::from_iter([("later".to_owned(), json!({"n": 7}))]),
        };
        record.signature = hex::encode(owners.sign(&record.signed_bytes().unwrap()));
        let bytes = record.to_bytes().unwrap();
        let read = Record::from_bytes(&bytes).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.to_bytes().unwrap(), bytes);
        for other in [r#""later":{"n":8},"#, ""] {
            let text = std::str::from_utf8(&bytes).unwrap();
            let altered = text.replace(r#""later":{"n":7},"#, other);
            assert_ne!(altered, text);
            let refused = Record::from_bytes(altered.as_bytes());
            assert!(matches!(refused, Err(Error::Forged { .. })), "{refused:?}");
        }
    }
}
