//! Adds an entry to the log: read to the head, compute, create the next number; whoever loses the race computes anew.

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Map;

use super::{Inner, Repository};
use crate::log::chain::Believed;
use crate::log::{Accept, Body, EntryBody, append, entry};
use crate::{EntryHash, Error, SnapshotId};

impl Inner {
    /// Adds the entry that `compute` gives for the log as it is; none gives up. It is asked again whenever another
    /// entry came first: an entry is never sent under another number as it was (removal rule 2).
    pub(crate) async fn append<'a>(
        &self,
        run: SnapshotId,
        time: Timestamp,
        compute: impl Fn() -> BoxFuture<'a, Result<Option<Body>, Error>> + Send + Sync,
    ) -> Result<bool, Error> {
        let machine = self.ring.machine.as_ref().ok_or(Error::NoSigner {
            reason: "no machine key was given",
        })?;
        loop {
            self.read_log(false, &mut Vec::new()).await?;
            let (number, previous, recipient) = {
                let chain = self.chain.lock().await;
                if let Some(entry) = chain.damaged {
                    return Err(Error::LogDamaged { entry });
                }
                if !chain.knows(&machine.signer()) {
                    return Err(Error::NoSigner {
                        reason: "the owners did not introduce it",
                    });
                }
                (chain.number + 1, chain.hash, chain.meta.clone())
            };
            let Some(body) = compute().await? else {
                return Ok(false);
            };
            let body = EntryBody {
                time,
                run,
                program: self.program.clone(),
                body,
                more: Map::new(),
            };
            let bytes = entry::seal(
                self.record.id,
                number,
                previous,
                &body,
                machine,
                recipient.as_ref(),
            )?;
            let bytes = Bytes::from(bytes);
            if append::put(self.storage.as_ref(), number, &bytes).await? == append::Put::Ours {
                let believed = Believed {
                    number,
                    hash: EntryHash::of(&bytes),
                    signer: machine.signer(),
                    body,
                };
                return self.remember_own(believed).await.map(|()| true);
            }
        }
    }

    /// Takes our own entry as read, unless another task of this process read it meanwhile.
    async fn remember_own(&self, believed: Believed) -> Result<(), Error> {
        let mut chain = self.chain.lock().await;
        if chain.number + 1 == believed.number {
            chain.advance(&believed)?;
            self.remember_entry(believed).await?;
        }
        drop(chain);
        self.write_head().await
    }
}

impl Repository {
    /// Accepts suspect snapshots: from then on they count as complete ones. Those that are forgotten are passed over.
    pub async fn accept(&self, snapshots: &[SnapshotId], now: Timestamp) -> Result<(), Error> {
        let inner = &self.inner;
        let compute = || {
            async {
                let live = inner.catalogue.snapshots().await?;
                let accepted = inner.catalogue.accepted().await?;
                let wanted = |id: &&SnapshotId| {
                    !accepted.contains(id) && live.iter().any(|record| record.id == **id)
                };
                let snapshots: Vec<SnapshotId> = snapshots.iter().filter(wanted).copied().collect();
                Ok((!snapshots.is_empty()).then_some(Body::Accept(Accept { snapshots })))
            }
            .boxed()
        };
        inner
            .append(SnapshotId::new(now)?, now, compute)
            .await
            .map(drop)
    }
}
