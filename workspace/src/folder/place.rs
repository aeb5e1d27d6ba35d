//! One entry on its way into a folder: made under another name, filled, checked, dressed, named.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use sha2::Sha256;

use super::write::State;
use super::{Folder, blocking};
use crate::azure::{FileMeta, Written};
use crate::{ByteStream, Entry, Error, FilePath};

/// A file up to this size is gathered before anything is made, and made and written in one go.
pub(super) const GATHERED_BYTES: u64 = 256 << 10;

/// What became of an entry before any byte of it is written.
#[derive(Debug)]
pub(super) enum Begun {
    Staged(State),
    /// An empty file under the name until it is whole.
    File(Place, File),
}

/// An entry to be written: the open directory that will hold it, and its names.
#[derive(Debug)]
pub(super) struct Place {
    folder: Folder,
    path: FilePath,
    meta: FileMeta,
    at: Arc<OwnedFd>,
    name: String,
    /// The name until it is whole.
    part: String,
}

impl Place {
    pub(super) fn prepare(folder: Folder, path: FilePath, meta: FileMeta) -> Result<Self, Error> {
        let (at, name) = folder.beneath.made_parent(&path).map_err(|error| {
            folder
                .beneath
                .failed("Making the directory of", path.as_str(), error)
        })?;
        let name = name.to_owned();
        // Of a fixed length, so that a name of the greatest length has one too.
        let digest = hex::encode(Sha256::digest(name.as_bytes()));
        Ok(Self {
            folder,
            path,
            meta,
            at,
            part: format!(".mlark-{}.part", &digest[..24]),
            name,
        })
    }

    fn failed(&self, act: &'static str, source: impl Into<std::io::Error>) -> Error {
        self.folder.beneath.failed(act, self.path.as_str(), source)
    }

    /// What stands under the name, if anything.
    fn standing(&self) -> Result<Option<FileType>, Error> {
        match rustix::fs::statat(&self.at, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("Looking at", error)),
        }
    }

    /// Makes what has no bytes, or the file that will have them. A file for which something stands in the place is not
    /// begun.
    pub(super) fn begin(self) -> Result<Begun, Error> {
        let is_file = self.meta.entry == Entry::File;
        if is_file && !self.meta.overwrite && self.standing()?.is_some() {
            return Ok(Begun::Staged(State::Present));
        }
        self.begin_unseen()
    }

    /// The same without a look at the place: that something stands there is found when the file is to get its name.
    pub(super) fn begin_unseen(self) -> Result<Begun, Error> {
        match self.meta.entry.clone() {
            Entry::Directory => self.directory().map(Begun::Staged),
            Entry::Symlink(target) => self.link(&target).map(Begun::Staged),
            Entry::File => {
                let file = match self.create_part() {
                    // Left behind by a crash.
                    Err(Errno::EXIST) => self.remove_part().map(|()| self.create_part())?,
                    created => created,
                };
                let file = file.map_err(|error| self.failed("Writing", error))?;
                Ok(Begun::File(self, File::from(file)))
            }
        }
    }

    fn create_part(&self) -> rustix::io::Result<OwnedFd> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::openat(&self.at, self.part.as_str(), flags, mode)
    }

    fn directory(self) -> Result<State, Error> {
        let written =
            match rustix::fs::mkdirat(&self.at, self.name.as_str(), Mode::from_raw_mode(0o777)) {
                Ok(()) => Written::New,
                Err(Errno::EXIST) if self.standing()? == Some(FileType::Directory) => {
                    Written::Present
                }
                Err(Errno::EXIST) => {
                    return Err(Error::Exists {
                        path: self.folder.path().join(self.path.as_str()),
                    });
                }
                Err(error) => return Err(self.failed("Making", error)),
            };
        Ok(State::Directory(self, written))
    }

    fn link(self, target: &str) -> Result<State, Error> {
        if !self.meta.overwrite && self.standing()?.is_some() {
            return Ok(State::Present);
        }
        self.remove_part()?;
        rustix::fs::symlinkat(target, &self.at, self.part.as_str())
            .map_err(|error| self.failed("Linking", error))?;
        if let Some(times) = self.times() {
            rustix::fs::utimensat(
                &self.at,
                self.part.as_str(),
                &times,
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(|error| self.failed("Setting the times of", error))?;
        }
        Ok(State::Part(self))
    }

    /// Writes the bytes as they come. What is not whole stays under no name.
    pub(super) async fn fill(self, file: File, content: ByteStream) -> Result<Self, Error> {
        let written = self.write(file, content).await;
        blocking(move || self.dressed(written)).await
    }

    /// The same with all of the bytes, or why they are not to be had. Blocks.
    pub(super) fn fill_with(
        self,
        mut file: File,
        bytes: Result<impl AsRef<[u8]>, Error>,
    ) -> Result<Self, Error> {
        let written = bytes.and_then(|bytes| {
            let written = file.write_all(bytes.as_ref());
            written.map_err(|error| self.failed("Writing", error))?;
            Ok(file)
        });
        self.dressed(written)
    }

    fn dressed(self, written: Result<File, Error>) -> Result<Self, Error> {
        match written.and_then(|file| self.dress(&OwnedFd::from(file))) {
            Ok(()) => Ok(self),
            Err(error) => {
                // The error that kept it from being whole is the one to tell.
                let _ = self.remove_part();
                Err(error)
            }
        }
    }

    /// Brings its bytes to the disk. A link has none.
    pub(super) fn flush(&self) -> Result<(), Error> {
        if self.meta.entry != Entry::File {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.at, self.part.as_str(), flags, Mode::empty())
            .and_then(rustix::fs::fsync)
            .map_err(|error| self.failed("Writing", error))
    }

    /// Writes a large file, a piece at a time.
    async fn write(&self, mut file: File, mut content: ByteStream) -> Result<File, Error> {
        let mut check = Check::new(&self.path, &self.meta);
        while let Some(piece) = content.next().await {
            let piece = piece?;
            check.take(&piece)?;
            let writing = blocking(move || Ok(file.write_all(&piece).map(|()| file)));
            file = writing
                .await?
                .map_err(|error| self.failed("Writing", error))?;
        }
        check.end()?;
        Ok(file)
    }

    /// Sets times and permission bits. Bits that give the rights of this machine's owner to whoever runs the file are
    /// left out; a file that came without any gets the usual ones.
    fn dress(&self, opened: &OwnedFd) -> Result<(), Error> {
        let is_directory = self.meta.entry == Entry::Directory;
        let usual = if is_directory { None } else { Some(0o644) };
        let mode = self
            .meta
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.mode)
            .map(|mode| mode & if is_directory { 0o1777 } else { 0o777 })
            .or(usual);
        if let Some(mode) = mode {
            rustix::fs::fchmod(opened, Mode::from_raw_mode(mode))
                .map_err(|error| self.failed("Setting the permissions of", error))?;
        }
        if let Some(times) = self.times() {
            rustix::fs::futimens(opened, &times)
                .map_err(|error| self.failed("Setting the times of", error))?;
        }
        Ok(())
    }

    /// Sets those of a directory that is there.
    pub(super) fn dress_directory(&self) -> Result<(), Error> {
        let opened = super::beneath::open_directory(&self.at, &self.name)
            .map_err(|error| self.failed("Opening", error))?;
        self.dress(&opened)
    }

    fn times(&self) -> Option<Timestamps> {
        let written = self.meta.attributes.as_ref()?.written?.as_nanosecond();
        let second = i64::try_from(written.div_euclid(1_000_000_000)).ok()?;
        let nanosecond = u32::try_from(written.rem_euclid(1_000_000_000)).ok()?;
        Some(Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: second,
                tv_nsec: nanosecond.into(),
            },
        })
    }

    fn remove_part(&self) -> Result<(), Error> {
        match rustix::fs::unlinkat(&self.at, self.part.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failed("Clearing the place of", error)),
        }
    }

    /// Gives the whole entry its name.
    pub(super) fn publish(&self) -> Result<Written, Error> {
        let (part, name) = (self.part.as_str(), self.name.as_str());
        let renamed = if self.meta.overwrite {
            rustix::fs::renameat(&self.at, part, &self.at, name)
        } else {
            match rustix::fs::renameat_with(&self.at, part, &self.at, name, RenameFlags::NOREPLACE)
            {
                // A file system without that: a second name, which is refused where one is, then the first away.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    rustix::fs::linkat(&self.at, part, &self.at, name, AtFlags::empty())
                        .and_then(|()| rustix::fs::unlinkat(&self.at, part, AtFlags::empty()))
                }
                renamed => renamed,
            }
        };
        match renamed {
            Ok(()) => Ok(Written::New),
            Err(Errno::EXIST) => {
                self.remove_part()?;
                Ok(Written::Present)
            }
            Err(error) => {
                let error = self.failed("Naming", error);
                let _ = self.remove_part();
                Err(error)
            }
        }
    }
}

/// All bytes of a small file.
pub(super) async fn gather(
    path: &FilePath,
    meta: &FileMeta,
    mut content: ByteStream,
) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut check) = (Vec::new(), Check::new(path, meta));
    while let Some(piece) = content.next().await {
        let piece = piece?;
        check.take(&piece)?;
        bytes.extend_from_slice(&piece);
    }
    check.end()?;
    Ok(bytes)
}

/// Checks all bytes of a small file that are at hand.
pub(super) fn checked(path: &FilePath, meta: &FileMeta, bytes: Bytes) -> Result<Bytes, Error> {
    let mut check = Check::new(path, meta);
    check.take(&bytes)?;
    check.end()?;
    Ok(bytes)
}

/// Checks that the bytes are as many and the ones that were said.
struct Check<'a> {
    path: &'a FilePath,
    meta: &'a FileMeta,
    digest: Option<Md5>,
    total: u64,
}

impl<'a> Check<'a> {
    fn new(path: &'a FilePath, meta: &'a FileMeta) -> Self {
        Self {
            path,
            meta,
            digest: meta.content_md5.as_ref().map(|_| Md5::new()),
            total: 0,
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.total += piece.len() as u64;
        let size = self.meta.size;
        if self.total > size {
            return Err(self.damaged(format!("more than its {size} bytes came")));
        }
        if let Some(digest) = &mut self.digest {
            digest.update(piece);
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Error> {
        let (total, size) = (self.total, self.meta.size);
        if total != size {
            return Err(self.damaged(format!("{total} of its {size} bytes came")));
        }
        let found = self
            .digest
            .take()
            .map(|digest| base64::engine::general_purpose::STANDARD.encode(digest.finalize()));
        if found != self.meta.content_md5 {
            return Err(self.damaged("its Content-MD5 is another".to_owned()));
        }
        Ok(())
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged {
            path: self.path.to_string(),
            reason,
        }
    }
}
