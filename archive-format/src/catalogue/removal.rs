//! What the log says about removal: protected and forgotten snapshots, swept names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::Catalogue;
use super::objects::PackId;
use crate::log::Body;
use crate::{Error, PackName, SnapshotId, SnapshotRecord};

impl Catalogue {
    /// The ids of protected snapshots that are not forgotten.
    pub(crate) async fn protected(&self) -> Result<Vec<SnapshotId>, Error> {
        let ids = self
            .snapshot_entries("protected = 1 AND forgotten = 0")
            .await?;
        Ok(ids.into_keys().collect())
    }

    /// The forgotten snapshots, each with the number of the entry that forgot it and the time that this states.
    pub(crate) async fn forgotten(&self) -> Result<Vec<(SnapshotRecord, u64, Timestamp)>, Error> {
        let mut by: BTreeMap<SnapshotId, (u64, Timestamp)> = BTreeMap::new();
        for (number, _, entry) in self.entries_of("forget").await? {
            if let Body::Forget(forget) = entry.body {
                for id in forget.snapshots {
                    by.entry(id).or_insert((number, entry.time));
                }
            }
        }
        if by.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.entries_of("snapshot").await?;
        let forgotten = entries
            .into_iter()
            .filter_map(|(_, _, entry)| match entry.body {
                Body::Snapshot(record) => by
                    .get(&record.id)
                    .map(|(number, time)| (*record, *number, *time)),
                _ => None,
            });
        Ok(forgotten.collect())
    }

    /// Which of these names were swept, sorted.
    pub(crate) async fn swept_of(&self, names: Vec<PackName>) -> Result<Vec<PackName>, Error> {
        self.database
            .call("look swept packs up", move |connection| {
                let mut query = connection.prepare_cached("SELECT 1 FROM swept WHERE name = ?1")?;
                let mut swept = Vec::new();
                for name in names {
                    let found = query.query_row([name.as_bytes()], |_| Ok(())).optional()?;
                    swept.extend(found.map(|()| name));
                }
                swept.sort_unstable();
                Ok(swept)
            })
            .await
    }

    /// The names of those of these packs that may be named, sorted.
    pub(crate) async fn usable_names_of(&self, packs: Vec<PackId>) -> Result<Vec<PackName>, Error> {
        self.database
            .call("look packs up", move |connection| {
                let mut query = connection
                    .prepare_cached("SELECT name FROM pack WHERE id = ?1 AND state = 0")?;
                let mut names = Vec::new();
                for pack in packs {
                    let name = query.query_row([pack], |row| row.get(0)).optional()?;
                    names.extend(name.map(PackName::from_bytes));
                }
                names.sort_unstable();
                Ok(names)
            })
            .await
    }
}
