//! The files of one item as its listing shows them: what is unchanged is taken over, the rest is put down to be read.
//!
//! An item may have millions of files; beyond some of them they go to the temporary database as the listing comes in.

use std::sync::atomic::Ordering;

use archive_format::FileEntry;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use workspace::select::Verdict;
use workspace::{Content, Listed, SourceFile};

use super::counts::KindCounts;
use super::item::Draft;
use super::previous::Before;
use super::run::Run;
use super::staging::StagedItem;
use super::tally::Outcome;
use super::{Error, entry, reason};

/// How many files of an item wait in memory before they go to the temporary database.
const FILES_HELD_MAX: usize = 1_000;

/// What the listing of an item's files gave.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// To read, with what was before.
    pub(super) to_read: Vec<(SourceFile, Option<FileEntry>)>,
    /// With a known entry.
    pub(super) ready: Vec<FileEntry>,
    /// Where those before them are.
    pub(super) staged: Option<StagedItem>,
    /// How many there are to read and with a known entry, together.
    pub(super) count: u64,
    /// How many of them are to be read.
    pub(super) reading: u64,
    /// How many of them are as before in everything.
    pub(super) same: u64,
    /// How many have the bytes of before.
    kept: u64,
    /// How many were left out.
    pub(super) excluded: u64,
    /// The bytes of all.
    bytes: u64,
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
        } else if !refused && files.staged.is_none() {
            self.read_local(draft, &mut files, counts).await?;
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
    pub(super) async fn put_down(
        &self,
        draft: &Draft,
        files: &mut Files,
    ) -> Result<StagedItem, Error> {
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

    /// Puts down all files of an item, with what else is to be remembered of it. Says how many are to be read.
    pub(super) async fn put_all_down<H: serde::Serialize>(
        &self,
        draft: &Draft,
        files: &mut Files,
        head: &H,
    ) -> Result<(StagedItem, i64), Error> {
        if files.staged.is_some() {
            let staged = self.put_down(draft, files).await?;
            return Ok((staged, self.staging.seal(staged, head).await?));
        }
        let (to_read, ready) = (
            std::mem::take(&mut files.to_read),
            std::mem::take(&mut files.ready),
        );
        let open = i64::try_from(to_read.len()).unwrap_or(i64::MAX);
        let rank = self.rank(draft.kind);
        let staged = self.staging.stage(rank, &draft.id, to_read, ready, head);
        Ok((staged.await?, open))
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
