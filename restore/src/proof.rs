//! An exported folder held against the snapshot, or the sealed export, that it was made of: every document by its address
//! and every file by its SHA-256, both as the snapshot says and not as the folder says of itself. It writes nothing.

use archive_format::Item;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use workspace::{ItemId, Kind};

use crate::exported::ExportedFolder;
use crate::origin::{Origin, Trouble};
use crate::snapshot::items;
use crate::verify::{DIFFERENCES_MAX, Disparity, FileTally, ItemTally};
use crate::{Error, Event, Observer, Stop, Verification, VerifyOutcome};

/// Compares a folder with the whole snapshot. `None`: it was stopped before the end.
pub async fn prove(
    snapshot: impl Into<Origin>,
    folder: &ExportedFolder,
    target: &str,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Option<Verification>, Error> {
    let origin = snapshot.into();
    let mut proof = Proof {
        folder,
        items: ItemTally::default(),
        files: FileTally::default(),
        differences: Vec::new(),
    };
    let mut all = items(origin.lines());
    while let Some(item) = all.try_next().await? {
        if stop.asked() {
            return Ok(None);
        }
        // What keeps a kind as a whole from being taken is no item, and nobody writes it.
        if item.is_of_kind() {
            continue;
        }
        proof.item(&item).await?;
        observer.event(Event::Verifying {
            done: proof.items.compared,
            total: 0,
        });
    }
    let is_same = proof.items.same == proof.items.compared;
    Ok(Some(Verification {
        snapshot: origin.id(),
        target: target.to_owned(),
        outcome: match is_same {
            true => VerifyOutcome::Same,
            false => VerifyOutcome::Different,
        },
        items: proof.items,
        files: proof.files,
        differences: proof.differences,
    }))
}

struct Proof<'a> {
    folder: &'a ExportedFolder,
    items: ItemTally,
    files: FileTally,
    differences: Vec<Disparity>,
}

impl Proof<'_> {
    async fn item(&mut self, item: &Item) -> Result<(), Error> {
        let id = ItemId {
            kind: item.key.kind.clone(),
            name: item.key.name.clone(),
            version: item.key.version.clone(),
        };
        self.items.compared += 1;
        if self.folder.item(&id).await?.is_none() {
            self.items.missing += 1;
            self.differs(&id, "the item", "it is missing".to_owned());
            return Ok(());
        }
        let mut same = true;
        // Other forms are written by nobody.
        for entry in item
            .documents
            .iter()
            .filter(|entry| is_written(&entry.form))
        {
            if let Err(trouble) = self.folder.document(&id, entry).await {
                same = false;
                self.differs(&id, &entry.form, trouble.cause.to_string());
            }
        }
        let kind = Kind::find(&id.kind);
        for file in item.files.iter().filter(|file| file.content.is_some()) {
            self.files.compared += 1;
            let mut bytes = self.folder.bytes_of(kind, &id, file);
            match drain(&mut bytes).await {
                Ok(()) => self.files.same += 1,
                Err(trouble) => {
                    same = false;
                    self.files.different += 1;
                    self.differs(&id, file.path.as_str(), trouble.cause.to_string());
                }
            }
        }
        match same {
            true => self.items.same += 1,
            false => self.items.different += 1,
        }
        Ok(())
    }

    fn differs(&mut self, id: &ItemId, what: &str, reason: String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Disparity {
                item: id.to_string(),
                what: what.to_owned(),
                reason,
            });
        }
    }
}

/// Reads to the end, where the stream says whether it was what it should be.
async fn drain(bytes: &mut BoxStream<'static, Result<Bytes, Trouble>>) -> Result<(), Trouble> {
    while bytes.try_next().await?.is_some() {}
    Ok(())
}

/// Whether an export writes documents of a form.
fn is_written(form: &str) -> bool {
    matches!(form, "arm" | "runhistory")
}
