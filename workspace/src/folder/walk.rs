//! Listing a folder: one open directory a level, and nothing kept but those and some of their names. Names are told in
//! their order: whoever compares them with a manifest finds neighbours together, and packs hold what is read together.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, Stat};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::beneath::{Beneath, open_directory};
use crate::{Attributes, Entry, Error, FilePath, Location, SourceFile, Validators};

/// Deeper than any path of 4 KiB, and within the number of files that a process may hold open.
const DEPTH_MAX: usize = 400;

/// How many names all levels keep together. A directory of more is told in sorted parts of this size.
const NAMES_MAX: usize = 1 << 16;

/// How many a level may keep although those above have used it up.
const NAMES_MIN: usize = 256;

/// Errors that are kept to be told after the entries; more are told as one.
const ERRORS_MAX: usize = 1000;

/// Every entry below the root, then what could not be listed.
pub(super) fn entries(beneath: Arc<Beneath>) -> BoxStream<'static, Result<SourceFile, Error>> {
    let (sender, receiver) = mpsc::channel(256);
    tokio::task::spawn_blocking(move || {
        let mut walk = Walk {
            beneath: &beneath,
            sender: &sender,
            failed: Vec::new(),
            untold: 0,
        };
        // Whoever listens no more needs no more.
        let _ = walk.run();
        walk.tell();
    });
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|entry| (entry, receiver))
    })
    .boxed()
}

/// One entry; `None` where there is none.
pub(super) fn entry(beneath: &Beneath, path: &FilePath) -> Result<Option<SourceFile>, Error> {
    let read = || -> io::Result<SourceFile> {
        let (at, name) = beneath.parent(path)?;
        describe(beneath, &at, name, path.clone())
    };
    match read() {
        Ok(file) => Ok(Some(file)),
        // A part of the path that is a file or a link leads to no entry of this folder.
        Err(error)
            if [Errno::NOENT, Errno::NOTDIR, Errno::LOOP]
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) =>
        {
            Ok(None)
        }
        Err(error) => Err(beneath.failed("Reading", path.as_str(), error)),
    }
}

struct Walk<'a> {
    beneath: &'a Beneath,
    sender: &'a mpsc::Sender<Result<SourceFile, Error>>,
    failed: Vec<Error>,
    untold: usize,
}

/// An open directory on the way down: what is left of it, and its path.
struct Level {
    at: OwnedFd,
    left: Dir,
    /// Names that were read already, the last in order first.
    names: Vec<CString>,
    /// Why no more can be read.
    broken: Option<Errno>,
    path: String,
}

impl Level {
    /// The next name; so many are read at once.
    fn next(&mut self, at_once: usize) -> Option<Result<CString, Errno>> {
        if self.names.is_empty() && self.broken.is_none() {
            self.read(at_once);
        }
        let name = self.names.pop().map(Ok);
        name.or_else(|| self.broken.take().map(Err))
    }

    fn read(&mut self, most: usize) {
        while self.names.len() < most {
            match self.left.read() {
                None => break,
                Some(Err(errno)) => {
                    self.broken = Some(errno);
                    break;
                }
                Some(Ok(entry)) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Some(Ok(entry)) => self.names.push(entry.file_name().to_owned()),
            }
        }
        self.names.sort_unstable_by(|left, right| right.cmp(left));
    }
}

/// Nobody listens any more.
struct Unheard;

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Unheard> {
        let mut levels = Vec::new();
        match self.beneath.root().and_then(|at| level(at, String::new())) {
            Ok(root) => levels.push(root),
            Err(error) => self.fail(self.beneath.failed("Listing", "", error)),
        }
        loop {
            let kept: usize = levels.iter().map(|level: &Level| level.names.len()).sum();
            let Some(top) = levels.last_mut() else {
                return Ok(());
            };
            let Some(next) = top.next(NAMES_MAX.saturating_sub(kept).max(NAMES_MIN)) else {
                levels.pop();
                continue;
            };
            let name = match next {
                Ok(name) => name,
                Err(error) => {
                    let error = self.beneath.failed("Listing", &top.path, error);
                    self.fail(error);
                    levels.pop();
                    continue;
                }
            };
            let Ok(name) = name.to_str() else {
                let path = format!("{}/{}", top.path, name.to_string_lossy());
                self.fail(Error::Path {
                    path,
                    reason: "it is not UTF-8",
                });
                continue;
            };
            let below = self.visit(top, name)?;
            match below {
                Some(below) if levels.len() < DEPTH_MAX => levels.push(below),
                Some(below) => self.fail(Error::Path {
                    path: below.path,
                    reason: "it is deeper than 400 directories",
                }),
                None => {}
            }
        }
    }

    /// Tells of one entry; the level below it, where it is a directory.
    fn visit(&mut self, top: &Level, name: &str) -> Result<Option<Level>, Unheard> {
        let path = match top.path.as_str() {
            "" => name.to_owned(),
            above => format!("{above}/{name}"),
        };
        let described = FilePath::new(path.as_str()).and_then(|checked| {
            describe(self.beneath, &top.at, name, checked)
                .map_err(|error| self.beneath.failed("Reading", &path, error))
        });
        let file = match described {
            Ok(file) => file,
            // Deleted since the directory was read: not an entry any more.
            Err(Error::Folder { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => {
                self.fail(error);
                return Ok(None);
            }
        };
        let is_directory = file.entry == Entry::Directory;
        self.sender.blocking_send(Ok(file)).map_err(|_| Unheard)?;
        if !is_directory {
            return Ok(None);
        }
        let opened = open_directory(&top.at, name).map_err(io::Error::from);
        match opened.and_then(|at| level(at, path.clone())) {
            Ok(below) => Ok(Some(below)),
            Err(error) => {
                self.fail(self.beneath.failed("Listing", &path, error));
                Ok(None)
            }
        }
    }

    fn fail(&mut self, error: Error) {
        if self.failed.len() < ERRORS_MAX {
            self.failed.push(error);
        } else {
            self.untold += 1;
        }
    }

    fn tell(mut self) {
        if self.untold > 0 {
            self.failed.push(Error::Path {
                path: format!("{} more paths", self.untold),
                reason: "they cannot be listed either",
            });
        }
        for error in self.failed {
            if self.sender.blocking_send(Err(error)).is_err() {
                return;
            }
        }
    }
}

fn level(at: OwnedFd, path: String) -> io::Result<Level> {
    let left = Dir::read_from(&at)?;
    Ok(Level {
        at,
        left,
        names: Vec::new(),
        broken: None,
        path,
    })
}

/// What a directory says about one of its entries. A device, pipe or socket is described as a file without size, which
/// cannot be read: so it becomes a gap with its name, and is not passed over.
fn describe(beneath: &Beneath, at: &OwnedFd, name: &str, path: FilePath) -> io::Result<SourceFile> {
    let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let (entry, size) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (Entry::Directory, None),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(at, name, Vec::new())?;
            let target = target.into_string().map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "its target is not UTF-8")
            })?;
            (Entry::Symlink(target), None)
        }
        FileType::RegularFile => (Entry::File, u64::try_from(stat.st_size).ok()),
        _ => (Entry::File, None),
    };
    Ok(SourceFile {
        location: Location::Local(beneath.path().join(path.as_str())),
        path,
        entry,
        size,
        validators: validators(&stat),
        content_type: None,
        metadata: BTreeMap::new(),
        tier: None,
        attributes: Some(Attributes {
            created: None,
            written: Timestamp::from_nanosecond(written(&stat)).ok(),
            flags: None,
            mode: Some(stat.st_mode & 0o7777),
        }),
    })
}

/// When the content was last written, in nanoseconds since 1970.
fn written(stat: &Stat) -> i128 {
    i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec)
}

/// The time of the last write, and as an entity tag that of the last change of anything: the first can be set back, the
/// second cannot. No inode number, which a copy of the file system would change.
pub(super) fn validators(stat: &Stat) -> Validators {
    let changed = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
    Validators {
        etag: Some(changed.to_string()),
        last_modified: Some(written(stat).to_string()),
        content_md5: None,
    }
}
