//! The log as this machine has read it, and what follows from it: live snapshots, swept packs, accepted snapshots.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Catalogue;
use crate::log::{Body, EntryBody};
use crate::{EntryHash, Error, PackName, Signer, SnapshotId, SnapshotRecord, json};

/// An entry that was verified.
#[derive(Clone, Debug)]
pub(crate) struct ReadEntry {
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
    pub(crate) signer: Signer,
    pub(crate) body: EntryBody,
    /// All packs that a sweep names, those of its lists too.
    pub(crate) swept: Vec<PackName>,
}

impl Catalogue {
    /// The newest entry that was read.
    pub(crate) async fn log_end(&self) -> Result<Option<(u64, EntryHash)>, Error> {
        self.database
            .call("read the log's end", |connection| {
                connection
                    .query_row(
                        "SELECT number, hash FROM log ORDER BY number DESC LIMIT 1",
                        [],
                        |row| {
                            Ok((
                                row.get::<_, i64>(0)?.unsigned_abs(),
                                EntryHash::from_bytes(row.get(1)?),
                            ))
                        },
                    )
                    .optional()
            })
            .await
    }

    /// The hash of one entry that was read.
    pub(crate) async fn entry_hash(&self, number: u64) -> Result<Option<EntryHash>, Error> {
        self.database
            .call("read an entry", move |connection| {
                connection
                    .query_row(
                        "SELECT hash FROM log WHERE number = ?1",
                        [number as i64],
                        |row| row.get(0).map(EntryHash::from_bytes),
                    )
                    .optional()
            })
            .await
    }

    /// Adds a verified entry and what follows from it.
    pub(crate) async fn add_entry(&self, entry: ReadEntry) -> Result<(), Error> {
        let body =
            String::from_utf8_lossy(&json::to_canonical(&entry.body, "a log entry")?).into_owned();
        self.database
            .call("add a log entry", move |connection| {
                let transaction = connection.transaction()?;
                let added = transaction.execute(
                    "INSERT OR IGNORE INTO log (number, hash, signer, sort, body) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        entry.number as i64,
                        entry.hash.as_bytes(),
                        entry.signer.as_bytes(),
                        entry.body.body.sort(),
                        body
                    ],
                )?;
                // Another process that shares this cache may have read the entry first.
                if added == 0 {
                    return Ok(());
                }
                apply(&transaction, &entry)?;
                transaction.commit()
            })
            .await
    }

    /// The bodies of all entries of a sort, oldest first, with number and signer.
    pub(crate) async fn entries_of(
        &self,
        sort: &'static str,
    ) -> Result<Vec<(u64, Signer, EntryBody)>, Error> {
        let rows = self
            .database
            .call("read the log", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT number, signer, body FROM log WHERE sort = ?1 ORDER BY number",
                )?;
                let rows = query.query_map([sort], |row| {
                    let number = row.get::<_, i64>(0)?.unsigned_abs();
                    Ok((
                        number,
                        Signer::from_bytes(row.get(1)?),
                        row.get::<_, String>(2)?,
                    ))
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        rows.into_iter()
            .map(|(number, signer, body)| {
                let body =
                    json::from_canonical(body.as_bytes(), usize::MAX, "a remembered log entry")?;
                Ok((number, signer, body))
            })
            .collect()
    }

    /// Number, signer and sort of every entry that was read.
    pub(crate) async fn signers(&self) -> Result<Vec<(u64, Signer, String)>, Error> {
        self.database
            .call("read the log", |connection| {
                let mut query = connection
                    .prepare_cached("SELECT number, signer, sort FROM log ORDER BY number")?;
                let rows = query.query_map([], |row| {
                    let number = row.get::<_, i64>(0)?.unsigned_abs();
                    Ok((number, Signer::from_bytes(row.get(1)?), row.get(2)?))
                })?;
                rows.collect()
            })
            .await
    }

    /// The first number up to `last` that could not be read.
    pub(crate) async fn first_hole(&self, last: u64) -> Result<Option<u64>, Error> {
        let numbers = self
            .signers()
            .await?
            .into_iter()
            .map(|(number, _, _)| number);
        Ok((1..=last)
            .zip(numbers)
            .find(|(wanted, found)| wanted != found)
            .map(|(wanted, _)| wanted))
    }

    /// The records of all snapshots that are not forgotten, in the log's order.
    pub(crate) async fn snapshots(&self) -> Result<Vec<SnapshotRecord>, Error> {
        let live = self.snapshot_ids("forgotten = 0").await?;
        let entries = self.entries_of("snapshot").await?;
        let records = entries
            .into_iter()
            .filter_map(|(_, _, entry)| match entry.body {
                Body::Snapshot(record) if live.contains(&record.id) => Some(*record),
                _ => None,
            });
        Ok(records.collect())
    }

    /// The ids of accepted snapshots.
    pub(crate) async fn accepted(&self) -> Result<Vec<SnapshotId>, Error> {
        let ids = self.snapshot_ids("accepted = 1").await?;
        Ok(ids.into_iter().collect())
    }

    async fn snapshot_ids(
        &self,
        which: &'static str,
    ) -> Result<std::collections::BTreeSet<SnapshotId>, Error> {
        self.database
            .call("list snapshots", move |connection| {
                let mut query =
                    connection.prepare_cached(&format!("SELECT id FROM snapshot WHERE {which}"))?;
                let ids = query.query_map([], |row| row.get::<_, String>(0))?;
                ids.filter_map(|id| id.map(|id| id.parse().ok()).transpose())
                    .collect()
            })
            .await
    }
}

/// What an entry changes. Swept names are kept for ever; what was in those packs is known no more.
fn apply(transaction: &Transaction<'_>, entry: &ReadEntry) -> rusqlite::Result<()> {
    match &entry.body.body {
        Body::Snapshot(record) => transaction
            .execute(
                "INSERT OR REPLACE INTO snapshot (id, entry, workspace, outcome) VALUES (?1, ?2, ?3, ?4)",
                params![
                    record.id.to_string(),
                    entry.number as i64,
                    record.workspace,
                    record.outcome.as_str()
                ],
            )
            .map(drop),
        Body::Forget(forget) => mark(transaction, "forgotten", true, &forget.snapshots),
        Body::Accept(accept) => mark(transaction, "accepted", true, &accept.snapshots),
        Body::Protect(protect) => mark(transaction, "protected", protect.protected, &protect.snapshots),
        Body::Sweep(_) => entry.swept.iter().try_for_each(|name| sweep(transaction, name)),
        Body::Repair(repair) => super::repairs::apply(transaction, repair),
        Body::Hold(_) | Body::Keys(_) | Body::Erase(_) => Ok(()),
    }
}

fn mark(
    connection: &Connection,
    column: &str,
    value: bool,
    snapshots: &[SnapshotId],
) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached(&format!("UPDATE snapshot SET {column} = ?2 WHERE id = ?1"))?;
    for id in snapshots {
        update.execute(params![id.to_string(), value])?;
        if column == "forgotten" {
            connection.execute("DELETE FROM held WHERE snapshot = ?1", [id.to_string()])?;
        }
    }
    Ok(())
}

fn sweep(connection: &Connection, name: &PackName) -> rusqlite::Result<()> {
    connection.execute("INSERT OR IGNORE INTO swept VALUES (?1)", [name.as_bytes()])?;
    let pack: Option<i64> = connection
        .query_row(
            "SELECT id FROM pack WHERE name = ?1",
            [name.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(pack) = pack {
        connection.execute("DELETE FROM object WHERE pack = ?1", [pack])?;
        connection.execute("DELETE FROM frame WHERE pack = ?1", [pack])?;
        // What was reached through it must be found anew.
        connection.execute(
            "DELETE FROM reach WHERE parent IN (SELECT parent FROM reach WHERE pack = ?1)",
            [pack],
        )?;
        connection.execute("DELETE FROM pack WHERE id = ?1", [pack])?;
    }
    Ok(())
}
