//! Writing into a folder: what appears under its name is whole, and nothing that was there is lost unless asked.
//!
//! A file is written under another name in its directory, brought to the disk, and then renamed without overwriting. A
//! crash leaves that other name behind, and the next attempt takes it away. Bringing to the disk is the slow part, so it
//! is done for many at once.

use std::fs::File;
use std::os::fd::OwnedFd;

use base64::Engine as _;
use futures::StreamExt;
use md5::{Digest, Md5};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use sha2::Sha256;
use tokio::io::AsyncWriteExt;

use super::{Folder, blocking};
use crate::azure::{FileMeta, Written};
use crate::{ByteStream, Entry, Error, FilePath};

/// An entry that is written, but perhaps not under its name yet: [`Folder::publish`] does that.
#[derive(Debug)]
pub struct Staged(State);

#[derive(Debug)]
enum State {
    /// Something was there, and stays.
    Present,
    /// A directory that is there, with what became of it; its times are still to be set.
    Directory(Place, Written),
    /// A file or a link under the name until it is whole.
    Part(Place),
}

impl Folder {
    /// Writes one entry: a file with its bytes, a directory, or a link as a link. Parents are made; something that is
    /// there already is left alone unless [`FileMeta::overwrite`] says otherwise, and a directory always stays. Times and
    /// permission bits are set where the meta has them. The times of a directory change when something is written
    /// into it, so directories come once more, after what is in them.
    pub async fn write_file(
        &self,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Written, Error> {
        let staged = self.stage_file(path, meta, content).await?;
        let mut published = self.publish(vec![staged]).await?;
        published.pop().unwrap_or(Ok(Written::Present))
    }

    /// The first half of [`Folder::write_file`]: everything but the flush to the disk and the name.
    pub async fn stage_file(
        &self,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Staged, Error> {
        let place = {
            let (folder, path, meta) = (self.clone(), path.clone(), meta.clone());
            blocking(move || Place::prepare(folder, path, meta)).await?
        };
        let state = match &place.meta.entry {
            Entry::Directory => blocking(move || place.directory()).await?,
            Entry::Symlink(target) => {
                let target = target.clone();
                blocking(move || place.link(&target)).await?
            }
            Entry::File if !place.meta.overwrite && place.is_taken().await? => State::Present,
            Entry::File => State::Part(place.file(content).await?),
        };
        Ok(Staged(state))
    }

    /// Brings everything staged to the disk, all together, then gives each its name, in order. An error as a whole
    /// means that nothing got its name.
    pub async fn publish(&self, staged: Vec<Staged>) -> Result<Vec<Result<Written, Error>>, Error> {
        let folder = self.clone();
        blocking(move || {
            let is_part = |staged: &&Staged| matches!(staged.0, State::Part(_));
            match staged.iter().filter(is_part).count() {
                0 => {}
                1 => {
                    let mut parts = staged.iter().filter_map(|staged| match &staged.0 {
                        State::Part(place) => Some(place),
                        _ => None,
                    });
                    parts.try_for_each(Place::flush)?;
                }
                _ => folder.flush()?,
            }
            Ok(staged.into_iter().map(Staged::publish).collect())
        })
        .await
    }

    /// Brings all that was written into the folder's file system to the disk.
    fn flush(&self) -> Result<(), Error> {
        let flushed = self.beneath.root().and_then(|root| {
            #[cfg(target_os = "linux")]
            rustix::fs::syncfs(&root)?;
            #[cfg(not(target_os = "linux"))]
            rustix::fs::sync();
            drop(root);
            Ok(())
        });
        flushed.map_err(|error| self.beneath.failed("Writing", "", error))
    }
}

impl Staged {
    fn publish(self) -> Result<Written, Error> {
        match self.0 {
            State::Present => Ok(Written::Present),
            State::Directory(place, written) => {
                let opened = super::beneath::open_directory(&place.at, &place.name)
                    .map_err(|error| place.failed("Opening", error))?;
                place.dress(&opened)?;
                Ok(written)
            }
            State::Part(place) => place.publish(),
        }
    }
}

/// An entry to be written: the open directory that will hold it, and its names.
#[derive(Debug)]
struct Place {
    folder: Folder,
    path: FilePath,
    meta: FileMeta,
    at: OwnedFd,
    name: String,
    /// The name until it is whole.
    part: String,
}

impl Place {
    fn prepare(folder: Folder, path: FilePath, meta: FileMeta) -> Result<Self, Error> {
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

    async fn is_taken(&self) -> Result<bool, Error> {
        let at = self
            .at
            .try_clone()
            .map_err(|error| self.failed("Looking at", error))?;
        let name = self.name.clone();
        let found = blocking(move || {
            Ok(rustix::fs::statat(
                &at,
                name.as_str(),
                AtFlags::SYMLINK_NOFOLLOW,
            ))
        })
        .await?;
        match found {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("Looking at", error)),
        }
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

    async fn file(self, content: ByteStream) -> Result<Self, Error> {
        let (place, file) = blocking(move || {
            self.remove_part()?;
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(
                &self.at,
                self.part.as_str(),
                flags,
                Mode::from_raw_mode(0o600),
            )
            .map_err(|error| self.failed("Writing", error))?;
            Ok((self, File::from(file)))
        })
        .await?;
        let filled = place.fill(tokio::fs::File::from_std(file), content).await;
        blocking(move || {
            let file = match filled {
                Ok(file) => file,
                Err(error) => {
                    // What is not whole stays under no name; the error that made it so is the one to tell.
                    let _ = place.remove_part();
                    return Err(error);
                }
            };
            place.dress(&OwnedFd::from(file))?;
            Ok(place)
        })
        .await
    }

    /// Brings its bytes to the disk. A link has none.
    fn flush(&self) -> Result<(), Error> {
        if self.meta.entry != Entry::File {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.at, self.part.as_str(), flags, Mode::empty())
            .and_then(rustix::fs::fsync)
            .map_err(|error| self.failed("Writing", error))
    }

    /// Writes the bytes and checks that they are as many and the ones that were said.
    async fn fill(
        &self,
        mut file: tokio::fs::File,
        mut content: ByteStream,
    ) -> Result<File, Error> {
        let damaged = |reason: String| Error::Damaged {
            path: self.path.to_string(),
            reason,
        };
        let mut digest = self.meta.content_md5.as_ref().map(|_| Md5::new());
        let mut total = 0_u64;
        while let Some(piece) = content.next().await {
            let piece = piece?;
            total += piece.len() as u64;
            if total > self.meta.size {
                return Err(damaged(format!(
                    "more than its {} bytes came",
                    self.meta.size
                )));
            }
            if let Some(digest) = &mut digest {
                digest.update(&piece);
            }
            file.write_all(&piece)
                .await
                .map_err(|error| self.failed("Writing", error))?;
        }
        if total != self.meta.size {
            return Err(damaged(format!(
                "{total} of its {} bytes came",
                self.meta.size
            )));
        }
        if let (Some(digest), Some(wanted)) = (digest, &self.meta.content_md5) {
            let found = base64::engine::general_purpose::STANDARD.encode(digest.finalize());
            if found != *wanted {
                return Err(damaged("its Content-MD5 is another".to_owned()));
            }
        }
        file.flush()
            .await
            .map_err(|error| self.failed("Writing", error))?;
        Ok(file.into_std().await)
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
    fn publish(&self) -> Result<Written, Error> {
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
