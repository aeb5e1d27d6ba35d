//! A folder as a workspace: its files are items of kind `files`, read and written without ever leaving it.
//!
//! Symbolic links are kept as links and never followed, neither when reading nor when writing nor on the way: every step
//! below the root is opened by itself from the directory before it, so that nobody who swaps a directory for a link
//! meanwhile leads us elsewhere. All system calls run on blocking threads.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::{
    ByteStream, Content, Details, Error, FilePath, Identity, ItemId, Kind, Listed, Secret,
    SourceFile, Workspace,
};

mod beneath;
mod place;
mod read;
mod walk;
mod write;

use beneath::Beneath;
pub use write::Staged;

/// A folder of this machine.
#[derive(Clone, Debug)]
pub struct Folder {
    identity: Identity,
    beneath: Arc<Beneath>,
}

impl Folder {
    /// Opens a folder that is there. The path itself may lead through links; what lies below it may not.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        blocking(move || {
            let real = std::fs::canonicalize(&path).map_err(|source| Error::Folder {
                act: "Opening",
                path,
                source,
            })?;
            let beneath = Beneath::open(&real).map_err(|source| Error::Folder {
                act: "Opening",
                path: real.clone(),
                source,
            })?;
            Ok(Self {
                identity: Identity::Folder(real),
                beneath: Arc::new(beneath),
            })
        })
        .await
    }

    /// Opens a folder, and makes it and those above it where they are missing.
    pub async fn create(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let made = path.clone();
        blocking(move || {
            std::fs::create_dir_all(&made).map_err(|source| Error::Folder {
                act: "Making",
                path: made,
                source,
            })
        })
        .await?;
        Self::open(path).await
    }

    /// The path that a folder has once [`Folder::create`] made it; `None` where something is there already.
    pub async fn path_when_made(path: impl Into<PathBuf>) -> Result<Option<PathBuf>, Error> {
        let path = path.into();
        blocking(move || {
            let failed = |source| Error::Folder {
                act: "Looking for",
                path: path.clone(),
                source,
            };
            let whole = std::path::absolute(&path).map_err(failed)?;
            let mut above = whole.ancestors();
            loop {
                let Some(there) = above.next() else {
                    return Ok(Some(whole));
                };
                match std::fs::canonicalize(there) {
                    Ok(_) if there == whole => return Ok(None),
                    Ok(mut real) => {
                        let below = whole.strip_prefix(there).unwrap_or(&whole);
                        for part in below.components() {
                            match part {
                                Component::ParentDir => {
                                    real.pop();
                                }
                                part => real.push(part),
                            }
                        }
                        return Ok(Some(real));
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        })
        .await
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        self.beneath.path()
    }
}

/// The rows that a folder can have.
fn rows() -> Vec<&'static Kind> {
    crate::kind::KINDS
        .iter()
        .copied()
        .filter(|kind| kind.content == Content::Folder)
        .collect()
}

#[async_trait]
impl Workspace for Folder {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn kinds(&self) -> Vec<&'static Kind> {
        rows()
    }

    /// Every entry, directories before what is in them. What cannot be listed (a directory without permission, a name
    /// that is not UTF-8) comes as errors after everything else.
    fn list(&self, kind: &'static Kind) -> BoxStream<'_, Result<Listed, Error>> {
        if kind.content != Content::Folder {
            return stream::empty().boxed();
        }
        walk::entries(Arc::clone(&self.beneath))
            .map(move |file| file.map(|file| listed(kind, file)))
            .boxed()
    }

    async fn get(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        let Some(kind) = rows().into_iter().find(|kind| kind.name == id.kind) else {
            return Ok(None);
        };
        let path = FilePath::new(id.name.as_str())?;
        let beneath = Arc::clone(&self.beneath);
        let file = blocking(move || walk::entry(&beneath, &path)).await?;
        Ok(file.map(|file| listed(kind, file)))
    }

    async fn details(&self, _: &Listed) -> Result<Details, Error> {
        Ok(Details::default())
    }

    /// None beside the file that the item is.
    fn files<'a>(&'a self, _: &'a Listed) -> BoxStream<'a, Result<SourceFile, Error>> {
        stream::empty().boxed()
    }

    async fn read(&self, file: &SourceFile) -> Result<ByteStream, Error> {
        read::bytes(Arc::clone(&self.beneath), file.clone()).await
    }

    async fn secrets(&self, _: &Listed) -> Result<Vec<Secret>, Error> {
        Ok(Vec::new())
    }
}

fn listed(kind: &'static Kind, file: SourceFile) -> Listed {
    Listed {
        id: ItemId::new(kind.name, file.path.as_str()),
        document: None,
        file: Some(file),
    }
}

/// Runs system calls on a blocking thread.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(act)
        .await
        .unwrap_or_else(|source| {
            Err(Error::Local {
                what: "a thread that works on a folder".to_owned(),
                source: Box::new(source),
            })
        })
}

#[cfg(test)]
mod tests;
