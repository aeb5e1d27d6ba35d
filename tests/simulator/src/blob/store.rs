//! What a storage account's blob service holds: containers, blobs with their past, uncommitted blocks.
//!
//! Synchronous and free of HTTP; [`crate::blob`] turns requests into these calls, and the world builder makes them
//! directly. Every write gives a new ETag.

mod past;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;

use super::bill::Bills;
use super::content::Content;
use super::error::StorageError;
use super::known::Known;
use super::lease::Leases;
use super::record::{Blob, Metadata, Written};
use super::tier::Tier;
use super::version::{Past, Which};
use super::worm::Worm;

/// The blob service of one storage account.
#[derive(Clone, Debug, Default)]
pub struct BlobStore {
    all: BTreeMap<String, Container>,
    writes: u64,
    /// Whether writes leave versions behind.
    pub versioning: bool,
    /// Whether paths are files in directories: Azure Data Lake Storage Gen2.
    pub hierarchical: bool,
    /// What it is billed for.
    pub bills: Bills,
    /// Who may write which blob.
    pub(super) leases: Leases,
    known: Known,
    last_moment: Timestamp,
    /// Blobs on their way out of the archive, by the moment when they are there.
    awaited: BTreeSet<(Timestamp, String, String, Which)>,
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its current blobs by name.
    pub blobs: BTreeMap<String, Blob>,
    /// Earlier versions, and snapshots.
    pub past: Past,
    /// Blocks that were put and not yet committed: by blob, by block id.
    pub staged: BTreeMap<String, BTreeMap<String, Content>>,
    /// What was appended to files and not yet flushed: by path, by position.
    pub appended: BTreeMap<String, BTreeMap<u64, Content>>,
    /// The entity tag.
    pub etag: String,
    /// When it was made or changed.
    pub modified: Timestamp,
    /// Its metadata.
    pub metadata: Metadata,
    /// What keeps its blobs as they are.
    pub worm: Worm,
}

impl Container {
    /// Whether it holds no blob, neither current nor past.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.past.is_empty()
    }
}

impl BlobStore {
    /// An empty service. `first_write` sets its ETags apart from those of an account of that name before it.
    pub fn new(first_write: u64) -> Self {
        Self {
            writes: first_write,
            ..Self::default()
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
            past: Past::new(),
            staged: BTreeMap::new(),
            appended: BTreeMap::new(),
            etag,
            modified: at,
            metadata,
            worm: Worm::default(),
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

    /// Changes a container itself: it gets a new ETag and time.
    pub(crate) fn touch(
        &mut self,
        name: &str,
        at: Timestamp,
        change: impl FnOnce(&mut Container),
    ) -> Result<&Container, StorageError> {
        let etag = self.next_etag();
        let container = self.container_mut(name)?;
        change(container);
        (container.etag, container.modified) = (etag, at);
        Ok(container)
    }

    /// Status and state of a container's lease, as resource manager spells them.
    pub(crate) fn lease_of_container(&self, name: &str, now: Timestamp) -> (String, String) {
        let standing = self.leases.standing(name, "", now);
        let spelled = |text: &str| text[..1].to_uppercase() + &text[1..];
        (spelled(standing.status()), spelled(standing.state()))
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
        self.ensure_parents(container, name, at)?;
        let etag = self.next_etag();
        let version = self.versioning.then(|| self.moment(at));
        let rehydration = written.rehydration;
        if let Some(begun) = rehydration {
            self.await_tier(container, name, Which::Current, begun.ends);
        }
        let created = self.set_aside(container, name, at)?;
        let container = self.container_mut(container)?;
        container.staged.remove(name);
        let blob = Blob {
            content,
            headers: written.headers,
            metadata: written.metadata,
            etag,
            created: created.unwrap_or(at),
            modified: at,
            tier_changed: written.tier.map(|_| at),
            tier: written.tier,
            rehydration,
            blocks,
            version,
            retention: written
                .retention
                .or_else(|| container.worm.default_retention(at)),
            held: written.held,
            copied: written.copied,
            directory: written.directory,
            unreadable: None,
        };
        Ok(container.blobs.entry(name.to_owned()).or_insert(blob))
    }

    /// Changes a blob in place: what is changed is a write, with a new ETag and time, and makes no version.
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

    /// The same, leaving the blob as it was as a version where there are such.
    pub fn rewrite(
        &mut self,
        container: &str,
        name: &str,
        at: Timestamp,
        change: impl FnOnce(&mut Blob),
    ) -> Result<&Blob, StorageError> {
        if self.versioning {
            let mut blob = self.blob(container, name)?.clone();
            blob.version = Some(self.moment(at));
            self.set_aside(container, name, at)?;
            let held = self.container_mut(container)?;
            held.blobs.insert(name.to_owned(), blob);
        }
        self.change(container, name, at, change)
    }

    /// Removes the current blob. It stays as a version where there are such.
    pub fn delete(
        &mut self,
        container: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        self.blob(container, name)?;
        self.set_aside(container, name, at).map(drop)
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

    /// Gives a blob another tier at once, as if it had been written into it. No write: its ETag and time stay.
    pub fn set_tier(
        &mut self,
        container: &str,
        name: &str,
        tier: Tier,
    ) -> Result<(), StorageError> {
        let blobs = &mut self.container_mut(container)?.blobs;
        let blob = blobs
            .get_mut(name)
            .ok_or_else(StorageError::blob_not_found)?;
        (blob.tier, blob.tier_changed) = (Some(tier), Some(blob.modified));
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
