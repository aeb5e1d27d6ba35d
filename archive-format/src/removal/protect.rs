//! Protecting snapshots: retention passes over them, and `forget` refuses them by name.

use futures::FutureExt;
use jiff::Timestamp;

use crate::log::{Body, Protect};
use crate::{Error, Repository, SnapshotId};

impl Repository {
    /// The protected snapshots.
    pub async fn protected(&self) -> Result<Vec<SnapshotId>, Error> {
        self.inner.catalogue.protected().await
    }

    /// Protects snapshots, or does so no more. Those that are so already, or forgotten, are passed over.
    pub async fn protect(
        &self,
        snapshots: &[SnapshotId],
        protected: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let compute = || {
            async {
                let live = inner.catalogue.snapshots().await?;
                let now_protected = inner.catalogue.protected().await?;
                let changes = |id: &&SnapshotId| {
                    now_protected.contains(id) != protected
                        && live.iter().any(|record| record.id == **id)
                };
                let snapshots: Vec<SnapshotId> =
                    snapshots.iter().filter(changes).copied().collect();
                Ok((!snapshots.is_empty()).then_some(Body::Protect(Protect {
                    snapshots,
                    protected,
                })))
            }
            .boxed()
        };
        inner
            .append(SnapshotId::new(now)?, now, compute)
            .await
            .map(drop)
    }
}
