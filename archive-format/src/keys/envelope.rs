//! age files: what is small enough to be handled whole, and the writer and reader for packs.

use std::io::{self, BufRead, Read, Write};

use age::stream::{StreamReader, StreamWriter};
use zeroize::Zeroizing;

use super::{Identity, Pair, Recipient};
use crate::Error;
use crate::magic::{
    AGE_HEADER_BYTES_MAX, AGE_HEADER_LINES_MAX, KEY_HEADER_BYTES_MAX, KEY_HEADER_LINES_MAX,
    SCRYPT_WORK_MAX,
};

/// The plain bytes of one chunk of age's STREAM construction.
pub(crate) const CHUNK_BYTES: u64 = 64 << 10;

/// What encryption adds to each chunk.
pub(crate) const TAG_BYTES: u64 = 16;

/// The bytes of age's nonce, which stands behind its header.
pub(crate) const NONCE_BYTES: usize = 16;

/// The length of the age header that these bytes begin with; none where they hold no whole one.
pub(crate) fn header_bytes(stored: &[u8]) -> Option<usize> {
    // The line of the header's MAC is its last (age-encryption.org/v1).
    let mac = stored.windows(5).position(|window| window == b"\n--- ")? + 1;
    let line = stored[mac..].iter().position(|byte| *byte == b'\n')?;
    Some(mac + line + 1)
}

/// Bytes and lines of the header of what is encrypted to one recipient.
pub(super) const OF_ONE: (usize, usize) = (AGE_HEADER_BYTES_MAX, AGE_HEADER_LINES_MAX);

/// The same of a key file.
const OF_HOLDERS: (usize, usize) = (KEY_HEADER_BYTES_MAX, KEY_HEADER_LINES_MAX);

/// age reads a header from its beginning again for each line of it, so that a long one would take hours: what is longer
/// than any that is written is refused before.
pub(super) fn check_header(stored: &[u8], (bytes, most): (usize, usize)) -> Result<(), Unopened> {
    let header = header_bytes(&stored[..stored.len().min(bytes)]).map(|length| &stored[..length]);
    match header {
        Some(header) if lines(header) <= most => Ok(()),
        _ => Err(Unopened::Damaged(format!(
            "it does not begin with an age header of at most {bytes} bytes and {most} lines"
        ))),
    }
}

fn lines(header: &[u8]) -> usize {
    header.iter().filter(|byte| **byte == b'\n').count()
}

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

/// Encrypts a key file to its holders, of whom there may be too many.
pub(crate) fn seal_for(holders: &[&Recipient], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let stored = seal(holders, plain)?;
    match check_header(&stored, OF_HOLDERS) {
        Ok(()) => Ok(stored),
        Err(_) => Err(Error::Limit {
            what: "The header of a key file, which has a part for each holder,".to_owned(),
            limit: KEY_HEADER_BYTES_MAX as u64,
            found: header_bytes(&stored).unwrap_or_default() as u64,
        }),
    }
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

/// A reader of the plain bytes of a file with this header.
pub(crate) fn reader<'a, R: BufRead>(
    header: &[u8],
    input: R,
    pairs: impl Iterator<Item = &'a Pair>,
) -> Result<StreamReader<R>, Unopened> {
    check_header(header, OF_ONE)?;
    let decryptor = age::Decryptor::new_buffered(input).map_err(unopened)?;
    decryptor.decrypt(pairs.map(Pair::as_age)).map_err(unopened)
}

/// Decrypts a whole small file. The plain bytes are fewer than the stored ones, so that their size is bounded.
pub(crate) fn open<'a>(
    stored: &[u8],
    pairs: impl Iterator<Item = &'a Pair>,
) -> Result<Vec<u8>, Unopened> {
    let mut plain = Vec::with_capacity(stored.len());
    reader(stored, stored, pairs)?
        .read_to_end(&mut plain)
        .map_err(|error: io::Error| Unopened::Damaged(error.to_string()))?;
    Ok(plain)
}

/// Decrypts a key file with a holder's key. A passphrase may take seconds: not for the async runtime.
pub(crate) fn open_for(stored: &[u8], holder: &Identity) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    check_header(stored, OF_HOLDERS)?;
    let decryptor = age::Decryptor::new_buffered(stored).map_err(unopened)?;
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

pub(super) fn unopened(error: age::DecryptError) -> Unopened {
    match error {
        age::DecryptError::NoMatchingKeys => Unopened::NoKeyFits,
        age::DecryptError::ExcessiveWork { required, .. } => Unopened::Damaged(format!(
            "its passphrase asks for a work factor of {required}, and at most {SCRYPT_WORK_MAX} is taken on"
        )),
        error => Unopened::Damaged(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn refused<T>(opened: Result<T, Unopened>) -> bool {
        matches!(opened, Err(Unopened::Damaged(reason)) if reason.contains("age header of at most"))
    }

    fn stored(stanzas: usize, stanza: &str) -> Vec<u8> {
        let mac = "A".repeat(43);
        format!(
            "age-encryption.org/v1\n{}--- {mac}\n0123456789abcdef",
            stanza.repeat(stanzas)
        )
        .into_bytes()
    }

    #[test]
    fn a_header_longer_than_any_that_is_written_is_refused_before_age_reads_it() {
        let pair = Pair::generate();
        let holder = Identity::from(pair.clone());
        let short = stored(3, "-> x-grease\n\n");
        assert!(!refused(open(&short, std::iter::once(&pair))));
        assert!(!refused(open_for(&short, &holder)));
        // Of one recipient, and of the holders of a key file: too many lines, too many bytes, no end at all.
        let long = |bytes: usize| format!("-> x\n{}\n\n", "A".repeat(bytes));
        for bytes in [
            stored(32, "-> x\n\n"),
            stored(1, &long(4050)),
            vec![b'a'; 5000],
        ] {
            assert!(refused(open(&bytes, std::iter::once(&pair))));
        }
        for bytes in [
            stored(1024, "-> x\n\n"),
            stored(1, &long(65_500)),
            vec![b'a'; 70_000],
        ] {
            assert!(refused(open_for(&bytes, &holder)));
        }
        assert!(!refused(open_for(&stored(1000, "-> x\n\n"), &holder)));
    }

    #[test]
    fn more_holders_than_a_header_has_room_for_are_refused_when_a_key_file_is_written() {
        let pair = Pair::generate();
        let recipient = pair.to_recipient();
        let many = |count| vec![&recipient; count];
        let stored = seal_for(&many(600), b"secret").unwrap();
        let opened = open_for(&stored, &Identity::from(pair)).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        assert!(matches!(
            seal_for(&many(700), b"secret"),
            Err(Error::Limit { .. })
        ));
    }
}
