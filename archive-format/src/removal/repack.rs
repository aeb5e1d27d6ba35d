//! Repacking: what snapshots still need of packs that hold much else is read, checked and written into new packs, and an
//! entry of the log says that these take their place. Nothing is deleted: what was replaced is garbage from then on like
//! any other, for the next sweep.
//!
//! Write order: the new packs, each before its index, then the entry. Whoever is killed before the entry leaves packs that
//! nobody names: the next repacking finds their objects, reads and names them, or a sweep takes them. The entry says for which
//! snapshots it holds, and those are the ones whose objects were all marked before; any other needs what it names itself.

mod round;
mod survey;

use jiff::Timestamp;

use self::round::Round;
use self::survey::Survey;
use super::{Grace, Spared};
use crate::pack::Class;
use crate::repository::Author;
use crate::storage::{Deletes, probe};
use crate::{Error, PackName, Repository};

/// Packs that are replaced by one entry at most.
const ROUND_PACKS: usize = 256;

/// The stored bytes that one round is expected to write: what a kill costs at most is to be read once more.
const ROUND_BYTES: u64 = 1 << 30;

/// A pack that holds much that no snapshot needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparsePack {
    /// Its name.
    pub pack: PackName,
    /// Its files' bytes.
    pub bytes: u64,
    /// Those of them that are taken by objects that no snapshot needs.
    pub unused_bytes: u64,
}

/// What a repacking would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    /// Packs whose unused share is above the limit, the emptiest first.
    pub packs: Vec<SparsePack>,
    /// Packs like them that are passed over: no sweep would name them.
    pub spared: Vec<Spared>,
    /// Packs like them that lie in an archive tier: they cannot be read.
    pub archived: u64,
}

impl Sparse {
    /// The bytes of their files.
    pub fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.bytes).sum()
    }

    /// Those that nobody needs.
    pub fn unused_bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.unused_bytes).sum()
    }
}

/// What a repacking tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepackEvent {
    /// So many manifests are going to be read.
    Looking {
        /// Snapshots.
        snapshots: u64,
    },
    /// One more was read.
    Looked,
    /// So many packs are going to be repacked.
    Repacking {
        /// Packs.
        packs: u64,
    },
    /// One more was read, and what is needed of it taken over.
    Taken {
        /// Its files' bytes.
        bytes: u64,
    },
    /// A pack stays as it is, since something needed in it is damaged.
    Damaged {
        /// The pack.
        pack: PackName,
        /// What is wrong.
        reason: String,
    },
}

/// What a repacking did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repacked {
    /// What was found before.
    pub found: Sparse,
    /// The numbers of its entries.
    pub entries: Vec<u64>,
    /// Packs whose place others took.
    pub replaced: u64,
    /// Their files' bytes, which a sweep frees after the grace period.
    pub replaced_bytes: u64,
    /// Packs written.
    pub written: u64,
    /// Their files' bytes.
    pub written_bytes: u64,
    /// Packs that stay, since something needed in them is damaged.
    pub damaged: Vec<(PackName, String)>,
    /// Whether it was asked to stop before it was done.
    pub stopped: bool,
}

impl Repository {
    /// What a repacking would come to: data packs of which more than so many percent of the stored bytes are needed by no
    /// snapshot. Changes nothing, and needs no owner's key.
    ///
    /// # Errors
    /// Where a manifest does not read: then nobody knows what is needed.
    pub async fn sparse(
        &self,
        max_unused_percent: u8,
        grace: &Grace,
        now: Timestamp,
        events: &mut (dyn FnMut(RepackEvent) + Send),
    ) -> Result<Sparse, Error> {
        let survey = Survey::make(self, max_unused_percent, grace, now, &|| false, events).await?;
        let Some(survey) = survey else {
            return Ok(Sparse::default());
        };
        survey.end().await
    }

    /// Repacks them. `stop` is asked before each snapshot that is looked at and before each pack; what was begun is brought to
    /// its end then.
    ///
    /// # Errors
    /// [`Error::NoKey`] without an owner's key, [`Error::DeletesRefused`] where a sweep could never free anything, and as
    /// [`Repository::sparse`].
    pub async fn repack(
        &self,
        max_unused_percent: u8,
        grace: &Grace,
        now: Timestamp,
        stop: &(dyn Fn() -> bool + Send + Sync),
        events: &mut (dyn FnMut(RepackEvent) + Send),
    ) -> Result<Repacked, Error> {
        let inner = &self.inner;
        // Told before everything is read, not after.
        inner.objects.keys(Class::Files)?;
        inner.signing(Author::Owners)?;
        let survey = Survey::make(self, max_unused_percent, grace, now, stop, events).await?;
        let Some(survey) = survey else {
            return Ok(Repacked {
                stopped: true,
                ..Repacked::default()
            });
        };
        let mut done = Repacked {
            found: survey.sparse.clone(),
            ..Repacked::default()
        };
        let result = self.rounds(&survey, now, stop, &mut done, events).await;
        survey.end().await?;
        result.map(|()| done)
    }

    async fn rounds(
        &self,
        survey: &Survey,
        now: Timestamp,
        stop: &(dyn Fn() -> bool + Send + Sync),
        done: &mut Repacked,
        events: &mut (dyn FnMut(RepackEvent) + Send),
    ) -> Result<(), Error> {
        let inner = &self.inner;
        if survey.sparse.packs.is_empty() {
            return Ok(());
        }
        if probe(inner.storage.as_ref()).await? == Deletes::Refused {
            return Err(Error::DeletesRefused {
                place: inner.storage.describe(),
            });
        }
        events(RepackEvent::Repacking {
            packs: survey.sparse.packs.len() as u64,
        });
        let mut packs = survey.sparse.packs.iter().peekable();
        while packs.peek().is_some() && !done.stopped {
            let mut round = Round::begin(inner, survey, now).await?;
            let (mut taken, mut bytes) = (0, 0);
            while taken < ROUND_PACKS && bytes < ROUND_BYTES && !round.is_full() {
                done.stopped = packs.peek().is_some() && stop();
                if done.stopped {
                    break;
                }
                let Some(sparse) = packs.next() else { break };
                taken += 1;
                bytes += sparse.bytes.saturating_sub(sparse.unused_bytes);
                if let Some(reason) = round.take(sparse).await? {
                    let pack = sparse.pack;
                    done.damaged.push((pack, reason.clone()));
                    events(RepackEvent::Damaged { pack, reason });
                }
                events(RepackEvent::Taken {
                    bytes: sparse.bytes,
                });
            }
            round.finish(done).await?;
        }
        Ok(())
    }
}
