//! Reading a snapshot.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use secrecy::SecretSlice;
use serde_json::Value;

use crate::{
    Content, DocumentEntry, Error, Item, Line, LineKey, Repository, SecretEntry, SnapshotRecord,
};

/// Reads one snapshot. Names, sizes and digests need the machine's key; contents an owner's.
#[derive(Clone, Debug)]
pub struct SnapshotReader {
    repository: Repository,
    record: SnapshotRecord,
}

const LATER: Error = Error::Worker { what: "this build" };

impl SnapshotReader {
    pub(crate) fn new(repository: Repository, record: SnapshotRecord) -> Self {
        Self { repository, record }
    }

    /// Its record.
    pub fn record(&self) -> &SnapshotRecord {
        &self.record
    }

    /// Its repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// All lines, sorted by key. A line that is out of order ends the stream with an error.
    pub fn lines(&self) -> BoxStream<'static, Result<Line, Error>> {
        futures::stream::iter([Err(LATER)]).boxed()
    }

    /// All lines of a kind.
    pub fn lines_of_kind(&self, kind: &str) -> BoxStream<'static, Result<Line, Error>> {
        let _ = kind;
        self.lines()
    }

    /// The lines of one item, none where it is not in the snapshot. About two reads.
    pub fn lines_of_item(&self, key: &LineKey) -> BoxStream<'static, Result<Line, Error>> {
        let _ = key;
        self.lines()
    }

    /// One item, all its lines together.
    pub async fn item(
        &self,
        kind: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<Item>, Error> {
        let _ = (kind, name, version);
        Err(LATER)
    }

    /// The canonical bytes of a document.
    pub async fn document_bytes(&self, entry: &DocumentEntry) -> Result<Bytes, Error> {
        let _ = entry;
        Err(LATER)
    }

    /// A document.
    pub async fn document(&self, entry: &DocumentEntry) -> Result<Value, Error> {
        let _ = entry;
        Err(LATER)
    }

    /// The bytes of a file, chunk by chunk. Each is checked against its address before it is given out, the whole
    /// against its size and SHA-256 at the end: a stream that ends without an error is right.
    pub fn file(&self, content: &Content) -> BoxStream<'static, Result<Bytes, Error>> {
        let _ = content;
        futures::stream::iter([Err(LATER)]).boxed()
    }

    /// A secret, without the random bytes in front of it.
    pub async fn secret(&self, entry: &SecretEntry) -> Result<SecretSlice<u8>, Error> {
        let _ = entry;
        Err(LATER)
    }
}
