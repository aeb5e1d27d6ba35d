//! What happens to an export after it was sealed: events of custody, one file each in `NAME.seal/custody`, created and never
//! written over. Their chain goes on from the last line in the bag, whose hash `seal.json` holds, so that nobody needs the
//! export's key to go on with it.

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, Storage, StorageError};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;

use super::custody::{Actor, Custody};
use super::seal::SealRecord;
use crate::Error;

/// No event is longer.
const EVENT_BYTES_MAX: u64 = 64 << 10;

/// How often another writer may take the number that this one was about to take.
const TRIES: u32 = 20;

/// The events after an export was sealed.
#[derive(Clone, Debug)]
pub struct Later {
    /// Where the chain ends.
    pub chain: Custody,
    /// The events, in order.
    pub events: Vec<Value>,
}

impl SealRecord {
    /// The file of the seal of that name.
    pub fn file_of_seal(&self, name: &str) -> Result<FileName, Error> {
        let whole = format!("{}.seal/{name}", self.name);
        FileName::new(whole.as_str()).map_err(|error| Error::export(whole, error))
    }

    fn event(&self, number: u64) -> Result<FileName, Error> {
        self.file_of_seal(&format!("custody/{number:04}.json"))
    }

    /// Reads the events after this export was sealed. One that does not follow the one before ends it with an error.
    pub async fn later(&self, storage: &dyn Storage) -> Result<Later, Error> {
        let mut later = Later {
            chain: self.custody.clone(),
            events: Vec::new(),
        };
        for number in 1.. {
            let name = self.event(number)?;
            let line = match storage.read(&name, EVENT_BYTES_MAX).await {
                Ok(bytes) => bytes,
                Err(error) if error.fault == StorageFault::NotFound => break,
                Err(error) => return Err(failed(&name, error)),
            };
            let broken = || Error::export(name.to_string(), "it does not follow the event before");
            let line = std::str::from_utf8(&line).map_err(|_| broken())?;
            let line = line.trim_end_matches('\n');
            let chain = later.chain.clone().follow(std::iter::once(line));
            later.chain = chain.ok_or_else(broken)?;
            let value = serde_json::from_str(line).map_err(|_| broken())?;
            later.events.push(value);
        }
        Ok(later)
    }

    /// Adds an event: what was done, by whom. Gives its file.
    pub async fn add_event(
        &self,
        storage: &dyn Storage,
        now: Timestamp,
        act: &str,
        by: &Actor,
        says: &Value,
    ) -> Result<FileName, Error> {
        let mut name = self.event(1)?;
        for _ in 0..TRIES {
            let later = self.later(storage).await?;
            let mut chain = later.chain;
            name = self.event(later.events.len() as u64 + 1)?;
            let line = chain.event(now, act, by, says);
            let bytes = Bytes::from(format!("{line}\n"));
            match storage.create(&name, bytes).await {
                Ok(Created::New) => return Ok(name),
                // Somebody else's event came first: this one follows it.
                Ok(Created::Exists) => {}
                Err(error) if error.fault == StorageFault::Unclear => {
                    let there = storage.read(&name, EVENT_BYTES_MAX).await;
                    if there.is_ok_and(|bytes| bytes.strip_suffix(b"\n") == Some(line.as_bytes())) {
                        return Ok(name);
                    }
                }
                Err(error) => return Err(failed(&name, error)),
            }
        }
        Err(Error::export(
            name.to_string(),
            "others write events all the time",
        ))
    }

    /// All stored files of the export: its parts, and what lies in its seal, later events among it.
    pub async fn stored(&self, storage: &dyn Storage) -> Result<Vec<FileName>, Error> {
        let mut names = self.part_names()?;
        let folder = format!("{}.seal/", self.name);
        let mut listed = storage.list(&folder);
        while let Some(file) = listed
            .try_next()
            .await
            .map_err(|error| Error::export(folder.clone(), error))?
        {
            names.push(file.name);
        }
        Ok(names)
    }

    /// The files of the tar.
    pub fn part_names(&self) -> Result<Vec<FileName>, Error> {
        let names = self.parts.iter().map(|part| {
            let name = FileName::new(part.name.as_str());
            name.map_err(|error| Error::export(part.name.clone(), error))
        });
        names.collect()
    }
}

fn failed(name: &FileName, error: StorageError) -> Error {
    Error::export(name.to_string(), error)
}
