//! Decrypts what is too large to be handled whole: an age file that is read as its bytes are asked for, from front to back
//! or here and there.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use age::stream::StreamReader;

use super::Identity;
use super::envelope::{OF_ONE, Unopened, check_header, unopened};
use crate::magic::AGE_HEADER_BYTES_MAX;
use crate::{Error, KeyLack};

/// A reader of the plain bytes of a long file that begins so, with the first of these keys that fits.
fn open<R: BufRead>(
    head: &[u8],
    input: R,
    identities: &[Identity],
) -> Result<StreamReader<R>, Unopened> {
    check_header(head, OF_ONE)?;
    let decryptor = age::Decryptor::new_buffered(input).map_err(unopened)?;
    if decryptor.is_scrypt() {
        return Err(Unopened::NoKeyFits);
    }
    let keys = identities
        .iter()
        .filter(|identity| !identity.is_passphrase());
    decryptor
        .decrypt(keys.map(Identity::as_age))
        .map_err(unopened)
}

/// A reader that decrypts. Where its source seeks, it seeks too, and decrypts only the chunks of 64 KiB that are read.
pub struct Decryption<R: Read>(StreamReader<BufReader<Fronted<R>>>);

impl<R: Read> Decryption<R> {
    /// Opens a file with the first of these keys that fits.
    ///
    /// # Errors
    /// [`Error::NoKey`] where none fits, [`Error::Decrypt`] for what is no age file that mlark writes.
    pub fn begin(identities: &[Identity], mut source: R) -> Result<Self, Error> {
        let broken = |reason: String| Error::Decrypt { reason };
        let mut head = Vec::new();
        (&mut source)
            .take(AGE_HEADER_BYTES_MAX as u64)
            .read_to_end(&mut head)
            .map_err(|error| broken(error.to_string()))?;
        let fronted = Fronted {
            head: head.clone(),
            given: 0,
            source,
        };
        open(&head, BufReader::new(fronted), identities)
            .map(Self)
            .map_err(|unopened| match unopened {
                Unopened::NoKeyFits => Error::NoKey(KeyLack::NoneFits),
                Unopened::Damaged(reason) => broken(reason),
            })
    }
}

impl<R: Read> Read for Decryption<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + Seek> Seek for Decryption<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// A source of which the beginning was read already.
struct Fronted<R> {
    head: Vec<u8>,
    given: usize,
    source: R,
}

impl<R: Read> Read for Fronted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.head[self.given..];
        if rest.is_empty() {
            return self.source.read(buffer);
        }
        let read = rest.read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Fronted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let ahead = (self.head.len() - self.given) as i64;
        let to = match to {
            SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub(ahead)),
            other => other,
        };
        self.given = self.head.len();
        self.source.seek(to)
    }
}

impl<R: Read> fmt::Debug for Decryption<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decryption")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::{Cursor, Write};

    use super::*;
    use crate::keys::{Encryption, Pair};

    fn stored(pair: &Pair, plain: &[u8]) -> Vec<u8> {
        let recipient = pair.to_recipient();
        let mut out = Encryption::begin(&[&recipient], Vec::new()).unwrap();
        out.write_all(plain).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn what_was_encrypted_is_read_whole_and_from_any_place() {
        let pair = Pair::generate();
        let plain: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        let stored = stored(&pair, &plain);
        let keys = [Identity::generate(), Identity::from(pair)];
        let mut reader = Decryption::begin(&keys, Cursor::new(&stored)).unwrap();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, plain);
        for at in [0_usize, 65_535, 65_536, 131_000, 299_990] {
            reader.seek(SeekFrom::Start(at as u64)).unwrap();
            let mut some = [0; 10];
            reader.read_exact(&mut some).unwrap();
            assert_eq!(some, plain[at..at + 10]);
        }
    }

    #[test]
    fn another_key_and_a_changed_byte_are_told_apart() {
        let pair = Pair::generate();
        let stored = stored(&pair, &[7; 100_000]);
        let other = [Identity::generate()];
        let refused = Decryption::begin(&other, stored.as_slice()).unwrap_err();
        assert!(matches!(refused, Error::NoKey(_)), "{refused}");
        let keys = [Identity::from(pair)];
        let mut changed = stored.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        let mut reader = Decryption::begin(&keys, changed.as_slice()).unwrap();
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        let refused = Decryption::begin(&keys, &b"no age file"[..]).unwrap_err();
        assert!(matches!(refused, Error::Decrypt { .. }), "{refused}");
    }
}
