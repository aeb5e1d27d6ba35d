//! The files of one item as its listing shows them: what is unchanged is taken over, the rest is put down to be read.
//!
//! An item may have millions of files; beyond some of them they go to the temporary database as the listing comes in.

use std::sync::atomic::Ordering;

use archive_format::{DocumentEntry, FileEntry, GapEntry, Line};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::{Deserialize, Serialize};
use workspace::select::Verdict;
use workspace::{Content, ItemId, Listed, SourceFile};

use super::counts::KindCounts;
use super::item::Draft;
use super::previous::Before;
use super::run::{Run, outcome_of};
use super::staging::StagedItem;
use super::tally::Outcome;
use super::{Error, entry, reason};

/// How many files of an item wait in memory before they go to the temporary database.
const FILES_HELD_MAX: usize = 1_000;

/// How many entries are written at once.
const ENTRIES_AT_ONCE: u32 = 500;

/// What the listing of an item's files gave.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// To read, with what was before.
    to_read: Vec<(SourceFile, Option<FileEntry>)>,
    /// With a known entry.
    ready: Vec<FileEntry>,
    /// Where those before them are.
    staged: Option<StagedItem>,
    /// How many there are to read and with a known entry, together.
    count: u64,
    /// How many of them are to be read.
    reading: u64,
    /// How many of them are as before in everything.
    same: u64,
    /// How many have the bytes of before.
    kept: u64,
    /// How many were left out.
    excluded: u64,
    /// The bytes of all.
    bytes: u64,
}

/// What is remembered of an item until its files are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// Its line without files.
    pub(super) line: Line,
    /// Whether anything differs from the snapshot before.
    pub(super) changed: bool,
    /// Whether it is settled once all of its files are there.
    pub(super) settles: bool,
}

impl Run<'_> {
    /// Lists the files of an item and compares them with those of before. `None`: the selection leaves the item out,
    /// now that its size is known.
    pub(super) async fn list_files(
        &self,
        draft: &mut Draft,
        listed: &Listed,
        more: Vec<SourceFile>,
        before: Option<&Before>,
        counts: &KindCounts,
    ) -> Result<Option<Files>, Error> {
        let mut files = Files::default();
        let mut stream = self.all_files(listed, more);
        while let Some(file) = stream.next().await {
            match file {
                Ok(file) => {
                    self.judge(draft, &mut files, file, before, counts).await?;
                }
                Err(error) => {
                    let file = place_of(&error);
                    self.add_gap(draft, file.as_deref(), reason::of(&error));
                }
            }
        }
        drop(stream);
        self.counts.list_bytes(files.bytes);
        let verdict = self
            .policy
            .verdict(&draft.id, &draft.known(Some(files.bytes)));
        let limit = self.policy.item_max.get(draft.kind.name);
        let refused = !draft.always && verdict == Verdict::No;
        if refused || limit.is_some_and(|limit| files.bytes > *limit) {
            self.leave_out(&mut files, counts).await?;
        }
        counts.files.settle(files.kept, Outcome::Unchanged);
        if self.policy.dry_run {
            counts.files.settle(files.reading, Outcome::Saved);
        }
        Ok((!refused).then_some(files))
    }

    /// An item that is itself an entry of a share or folder has no other file.
    fn all_files<'f>(
        &'f self,
        listed: &'f Listed,
        more: Vec<SourceFile>,
    ) -> BoxStream<'f, Result<SourceFile, workspace::Error>> {
        match &listed.file {
            Some(own) => stream::iter([Ok(own.clone())]).boxed(),
            None => stream::iter(more.into_iter().map(Ok))
                .chain(self.source.files(listed))
                .boxed(),
        }
    }

    async fn judge(
        &self,
        draft: &mut Draft,
        files: &mut Files,
        file: SourceFile,
        before: Option<&Before>,
        counts: &KindCounts,
    ) -> Result<(), Error> {
        let has_bytes = entry::has_bytes(&file);
        if has_bytes {
            counts.files.list(1);
            files.bytes = files.bytes.saturating_add(file.size.unwrap_or_default());
            if !draft.always
                && self
                    .policy
                    .leaves_out(&draft.id, &draft.known(None), &file.path)
            {
                files.excluded += 1;
                self.counts.skip_bytes(file.size.unwrap_or_default());
                counts.files.settle(1, Outcome::Excluded);
                return Ok(());
            }
        }
        files.count += 1;
        let old = match before {
            Some(before) => self.previous.file(before, file.path.as_str()).await?,
            None => None,
        };
        if has_bytes && old.is_some() {
            counts.files_before.fetch_add(1, Ordering::Relaxed);
        }
        let trusted = !self.policy.full;
        let content = match &old {
            _ if !has_bytes => Some(None),
            Some(old) if trusted && entry::has_same_bytes(old, &file) => Some(old.content.clone()),
            _ => None,
        };
        match content {
            Some(content) => {
                let new = entry::of(&file, content).map_err(|error| self.broken(error))?;
                self.counts.skip_bytes(new.size());
                files.kept += u64::from(has_bytes);
                files.same += u64::from(old.as_ref() == Some(&new));
                files.ready.push(new);
            }
            None => {
                files.reading += 1;
                files.to_read.push((file, old));
            }
        }
        if files.to_read.len() + files.ready.len() >= FILES_HELD_MAX {
            self.put_down(draft, files).await?;
        }
        Ok(())
    }

    /// Moves the files of an item that wait in memory into the temporary database.
    async fn put_down(&self, draft: &Draft, files: &mut Files) -> Result<StagedItem, Error> {
        let staged = match files.staged {
            Some(staged) => staged,
            None => self.staging.open(self.rank(draft.kind), &draft.id).await?,
        };
        files.staged = Some(staged);
        let to_read = std::mem::take(&mut files.to_read);
        let ready = std::mem::take(&mut files.ready);
        self.staging.add(staged, to_read, ready).await?;
        Ok(staged)
    }

    /// Leaves out all files of an item that is larger than the configuration takes.
    async fn leave_out(&self, files: &mut Files, counts: &KindCounts) -> Result<(), Error> {
        if let Some(staged) = files.staged {
            self.staging.close(staged).await?;
        }
        let left = files.kept + files.reading;
        counts.files.settle(left, Outcome::Excluded);
        self.counts.skip_bytes(files.bytes);
        *files = Files {
            excluded: files.excluded + left,
            ..Files::default()
        };
        Ok(())
    }

    /// The order of reading: entries of shares first, then assets in the order of their kinds, what jobs wrote last.
    fn rank(&self, kind: &workspace::Kind) -> i64 {
        let place = self
            .source
            .kinds()
            .iter()
            .position(|other| other.name == kind.name);
        match kind.content {
            Content::Share | Content::Folder => 0,
            Content::Run => i64::MAX,
            Content::None | Content::Uri(_) => {
                1 + place
                    .and_then(|place| i64::try_from(place).ok())
                    .unwrap_or_default()
            }
        }
    }

    /// Brings an item into the snapshot: as it was, or anew, or as far as it can be before its files are read.
    pub(super) async fn lay_down(
        &self,
        mut draft: Draft,
        mut files: Files,
        before: Option<Before>,
        counts: &KindCounts,
    ) -> Result<(), Error> {
        let none = files.count == 0 && files.excluded == 0 && draft.line.gaps.is_empty();
        if none && draft.kind.must_have_files && draft.names_place() {
            let reason = "It names a place for its files, and no file is listed there".to_owned();
            self.add_gap(&mut draft, None, reason);
        }
        let mut head = Head {
            changed: before
                .as_ref()
                .is_none_or(|before| differs(&draft.line, &files, before)),
            settles: draft.settles,
            line: draft.line.clone(),
        };
        if files.reading == 0 && files.staged.is_none() {
            files.ready.sort_by(|one, two| one.path.cmp(&two.path));
            head.line.files = files.ready;
            let outcome = head.outcome();
            self.write_item(head, before, None).await?;
            counts.items.settle(1, outcome);
            self.tell(&draft.id, outcome);
            return Ok(());
        }
        if self.policy.dry_run {
            if let Some(staged) = files.staged {
                self.staging.close(staged).await?;
            }
            counts.items.settle(1, head.outcome());
            return self.previous.done(before).await;
        }
        let mut provisional = head.line.clone();
        provisional.files.clone_from(&files.ready);
        let staged = self.put_down(&draft, &mut files).await?;
        let open = self.staging.seal(staged, &head).await?;
        self.previous.done(before).await?;
        if open == 0 {
            return self.finish_item(staged, &draft.id).await;
        }
        self.write(provisional, true).await
    }

    /// Finishes an item whose files are all read.
    pub(super) async fn finish_item(&self, staged: StagedItem, id: &ItemId) -> Result<(), Error> {
        let _alone = self.laying.lock().await;
        let Some((head, _)) = self.staging.head::<Head>(staged).await? else {
            return Ok(());
        };
        let outcome = head.outcome();
        let before = match head.changed {
            true => None,
            false => self.previous.item(id).await?,
        };
        self.touched.store(true, Ordering::Relaxed);
        self.write_item(head, before, Some(staged)).await?;
        self.staging.close(staged).await?;
        if let Some(counts) = self.counts.of(&id.kind) {
            counts.items.settle(1, outcome);
        }
        self.tell(id, outcome);
        Ok(())
    }

    /// Writes an item: as the snapshot before has it where nothing changed, else anew.
    async fn write_item(
        &self,
        head: Head,
        before: Option<Before>,
        staged: Option<StagedItem>,
    ) -> Result<(), Error> {
        let lines = match &before {
            Some(before) if !head.changed => self.previous.lines(before).await?,
            _ => Vec::new(),
        };
        let mut line = head.line;
        line.settled = head.settles;
        self.previous.done(before).await?;
        if lines.is_empty() {
            return self.write_anew(line, staged).await;
        }
        let mut first = true;
        for mut old in lines {
            if first {
                old.asked = line.asked;
                old.settled = line.settled;
            }
            self.write(old, first).await?;
            first = false;
        }
        Ok(())
    }

    /// Writes a line and the entries of its files, some at a time. The first of them go into the item's own line, so
    /// that an item with few files has one line; the writer cuts a line that grows too long.
    pub(super) async fn write_anew(
        &self,
        line: Line,
        staged: Option<StagedItem>,
    ) -> Result<(), Error> {
        let Some(staged) = staged else {
            return self.write(line, true).await;
        };
        let key = line.key();
        let (mut part, mut first) = (line, true);
        let mut after = String::new();
        loop {
            let entries = self
                .staging
                .entries_after(staged, after.clone(), ENTRIES_AT_ONCE)
                .await?;
            let last = entries.last().map(|entry| entry.path.as_str().to_owned());
            if !first && last.is_none() {
                return Ok(());
            }
            part.files.extend(entries);
            self.write(part, first).await?;
            let Some(last) = last else {
                return Ok(());
            };
            after = last;
            part = Line::new(key.clone());
            first = false;
        }
    }

    /// Stages a line: the first one of an item replaces all that was staged for it.
    pub(super) async fn write(&self, line: Line, first: bool) -> Result<(), Error> {
        let written = match first {
            true => self.writer.line(line).await,
            false => self.writer.append(line).await,
        };
        written.map_err(|error| self.broken(error))
    }
}

impl Head {
    /// What becomes of the item: a gap of the item itself counts before everything else.
    fn outcome(&self) -> Outcome {
        let own = self.line.gaps.iter().filter(|gap| gap.file.is_none());
        let outcomes: Vec<Outcome> = own.map(outcome_of).collect();
        if outcomes.contains(&Outcome::Failed) {
            return Outcome::Failed;
        }
        match (outcomes.first(), self.changed) {
            (Some(_), _) => Outcome::Known,
            (None, true) => Outcome::Saved,
            (None, false) => Outcome::Unchanged,
        }
    }
}

/// Whether an item differs from what the snapshot before has of it, as far as is known before its files are read.
fn differs(line: &Line, files: &Files, before: &Before) -> bool {
    let item = &before.item;
    let documents = |entries: &[DocumentEntry]| {
        let addresses: Vec<_> = entries.iter().map(|entry| entry.address).collect();
        addresses
    };
    let gaps = |gaps: &[GapEntry]| {
        let parts: Vec<_> = gaps
            .iter()
            .map(|gap| (gap.file.clone(), gap.known))
            .collect();
        parts
    };
    documents(&line.documents) != documents(&item.documents)
        || gaps(&line.gaps) != gaps(&item.gaps)
        || line.secrets != item.secrets
        || line.more != item.more
        || files.count != before.file_count
        || files.same + files.reading != files.count
}

/// The file that an error in a listing is about, where it says one.
fn place_of(error: &workspace::Error) -> Option<String> {
    match error {
        workspace::Error::Path { path, .. }
        | workspace::Error::Changed { path }
        | workspace::Error::Damaged { path, .. } => Some(path.clone()),
        _ => None,
    }
}
