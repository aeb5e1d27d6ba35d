//! The repository's own keys, as far as the keys at hand open them.
//!
//! Which edition counts stands in the newest `keys` entry of the log, and the log is encrypted to the meta key. So a
//! reader that knows nothing yet opens whatever edition fits, the newest first, reads the log with it, and then opens
//! the edition that the log names, by the digests that stand there.

use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac as _};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::opening::{Opened, Opening};
use super::signing::SigningSecret;
use super::{KeyChain, Pair, Recipient};
use crate::keys::file::KeySort;
use crate::log::{KeyFile, Keys};
use crate::magic::SECRET_CONTEXT;
use crate::{Error, KeyLack, Mac, Record, Storage};

/// What was opened.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// Whether the repository is encrypted at all.
    pub(crate) encrypted: bool,
    /// The secret halves of the meta recipients, newest first.
    pub(crate) meta: Vec<Pair>,
    /// The secret halves of the data recipients, newest first; empty where only a machine's key is at hand.
    pub(crate) data: Vec<Pair>,
    /// This machine's signing key.
    pub(crate) machine: Option<SigningSecret>,
    /// The owners' signing key.
    pub(crate) owners: Option<SigningSecret>,
    /// The files that these keys came from.
    files: Vec<KeyFile>,
    /// Whether a key that should open contents was given and does not.
    unfit_owner: bool,
}

impl Ring {
    /// Opens the newest key files that the keys at hand open.
    pub(crate) async fn open(
        storage: &dyn Storage,
        record: &Record,
        keys: &KeyChain,
    ) -> Result<Self, Error> {
        if keys
            .machine
            .as_ref()
            .is_some_and(|machine| machine.repository != record.id)
        {
            return Err(Error::NoKey(KeyLack::NoneFits));
        }
        let Some(encryption) = &record.encryption else {
            return Ok(Self::unencrypted(keys));
        };
        if keys.owners.is_empty() && keys.machine.is_none() {
            return Err(Error::NoKey(KeyLack::NoneGiven));
        }
        let mut opening = Opening::by_listing(storage, keys).await?;
        let holds = |pairs: &[Pair], recipient: &str| must_hold(pairs, recipient);
        let meta = opening
            .open(KeySort::Meta, |text| {
                let pairs = Pair::parse_file(text)?;
                holds(&pairs, &encryption.meta).map(|()| pairs)
            })
            .await?
            .ok_or(Error::NoKey(KeyLack::NoneFits))?;
        let data = opening.open(KeySort::Data, |text| {
            let pairs = Pair::parse_file(text)?;
            holds(&pairs, &encryption.data).map(|()| pairs)
        });
        let data = data.await?;
        let sign = signing(&mut opening).await?;
        Ok(Self::of(keys, meta, data, sign))
    }

    /// Opens the edition that a `keys` entry names: exactly the files with the digests that stand there.
    pub(crate) async fn of_entry(
        storage: &dyn Storage,
        record: &Record,
        keys: &KeyChain,
        (number, entry): (u64, &Keys),
    ) -> Result<Self, Error> {
        let Some(encryption) = &record.encryption else {
            return Ok(Self::unencrypted(keys));
        };
        let mut opening = Opening::by_entry(storage, keys, number, entry);
        let held = |first: &str, newest: Option<&String>, pairs: Vec<Pair>| {
            must_hold(&pairs, first)?;
            newest.map_or(Ok(()), |newest| must_hold(&pairs, newest))?;
            Ok(pairs)
        };
        let meta = opening
            .open(KeySort::Meta, |text| {
                let pairs = Pair::parse_file(text)?;
                held(&encryption.meta, entry.meta.as_ref(), pairs)
            })
            .await?
            .ok_or(Error::NoKey(KeyLack::Removed))?;
        let data = opening.open(KeySort::Data, |text| {
            let pairs = Pair::parse_file(text)?;
            held(&encryption.data, entry.data.as_ref(), pairs)
        });
        let data = data.await?;
        let sign = signing(&mut opening).await?;
        Ok(Self::of(keys, meta, data, sign))
    }

    /// One that opens a log and nothing else.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_meta(meta: Option<Pair>) -> Self {
        Self {
            encrypted: meta.is_some(),
            meta: meta.into_iter().collect(),
            ..Self::unencrypted(&KeyChain::default())
        }
    }

    fn unencrypted(keys: &KeyChain) -> Self {
        let machine = keys.machine.as_ref();
        Self {
            encrypted: false,
            meta: Vec::new(),
            data: Vec::new(),
            machine: machine.map(|machine| machine.signing.clone()),
            owners: machine.and_then(|machine| machine.owners_signing.clone()),
            files: Vec::new(),
            unfit_owner: false,
        }
    }

    fn of(
        keys: &KeyChain,
        meta: Opened<Vec<Pair>>,
        data: Option<Opened<Vec<Pair>>>,
        sign: Option<Opened<SigningSecret>>,
    ) -> Self {
        let mut files = vec![meta.file];
        files.extend(data.iter().map(|data| data.file.clone()));
        files.extend(sign.iter().map(|sign| sign.file.clone()));
        Self {
            encrypted: true,
            meta: meta.secret,
            unfit_owner: data.is_none() && !keys.owners.is_empty(),
            data: data.map(|data| data.secret).unwrap_or_default(),
            machine: keys.machine.as_ref().map(|machine| machine.signing.clone()),
            owners: sign.map(|sign| sign.secret),
            files,
        }
    }

    /// Whether all its secrets came from files that the entry names, and every key that was given opened one.
    pub(crate) fn is_of(&self, entry: &Keys) -> bool {
        !self.unfit_owner && self.files.iter().all(|file| entry.files.contains(file))
    }

    /// Whether it has the secret of this meta recipient.
    pub(crate) fn holds_meta(&self, recipient: &Recipient) -> bool {
        self.meta
            .iter()
            .any(|pair| pair.to_recipient() == *recipient)
    }

    /// Why contents do not open, where they do not.
    pub(crate) fn data_lack(&self) -> Option<KeyLack> {
        (self.encrypted && self.data.is_empty()).then_some(if self.unfit_owner {
            KeyLack::OwnerUnfit
        } else {
            KeyLack::MachineOnly
        })
    }

    /// The HMAC of a secret. Its key is derived from the oldest meta secret, so that it stays the same for ever.
    pub(crate) fn secret_mac(&self, secret: &[u8]) -> Result<Mac, Error> {
        let oldest = self.meta.last().ok_or(Error::SecretsNeedEncryption)?;
        secret_mac(oldest, secret)
    }
}

/// The owners' signing key. Nothing is read with it, so a damaged file stands in nobody's way before keys are changed.
async fn signing(opening: &mut Opening<'_>) -> Result<Option<Opened<SigningSecret>>, Error> {
    match opening.open(KeySort::Sign, SigningSecret::from_pem).await {
        Err(error) if error.is_damage() => Ok(None),
        opened => opened,
    }
}

/// The HMAC of a secret where this is the oldest meta pair.
pub(crate) fn secret_mac(oldest: &Pair, secret: &[u8]) -> Result<Mac, Error> {
    let text = oldest.to_secret_text();
    let derived = mac(text.expose_secret().as_bytes(), SECRET_CONTEXT)?;
    mac(&derived, secret).map(Mac::from_bytes)
}

fn mac(key: &[u8], message: &[u8]) -> Result<[u8; 32], Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| Error::Encrypt {
        reason: error.to_string(),
    })?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

/// A key file that holds other keys than those that the owners signed would make this machine read forgeries.
fn must_hold(pairs: &[Pair], recipient: &str) -> Result<(), Error> {
    if pairs.iter().any(|pair| pair.to_public_text() == recipient) {
        Ok(())
    } else {
        Err(Error::Key {
            what: "key file",
            reason: "it does not hold the key that the owners signed for".to_owned(),
        })
    }
}

/// The ring of an open repository. It is exchanged when a new edition of the key files comes.
#[derive(Clone, Debug)]
pub(crate) struct RingCell(Arc<RwLock<Arc<Ring>>>);

impl RingCell {
    pub(crate) fn new(ring: Ring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ring))))
    }

    /// The ring as it is now.
    pub(crate) fn get(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub(crate) fn set(&self, ring: Ring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}
