//! A log entry as it is stored: one line of canonical JSON that is signed, then the body, which is encrypted to the meta
//! recipient. Chain and signature are verified without any key.

use serde::{Deserialize, Serialize};

use super::line::{self, Signed, Stands};
use super::{Body, EntryBody};
use crate::keys::envelope;
use crate::keys::signing::SigningSecret;
use crate::keys::{Pair, Recipient};
use crate::magic::{ENTRY_BYTES_MAX, ENTRY_CONTEXT, FORMAT_VERSION};
use crate::{Digest, EntryHash, Error, FileName, RepositoryId, Signer, json};

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

impl Signed for Header {
    const CONTEXT: &'static [u8] = ENTRY_CONTEXT;
    const WHAT: &'static str = "a log entry";

    fn stands(&self) -> Stands {
        Stands {
            format: self.format,
            repository: self.repository,
            entry: self.entry,
            body: self.body,
            signer: self.signer,
        }
    }

    fn signature(&mut self) -> &mut String {
        &mut self.signature
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
    let header = Header {
        format: FORMAT_VERSION,
        repository,
        entry: number,
        previous,
        body: Digest::of(&stored_body),
        signer: signing.signer(),
        signature: String::new(),
    };
    let bytes = line::seal(header, signing, &stored_body)?;
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
    line::verify(bytes, &FileName::log(number), repository, number)
}

/// Reads the body of a verified entry.
pub(crate) fn open_body(
    number: u64,
    body: &[u8],
    encrypted: bool,
    meta: &[Pair],
) -> Result<EntryBody, Error> {
    let name = FileName::log(number);
    let plain = line::open_body(&name, body, encrypted, meta)?;
    let plain = plain.as_ref();
    let limit = usize::try_from(ENTRY_BYTES_MAX).unwrap_or(usize::MAX);
    let value = json::parse_canonical(plain, limit, name.as_str())?;
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
    json::from_value(value, name.as_str())
}
