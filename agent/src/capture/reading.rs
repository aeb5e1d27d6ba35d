//! Reads the files that were put down to be read, some at a time, piece by piece into the repository.
//!
//! A file that changed meanwhile is listed and read again; what cannot be read is a gap, and the rest goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive_format::{Content, FileEntry, FileError, Lifetime};
use futures::{Stream, StreamExt, stream};
use workspace::{Error as SourceError, Location, SourceFile};

use super::counts::KindCounts;
use super::files::Files;
use super::item::Draft;
use super::lines::Head;
use super::observer::Event;
use super::run::{FILES_AT_ONCE, Run, outcome_of};
use super::staging::{Place, StagedFile};
use super::tally::Outcome;
use super::{Error, entry, reason};

/// How often a file is read before it is a gap.
const TRIES: u32 = 3;
/// Up to this length a file of this machine is small.
const SMALL_BYTES: u64 = 64 << 10;
/// How many files to read are taken from the temporary database at once.
const BATCH: u32 = 256;

/// What reading a file once came to.
type Read = Result<Content, SourceError>;

impl Run<'_> {
    /// Reads all files that are put down.
    pub(super) async fn read_files(&self) -> Result<(), Error> {
        self.observer.event(&Event::Reading);
        let files = self.files_to_read();
        self.drive(files, FILES_AT_ONCE, |file| async {
            self.read_file(file?).await
        })
        .await
    }

    /// Reads the files of this machine where they are found: nothing is to be asked for before, and to put one down and to
    /// take it up again would take longer than to read it. One that cannot be read now stays to be read with the others.
    pub(super) async fn read_local(
        &self,
        draft: &Draft,
        files: &mut Files,
        counts: &KindCounts,
    ) -> Result<(), Error> {
        for (file, before) in std::mem::take(&mut files.to_read) {
            if !matches!(file.location, Location::Local(_)) {
                files.to_read.push((file, before));
                continue;
            }
            let turn = match is_small(&file) {
                true => None,
                false => self.large_files.acquire().await.ok(),
            };
            self.observer.event(&Event::File(&draft.id, &file.path));
            let read = self.read_once(draft.kind.name, &file).await?;
            drop(turn);
            let Ok(content) = read else {
                files.to_read.push((file, before));
                continue;
            };
            let entry = self.entry_read(&file, before.as_ref(), content, counts)?;
            files.reading -= 1;
            files.same += u64::from(before.as_ref() == Some(&entry));
            files.ready.push(entry);
        }
        Ok(())
    }

    /// The files in the order of reading. Ends where the workspace went out of reach.
    fn files_to_read(&self) -> impl Stream<Item = Result<StagedFile, Error>> + '_ {
        let batches = stream::unfold(Some(Place::default()), move |after| async move {
            let after = after.filter(|_| !self.is_lost())?;
            let batch = match self.staging.files_after(after, BATCH).await {
                Ok(batch) => batch,
                Err(error) => return Some((vec![Err(error)], None)),
            };
            let next = batch.last()?.place.clone();
            Some((batch.into_iter().map(Ok).collect::<Vec<_>>(), Some(next)))
        });
        batches
            .flat_map(stream::iter)
            .take_while(move |_| std::future::ready(!self.is_lost()))
    }

    async fn read_file(&self, mut file: StagedFile) -> Result<(), Error> {
        self.observer
            .event(&Event::File(&file.item, &file.file.path));
        for again in (0..TRIES).rev() {
            match self.read_once(&file.item.kind, &file.file).await? {
                Ok(content) => return self.file_read(file, content).await,
                Err(error) if is_out_of_reach(&error) => {
                    self.lose(&error);
                    return Ok(());
                }
                Err(error) if again > 0 && is_worth_again(&error) => {
                    self.observer
                        .event(&Event::Again(&file.item, &file.file.path));
                    if let Some(now) = self.listed_again(&file).await {
                        file.file = now;
                    }
                }
                Err(error) => return self.file_failed(file, reason::of(&error)).await,
            }
        }
        Ok(())
    }

    /// Reads a file into the repository. The inner error is the source's.
    async fn read_once(&self, kind: &str, file: &SourceFile) -> Result<Read, Error> {
        let stream = match self.source.read(file).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        let read = Arc::new(AtomicU64::new(0));
        let counted = stream.inspect(|piece| {
            if let Ok(piece) = piece {
                let length = piece.len() as u64;
                read.fetch_add(length, Ordering::Relaxed);
                self.counts.read_bytes(length);
                self.progress();
            }
        });
        let lifetime = match self.counts.of(kind).map(|counts| counts.kind.content) {
            Some(workspace::Content::Run) => Lifetime::Outputs,
            _ => Lifetime::Files,
        };
        let stored = self.writer.file(lifetime, counted).await;
        let result = match stored {
            Ok(content) => checked(file, content),
            Err(FileError::Source(error)) => Err(error),
            Err(FileError::Archive(error)) => return Err(self.broken(error)),
        };
        if result.is_err() {
            self.counts.forget_bytes(read.load(Ordering::Relaxed));
        }
        Ok(result)
    }

    /// What a listing says about a file now.
    async fn listed_again(&self, file: &StagedFile) -> Option<SourceFile> {
        if let Ok(Some(now)) = self.source.look_again(&file.file).await {
            return Some(now);
        }
        let listed = self.source.get(&file.item).await.ok()??;
        if let Some(own) = listed
            .file
            .as_ref()
            .filter(|own| own.path == file.file.path)
        {
            return Some(own.clone());
        }
        let same = |other: &SourceFile| other.path == file.file.path;
        let mut files = self.source.files(&listed);
        while let Some(other) = files.next().await {
            if let Some(other) = other.ok().filter(same) {
                return Some(other);
            }
        }
        None
    }

    async fn file_read(&self, file: StagedFile, content: Content) -> Result<(), Error> {
        let Some(counts) = self.counts.of(&file.item.kind) else {
            return Ok(());
        };
        let before = file.before.as_ref();
        let entry = self.entry_read(&file.file, before, content, counts)?;
        let changed = before != Some(&entry);
        self.touched.store(true, Ordering::Relaxed);
        self.file_over(&file, Some(&entry), changed).await
    }

    /// Counts a file that was read, and gives its entry.
    fn entry_read(
        &self,
        file: &SourceFile,
        before: Option<&FileEntry>,
        content: Content,
        counts: &KindCounts,
    ) -> Result<FileEntry, Error> {
        let same = before
            .and_then(|before| before.content.as_ref())
            .is_some_and(|before| before.sha256 == content.sha256);
        if before.is_some() && !same {
            counts.files_changed.fetch_add(1, Ordering::Relaxed);
        }
        if file.size.is_none() {
            self.counts.list_bytes(content.size);
        }
        let told = file.validators != workspace::Validators::default();
        let outcome = match same && !told {
            true => Outcome::Unchanged,
            false => Outcome::Saved,
        };
        counts.files.settle(1, outcome);
        entry::of(file, Some(content)).map_err(|error| self.broken(error))
    }

    async fn file_failed(&self, file: StagedFile, reason: String) -> Result<(), Error> {
        let Some(counts) = self.counts.of(&file.item.kind) else {
            return Ok(());
        };
        let path = file.file.path.as_str();
        let gap = self.gap(counts.kind, &file.item, Some(path), reason);
        counts.files.settle(1, outcome_of(&gap));
        let change = |head: &mut Head| {
            head.line.gaps.push(gap);
            head.settles = false;
        };
        self.staging.change(file.staged, change).await?;
        self.file_over(&file, None, true).await
    }

    async fn file_over(
        &self,
        file: &StagedFile,
        entry: Option<&FileEntry>,
        changed: bool,
    ) -> Result<(), Error> {
        if self.staging.file_done(file, entry, changed).await? {
            self.finish_item(file.staged, &file.item).await?;
        }
        Ok(())
    }
}

/// Whether a file of this machine is read in no time and takes little memory.
fn is_small(file: &SourceFile) -> bool {
    file.size.is_some_and(|size| size <= SMALL_BYTES)
}

/// The stored bytes must be as many as the listing said.
fn checked(file: &SourceFile, content: Content) -> Read {
    match file.size {
        Some(size) if size != content.size => Err(SourceError::Damaged {
            path: file.path.to_string(),
            reason: format!("{} bytes came, {size} were listed", content.size),
        }),
        _ => Ok(content),
    }
}

/// Whether the service itself cannot be reached or takes no token, so that everything else would fail alike.
pub(super) fn is_out_of_reach(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::Unreachable { .. } | SourceError::Credential { .. }
    )
}

fn is_worth_again(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::Changed { .. } | SourceError::Damaged { .. } | SourceError::Broken { .. }
    )
}
