//! The files of a batch on their way to the disk: small ones together, read frame by frame and written a hundred in one go,
//! the others by themselves. Of a small file most of the time would go into handing it from thread to thread.

use std::collections::HashMap;
use std::sync::Arc;

use archive_format::{Digest, EntryKind, FileEntry};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workspace::azure::FileMeta;
use workspace::folder::{Folder, Staged};
use workspace::{FilePath, ItemId};

use super::step::{Trouble, chain};
use crate::Step;
use crate::files::meta;
use crate::snapshot::Source;

/// Steps that are looked at together.
const WINDOW_STEPS: usize = 256;
/// While the files of one window are written, those of the next ones are read.
const WINDOWS_AT_ONCE: usize = 3;
/// Files, or runs of small files, of a window that are written at once.
const FILES_AT_ONCE: usize = 16;
/// Large files that are written at once: each holds some chunks in memory.
const LARGE_AT_ONCE: usize = 4;
/// A file of more bytes is large.
const LARGE_BYTES: u64 = 256 << 10;
/// Files of at most so many bytes are read together.
const SMALL_BYTES: u64 = 32 << 10;
/// Small files that are written in one go.
const RUN_FILES: usize = 64;
/// Runs that are written at once. Mostly they go into the same directory, which lets one in at a time.
const RUNS_AT_ONCE: usize = 1;

/// What became of the file of a step: with its entry, what is to get its name.
type End = Result<(FileEntry, Staged), Trouble>;

/// Writes the files of steps beside their names: an entry or the reason why not for each step, and those that are written.
pub(super) async fn stage(
    source: &Source,
    folder: &Folder,
    steps: &[&Step],
) -> (Vec<Result<FileEntry, Trouble>>, Vec<Staged>) {
    let turns = Arc::new(Turns {
        large: Semaphore::new(LARGE_AT_ONCE),
        runs: Semaphore::new(RUNS_AT_ONCE),
    });
    let windows = steps.chunks(WINDOW_STEPS).map(|steps| {
        let window = Window {
            source: source.clone(),
            folder: folder.clone(),
            steps: steps.iter().map(|step| Asked::of(step)).collect(),
            turns: Arc::clone(&turns),
        };
        let count = steps.len();
        async move {
            let mut task = JoinSet::new();
            task.spawn(window.stage());
            match task.join_next().await {
                Some(Ok(ends)) => ends,
                Some(Err(_)) | None => {
                    let stopped = || Err(Trouble::because("the task that wrote it stopped"));
                    (0..count).map(|_| stopped()).collect()
                }
            }
        }
    });
    let mut windows = stream::iter(windows).buffered(WINDOWS_AT_ONCE);
    let (mut files, mut parts) = (Vec::new(), Vec::new());
    while let Some(ends) = windows.next().await {
        for end in ends {
            files.push(end.map(|(file, staged)| {
                parts.push(staged);
                file
            }));
        }
    }
    (files, parts)
}

/// What a step asks for.
struct Asked {
    item: ItemId,
    path: String,
    overwrite: bool,
}

impl Asked {
    fn of(step: &Step) -> Self {
        Self {
            item: step.item.clone(),
            path: step.target.name.clone(),
            overwrite: step.overwrite,
        }
    }
}

/// Some steps of a batch, and where their files come from and go. Each window is worked at by a task of its own.
struct Window {
    source: Source,
    folder: Folder,
    steps: Vec<Asked>,
    turns: Arc<Turns>,
}

/// What is written only with a permit.
struct Turns {
    large: Semaphore,
    runs: Semaphore,
}

/// Steps whose files are written together, by their places.
enum Unit {
    One(usize),
    Run(Vec<(usize, Bytes)>),
}

type Found = Vec<Result<FileEntry, Trouble>>;

impl Window {
    /// One end a step, in order.
    async fn stage(self) -> Vec<End> {
        let mut found: Found = Vec::new();
        for step in &self.steps {
            found.push(self.find(step).await);
        }
        let small: Vec<&FileEntry> = found
            .iter()
            .flatten()
            .filter(|file| is_small(file))
            .collect();
        let ahead = self.source.small_files(&small).await;
        let units = units(&found, &ahead);
        drop(ahead);
        let mut written: HashMap<usize, Result<Staged, Trouble>> = HashMap::new();
        let mut writing = stream::iter(units)
            .map(|unit| self.write(unit, &found))
            .buffer_unordered(FILES_AT_ONCE);
        while let Some(some) = writing.next().await {
            written.extend(some);
        }
        drop(writing);
        let ends = found.into_iter().enumerate().map(|(place, file)| {
            let staged = written.remove(&place);
            let passed_over = || Err(Trouble::because("it was passed over"));
            file.and_then(|file| Ok((file, staged.unwrap_or_else(passed_over)?)))
        });
        ends.collect()
    }

    /// The file that a step brings.
    async fn find(&self, step: &Asked) -> Result<FileEntry, Trouble> {
        let file = self.source.first_file(&step.item).await?;
        let file = file.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
        file.ok_or_else(|| Trouble::because("the snapshot has no bytes of it"))
    }

    async fn write(&self, unit: Unit, found: &Found) -> Vec<(usize, Result<Staged, Trouble>)> {
        let of = |place: usize| {
            let file = found.get(place).and_then(|file| file.as_ref().ok());
            self.steps.get(place).zip(file)
        };
        match unit {
            Unit::One(place) => match of(place) {
                Some((step, file)) => vec![(place, self.write_one(step, file).await)],
                None => Vec::new(),
            },
            Unit::Run(run) => {
                let run = run.into_iter().filter_map(|(place, bytes)| {
                    let (step, file) = of(place)?;
                    Some((place, step, meta(file, step.overwrite), bytes))
                });
                self.write_run(run.collect()).await
            }
        }
    }

    async fn write_one(&self, step: &Asked, file: &FileEntry) -> Result<Staged, Trouble> {
        let _turn = match file.size() > LARGE_BYTES {
            true => self.turns.large.acquire().await.ok(),
            false => None,
        };
        let path = FilePath::new(step.path.as_str())?;
        let meta = meta(file, step.overwrite);
        let bytes = self.source.bytes(file);
        let staged = self.folder.stage_file(&path, &meta, bytes).await;
        staged.map_err(|error| {
            self.source.note_lost(&step.item, file);
            error.into()
        })
    }

    /// Small files whose bytes are at hand.
    async fn write_run(
        &self,
        run: Vec<(usize, &Asked, FileMeta, Bytes)>,
    ) -> Vec<(usize, Result<Staged, Trouble>)> {
        let (mut ends, mut places, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for (place, step, meta, bytes) in run {
            match FilePath::new(step.path.as_str()) {
                Ok(path) => {
                    files.push((path, meta, bytes));
                    places.push(place);
                }
                Err(error) => ends.push((place, Err(error.into()))),
            }
        }
        let turn = self.turns.runs.acquire().await;
        let staged = self.folder.stage_small(files).await;
        drop(turn);
        match staged {
            Ok(staged) => {
                let staged = staged.into_iter().map(|end| end.map_err(Trouble::from));
                ends.extend(places.into_iter().zip(staged));
            }
            Err(error) => {
                let reason = chain(&error);
                let failed = places.into_iter();
                ends.extend(failed.map(|place| (place, Err(Trouble::because(reason.as_str())))));
            }
        }
        ends
    }
}

fn is_small(file: &FileEntry) -> bool {
    file.entry == EntryKind::File && file.size() <= SMALL_BYTES
}

/// What is written together: runs of files whose bytes are at hand, and each of the others.
fn units(found: &Found, ahead: &HashMap<Digest, Bytes>) -> Vec<Unit> {
    let (mut units, mut run) = (Vec::new(), Vec::new());
    for (place, file) in found.iter().enumerate() {
        let Ok(file) = file else { continue };
        let content = file.content.as_ref().filter(|_| is_small(file));
        match content.and_then(|content| ahead.get(&content.sha256)) {
            Some(bytes) => run.push((place, bytes.clone())),
            None => units.push(Unit::One(place)),
        }
        if run.len() >= RUN_FILES {
            units.push(Unit::Run(std::mem::take(&mut run)));
        }
    }
    if !run.is_empty() {
        units.push(Unit::Run(run));
    }
    units
}
