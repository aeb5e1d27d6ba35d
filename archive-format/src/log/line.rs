//! What log entries and checkpoints have in common: a line of canonical JSON that is signed, its line end, and the body
//! behind it, whose digest the line states. The line is verified without any key.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::Pair;
use crate::keys::envelope::{self, Unopened};
use crate::keys::signing::{SigningSecret, verifies};
use crate::magic::{FORMAT_VERSION, SIGNED_LINE_BYTES_MAX};
use crate::{Digest, Error, FileName, KeyLack, RepositoryId, Signer, json};

/// What every signed line states.
#[derive(Debug)]
pub(crate) struct Stands {
    pub(crate) format: u64,
    pub(crate) repository: RepositoryId,
    /// The number, the same as in the file's name.
    pub(crate) entry: u64,
    /// The SHA-256 of the stored body.
    pub(crate) body: Digest,
    pub(crate) signer: Signer,
}

/// A line that is signed.
pub(crate) trait Signed: Clone + Serialize + DeserializeOwned {
    /// What stands in front of what the signature covers: no line is taken for one of another sort.
    const CONTEXT: &'static [u8];
    /// The sort, for people.
    const WHAT: &'static str;

    /// What every line states.
    fn stands(&self) -> Stands;

    /// The signature in hexadecimal; empty it is left out.
    fn signature(&mut self) -> &mut String;
}

/// Signs a line and puts its body behind it.
pub(crate) fn seal<L: Signed>(
    mut line: L,
    signing: &SigningSecret,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let value = serde_json::to_value(&line).map_err(|error| Error::Json {
        what: L::WHAT.to_owned(),
        reason: error.to_string(),
    })?;
    *line.signature() = hex::encode(signing.sign(&json::signed_bytes(L::CONTEXT, value)));
    let mut bytes = json::to_canonical(&line, L::WHAT)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// Reads the line, and checks that it is this one of this repository and that its signer signed it; gives it with what
/// stands behind it. The body is not looked at, so that the beginning of a file is enough.
pub(crate) fn split<'a, L: Signed>(
    bytes: &'a [u8],
    name: &FileName,
    repository: RepositoryId,
    number: u64,
) -> Result<(L, &'a [u8]), Error> {
    let end = bytes
        .iter()
        .take(SIGNED_LINE_BYTES_MAX)
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| forged(name, "it has no first line"))?;
    let (text, body) = (&bytes[..end], &bytes[end + 1..]);
    let invalid = |error: Error| forged(name, &error.to_string());
    let value =
        json::parse_canonical(text, SIGNED_LINE_BYTES_MAX, name.as_str()).map_err(invalid)?;
    let signed = json::signed_bytes(L::CONTEXT, value.clone());
    let mut line: L = json::from_value(value, name.as_str()).map_err(invalid)?;
    let stands = line.stands();
    if stands.format != FORMAT_VERSION {
        return Err(Error::UnknownVersion {
            what: name.to_string(),
            found: stands.format,
            known: FORMAT_VERSION,
        });
    }
    if stands.repository != repository {
        return Err(forged(name, "it belongs to another repository"));
    }
    if stands.entry != number {
        return Err(forged(name, "it is another one"));
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(line.signature(), &mut signature)
        .map_err(|_| forged(name, "it has no signature"))?;
    if verifies(&stands.signer, &signed, &signature) {
        Ok((line, body))
    } else {
        Err(forged(name, "its signature does not fit"))
    }
}

/// The same, and checks that the body is the one that was signed.
pub(crate) fn verify<'a, L: Signed>(
    bytes: &'a [u8],
    name: &FileName,
    repository: RepositoryId,
    number: u64,
) -> Result<(L, &'a [u8]), Error> {
    let (line, body) = split::<L>(bytes, name, repository, number)?;
    if Digest::of(body) == line.stands().body {
        Ok((line, body))
    } else {
        Err(forged(name, "its body is not the one that was signed"))
    }
}

/// What is in a body.
pub(crate) fn open_body<'a>(
    name: &FileName,
    body: &'a [u8],
    encrypted: bool,
    meta: &[Pair],
) -> Result<Cow<'a, [u8]>, Error> {
    if !encrypted {
        return Ok(Cow::Borrowed(body));
    }
    let opened = envelope::open(body, meta.iter()).map_err(|unopened| match unopened {
        Unopened::NoKeyFits => Error::NoKey(KeyLack::NoneFits),
        Unopened::Damaged(reason) => Error::Damaged {
            name: name.clone(),
            reason,
        },
    })?;
    Ok(Cow::Owned(opened))
}

/// An error about a file that is not what it pretends to be.
pub(crate) fn forged(name: &FileName, reason: &str) -> Error {
    Error::Forged {
        what: name.to_string(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;
    use crate::log::entry::{Header, NOTHING_BEFORE};

    #[test]
    fn members_that_a_later_version_wrote_are_no_error_and_signed_like_all_others() {
        let signing = SigningSecret::generate().unwrap();
        let repository = RepositoryId::from_bytes([1; 16]);
        let (name, body) = (FileName::log(1), b"body");
        let mut line = json!({
            "format": FORMAT_VERSION, "repository": repository, "entry": 1, "previous": NOTHING_BEFORE,
            "body": Digest::of(body), "signer": signing.signer(), "later": {"n": 7},
        });
        let signature = signing.sign(&json::signed_bytes(Header::CONTEXT, line.clone()));
        line["signature"] = hex::encode(signature).into();
        let bytes = |line: &Value| [json::canonical(line), b"\n".to_vec(), body.to_vec()].concat();
        let sound = bytes(&line);
        let (read, rest) = verify::<Header>(&sound, &name, repository, 1).unwrap();
        assert_eq!((read.entry, rest), (1, &body[..]));
        for later in [json!({"n": 8}), Value::Null] {
            line["later"] = later;
            let altered = bytes(&line);
            let refused = verify::<Header>(&altered, &name, repository, 1);
            assert!(matches!(refused, Err(Error::Forged { .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_first_line_of_4_kib_is_read_and_a_longer_one_is_refused() {
        let signing = SigningSecret::generate().unwrap();
        let repository = RepositoryId::from_bytes([1; 16]);
        let read = |later: usize| {
            let mut line = json!({
                "format": FORMAT_VERSION, "repository": repository, "entry": 1, "previous": NOTHING_BEFORE,
                "body": Digest::of(b""), "signer": signing.signer(), "later": "x".repeat(later),
            });
            let signature = signing.sign(&json::signed_bytes(Header::CONTEXT, line.clone()));
            line["signature"] = hex::encode(signature).into();
            let bytes = [json::canonical(&line), b"\n".to_vec()].concat();
            let verified = verify::<Header>(&bytes, &FileName::log(1), repository, 1);
            (bytes.len(), verified.map(|(line, _)| line))
        };
        let room = SIGNED_LINE_BYTES_MAX - read(0).0;
        let (length, sound) = read(room);
        assert_eq!((length, sound.unwrap().entry), (SIGNED_LINE_BYTES_MAX, 1));
        let refused = read(room + 1).1;
        assert!(
            matches!(refused, Err(Error::Forged { ref reason, .. }) if reason == "it has no first line")
        );
    }
}
