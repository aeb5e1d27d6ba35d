//! A repository in a folder of a local disk.
//!
//! A file appears whole or not at all: it is written under a temporary name, flushed to disk, linked to its name
//! (a hard link never replaces a file), and the folder is flushed. Files are readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{
    Created, FileUse, Incoming, Storage, StorageError, StorageFault, StoredFile, StreamingStorage,
};
use crate::FileName;

/// Where files lie under their temporary names, within the repository so that a link can be made.
const TEMPORARY: &str = ".tmp";

/// A folder as a store.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    root: Arc<PathBuf>,
    counter: Arc<AtomicU64>,
}

impl LocalStorage {
    /// The store at this folder; it is made by the first write.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: Arc::new(root.into()),
            counter: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn error(&self, act: &'static str, name: &str, source: io::Error) -> StorageError {
        let unflushed = source
            .get_ref()
            .is_some_and(|cause| cause.is::<Unflushed>());
        let fault = match source.kind() {
            _ if unflushed => StorageFault::Unclear,
            io::ErrorKind::NotFound => StorageFault::NotFound,
            io::ErrorKind::PermissionDenied => StorageFault::Denied,
            io::ErrorKind::FileTooLarge => StorageFault::TooLarge,
            io::ErrorKind::UnexpectedEof => StorageFault::TooShort,
            _ => StorageFault::Other,
        };
        StorageError {
            act,
            name: name.to_owned(),
            place: self.describe(),
            fault,
            source: Box::new(source),
        }
    }

    /// Runs a blocking act on a worker thread.
    async fn run<T: Send + 'static>(
        &self,
        act: &'static str,
        name: &FileName,
        work: impl FnOnce(&Self, PathBuf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let this = self.clone();
        let path = self.root.join(name.as_str());
        tokio::task::spawn_blocking(move || work(&this, path))
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|source| self.error(act, name.as_str(), source))
    }

    fn temporary(&self) -> io::Result<PathBuf> {
        let folder = self.root.join(TEMPORARY);
        make_folder(&folder)?;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::Error::other("no random bytes"))?;
        Ok(folder.join(format!("{}-{number}", hex::encode(random))))
    }

    /// Writes a temporary file with `fill`, flushes it, and links it to its name.
    fn publish(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<Created> {
        let temporary = self.temporary()?;
        let result = write_new(&temporary, fill).and_then(|()| link(&temporary, path));
        if let Err(error) = fs::remove_file(&temporary) {
            tracing::debug!(path = %temporary.display(), %error, "a temporary file stays");
        }
        result
    }
}

#[async_trait]
impl Storage for LocalStorage {
    fn describe(&self) -> String {
        self.root.display().to_string()
    }

    /// Who may create files in a folder may delete them.
    fn deletes(&self) -> Option<bool> {
        Some(true)
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.run("create", name, move |this, path| {
            this.publish(&path, |file| file.write_all(&bytes))
        })
        .await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        _used: FileUse,
    ) -> Result<Created, StorageError> {
        let source = file.to_owned();
        self.run("create", name, move |this, path| {
            if is_private(&source)?
                && let Ok(created) = link(&source, &path)
            {
                return Ok(created);
            }
            // On another file system, or with wider permissions: a copy.
            this.publish(&path, |file| {
                io::copy(&mut File::open(&source)?, file)?;
                Ok(())
            })
        })
        .await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        self.run("read", name, move |_, path| {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            if size > limit {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it has {size} bytes, and at most {limit} are allowed"),
                ));
            }
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.take(limit).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.run("read", name, move |_, path| {
            let mut file = File::open(path)?;
            let length = range.end.saturating_sub(range.start);
            if file.metadata()?.len() < range.end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.seek(SeekFrom::Start(range.start))?;
            let room = usize::try_from(length).map_err(io::Error::other)?;
            let mut bytes = Vec::with_capacity(room);
            file.take(length).read_to_end(&mut bytes)?;
            if bytes.len() != room {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        self.run("read", name, |_, path| match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        let this = self.clone();
        let prefix = prefix.to_owned();
        let (sender, receiver) = tokio::sync::mpsc::channel(256);
        tokio::task::spawn_blocking(move || {
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let start = this.root.join(folder);
            if let Err(source) = walk(&start, folder, &prefix, &sender) {
                let error = this.error("list", &prefix, source);
                let _ = sender.blocking_send(Err(error));
            }
        });
        futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|file| (file, receiver))
        })
        .boxed()
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        self.run("delete", name, |_, path| match fs::remove_file(&path) {
            Ok(()) => flush_folder(path.parent().unwrap_or(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    async fn tidy(&self, before: Timestamp) -> Result<u64, StorageError> {
        let folder = self.root.join(TEMPORARY);
        tokio::task::spawn_blocking(move || remove_older(&folder, before))
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|source| self.error("delete", TEMPORARY, source))
    }
}

#[async_trait]
impl StreamingStorage for LocalStorage {
    async fn create_streaming(
        &self,
        name: &FileName,
        mut bytes: Incoming,
        _used: FileUse,
    ) -> Result<Created, StorageError> {
        let (sender, mut pieces) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(4);
        let written = self.run("create", name, move |this, path| {
            this.publish(&path, |file| {
                loop {
                    match pieces.blocking_recv() {
                        Some(Ok(piece)) if piece.is_empty() => return Ok(()),
                        Some(piece) => file.write_all(&piece?)?,
                        None => return Err(io::Error::other("the stream was dropped")),
                    }
                }
            })
        });
        let sent = async move {
            while let Some(piece) = bytes.next().await {
                let empty = matches!(&piece, Ok(piece) if piece.is_empty());
                if !empty && sender.send(piece).await.is_err() {
                    return;
                }
            }
            // An empty piece is the end: whoever is stopped before it leaves no file.
            let _ = sender.send(Ok(Bytes::new())).await;
        };
        let (written, ()) = futures::future::join(written, sent).await;
        written
    }
}

/// Removes the files of a folder that were not written to since a moment.
fn remove_older(folder: &Path, before: Timestamp) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let old = |modified| Timestamp::try_from(modified).is_ok_and(|time| time < before);
        let gone = match entry.metadata().and_then(|about| about.modified()) {
            Ok(modified) if old(modified) => fs::remove_file(entry.path()),
            Ok(_) => continue,
            Err(error) => Err(error),
        };
        match gone {
            Ok(()) => removed += 1,
            // Its writer ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// A file was linked to its name, and it is not known whether that is on disk.
#[derive(Debug, thiserror::Error)]
#[error("The folder could not be flushed")]
struct Unflushed(#[source] io::Error);

type Files = tokio::sync::mpsc::Sender<Result<StoredFile, StorageError>>;

/// Sends every file below a folder whose name begins with the prefix. A folder that is not there holds none; names that
/// no repository file has are passed over.
fn walk(folder: &Path, name: &str, prefix: &str, files: &Files) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let separator = if name.is_empty() { "" } else { "/" };
        let Ok(name) = FileName::new(format!("{name}{separator}{part}")) else {
            continue;
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if begins(&name, prefix) {
                walk(&entry.path(), name.as_str(), prefix, files)?;
            }
        } else if kind.is_file() && begins(&name, prefix) {
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let modified = metadata.modified().ok();
            let file = StoredFile {
                name,
                size: metadata.len(),
                modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
            };
            if files.blocking_send(Ok(file)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn begins(name: &FileName, prefix: &str) -> bool {
    name.as_str().starts_with(prefix)
}

/// Whether a file is its owner's alone, and flushed: then a link to it serves as well as a copy.
fn is_private(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    file.sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(file.metadata()?.permissions().mode() & 0o777 == 0o600)
    }
    #[cfg(not(unix))]
    Ok(false)
}

fn write_new(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    fill(&mut file)?;
    file.sync_all()
}

/// Links a flushed temporary file to its name. The link is the moment of creation.
fn link(temporary: &Path, path: &Path) -> io::Result<Created> {
    let folder = path.parent().unwrap_or(path);
    make_folder(folder)?;
    match fs::hard_link(temporary, path) {
        Ok(()) => flush_folder(folder)
            .map(|()| Created::New)
            .map_err(|error| io::Error::other(Unflushed(error))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // The other one may not have come to its flush yet; what we report as existing must be durable.
            flush_folder(folder).map(|()| Created::Exists)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder and those above it, and flushes the parent of each one made.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_folder(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => flush_folder(folder.parent().unwrap_or(folder)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}
