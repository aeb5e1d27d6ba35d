//! What is no longer current: versions that writes left behind, snapshots, and blobs on their way out of the archive.

use jiff::{SignedDuration, Timestamp};

use super::BlobStore;
use crate::blob::bill;
use crate::blob::error::StorageError;
use crate::blob::record::{Blob, Metadata};
use crate::blob::version::{Sort, Which};
use crate::clock::iso;

impl BlobStore {
    /// Takes the current blob away. It stays as a version where there are such. Says when it was made, where another one
    /// that is written now counts as the same blob.
    pub(super) fn set_aside(
        &mut self,
        container: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StorageError> {
        let versioning = self.versioning;
        let held = self.container_mut(container)?;
        let Some(mut old) = held.blobs.remove(name) else {
            return Ok(None);
        };
        if versioning || old.version.is_some() {
            let id = old.version.get_or_insert_with(|| iso(old.created)).clone();
            let rehydration = old.rehydration;
            let key = (name.to_owned(), id.clone(), Sort::Version);
            held.past.insert(key, old);
            if let Some(begun) = rehydration {
                self.await_tier(container, name, Which::Version(id), begun.ends);
            }
            return Ok(None);
        }
        self.bills.ends_early(old.tier(), bill::early(&old, at));
        Ok(Some(old.created))
    }

    /// Keeps the current blob as a snapshot. Says its moment.
    pub(in crate::blob) fn snapshot(
        &mut self,
        container: &str,
        name: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<String, StorageError> {
        let moment = self.moment(at);
        let mut taken = self.blob(container, name)?.clone();
        taken.version = None;
        if !metadata.is_empty() {
            taken.metadata = metadata;
        }
        if self.versioning {
            // The snapshot comes with a new version of the same content.
            self.rewrite(container, name, at, |_| {})?;
        }
        let held = self.container_mut(container)?;
        let key = (name.to_owned(), moment.clone(), Sort::Snapshot);
        held.past.insert(key, taken);
        Ok(moment)
    }

    /// A blob of whatever moment, to change what may be changed without a write.
    pub(in crate::blob) fn find_mut(
        &mut self,
        container: &str,
        name: &str,
        which: &Which,
    ) -> Result<&mut Blob, StorageError> {
        let held = self.container_mut(container)?;
        let current = held.blobs.get_mut(name);
        let found = match which {
            Which::Current => current,
            Which::Version(id) if is_version(current.as_deref(), id) => current,
            _ => which.key(name).and_then(|key| held.past.get_mut(&key)),
        };
        found.ok_or_else(StorageError::blob_not_found)
    }

    /// A blob of whatever moment, and whether it is the current one.
    pub(in crate::blob) fn find(
        &self,
        container: &str,
        name: &str,
        which: &Which,
    ) -> Result<(&Blob, bool), StorageError> {
        let held = self.container(container)?;
        let current = held.blobs.get(name);
        let is_current = match which {
            Which::Current => true,
            Which::Version(id) => is_version(current, id),
            Which::Snapshot(_) => false,
        };
        let found = if is_current {
            current
        } else {
            which.key(name).and_then(|key| held.past.get(&key))
        };
        found
            .map(|blob| (blob, is_current))
            .ok_or_else(StorageError::blob_not_found)
    }

    /// Removes a version or snapshot for good.
    pub(in crate::blob) fn delete_past(
        &mut self,
        container: &str,
        name: &str,
        which: &Which,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let held = self.container_mut(container)?;
        let removed = which.key(name).and_then(|key| held.past.remove(&key));
        let old = removed.ok_or_else(StorageError::blob_not_found)?;
        self.bills.ends_early(old.tier(), bill::early(&old, at));
        Ok(())
    }

    /// The moments of a blob's snapshots.
    pub(in crate::blob) fn snapshots(&self, container: &str, name: &str) -> Vec<String> {
        let Some(held) = self.all.get(container) else {
            return Vec::new();
        };
        let first = (name.to_owned(), String::new(), Sort::Version);
        held.past
            .range(first..)
            .take_while(|((of, _, _), _)| of == name)
            .filter(|((_, _, sort), _)| *sort == Sort::Snapshot)
            .map(|((_, moment, _), _)| moment.clone())
            .collect()
    }

    /// Remembers when a blob is out of the archive.
    pub(in crate::blob) fn await_tier(
        &mut self,
        container: &str,
        name: &str,
        which: Which,
        ends: Timestamp,
    ) {
        self.awaited
            .insert((ends, container.to_owned(), name.to_owned(), which));
    }

    /// Lets those blobs be out of the archive whose time has come.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while self.awaited.first().is_some_and(|(ends, ..)| *ends <= now) {
            let Some((_, container, name, which)) = self.awaited.pop_first() else {
                return;
            };
            // It may have been deleted or written anew meanwhile, or be on a faster way.
            if let Ok(blob) = self.find_mut(&container, &name, &which)
                && let Some(begun) = blob.rehydration.filter(|it| it.ends <= now)
            {
                blob.tier = Some(begun.to);
                blob.tier_changed = Some(begun.ends);
                blob.rehydration = None;
            }
        }
    }

    /// The time as the id of a version or snapshot: no two are alike, though time may stand still.
    pub(super) fn moment(&mut self, at: Timestamp) -> String {
        let tick = SignedDuration::from_nanos(100);
        let next = self.last_moment.checked_add(tick).unwrap_or(at);
        self.last_moment = at.max(next);
        iso(self.last_moment)
    }
}

fn is_version(blob: Option<&Blob>, id: &str) -> bool {
    blob.is_some_and(|blob| blob.version.as_deref() == Some(id))
}
