//! The snapshot as a restore reads it: items with their documents, bytes of files, secrets.

use archive_format::{FileEntry, Item, Line, SecretEntry, SnapshotReader};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;
use workspace::{ByteStream, Form, Identity, ItemId};

use crate::Error;
use crate::plan::Amount;

/// A snapshot with what names the workspace that it was taken of.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    reader: SnapshotReader,
    identity: Identity,
}

/// A document of an item, as the snapshot has it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The JSON.
    pub(crate) value: Value,
    /// The api-version that it was read with.
    pub(crate) api_version: String,
    /// When it was read.
    pub(crate) read: Timestamp,
}

/// An item of the snapshot with its documents read.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// Its name.
    pub(crate) id: ItemId,
    /// What the manifest says.
    pub(crate) item: Item,
    /// Its resource, as ARM returned it.
    pub(crate) arm: Option<Text>,
    /// Its record, as run history returned it.
    pub(crate) record: Option<Text>,
}

impl Loaded {
    /// All its files.
    pub(crate) fn amount(&self) -> Amount {
        Amount {
            files: self.item.files.len() as u64,
            bytes: self.item.files.iter().map(FileEntry::size).sum(),
        }
    }
}

impl Source {
    /// Reads what names the workspace.
    pub(crate) fn new(reader: &SnapshotReader) -> Result<Self, Error> {
        let identity = serde_json::from_value(reader.record().identity.clone())
            .map_err(|error| Error::snapshot("what names its workspace", error))?;
        Ok(Self {
            reader: reader.clone(),
            identity,
        })
    }

    /// The workspace that it was taken of.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The snapshot's id.
    pub(crate) fn id(&self) -> String {
        self.reader.record().id.to_string()
    }

    /// All lines.
    pub(crate) fn lines(&self) -> BoxStream<'static, Result<Line, Error>> {
        failing(self.reader.lines())
    }

    /// The lines of a kind.
    pub(crate) fn lines_of_kind(&self, kind: &str) -> BoxStream<'static, Result<Line, Error>> {
        failing(self.reader.lines_of_kind(kind))
    }

    /// One item with its documents; `None` where the snapshot does not have it.
    pub(crate) async fn load(&self, id: &ItemId) -> Result<Option<Loaded>, Error> {
        let item = self
            .reader
            .item(&id.kind, &id.name, id.version.as_deref())
            .await
            .map_err(|error| Error::snapshot(id.to_string(), error))?;
        let Some(item) = item else {
            return Ok(None);
        };
        let arm = self.text(id, &item, Form::Arm).await?;
        let record = self.text(id, &item, Form::RunHistory).await?;
        Ok(Some(Loaded {
            id: id.clone(),
            item,
            arm,
            record,
        }))
    }

    async fn text(&self, id: &ItemId, item: &Item, form: Form) -> Result<Option<Text>, Error> {
        let word = form_word(form);
        let Some(entry) = item.documents.iter().find(|entry| entry.form == word) else {
            return Ok(None);
        };
        let value = self
            .reader
            .document(entry)
            .await
            .map_err(|error| Error::snapshot(format!("the document of {id}"), error))?;
        Ok(Some(Text {
            value,
            api_version: entry.api_version.clone(),
            read: entry.read,
        }))
    }

    /// The bytes of a file, checked against their digests as they come.
    pub(crate) fn bytes(&self, file: &FileEntry) -> ByteStream {
        let Some(content) = &file.content else {
            return futures::stream::empty().boxed();
        };
        let path = file.path.to_string();
        self.reader
            .file(content)
            .map(move |piece| {
                piece.map_err(|error| workspace::Error::Local {
                    what: format!("`{path}` of the snapshot"),
                    source: Box::new(error),
                })
            })
            .boxed()
    }

    /// A secret of an item, as JSON text or plain text, whichever it was stored as.
    pub(crate) async fn secret(
        &self,
        id: &ItemId,
        entry: &SecretEntry,
    ) -> Result<secrecy::SecretSlice<u8>, Error> {
        self.reader
            .secret(entry)
            .await
            .map_err(|error| Error::snapshot(format!("a secret of {id}"), error))
    }
}

fn failing(
    lines: BoxStream<'static, Result<Line, archive_format::Error>>,
) -> BoxStream<'static, Result<Line, Error>> {
    lines
        .map(|line| line.map_err(|error| Error::snapshot("the list of items", error)))
        .boxed()
}

/// The name of the item that a line is about.
pub(crate) fn id_of(line: &Line) -> ItemId {
    ItemId {
        kind: line.kind.clone(),
        name: line.name.clone(),
        version: line.version.clone(),
    }
}

/// The word by which a manifest names a form.
fn form_word(form: Form) -> &'static str {
    match form {
        Form::Arm => "arm",
        Form::RunHistory => "runhistory",
        Form::AzMl => "azml",
    }
}
