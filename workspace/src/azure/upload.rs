//! Uploading a blob: small ones in one request, larger ones block by block, going on where an earlier upload stopped.
//!
//! A block's name is its number and the SHA-256 of its bytes, so that a block of that name which lies there uncommitted
//! holds these bytes, whoever sent it, and is not sent again.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;

use azure_core::http::{Etag, Method, NoFormat, RequestContent};
use azure_storage_blob::models::{
    AccessTier, BlobClientGetPropertiesResultHeaders, BlockBlobClientCommitBlockListOptions,
    BlockBlobClientStageBlockOptions, BlockBlobClientUploadOptions, BlockListHeaders,
    BlockListType, BlockLookupList,
};
use azure_storage_blob::{
    BlobClient, BlobClientOptions, BlobContainerClient, BlobContainerClientOptions, BlockBlobClient,
};
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use sha2::{Digest, Sha256};

use super::answer::{act, from_core, is_there_already};
use super::blob::{container_url, opened};
use super::connection::Connection;
use super::place::{FileMeta, Place, Written};
use super::write::Content;
use crate::Error;

/// Files up to this size go in one request; also the least size of a block.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;
/// The most blocks that a blob may have.
const BLOCKS_MAX: u64 = 50_000;
/// How many blocks of one file are under way at once.
const AHEAD: usize = 3;

/// Writes one blob.
pub(crate) async fn write(
    connection: &Connection,
    at: &Place,
    meta: &FileMeta,
    mut content: Content,
) -> Result<Written, Error> {
    let upload = Upload {
        client: client(connection, at)?.block_blob_client(),
        act: act(Method::Put, &at.url),
        connection,
        at,
        meta,
    };
    if meta.size <= BLOCK_BYTES {
        let length = usize::try_from(meta.size).unwrap_or_default();
        let bytes = content.next(length).await?;
        // Whatever follows is too much.
        content.next(1).await?;
        return upload.whole(&content.proven()?, bytes).await;
    }
    upload.blocks(content).await
}

/// A client of one blob.
pub(crate) fn client(connection: &Connection, at: &Place) -> Result<BlobClient, Error> {
    let (client_options, url) = opened(connection, at, at.url.clone());
    let options = BlobClientOptions {
        client_options,
        ..BlobClientOptions::default()
    };
    BlobClient::new(url, None, Some(options))
        .map_err(|error| from_core(error, &act(Method::Put, &at.url)))
}

struct Upload<'u> {
    client: BlockBlobClient,
    act: String,
    connection: &'u Connection,
    at: &'u Place,
    meta: &'u FileMeta,
}

impl Upload<'_> {
    fn none_there(&self) -> Option<Etag> {
        (!self.meta.overwrite).then(|| Etag::from("*"))
    }

    fn metadata(&self) -> Option<HashMap<String, String>> {
        let metadata = &self.meta.metadata;
        (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
    }

    /// The tier to write with. In the archive tier a blob could not be read again, and other tiers are no block blob's.
    fn tier(&self) -> Option<AccessTier> {
        match self.meta.tier.as_deref()? {
            "Hot" => Some(AccessTier::Hot),
            "Cool" => Some(AccessTier::Cool),
            "Cold" => Some(AccessTier::Cold),
            _ => None,
        }
    }

    async fn whole(&self, md5: &[u8], bytes: Bytes) -> Result<Written, Error> {
        let mut made_container = false;
        let mut tier = self.tier();
        loop {
            let options = BlockBlobClientUploadOptions {
                blob_content_md5: Some(md5.to_vec()),
                blob_content_type: self.meta.content_type.clone(),
                metadata: self.metadata(),
                tier: tier.clone(),
                if_none_match: self.none_there(),
                partition_size: NonZero::new(BLOCK_BYTES + 1),
                ..BlockBlobClientUploadOptions::default()
            };
            let body: RequestContent<Bytes, NoFormat> = bytes.clone().into();
            let sent = self.client.upload(body, Some(options)).await;
            match sent.map_err(|error| from_core(error, &self.act)) {
                Ok(answer) if answer.content_md5.as_ref().is_some_and(|came| came != md5) => {
                    return Err(Error::Damaged {
                        path: self.at.path.clone(),
                        reason: "the service received other bytes".to_owned(),
                    });
                }
                Ok(_) => return Ok(Written::New),
                Err(error) if !self.meta.overwrite && is_there_already(&error) => {
                    return Ok(Written::Present);
                }
                Err(error) if no_container(&error) && !made_container => {
                    self.make_container().await?;
                    made_container = true;
                }
                // An account that has no tiers, as premium ones.
                Err(Error::Invalid(_)) if tier.is_some() => tier = None,
                Err(error) => return Err(error),
            }
        }
    }

    async fn blocks(&self, mut content: Content) -> Result<Written, Error> {
        let Some(there) = self.uncommitted().await? else {
            return Ok(Written::Present);
        };
        let size = BLOCK_BYTES.max(self.meta.size.div_ceil(BLOCKS_MAX));
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            // Blocks go on their way while the next one is read.
            let block = {
                let mut next = std::pin::pin!(content.next(size));
                loop {
                    tokio::select! {
                        block = &mut next => break block?,
                        Some(staged) = running.next(), if !running.is_empty() => staged?,
                    }
                }
            };
            if block.is_empty() {
                break;
            }
            let name = block_name(names.len(), &block);
            names.push(name.clone());
            if !there.contains(&name) {
                running.push(self.stage(name, block));
            }
            while running.len() >= AHEAD {
                running.next().await.transpose()?;
            }
        }
        while running.next().await.transpose()?.is_some() {}
        self.commit(names, content.proven()?).await
    }

    async fn stage(&self, name: Vec<u8>, block: Bytes) -> Result<(), Error> {
        let md5 = <md5::Md5 as md5::Digest>::digest(&block).to_vec();
        let options = BlockBlobClientStageBlockOptions {
            transactional_content_md5: Some(md5),
            ..BlockBlobClientStageBlockOptions::default()
        };
        let length = block.len() as u64;
        let body: RequestContent<Bytes, NoFormat> = block.into();
        self.client
            .stage_block(&name, length, body, Some(options))
            .await
            .map_err(|error| from_core(error, &self.act))?;
        Ok(())
    }

    async fn commit(&self, names: Vec<Vec<u8>>, md5: Vec<u8>) -> Result<Written, Error> {
        let list = BlockLookupList {
            latest: Some(names),
            ..BlockLookupList::default()
        };
        let mut tier = self.tier();
        loop {
            let body = list.clone().try_into();
            let body = body.map_err(|error| from_core(error, &self.act))?;
            let options = BlockBlobClientCommitBlockListOptions {
                blob_content_md5: Some(md5.clone()),
                blob_content_type: self.meta.content_type.clone(),
                metadata: self.metadata(),
                tier: tier.clone(),
                if_none_match: self.none_there(),
                ..BlockBlobClientCommitBlockListOptions::default()
            };
            let sent = self.client.commit_block_list(body, Some(options)).await;
            match sent.map_err(|error| from_core(error, &self.act)) {
                Ok(_) => return Ok(Written::New),
                Err(error) if !self.meta.overwrite && is_there_already(&error) => {
                    return Ok(Written::Present);
                }
                Err(Error::Invalid(_)) if tier.is_some() => tier = None,
                Err(error) => return Err(error),
            }
        }
    }

    /// The names of the blocks that an earlier upload left; `None` where the blob is there and is to be left alone.
    async fn uncommitted(&self) -> Result<Option<HashSet<Vec<u8>>>, Error> {
        let answer = self.client.get_block_list(BlockListType::All, None).await;
        let answer = match answer.map_err(|error| from_core(error, &self.act)) {
            Ok(answer) => answer,
            Err(error) if no_container(&error) => {
                self.make_container().await?;
                return Ok(Some(HashSet::new()));
            }
            Err(Error::NotFound(_)) => return Ok(Some(HashSet::new())),
            // A signature that lets write and not read.
            Err(Error::Forbidden(_)) if self.at.sas.is_some() => return Ok(Some(HashSet::new())),
            Err(error) => return Err(error),
        };
        let length = answer.blob_content_length().ok().flatten();
        let list = answer
            .into_model()
            .map_err(|error| from_core(error, &self.act))?;
        let committed = list
            .committed_blocks
            .is_some_and(|blocks| !blocks.is_empty());
        if !self.meta.overwrite && (committed || length.is_some_and(|length| length > 0)) {
            return Ok(None);
        }
        let names = list.uncommitted_blocks.unwrap_or_default();
        Ok(Some(
            names.into_iter().filter_map(|block| block.name).collect(),
        ))
    }

    async fn make_container(&self) -> Result<(), Error> {
        if self.at.sas.is_some() {
            return Err(Error::Place {
                uri: self.at.to_string(),
                reason: "the container that the service gave is not there".to_owned(),
            });
        }
        let url = container_url(self.at)?;
        let (client_options, url) = opened(self.connection, self.at, url);
        let options = BlobContainerClientOptions {
            client_options,
            ..BlobContainerClientOptions::default()
        };
        let act = act(Method::Put, &url);
        let client = BlobContainerClient::new(url, None, Some(options))
            .map_err(|error| from_core(error, &act))?;
        match client.create(None).await {
            Ok(_) => Ok(()),
            Err(error) => match from_core(error, &act) {
                // Somebody else made it.
                error if is_there_already(&error) => Ok(()),
                error => Err(error),
            },
        }
    }
}

fn no_container(error: &Error) -> bool {
    matches!(error, Error::NotFound(refusal) if refusal.code == "ContainerNotFound")
}

/// All names of a blob's blocks must be of one length.
fn block_name(number: usize, block: &[u8]) -> Vec<u8> {
    let number = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let digest = Sha256::digest(block);
    number.iter().chain(digest.iter()).copied().collect()
}

/// The size of a blob; `None` where it is not there.
pub(crate) async fn size(connection: &Connection, at: &Place) -> Result<Option<u64>, Error> {
    let act = act(Method::Head, &at.url);
    let answer = client(connection, at)?.get_properties(None).await;
    match answer.map_err(|error| from_core(error, &act)) {
        Ok(answer) => Ok(answer.content_length().ok().flatten()),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocks_name_tells_its_number_and_its_bytes() {
        let one = block_name(0, b"a");
        assert_eq!(one, block_name(0, b"a"));
        assert_ne!(one, block_name(1, b"a"));
        assert_ne!(one, block_name(0, b"b"));
        // 64 bytes is the most that the service takes.
        assert!(one.len() <= 64);
    }
}
