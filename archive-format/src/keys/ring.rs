//! The repository's own keys, as far as the keys at hand open them.

use futures::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac as _};
use secrecy::ExposeSecret;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::envelope::{self, Unopened};
use super::signing::SigningSecret;
use super::{Identity, KeyChain};
use crate::magic::{RECORD_BYTES_MAX, SECRET_CONTEXT};
use crate::storage::StorageFault;
use crate::{Error, FileName, KeyLack, Mac, Record, Storage};

/// What was opened.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Whether the repository is encrypted at all.
    pub(crate) encrypted: bool,
    /// The secret halves of the meta recipients, newest first.
    pub(crate) meta: Vec<Identity>,
    /// The secret halves of the data recipients, newest first; empty where only a machine's key is at hand.
    pub(crate) data: Vec<Identity>,
    /// This machine's signing key.
    pub(crate) machine: Option<SigningSecret>,
    /// The owners' signing key.
    pub(crate) owners: Option<SigningSecret>,
}

impl Ring {
    /// Opens the key files of a repository.
    pub(crate) async fn open(
        storage: &dyn Storage,
        record: &Record,
        keys: KeyChain,
    ) -> Result<Self, Error> {
        if keys
            .machine
            .as_ref()
            .is_some_and(|machine| machine.repository != record.id)
        {
            return Err(Error::NoKey(KeyLack::NoneFits));
        }
        let mut ring = Self {
            encrypted: record.encryption.is_some(),
            meta: Vec::new(),
            data: Vec::new(),
            machine: keys.machine.as_ref().map(|machine| machine.signing.clone()),
            owners: keys
                .machine
                .as_ref()
                .and_then(|machine| machine.owners_signing.clone()),
        };
        let Some(encryption) = &record.encryption else {
            return Ok(ring);
        };
        let mut holders = keys.owners.clone();
        holders.extend(keys.machine.map(|machine| machine.identity));
        if holders.is_empty() {
            return Err(Error::NoKey(KeyLack::NoneGiven));
        }
        let meta = open_newest(storage, "meta", &holders).await?;
        let meta = meta.ok_or(Error::NoKey(KeyLack::NoneFits))?;
        ring.meta = meta.read(Identity::parse_file)?;
        must_hold(&ring.meta, &encryption.meta, "meta")?;
        if let Some(data) = open_newest(storage, "data", &keys.owners).await? {
            ring.data = data.read(Identity::parse_file)?;
            must_hold(&ring.data, &encryption.data, "data")?;
        }
        if let Some(sign) = open_newest(storage, "sign", &keys.owners).await? {
            ring.owners = Some(sign.read(SigningSecret::from_pem)?);
        }
        Ok(ring)
    }

    /// The HMAC of a secret. Its key is derived from the oldest meta secret, so that it stays the same for ever.
    pub(crate) fn secret_mac(&self, secret: &[u8]) -> Result<Mac, Error> {
        let identity = self.meta.last().ok_or(Error::SecretsNeedEncryption)?;
        let derived = mac(
            identity.to_secret_text().expose_secret().as_bytes(),
            SECRET_CONTEXT,
        )?;
        mac(&derived, secret).map(Mac::from_bytes)
    }
}

fn mac(key: &[u8], message: &[u8]) -> Result<[u8; 32], Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| Error::Encrypt {
        reason: error.to_string(),
    })?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

/// Opens the newest edition of a key file that the holders' keys open; none where no key fits any.
async fn open_newest(
    storage: &dyn Storage,
    sort: &str,
    holders: &[Identity],
) -> Result<Option<Opened>, Error> {
    if holders.is_empty() {
        return Ok(None);
    }
    let suffix = format!("-{sort}.age");
    let mut editions: Vec<(u32, FileName)> = storage
        .list("keys/")
        .try_filter_map(|file| {
            let edition = file
                .name
                .as_str()
                .strip_prefix("keys/")
                .and_then(|name| name.strip_suffix(&suffix))
                .and_then(|edition| edition.parse().ok());
            async move { Ok(edition.map(|edition| (edition, file.name))) }
        })
        .try_collect()
        .await?;
    if editions.is_empty() {
        return Err(Error::Damaged {
            name: FileName::key(1, sort)?,
            reason: "it is missing".to_owned(),
        });
    }
    editions.sort_unstable_by(|left, right| right.cmp(left));
    let mut damaged = None;
    for (_, name) in editions {
        let stored = match storage.read(&name, RECORD_BYTES_MAX).await {
            Err(error) if error.fault == StorageFault::NotFound => continue,
            stored => stored?,
        };
        match envelope::open(&stored, holders.iter()) {
            Ok(plain) => return text(&name, plain).map(|text| Some(Opened { name, text })),
            Err(Unopened::NoKeyFits) => {}
            Err(Unopened::Damaged(reason)) => damaged = Some(Error::Damaged { name, reason }),
        }
    }
    damaged.map_or(Ok(None), Err)
}

/// A key file that opened.
struct Opened {
    name: FileName,
    text: Zeroizing<String>,
}

impl Opened {
    /// What is in it that opened but is no key was put there by somebody else.
    fn read<T>(&self, parse: impl FnOnce(&str) -> Result<T, Error>) -> Result<T, Error> {
        parse(&self.text).map_err(|error| Error::Damaged {
            name: self.name.clone(),
            reason: error.to_string(),
        })
    }
}

fn text(name: &FileName, plain: Vec<u8>) -> Result<Zeroizing<String>, Error> {
    let text = String::from_utf8(plain).map_err(|_| Error::Damaged {
        name: name.clone(),
        reason: "it is not text".to_owned(),
    })?;
    Ok(Zeroizing::new(text))
}

/// A key file that holds other keys than those that the owners signed would make this machine read forgeries.
fn must_hold(identities: &[Identity], recipient: &str, sort: &str) -> Result<(), Error> {
    if identities
        .iter()
        .any(|identity| identity.to_recipient().to_string() == recipient)
    {
        Ok(())
    } else {
        Err(Error::Forged {
            what: format!("The {sort} key file"),
            reason: "it does not hold the key that repository.json names".to_owned(),
        })
    }
}
