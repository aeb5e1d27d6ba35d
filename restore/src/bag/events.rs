//! What happens to an export after it was made: lines of its chain of custody, each a file of its own beside the seal, since
//! nothing there is ever overwritten. `NAME.seal/custody/0001.json` follows the last line of the bag's `custody.jsonl`.

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, Storage};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;

use super::custody::{Actor, Custody};
use super::seal::{self, SealRecord};
use crate::Error;

/// The largest line.
const EVENT_BYTES_MAX: u64 = 64 << 10;
/// The most lines.
const EVENTS_MAX: u64 = 9999;

/// Reads the record of an export; none where it has none, because it was cut off or is not there.
pub async fn read_seal(storage: &dyn Storage, name: &str) -> Result<Option<SealRecord>, Error> {
    let file = file(name, seal::NAME)?;
    match storage.read(&file, seal::RECORD_BYTES_MAX).await {
        Ok(bytes) => SealRecord::from_bytes(&bytes).map(Some),
        Err(error) if error.fault == StorageFault::NotFound => Ok(None),
        Err(error) => Err(Error::snapshot(file.to_string(), error)),
    }
}

/// The lines that were added after the export was made, and where the chain ends. Lines that do not follow one another are
/// an error, and so is one that is missing while a later one is there.
pub async fn read_events(
    storage: &dyn Storage,
    seal: &SealRecord,
) -> Result<(Vec<String>, Custody), Error> {
    let mut lines = Vec::new();
    for number in 1..=last_event(storage, seal).await? {
        let file = event_file(&seal.name, number)?;
        let bytes = match storage.read(&file, EVENT_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) if error.fault == StorageFault::NotFound => {
                let why = format!("event {number} is missing, and a later one is there");
                return Err(Error::snapshot(chain_of(seal), why));
            }
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
        Error::snapshot(chain_of(seal), why)
    })?;
    Ok((lines, end))
}

fn chain_of(seal: &SealRecord) -> String {
    format!("the chain of custody of {}", seal.name)
}

/// The highest number of an event that is there.
async fn last_event(storage: &dyn Storage, seal: &SealRecord) -> Result<u64, Error> {
    let folder = format!("{}.seal/custody/", seal.name);
    let mut listed = storage.list(&folder);
    let mut last = 0;
    loop {
        let file = listed.try_next().await;
        let file = file.map_err(|error| Error::snapshot(folder.clone(), error))?;
        let Some(file) = file else { return Ok(last) };
        let name = file.name.as_str().strip_prefix(folder.as_str());
        let number = name.and_then(|name| name.strip_suffix(".json"));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        // What has another name than an event's was put there by somebody else.
        let event = number.filter(|number| {
            (1..=EVENTS_MAX).contains(number)
                && event_file(&seal.name, *number).is_ok_and(|event| event == file.name)
        });
        last = last.max(event.unwrap_or_default());
    }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test says where")]

    use archive_format::LocalStorage;
    use serde_json::json;

    use super::*;

    fn seal() -> SealRecord {
        let digest = "0".repeat(64);
        let id = archive_format::SnapshotId::new(Timestamp::UNIX_EPOCH).unwrap();
        let record = json!({
            "edition": seal::EDITION, "export": id.to_string().to_ascii_lowercase(), "name": "one",
            "repository": "0".repeat(32), "workspace": "prod", "snapshot": id,
            "log": {"entry": 1, "hash": digest}, "created": Timestamp::UNIX_EPOCH, "program": "test",
            "parts": [], "tar": {"size": 0, "sha256": digest}, "encrypted": false, "files": [],
            "custody": Custody::default(),
        });
        serde_json::from_value(record).unwrap()
    }

    #[tokio::test]
    async fn a_hole_in_the_chain_is_no_end_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::new(folder.path().to_owned());
        let (seal, by) = (seal(), Actor::default());
        for number in 1..=3 {
            let says = json!({ "n": number });
            let added = add_event(&storage, &seal, Timestamp::UNIX_EPOCH, "tested", &by, &says);
            assert_eq!(added.await.unwrap().events, number);
        }
        let custody = folder.path().join("one.seal/custody");
        std::fs::write(custody.join("notes.txt"), "somebody's").unwrap();
        let (lines, end) = read_events(&storage, &seal).await.unwrap();
        assert_eq!((lines.len(), end.events), (3, 3));
        std::fs::remove_file(custody.join("0002.json")).unwrap();
        let Err(Error::Snapshot { source, .. }) = read_events(&storage, &seal).await else {
            panic!("the hole was passed over");
        };
        assert!(
            source.to_string().contains("event 2 is missing"),
            "{source}"
        );
        let says = json!({});
        let added = add_event(&storage, &seal, Timestamp::UNIX_EPOCH, "tested", &by, &says);
        assert!(added.await.is_err(), "nothing is written into the hole");
    }
}
