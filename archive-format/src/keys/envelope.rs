//! age files: what is small enough to be handled whole, and the writer and reader for packs.

use std::io::{self, Read, Write};

use age::stream::{StreamReader, StreamWriter};
use zeroize::Zeroizing;

use super::{Identity, Pair, Recipient};
use crate::Error;
use crate::magic::SCRYPT_WORK_MAX;

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
    let recipients: Vec<_> = recipients
        .iter()
        .map(|recipient| recipient.to_age())
        .collect();
    age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient.as_ref() as _))
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
    pairs: impl Iterator<Item = &'a Pair>,
) -> Result<StreamReader<R>, Unopened> {
    let decryptor = age::Decryptor::new(input).map_err(unopened)?;
    decryptor.decrypt(pairs.map(Pair::as_age)).map_err(unopened)
}

/// Decrypts a whole small file. The plain bytes are fewer than the stored ones, so that their size is bounded.
pub(crate) fn open<'a>(
    stored: &[u8],
    pairs: impl Iterator<Item = &'a Pair>,
) -> Result<Vec<u8>, Unopened> {
    let mut plain = Vec::with_capacity(stored.len());
    reader(stored, pairs)?
        .read_to_end(&mut plain)
        .map_err(|error: io::Error| Unopened::Damaged(error.to_string()))?;
    Ok(plain)
}

/// Decrypts a key file with a holder's key. A passphrase may take seconds: not for the async runtime.
pub(crate) fn open_for(stored: &[u8], holder: &Identity) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let decryptor = age::Decryptor::new(stored).map_err(unopened)?;
    let by_passphrase = decryptor.is_scrypt();
    if by_passphrase != holder.is_passphrase() {
        return Err(Unopened::NoKeyFits);
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(stored.len()));
    match decryptor.decrypt(std::iter::once(holder.as_age())) {
        // A wrong passphrase cannot be told from a damaged stanza.
        Err(age::DecryptError::DecryptionFailed) if by_passphrase => Err(Unopened::NoKeyFits),
        Err(error) => Err(unopened(error)),
        Ok(mut reader) => match reader.read_to_end(&mut plain) {
            Ok(_) => Ok(plain),
            Err(error) => Err(Unopened::Damaged(error.to_string())),
        },
    }
}

fn unopened(error: age::DecryptError) -> Unopened {
    match error {
        age::DecryptError::NoMatchingKeys => Unopened::NoKeyFits,
        age::DecryptError::ExcessiveWork { required, .. } => Unopened::Damaged(format!(
            "its passphrase asks for a work factor of {required}, and at most {SCRYPT_WORK_MAX} is taken on"
        )),
        error => Unopened::Damaged(error.to_string()),
    }
}
