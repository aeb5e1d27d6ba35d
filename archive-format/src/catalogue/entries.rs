//! The log as this machine has read it, and what follows from it: live snapshots, swept packs, accepted snapshots.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Catalogue;
use super::objects::SWEPT;
use crate::log::chain::Passed;
use crate::log::{Body, EntryBody};
use crate::{EntryHash, Error, PackName, Signer, SnapshotId, SnapshotRecord, json};

/// The sort under which an entry is kept that counts for nothing and whose body is not known.
pub(crate) const PASSED: &str = "passed";

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

    /// Remembers that an entry stands under its number and counts for nothing.
    pub(crate) async fn add_passed(&self, passed: &Passed) -> Result<(), Error> {
        let (number, hash, signer) = (passed.number as i64, passed.hash, passed.signer);
        self.database
            .call("add a log entry", move |connection| {
                connection
                    .execute(
                        "INSERT OR IGNORE INTO log (number, hash, signer, sort, body) VALUES (?1, ?2, ?3, ?4, '')",
                        params![number, hash.as_bytes(), signer.as_bytes(), PASSED],
                    )
                    .map(drop)
            })
            .await
    }

    /// Snapshots whose entries count for nothing since their signers were revoked: id, number of the entry, signer.
    pub(crate) async fn revoked_snapshots(&self) -> Result<Vec<(SnapshotId, u64, Signer)>, Error> {
        let live = self.snapshot_entries("1").await?;
        let entries = self.entries_of("snapshot").await?;
        let gone = entries
            .into_iter()
            .filter_map(|(number, signer, entry)| match entry.body {
                Body::Snapshot(record) if live.get(&record.id) != Some(&number) => {
                    Some((record.id, number, signer))
                }
                _ => None,
            });
        Ok(gone.collect())
    }

    /// The bodies of all entries of a sort, oldest first, with number and signer.
    pub(crate) async fn entries_of(
        &self,
        sort: &'static str,
    ) -> Result<Vec<(u64, Signer, EntryBody)>, Error> {
        self.entries_after(sort, 0).await
    }

    /// The same of those with a higher number than this.
    pub(crate) async fn entries_after(
        &self,
        sort: &'static str,
        number: u64,
    ) -> Result<Vec<(u64, Signer, EntryBody)>, Error> {
        let rows = self
            .database
            .call("read the log", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT number, signer, body FROM log WHERE sort = ?1 AND number > ?2 ORDER BY number",
                )?;
                let rows = query.query_map(params![sort, number as i64], |row| {
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
            .map(|(number, signer, body)| Ok((number, signer, remembered(&body)?)))
            .collect()
    }

    /// Who signed entries of which sort, each with the first number under which he did, by these numbers; of entries that
    /// count for nothing every one.
    pub(crate) async fn signers(&self) -> Result<Vec<(u64, Signer, String)>, Error> {
        self.database
            .call("read the log", |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT min(number), signer, sort FROM log
                     GROUP BY signer, sort, CASE sort WHEN ?1 THEN number END ORDER BY 1",
                )?;
                let rows = query.query_map([PASSED], |row| {
                    let number = row.get::<_, i64>(0)?.unsigned_abs();
                    Ok((number, Signer::from_bytes(row.get(1)?), row.get(2)?))
                })?;
                rows.collect()
            })
            .await
    }

    /// The first number up to `last` that could not be read.
    pub(crate) async fn first_hole(&self, last: u64) -> Result<Option<u64>, Error> {
        self.database
            .call("look for a hole in the log", move |connection| {
                let last = last as i64;
                let there: i64 = connection.query_row(
                    "SELECT count(*) FROM log WHERE number BETWEEN 1 AND ?1",
                    [last],
                    |row| row.get(0),
                )?;
                if there == last {
                    return Ok(None);
                }
                // The first that has none behind it, or none at all at the beginning.
                let hole: Option<i64> = connection.query_row(
                    "SELECT min(number) + 1 FROM (SELECT 0 AS number UNION ALL SELECT number FROM log WHERE number < ?1) AS one
                     WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.number = one.number + 1)",
                    [last],
                    |row| row.get(0),
                )?;
                Ok(hole.map(i64::unsigned_abs))
            })
            .await
    }

    /// The records of all snapshots that are not forgotten, in the log's order. What the log holds besides costs nothing.
    pub(crate) async fn snapshots(&self) -> Result<Vec<SnapshotRecord>, Error> {
        let bodies = self
            .database
            .call("list snapshots", |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT body FROM snapshot JOIN log ON log.number = snapshot.entry
                     WHERE forgotten = 0 ORDER BY log.number",
                )?;
                query
                    .query_map([], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        records(&bodies)
    }

    /// The ids of accepted snapshots.
    pub(crate) async fn accepted(&self) -> Result<Vec<SnapshotId>, Error> {
        let ids = self.snapshot_entries("accepted = 1").await?;
        Ok(ids.into_keys().collect())
    }

    /// Snapshots that count, with the numbers of their entries.
    pub(super) async fn snapshot_entries(
        &self,
        which: &'static str,
    ) -> Result<BTreeMap<SnapshotId, u64>, Error> {
        self.database
            .call("list snapshots", move |connection| {
                let mut query = connection
                    .prepare_cached(&format!("SELECT id, entry FROM snapshot WHERE {which}"))?;
                let ids = query.query_map([], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?.unsigned_abs(),
                    ))
                })?;
                ids.filter_map(|row| {
                    row.map(|(id, entry)| id.parse().ok().map(|id| (id, entry)))
                        .transpose()
                })
                .collect()
            })
            .await
    }
}

/// An entry's body as it was kept.
fn remembered(body: &str) -> Result<EntryBody, Error> {
    json::from_canonical(body.as_bytes(), usize::MAX, "a remembered log entry")
}

/// The records in bodies of `snapshot` entries.
pub(super) fn records(bodies: &[String]) -> Result<Vec<SnapshotRecord>, Error> {
    let mut records = Vec::with_capacity(bodies.len());
    for body in bodies {
        if let Body::Snapshot(record) = remembered(body)?.body {
            records.push(*record);
        }
    }
    Ok(records)
}

#[cfg(test)]
impl Catalogue {
    /// What the log gave, as text.
    pub(crate) async fn dump(&self) -> Result<String, Error> {
        self.database
            .call("show the log", |connection| {
                let mut text = String::new();
                for table in [
                    "log", "snapshot", "swept", "replaced", "damaged", "tabled", "lost", "gap",
                ] {
                    let mut query = connection
                        .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
                        .or_else(|_| {
                            connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
                        })?;
                    let columns = query.column_count();
                    let mut rows = query.query([])?;
                    while let Some(row) = rows.next()? {
                        for column in 0..columns {
                            text.push_str(&format!("{:?} ", row.get_ref(column)?));
                        }
                        text.push('\n');
                    }
                }
                Ok(text)
            })
            .await
    }
}

/// What an entry changes. Swept names are kept for ever.
fn apply(transaction: &Transaction<'_>, entry: &ReadEntry) -> rusqlite::Result<()> {
    match &entry.body.body {
        Body::Sweep(_) => entry
            .swept
            .iter()
            .try_for_each(|name| sweep(transaction, name)),
        Body::Keys(keys) if !keys.revoked.is_empty() => draw_lines(transaction),
        body => apply_said(transaction, entry.number, body),
    }
}

/// Makes anew what entries say of snapshots and damage, without those that count for nothing by the lines that the owners
/// drew. What a sweep of a revoked signer named before stays unusable: whoever saw it may delete it at any time.
fn draw_lines(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let body = |text: String| -> Option<Body> {
        let entry: EntryBody =
            json::from_canonical(text.as_bytes(), usize::MAX, "an entry").ok()?;
        Some(entry.body)
    };
    let mut lines: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    let mut query = transaction.prepare("SELECT body FROM log WHERE sort = 'keys'")?;
    for text in query.query_map([], |row| row.get::<_, String>(0))? {
        let Some(Body::Keys(keys)) = body(text?) else {
            continue;
        };
        for revoked in keys.revoked {
            let line = lines.entry(*revoked.signer.as_bytes()).or_insert(u64::MAX);
            *line = revoked.after.min(*line);
        }
    }
    for table in ["snapshot", "damaged", "tabled", "lost"] {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let mut query = transaction.prepare(
        "SELECT number, signer, body FROM log
         WHERE sort IN ('snapshot', 'forget', 'accept', 'protect', 'repair') ORDER BY number",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let number = row.get::<_, i64>(0)?.unsigned_abs();
        let counts = lines
            .get(&row.get::<_, [u8; 32]>(1)?)
            .is_none_or(|after| number <= *after);
        if let (true, Some(body)) = (counts, body(row.get(2)?)) {
            apply_said(transaction, number, &body)?;
        }
    }
    transaction
        .execute(
            "DELETE FROM held WHERE snapshot NOT IN (SELECT id FROM snapshot)",
            [],
        )
        .map(drop)
}

/// What an entry says of snapshots and of damage.
fn apply_said(transaction: &Transaction<'_>, number: u64, body: &Body) -> rusqlite::Result<()> {
    match body {
        // An id stands once: a later entry cannot put itself in the place of an earlier one.
        Body::Snapshot(record) => transaction
            .execute(
                "INSERT OR IGNORE INTO snapshot (id, entry, workspace, outcome) VALUES (?1, ?2, ?3, ?4)",
                params![
                    record.id.to_string(),
                    number as i64,
                    record.workspace,
                    record.outcome.as_str()
                ],
            )
            .map(drop),
        Body::Forget(forget) => mark(transaction, "forgotten", true, &forget.snapshots),
        Body::Accept(accept) => mark(transaction, "accepted", true, &accept.snapshots),
        Body::Protect(protect) => mark(transaction, "protected", protect.protected, &protect.snapshots),
        Body::Repair(repair) => super::repairs::apply(transaction, repair),
        Body::Repack(repack) => super::replaced::apply(transaction, repack),
        Body::Sweep(_) | Body::Hold(_) | Body::Keys(_) | Body::Note(_) | Body::Drill(_) => Ok(()),
        Body::Export(_) | Body::Erase(_) => Ok(()),
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
    let marked = connection.execute(
        "UPDATE pack SET state = ?2 WHERE name = ?1",
        params![name.as_bytes(), SWEPT],
    )?;
    if marked > 0 {
        // What was reached through it must be found anew.
        connection.execute(
            "DELETE FROM reach WHERE parent IN (SELECT parent FROM reach JOIN pack ON pack.id = reach.pack WHERE name = ?1)",
            [name.as_bytes()],
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests;
