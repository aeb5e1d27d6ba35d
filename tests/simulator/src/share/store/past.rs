//! Shares as they were.

use jiff::{SignedDuration, Timestamp};

use super::ShareStore;
use crate::blob::{Metadata, StorageError};
use crate::clock::iso;
use crate::share::tree::Share;

impl ShareStore {
    /// Keeps a share as it is, and says the moment. No two are alike, though time may stand still.
    pub fn take_snapshot(
        &mut self,
        name: &str,
        metadata: Metadata,
        at: Timestamp,
    ) -> Result<String, StorageError> {
        let mut taken = self.share(name)?.clone();
        if !metadata.is_empty() {
            taken.metadata = metadata;
        }
        let tick = SignedDuration::from_nanos(100);
        let next = self.last_moment.checked_add(tick).unwrap_or(at);
        self.last_moment = at.max(next);
        let moment = iso(self.last_moment);
        self.snapshots
            .insert((name.to_owned(), moment.clone()), taken);
        Ok(moment)
    }

    /// A share as it was at a moment.
    pub fn snapshot(&self, name: &str, moment: &str) -> Result<&Share, StorageError> {
        self.share(name)?;
        let key = (name.to_owned(), moment.to_owned());
        self.snapshots.get(&key).ok_or_else(|| {
            StorageError::new(
                404,
                "ShareSnapshotNotFound",
                "The specified share snapshot does not exist.",
            )
        })
    }

    /// The moments of a share's snapshots, the oldest first.
    pub fn moments(&self, name: &str) -> Vec<String> {
        let keys = self.snapshots.keys();
        keys.filter(|(of, _)| of == name)
            .map(|(_, moment)| moment.clone())
            .collect()
    }

    /// Lets a snapshot go.
    pub(in crate::share) fn forget_snapshot(&mut self, name: &str, moment: &str) {
        self.snapshots.remove(&(name.to_owned(), moment.to_owned()));
    }
}
