//! Every live snapshot's manifest reads from its root to its last line, and everything it names is in a pack.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::{Checking, Finding, is_finding};
use crate::read::walk::Walk;
use crate::{Address, Error, Line, LineKey, Repository, SnapshotRecord};

impl Checking<'_> {
    pub(super) async fn manifests(&mut self, repository: &Repository) -> Result<(), Error> {
        let snapshots = self.inner.catalogue.snapshots().await?;
        self.stage("manifests", Some(snapshots.len() as u64));
        let mut seen = BTreeSet::new();
        // The newest first, so that damage is told of the newest snapshot that has it.
        for record in snapshots.iter().rev() {
            match self.manifest(repository, record, &mut seen).await {
                Ok(()) => {}
                Err(error) if is_finding(&error) => {
                    let mut finding =
                        Finding::new(format!("the manifest of snapshot {}", record.id), error);
                    finding.snapshots.push(record.id);
                    self.findings.push(finding);
                }
                Err(error) => return Err(error),
            }
            self.done(0);
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        repository: &Repository,
        record: &SnapshotRecord,
        seen: &mut BTreeSet<Address>,
    ) -> Result<(), Error> {
        let objects = &self.inner.objects;
        let mut walk = Walk::new(record.manifest, None);
        let mut lines = 0;
        while let Some(piece) = walk.next(objects).await? {
            lines += piece.count;
            if !seen.insert(piece.address) {
                continue;
            }
            match walk.lines(objects, &piece).await {
                Ok(read) => {
                    for line in read {
                        self.report.lines += 1;
                        self.line(repository, record, &line).await?;
                    }
                }
                Err(error) if is_finding(&error) => {
                    let mut finding =
                        Finding::new(format!("piece {} of a manifest", piece.address), error);
                    let mut keys = self.inner.catalogue.piece_keys(piece.address).await?;
                    if keys.is_empty() {
                        keys.push(piece.first.clone());
                    }
                    finding.items = keys.into_iter().map(|key| (record.id, key)).collect();
                    finding.snapshots.push(record.id);
                    self.findings.push(finding);
                }
                Err(error) => return Err(error),
            }
        }
        if lines == record.lines {
            Ok(())
        } else {
            Err(Error::Json {
                what: "a manifest".to_owned(),
                reason: format!(
                    "it has {lines} lines, and its snapshot says {}",
                    record.lines
                ),
            })
        }
    }

    /// Everything that a line names lies in a pack that the index knows.
    async fn line(
        &mut self,
        repository: &Repository,
        record: &SnapshotRecord,
        line: &Line,
    ) -> Result<(), Error> {
        match missing(repository, record, line).await {
            Ok(None) => Ok(()),
            Ok(Some(address)) => {
                let mut finding = Finding::new(
                    format!("object {address}"),
                    "it is in no pack that has an index",
                );
                finding.snapshots.push(record.id);
                finding.items.push((
                    record.id,
                    LineKey {
                        part: 0,
                        ..line.key()
                    },
                ));
                self.findings.push(finding);
                Ok(())
            }
            Err(error) if is_finding(&error) => {
                let mut finding = Finding::new(format!("a chunk list of {}", line.key()), error);
                finding.snapshots.push(record.id);
                finding.items.push((
                    record.id,
                    LineKey {
                        part: 0,
                        ..line.key()
                    },
                ));
                self.findings.push(finding);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The first object of a line that no index knows.
async fn missing(
    repository: &Repository,
    record: &SnapshotRecord,
    line: &Line,
) -> Result<Option<Address>, Error> {
    let catalogue = repository.catalogue();
    for address in line.addresses() {
        if catalogue.locate(address).await?.is_empty() {
            return Ok(Some(address));
        }
    }
    let reader = repository.snapshot(record);
    let lists = line.files.iter().filter_map(|file| file.content.as_ref());
    for content in lists.filter(|content| content.chunk_list.is_some()) {
        let mut chunks = reader.chunks(content);
        while let Some(chunk) = chunks.try_next().await? {
            if catalogue.locate(chunk.address).await?.is_empty() {
                return Ok(Some(chunk.address));
            }
        }
    }
    Ok(None)
}
