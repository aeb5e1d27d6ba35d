//! What happens to an export after it was made: lines of its chain of custody, each a file of its own beside the seal, since
//! nothing there is ever overwritten. `NAME.seal/custody/0001.json` follows the last line of the bag's `custody.jsonl`.

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, Storage};
use jiff::Timestamp;
use serde_json::Value;

use super::custody::{Actor, Custody};
use super::seal::{self, SealRecord};
use crate::Error;

/// The largest `seal.json`: a tar of many parts.
const SEAL_BYTES_MAX: u64 = 4 << 20;
/// The largest line.
const EVENT_BYTES_MAX: u64 = 64 << 10;
/// The most lines.
const EVENTS_MAX: u64 = 9999;

/// Reads the record of an export; none where it has none, because it was cut off or is not there.
pub async fn read_seal(storage: &dyn Storage, name: &str) -> Result<Option<SealRecord>, Error> {
    let file = file(name, seal::NAME)?;
    match storage.read(&file, SEAL_BYTES_MAX).await {
        Ok(bytes) => SealRecord::from_bytes(&bytes).map(Some),
        Err(error) if error.fault == StorageFault::NotFound => Ok(None),
        Err(error) => Err(Error::snapshot(file.to_string(), error)),
    }
}

/// The lines that were added after the export was made, and where the chain ends. Lines that do not follow one another are
/// an error.
pub async fn read_events(
    storage: &dyn Storage,
    seal: &SealRecord,
) -> Result<(Vec<String>, Custody), Error> {
    let mut lines = Vec::new();
    for number in 1..=EVENTS_MAX {
        let file = event_file(&seal.name, number)?;
        let bytes = match storage.read(&file, EVENT_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) if error.fault == StorageFault::NotFound => break,
            Err(error) => return Err(Error::snapshot(file.to_string(), error)),
        };
        let text = String::from_utf8(bytes.to_vec());
        let text = text.map_err(|error| Error::snapshot(file.to_string(), error))?;
        lines.push(text.trim_end_matches('\n').to_owned());
    }
    let end = seal
        .custody
        .clone()
        .follow(lines.iter().map(String::as_str));
    let end = end.ok_or_else(|| {
        let why = "a line of it does not follow the one before";
        Error::snapshot(format!("the chain of custody of {}", seal.name), why)
    })?;
    Ok((lines, end))
}

/// Adds a line. Of several who add one at the same time each gets a place of its own.
pub async fn add_event(
    storage: &dyn Storage,
    seal: &SealRecord,
    time: Timestamp,
    act: &str,
    by: &Actor,
    says: &Value,
) -> Result<Custody, Error> {
    loop {
        let (lines, mut chain) = read_events(storage, seal).await?;
        let number = lines.len() as u64 + 1;
        let file = event_file(&seal.name, number)?;
        if number > EVENTS_MAX {
            return Err(Error::export(
                file.to_string(),
                "there are 9999 lines already",
            ));
        }
        let line = chain.event(time, act, by, says);
        let created = storage.create(&file, format!("{line}\n").into()).await;
        match created.map_err(|error| Error::export(file.to_string(), error))? {
            Created::New => return Ok(chain),
            Created::Exists => {}
        }
    }
}

fn event_file(name: &str, number: u64) -> Result<FileName, Error> {
    file(name, &format!("custody/{number:04}.json"))
}

/// A file of the seal of an export.
pub(crate) fn file(name: &str, below: &str) -> Result<FileName, Error> {
    let whole = format!("{name}.seal/{below}");
    FileName::new(whole.as_str()).map_err(|error| Error::export(whole, error))
}
