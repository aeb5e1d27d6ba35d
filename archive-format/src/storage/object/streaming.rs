//! Brings a stream into an object store in parts, a few of which are in memory at a time. What fits into one part goes up
//! in one request.

use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::{Attribute, Attributes, MultipartUpload, PutMultipartOptions};

use super::upload::{self, PART_BYTES, PARTS_AT_ONCE};
use super::{Failed, MARK, ObjectStorage, Source, Verdict, mark};
use crate::FileName;
use crate::storage::{Created, FileUse, Incoming, StorageError, StreamingStorage};

#[async_trait]
impl StreamingStorage for ObjectStorage {
    async fn create_streaming(
        &self,
        name: &FileName,
        bytes: Incoming,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        // Its end is looked for again behind the last part.
        let mut bytes = bytes.fuse().boxed();
        let fails = |failed| self.error("create", name.as_str(), failed);
        let broken = |error: io::Error| fails(Failed::other(error.into()));
        let mut rest = BytesMut::new();
        let first = next_part(&mut bytes, &mut rest).await.map_err(broken)?;
        if (first.len() as u64) < PART_BYTES {
            return self.create_from(name, Source::Bytes(first), used).await;
        }
        let mark = mark().map_err(fails)?;
        let attributes = self.attributes(&mark, used);
        let coming = Coming { first, rest, bytes };
        match self.put_stream(name, coming, attributes).await {
            Ok(()) => Ok(Created::New),
            Err(error) => match Verdict::of(&error) {
                Verdict::Exists | Verdict::Unclear => {
                    self.whose(name, &mark, error).await.map_err(fails)
                }
                Verdict::Failed => Err(fails(Failed::creating(error))),
            },
        }
    }
}

/// A stream of which the first part was read.
struct Coming {
    first: Bytes,
    rest: BytesMut,
    bytes: Incoming,
}

impl ObjectStorage {
    /// What a new file carries.
    pub(super) fn attributes(&self, mark: &str, used: FileUse) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::Metadata(MARK.into()), mark.to_owned().into());
        if let (FileUse::Contents, Some(class)) = (used, &self.options.data_class) {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        attributes
    }

    async fn put_stream(
        &self,
        name: &FileName,
        coming: Coming,
        attributes: Attributes,
    ) -> Result<(), upload::Error> {
        // Nothing is sent where it would be refused at the end.
        match self.look(name).await {
            Ok(None) => {}
            Ok(Some(_)) => return Err(upload::Error::Exists),
            Err(failed) => return Err(io::Error::other(failed.source).into()),
        }
        let path = self.path(name.as_str())?;
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let mut upload = self.store.put_multipart_opts(&path, options).await?;
        let sent = self.send_stream(upload.as_mut(), coming).await;
        self.end(name, upload.as_mut(), sent).await
    }

    async fn send_stream(
        &self,
        upload: &mut dyn MultipartUpload,
        coming: Coming,
    ) -> Result<(), upload::Error> {
        let Coming {
            first,
            mut rest,
            mut bytes,
        } = coming;
        let mut under_way = FuturesUnordered::new();
        let mut part = first;
        while !part.is_empty() {
            if under_way.len() >= PARTS_AT_ONCE
                && let Some(done) = under_way.next().await
            {
                done?;
            }
            under_way.push(upload.put_part(part.into()));
            // Parts go on while the next one comes.
            let next = next_part(&mut bytes, &mut rest);
            tokio::pin!(next);
            part = loop {
                tokio::select! {
                    part = &mut next => break part?,
                    Some(done) = under_way.next() => done?,
                }
            };
        }
        while let Some(done) = under_way.next().await {
            done?;
        }
        Ok(())
    }
}

/// The next part of a stream; a shorter one is the last, an empty one its end.
async fn next_part(bytes: &mut Incoming, rest: &mut BytesMut) -> io::Result<Bytes> {
    let length = usize::try_from(PART_BYTES).map_err(io::Error::other)?;
    while rest.len() < length {
        match bytes.next().await {
            Some(piece) => rest.extend_from_slice(&piece?),
            None => break,
        }
    }
    let end = rest.len().min(length);
    Ok(rest.split_to(end).freeze())
}
