//! What items refer to, which runs were taken, whose children are taken over, and whose were listed anew.

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
        self.put_name("INSERT OR IGNORE INTO parent (name) VALUES (?)", name)
            .await
            .map(drop)
    }

    /// Whether it was remembered by [`Staging::parent`].
    pub(in crate::capture) async fn is_parent(&self, name: &str) -> Result<bool, Error> {
        self.has("SELECT 1 FROM parent WHERE name = ?", name).await
    }

    /// Remembers an item whose children are listed in this run, so that those of before that are not among them are gone.
    pub(in crate::capture) async fn relisted(&self, name: &str) -> Result<(), Error> {
        self.put_name("INSERT OR IGNORE INTO relisted (name) VALUES (?)", name)
            .await
            .map(drop)
    }

    /// Whether it was remembered by [`Staging::relisted`].
    pub(in crate::capture) async fn is_relisted(&self, name: &str) -> Result<bool, Error> {
        self.has("SELECT 1 FROM relisted WHERE name = ?", name)
            .await
    }

    /// Claims a run, which several lists may show; whether nobody had before.
    pub(in crate::capture) async fn claim(&self, name: &str) -> Result<bool, Error> {
        let added = self.put_name("INSERT OR IGNORE INTO claimed (name) VALUES (?)", name);
        Ok(added.await? > 0)
    }

    /// Whether it was claimed by [`Staging::claim`].
    pub(in crate::capture) async fn is_claimed(&self, name: &str) -> Result<bool, Error> {
        self.has("SELECT 1 FROM claimed WHERE name = ?", name).await
    }

    /// Gives a claim back, of a run that is to be taken anew.
    pub(in crate::capture) async fn give_back(&self, name: &str) -> Result<(), Error> {
        self.put_name("DELETE FROM claimed WHERE name = ?", name)
            .await
            .map(drop)
    }

    async fn put_name(&self, statement: &'static str, name: &str) -> Result<usize, Error> {
        let name = name.to_owned();
        self.with(move |connection| connection.prepare_cached(statement)?.execute(params![name]))
            .await
    }

    async fn has(&self, query: &'static str, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        self.with(move |connection| {
            connection
                .prepare_cached(query)?
                .query_row(params![name], |_| Ok(()))
                .optional()
                .map(|found| found.is_some())
        })
        .await
    }
}
