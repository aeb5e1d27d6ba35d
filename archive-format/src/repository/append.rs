//! Adds an entry to the log: read to the head, compute, create the next number; whoever loses the race computes anew.

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Map;

use super::{Inner, Repository};
use crate::keys::signing::SigningSecret;
use crate::log::chain::Believed;
use crate::log::{Accept, Body, EntryBody, append, entry};
use crate::{EntryHash, Error, KeyLack, Signer, SnapshotId};

/// Who signs an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// This machine.
    Machine,
    /// The owners: `keys` entries, and what is written about exports where no machine of the repository is at hand.
    Owners,
}

impl Inner {
    /// Adds the entry that `compute` gives for the log as it is; none gives up. It is asked again whenever another
    /// entry came first: an entry is never sent under another number as it was (removal rule 2).
    pub(crate) async fn append<'a>(
        &self,
        run: SnapshotId,
        time: Timestamp,
        compute: impl Fn() -> BoxFuture<'a, Result<Option<Body>, Error>> + Send + Sync,
    ) -> Result<bool, Error> {
        let added = self.append_as(Author::Machine, run, time, compute).await?;
        Ok(added.is_some())
    }

    /// The same, signed by whom is said; gives the entry's number.
    pub(crate) async fn append_as<'a>(
        &self,
        author: Author,
        run: SnapshotId,
        time: Timestamp,
        compute: impl Fn() -> BoxFuture<'a, Result<Option<Body>, Error>> + Send + Sync,
    ) -> Result<Option<u64>, Error> {
        self.signing(author)?;
        loop {
            self.read_log(false, &mut Vec::new()).await?;
            self.learn_repacked().await?;
            let signing = self.signing(author)?;
            let (number, previous, recipient) = {
                let chain = self.chain.lock().await;
                if let Some(entry) = chain.damaged {
                    return Err(Error::LogDamaged { entry });
                }
                if let Some(reason) = chain.refusal(&signing.signer()) {
                    return Err(Error::NoSigner { reason });
                }
                (chain.number + 1, chain.hash, chain.meta.clone())
            };
            let Some(body) = compute().await? else {
                return Ok(None);
            };
            self.refuse_behind_unfit(&body).await?;
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
                &signing,
                recipient.as_ref(),
            )?;
            let bytes = Bytes::from(bytes);
            if append::put(self.storage.as_ref(), number, &bytes).await? == append::Put::Ours {
                let believed = Believed {
                    number,
                    hash: EntryHash::of(&bytes),
                    signer: signing.signer(),
                    body,
                };
                self.remember_own(believed).await?;
                if author == Author::Machine {
                    self.write_due_checkpoint(number).await;
                }
                return Ok(Some(number));
            }
        }
    }

    /// The key that signs, where it is at hand.
    pub(crate) fn signing(&self, author: Author) -> Result<SigningSecret, Error> {
        let ring = self.ring();
        match author {
            Author::Machine => ring.machine.clone().ok_or(Error::NoSigner {
                reason: "no machine key was given",
            }),
            Author::Owners => ring
                .owners
                .clone()
                .ok_or(Error::NoKey(KeyLack::OwnersSigning)),
        }
    }

    /// Behind an unfit entry stands only the revocation of who signed it.
    async fn refuse_behind_unfit(&self, body: &Body) -> Result<(), Error> {
        let revoked = match body {
            Body::Keys(keys) => keys.revoked.as_slice(),
            _ => &[],
        };
        let covered = |number: u64, signer: Signer| {
            revoked
                .iter()
                .any(|revoked| revoked.signer == signer && revoked.after < number)
        };
        let chain = self.chain.lock().await;
        if chain
            .unfit()
            .all(|(number, signer)| covered(number, signer))
        {
            return Ok(());
        }
        chain.first_unfit().map_or(Ok(()), Err)
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
