//! What differs between two snapshots: both manifests are walked side by side, and what they share is not read.
//!
//! Names, sizes and digests tell; documents are compared by the fingerprint that leaves volatile members out. No content
//! is opened, so the machine's key is enough.

use std::collections::{BTreeMap, VecDeque};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::manifest::root::Child;
use crate::read::walk::Walk;
use crate::{Digest, DocumentEntry, EntryKind, Error, FileEntry, Line, LineKey, SnapshotReader};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Only the second snapshot has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, with other content.
    Changed,
}

impl Change {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    fn of<T>(before: Option<&T>, after: Option<&T>) -> Self {
        match (before, after) {
            (None, _) => Self::Added,
            (_, None) => Self::Removed,
            _ => Self::Changed,
        }
    }
}

/// An item that is not the same in both.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemDifference {
    /// The item.
    pub item: LineKey,
    /// What became of it.
    pub change: Change,
    /// Its documents that differ, by form.
    pub documents: Vec<DocumentDifference>,
    /// Its files that differ, by path.
    pub files: Vec<FileDifference>,
}

/// A document that is not the same in both.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentDifference {
    /// Its form.
    pub form: String,
    /// As the first snapshot has it.
    pub before: Option<DocumentEntry>,
    /// As the second has it.
    pub after: Option<DocumentEntry>,
}

impl DocumentDifference {
    /// What became of it.
    pub fn change(&self) -> Change {
        Change::of(self.before.as_ref(), self.after.as_ref())
    }
}

/// A file that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDifference {
    /// Its path within the item.
    pub path: String,
    /// As the first snapshot has it.
    pub before: Option<FileState>,
    /// As the second has it.
    pub after: Option<FileState>,
}

impl FileDifference {
    /// What became of it.
    pub fn change(&self) -> Change {
        Change::of(self.before.as_ref(), self.after.as_ref())
    }
}

/// What tells files apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileState {
    /// File, directory or link.
    pub entry: EntryKind,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256; directories and links have none.
    pub sha256: Option<Digest>,
}

impl FileState {
    fn of(file: &FileEntry) -> Self {
        Self {
            entry: file.entry.clone(),
            size: file.size(),
            sha256: file.content.as_ref().map(|content| content.sha256),
        }
    }
}

/// What differs between two snapshots of one repository, item by item in the manifests' order. Memory holds a piece of
/// each manifest, and of one item what its differing pieces say.
pub fn diff(
    before: &SnapshotReader,
    after: &SnapshotReader,
) -> BoxStream<'static, Result<ItemDifference, Error>> {
    let sides = Sides {
        before: Side::new(before),
        after: Side::new(after),
        item: None,
    };
    stream::try_unfold(sides, |mut sides| async move {
        let found = sides.next().await?;
        Ok(found.map(|found| (found, sides)))
    })
    .try_filter(|found: &ItemDifference| {
        let is_empty = found.documents.is_empty() && found.files.is_empty();
        // What stands for a kind as a whole is no item that came or went.
        let same = is_empty && (found.change == Change::Changed || found.item.is_of_kind());
        std::future::ready(!same)
    })
    .boxed()
}

/// One manifest on the way: lines that were read, and the piece that comes next.
struct Side {
    reader: SnapshotReader,
    walk: Walk,
    lines: VecDeque<Line>,
    piece: Option<Child>,
    over: bool,
}

impl Side {
    fn new(reader: &SnapshotReader) -> Self {
        Self {
            reader: reader.clone(),
            walk: Walk::new(reader.record().manifest, None),
            lines: VecDeque::new(),
            piece: None,
            over: false,
        }
    }

    /// Makes sure that a line or the piece that comes next is at hand, where there is one.
    async fn look(&mut self) -> Result<(), Error> {
        if self.lines.is_empty() && self.piece.is_none() && !self.over {
            self.piece = self
                .walk
                .next(&self.reader.repository().inner.objects)
                .await?;
            self.over = self.piece.is_none();
        }
        Ok(())
    }

    /// The key that comes next.
    fn key(&self) -> Option<LineKey> {
        let line = self.lines.front().map(Line::key);
        line.or_else(|| self.piece.as_ref().map(|piece| piece.first.clone()))
    }

    /// Takes the line that comes next, out of its piece where it still is in one.
    async fn take(&mut self) -> Result<Option<Line>, Error> {
        if self.lines.is_empty()
            && let Some(piece) = self.piece.take()
        {
            let objects = &self.reader.repository().inner.objects;
            self.lines.extend(self.walk.lines(objects, &piece).await?);
        }
        Ok(self.lines.pop_front())
    }

    /// The address of a piece of which no line was taken yet.
    fn whole_piece(&self) -> Option<&Child> {
        self.piece.as_ref().filter(|_| self.lines.is_empty())
    }
}

struct Sides {
    before: Side,
    after: Side,
    /// The item whose lines are being taken.
    item: Option<Both>,
}

impl Sides {
    /// The next item of which something was read: it may turn out to be the same.
    async fn next(&mut self) -> Result<Option<ItemDifference>, Error> {
        loop {
            self.before.look().await?;
            self.after.look().await?;
            if let (Some(left), Some(right)) = (self.before.whole_piece(), self.after.whole_piece())
                && left.address == right.address
            {
                // What both share is passed over; an item that begins in it may have further lines behind it.
                self.before.piece = None;
                self.after.piece = None;
                continue;
            }
            let (left, right) = (self.before.key(), self.after.key());
            let Some(key) = left.iter().chain(&right).min().cloned() else {
                return Ok(self.item.take().map(Both::compare));
            };
            let is_other = self
                .item
                .as_ref()
                .is_some_and(|item| !item.key.same_item(&key));
            if is_other {
                return Ok(self.item.take().map(Both::compare));
            }
            let item = self.item.get_or_insert_with(|| Both::new(&key));
            if left.as_ref() == Some(&key)
                && let Some(line) = self.before.take().await?
            {
                item.add(line, |state| &mut state.0, |document| &mut document.0);
                item.in_before = true;
            }
            if right.as_ref() == Some(&key)
                && let Some(line) = self.after.take().await?
            {
                item.add(line, |state| &mut state.1, |document| &mut document.1);
                item.in_after = true;
            }
        }
    }
}

type FileStates = (Option<FileState>, Option<FileState>);
type Documents = (Option<DocumentEntry>, Option<DocumentEntry>);

/// One item on both sides, as far as its lines were read.
struct Both {
    key: LineKey,
    in_before: bool,
    in_after: bool,
    documents: BTreeMap<String, Documents>,
    files: BTreeMap<String, FileStates>,
}

impl Both {
    fn new(key: &LineKey) -> Self {
        Self {
            key: LineKey {
                part: 0,
                ..key.clone()
            },
            // One that begins with a further part has its first lines in a piece that both sides share.
            in_before: key.part > 0,
            in_after: key.part > 0,
            documents: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Adds a line of a side; what turns out to be the same on both is dropped at once.
    fn add(
        &mut self,
        line: Line,
        file_side: fn(&mut FileStates) -> &mut Option<FileState>,
        document_side: fn(&mut Documents) -> &mut Option<DocumentEntry>,
    ) {
        for document in line.documents {
            let both = self.documents.entry(document.form.clone()).or_default();
            *document_side(both) = Some(document);
        }
        for file in &line.files {
            let path = file.path.as_str().to_owned();
            let both = self.files.entry(path.clone()).or_default();
            *file_side(both) = Some(FileState::of(file));
            if both.0 == both.1 {
                self.files.remove(&path);
            }
        }
    }

    fn compare(self) -> ItemDifference {
        let change = match (self.in_before, self.in_after) {
            (false, _) => Change::Added,
            (_, false) => Change::Removed,
            _ => Change::Changed,
        };
        let same = |both: &Documents| match both {
            (Some(before), Some(after)) => {
                before.address == after.address || before.fingerprint == after.fingerprint
            }
            _ => false,
        };
        let documents = self.documents.into_iter().filter(|(_, both)| !same(both));
        let documents = documents.map(|(form, (before, after))| DocumentDifference {
            form,
            before,
            after,
        });
        let files = self.files.into_iter();
        let files = files.map(|(path, (before, after))| FileDifference {
            path,
            before,
            after,
        });
        ItemDifference {
            item: self.key,
            change,
            documents: documents.collect(),
            files: files.collect(),
        }
    }
}
