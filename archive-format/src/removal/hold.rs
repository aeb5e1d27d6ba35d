//! Holds: a writer that lost packs to a sweep asks the next ones to spare what it still relies on, until its snapshot is
//! committed. So a sweep costs it one rewrite, not one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;

use crate::log::{Body, Hold};
use crate::repository::Inner;
use crate::{Error, PackName, SnapshotId};

/// How long a hold of a run that is never heard of again is respected.
const HOLD_TIME: Duration = Duration::from_secs(24 * 3600);

/// The most packs that a hold names: an entry has at most 4 MiB. What is left out may cost a rewrite.
const HOLD_MAX: usize = 40_000;

impl Inner {
    /// Asks sweeps to spare these packs, unless the run's last hold names the same. Those that are swept already are
    /// left out.
    pub(crate) async fn hold(
        &self,
        run: SnapshotId,
        packs: &[PackName],
        now: Timestamp,
    ) -> Result<(), Error> {
        let compute = || {
            async {
                let swept = self.catalogue.swept_of(packs.to_vec()).await?;
                let packs: Vec<PackName> = packs
                    .iter()
                    .filter(|name| swept.binary_search(name).is_err())
                    .take(HOLD_MAX)
                    .copied()
                    .collect();
                let held = self.holds(now).await?;
                let same = held.get(&run).is_some_and(|hold| hold.packs == packs);
                let until = now.checked_add(HOLD_TIME).ok();
                let hold = Hold { run, packs, until };
                Ok((!same && !hold.packs.is_empty()).then_some(Body::Hold(hold)))
            }
            .boxed()
        };
        self.append(run, now, compute).await.map(drop)
    }

    /// The holds that are in force: of each run the last, unless it ended by a later snapshot of the run, by a hold
    /// that names nothing, by the revocation of its signer, or by time.
    pub(super) async fn holds(&self, now: Timestamp) -> Result<BTreeMap<SnapshotId, Hold>, Error> {
        let mut holds = BTreeMap::new();
        for (number, _, entry) in self.counting("hold").await? {
            if let Body::Hold(hold) = entry.body {
                holds.insert(hold.run, (number, hold));
            }
        }
        holds.retain(|_, (_, hold)| {
            !hold.packs.is_empty() && hold.until.is_none_or(|until| until > now)
        });
        if let Some(first) = holds.values().map(|(number, _)| *number).min() {
            for (number, _, entry) in self.catalogue.entries_after("snapshot", first).await? {
                if let Body::Snapshot(record) = entry.body
                    && holds
                        .get(&record.run)
                        .is_some_and(|(held, _)| *held < number)
                {
                    holds.remove(&record.run);
                }
            }
        }
        Ok(holds
            .into_iter()
            .map(|(run, (_, hold))| (run, hold))
            .collect())
    }
}
