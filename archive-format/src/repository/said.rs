//! What the log keeps for people: notes, such as what to type after a loss, and the evidence of drills. Nothing else in a
//! repository follows from them.

use futures::FutureExt;
use jiff::Timestamp;

use super::{Inner, Repository};
use crate::log::{Body, Drill, EntryBody, Note};
use crate::{Error, Signer, SnapshotId};

/// Something that an entry said and that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Said<T> {
    /// The number of the entry.
    pub entry: u64,
    /// Who signed it.
    pub signer: Signer,
    /// When it was written, by its writer's clock.
    pub time: Timestamp,
    /// The program that wrote it.
    pub program: String,
    /// What it said.
    pub what: T,
}

impl Inner {
    /// The entries of a sort that count, the oldest first: those of a revoked signer behind the line are left out.
    pub(crate) async fn counting(
        &self,
        sort: &'static str,
    ) -> Result<Vec<(u64, Signer, EntryBody)>, Error> {
        let mut entries = self.catalogue.entries_of(sort).await?;
        let chain = self.chain.lock().await;
        entries.retain(|(number, signer, _)| {
            chain
                .revoked_after(signer)
                .is_none_or(|after| *number <= after)
        });
        Ok(entries)
    }

    async fn said<T>(
        &self,
        sort: &'static str,
        of: impl Fn(Body) -> Option<T>,
    ) -> Result<Vec<Said<T>>, Error> {
        let entries = self.counting(sort).await?.into_iter();
        let said = entries.filter_map(|(entry, signer, body)| {
            Some(Said {
                entry,
                signer,
                time: body.time,
                program: body.program,
                what: of(body.body)?,
            })
        });
        Ok(said.collect())
    }

    /// The newest note of each title, in the log's order.
    async fn notes(&self) -> Result<Vec<Said<Note>>, Error> {
        let note = |body| match body {
            Body::Note(note) => Some(note),
            _ => None,
        };
        let mut newest: Vec<Said<Note>> = Vec::new();
        for said in self.said("note", note).await? {
            newest.retain(|known| known.what.title != said.what.title);
            newest.push(said);
        }
        Ok(newest)
    }
}

impl Repository {
    /// The newest note of each title, in the log's order.
    pub async fn notes(&self) -> Result<Vec<Said<Note>>, Error> {
        self.inner.notes().await
    }

    /// Keeps a note, unless the newest of its title says the same; gives the number of its entry where one was written.
    pub async fn keep_note(&self, note: Note, now: Timestamp) -> Result<Option<u64>, Error> {
        let inner = &self.inner;
        let compute = || {
            async {
                let newest = inner.notes().await?;
                let known = newest.iter().any(|known| known.what == note);
                Ok((!known).then(|| Body::Note(note.clone())))
            }
            .boxed()
        };
        let author = super::append::Author::Machine;
        inner
            .append_as(author, SnapshotId::new(now)?, now, compute)
            .await
    }

    /// The drills, the oldest first.
    pub async fn drills(&self) -> Result<Vec<Said<Drill>>, Error> {
        let drill = |body| match body {
            Body::Drill(drill) => Some(*drill),
            _ => None,
        };
        self.inner.said("drill", drill).await
    }

    /// Keeps the evidence of a drill; gives the number of its entry.
    pub async fn keep_drill(&self, drill: Drill, now: Timestamp) -> Result<u64, Error> {
        let compute = || std::future::ready(Ok(Some(Body::Drill(Box::new(drill.clone()))))).boxed();
        let author = super::append::Author::Machine;
        let kept = self
            .inner
            .append_as(author, SnapshotId::new(now)?, now, compute);
        kept.await?.ok_or(Error::Worker {
            what: "the log entry",
        })
    }
}
