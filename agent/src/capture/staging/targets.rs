//! What items refer to, and whose children are taken over.

use rusqlite::{OptionalExtension, params};
use workspace::ItemId;

use super::super::Error;
use super::{Staging, Target};

impl Staging {
    /// Remembers what an item refers to.
    pub(in crate::capture) async fn targets(&self, targets: Vec<Target>) -> Result<(), Error> {
        if targets.is_empty() {
            return Ok(());
        }
        self.with(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO target (kind, name, version, referrer, always) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET
                     done = MIN(done, always >= excluded.always),
                     always = MAX(always, excluded.always)",
            )?;
            for target in targets {
                let version = target.id.version.unwrap_or_default();
                insert.execute(params![
                    target.id.kind,
                    target.id.name,
                    version,
                    target.referrer,
                    target.always
                ])?;
            }
            Ok(())
        })
        .await
    }

    /// Hands out targets that were not handed out yet, and remembers that they were; at most `count`.
    pub(in crate::capture) async fn open_targets(&self, count: u32) -> Result<Vec<Target>, Error> {
        self.with(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE target SET done = 1 WHERE (kind, name, version) IN
                         (SELECT kind, name, version FROM target WHERE done = 0 LIMIT ?)
                     RETURNING kind, name, version, referrer, always",
                )?
                .query_map(params![count], |row| {
                    let version: String = row.get(2)?;
                    Ok(Target {
                        id: ItemId {
                            kind: row.get(0)?,
                            name: row.get(1)?,
                            version: (!version.is_empty()).then_some(version),
                        },
                        referrer: row.get(3)?,
                        always: row.get(4)?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Remembers an item that was not asked about, so that the items found below it are taken over as well.
    pub(in crate::capture) async fn parent(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.with(move |connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO parent (name) VALUES (?)")?
                .execute(params![name])
                .map(drop)
        })
        .await
    }

    /// Whether nothing was remembered by [`Staging::parent`].
    pub(in crate::capture) async fn has_no_parents(&self) -> Result<bool, Error> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM parent)")?
                .query_row([], |row| row.get(0))
        })
        .await
    }

    /// Whether it was remembered by [`Staging::parent`].
    pub(in crate::capture) async fn is_parent(&self, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        self.with(move |connection| {
            connection
                .prepare_cached("SELECT 1 FROM parent WHERE name = ?")?
                .query_row(params![name], |_| Ok(()))
                .optional()
                .map(|found| found.is_some())
        })
        .await
    }
}
