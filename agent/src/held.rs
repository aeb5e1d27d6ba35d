//! What a snapshot holds, item by item, and which of it a selection takes. Items are read one after the other; nothing
//! holds the list of all of them.

use archive_format::{DocumentEntry, FileEntry, Item, LineKey, SnapshotReader};
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use workspace::select::Known;
use workspace::{Document, FilePath, Form, ItemId, Kind, Selection, Verdict};

use crate::failure::Failure;

/// All items of a snapshot in the manifest's order, the lines of each put together.
pub fn items(reader: &SnapshotReader) -> BoxStream<'static, Result<Item, Failure>> {
    let state = (reader.lines().peekable(), None::<Item>);
    try_unfold(state, |(mut lines, mut item)| async move {
        loop {
            match lines.next().await.transpose()? {
                None => return Ok(item.take().map(|item| (item, (lines, None)))),
                Some(line) => match &mut item {
                    Some(open) if open.key.same_item(&line.key()) => open.append(line),
                    _ => {
                        let whole = item.replace(Item::from_line(line));
                        if let Some(whole) = whole {
                            return Ok(Some((whole, (lines, item))));
                        }
                    }
                },
            }
        }
    })
    .map_err(|error| Failure::of_archive(&error))
    .boxed()
}

/// The name of an item of a snapshot.
pub fn id(key: &LineKey) -> ItemId {
    ItemId {
        kind: key.kind.clone(),
        name: key.name.clone(),
        version: key.version.clone(),
    }
}

/// The bytes of all its files.
pub fn size(item: &Item) -> u64 {
    item.files.iter().map(FileEntry::size).sum()
}

/// Items of one snapshot seen through a selection. Documents are opened only where a condition asks about one.
#[derive(Debug)]
pub struct Chooser<'a> {
    reader: &'a SnapshotReader,
    selection: &'a Selection,
}

/// What is chosen of an item.
#[derive(Debug)]
pub struct Chosen {
    /// Its name.
    pub id: ItemId,
    /// The item, with the chosen files only.
    pub item: Item,
}

impl<'a> Chooser<'a> {
    /// Looks at a snapshot through a selection.
    pub fn new(reader: &'a SnapshotReader, selection: &'a Selection) -> Self {
        Self { reader, selection }
    }

    /// What the selection takes of an item; `None` where that is nothing.
    pub async fn choose(&self, mut item: Item) -> Result<Option<Chosen>, Failure> {
        let id = id(&item.key);
        if !self.selection.may_take_kind(&id.kind) {
            return Ok(None);
        }
        let size = size(&item);
        let mut documents = None;
        let taken = loop {
            let known = known(&id, documents.as_deref(), size);
            match self.selection.matches_item(&id, &known) {
                Verdict::Yes => break true,
                Verdict::No => break false,
                // With every document at hand what is still unknown is not there.
                Verdict::Unknown if documents.is_some() => break false,
                Verdict::Unknown => documents = Some(self.documents(&item).await?),
            }
        };
        if !taken {
            return Ok(None);
        }
        if documents.is_none() && self.asks_documents(&id, &item, size) {
            documents = Some(self.documents(&item).await?);
        }
        let known = known(&id, documents.as_deref(), size);
        item.files.retain(|file| {
            FilePath::new(file.path.as_str())
                .is_ok_and(|path| self.selection.matches_file(&id, &path, &known) == Verdict::Yes)
        });
        Ok(Some(Chosen { id, item }))
    }

    fn asks_documents(&self, id: &ItemId, item: &Item, size: u64) -> bool {
        let known = known(id, None, size);
        item.files.iter().any(|file| {
            FilePath::new(file.path.as_str()).is_ok_and(|path| {
                self.selection.matches_file(id, &path, &known) == Verdict::Unknown
            })
        })
    }

    async fn documents(&self, item: &Item) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::with_capacity(item.documents.len());
        for entry in &item.documents {
            documents.extend(self.document(entry).await?);
        }
        Ok(documents)
    }

    async fn document(&self, entry: &DocumentEntry) -> Result<Option<Document>, Failure> {
        let Some(form) = form(&entry.form) else {
            return Ok(None);
        };
        let value = self
            .reader
            .document(entry)
            .await
            .map_err(|error| Failure::of_archive(&error))?;
        Ok(Some(Document {
            form,
            api_version: entry.api_version.clone(),
            read: entry.read,
            value,
        }))
    }
}

/// What is known of an item before its documents are opened, and with them.
fn known<'a>(id: &ItemId, documents: Option<&'a [Document]>, size: u64) -> Known<'a> {
    Known {
        kind: Kind::find(&id.kind),
        documents: documents.unwrap_or_default(),
        size: Some(size),
        written: None,
    }
}

/// The form that an archive's word means; a later version may have others.
pub fn form(word: &str) -> Option<Form> {
    match word {
        "arm" => Some(Form::Arm),
        "runhistory" => Some(Form::RunHistory),
        "azml" => Some(Form::AzMl),
        _ => None,
    }
}
