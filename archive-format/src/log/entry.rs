//! A log entry as it is stored: one line of canonical JSON that is signed, then the body, which is encrypted to the meta
//! recipient. Chain and signature are verified without any key.

use serde::{Deserialize, Serialize};

use super::{Body, EntryBody};
use crate::keys::envelope::{self, Unopened};
use crate::keys::signing::{SigningSecret, verifies};
use crate::keys::{Pair, Recipient};
use crate::magic::{ENTRY_BYTES_MAX, ENTRY_CONTEXT, FORMAT_VERSION};
use crate::{Digest, EntryHash, Error, FileName, KeyLack, RepositoryId, Signer, json};

/// The line outside the encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of the format.
    pub(crate) format: u64,
    /// The repository.
    pub(crate) repository: RepositoryId,
    /// The entry's number, the same as in its name.
    pub(crate) entry: u64,
    /// The hash of the entry before; of the first, zeros.
    pub(crate) previous: EntryHash,
    /// The SHA-256 of the stored body.
    pub(crate) body: Digest,
    /// Who signed.
    pub(crate) signer: Signer,
    /// Ed25519 over the context line and this record without this field, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) signature: String,
}

/// What an entry follows: nothing, for the first.
pub(crate) const NOTHING_BEFORE: EntryHash = EntryHash::from_bytes([0; 32]);

impl Header {
    fn signed_bytes(&self) -> Result<Vec<u8>, Error> {
        let unsigned = Self {
            signature: String::new(),
            ..self.clone()
        };
        let mut bytes = ENTRY_CONTEXT.to_vec();
        bytes.extend(json::to_canonical(&unsigned, "a log entry")?);
        Ok(bytes)
    }
}

/// Makes an entry.
pub(crate) fn seal(
    repository: RepositoryId,
    number: u64,
    previous: EntryHash,
    body: &EntryBody,
    signing: &SigningSecret,
    recipient: Option<&Recipient>,
) -> Result<Vec<u8>, Error> {
    let mut stored_body = json::to_canonical(body, "a log entry")?;
    if let Some(recipient) = recipient {
        stored_body = envelope::seal(&[recipient], &stored_body)?;
    }
    let mut header = Header {
        format: FORMAT_VERSION,
        repository,
        entry: number,
        previous,
        body: Digest::of(&stored_body),
        signer: signing.signer(),
        signature: String::new(),
    };
    header.signature = hex::encode(signing.sign(&header.signed_bytes()?));
    let mut bytes = json::to_canonical(&header, "a log entry")?;
    bytes.push(b'\n');
    bytes.extend(stored_body);
    let found = bytes.len() as u64;
    if found > ENTRY_BYTES_MAX {
        return Err(Error::Limit {
            what: "A log entry".to_owned(),
            limit: ENTRY_BYTES_MAX,
            found,
        });
    }
    Ok(bytes)
}

/// Reads the line, and checks all that needs no key: that it is this entry of this repository, that its signer signed
/// it and this body. Whether the signer is trusted, and what it follows, is the chain's to say.
pub(crate) fn verify(
    bytes: &[u8],
    repository: RepositoryId,
    number: u64,
) -> Result<(Header, &[u8]), Error> {
    let name = FileName::log(number);
    let forged = |reason: &str| Error::Forged {
        what: name.to_string(),
        reason: reason.to_owned(),
    };
    let end = bytes
        .iter()
        .take(4096)
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| forged("it has no first line"))?;
    let (line, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = json::from_canonical(line, 4096, name.as_str())
        .map_err(|error| forged(&error.to_string()))?;
    if header.format != FORMAT_VERSION {
        return Err(Error::UnknownVersion {
            what: format!("Log entry {number}"),
            found: header.format,
            known: FORMAT_VERSION,
        });
    }
    if header.repository != repository {
        return Err(forged("it belongs to another repository"));
    }
    if header.entry != number {
        return Err(forged("it is another entry"));
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(&header.signature, &mut signature)
        .map_err(|_| forged("it has no signature"))?;
    if !verifies(&header.signer, &header.signed_bytes()?, &signature) {
        return Err(forged("its signature does not fit"));
    }
    if Digest::of(body) != header.body {
        return Err(forged("its body is not the one that was signed"));
    }
    Ok((header, body))
}

/// Reads the body of a verified entry.
pub(crate) fn open_body(
    number: u64,
    body: &[u8],
    encrypted: bool,
    meta: &[Pair],
) -> Result<EntryBody, Error> {
    let name = FileName::log(number);
    let opened;
    let plain = if encrypted {
        opened = envelope::open(body, meta.iter()).map_err(|unopened| match unopened {
            Unopened::NoKeyFits => Error::NoKey(KeyLack::NoneFits),
            Unopened::Damaged(reason) => Error::Damaged {
                name: name.clone(),
                reason,
            },
        })?;
        opened.as_slice()
    } else {
        body
    };
    let limit = usize::try_from(ENTRY_BYTES_MAX).unwrap_or(usize::MAX);
    let value = json::parse(plain, limit, name.as_str())?;
    let sort = value["body"]
        .as_object()
        .and_then(|body| body.keys().next());
    if let Some(sort) = sort
        && !Body::SORTS.contains(&sort.as_str())
    {
        return Err(Error::UnknownFlag {
            what: format!("Log entry {number}"),
            flag: sort.clone(),
        });
    }
    json::from_canonical(plain, limit, name.as_str())
}
