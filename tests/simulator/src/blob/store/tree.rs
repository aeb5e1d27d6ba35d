//! Directories, where an account has a hierarchical namespace (Azure Data Lake Storage Gen2): they are there by themselves,
//! a file's are made with it, and one is renamed in one step.

use jiff::Timestamp;

use super::{BlobStore, Container};
use crate::blob::content::Content;
use crate::blob::error::StorageError;
use crate::blob::record::{Blob, Metadata, Written};

/// Marks a directory in a listing of blobs (seen by every client of the Blob service).
const MARK: &str = "hdi_isfolder";

/// The path itself, or below it.
fn is_within(path: &str, name: &str) -> bool {
    match name.strip_prefix(path) {
        Some(rest) => path.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

fn not_a_directory() -> StorageError {
    StorageError::new(
        409,
        "PathConflict",
        "The specified path, or an element of the path, exists and its resource type is invalid for this operation.",
    )
}

impl Container {
    /// What lies in a directory, or anywhere below it, in the order of names; the empty path is the root.
    pub(crate) fn below<'a>(
        &'a self,
        path: &'a str,
        recursive: bool,
    ) -> impl Iterator<Item = (&'a str, &'a Blob)> {
        let depth = if path.is_empty() { 0 } else { path.len() + 1 };
        let named = self.blobs.range(path.to_owned()..);
        let named = named.take_while(move |(name, _)| name.starts_with(path));
        named
            .filter(move |(name, _)| name.len() > depth && is_within(path, name))
            .filter(move |(name, _)| {
                recursive || name.get(depth..).is_some_and(|rest| !rest.contains('/'))
            })
            .map(|(name, blob)| (name.as_str(), blob))
    }
}

impl BlobStore {
    /// Makes the directories in which a path lies. A file in the way refuses it.
    pub(super) fn ensure_parents(
        &mut self,
        container: &str,
        path: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        if !self.hierarchical {
            return Ok(());
        }
        for (end, _) in path.match_indices('/') {
            self.directory(container, &path[..end], Metadata::new(), at)?;
        }
        Ok(())
    }

    /// Makes a directory with those above it; one that is there stays as it is.
    pub(crate) fn make_directory(
        &mut self,
        container: &str,
        path: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<&Blob, StorageError> {
        self.ensure_parents(container, path, at)?;
        self.directory(container, path, metadata, at)?;
        self.blob(container, path)
    }

    fn directory(
        &mut self,
        container: &str,
        path: &str,
        mut metadata: Metadata,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        match self.container(container)?.blobs.get(path) {
            Some(found) if found.directory => return Ok(()),
            Some(_) => return Err(not_a_directory()),
            None => {}
        }
        metadata.insert(MARK.to_owned(), "true".to_owned());
        let written = Written {
            metadata,
            directory: true,
            ..Written::default()
        };
        let none = Content::default();
        self.commit(container, path, none, Vec::new(), written, at)
            .map(drop)
    }

    /// Removes a path with all below it. A directory that holds anything goes only with what it holds.
    pub(crate) fn delete_path(
        &mut self,
        container: &str,
        path: &str,
        recursive: bool,
    ) -> Result<(), StorageError> {
        let held = self.container_mut(container)?;
        if !held.blobs.contains_key(path) {
            return Err(StorageError::blob_not_found());
        }
        if !recursive && held.below(path, true).next().is_some() {
            return Err(StorageError::new(
                409,
                "DirectoryNotEmpty",
                "The recursive query parameter value must be true to delete a non-empty directory.",
            ));
        }
        held.blobs.retain(|name, _| !is_within(path, name));
        Ok(())
    }

    /// Gives a path another name, with all below it. A file there is replaced, a directory that holds anything is not.
    pub(crate) fn rename_path(
        &mut self,
        container: &str,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<&Blob, StorageError> {
        self.blob(container, from)?;
        self.ensure_parents(container, to, at)?;
        let etag = self.next_etag();
        let held = self.container_mut(container)?;
        if held.below(to, true).next().is_some() || is_within(from, to) {
            return Err(not_a_directory());
        }
        let names: Vec<String> = held.blobs.keys().cloned().collect();
        for name in names.iter().filter(|name| is_within(from, name)) {
            if let Some(blob) = held.blobs.remove(name) {
                held.blobs
                    .insert(format!("{to}{}", &name[from.len()..]), blob);
            }
        }
        let blob = held
            .blobs
            .get_mut(to)
            .ok_or_else(StorageError::blob_not_found)?;
        (blob.etag, blob.modified) = (etag, at);
        Ok(blob)
    }
}
