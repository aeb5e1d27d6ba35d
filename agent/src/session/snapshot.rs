//! What the words of the command line for snapshots and selectors mean in this run.

use archive_format::{Repository, SnapshotRecord};
use workspace::Selection;

use crate::failure::Failure;
use crate::session::Session;

impl Session {
    /// Reads selectors.
    pub fn selection<S: AsRef<str>>(&self, selectors: &[S]) -> Result<Selection, Failure> {
        Selection::parse(selectors, self.context.clock.now())
            .map_err(|error| Failure::of_selector(&error))
    }

    /// The snapshot that a name means; that it is only a partial one is said.
    pub async fn resolve(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Result<SnapshotRecord, Failure> {
        let resolved = repository
            .resolve(name)
            .await
            .map_err(|error| Failure::of_archive(&error))?;
        if resolved.partial_fallback {
            self.ui.warn(&format!(
                "`{name}` is {}, a partial snapshot: `{}` has no complete one",
                resolved.record.id, resolved.record.workspace
            ));
        }
        Ok(resolved.record)
    }
}
