//! What the snapshots before have of an item. The last one that was accepted is what a run is compared with; a partial
//! one made since then was interrupted, and the run goes on from it.
//!
//! It reads manifests only: names, sizes, digests and validators, for which the machine's own key is enough.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use archive_format::{
    DocumentEntry, FileEntry, Item, Line, LineKey, Outcome, Repository, SnapshotId, SnapshotReader,
    SnapshotRecord,
};
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use workspace::ItemId;

use super::Error;
use super::staging::Staging;

/// How far back counts are looked at for a loss.
const LOSS_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How many interrupted runs are gone on from.
const PARTIALS_MAX: usize = 3;
/// How many accepted snapshots are looked into: one made with a selection may hold only some of the kinds.
const ACCEPTED_MAX: usize = 2;
/// How many files of an item stay in memory.
const FILES_HELD_MAX: usize = 2_000;

/// The snapshots before.
#[derive(Debug)]
pub(super) struct Previous {
    workspace: String,
    readers: Vec<Reader>,
    accepted: Option<SnapshotRecord>,
    most: BTreeMap<String, u64>,
    staging: Staging,
    /// Items whose content the repository gave up.
    gone: Mutex<HashSet<String>>,
}

#[derive(Debug)]
struct Reader {
    snapshot: SnapshotReader,
    /// Whether it is the last accepted one.
    last: bool,
}

/// What is known of an item from before.
#[derive(Debug)]
pub(super) struct Before {
    /// Its documents, secrets, gaps and times; its files are in `files`.
    pub(super) item: Item,
    /// Its files.
    pub(super) files: FilesBefore,
    /// How many entries it has.
    pub(super) file_count: u64,
    /// Its documents in the last accepted snapshot, where that has it.
    pub(super) accepted: Vec<DocumentEntry>,
    /// Whether the last accepted snapshot has it.
    pub(super) is_accepted: bool,
    reader: usize,
    /// How many lines it was made from.
    lines: usize,
}

impl Before {
    /// The line that it was made from, where that is a single one.
    pub(super) fn into_only_line(self) -> Result<Line, Box<Self>> {
        match self.files {
            FilesBefore::Held(files) if self.lines == 1 => {
                let mut line = self.item.into_line();
                line.files.extend(files.into_values());
                line.files.sort_by(|one, two| one.path.cmp(&two.path));
                Ok(line)
            }
            files => Err(Box::new(Self { files, ..self })),
        }
    }
}

/// Files of an item from before, by path.
#[derive(Debug)]
pub(super) enum FilesBefore {
    /// In memory.
    Held(HashMap<String, FileEntry>),
    /// In the temporary database, by this name.
    Staged(String),
}

impl Previous {
    /// Finds the snapshots before of a workspace.
    pub(super) async fn open(
        repository: &Repository,
        workspace: &str,
        identity: &serde_json::Value,
        now: Timestamp,
        staging: Staging,
    ) -> Result<Self, archive_format::Error> {
        let accepted_by_hand = repository.accepted().await?;
        let mut records: Vec<SnapshotRecord> = repository.history().await?;
        records.retain(|record| record.workspace == workspace && record.identity == *identity);
        let good = |record: &SnapshotRecord| is_accepted(record, &accepted_by_hand);
        let accepted = records.iter().rev().find(|record| good(record)).cloned();
        let since = accepted.as_ref().map(|record| record.finished);
        let partials = records
            .iter()
            .rev()
            .filter(|record| record.outcome == Outcome::Partial)
            .take_while(|record| since.is_none_or(|since| record.finished > since));
        let older = records.iter().rev().filter(|record| good(record));
        let chosen = partials.take(PARTIALS_MAX).chain(older.take(ACCEPTED_MAX));
        let last = accepted.as_ref().map(|record| record.id);
        let readers = chosen
            .map(|record| Reader {
                // What cannot be read any more counts as never seen, and is stored anew.
                snapshot: repository.snapshot(record).passing_over_damage(),
                last: Some(record.id) == last,
            })
            .collect();
        let recent = records
            .iter()
            .filter(|record| good(record) && now.duration_since(record.finished) <= LOSS_WINDOW);
        Ok(Self {
            workspace: workspace.to_owned(),
            readers,
            most: most(recent),
            accepted,
            staging,
            gone: Mutex::default(),
        })
    }

    /// The record of the last accepted snapshot.
    pub(super) fn accepted(&self) -> Option<&SnapshotRecord> {
        self.accepted.as_ref()
    }

    /// The most items of a kind that an accepted snapshot of the last 30 days had.
    pub(super) fn most(&self, kind: &str) -> u64 {
        self.most.get(kind).copied().unwrap_or_default()
    }

    /// How many items of a kind the last accepted snapshot has.
    pub(super) fn count(&self, kind: &str) -> u64 {
        self.accepted
            .as_ref()
            .and_then(|record| record.items.get(kind))
            .map_or(0, |counts| counts.saved + counts.unchanged)
    }

    /// Takes an item for one that was never seen: what was stored of it is gone.
    pub(super) fn distrust(&self, key: &LineKey) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.insert(key.to_string());
    }

    fn is_gone(&self, key: &LineKey) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        !gone.is_empty() && gone.contains(&key.to_string())
    }

    /// What is known of an item. An interrupted run's files are completed by those of the snapshot before it.
    pub(super) async fn item(&self, id: &ItemId) -> Result<Option<Before>, Error> {
        let key = key(id);
        if self.is_gone(&key) {
            return Ok(None);
        }
        let mut found: Option<Before> = None;
        let mut whole = false;
        for (index, reader) in self.readers.iter().enumerate() {
            if whole && !reader.last {
                continue;
            }
            let mut lines = reader.snapshot.lines_of_item(&key);
            let mut any = false;
            let mut accepted = Vec::new();
            while let Some(line) = lines.next().await {
                let line = line.map_err(|error| self.broken(error))?;
                any = true;
                if reader.last {
                    accepted.extend_from_slice(&line.documents);
                }
                if whole {
                    break;
                }
                self.add(&mut found, line, index).await?;
            }
            if let Some(before) = found.as_mut().filter(|_| any) {
                let interrupted = reader.snapshot.record().outcome == Outcome::Partial;
                whole = whole || before.item.settled || !interrupted;
                before.is_accepted = before.is_accepted || reader.last;
                before.accepted.append(&mut accepted);
            }
        }
        Ok(found)
    }

    async fn add(
        &self,
        found: &mut Option<Before>,
        mut line: Line,
        reader: usize,
    ) -> Result<(), Error> {
        let files = std::mem::take(&mut line.files);
        let before = match found {
            None => found.insert(Before {
                item: Item::from_line(line),
                files: FilesBefore::Held(HashMap::new()),
                file_count: 0,
                accepted: Vec::new(),
                is_accepted: false,
                reader,
                lines: 0,
            }),
            Some(before) if before.reader == reader => {
                before.item.append(line);
                before
            }
            // Of an older snapshot only documents and files are of use: what does not match is stored anew.
            Some(before) => {
                before.item.documents.append(&mut line.documents);
                before.item.secrets.append(&mut line.secrets);
                before
            }
        };
        before.lines += 1;
        self.add_files(before, files).await
    }

    async fn add_files(&self, before: &mut Before, files: Vec<FileEntry>) -> Result<(), Error> {
        before.file_count += files.len() as u64;
        if let FilesBefore::Held(held) = &mut before.files {
            if held.len() + files.len() <= FILES_HELD_MAX {
                for file in files {
                    held.entry(file.path.as_str().to_owned()).or_insert(file);
                }
                return Ok(());
            }
            let name = before.item.key.to_string();
            let held = std::mem::take(held).into_values().collect();
            self.staging.keep_before(name.clone(), held).await?;
            before.files = FilesBefore::Staged(name);
        }
        if let FilesBefore::Staged(name) = &before.files {
            self.staging.keep_before(name.clone(), files).await?;
        }
        Ok(())
    }

    /// A file of an item.
    pub(super) async fn file(
        &self,
        before: &Before,
        path: &str,
    ) -> Result<Option<FileEntry>, Error> {
        match &before.files {
            FilesBefore::Held(held) => Ok(held.get(path).cloned()),
            FilesBefore::Staged(name) => self.staging.before(name, path).await,
        }
    }

    /// Gives up what was kept about an item.
    pub(super) async fn done(&self, before: Option<Before>) -> Result<(), Error> {
        match before.map(|before| before.files) {
            Some(FilesBefore::Staged(name)) => self.staging.drop_before(&name).await,
            _ => Ok(()),
        }
    }

    /// The lines of an item as they were.
    pub(super) async fn lines(&self, before: &Before) -> Result<Vec<Line>, Error> {
        let Some(reader) = self.readers.get(before.reader) else {
            return Ok(Vec::new());
        };
        let lines = reader.snapshot.lines_of_item(&before.item.key);
        lines
            .try_collect()
            .await
            .map_err(|error| self.broken(error))
    }

    /// All lines of a kind of the snapshots before, newest snapshot first; where so wanted none older than the last
    /// accepted one.
    pub(super) fn lines_of_kind<'a>(
        &'a self,
        kind: &'a str,
        last: bool,
    ) -> impl futures::Stream<Item = Result<Line, Error>> + 'a {
        let end = self.readers.iter().position(|reader| reader.last && last);
        let end = end.map_or(self.readers.len(), |last| last + 1);
        futures::stream::iter(self.readers.get(..end).unwrap_or_default())
            .flat_map(move |reader| reader.snapshot.lines_of_kind(kind))
            .map_err(|error| self.broken(error))
    }

    fn broken(&self, source: archive_format::Error) -> Error {
        Error::Repository {
            workspace: self.workspace.clone(),
            source: Box::new(source),
        }
    }
}

/// The manifest's key of an item.
pub(super) fn key(id: &ItemId) -> LineKey {
    LineKey::new(&id.kind, &id.name, id.version.as_deref())
}

fn is_accepted(record: &SnapshotRecord, by_hand: &[SnapshotId]) -> bool {
    match record.outcome {
        Outcome::Complete => true,
        Outcome::Suspect => by_hand.contains(&record.id),
        Outcome::Partial => false,
    }
}

fn most<'a>(records: impl Iterator<Item = &'a SnapshotRecord>) -> BTreeMap<String, u64> {
    let mut most = BTreeMap::new();
    for record in records {
        for (kind, counts) in &record.items {
            let items = counts.saved + counts.unchanged;
            let largest = most.entry(kind.clone()).or_insert(items);
            *largest = items.max(*largest);
        }
    }
    most
}
