//! Copies snapshots into another repository: each object is decrypted, checked against its address, and packed and
//! encrypted anew there, unless it is there already.
//!
//! The lines of the manifest stay as they are, but for the HMAC of secrets, whose key is the repository's. The new entry
//! says what it is a copy of, so that a second copy finds it. Nothing is taken from the source but by reading.
//! What a copy that was stopped has stored is found and used by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::pack::Class;
use crate::read::chunks;
use crate::{
    Address, ChunkList, Commit, Error, KeyLack, Line, Outcome, Part, Repository, RepositoryId,
    SnapshotId, SnapshotReader, SnapshotRecord, SnapshotWriter,
};

/// Lines that are copied at once.
const LINES_AHEAD: usize = 16;

/// Chunks of one file that are copied at once.
const CHUNKS_AHEAD: usize = 4;

/// Objects are held in memory up to this many KiB in all.
const HELD_KIB: u32 = 48 << 10;

/// How often the objects are gone through when packs of the target are swept meanwhile.
const ROUNDS: u32 = 5;

/// What a snapshot is a copy of: the first one, where copies were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Original {
    /// The repository in which it was made.
    pub repository: RepositoryId,
    /// Its id there.
    pub snapshot: SnapshotId,
}

impl Original {
    /// What a snapshot of this repository is, or is a copy of.
    pub fn of(repository: RepositoryId, record: &SnapshotRecord) -> Self {
        record.original.unwrap_or(Self {
            repository,
            snapshot: record.id,
        })
    }
}

/// How far a copy is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Lines of the manifest done.
    pub lines: AtomicU64,
    /// Objects read from the source.
    pub objects: AtomicU64,
    /// The bytes in them.
    pub bytes: AtomicU64,
}

/// What became of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub enum Copied {
    /// It was in the target already, as this one.
    Already(SnapshotRecord),
    /// It is there now, as this one.
    New(SnapshotRecord),
}

/// Copies one snapshot. Needs an owner's key of the source and a machine's key of the target; `now` is the time.
///
/// # Errors
/// [`Error::NoKey`] where the source's contents do not open, [`Error::NoSigner`] where nothing can be added to the
/// target, [`Error::SecretsNeedEncryption`] where the snapshot holds secrets and the target is not encrypted,
/// [`Error::CopyOntoItself`], and whatever reading and writing fail with. Then nothing was committed.
pub async fn copy(
    source: &Repository,
    record: &SnapshotRecord,
    target: &Repository,
    now: Timestamp,
    progress: &Progress,
) -> Result<Copied, Error> {
    if source.id() == target.id() {
        return Err(Error::CopyOntoItself {
            place: target.storage().describe(),
        });
    }
    let original = Original::of(source.id(), record);
    let copied = match find(target, original).await? {
        Some(found) => Copied::Already(found),
        None if source.part() < Part::Owner => {
            return Err(Error::NoKey(KeyLack::MachineOnly));
        }
        None => Copied::New(write(source, record, target, now, progress, original).await?),
    };
    let (Copied::Already(there) | Copied::New(there)) = &copied;
    // A person's word that it is as it should be holds for the copy too.
    if there.outcome == Outcome::Suspect && source.accepted().await?.contains(&record.id) {
        target.accept(&[there.id], now).await?;
    }
    Ok(copied)
}

/// The snapshot of the target that is a copy of it, or is it.
async fn find(target: &Repository, original: Original) -> Result<Option<SnapshotRecord>, Error> {
    let own = target.id();
    let history = target.history().await?;
    Ok(history
        .into_iter()
        .find(|record| Original::of(own, record) == original))
}

async fn write(
    source: &Repository,
    record: &SnapshotRecord,
    target: &Repository,
    now: Timestamp,
    progress: &Progress,
    original: Original,
) -> Result<SnapshotRecord, Error> {
    let writer = target
        .begin(&record.workspace, record.identity.clone(), record.started)
        .await?;
    let work = Work {
        source,
        reader: source.snapshot(record),
        writer: &writer,
        progress,
        memory: Arc::new(Semaphore::new(HELD_KIB as usize)),
    };
    let mut round = 1;
    loop {
        work.lines().await?;
        let commit = Commit {
            outcome: record.outcome,
            finished: record.finished,
            items: record.items.clone(),
            files: record.files,
            bytes: record.bytes,
            requests: record.requests,
            tags: record.tags.clone(),
            copy: Some((original, now)),
            more: record.more.clone(),
        };
        match writer.commit(commit).await {
            // Swept under us: what is gone is known as missing now, and is read again.
            Err(Error::Gone { .. }) if round < ROUNDS => round += 1,
            result => return result,
        }
    }
}

/// One snapshot on its way.
struct Work<'a> {
    source: &'a Repository,
    reader: SnapshotReader,
    writer: &'a SnapshotWriter,
    progress: &'a Progress,
    /// In KiB.
    memory: Arc<Semaphore>,
}

impl Work<'_> {
    /// Stores what the lines name, and stages them in their order.
    async fn lines(&self) -> Result<(), Error> {
        self.progress.lines.store(0, Ordering::Relaxed);
        let lines = self.reader.lines();
        let mut stored = lines
            .map(|line| async { self.line(line?).await })
            .buffered(LINES_AHEAD);
        while let Some(line) = stored.try_next().await? {
            // The first part takes the place of what an earlier round staged.
            match line.part {
                0 => self.writer.line(line).await?,
                _ => self.writer.append(line).await?,
            }
            self.progress.lines.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn line(&self, mut line: Line) -> Result<Line, Error> {
        for document in &line.documents {
            self.object(document.address, document.size).await?;
        }
        for secret in &mut line.secrets {
            let text = self.reader.secret(secret).await?;
            self.object(secret.address, secret.size).await?;
            *secret = self.writer.same_secret(secret, &text)?;
        }
        let contents = line.files.iter().filter_map(|file| file.content.as_ref());
        for content in contents {
            if let Some(list) = content.chunk_list {
                self.list(list).await?;
            }
            self.reader
                .chunks(content)
                .map(|chunk| async {
                    let chunk = chunk?;
                    self.object(chunk.address, chunk.size).await
                })
                .buffer_unordered(CHUNKS_AHEAD)
                .try_collect::<()>()
                .await?;
        }
        Ok(line)
    }

    /// The objects of a chunk list themselves; what they list comes with the file.
    async fn list(&self, list: ChunkList) -> Result<(), Error> {
        let mut stack = vec![(list.address, list.depth)];
        while let Some((address, depth)) = stack.pop() {
            let (_, bytes) = self.fetch(address).await?;
            let records = chunks::parse(&bytes, depth).map_err(|error| error.of_object(address))?;
            self.writer.object(Class::Meta, address, bytes).await?;
            if depth > 1 {
                stack.extend(records.iter().map(|record| (record.address, depth - 1)));
            }
        }
        Ok(())
    }

    /// One object, unless the target has it.
    async fn object(&self, address: Address, size: u64) -> Result<(), Error> {
        if self.writer.has_object(address).await? {
            return Ok(());
        }
        let kib = u32::try_from(size.div_ceil(1 << 10)).unwrap_or(HELD_KIB);
        let held = Arc::clone(&self.memory)
            .acquire_many_owned(kib.clamp(1, HELD_KIB))
            .await;
        let _held = held.map_err(|_| Error::Worker { what: "a copy" })?;
        let (class, bytes) = self.fetch(address).await?;
        self.writer.object(class, address, bytes).await
    }

    /// An object of the source with the class of its pack, checked against its address.
    async fn fetch(&self, address: Address) -> Result<(Class, Bytes), Error> {
        match self.source.inner.object(address).await {
            Ok((class, bytes)) => {
                let read = bytes.len() as u64;
                self.progress.objects.fetch_add(1, Ordering::Relaxed);
                self.progress.bytes.fetch_add(read, Ordering::Relaxed);
                Ok((class, bytes))
            }
            Err(error) => Err(self.reader.explain(error).await),
        }
    }
}
