//! What a storage account's blob service holds: containers, blobs, uncommitted blocks.
//!
//! Synchronous and free of HTTP; [`crate::blob`] turns requests into these calls, and the world builder makes them
//! directly. Every write gives a new ETag.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::content::Content;
use super::error::StorageError;
use super::known::Known;
use super::lease::Leases;

/// Metadata of a blob, file or container, its names in lower case.
pub type Metadata = BTreeMap<String, String>;

/// The blob service of one storage account.
#[derive(Clone, Debug, Default)]
pub struct BlobStore {
    all: BTreeMap<String, Container>,
    writes: u64,
    /// Who may write which blob.
    pub(super) leases: Leases,
    known: Known,
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its blobs by name.
    pub blobs: BTreeMap<String, Blob>,
    /// Blocks that were put and not yet committed: by blob, by block id.
    pub staged: BTreeMap<String, BTreeMap<String, Content>>,
    /// The entity tag.
    pub etag: String,
    /// When it was made or changed.
    pub modified: Timestamp,
    /// Its metadata.
    pub metadata: Metadata,
}

/// The content headers of a blob or file that a client may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// Content-Type.
    pub content_type: Option<String>,
    /// Content-Encoding.
    pub encoding: Option<String>,
    /// Content-Language.
    pub language: Option<String>,
    /// Content-Disposition.
    pub disposition: Option<String>,
    /// Cache-Control.
    pub cache_control: Option<String>,
    /// Content-MD5, as the client or the service set it.
    pub md5: Option<[u8; 16]>,
}

/// A block blob.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its bytes.
    pub content: Content,
    /// The content headers.
    pub headers: ContentHeaders,
    /// Its metadata.
    pub metadata: Metadata,
    /// The entity tag, without quotes.
    pub etag: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last written.
    pub modified: Timestamp,
    /// The access tier, where one was set; else the account's, which is Hot.
    pub tier: Option<String>,
    /// The committed blocks: id and size. Empty after a Put Blob.
    pub blocks: Vec<(String, u64)>,
    /// A status with which every read of the content is refused. Listings show the blob as usual.
    pub unreadable: Option<u16>,
}

/// What a write of a blob brings besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The content headers.
    pub headers: ContentHeaders,
    /// The metadata.
    pub metadata: Metadata,
    /// The access tier.
    pub tier: Option<String>,
}

impl BlobStore {
    /// An empty service. `first_write` sets its ETags apart from those of an account of that name before it.
    pub fn new(first_write: u64) -> Self {
        Self {
            all: BTreeMap::new(),
            writes: first_write,
            leases: Leases::default(),
            known: Known::default(),
        }
    }

    /// Recognises generated content that is written in blocks, each beginning at a multiple of 1 MiB of it, and keeps it
    /// as what it is generated from.
    pub fn recognise(&mut self, content: Content) {
        self.known.add(content);
    }

    /// A block's bytes as they are to be kept.
    pub(super) fn keep(&self, bytes: Bytes) -> Content {
        self.known.keep(bytes)
    }

    /// Makes a container; 409 where there is one of that name.
    pub fn create(
        &mut self,
        name: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Container, StorageError> {
        if self.all.contains_key(name) {
            return Err(StorageError::new(
                409,
                "ContainerAlreadyExists",
                "The specified container already exists.",
            ));
        }
        let etag = self.next_etag();
        Ok(self.all.entry(name.to_owned()).or_insert(Container {
            blobs: BTreeMap::new(),
            staged: BTreeMap::new(),
            etag,
            modified: at,
            metadata,
        }))
    }

    /// Makes a container where there is none of that name.
    pub fn create_container(&mut self, name: &str, at: Timestamp) {
        // The only refusal is that it exists.
        let _ = self.create(name, Metadata::new(), at);
    }

    /// Removes a container with all blobs; `false` where there was none.
    pub fn remove(&mut self, name: &str) -> bool {
        self.all.remove(name).is_some()
    }

    /// A container by name.
    pub fn container(&self, name: &str) -> Result<&Container, StorageError> {
        self.all
            .get(name)
            .ok_or_else(StorageError::container_not_found)
    }

    /// A container by name, to change it.
    pub fn container_mut(&mut self, name: &str) -> Result<&mut Container, StorageError> {
        self.all
            .get_mut(name)
            .ok_or_else(StorageError::container_not_found)
    }

    /// All containers by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Container)> {
        self.all.iter().map(|(name, it)| (name.as_str(), it))
    }

    /// A blob by container and name.
    pub fn blob(&self, container: &str, name: &str) -> Result<&Blob, StorageError> {
        self.container(container)?
            .blobs
            .get(name)
            .ok_or_else(StorageError::blob_not_found)
    }

    /// Writes a whole blob, as Put Blob does. Content-MD5 is computed where none is given.
    pub fn put(
        &mut self,
        container: &str,
        name: &str,
        content: Content,
        mut written: Written,
        at: Timestamp,
    ) -> Result<&Blob, StorageError> {
        if written.headers.md5.is_none() {
            written.headers.md5 = Some(content.md5());
        }
        self.commit(container, name, content, Vec::new(), written, at)
    }

    /// Writes a blob from blocks, as Put Block List does: Content-MD5 stays absent unless it is given.
    pub fn commit(
        &mut self,
        container: &str,
        name: &str,
        content: Content,
        blocks: Vec<(String, u64)>,
        written: Written,
        at: Timestamp,
    ) -> Result<&Blob, StorageError> {
        let etag = self.next_etag();
        let container = self.container_mut(container)?;
        container.staged.remove(name);
        let old = container.blobs.remove(name);
        let blob = Blob {
            content,
            headers: written.headers,
            metadata: written.metadata,
            etag,
            created: old.as_ref().map_or(at, |old| old.created),
            modified: at,
            tier: written.tier,
            blocks,
            unreadable: None,
        };
        Ok(container.blobs.entry(name.to_owned()).or_insert(blob))
    }

    /// Changes a blob in place: what is changed is a write, with a new ETag and time.
    pub fn change(
        &mut self,
        container: &str,
        name: &str,
        at: Timestamp,
        change: impl FnOnce(&mut Blob),
    ) -> Result<&Blob, StorageError> {
        let etag = self.next_etag();
        let blob = self
            .container_mut(container)?
            .blobs
            .get_mut(name)
            .ok_or_else(StorageError::blob_not_found)?;
        change(blob);
        blob.etag = etag;
        blob.modified = at;
        Ok(blob)
    }

    /// Removes a blob.
    pub fn delete(&mut self, container: &str, name: &str) -> Result<(), StorageError> {
        let removed = self.container_mut(container)?.blobs.remove(name);
        removed.map(drop).ok_or_else(StorageError::blob_not_found)
    }

    /// Removes every blob below a prefix and says how many there were.
    pub fn delete_prefix(&mut self, container: &str, prefix: &str) -> usize {
        let Some(container) = self.all.get_mut(container) else {
            return 0;
        };
        let before = container.blobs.len();
        container.blobs.retain(|name, _| !name.starts_with(prefix));
        before - container.blobs.len()
    }

    /// Makes every read of a blob fail with a status, or readable again with `None`. No write: its ETag stays.
    pub fn set_unreadable(
        &mut self,
        container: &str,
        name: &str,
        status: Option<u16>,
    ) -> Result<(), StorageError> {
        self.container_mut(container)?
            .blobs
            .get_mut(name)
            .ok_or_else(StorageError::blob_not_found)?
            .unreadable = status;
        Ok(())
    }

    /// Gives a blob another tier. No write: its ETag and time stay.
    pub fn set_tier(
        &mut self,
        container: &str,
        name: &str,
        tier: String,
    ) -> Result<(), StorageError> {
        let blobs = &mut self.container_mut(container)?.blobs;
        let blob = blobs
            .get_mut(name)
            .ok_or_else(StorageError::blob_not_found)?;
        blob.tier = Some(tier);
        Ok(())
    }

    fn next_etag(&mut self) -> String {
        self.writes += 1;
        etag(self.writes)
    }
}

/// An entity tag that looks like the service's. Different numbers give different tags: an odd factor permutes them.
pub(crate) fn etag(number: u64) -> String {
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0xFFFF_FFFF_FFFF;
    format!("0x8D{scattered:012X}")
}
