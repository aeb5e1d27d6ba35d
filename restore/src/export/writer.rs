//! Writing into the folder, a batch at a time: each batch is brought to the disk together and then named. A name that
//! is taken, or that the file system does not take, is one failure and stops nothing else.

use archive_format::FileEntry;
use bytes::Bytes;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use workspace::azure::{FileMeta, Written};
use workspace::folder::{Folder, Staged};
use workspace::{ByteStream, Entry, FilePath, ItemId};

use super::ExportFailure;
use crate::Error;
use crate::apply::chain;
use crate::files::meta;
use crate::snapshot::Source;

/// Entries of a batch, at most.
const BATCH_ENTRIES: usize = 512;
/// A batch ends with the entry that reaches this many bytes.
const BATCH_BYTES: u64 = 64 << 20;
/// Files that are written at once.
const FILES_AT_ONCE: usize = 4;
/// After so many failures nothing more is tried: the disk is full, or the file system takes no such names.
const FAILURES_MAX: usize = 100;

/// An entry that waits to be written.
struct Waiting {
    item: ItemId,
    path: String,
    meta: FileMeta,
    what: What,
}

enum What {
    Text(Bytes),
    File(Box<FileEntry>),
}

/// Writes a folder.
pub(super) struct Writer<'a> {
    folder: &'a Folder,
    source: Source,
    waiting: Vec<Waiting>,
    waiting_bytes: u64,
    pub(super) failures: Vec<ExportFailure>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(folder: &'a Folder, source: &Source) -> Self {
        Self {
            folder,
            source: source.clone(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            failures: Vec::new(),
        }
    }

    /// The snapshot, with what was found lost of it.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn has_failed_often(&self) -> bool {
        self.failures.len() >= FAILURES_MAX
    }

    /// A file of an item.
    pub(super) async fn file(
        &mut self,
        item: &ItemId,
        path: &str,
        file: &FileEntry,
    ) -> Result<(), Error> {
        let meta = meta(file, false);
        self.wait(item, path, meta, What::File(Box::new(file.clone())))
            .await
    }

    /// A text of the exporter's own making.
    pub(super) async fn text(
        &mut self,
        item: &ItemId,
        path: &str,
        text: String,
    ) -> Result<(), Error> {
        let meta = FileMeta {
            size: text.len() as u64,
            ..FileMeta::default()
        };
        let text = Bytes::from(text.into_bytes());
        self.wait(item, path, meta, What::Text(text)).await
    }

    async fn wait(
        &mut self,
        item: &ItemId,
        path: &str,
        meta: FileMeta,
        what: What,
    ) -> Result<(), Error> {
        self.waiting_bytes = self.waiting_bytes.saturating_add(meta.size);
        self.waiting.push(Waiting {
            item: item.clone(),
            path: path.to_owned(),
            meta,
            what,
        });
        if self.waiting.len() >= BATCH_ENTRIES || self.waiting_bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes everything that waits.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let staging = batch
            .iter()
            .map(|entry| stage(self.folder, &self.source, entry));
        let staged: Vec<Result<Staged, workspace::Error>> = stream::iter(staging)
            .buffered(FILES_AT_ONCE)
            .collect()
            .await;
        let (mut entries, mut parts) = (Vec::new(), Vec::new());
        for (entry, staged) in batch.iter().zip(staged) {
            match staged {
                Ok(part) => {
                    entries.push(entry);
                    parts.push(part);
                }
                Err(error) => self.failed(entry, &error),
            }
        }
        let published = self
            .folder
            .publish(parts)
            .await
            .map_err(|error| Error::target(self.folder.path().display().to_string(), error))?;
        for (entry, written) in entries.into_iter().zip(published) {
            match written {
                Ok(Written::Present) if entry.meta.entry != Entry::Directory => {
                    let reason = "something of that name is there; the file system may not tell letter case apart";
                    self.fail(entry, reason.to_owned());
                }
                Ok(_) => {}
                Err(error) => self.failed(entry, &error),
            }
        }
        Ok(())
    }

    /// What the repository lost is told as lost, anything else as a failure.
    fn failed(&mut self, entry: &Waiting, error: &workspace::Error) {
        if let What::File(file) = &entry.what
            && self.source.note_lost(&entry.item, file)
        {
            return;
        }
        self.fail(entry, chain(error));
    }

    fn fail(&mut self, entry: &Waiting, reason: String) {
        self.failures.push(ExportFailure {
            item: entry.item.to_string(),
            file: entry.path.clone(),
            reason,
        });
    }
}

async fn stage(
    folder: &Folder,
    source: &Source,
    entry: &Waiting,
) -> Result<Staged, workspace::Error> {
    let path = FilePath::new(entry.path.as_str())?;
    let bytes: ByteStream = match &entry.what {
        What::Text(text) => {
            let text = text.clone();
            stream::once(async move { Ok(text) }).boxed()
        }
        What::File(file) => source.bytes(file),
    };
    folder.stage_file(&path, &entry.meta, bytes).await
}

/// The SHA-256 of a text, in hex.
pub(super) fn digest(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}
