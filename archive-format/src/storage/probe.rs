//! Finds out whether a store keeps to create-only writes, before anything relies on it.

use bytes::Bytes;

use super::{Created, Storage};
use crate::{Error, FileName};

/// Whether a store deletes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletes {
    /// It does.
    Allowed,
    /// It does not: the right is missing, or files are kept immutable.
    Refused,
}

/// Creates a small file twice with different bytes. The second must be refused and the first must stay.
///
/// The probe's file is removed again; where deletes are refused it stays, and is harmless.
pub(crate) async fn probe(storage: &dyn Storage) -> Result<Deletes, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Error::Worker {
        what: "the source of random bytes",
    })?;
    let name = FileName::new(format!("probe/{}", hex::encode(random)))?;
    let first = storage.create(&name, Bytes::from_static(b"first")).await?;
    let second = storage.create(&name, Bytes::from_static(b"second")).await?;
    let kept = storage.read(&name, 16).await?;
    let deletes = match storage.delete(&name).await {
        Ok(()) => Deletes::Allowed,
        Err(error) => {
            tracing::debug!(%name, %error, "the probe's file stays");
            Deletes::Refused
        }
    };
    if first == Created::New && second == Created::Exists && kept.as_ref() == b"first" {
        Ok(deletes)
    } else {
        Err(Error::CreateNotExclusive {
            place: storage.describe(),
        })
    }
}
