//! What a storage account's file service holds: shares with directories and files.
//!
//! Names keep their case and are compared without it. A directory must be there before what it holds. Synchronous and
//! free of HTTP, as the blob store is.

mod past;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::{Entry, File, Properties};
use super::error::{already_exists, not_found, share_not_found, type_mismatch};
use super::extents::Extents;
use super::tree::{Share, key};
use crate::blob::{Content, ContentHeaders, Metadata, StorageError, etag};

/// The file service of one storage account.
#[derive(Clone, Debug, Default)]
pub struct ShareStore {
    all: BTreeMap<String, Share>,
    /// Shares as they were, by name and moment.
    snapshots: BTreeMap<(String, String), Share>,
    last_moment: Timestamp,
    writes: u64,
}

impl ShareStore {
    /// An empty service. `first_write` sets its ETags apart from those of an account of that name before it.
    pub fn new(first_write: u64) -> Self {
        Self {
            writes: first_write,
            ..Self::default()
        }
    }

    /// Makes a share; 409 where there is one of that name.
    pub fn create(
        &mut self,
        name: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        if self.all.contains_key(name) {
            return Err(StorageError::new(
                409,
                "ShareAlreadyExists",
                "The specified share already exists.",
            ));
        }
        let tag = self.next_etag();
        let share = Share {
            entries: BTreeMap::new(),
            root: Entry {
                name: String::new(),
                file: None,
                properties: Properties::of_directory(at),
                metadata: Metadata::new(),
                etag: tag.clone(),
                modified: at,
                id: 0,
                unreadable: None,
            },
            next_id: 0,
            etag: tag,
            modified: at,
            metadata,
        };
        self.all.insert(name.to_owned(), share);
        Ok(())
    }

    /// Makes a share where there is none of that name.
    pub fn create_share(&mut self, name: &str, at: Timestamp) {
        // The only refusal is that it exists.
        let _ = self.create(name, Metadata::new(), at);
    }

    /// Removes a share with all it holds; `false` where there was none.
    pub fn remove(&mut self, name: &str) -> bool {
        self.all.remove(name).is_some()
    }

    /// All shares by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Share)> {
        self.all.iter().map(|(name, it)| (name.as_str(), it))
    }

    /// A share by name.
    pub fn share(&self, name: &str) -> Result<&Share, StorageError> {
        self.all.get(name).ok_or_else(share_not_found)
    }

    /// Replaces a share's metadata.
    pub(super) fn set_metadata(
        &mut self,
        name: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Share, StorageError> {
        let etag = self.next_etag();
        let share = self.all.get_mut(name).ok_or_else(share_not_found)?;
        (share.metadata, share.etag, share.modified) = (metadata, etag, at);
        Ok(share)
    }

    /// An entry by share and path.
    pub fn entry(&self, share: &str, path: &str) -> Result<&Entry, StorageError> {
        self.share(share)?.entry(path)
    }

    /// Makes a directory. 409 where anything of that name exists, 404 where its parent does not.
    pub fn create_directory(
        &mut self,
        share: &str,
        path: &str,
        properties: Properties,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Entry, StorageError> {
        let exists = match self.entry(share, path) {
            Ok(_) => true,
            Err(refusal) if refusal.code == "ShareNotFound" => return Err(refusal),
            Err(_) => false,
        };
        if exists {
            return Err(already_exists());
        }
        self.insert(share, path, None, properties, metadata, at)
    }

    /// Makes a directory and those above it, where they are missing.
    pub fn ensure_directory(
        &mut self,
        share: &str,
        path: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let mut made = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !made.is_empty() {
                made.push('/');
            }
            made.push_str(part);
            match self.create_directory(
                share,
                &made,
                Properties::of_directory(at),
                Metadata::new(),
                at,
            ) {
                Err(refusal) if refusal.code != "ResourceAlreadyExists" => return Err(refusal),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a file, or replaces one. 404 where its directory is missing, 409 where a directory has its name.
    pub fn create_file(
        &mut self,
        share: &str,
        path: &str,
        file: File,
        properties: Properties,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Entry, StorageError> {
        if let Ok(Entry { file: None, .. }) = self.entry(share, path) {
            return Err(type_mismatch());
        }
        self.insert(share, path, Some(file), properties, metadata, at)
    }

    /// Writes a whole file with its directories: what the world builder does.
    pub fn write(
        &mut self,
        share: &str,
        path: &str,
        content: Content,
        at: Timestamp,
    ) -> Result<&Entry, StorageError> {
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.ensure_directory(share, directory, at)?;
        }
        let file = File {
            bytes: Extents::whole(content),
            headers: ContentHeaders {
                content_type: Some("application/octet-stream".to_owned()),
                ..ContentHeaders::default()
            },
        };
        self.create_file(
            share,
            path,
            file,
            Properties::of_file(at),
            Metadata::new(),
            at,
        )
    }

    /// Changes an entry in place: a write, with a new ETag and time.
    pub fn change<T>(
        &mut self,
        share: &str,
        path: &str,
        at: Timestamp,
        change: impl FnOnce(&mut Entry) -> Result<T, StorageError>,
    ) -> Result<&Entry, StorageError> {
        let tag = self.next_etag();
        let share = self.all.get_mut(share).ok_or_else(share_not_found)?;
        let entry = match key(path) {
            None => &mut share.root,
            Some(key) => share.entries.get_mut(&key).ok_or_else(not_found)?,
        };
        let before = entry.properties.changed;
        entry.properties.changed = super::time::whole_ticks(at);
        if let Err(refused) = change(entry) {
            entry.properties.changed = before;
            return Err(refused);
        }
        entry.etag = tag;
        entry.modified = at;
        Ok(entry)
    }

    /// Removes a file.
    pub fn delete_file(
        &mut self,
        share: &str,
        path: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        if self.entry(share, path)?.file.is_none() {
            return Err(type_mismatch());
        }
        self.take(share, path, at).map(drop)
    }

    /// Removes an empty directory.
    pub fn delete_directory(
        &mut self,
        share: &str,
        path: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let held = self.share(share)?;
        if held.entry(path)?.file.is_some() {
            return Err(type_mismatch());
        }
        if held.children(path).next().is_some() {
            return Err(StorageError::new(
                409,
                "DirectoryNotEmpty",
                "The specified directory is not empty.",
            ));
        }
        self.take(share, path, at).map(drop)
    }

    /// Removes an entry with everything below it and says how many there were: an accident, not a request.
    pub fn delete_tree(&mut self, share: &str, path: &str) -> usize {
        let Some(held) = self.all.get_mut(share) else {
            return 0;
        };
        let Some(top) = key(path) else { return 0 };
        let below = path.trim_matches('/').to_lowercase();
        let inside = format!("{below}/");
        let before = held.entries.len();
        held.entries
            .retain(|key, _| *key != top && key.0 != below && !key.0.starts_with(&inside));
        before - held.entries.len()
    }

    /// Gives a file another path. The target is replaced only when `replace` says so.
    pub fn rename_file(
        &mut self,
        share: &str,
        from: &str,
        to: &str,
        replace: bool,
        at: Timestamp,
    ) -> Result<&Entry, StorageError> {
        let held = self.share(share)?;
        if held.entry(from)?.file.is_none() {
            return Err(type_mismatch());
        }
        held.parent(to)?;
        match held.entry(to) {
            Ok(Entry { file: None, .. }) => return Err(type_mismatch()),
            Ok(_) if !replace && key(from) != key(to) => return Err(already_exists()),
            _ => {}
        }
        let moved = self.take(share, from, at)?;
        let file = moved.file.unwrap_or_default();
        self.insert(share, to, Some(file), moved.properties, moved.metadata, at)
    }

    /// Makes every read of a file fail with a status, or readable again with `None`. No write: its ETag stays.
    pub fn set_unreadable(
        &mut self,
        share: &str,
        path: &str,
        status: Option<u16>,
    ) -> Result<(), StorageError> {
        let share = self.all.get_mut(share).ok_or_else(share_not_found)?;
        let entry = key(path).and_then(|key| share.entries.get_mut(&key));
        entry.ok_or_else(not_found)?.unreadable = status;
        Ok(())
    }

    fn insert(
        &mut self,
        share: &str,
        path: &str,
        file: Option<File>,
        properties: Properties,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Entry, StorageError> {
        let tag = self.next_etag();
        let share = self.all.get_mut(share).ok_or_else(share_not_found)?;
        share.parent(path)?;
        let Some(key) = key(path) else {
            return Err(already_exists());
        };
        let name = path
            .trim_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        share.next_id += 1;
        // A replaced file keeps the spelling of its name, as NTFS does.
        let name = match share.entries.remove(&key) {
            Some(old) => old.name,
            None => name.to_owned(),
        };
        let entry = Entry {
            name,
            file,
            properties,
            metadata,
            etag: tag,
            modified: at,
            id: share.next_id,
            unreadable: None,
        };
        share.touch_parent(path, at);
        Ok(share.entries.entry(key).or_insert(entry))
    }

    fn take(&mut self, share: &str, path: &str, at: Timestamp) -> Result<Entry, StorageError> {
        let share = self.all.get_mut(share).ok_or_else(share_not_found)?;
        let taken = key(path)
            .and_then(|key| share.entries.remove(&key))
            .ok_or_else(not_found)?;
        share.touch_parent(path, at);
        Ok(taken)
    }

    fn next_etag(&mut self) -> String {
        self.writes += 1;
        etag(self.writes)
    }
}
