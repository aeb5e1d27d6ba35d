//! What the log says about removal: protected and forgotten snapshots, swept names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::Catalogue;
use super::entries::records;
use super::objects::PackId;
use crate::{Error, PackName, SnapshotId, SnapshotRecord};

/// That a snapshot was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgetting {
    /// The number of the entry.
    pub(crate) entry: u64,
    /// The time that it states.
    pub(crate) said: Timestamp,
}

impl Catalogue {
    /// The ids of protected snapshots that are not forgotten.
    pub(crate) async fn protected(&self) -> Result<Vec<SnapshotId>, Error> {
        let ids = self
            .snapshot_entries("protected = 1 AND forgotten = 0")
            .await?;
        Ok(ids.into_keys().collect())
    }

    /// The forgotten snapshots by their ids: the number of the entry that forgot each, and the time that this states.
    pub(crate) async fn forgotten(&self) -> Result<BTreeMap<SnapshotId, Forgetting>, Error> {
        self.database
            .call("list what was forgotten", |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT said.value, number, json_extract(body, '$.time')
                     FROM log, json_each(log.body, '$.body.forget.snapshots') AS said
                     WHERE sort = 'forget' ORDER BY number",
                )?;
                let mut rows = query.query([])?;
                let mut forgotten = BTreeMap::new();
                while let Some(row) = rows.next()? {
                    let (id, time): (String, String) = (row.get(0)?, row.get(2)?);
                    let (Ok(id), Ok(said)) = (id.parse(), time.parse()) else {
                        continue;
                    };
                    let entry = row.get::<_, i64>(1)?.unsigned_abs();
                    forgotten.entry(id).or_insert(Forgetting { entry, said });
                }
                Ok(forgotten)
            })
            .await
    }

    /// The records of these snapshots, forgotten or not.
    pub(crate) async fn records_of(
        &self,
        ids: Vec<SnapshotId>,
    ) -> Result<Vec<SnapshotRecord>, Error> {
        let bodies = self
            .database
            .call("look snapshots up", move |connection| {
                let mut live = connection.prepare_cached(
                    "SELECT body FROM snapshot JOIN log ON log.number = snapshot.entry WHERE id = ?1",
                )?;
                // One whose signer was revoked is in the log alone.
                let mut revoked = connection.prepare_cached(
                    "SELECT body FROM log WHERE sort = 'snapshot' AND json_extract(body, '$.body.snapshot.id') = ?1",
                )?;
                let mut bodies: Vec<String> = Vec::with_capacity(ids.len());
                for id in ids {
                    let id = id.to_string();
                    match live.query_row([&id], |row| row.get(0)).optional()? {
                        Some(body) => bodies.push(body),
                        None => {
                            for body in revoked.query_map([&id], |row| row.get(0))? {
                                bodies.push(body?);
                            }
                        }
                    }
                }
                Ok(bodies)
            })
            .await?;
        records(&bodies)
    }

    /// The packs that hold lists of `sweep` entries.
    pub(crate) async fn sweep_list_packs(&self) -> Result<BTreeSet<PackName>, Error> {
        self.database
            .call("list packs of lists", |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT said.value FROM log, json_each(log.body, '$.body.sweep.list_packs') AS said WHERE sort = 'sweep'",
                )?;
                let names = query.query_map([], |row| row.get::<_, String>(0))?;
                // The body was parsed when it was read, so that each is a name.
                names
                    .filter_map(|name| name.map(|name| name.parse().ok()).transpose())
                    .collect()
            })
            .await
    }

    /// The workspaces that ever had a snapshot, forgotten or not.
    pub(crate) async fn workspaces(&self) -> Result<BTreeSet<String>, Error> {
        self.database
            .call("list workspaces", |connection| {
                let mut query =
                    connection.prepare_cached("SELECT DISTINCT workspace FROM snapshot")?;
                query.query_map([], |row| row.get(0))?.collect()
            })
            .await
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
