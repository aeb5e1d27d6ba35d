//! One share: its entries by parent and name, compared without case.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::Entry;
use super::error::not_found;
use crate::blob::{Metadata, StorageError};

/// A share.
#[derive(Clone, Debug)]
pub struct Share {
    pub(super) entries: BTreeMap<(String, String), Entry>,
    pub(super) root: Entry,
    pub(super) next_id: u64,
    /// The entity tag.
    pub etag: String,
    /// When it was made.
    pub modified: Timestamp,
    /// Its metadata.
    pub metadata: Metadata,
}

/// A path's parent and last part, both in the form in which names are compared; `None` for the root.
pub(super) fn key(path: &str) -> Option<(String, String)> {
    let path = path.trim_matches('/').to_lowercase();
    match path.rsplit_once('/') {
        _ if path.is_empty() => None,
        Some((parent, name)) => Some((parent.to_owned(), name.to_owned())),
        None => Some((String::new(), path)),
    }
}

impl Share {
    /// An entry by path; the empty path is the root.
    pub fn entry(&self, path: &str) -> Result<&Entry, StorageError> {
        match key(path) {
            None => Ok(&self.root),
            Some(key) => {
                self.parent(path)?;
                self.entries.get(&key).ok_or_else(not_found)
            }
        }
    }

    /// What a directory holds, by name without regard to case.
    pub fn children(&self, path: &str) -> impl Iterator<Item = &Entry> {
        let parent = path.trim_matches('/').to_lowercase();
        let first = (parent.clone(), String::new());
        self.entries
            .range(first..)
            .take_while(move |((of, _), _)| *of == parent)
            .map(|(_, entry)| entry)
    }

    /// Every entry with its path, directories before what they hold.
    pub fn walk(&self) -> Vec<(String, &Entry)> {
        let mut found = Vec::new();
        let mut open = vec![String::new()];
        while let Some(directory) = open.pop() {
            for entry in self.children(&directory) {
                let path = if directory.is_empty() {
                    entry.name.clone()
                } else {
                    format!("{directory}/{}", entry.name)
                };
                if entry.file.is_none() {
                    open.push(path.clone());
                }
                found.push((path, entry));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// Moves the last write time of the directory in which a path lies, as a file system does when an entry is made,
    /// renamed or removed there. Its ETag and Last-Modified stay: operations on what it holds do not affect them.
    pub(super) fn touch_parent(&mut self, path: &str, at: Timestamp) {
        let Some((parent, _)) = key(path) else { return };
        let directory = match key(&parent) {
            None => Some(&mut self.root),
            Some(key) => self.entries.get_mut(&key),
        };
        if let Some(directory) = directory {
            directory.properties.written = super::time::whole_ticks(at);
        }
    }

    /// Checks that the directory is there in which a path lies.
    pub(super) fn parent(&self, path: &str) -> Result<(), StorageError> {
        let Some((parent, _)) = key(path) else {
            return Ok(());
        };
        let found = match key(&parent) {
            None => return Ok(()),
            Some(key) => self.entries.get(&key),
        };
        match found {
            Some(entry) if entry.file.is_none() => Ok(()),
            _ => Err(StorageError::new(
                404,
                "ParentNotFound",
                "The specified parent path does not exist.",
            )),
        }
    }
}
