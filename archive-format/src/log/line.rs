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

    /// What the signature covers.
    fn signed_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut unsigned = self.clone();
        unsigned.signature().clear();
        let mut bytes = Self::CONTEXT.to_vec();
        bytes.extend(json::to_canonical(&unsigned, Self::WHAT)?);
        Ok(bytes)
    }
}

/// Signs a line and puts its body behind it.
pub(crate) fn seal<L: Signed>(
    mut line: L,
    signing: &SigningSecret,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    *line.signature() = hex::encode(signing.sign(&line.signed_bytes()?));
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
    let mut line: L = json::from_canonical(text, SIGNED_LINE_BYTES_MAX, name.as_str())
        .map_err(|error| forged(name, &error.to_string()))?;
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
    if verifies(&stands.signer, &line.signed_bytes()?, &signature) {
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
