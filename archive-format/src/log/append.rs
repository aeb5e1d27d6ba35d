//! Puts an entry under a number: the commit itself, and what to do when the answer is lost.

use bytes::Bytes;

use crate::magic::ENTRY_BYTES_MAX;
use crate::storage::{Created, Storage, StorageFault};
use crate::{Error, FileName};

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The entry is stored under its number.
    Ours,
    /// Another entry has the number: read it, compute anew, try the next.
    Theirs,
}

/// How often an unclear answer is settled before the put is given up.
const ATTEMPTS: u32 = 5;

/// Creates the entry. A put without a clear answer is settled by reading the number: its content says whose it is.
/// Until it is settled nothing else is ever sent under that number (removal rule 3).
pub(crate) async fn put(storage: &dyn Storage, number: u64, entry: &Bytes) -> Result<Put, Error> {
    let name = FileName::log(number);
    let mut unclear = false;
    let mut attempt = 0;
    loop {
        attempt += 1;
        match storage.create(&name, entry.clone()).await {
            Ok(Created::New) => return Ok(Put::Ours),
            // After an unclear put the one that exists may be ours.
            Ok(Created::Exists) if !unclear => return Ok(Put::Theirs),
            Ok(Created::Exists) => {
                return whose(storage, &name, entry)
                    .await
                    .map(|put| put.unwrap_or(Put::Theirs));
            }
            Err(error) if error.fault == StorageFault::Unclear => {
                unclear = true;
                match whose(storage, &name, entry).await {
                    Ok(Some(put)) => return Ok(put),
                    // Not there: the same bytes may be sent again.
                    Ok(None) if attempt < ATTEMPTS => {}
                    Ok(None) => return Err(error.into()),
                    Err(_) if attempt < ATTEMPTS => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn whose(
    storage: &dyn Storage,
    name: &FileName,
    entry: &Bytes,
) -> Result<Option<Put>, Error> {
    match storage.read(name, ENTRY_BYTES_MAX).await {
        Ok(stored) if stored == *entry => Ok(Some(Put::Ours)),
        Ok(_) => Ok(Some(Put::Theirs)),
        Err(error) if error.fault == StorageFault::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
