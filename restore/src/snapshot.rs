//! The snapshot as a restore reads it: items with their documents, bytes of files, secrets.

use std::collections::{BTreeMap, HashMap};

use archive_format::{Digest, FileEntry, Item, Lack, Line, LineKey, SecretEntry};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::Value;
use workspace::select::{Named, Verdict};
use workspace::{ByteStream, Form, Identity, ItemId, Kind, Selection};

use crate::Error;
use crate::lost::{Lost, LostPart};
use crate::mltable;
use crate::origin::Origin;
use crate::plan::Amount;
use crate::world::{documents, known};

/// A snapshot with what names the workspace that it was taken of.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    origin: Origin,
    identity: Identity,
    /// Whether what is lost is left out; else it is an error.
    partial: bool,
    lost: Lost,
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
    /// Its files that hold addresses, by path; read where a target may need them.
    pub(crate) tables: BTreeMap<String, Bytes>,
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

/// Whether a file is one that holds addresses, and not too large for one.
fn is_table(file: &FileEntry) -> bool {
    mltable::is_named(file.path.as_str()) && file.size() <= mltable::BYTES_MAX
}

impl Source {
    /// Reads what names the workspace. `partial`: what a damaged repository lost is left out.
    pub(crate) fn new(origin: &Origin, partial: bool) -> Result<Self, Error> {
        let identity = serde_json::from_value(origin.identity())
            .map_err(|error| Error::snapshot("what names its workspace", error))?;
        let origin = if partial {
            origin.clone().passing_over_damage()
        } else {
            origin.clone()
        };
        Ok(Self {
            origin,
            identity,
            partial,
            lost: Lost::default(),
        })
    }

    /// What was found lost so far.
    pub(crate) fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Everything that is lost, of items and of the manifest.
    pub(crate) fn lost_parts(&self) -> Vec<LostPart> {
        let mut parts = self.lost.parts();
        parts.extend(self.origin.passed_over());
        parts
    }

    /// Whether what is lost is left out.
    pub(crate) fn is_partial(&self) -> bool {
        self.partial
    }

    /// The workspace that it was taken of.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The snapshot's id.
    pub(crate) fn id(&self) -> String {
        self.origin.id()
    }

    /// All lines.
    pub(crate) fn lines(&self) -> BoxStream<'static, Result<Line, Error>> {
        self.origin.lines()
    }

    /// The lines of a kind.
    pub(crate) fn lines_of_kind(&self, kind: &str) -> BoxStream<'static, Result<Line, Error>> {
        self.origin.lines_of_kind(kind)
    }

    /// The lines of what a selector names.
    pub(crate) fn lines_of(&self, named: &Named) -> BoxStream<'static, Result<Line, Error>> {
        if named.below {
            let prefix = format!("{}/", named.name);
            return self.origin.lines_of_names(&named.kind, &prefix);
        }
        let (name, lines) = (
            named.name.clone(),
            self.origin.lines_of_names(&named.kind, &named.name),
        );
        // In the order of lines a name comes before all others that begin with it.
        lines
            .try_take_while(move |line| std::future::ready(Ok(line.name == name)))
            .boxed()
    }

    /// Whether it has an item of a name.
    pub(crate) async fn has(&self, id: &ItemId) -> Result<bool, Error> {
        let mut lines = self.lines_of(&Named {
            kind: id.kind.clone(),
            name: id.name.clone(),
            below: false,
        });
        Ok(lines.try_next().await?.is_some())
    }

    /// Whether an item is selected; its documents are read only where a condition asks for them.
    pub(crate) async fn is_selected(
        &self,
        selection: &Selection,
        id: &ItemId,
    ) -> Result<bool, Error> {
        match selection.matches_item(id, &()) {
            Verdict::Yes => Ok(true),
            Verdict::No => Ok(false),
            Verdict::Unknown => {
                let Some(loaded) = self.load(id).await? else {
                    return Ok(false);
                };
                let documents = documents(&loaded);
                Ok(selection.matches_item(id, &known(&loaded, &documents)) == Verdict::Yes)
            }
        }
    }

    /// One item with its documents; `None` where the snapshot does not have it.
    pub(crate) async fn load(&self, id: &ItemId) -> Result<Option<Loaded>, Error> {
        match self.origin.item(id).await? {
            Some(item) => self.load_from(id, item).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same where all lines of the item are at hand.
    pub(crate) async fn load_from(&self, id: &ItemId, item: Item) -> Result<Loaded, Error> {
        let [item] = self.without_lost([item]).await?;
        let arm = self.text(id, &item, Form::Arm).await?;
        let record = self.text(id, &item, Form::RunHistory).await?;
        Ok(Loaded {
            id: id.clone(),
            item,
            arm,
            record,
            tables: BTreeMap::new(),
        })
    }

    /// Reads those files of an item that hold addresses of data. What is lost is passed over here: whoever writes the file
    /// finds it.
    pub(crate) async fn load_tables(&self, loaded: &mut Loaded) -> Result<(), Error> {
        if !Kind::find(&loaded.id.kind).is_some_and(|kind| kind.tables) {
            return Ok(());
        }
        for file in loaded.item.files.iter().filter(|file| is_table(file)) {
            match self.bytes(file).try_collect::<BytesMut>().await {
                Ok(bytes) => {
                    let path = file.path.as_str().to_owned();
                    loaded.tables.insert(path, bytes.freeze());
                }
                Err(_) if self.is_lost(file) => {}
                Err(error) => {
                    let what = format!("`{}` of {}", file.path, loaded.id);
                    return Err(Error::snapshot(what, error));
                }
            }
        }
        Ok(())
    }

    /// Whether something was found lost that may not be left out: then nothing more is begun.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.partial && self.lost.has_damage()
    }

    /// Notes that a file of an item is lost where its content was found so, and says whether it was.
    pub(crate) fn note_lost(&self, id: &ItemId, file: &FileEntry) -> bool {
        let is_lost = self.is_lost(file);
        if is_lost {
            self.lost
                .part(id, Lack::File(file.path.as_str().to_owned()));
        }
        is_lost
    }

    fn is_lost(&self, file: &FileEntry) -> bool {
        let content = file.content.as_ref();
        content.is_some_and(|content| self.lost.has_content(&content.sha256))
    }

    /// Notes what the repository lost of items, and leaves it out where that is wished for.
    pub(crate) async fn without_lost<I: AsRef<[Item]> + AsMut<[Item]>>(
        &self,
        mut items: I,
    ) -> Result<I, Error> {
        let lacks = self.origin.lacks(items.as_ref()).await?;
        for (item, lacks) in items.as_mut().iter_mut().zip(lacks) {
            self.leave_out(item, lacks);
        }
        Ok(items)
    }

    fn leave_out(&self, item: &mut Item, mut lacks: Vec<Lack>) {
        for file in &item.files {
            if self.is_lost(file) {
                lacks.push(Lack::File(file.path.as_str().to_owned()));
            }
        }
        let id = id_of_key(&item.key);
        for lack in &lacks {
            self.lost.part(&id, lack);
            if !self.partial {
                continue;
            }
            match lack {
                Lack::Document(form) => item.documents.retain(|entry| entry.form != *form),
                Lack::File(path) => item.files.retain(|file| file.path.as_str() != path),
                Lack::Secret(pointer) => item.secrets.retain(|entry| entry.pointer != *pointer),
            }
        }
    }

    async fn text(&self, id: &ItemId, item: &Item, form: Form) -> Result<Option<Text>, Error> {
        let word = form_word(form);
        let Some(entry) = item.documents.iter().find(|entry| entry.form == word) else {
            return Ok(None);
        };
        let value = match self.origin.document(id, entry).await {
            Ok(value) => value,
            Err(trouble) if self.partial && trouble.damage => {
                self.lost.part(id, Lack::Document(entry.form.clone()));
                return Ok(None);
            }
            Err(trouble) => {
                if trouble.damage {
                    self.lost.damage();
                }
                let what = format!("the document of {id}");
                return Err(Error::snapshot(what, trouble.cause));
            }
        };
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
        let (lost, digest) = (self.lost.clone(), content.sha256);
        self.origin
            .bytes(file)
            .map(move |piece| {
                piece.map_err(|trouble| {
                    if trouble.damage {
                        lost.content(digest);
                    }
                    workspace::Error::Local {
                        what: format!("`{path}` of the snapshot"),
                        source: trouble.cause,
                    }
                })
            })
            .boxed()
    }

    /// The first file of an item, whether it is lost or not: whoever reads it finds that; `None` where the snapshot does not
    /// have the item.
    pub(crate) async fn first_file(&self, id: &ItemId) -> Result<Option<Option<FileEntry>>, Error> {
        let item = self.origin.item(id).await?;
        Ok(item.map(|item| item.files.into_iter().next()))
    }

    /// The bytes of those of many small files that can be read together, checked, by their SHA-256.
    pub(crate) async fn small_files(&self, files: &[&FileEntry]) -> HashMap<Digest, Bytes> {
        self.origin.small_files(files).await
    }

    /// A secret of an item, as JSON text or plain text, whichever it was stored as.
    pub(crate) async fn secret(
        &self,
        id: &ItemId,
        entry: &SecretEntry,
    ) -> Result<secrecy::SecretSlice<u8>, Error> {
        self.origin.secret(id, entry).await
    }
}

/// The items that sorted lines make together.
pub(crate) fn items(
    lines: impl Stream<Item = Result<Line, Error>> + Send + 'static,
) -> BoxStream<'static, Result<Item, Error>> {
    let state = (lines.fuse().boxed(), None::<Item>);
    stream::try_unfold(state, |(mut lines, mut open)| async move {
        while let Some(line) = lines.try_next().await? {
            match &mut open {
                Some(item) if item.key.same_item(&line.key()) => item.append(line),
                _ => {
                    if let Some(whole) = open.replace(Item::from_line(line)) {
                        return Ok(Some((whole, (lines, open))));
                    }
                }
            }
        }
        Ok(open.map(|last| (last, (lines, None))))
    })
    .boxed()
}

/// Files, and items, of which the repository is asked together what is lost.
const TOGETHER: usize = 1024;

/// Items in bundles, in their order: as many as are looked up together, and no more than memory is to hold.
pub(crate) fn bundles(
    items: impl Stream<Item = Result<Item, Error>> + Send + 'static,
) -> BoxStream<'static, Result<Vec<Item>, Error>> {
    stream::try_unfold(items.fuse().boxed(), |mut items| async move {
        let (mut bundle, mut weight) = (Vec::new(), 0);
        while weight < TOGETHER
            && let Some(item) = items.try_next().await?
        {
            weight += item.files.len().max(1);
            bundle.push(item);
        }
        Ok((!bundle.is_empty()).then_some((bundle, items)))
    })
    .boxed()
}

/// Whether a selection may be about a line, by its name alone. What keeps a kind as a whole from being there is the
/// concern of whoever selects anything of it.
pub(crate) fn may_select(selection: &Selection, line: &Line) -> bool {
    if line.is_of_kind() {
        return selection.may_take_kind(&line.kind);
    }
    line.part == 0 && selection.matches_item(&id_of(line), &()) != Verdict::No
}

/// The name of the item that a line is about.
pub(crate) fn id_of(line: &Line) -> ItemId {
    id_of_key(&line.key())
}

/// The name of the item of a key.
pub(crate) fn id_of_key(key: &LineKey) -> ItemId {
    ItemId {
        kind: key.kind.clone(),
        name: key.name.clone(),
        version: key.version.clone(),
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
