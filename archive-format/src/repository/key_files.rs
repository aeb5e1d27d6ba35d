//! Why a key opens nothing. It may be the wrong one, one that was removed, or the file that it should open is damaged;
//! what this machine saw of the log, which names holders and each key file with its SHA-256, tells them apart.

use std::path::Path;

use futures::TryStreamExt;

use super::Inner;
use crate::keys::file::KeyFileName;
use crate::log::{Body, Keys};
use crate::magic::RECORD_BYTES_MAX;
use crate::storage::StorageFault;
use crate::{Catalogue, Digest, Error, FileName, KeyChain, KeyLack, Storage};

/// Why none of the keys fits, as far as the folder in the cache tells.
pub(super) async fn why_none_fits(
    storage: &dyn Storage,
    folder: &Path,
    keys: &KeyChain,
) -> Result<Error, Error> {
    let none_fits = Error::NoKey(KeyLack::NoneFits);
    let Some(catalogue) = Catalogue::remembered(folder).await? else {
        return Ok(none_fits);
    };
    let seen = entries(&catalogue).await?;
    let own = keys.public_texts();
    let holds = |entry: &Keys| {
        let mut recipients = entry
            .holders
            .iter()
            .filter_map(|holder| holder.recipient.as_ref());
        recipients.any(|recipient| own.contains(recipient))
    };
    let Some(newest) = seen.last() else {
        return Ok(none_fits);
    };
    // Files of an edition that later ones replaced may be deleted.
    let is_newest = edition(storage).await? <= newest.edition;
    if is_newest && let Some(damage) = damaged(storage, newest).await? {
        return Ok(damage);
    }
    let was_holder = seen.iter().any(holds) && !(is_newest && holds(newest));
    Ok(match was_holder {
        true => Error::NoKey(KeyLack::Removed),
        false => none_fits,
    })
}

impl Inner {
    /// The first key file that is not what the log says; none where all are sound.
    pub(crate) async fn damaged_key_file(&self) -> Result<Option<Error>, Error> {
        match entries(&self.catalogue).await?.last() {
            Some(newest) => damaged(self.storage.as_ref(), newest).await,
            None => Ok(None),
        }
    }
}

async fn entries(catalogue: &Catalogue) -> Result<Vec<Keys>, Error> {
    let entries = catalogue.entries_of("keys").await?.into_iter();
    let keys = entries.filter_map(|(_, _, entry)| match entry.body {
        Body::Keys(keys) => Some(*keys),
        _ => None,
    });
    Ok(keys.collect())
}

/// The newest edition of which a file lies there.
async fn edition(storage: &dyn Storage) -> Result<u32, Error> {
    let edition = storage
        .list("keys/")
        .try_fold(0, |newest, file| async move {
            let name = KeyFileName::parse(file.name.as_str());
            Ok(name.map_or(newest, |name| name.edition.max(newest)))
        });
    Ok(edition.await?)
}

async fn damaged(storage: &dyn Storage, newest: &Keys) -> Result<Option<Error>, Error> {
    for file in &newest.files {
        let name = FileName::new(file.name.clone())?;
        let reason = match storage.read(&name, RECORD_BYTES_MAX).await {
            Ok(bytes) if Digest::of(&bytes) == file.sha256 => continue,
            Ok(_) => "it is not the file that the log names",
            Err(error) if error.fault == StorageFault::NotFound => "it is missing",
            Err(error) if error.fault == StorageFault::TooLarge => "it is too large",
            Err(error) => return Err(error.into()),
        };
        return Ok(Some(Error::Damaged {
            name,
            reason: reason.to_owned(),
        }));
    }
    Ok(None)
}
