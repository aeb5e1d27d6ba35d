//! What a restore reads from: a snapshot of a repository, a folder that `export folder` wrote, or a sealed export.

use std::collections::HashMap;

use archive_format::{
    Digest, DocumentEntry, FileEntry, Item, Lack, Line, SecretEntry, SnapshotReader,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workspace::ItemId;

use crate::bag::ExportedBag;
use crate::error::Cause;
use crate::exported::ExportedFolder;
use crate::lost::{self, LostPart};
use crate::{Error, Loss};

/// A snapshot to restore from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Of a repository.
    Archive(Box<SnapshotReader>),
    /// An exported folder.
    Folder(ExportedFolder),
    /// A sealed export, where it lies.
    Bag(ExportedBag),
}

impl From<&SnapshotReader> for Origin {
    fn from(reader: &SnapshotReader) -> Self {
        Self::Archive(Box::new(reader.clone()))
    }
}

impl From<&Origin> for Origin {
    fn from(origin: &Origin) -> Self {
        origin.clone()
    }
}

/// The member of a file's entry that says where its bytes lie in a folder or an export. It never leaves this process.
pub(crate) const AT: &str = "at";

/// Of which snapshot something is, whatever it is read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The snapshot's id.
    pub(crate) snapshot: String,
    /// The name of its workspace.
    pub(crate) workspace: String,
    /// When it was begun.
    pub(crate) started: Timestamp,
}

/// Reading failed, or what was read is not what was written.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    /// Whether it is lost for good.
    pub(crate) damage: bool,
}

impl From<archive_format::Error> for Trouble {
    fn from(error: archive_format::Error) -> Self {
        Self {
            damage: error.is_damage(),
            cause: Box::new(error),
        }
    }
}

impl From<workspace::Error> for Trouble {
    fn from(error: workspace::Error) -> Self {
        Self {
            damage: false,
            cause: Box::new(error),
        }
    }
}

impl Origin {
    /// The snapshot's id; of a folder its digest, of a sealed export its id.
    pub fn id(&self) -> String {
        match self {
            Self::Archive(reader) => reader.record().id.to_string(),
            Self::Folder(folder) => folder.id(),
            Self::Bag(bag) => bag.id(),
        }
    }

    /// Of which snapshot it is: of a folder and of a sealed export the one that they were made of.
    pub(crate) fn of(&self) -> Taken {
        match self {
            Self::Archive(reader) => Taken {
                snapshot: reader.record().id.to_string(),
                workspace: reader.record().workspace.clone(),
                started: reader.record().started,
            },
            Self::Folder(folder) => folder.of().clone(),
            Self::Bag(bag) => bag.of(),
        }
    }

    /// When it was taken, where that is known.
    pub(crate) fn taken(&self) -> Option<Timestamp> {
        match self {
            Self::Archive(reader) => Some(reader.record().started),
            Self::Folder(_) => None,
            Self::Bag(bag) => Some(bag.taken()),
        }
    }

    /// What names the workspace that it was taken of, as JSON.
    pub fn identity(&self) -> Value {
        match self {
            Self::Archive(reader) => reader.record().identity.clone(),
            Self::Folder(folder) => folder.identity().clone(),
            Self::Bag(bag) => bag.identity().clone(),
        }
    }

    /// The same, passing over what is damaged.
    pub(crate) fn passing_over_damage(self) -> Self {
        match self {
            Self::Archive(reader) => Self::Archive(Box::new(reader.passing_over_damage())),
            whole @ (Self::Folder(_) | Self::Bag(_)) => whole,
        }
    }

    pub(crate) fn lines(&self) -> BoxStream<'static, Result<Line, Error>> {
        match self {
            Self::Archive(reader) => failing(reader.lines()),
            Self::Folder(folder) => folder.lines(None),
            Self::Bag(bag) => bag.lines(None, ""),
        }
    }

    pub(crate) fn lines_of_kind(&self, kind: &str) -> BoxStream<'static, Result<Line, Error>> {
        match self {
            Self::Archive(reader) => failing(reader.lines_of_kind(kind)),
            Self::Folder(folder) => folder.lines(Some(kind)),
            Self::Bag(bag) => bag.lines(Some(kind), ""),
        }
    }

    /// The lines of a kind whose names begin so.
    pub(crate) fn lines_of_names(
        &self,
        kind: &str,
        prefix: &str,
    ) -> BoxStream<'static, Result<Line, Error>> {
        match self {
            Self::Archive(reader) => failing(reader.lines_of_names(kind, prefix)),
            Self::Folder(folder) => {
                let prefix = prefix.to_owned();
                let lines = folder
                    .lines(Some(kind))
                    .try_filter(move |line| std::future::ready(line.name.starts_with(&prefix)));
                lines.boxed()
            }
            Self::Bag(bag) => bag.lines(Some(kind), prefix),
        }
    }

    /// One item; `None` where it is not there.
    pub(crate) async fn item(&self, id: &ItemId) -> Result<Option<Item>, Error> {
        match self {
            Self::Archive(reader) => reader
                .item(&id.kind, &id.name, id.version.as_deref())
                .await
                .map_err(|error| Error::snapshot(id.to_string(), error)),
            Self::Folder(folder) => folder.item(id).await,
            Self::Bag(bag) => bag.item(id).await,
        }
    }

    /// What is lost of each item for good.
    pub(crate) async fn lacks(&self, items: &[Item]) -> Result<Vec<Vec<Lack>>, Error> {
        match self {
            Self::Archive(reader) => reader
                .lacks(items)
                .await
                .map_err(|error| Error::snapshot("what of its items is there", error)),
            Self::Folder(_) | Self::Bag(_) => Ok(vec![Vec::new(); items.len()]),
        }
    }

    /// What the manifest lost.
    pub(crate) fn passed_over(&self) -> Vec<LostPart> {
        match self {
            Self::Archive(reader) => lost::passed_over(reader),
            Self::Folder(_) | Self::Bag(_) => Vec::new(),
        }
    }

    pub(crate) async fn document(
        &self,
        id: &ItemId,
        entry: &DocumentEntry,
    ) -> Result<Value, Trouble> {
        match self {
            Self::Archive(reader) => Ok(reader.document(entry).await?),
            Self::Folder(folder) => folder.document(id, entry).await,
            Self::Bag(bag) => bag.document(id, entry).await,
        }
    }

    /// The bytes of a file that has any, checked as they come.
    pub(crate) fn bytes(&self, file: &FileEntry) -> BoxStream<'static, Result<Bytes, Trouble>> {
        match (self, &file.content) {
            (_, None) => futures::stream::empty().boxed(),
            (Self::Archive(reader), Some(content)) => {
                reader.file(content).map_err(Trouble::from).boxed()
            }
            (Self::Folder(folder), Some(_)) => folder.bytes(file),
            (Self::Bag(bag), Some(_)) => bag.bytes(file),
        }
    }

    /// The bytes of those of many small files that can be read together, by their SHA-256. What is left out is read, or
    /// found lost, by [`Origin::bytes`].
    pub(crate) async fn small_files(&self, files: &[&FileEntry]) -> HashMap<Digest, Bytes> {
        match self {
            Self::Archive(reader) => {
                let contents = files.iter().filter_map(|file| file.content.as_ref());
                reader.small_files(&contents.collect::<Vec<_>>()).await
            }
            Self::Folder(_) | Self::Bag(_) => HashMap::new(),
        }
    }

    pub(crate) async fn secret(
        &self,
        id: &ItemId,
        entry: &SecretEntry,
    ) -> Result<secrecy::SecretSlice<u8>, Error> {
        let what = || format!("a secret of {id}");
        match self {
            Self::Archive(reader) => reader
                .secret(entry)
                .await
                .map_err(|error| Error::snapshot(what(), error)),
            Self::Folder(_) | Self::Bag(_) => Err(Error::snapshot(what(), "an export holds none")),
        }
    }

    /// What is there and is not restored.
    pub(crate) fn left(&self) -> Vec<Loss> {
        match self {
            Self::Archive(_) | Self::Bag(_) => Vec::new(),
            Self::Folder(folder) => folder.left(),
        }
    }
}

fn failing(
    lines: BoxStream<'static, Result<Line, archive_format::Error>>,
) -> BoxStream<'static, Result<Line, Error>> {
    lines
        .map_err(|error| Error::snapshot("the list of items", error))
        .boxed()
}
