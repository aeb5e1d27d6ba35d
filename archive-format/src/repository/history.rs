//! Brings what this machine knows up to what the repository holds: log entries, packs, and the lines of manifests.

use futures::TryStreamExt;

use super::{Inner, Notice};
use crate::catalogue::entries::ReadEntry;
use crate::log::Body;
use crate::log::chain::{Believed, Chain, Next};
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
        self.read_entries(&mut chain, whole, notices).await?;
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

    pub(super) async fn read_entries(
        &self,
        chain: &mut Chain,
        whole: bool,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Error> {
        let last = if whole { self.last_entry().await? } else { 0 };
        loop {
            let number = chain.number + 1;
            let damage = match self.next_entry(chain).await {
                Ok(Some(Next::Believed(believed))) => {
                    chain.advance(&believed)?;
                    self.remember_entry(believed).await?;
                    continue;
                }
                Ok(Some(Next::Passed(passed))) => {
                    chain.pass(&passed);
                    notices.push(Notice::PassedOver {
                        entry: passed.number,
                        signer: passed.signer,
                        reason: passed.unfit.clone(),
                    });
                    self.catalogue.add_passed(&passed).await?;
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
            if !self.tolerate_damage {
                return Err(damage);
            }
            notices.push(Notice::Damaged {
                name: FileName::log(number).to_string(),
                reason: damage.to_string(),
            });
            chain.skip();
        }
    }

    async fn last_entry(&self) -> Result<u64, Error> {
        let mut files = self.storage.list("log/");
        let mut last = 0;
        while let Some(file) = files.try_next().await? {
            let number = file
                .name
                .as_str()
                .strip_prefix("log/")
                .and_then(|number| number.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
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
            for line in piece::parse(&self.objects.get(piece).await?)? {
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
