//! What `repack` entries say: packs whose place others took. They are read as long as they are there, and nothing new is
//! named in them, so that they die with the snapshots that still need them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::Catalogue;
use super::objects::{READ_ONLY, USABLE};
use crate::log::Repack;
use crate::pack::Class;
use crate::{Address, Error, PackName, SnapshotId};

impl Catalogue {
    /// The number of a snapshot's entry, forgotten or not, and that of the newest `repack` entry. None for a snapshot that
    /// counts for nothing, or where nothing was repacked since it was made.
    pub(crate) async fn repacked_since(
        &self,
        snapshot: SnapshotId,
    ) -> Result<Option<(u64, u64)>, Error> {
        self.database
            .call("look a snapshot up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT entry, (SELECT max(number) FROM log WHERE sort = 'repack') AS newest FROM snapshot
                     WHERE id = ?1 AND newest > entry",
                )?;
                let numbers = query.query_row([snapshot.to_string()], |row| {
                    let number = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
                    Ok((number(0)?, number(1)?))
                });
                numbers.optional()
            })
            .await
    }

    /// The snapshots that are not forgotten, with the numbers of their entries.
    pub(crate) async fn live_entries(&self) -> Result<BTreeMap<SnapshotId, u64>, Error> {
        self.snapshot_entries("forgotten = 0").await
    }

    /// For each of many objects the data packs that hold it and in which it may be named, in their order.
    pub(crate) async fn copies_of(
        &self,
        addresses: Vec<Address>,
    ) -> Result<Vec<Vec<PackName>>, Error> {
        self.database
            .read("look objects up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT name FROM object JOIN pack ON pack.id = object.pack
                     WHERE object.address = ?1 AND pack.state = ?2 AND class <> ?3 ORDER BY pack.id",
                )?;
                let mut copies = Vec::with_capacity(addresses.len());
                for address in addresses {
                    let found = params![address.as_bytes(), USABLE, Class::Meta.code()];
                    let names =
                        query.query_map(found, |row| row.get(0).map(PackName::from_bytes))?;
                    copies.push(names.collect::<rusqlite::Result<Vec<_>>>()?);
                }
                Ok(copies)
            })
            .await
    }

    /// Which of these packs may be named, sorted. What the state says is not relied on for what was swept, as in a commit.
    pub(crate) async fn usable_of(&self, names: Vec<PackName>) -> Result<Vec<PackName>, Error> {
        self.database
            .read("look packs up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT 1 FROM pack WHERE name = ?1 AND state = ?2
                     AND NOT EXISTS (SELECT 1 FROM swept WHERE swept.name = pack.name)",
                )?;
                let mut usable = Vec::new();
                for name in names {
                    if query.exists(params![name.as_bytes(), USABLE])? {
                        usable.push(name);
                    }
                }
                usable.sort_unstable();
                Ok(usable)
            })
            .await
    }
}

/// Takes an entry's word.
pub(super) fn apply(transaction: &Transaction<'_>, repack: &Repack) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO replaced VALUES (?1)")?;
    let mut mark =
        transaction.prepare_cached("UPDATE pack SET state = ?2 WHERE name = ?1 AND state = ?3")?;
    for replaced in &repack.packs {
        let name = replaced.pack.as_bytes();
        insert.execute([name])?;
        mark.execute(params![name, READ_ONLY, USABLE])?;
    }
    Ok(())
}
