//! Objects of the repository itself, outside of any snapshot, in packs of their own.

use bytes::Bytes;
use jiff::Timestamp;

use super::folder::RunFolder;
use super::packer::Packer;
use crate::pack::Class;
use crate::repository::Inner;
use crate::{Address, Error, PackName, SnapshotId};

/// Stores objects anew, whether the repository has them or not.
#[derive(Debug)]
pub(crate) struct FreshObjects {
    packer: Packer,
    // The last field, since it removes the packer's files.
    _folder: RunFolder,
}

impl FreshObjects {
    pub(crate) async fn begin(inner: &Inner, now: Timestamp) -> Result<Self, Error> {
        let (run, repository_folder) = (SnapshotId::new(now)?, inner.folder.clone());
        let made = tokio::task::spawn_blocking(move || RunFolder::create(&repository_folder, run));
        let folder = made.await.map_err(|_| Error::Worker {
            what: "the run's folder",
        })??;
        let packer = Packer::begin(inner, &folder, true).await;
        Ok(Self {
            packer,
            _folder: folder,
        })
    }

    /// Takes an object in.
    pub(crate) async fn store(&self, class: Class, bytes: Bytes) -> Result<Address, Error> {
        Ok(self.packer.store(class, bytes).await?.address)
    }

    /// Brings everything into the repository; gives the packs, and what they take there with their index files.
    pub(crate) async fn finish(self) -> Result<(Vec<PackName>, u64), Error> {
        self.packer.flush().await?;
        Ok((self.packer.packs(), self.packer.stored_bytes()))
    }
}
