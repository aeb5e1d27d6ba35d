//! Where a run's content goes: into a snapshot, or nowhere in a dry run, which needs neither key nor space.

use archive_format::{
    Address, ByteCounts, Commit, Content, Error, FileError, Lifetime, Line, LineKey, SecretEntry,
    SecretPlace, SnapshotRecord, SnapshotWriter, Stored, json,
};
use bytes::Bytes;
use futures::Stream;
use serde_json::Value;

/// A writer, or none.
#[derive(Debug)]
pub(super) enum Sink {
    /// A snapshot.
    Snapshot(Box<SnapshotWriter>),
    /// Nothing is kept.
    Nowhere,
}

/// What a dry run never gets to.
const DRY: Error = Error::Worker {
    what: "a dry run stores nothing",
};

impl Sink {
    pub(super) async fn document(&self, document: &Value) -> Result<Stored, Error> {
        match self {
            Self::Snapshot(writer) => writer.document(document).await,
            Self::Nowhere => {
                let bytes = json::canonical(document);
                Ok(Stored {
                    address: Address::of(&bytes),
                    size: bytes.len() as u64,
                })
            }
        }
    }

    pub(super) async fn file<S, E>(
        &self,
        lifetime: Lifetime,
        stream: S,
    ) -> Result<Content, FileError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        match self {
            Self::Snapshot(writer) => writer.file(lifetime, stream).await,
            Self::Nowhere => Err(FileError::Archive(DRY)),
        }
    }

    pub(super) async fn secret(
        &self,
        place: SecretPlace,
        secret: &[u8],
        previous: Option<&SecretEntry>,
    ) -> Result<SecretEntry, Error> {
        match self {
            Self::Snapshot(writer) => writer.secret(place, secret, previous).await,
            Self::Nowhere => Err(DRY),
        }
    }

    pub(super) async fn line(&self, line: Line) -> Result<(), Error> {
        match self {
            Self::Snapshot(writer) => writer.line(line).await,
            Self::Nowhere => Ok(()),
        }
    }

    pub(super) async fn append(&self, line: Line) -> Result<(), Error> {
        match self {
            Self::Snapshot(writer) => writer.append(line).await,
            Self::Nowhere => Ok(()),
        }
    }

    pub(super) async fn has(&self, key: &LineKey) -> Result<bool, Error> {
        match self {
            Self::Snapshot(writer) => writer.has(key).await,
            Self::Nowhere => Ok(true),
        }
    }

    /// The first of the staged lines of an item.
    pub(super) async fn staged(&self, key: &LineKey) -> Result<Option<Line>, Error> {
        match self {
            Self::Snapshot(writer) => Ok(writer.staged(key).await?.into_iter().next()),
            Self::Nowhere => Ok(None),
        }
    }

    pub(super) fn written(&self) -> ByteCounts {
        match self {
            Self::Snapshot(writer) => writer.written(),
            Self::Nowhere => ByteCounts::default(),
        }
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<SnapshotRecord, Error> {
        match self {
            Self::Snapshot(writer) => writer.commit(commit).await,
            Self::Nowhere => Err(DRY),
        }
    }
}
