//! What `repair` entries say: packs in which nothing new is named, packs whose own table counts, objects that are lost.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, Transaction, params};

use super::Catalogue;
use super::objects::{READ_ONLY, USABLE};
use crate::log::Repair;
use crate::{Address, Error, PackName};

/// What repairs said of a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// It is damaged.
    pub(crate) damaged: bool,
    /// Its index is, and its own table counts.
    pub(crate) tabled: bool,
}

impl Catalogue {
    /// What repairs said of a pack.
    pub(crate) async fn repaired(&self, pack: PackName) -> Result<Known, Error> {
        self.database
            .call("look repairs up", move |connection| {
                Ok(Known {
                    damaged: has(connection, "damaged", &pack)?,
                    tabled: has(connection, "tabled", &pack)?,
                })
            })
            .await
    }

    /// Whether a repair found one of these packs damaged.
    pub(crate) async fn any_damaged(&self, packs: BTreeSet<PackName>) -> Result<bool, Error> {
        self.database
            .read("look repairs up", move |connection| {
                for pack in &packs {
                    if has(connection, "damaged", pack)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await
    }

    /// Those of many objects that cannot be read, by what is known without reading them: no pack that is there holds them,
    /// or a repair found them lost in it.
    pub(crate) async fn unavailable(
        &self,
        addresses: Vec<Address>,
    ) -> Result<HashSet<Address>, Error> {
        self.database
            .read("look objects up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT 1 FROM object JOIN pack ON pack.id = object.pack WHERE object.address = ?1
                     AND (pack.state = ?2 OR (pack.state = ?3 AND NOT (
                         EXISTS (SELECT 1 FROM damaged WHERE damaged.name = pack.name)
                         AND EXISTS (SELECT 1 FROM lost WHERE lost.address = ?1)))) LIMIT 1",
                )?;
                let mut unavailable = HashSet::new();
                for address in addresses {
                    if !query.exists(params![address.as_bytes(), USABLE, READ_ONLY])? {
                        unavailable.insert(address);
                    }
                }
                Ok(unavailable)
            })
            .await
    }
}

pub(super) fn has(connection: &Connection, table: &str, pack: &PackName) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(&format!("SELECT count(*) FROM {table} WHERE name = ?1"))?
        .query_row([pack.as_bytes()], |row| row.get::<_, i64>(0))
        .map(|count| count > 0)
}

/// Takes a repair's word.
pub(super) fn apply(transaction: &Transaction<'_>, repair: &Repair) -> rusqlite::Result<()> {
    let each = |sql: &str, names: &[PackName]| -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(sql)?;
        for name in names {
            statement.execute([name.as_bytes()])?;
        }
        Ok(())
    };
    each("INSERT OR IGNORE INTO damaged VALUES (?1)", &repair.packs)?;
    let to_read_only =
        format!("UPDATE pack SET state = {READ_ONLY} WHERE name = ?1 AND state = {USABLE}");
    each(&to_read_only, &repair.packs)?;
    each("INSERT OR IGNORE INTO tabled VALUES (?1)", &repair.tables)?;
    each("DELETE FROM damaged WHERE name = ?1", &repair.mended)?;
    let usable_again = format!(
        "UPDATE pack SET state = {USABLE} WHERE name = ?1 AND state = {READ_ONLY} AND name NOT IN (SELECT name FROM replaced)"
    );
    each(&usable_again, &repair.mended)?;
    let mut lost = transaction.prepare_cached("INSERT OR IGNORE INTO lost VALUES (?1)")?;
    for address in &repair.lost {
        lost.execute([address.as_bytes()])?;
    }
    Ok(())
}
