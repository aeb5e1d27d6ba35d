//! Reading a snapshot.

pub(crate) mod chunks;
mod file;
mod lack;
pub(crate) mod lately;
mod needs;
pub(crate) mod objects;
pub(crate) mod packs;
mod repacked;
pub(crate) mod tail;
mod together;
pub(crate) mod walk;

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use secrecy::SecretSlice;
use serde_json::Value;

pub use self::lack::{Lack, LostLines};

use self::lack::PassedOver;
use self::objects::Objects;
use self::walk::{Lines, Walk};
use crate::magic::{OBJECT_BYTES_MAX, SECRET_SALT_BYTES};
use crate::manifest::root::Child;
use crate::{
    Address, Chunk, Content, DocumentEntry, Error, Item, Line, LineKey, Repository, SecretEntry,
    SnapshotRecord, json,
};

/// Reads one snapshot. Names, sizes and digests need the machine's key; contents an owner's.
#[derive(Clone, Debug)]
pub struct SnapshotReader {
    repository: Repository,
    record: Arc<SnapshotRecord>,
    passed_over: Option<PassedOver>,
}

impl SnapshotReader {
    pub(crate) fn new(repository: Repository, record: SnapshotRecord) -> Self {
        Self {
            repository,
            record: Arc::new(record),
            passed_over: None,
        }
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
        self.lines_while(None, |_| true)
    }

    /// All lines of a kind.
    pub fn lines_of_kind(&self, kind: &str) -> BoxStream<'static, Result<Line, Error>> {
        self.lines_from(LineKey::new(kind, "", None::<String>))
    }

    /// The lines of a kind from a key on, whether that is in the snapshot or not: about two reads, and one for each piece
    /// that is gone through.
    pub fn lines_from(&self, from: LineKey) -> BoxStream<'static, Result<Line, Error>> {
        let kind = from.kind.clone();
        self.lines_while(Some(from), move |line| line.kind == kind)
    }

    /// The lines of a kind whose names begin so: about two reads, and one for each piece that they fill.
    pub fn lines_of_names(
        &self,
        kind: &str,
        prefix: &str,
    ) -> BoxStream<'static, Result<Line, Error>> {
        let from = LineKey::new(kind, prefix, None::<String>);
        let (kind, prefix) = (kind.to_owned(), prefix.to_owned());
        self.lines_while(Some(from), move |line| {
            line.kind == kind && line.name.starts_with(&prefix)
        })
    }

    /// The lines of one item, none where it is not in the snapshot. About two reads.
    pub fn lines_of_item(&self, key: &LineKey) -> BoxStream<'static, Result<Line, Error>> {
        let from = LineKey {
            part: 0,
            ..key.clone()
        };
        let key = from.clone();
        // As `LineKey::same_item`, without a copy of the line's key.
        self.lines_while(Some(from), move |line| {
            line.kind == key.kind && line.name == key.name && line.version == key.version
        })
    }

    /// One item, all its lines together.
    pub async fn item(
        &self,
        kind: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<Item>, Error> {
        let mut lines = self.lines_of_item(&LineKey::new(kind, name, version));
        let Some(first) = lines.try_next().await? else {
            return Ok(None);
        };
        let mut item = Item::from_line(first);
        while let Some(line) = lines.try_next().await? {
            item.append(line);
        }
        Ok(Some(item))
    }

    /// Lines from a key on, as long as they fit.
    fn lines_while(
        &self,
        from: Option<LineKey>,
        fits: impl Fn(&Line) -> bool + Send + 'static,
    ) -> BoxStream<'static, Result<Line, Error>> {
        let goes_through = from.as_ref().is_none_or(|from| from.name.is_empty());
        let walk = Walk::new(self.record.manifest, from);
        let state = (self.clone(), walk, Lines::default());
        stream::try_unfold(state, move |(reader, mut walk, mut lines)| async move {
            loop {
                if let Some(line) = lines.next() {
                    return Ok(Some((line, (reader, walk, lines))));
                }
                let objects = &reader.repository.inner.objects;
                let piece = match walk.next(objects).await {
                    Ok(Some(piece)) => piece,
                    Ok(None) => return Ok(None),
                    Err(error) => {
                        let whole = walk.has_no_root();
                        reader.pass_over(error, None, whole).await?;
                        continue;
                    }
                };
                match walk.lines(objects, &piece).await {
                    Ok(more) => {
                        lines = more;
                        if goes_through {
                            reader.read_ahead(&walk);
                        }
                    }
                    Err(error) => reader.pass_over(error, Some(&piece), false).await?,
                }
            }
        })
        .try_take_while(move |line| std::future::ready(Ok(fits(line))))
        .boxed()
    }

    /// Reads the next piece while the lines of this one are looked at. Whoever comes to it finds it read, or reads it and
    /// gets the error.
    fn read_ahead(&self, walk: &Walk) {
        if let Some(piece) = walk.following().cloned() {
            let reader = self.clone();
            drop(tokio::spawn(async move {
                let _ = walk::lines_of(&reader.repository.inner.objects, &piece).await;
            }));
        }
    }

    /// Notes a damaged part of the manifest, where that is wished for; else the error goes on. `whole`: it is all of it.
    async fn pass_over(
        &self,
        error: Error,
        piece: Option<&Child>,
        whole: bool,
    ) -> Result<(), Error> {
        let passed_over = match (self.explain(error).await, &self.passed_over) {
            (error, Some(passed_over)) if error.is_damage() => passed_over,
            (error, _) => return Err(error),
        };
        let catalogue = &self.repository.inner.catalogue;
        let items = match piece {
            Some(piece) => catalogue.piece_keys(piece.address).await?,
            None if whole => catalogue.item_keys(self.record.id).await?,
            None => Vec::new(),
        };
        passed_over.note(piece, items);
        Ok(())
    }

    /// What misses may have been forgotten by another machine meanwhile: that is no damage (removal rules, readers).
    pub(crate) async fn explain(&self, error: Error) -> Error {
        let missing = error.is_damage() || matches!(error, Error::Storage(_));
        if !missing {
            return error;
        }
        let inner = &self.repository.inner;
        if inner.read_log(false, &mut Vec::new()).await.is_err() {
            return error;
        }
        match inner.catalogue.snapshots().await {
            Ok(live) if live.iter().all(|record| record.id != self.record.id) => {
                Error::Forgotten { id: self.record.id }
            }
            _ => error,
        }
    }

    async fn object(&self, address: Address) -> Result<Bytes, Error> {
        match self.repository.inner.object(address).await {
            Ok((_, bytes)) => Ok(bytes),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn sized_object(&self, address: Address, size: u64) -> Result<Bytes, Error> {
        let bytes = self.object(address).await?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(Error::Object {
                address,
                reason: format!("it has {} bytes, and the manifest says {size}", bytes.len()),
            })
        }
    }

    /// The canonical bytes of a document.
    pub async fn document_bytes(&self, entry: &DocumentEntry) -> Result<Bytes, Error> {
        self.sized_object(entry.address, entry.size).await
    }

    /// A document.
    pub async fn document(&self, entry: &DocumentEntry) -> Result<Value, Error> {
        let bytes = self.document_bytes(entry).await?;
        let limit = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
        json::parse(&bytes, limit, "a stored document")
            .map_err(|error| error.of_object(entry.address))
    }

    /// The chunks of a file, from its line or its chunk list.
    pub fn chunks(&self, content: &Content) -> BoxStream<'static, Result<Chunk, Error>> {
        if content.chunk_list.is_none() {
            return stream::iter(content.chunks.clone().into_iter().map(Ok)).boxed();
        }
        let records = self.list_records(content);
        records
            .try_filter_map(|(depth, chunk)| std::future::ready(Ok((depth == 0).then_some(chunk))))
            .boxed()
    }

    /// The addresses of a chunk list's own objects below its root, and of the chunks.
    pub(crate) fn list_addresses(
        &self,
        content: &Content,
    ) -> BoxStream<'static, Result<Address, Error>> {
        let records = self.list_records(content);
        records.map_ok(|(_, record)| record.address).boxed()
    }

    /// All records of a chunk list with their depth, the chunks with depth 0; each list object before its records.
    fn list_records(&self, content: &Content) -> BoxStream<'static, Result<(u8, Chunk), Error>> {
        let top = content.chunk_list.map(|list| {
            let size = content.size;
            let address = list.address;
            (list.depth, Chunk { address, size })
        });
        // The stack holds what is still to be read, the next last.
        let state = (self.clone(), Vec::from_iter(top));
        stream::try_unfold(state, |(reader, mut stack)| async move {
            let Some((depth, record)) = stack.pop() else {
                return Ok(None);
            };
            if depth > 0 {
                let records = chunks::parse(&reader.object(record.address).await?, depth)
                    .map_err(|error| error.of_object(record.address))?;
                stack.extend(records.into_iter().rev().map(|record| (depth - 1, record)));
            }
            Ok(Some(((depth, record), (reader, stack))))
        })
        .boxed()
    }

    /// A secret, without the random bytes in front of it.
    pub async fn secret(&self, entry: &SecretEntry) -> Result<SecretSlice<u8>, Error> {
        let bytes = self.sized_object(entry.address, entry.size).await?;
        let secret = bytes
            .get(SECRET_SALT_BYTES..)
            .ok_or_else(|| Error::Object {
                address: entry.address,
                reason: "it is too short for a secret".to_owned(),
            })?;
        if self.repository.inner.ring().secret_mac(secret)? != entry.hmac {
            return Err(Error::Object {
                address: entry.address,
                reason: "it is not the secret that the manifest says".to_owned(),
            });
        }
        Ok(secret.to_vec().into())
    }

    /// Keeps the lines of a snapshot in the catalogue.
    pub(crate) async fn keep_lines(
        objects: &Objects,
        record: &SnapshotRecord,
    ) -> Result<(), Error> {
        let mut walk = Walk::new(record.manifest, None);
        let mut pieces = Vec::new();
        while let Some(piece) = walk.next(objects).await? {
            pieces.push(piece.address);
            if !objects.catalogue.has_piece(piece.address).await? {
                let lines = walk.lines(objects, &piece).await?;
                objects
                    .catalogue
                    .add_piece(piece.address, lines.whole_piece())
                    .await?;
            }
        }
        objects.catalogue.hold(record.id, pieces).await
    }
}
