//! A checkpoint: entries of the log, put together in one file, so that whoever knows nothing of a long log reads few files.
//!
//! It holds the entries themselves, as they are stored, and so everything that follows from them: live snapshots, swept
//! names, keys, protections, holds, acceptances. A summary would have to be believed, and a stolen machine's key could
//! hide by it what others wrote; of entries each is proven by its own signature and its place in the chain, and one that
//! is left out breaks it. The checkpoint's own signature says besides who put it together.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::line::{self, Signed, Stands};
use crate::keys::Recipient;
use crate::keys::envelope;
use crate::keys::ring::Ring;
use crate::keys::signing::SigningSecret;
use crate::magic::{CHECKPOINT_BYTES_MAX, CHECKPOINT_CONTEXT, ENTRY_BYTES_MAX, FORMAT_VERSION};
use crate::{Digest, EntryHash, Error, FileName, RepositoryId, Signer};

/// The bytes of an entry's length.
const LENGTH_BYTES: usize = 4;

/// The line outside the encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointHeader {
    /// The version of the format.
    pub(crate) format: u64,
    /// The repository.
    pub(crate) repository: RepositoryId,
    /// The last entry that it holds, the same as in its name.
    pub(crate) entry: u64,
    /// The first entry that it holds.
    pub(crate) first: u64,
    /// The hash of the last one.
    pub(crate) hash: EntryHash,
    /// The SHA-256 of the stored body.
    pub(crate) body: Digest,
    /// Who signed.
    pub(crate) signer: Signer,
    /// Ed25519 over the context line and this record without this field, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) signature: String,
}

impl Signed for CheckpointHeader {
    const CONTEXT: &'static [u8] = CHECKPOINT_CONTEXT;
    const WHAT: &'static str = "a checkpoint";

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

/// A checkpoint whose own line and digests were verified. Whether its signer is believed, and whether its entries are
/// those of the log, is the chain's to say.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) header: CheckpointHeader,
    /// The stored bytes of its entries, from `first` on.
    pub(crate) entries: Vec<Bytes>,
}

impl Checkpoint {
    /// Makes one of these entries, of which the first has this number. Gives its name, and the number of the last.
    pub(crate) fn seal(
        repository: RepositoryId,
        first: u64,
        entries: &[Bytes],
        signing: &SigningSecret,
        recipient: Option<&Recipient>,
    ) -> Result<(FileName, u64, Vec<u8>), Error> {
        let mut body = Vec::with_capacity(body_bytes(entries));
        for bytes in entries {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            body.extend_from_slice(&length.to_le_bytes());
            body.extend_from_slice(bytes);
        }
        if let Some(recipient) = recipient {
            body = envelope::seal(&[recipient], &body)?;
        }
        let last = entries.last().map(|bytes| EntryHash::of(bytes));
        let header = CheckpointHeader {
            format: FORMAT_VERSION,
            repository,
            entry: first + (entries.len() as u64).saturating_sub(1),
            first,
            hash: last.unwrap_or(super::entry::NOTHING_BEFORE),
            body: Digest::of(&body),
            signer: signing.signer(),
            signature: String::new(),
        };
        let number = header.entry;
        let bytes = line::seal(header, signing, &body)?;
        let found = bytes.len() as u64;
        if found > CHECKPOINT_BYTES_MAX {
            return Err(Error::Limit {
                what: "A checkpoint".to_owned(),
                limit: CHECKPOINT_BYTES_MAX,
                found,
            });
        }
        Ok((FileName::checkpoint(number), number, bytes))
    }

    /// Reads the line at the beginning of one.
    pub(crate) fn header(
        bytes: &[u8],
        repository: RepositoryId,
        number: u64,
    ) -> Result<CheckpointHeader, Error> {
        let name = FileName::checkpoint(number);
        let (header, _) = line::split::<CheckpointHeader>(bytes, &name, repository, number)?;
        if header.first == 0 || header.first > header.entry {
            return Err(line::forged(&name, "it begins behind its end"));
        }
        Ok(header)
    }

    /// Reads one, and checks all that does not need the log.
    pub(crate) fn open(
        bytes: &[u8],
        repository: RepositoryId,
        number: u64,
        ring: &Ring,
    ) -> Result<Self, Error> {
        let name = FileName::checkpoint(number);
        let header = Self::header(bytes, repository, number)?;
        let (_, body) = line::verify::<CheckpointHeader>(bytes, &name, repository, number)?;
        let body = line::open_body(&name, body, ring.encrypted, &ring.meta)?;
        let entries = cut(&Bytes::from(body.into_owned()))
            .filter(|entries| entries.len() as u64 == header.entry - header.first + 1)
            .ok_or_else(|| line::forged(&name, "it does not hold the entries that it says"))?;
        let last = entries.last().map(|bytes| EntryHash::of(bytes));
        if last != Some(header.hash) {
            return Err(line::forged(
                &name,
                "it ends with another entry than it says",
            ));
        }
        Ok(Self { header, entries })
    }

    /// The numbers of its entries, with their stored bytes.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, &Bytes)> {
        (self.header.first..).zip(&self.entries)
    }
}

/// The length of a body before encryption.
pub(crate) fn body_bytes(entries: &[Bytes]) -> usize {
    entries.iter().map(|bytes| LENGTH_BYTES + bytes.len()).sum()
}

/// Cuts a body into entries; none where it is not made of whole ones.
pub(crate) fn cut(body: &Bytes) -> Option<Vec<Bytes>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let length = body.get(at..at + LENGTH_BYTES)?.first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        if u64::from(length) > ENTRY_BYTES_MAX {
            return None;
        }
        let begin = at + LENGTH_BYTES;
        at = begin.checked_add(usize::try_from(length).ok()?)?;
        if at > body.len() {
            return None;
        }
        entries.push(body.slice(begin..at));
    }
    Some(entries)
}
