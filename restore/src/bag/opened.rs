//! An export as what a restore reads from, where it lies: what the snapshot said of each item, the original documents and
//! the files are read out of the tar by ranges, as `members.jsonl` in its seal says where they are. Of an encrypted one only
//! the chunks that are touched are read and decrypted, so that one item of a huge tar costs a few reads.
//!
//! Everything is held against its digest: the seal's files against `seal.json`, documents and files against what the snapshot
//! said of them. Whose export it is, the caller knows by the repository's log or the signature.

mod index;

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use archive_format::{
    Address, Decryption, DocumentEntry, FileEntry, Identity, Item, Line, Storage,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use workspace::{ItemId, Kind};

use self::index::{Index, Member};
use super::parts::{Parts, PartsReader};
use super::seal::SealRecord;
use super::{EDITION, layout};
use crate::export::path;
use crate::origin::{AT, Taken, Trouble};
use crate::snapshot::id_of;
use crate::{Damaged, Error};

/// Larger documents and records are no service's.
const TEXT_BYTES_MAX: u64 = 256 << 20;
/// A file up to this size is read at once, by the reader that is open.
const SMALL_BYTES: u64 = 1 << 20;
/// The pieces that a larger one comes in.
const PIECE_BYTES: usize = 1 << 20;

/// What reads the plain tar.
trait Plain: Read + Seek + Send {}

impl<T: Read + Seek + Send> Plain for T {}

/// An export that is open.
#[derive(Clone)]
pub struct ExportedBag(Arc<Inner>);

struct Inner {
    seal: SealRecord,
    parts: Parts,
    identities: Vec<Identity>,
    index: Index,
    whole: Whole,
    /// The reader of what is small: neighbours share what it read.
    reader: Arc<Mutex<Option<Box<dyn Plain>>>>,
}

impl std::fmt::Debug for ExportedBag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExportedBag")
            .field(&self.0.seal.export)
            .finish()
    }
}

/// `data/snapshot.json`.
#[derive(Clone, Debug, Deserialize)]
struct Whole {
    edition: u32,
    identity: Value,
    started: Timestamp,
}

/// What the snapshot says of an item.
#[derive(Deserialize)]
struct Record {
    item: Line,
}

impl ExportedBag {
    /// Opens an export. `identities` are what may open an encrypted one.
    ///
    /// # Errors
    /// `archive_format::Error::NoKey` as the cause where none of them does; a file of the seal that is not what `seal.json`
    /// says.
    pub async fn open(
        storage: &Arc<dyn Storage>,
        seal: SealRecord,
        identities: Vec<Identity>,
    ) -> Result<Self, Error> {
        let index = Index::read(storage, &seal, &identities).await?;
        let parts = Parts::new(Arc::clone(storage), &seal.parts)?;
        let mut inner = Inner {
            seal,
            parts,
            identities,
            index,
            whole: Whole {
                edition: EDITION,
                identity: Value::Null,
                started: Timestamp::UNIX_EPOCH,
            },
            reader: Arc::default(),
        };
        let text = inner.text(layout::SNAPSHOT).await;
        let text = text.map_err(|trouble| Error::snapshot(layout::SNAPSHOT, trouble.cause))?;
        inner.whole = serde_json::from_slice(&text)
            .map_err(|error| Error::snapshot(layout::SNAPSHOT, error))?;
        if inner.whole.edition != EDITION {
            return Err(Error::ExportEdition {
                found: inner.whole.edition,
                known: EDITION,
            });
        }
        let cut = inner.index.cut().to_vec();
        let mut named = Vec::new();
        for path in cut {
            let line = inner.record(&path).await?;
            named.push((id_of(&line), path));
        }
        inner.index.add(named);
        Ok(Self(Arc::new(inner)))
    }

    /// Whether an export can be opened, as far as its seal shows it: before its tar is waited for or paid for.
    ///
    /// # Errors
    /// As [`ExportedBag::open`] where no key opens it.
    pub async fn try_keys(
        storage: &Arc<dyn Storage>,
        seal: &SealRecord,
        identities: &[Identity],
    ) -> Result<(), Error> {
        match seal.encrypted {
            true => Index::try_keys(storage, seal, identities).await,
            false => Ok(()),
        }
    }

    /// `export:` and its id.
    pub(crate) fn id(&self) -> String {
        format!("export:{}", self.0.seal.export)
    }

    pub(crate) fn of(&self) -> Taken {
        Taken {
            snapshot: self.0.seal.snapshot.to_string(),
            workspace: self.0.seal.workspace.clone(),
            started: self.taken(),
        }
    }

    pub(crate) fn identity(&self) -> &Value {
        &self.0.whole.identity
    }

    pub(crate) fn taken(&self) -> Timestamp {
        self.0.whole.started
    }

    /// The lines of all items, or of a kind's whose names begin so.
    pub(crate) fn lines(
        &self,
        kind: Option<&str>,
        prefix: &str,
    ) -> BoxStream<'static, Result<Line, Error>> {
        let wanted = self.0.index.ids(kind, prefix);
        let this = self.clone();
        stream::iter(wanted)
            .then(move |id| {
                let this = this.clone();
                async move { this.line(&id).await }
            })
            .try_filter_map(|line| std::future::ready(Ok(line)))
            .boxed()
    }

    async fn line(&self, id: &ItemId) -> Result<Option<Line>, Error> {
        let Some(path) = self.0.index.record_of(id) else {
            return Ok(None);
        };
        let mut line = self.0.record(path).await?;
        if id_of(&line) != *id {
            return Err(Error::snapshot(path, "it speaks of another item"));
        }
        let kind = Kind::find(&id.kind);
        for file in &mut line.files {
            let at = path::of_file(kind, id, file.path.as_str());
            let at = layout::plain(&format!("{}/{at}", layout::AZML));
            file.more.insert(AT.to_owned(), at.into());
        }
        Ok(Some(line))
    }

    pub(crate) async fn item(&self, id: &ItemId) -> Result<Option<Item>, Error> {
        Ok(self.line(id).await?.map(Item::from_line))
    }

    pub(crate) async fn document(
        &self,
        id: &ItemId,
        entry: &DocumentEntry,
    ) -> Result<Value, Trouble> {
        let path = layout::of_text(layout::DOCUMENTS, id, &entry.form);
        let text = self.0.text(&path).await?;
        let value = workspace::json::parse(&text).map_err(|_| lost(&path, "is no JSON"))?;
        match Address::of(&archive_format::json::canonical(&value)) == entry.address {
            true => Ok(value),
            false => Err(lost(&path, "is not what was exported")),
        }
    }

    /// The bytes of a file, which end in an error where they are not those that were exported.
    pub(crate) fn bytes(&self, file: &FileEntry) -> BoxStream<'static, Result<Bytes, Trouble>> {
        let at = file.more.get(AT).and_then(Value::as_str);
        let (this, at) = (self.clone(), at.unwrap_or_default().to_owned());
        let expected = file
            .content
            .as_ref()
            .map(|content| *content.sha256.as_bytes());
        let opened = async move {
            let member = this.0.member(&at)?;
            if expected.is_some_and(|expected| expected != member.sha256) {
                return Err(lost(&at, "is not what the snapshot had"));
            }
            if member.size <= SMALL_BYTES {
                let whole = this.0.whole(&at, member).await?;
                return Ok(stream::iter([Ok(Bytes::from(whole))]).boxed());
            }
            Ok(this.0.stream(at, member))
        };
        stream::once(opened).try_flatten().boxed()
    }
}

fn lost(path: &str, reason: &str) -> Trouble {
    Trouble {
        cause: Box::new(Damaged::Sealed(format!("`{path}` {reason}"))),
        damage: true,
    }
}

impl Inner {
    async fn record(&self, path: &str) -> Result<Line, Error> {
        let text = self.text(path).await;
        let text = text.map_err(|trouble| Error::snapshot(path, trouble.cause))?;
        let record: Record =
            serde_json::from_slice(&text).map_err(|error| Error::snapshot(path, error))?;
        Ok(record.item)
    }

    fn member(&self, path: &str) -> Result<Member, Trouble> {
        let member = self.index.member(path);
        member.ok_or_else(|| lost(path, "is not in the bag"))
    }

    async fn text(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        let member = self.member(path)?;
        match member.size <= TEXT_BYTES_MAX {
            true => self.whole(path, member).await,
            false => Err(lost(path, "is larger than 256 MiB")),
        }
    }

    /// A small member, whole and checked.
    async fn whole(&self, path: &str, member: Member) -> Result<Vec<u8>, Trouble> {
        let (shared, open) = (Arc::clone(&self.reader), self.opener());
        let read = tokio::task::spawn_blocking(move || {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let mut reader = match shared.take() {
                Some(reader) => reader,
                None => open.open()?,
            };
            reader.seek(SeekFrom::Start(member.offset))?;
            let mut bytes = vec![0; usize::try_from(member.size).map_err(io::Error::other)?];
            reader.read_exact(&mut bytes)?;
            *shared = Some(reader);
            Ok::<_, io::Error>(bytes)
        });
        let bytes = read
            .await
            .map_err(|error| unread(path, io::Error::other(error)))?;
        let bytes = bytes.map_err(|error| unread(path, error))?;
        match <[u8; 32]>::from(Sha256::digest(&bytes)) == member.sha256 {
            true => Ok(bytes),
            false => Err(lost(path, "is not what was exported")),
        }
    }

    /// A large member, in pieces, by a reader of its own.
    fn stream(&self, path: String, member: Member) -> BoxStream<'static, Result<Bytes, Trouble>> {
        let (sender, receiver) = mpsc::channel::<Result<Bytes, Trouble>>(2);
        let open = self.opener().ahead();
        tokio::task::spawn_blocking(move || {
            if let Err(trouble) = pump(&open, &path, member, &sender) {
                // Nobody is there any more to be told.
                let _ = sender.blocking_send(Err(trouble));
            }
        });
        stream::unfold(receiver, |mut receiver| async move {
            let piece = receiver.recv().await?;
            Some((piece, receiver))
        })
        .boxed()
    }

    fn opener(&self) -> Opener {
        Opener {
            parts: self.parts.clone(),
            encrypted: self.seal.encrypted,
            identities: self.identities.clone(),
            handle: Handle::current(),
            ahead: false,
        }
    }
}

/// Opens the plain tar.
struct Opener {
    parts: Parts,
    encrypted: bool,
    identities: Vec<Identity>,
    handle: Handle,
    ahead: bool,
}

impl Opener {
    /// For one that reads on and on.
    fn ahead(self) -> Self {
        Self {
            ahead: true,
            ..self
        }
    }

    fn open(&self) -> io::Result<Box<dyn Plain>> {
        let (parts, handle) = (self.parts.clone(), self.handle.clone());
        let source = match self.ahead {
            true => PartsReader::from_a_place(parts, handle),
            false => PartsReader::here_and_there(parts, handle),
        };
        match self.encrypted {
            false => Ok(Box::new(source)),
            true => match Decryption::begin(&self.identities, source) {
                Ok(plain) => Ok(Box::new(plain)),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    }
}

fn pump(
    open: &Opener,
    path: &str,
    member: Member,
    sender: &mpsc::Sender<Result<Bytes, Trouble>>,
) -> Result<(), Trouble> {
    let failed = |error: io::Error| unread(path, error);
    let mut reader = open.open().map_err(failed)?;
    reader
        .seek(SeekFrom::Start(member.offset))
        .map_err(failed)?;
    let (mut digest, mut left) = (Sha256::new(), member.size);
    while left > 0 {
        let length = PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES));
        let mut piece = vec![0; length];
        reader.read_exact(&mut piece).map_err(failed)?;
        digest.update(&piece);
        left -= length as u64;
        if left == 0 && <[u8; 32]>::from(digest.clone().finalize()) != member.sha256 {
            return Err(lost(path, "is not what was exported"));
        }
        if sender.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// A chunk that does not open, or a tar that ends early, is damage; a store that fails is not.
fn unread(path: &str, error: io::Error) -> Trouble {
    let damage = matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    );
    let said = format!("`{path}` of the export: {error}");
    Trouble {
        cause: match damage {
            true => Box::new(Damaged::Sealed(said)),
            false => said.into(),
        },
        damage,
    }
}
