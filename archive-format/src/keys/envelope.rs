//! age files: what is small enough to be handled whole, and the writer and reader for packs.

use std::io::{self, Read, Write};

use age::stream::{StreamReader, StreamWriter};

use super::Recipient;
use crate::Error;

/// The plain bytes of one chunk of age's STREAM construction.
pub(crate) const CHUNK_BYTES: u64 = 64 << 10;

/// What encryption adds to each chunk.
pub(crate) const TAG_BYTES: u64 = 16;

/// Why something did not open.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// None of the keys fits.
    NoKeyFits,
    /// It is no age file, or not whole.
    Damaged(String),
}

/// A writer that encrypts to these recipients.
pub(crate) fn writer<W: Write>(
    recipients: &[&Recipient],
    out: W,
) -> Result<StreamWriter<W>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Encrypt {
        reason: error.to_string(),
    };
    age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient.as_age()))
        .map_err(|error| failed(&error))?
        .wrap_output(out)
        .map_err(|error| failed(&error))
}

/// Encrypts bytes to these recipients.
pub(crate) fn seal(recipients: &[&Recipient], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = writer(recipients, Vec::with_capacity(plain.len() + 512))?;
    out.write_all(plain)
        .and_then(|()| out.finish())
        .map_err(|error| Error::Encrypt {
            reason: error.to_string(),
        })
}

/// A reader of the plain bytes.
pub(crate) fn reader<'a, R: Read>(
    input: R,
    identities: impl Iterator<Item = &'a super::Identity>,
) -> Result<StreamReader<R>, Unopened> {
    let decryptor = age::Decryptor::new(input).map_err(unopened)?;
    decryptor
        .decrypt(identities.map(super::Identity::as_age))
        .map_err(unopened)
}

/// Decrypts a whole small file. The plain bytes are fewer than the stored ones, so that their size is bounded.
pub(crate) fn open<'a>(
    stored: &[u8],
    identities: impl Iterator<Item = &'a super::Identity>,
) -> Result<Vec<u8>, Unopened> {
    let mut plain = Vec::with_capacity(stored.len());
    reader(stored, identities)?
        .read_to_end(&mut plain)
        .map_err(|error: io::Error| Unopened::Damaged(error.to_string()))?;
    Ok(plain)
}

fn unopened(error: age::DecryptError) -> Unopened {
    match error {
        age::DecryptError::NoMatchingKeys => Unopened::NoKeyFits,
        error => Unopened::Damaged(error.to_string()),
    }
}
