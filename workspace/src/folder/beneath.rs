//! Opening what lies below a root, one step after the other and never through a link.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, FilePath};

/// An open directory from which everything is reached.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    path: PathBuf,
    /// The directories that something was last written into, the newest last: what comes next mostly goes there too, and
    /// one open file for a directory is less than one for each entry.
    written: Mutex<VecDeque<(String, Arc<OwnedFd>)>>,
}

/// How many directories are remembered.
const WRITTEN_MAX: usize = 16;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Beneath {
    /// Opens the root.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: rustix::fs::open(path, flags, Mode::empty())?,
            path: path.to_owned(),
            written: Mutex::default(),
        })
    }

    /// The root's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The root itself, opened once more.
    pub(super) fn root(&self) -> io::Result<OwnedFd> {
        Ok(open_directory(&self.root, ".")?)
    }

    /// The directory that holds an entry, and the entry's own name.
    pub(super) fn parent<'p>(&self, path: &'p FilePath) -> io::Result<(OwnedFd, &'p str)> {
        self.walk(path, open_directory)
    }

    /// Like [`Self::parent`], and makes the directories that are missing on the way. One that was opened lately and is
    /// still there is given again.
    pub(super) fn made_parent<'p>(
        &self,
        path: &'p FilePath,
    ) -> io::Result<(Arc<OwnedFd>, &'p str)> {
        let (above, name) = path
            .as_str()
            .rsplit_once('/')
            .unwrap_or(("", path.as_str()));
        let known = {
            let written = self.written();
            let found = written.iter().find(|(known, _)| known == above);
            found.map(|(_, at)| Arc::clone(at))
        };
        if let Some(at) = known
            && rustix::fs::fstat(&at)?.st_nlink > 0
        {
            return Ok((at, name));
        }
        let (at, _) = self.walk(path, |at, name| match open_directory(at, name) {
            Err(Errno::NOENT) => match rustix::fs::mkdirat(at, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => open_directory(at, name),
                Err(error) => Err(error),
            },
            found => found,
        })?;
        let at = Arc::new(at);
        let mut written = self.written();
        written.retain(|(known, _)| known != above);
        if written.len() >= WRITTEN_MAX {
            written.pop_front();
        }
        written.push_back((above.to_owned(), Arc::clone(&at)));
        Ok((at, name))
    }

    /// Forgets the directories that were written into: the next ones are looked for by their paths.
    pub(super) fn forget_written(&self) {
        self.written().clear();
    }

    fn written(&self) -> MutexGuard<'_, VecDeque<(String, Arc<OwnedFd>)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn walk<'p>(
        &self,
        path: &'p FilePath,
        step: impl Fn(&OwnedFd, &str) -> rustix::io::Result<OwnedFd>,
    ) -> io::Result<(OwnedFd, &'p str)> {
        let mut at = self.root()?;
        let (above, name) = match path.as_str().rsplit_once('/') {
            Some((above, name)) => (Some(above), name),
            None => (None, path.as_str()),
        };
        for part in above.into_iter().flat_map(|above| above.split('/')) {
            at = step(&at, part)?;
        }
        Ok((at, name))
    }

    /// An error about an entry.
    pub(super) fn failed(
        &self,
        act: &'static str,
        path: &str,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::Folder {
            act,
            path: self.path.join(path),
            source: source.into(),
        }
    }
}

/// Opens a directory of a directory; a link is refused (`ENOTDIR` or `ELOOP`).
pub(super) fn open_directory(at: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(at, name, DIRECTORY, Mode::empty())
}
