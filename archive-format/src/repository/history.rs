//! Brings what this machine knows up to what the repository holds: log entries, packs, and the lines of manifests.

use futures::TryStreamExt;

use super::checkpoints::Checkpoints;
use super::{Inner, Notice};
use crate::catalogue::entries::ReadEntry;
use crate::log::Body;
use crate::log::chain::{Believed, Chain, Next, Passed};
use crate::manifest::piece;
use crate::{Error, FileName, KeyLack, LineKey, Outcome, SnapshotReader, SnapshotRecord};

impl Inner {
    /// Reads the log to its head, and opens the edition of the key files that it names. `whole`: from its beginning, so
    /// that a missing number is looked for.
    pub(crate) async fn read_log(
        &self,
        whole: bool,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let mut chain = self.chain.lock().await;
        match whole {
            true => self.read_from_checkpoints(&mut chain, notices).await?,
            false => self.read_entries(&mut chain, None, notices).await?,
        }
        self.settle_keys(&mut chain, notices).await?;
        if chain.damaged.is_none() && chain.number == 0 {
            return Err(Error::Damaged {
                name: FileName::log(1),
                reason: "it is missing".to_owned(),
            });
        }
        match chain.first_unfit() {
            Some(unfit) if !self.tolerate_damage => Err(unfit),
            _ => Ok(()),
        }
    }

    /// Reads the log of which nothing is known yet. What a checkpoint brought is read again without it where an entry
    /// behind it revokes who signed it.
    async fn read_from_checkpoints(
        &self,
        chain: &mut Chain,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let mut checkpoints = Checkpoints::list(self).await;
        loop {
            let (before, told) = (chain.clone(), notices.len());
            self.read_entries(chain, Some(&mut checkpoints), notices)
                .await?;
            if !checkpoints.disown(chain) {
                notices.extend(checkpoints.into_notices());
                return Ok(());
            }
            self.catalogue.forget().await?;
            *chain = before;
            notices.truncate(told);
        }
    }

    /// Reads on to the head; with checkpoints from the beginning, so that a missing number is looked for.
    pub(super) async fn read_entries(
        &self,
        chain: &mut Chain,
        mut checkpoints: Option<&mut Checkpoints>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let listed = match &checkpoints {
            Some(_) => self.listed_entries().await?,
            None => Vec::new(),
        };
        let last = listed.last().copied().unwrap_or(0);
        loop {
            if let Some(checkpoints) = checkpoints.as_deref_mut()
                && self.leap(chain, checkpoints, &listed, notices).await?
            {
                continue;
            }
            let number = chain.number + 1;
            let damage = match self.next_entry(chain).await {
                Ok(Some(Next::Believed(believed))) => {
                    chain.advance(&believed)?;
                    self.remember_entry(believed).await?;
                    continue;
                }
                Ok(Some(Next::Passed(passed))) => {
                    chain.pass(&passed);
                    self.remember_passed(&passed, notices).await?;
                    continue;
                }
                Ok(None) if number > last => return Ok(()),
                Ok(None) => Error::Damaged {
                    name: FileName::log(number),
                    reason: "it is missing, and later entries are there".to_owned(),
                },
                Err(error) if error.is_damage() => error,
                Err(Error::Json { reason, .. }) => Error::Damaged {
                    name: FileName::log(number),
                    reason,
                },
                Err(error) => return Err(error),
            };
            notices.push(self.tolerated(damage, number)?);
            chain.skip();
        }
    }

    /// What is told of a damaged entry, where that is no reason to stop.
    pub(super) fn tolerated(&self, damage: Error, number: u64) -> Result<Notice, Error> {
        if !self.tolerate_damage {
            return Err(damage);
        }
        Ok(Notice::Damaged {
            name: FileName::log(number).to_string(),
            reason: damage.to_string(),
        })
    }

    /// The numbers that are there, sorted.
    async fn listed_entries(&self) -> Result<Vec<u64>, Error> {
        let mut files = self.storage.list("log/");
        let mut numbers = Vec::new();
        while let Some(file) = files.try_next().await? {
            let number = file.name.as_str().strip_prefix("log/");
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Takes note of an entry that counts for nothing.
    pub(super) async fn remember_passed(
        &self,
        passed: &Passed,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        notices.push(Notice::PassedOver {
            entry: passed.number,
            signer: passed.signer,
            reason: passed.unfit.clone(),
        });
        self.catalogue.add_passed(passed).await
    }

    /// Keeps a believed entry, with all packs that it sweeps.
    pub(crate) async fn remember_entry(&self, believed: Believed) -> Result<(), Error> {
        let mut swept = Vec::new();
        if let Body::Sweep(sweep) = &believed.body.body {
            swept.clone_from(&sweep.packs);
            for address in &sweep.list {
                swept.extend(self.list_object(*address, &sweep.list_packs).await?);
            }
        }
        self.catalogue
            .add_entry(ReadEntry {
                number: believed.number,
                hash: believed.hash,
                signer: believed.signer,
                body: believed.body,
                swept,
            })
            .await
    }

    /// Fills the catalogue with the lines of all live snapshots, oldest first, and with the history of their gaps. What
    /// is damaged is passed over and said.
    pub(crate) async fn rebuild_lines(&self, notices: &mut Vec<Notice>) -> Result<(), Error> {
        let mut broken = Vec::new();
        for record in self.catalogue.snapshots().await? {
            if self.catalogue.holds(record.id).await? {
                continue;
            }
            let kept = match SnapshotReader::keep_lines(&self.objects, &record).await {
                Ok(()) => self.keep_gaps(&record).await,
                Err(error) => Err(error),
            };
            match kept {
                Ok(()) => {}
                Err(
                    error @ (Error::NoKey(KeyLack::NoneGiven)
                    | Error::Catalogue { .. }
                    | Error::Worker { .. }),
                ) => return Err(error),
                Err(error) => broken.push((record.id, error.to_string())),
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        // What others forgot and swept since the log was read is no damage.
        self.read_log(false, notices).await?;
        let live = self.catalogue.snapshots().await?;
        for (id, reason) in broken {
            if live.iter().any(|record| record.id == id) {
                let name = format!("the manifest of snapshot {id}");
                notices.push(Notice::Damaged { name, reason });
            }
        }
        Ok(())
    }

    /// Notes when the gaps of a finished snapshot were seen, unless a later one of its workspace was looked at before.
    async fn keep_gaps(&self, record: &SnapshotRecord) -> Result<(), Error> {
        if record.outcome == Outcome::Partial {
            return Ok(());
        }
        let seen = self.catalogue.gaps_until(&record.workspace).await?;
        if seen.is_some_and(|seen| seen >= record.finished) {
            return Ok(());
        }
        let mut gaps = Vec::new();
        for piece in self.catalogue.pieces_with_gaps(record.id).await? {
            let bytes = self.objects.get(piece).await?;
            for line in piece::parse(&bytes).map_err(|error| error.of_object(piece))? {
                let key = LineKey {
                    part: 0,
                    ..line.key()
                };
                gaps.extend(line.gaps.into_iter().map(|gap| (key.clone(), gap)));
            }
        }
        self.catalogue
            .gaps_seen(&record.workspace, record.finished, gaps)
            .await
    }
}
