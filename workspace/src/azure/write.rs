//! Writing the bytes of a restore: what lies at a place, and putting a file there.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use md5::{Digest, Md5};

use super::place::{FileMeta, Place, Store, Written};
use super::workspace::AzureWorkspace;
use super::{blob, share, share_upload, upload};
use crate::{ByteStream, Error, FilePath, SourceFile};

/// Accounts that may be written to besides those that the workspace's datastores name: a mapping names them.
#[derive(Debug, Default)]
pub(crate) struct MayWrite(RwLock<BTreeSet<String>>);

impl AzureWorkspace {
    /// Lets an account be written to that none of the workspace's datastores names.
    pub fn allow_account(&self, account: &str) {
        let mut allowed = self.may_write().0.write();
        allowed
            .as_mut()
            .unwrap_or_else(PoisonError::get_mut)
            .insert(account.to_owned());
    }

    /// What lies at a place now, by a listing of its own; a place that is not there is empty.
    pub fn list_place<'a>(&'a self, place: &'a Place) -> BoxStream<'a, Result<SourceFile, Error>> {
        let start = async move {
            let way = self.way_to(place).await?;
            Ok::<_, Error>(match place.store {
                Store::Share => share::walk(&way, place),
                Store::Blob => blob::list(&way, place)
                    .and_then(move |entry| async move { entry.file(place) })
                    .boxed(),
            })
        };
        start.into_stream().try_flatten().boxed()
    }

    /// Writes one file below a place: uploads go on at the block where an earlier one stopped, an existing file is left
    /// alone unless [`FileMeta::overwrite`] says otherwise, and parents are made. Writes only to accounts that the
    /// workspace's datastores name, or with the place's own signature.
    pub async fn write_file(
        &self,
        place: &Place,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Written, Error> {
        self.check_account(place).await?;
        let at = self.inside(place.clone(), path.as_str())?;
        let content = Content::new(path, meta, content);
        let way = self.way_to(place).await?;
        match place.store {
            Store::Blob => upload::write(&way, &at, meta, content).await,
            Store::Share => share_upload::write(&way, place, path, meta, content).await,
        }
    }

    async fn check_account(&self, place: &Place) -> Result<(), Error> {
        if place.sas.is_some() {
            return Ok(());
        }
        {
            let allowed = self.may_write().0.read();
            if allowed
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&place.account)
            {
                return Ok(());
            }
        }
        if self.datastores().await?.names_account(&place.account) {
            return Ok(());
        }
        Err(Error::Place {
            uri: place.to_string(),
            reason: "no datastore of the workspace names this account, so nothing is written there"
                .to_owned(),
        })
    }
}

/// The bytes of a file on their way out: cut into blocks, counted and hashed.
pub(crate) struct Content {
    path: String,
    stated_size: u64,
    stated_md5: Option<String>,
    stream: ByteStream,
    held: BytesMut,
    ended: bool,
    size: u64,
    md5: Md5,
}

impl Content {
    fn new(path: &FilePath, meta: &FileMeta, stream: ByteStream) -> Self {
        Self {
            path: path.to_string(),
            stated_size: meta.size,
            stated_md5: meta.content_md5.clone(),
            stream,
            held: BytesMut::new(),
            ended: false,
            size: 0,
            md5: Md5::new(),
        }
    }

    /// The next bytes, as many as asked for except at the end; empty behind the end.
    pub(crate) async fn next(&mut self, length: usize) -> Result<Bytes, Error> {
        while self.held.len() < length && !self.ended {
            match self.stream.next().await {
                Some(piece) => self.held.extend_from_slice(&piece?),
                None => self.ended = true,
            }
        }
        let block = self.held.split_to(length.min(self.held.len())).freeze();
        self.size += block.len() as u64;
        if self.size > self.stated_size {
            return Err(self.damaged(format!("it is longer than {} bytes", self.stated_size)));
        }
        self.md5.update(&block);
        Ok(block)
    }

    /// Content-MD5 of all that was read, once it is proven to be what was stated.
    pub(crate) fn proven(&self) -> Result<Vec<u8>, Error> {
        if self.size != self.stated_size {
            return Err(self.damaged(format!(
                "it has {} bytes and not {}",
                self.size, self.stated_size
            )));
        }
        let found = self.md5.clone().finalize().to_vec();
        match &self.stated_md5 {
            Some(stated) if *stated != STANDARD.encode(&found) => Err(self.damaged(format!(
                "its Content-MD5 is {} and not {stated}",
                STANDARD.encode(&found)
            ))),
            _ => Ok(found),
        }
    }

    pub(crate) fn damaged(&self, reason: String) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            reason,
        }
    }
}
