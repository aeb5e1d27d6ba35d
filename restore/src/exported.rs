//! An exported folder as what a restore reads from: the original documents, and the files beside the YAML.
//!
//! Everything is held against the digests that were written with it. An item whose YAML was edited since is not restored:
//! its original says something else than its YAML, and `az ml` makes what the YAML says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use archive_format::{Address, DocumentEntry, FileEntry, Item, Line};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use workspace::folder::Folder;
use workspace::{ByteStream, ItemId, Kind, Workspace};

use crate::export::{EDITION, OWN, path};
use crate::origin::{AT, Taken, Trouble};
use crate::snapshot::id_of;
use crate::{Action, Damaged, Error, Loss};

/// The kind of a folder's entries.
const FILES: &str = "files";

/// Larger documents and records are no service's.
const TEXT_BYTES_MAX: u64 = 256 << 20;

/// An exported folder.
#[derive(Clone, Debug)]
pub struct ExportedFolder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    id: String,
    of: Taken,
    identity: Value,
    /// The items that are restored, with the path of what the snapshot says of each.
    records: BTreeMap<ItemId, String>,
    left: Vec<Loss>,
}

/// `.mlark/snapshot.json`.
#[derive(Deserialize)]
struct Whole {
    edition: u32,
    #[serde(flatten)]
    of: Taken,
    identity: Value,
}

/// What the snapshot says of an item, and the digests of its YAML by path.
#[derive(Deserialize)]
struct Record {
    item: Line,
    yaml: BTreeMap<String, String>,
}

impl ExportedFolder {
    /// Whether a path is an exported folder: one that was not cut off.
    pub fn is_one(path: &Path) -> bool {
        path.join(OWN).join("snapshot.json").is_file()
    }

    /// Opens one, and looks which YAML was edited.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let folder = Folder::open(path)
            .await
            .map_err(|error| Error::snapshot("the folder", error))?;
        let whole: Whole = parsed(&folder, &format!("{OWN}/snapshot.json")).await?;
        if whole.edition != EDITION {
            return Err(Error::FolderEdition {
                found: whole.edition,
                known: EDITION,
            });
        }
        let (mut found, mut sheets) = (BTreeSet::new(), BTreeSet::new());
        let files = Kind::find(FILES);
        let mut entries = match files {
            Some(files) => folder.list(files),
            None => stream::empty().boxed(),
        };
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(|error| Error::snapshot("the folder", error))?;
            let path = entry.id.name;
            if path.starts_with(&format!("{OWN}/items/")) && path.ends_with(".json") {
                found.insert(path);
            } else if is_sheet(&path) {
                sheets.insert(path);
            }
        }
        drop(entries);
        let mut inner = Inner {
            folder,
            id: String::new(),
            of: whole.of,
            identity: whole.identity,
            records: BTreeMap::new(),
            left: Vec::new(),
        };
        inner.look(found, sheets).await?;
        Ok(Self(Arc::new(inner)))
    }

    /// Its digest: over what it says of each item.
    pub(crate) fn id(&self) -> String {
        self.0.id.clone()
    }

    pub(crate) fn of(&self) -> &Taken {
        &self.0.of
    }

    pub(crate) fn identity(&self) -> &Value {
        &self.0.identity
    }

    /// What is there and is not restored.
    pub(crate) fn left(&self) -> Vec<Loss> {
        self.0.left.clone()
    }

    /// The lines of all items, or of a kind's.
    pub(crate) fn lines(&self, kind: Option<&str>) -> BoxStream<'static, Result<Line, Error>> {
        let wanted: Vec<ItemId> = self
            .0
            .records
            .keys()
            .filter(|id| kind.is_none_or(|kind| id.kind == kind))
            .cloned()
            .collect();
        let this = self.clone();
        stream::iter(wanted)
            .then(move |id| {
                let this = this.clone();
                async move { this.line(&id).await }
            })
            .try_filter_map(|line| async move { Ok(line) })
            .boxed()
    }

    async fn line(&self, id: &ItemId) -> Result<Option<Line>, Error> {
        let Some(path) = self.0.records.get(id) else {
            return Ok(None);
        };
        let mut line = parsed::<Record>(&self.0.folder, path).await?.item;
        let kind = Kind::find(&id.kind);
        for file in &mut line.files {
            let at = path::of_file(kind, id, file.path.as_str());
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
        let path = path::of_document(id, &entry.form);
        let text = text(&self.0.folder, &path)
            .await?
            .ok_or_else(|| lost(&path, "is not there"))?;
        let value = workspace::json::parse(&text).map_err(|_| lost(&path, "is no JSON"))?;
        let canonical = archive_format::json::canonical(&value);
        if Address::of(&canonical) != entry.address {
            return Err(lost(&path, "is not what was exported"));
        }
        Ok(value)
    }

    /// The bytes of a file of an item, by what somebody else says of it.
    pub(crate) fn bytes_of(
        &self,
        kind: Option<&Kind>,
        id: &ItemId,
        file: &FileEntry,
    ) -> BoxStream<'static, Result<Bytes, Trouble>> {
        let mut file = file.clone();
        let at = path::of_file(kind, id, file.path.as_str());
        file.more.insert(AT.to_owned(), at.into());
        self.bytes(&file)
    }

    /// The bytes of a file, which end in an error where they are not those that were exported.
    pub(crate) fn bytes(&self, file: &FileEntry) -> BoxStream<'static, Result<Bytes, Trouble>> {
        let at = file
            .more
            .get(AT)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (this, at) = (self.clone(), at.to_owned());
        let expected = file
            .content
            .as_ref()
            .map(|content| content.sha256.to_string());
        let opened = async move {
            let source = open(&this.0.folder, &at).await?;
            let source = source.ok_or_else(|| lost(&at, "is not there"))?;
            Ok::<_, Trouble>(checked(source, at, expected))
        };
        stream::once(opened).try_flatten().boxed()
    }
}

impl Inner {
    /// Looks at what is said of each item and at its YAML.
    async fn look(
        &mut self,
        found: BTreeSet<String>,
        mut sheets: BTreeSet<String>,
    ) -> Result<(), Error> {
        let mut digest = Sha256::new();
        for path in found {
            let bytes = text(&self.folder, &path)
                .await
                .map_err(|error| Error::snapshot(path.clone(), error))?
                .unwrap_or_default();
            digest.update(Sha256::digest(&bytes));
            let record: Record = read(&path, &bytes)?;
            let id = id_of(&record.item);
            if path::of_record(&id) != path {
                return Err(damaged(&path, "speaks of another item"));
            }
            let mut edited = None;
            for (sheet, expected) in record.yaml {
                sheets.remove(&sheet);
                let there = text(&self.folder, &sheet)
                    .await
                    .map_err(|error| Error::snapshot(sheet.clone(), error))?;
                let same = there.is_some_and(|text| hex::encode(Sha256::digest(&text)) == expected);
                if !same {
                    edited = edited.or(Some(sheet));
                }
            }
            match edited {
                Some(sheet) => self.leave(&id, &sheet, "it was edited since it was exported"),
                None => {
                    self.records.insert(id, path);
                }
            }
        }
        for sheet in sheets {
            let (kind, name) = sheet.split_once('/').unwrap_or((FILES, &sheet));
            let id = ItemId::new(kind, name);
            self.leave(&id, &sheet, "it is not of this export");
        }
        self.id = format!("folder:{}", hex::encode(digest.finalize()));
        Ok(())
    }

    fn leave(&mut self, id: &ItemId, sheet: &str, reason: &str) {
        let singular = Kind::find(&id.kind).map_or("…", |kind| kind.singular);
        self.left.push(Loss::new(
            id,
            Action::Manual,
            sheet,
            reason,
            format!("az ml {singular} create --file {sheet}"),
        ));
    }
}

/// Whether a path is YAML of an item, and no file of one.
fn is_sheet(path: &str) -> bool {
    let own = [OWN, "notebooks", FILES];
    let first = path.split('/').next().unwrap_or_default();
    let inside = path.split('/').any(|part| part == workspace::azml::FILES);
    path.ends_with(".yml") && !own.contains(&first) && !inside
}

async fn open(folder: &Folder, path: &str) -> Result<Option<ByteStream>, workspace::Error> {
    let listed = folder.get(&ItemId::new(FILES, path)).await?;
    match listed.and_then(|listed| listed.file) {
        Some(file) => folder.read(&file).await.map(Some),
        None => Ok(None),
    }
}

/// A small file; `None` where it is not there.
async fn text(folder: &Folder, path: &str) -> Result<Option<Vec<u8>>, workspace::Error> {
    let Some(mut bytes) = open(folder, path).await? else {
        return Ok(None);
    };
    let mut text = Vec::new();
    while let Some(piece) = bytes.try_next().await? {
        if text.len() as u64 + piece.len() as u64 > TEXT_BYTES_MAX {
            return Err(workspace::Error::Unsupported {
                what: format!("`{path}`, larger than 256 MiB,"),
            });
        }
        text.extend_from_slice(&piece);
    }
    Ok(Some(text))
}

async fn parsed<T: serde::de::DeserializeOwned>(folder: &Folder, path: &str) -> Result<T, Error> {
    let text = text(folder, path)
        .await
        .map_err(|error| Error::snapshot(path, error))?
        .ok_or_else(|| damaged(path, "is not there"))?;
    read(path, &text)
}

fn read<T: serde::de::DeserializeOwned>(path: &str, text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text)
        .map_err(|error| damaged(path, &format!("is not what was exported: {error}")))
}

fn damaged(path: &str, reason: &str) -> Error {
    Error::snapshot(path, lost(path, reason).cause)
}

fn lost(path: &str, reason: &str) -> Trouble {
    Trouble {
        cause: Box::new(Damaged::Folder(format!("`{path}` {reason}"))),
        damage: true,
    }
}

/// A stream that ends in an error where its digest is another.
fn checked(
    source: ByteStream,
    at: String,
    expected: Option<String>,
) -> BoxStream<'static, Result<Bytes, Trouble>> {
    let state = Some((source, Sha256::new()));
    stream::try_unfold(state, move |state| {
        let (at, expected) = (at.clone(), expected.clone());
        async move {
            let Some((mut source, mut digest)) = state else {
                return Ok(None);
            };
            match source.try_next().await? {
                Some(piece) => {
                    digest.update(&piece);
                    Ok(Some((piece, Some((source, digest)))))
                }
                None if Some(hex::encode(digest.finalize())) == expected => Ok(None),
                None => Err(lost(&at, "is not what was exported")),
            }
        }
    })
    .boxed()
}
