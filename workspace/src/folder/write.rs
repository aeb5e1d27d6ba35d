//! Writing into a folder: what appears under its name is whole, and nothing that was there is lost unless asked.
//!
//! A file is written under another name in its directory, brought to the disk, and then renamed without overwriting. A
//! crash leaves that other name behind, and the next attempt takes it away. Bringing to the disk is the slow part, so it
//! is done for many at once.

use bytes::Bytes;

use super::place::{Begun, GATHERED_BYTES, Place, checked, gather};
use super::{Folder, blocking};
use crate::azure::{FileMeta, Written};
use crate::{ByteStream, Entry, Error, FilePath};

/// An entry that is written, but perhaps not under its name yet: [`Folder::publish`] does that.
#[derive(Debug)]
pub struct Staged(State);

#[derive(Debug)]
pub(super) enum State {
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
        let (folder, path, meta) = (self.clone(), path.clone(), meta.clone());
        if meta.entry == Entry::File && meta.size <= GATHERED_BYTES {
            let bytes = gather(&path, &meta, content).await;
            return blocking(move || stage_whole(folder, path, meta, bytes)).await;
        }
        let begun = blocking(move || Place::prepare(folder, path, meta)?.begin()).await?;
        match begun {
            Begun::Staged(state) => Ok(Staged(state)),
            Begun::File(place, file) => Ok(Staged(State::Part(place.fill(file, content).await?))),
        }
    }

    /// [`Folder::stage_file`] for many files whose bytes are all at hand, in their order, on one thread.
    pub async fn stage_small(
        &self,
        files: Vec<(FilePath, FileMeta, Bytes)>,
    ) -> Result<Vec<Result<Staged, Error>>, Error> {
        let folder = self.clone();
        blocking(move || {
            let staged = files.into_iter().map(|(path, meta, bytes)| {
                let bytes = checked(&path, &meta, bytes);
                stage_whole(folder.clone(), path, meta, bytes)
            });
            Ok(staged.collect())
        })
        .await
    }

    /// Brings everything staged to the disk, all together, then gives each its name, in order. An error as a whole
    /// means that nothing got its name.
    pub async fn publish(&self, staged: Vec<Staged>) -> Result<Vec<Result<Written, Error>>, Error> {
        let folder = self.clone();
        blocking(move || {
            folder.beneath.forget_written();
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

/// Writes an entry with all of its bytes, or says why they are not to be had. Blocks.
fn stage_whole(
    folder: Folder,
    path: FilePath,
    meta: FileMeta,
    bytes: Result<impl AsRef<[u8]>, Error>,
) -> Result<Staged, Error> {
    // A small file is written sooner than it is looked for.
    match Place::prepare(folder, path, meta)?.begin_unseen()? {
        Begun::Staged(state) => Ok(Staged(state)),
        Begun::File(place, file) => Ok(Staged(State::Part(place.fill_with(file, bytes)?))),
    }
}

impl Staged {
    fn publish(self) -> Result<Written, Error> {
        match self.0 {
            State::Present => Ok(Written::Present),
            State::Directory(place, written) => place.dress_directory().map(|()| written),
            State::Part(place) => place.publish(),
        }
    }
}
