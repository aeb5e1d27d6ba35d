//! Where each object lies, and which packs may be named.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalogue, repairs};
use crate::pack::index::Index;
use crate::pack::{Class, Frame, ObjectRow};
use crate::planes::Encoding;
use crate::{Address, Error, PackName};

/// A row of `pack`.
pub(crate) type PackId = i64;

/// The state of a pack in which new objects may be named.
pub(crate) const USABLE: i64 = 0;

/// Its file is gone or has another size.
pub(crate) const GONE: i64 = 1;

/// It is there and may be read; nothing new is named in it, since its index is missing, a repair found damage, or others took
/// its place.
pub(crate) const READ_ONLY: i64 = 2;

/// A sweep names it: nothing new is ever named in it. While it is there it may be read, since a sweep may name what a
/// snapshot needs only if somebody broke the rules.
pub(crate) const SWEPT: i64 = 3;

/// A pack as the catalogue has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackRow {
    pub(crate) name: PackName,
    pub(crate) state: i64,
    pub(crate) stored_bytes: u64,
    /// A repair found it damaged.
    pub(crate) damaged: bool,
    /// A repair says that its own table counts.
    pub(crate) tabled: bool,
    /// Others took its place.
    pub(crate) replaced: bool,
}

/// Everything needed to read one object out of its pack.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) pack: PackName,
    pub(crate) class: Class,
    pub(crate) stored_bytes: u64,
    pub(crate) header: Vec<u8>,
    /// Where the first frame begins, before encryption.
    pub(crate) at: u64,
    pub(crate) frames: Vec<Frame>,
    /// `frame` counts from the first of `frames`.
    pub(crate) row: ObjectRow,
}

/// SQLite has no unsigned 64-bit numbers; sizes here never come near the limit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl Catalogue {
    /// Adds a pack with its table.
    pub(crate) async fn add_pack(&self, index: Index) -> Result<(), Error> {
        self.add_pack_as(index, USABLE).await
    }

    /// The same in a state; a pack that was swept, that a repair found damaged or whose place others took never becomes usable
    /// by it.
    pub(crate) async fn add_pack_as(&self, index: Index, state: i64) -> Result<(), Error> {
        self.add_packs(vec![(index, state)]).await
    }

    /// The same for many packs at once, each in its state: much faster than one by one, since objects of all of them
    /// are put in by the order of their addresses, so that no page of the database is written twice.
    pub(crate) async fn add_packs(&self, packs: Vec<(Index, i64)>) -> Result<(), Error> {
        if packs.is_empty() {
            return Ok(());
        }
        self.database
            .call("add packs", move |connection| add_packs(connection, &packs))
            .await
    }

    /// Whether a pack's table is known here.
    pub(crate) async fn has_pack(&self, name: PackName) -> Result<bool, Error> {
        self.database
            .call("look a pack up", move |connection| {
                repairs::has(connection, "pack", &name)
            })
            .await
    }

    /// All packs after `after`, at most `limit`: in order of their names.
    pub(crate) async fn pack_names(
        &self,
        after: Option<PackName>,
        limit: u32,
    ) -> Result<Vec<PackRow>, Error> {
        self.database
            .call("list packs", move |connection| {
                let after = after.map_or(Vec::new(), |name| name.as_bytes().to_vec());
                let mut query = connection.prepare_cached(
                    "SELECT name, state, stored_bytes, EXISTS (SELECT 1 FROM damaged WHERE damaged.name = pack.name),
                     EXISTS (SELECT 1 FROM tabled WHERE tabled.name = pack.name),
                     EXISTS (SELECT 1 FROM replaced WHERE replaced.name = pack.name)
                     FROM pack WHERE name > ?1 ORDER BY name LIMIT ?2",
                )?;
                query
                    .query_map(params![after, limit], |row| {
                        Ok(PackRow {
                            name: PackName::from_bytes(row.get(0)?),
                            state: row.get(1)?,
                            stored_bytes: unsigned(row.get(2)?),
                            damaged: row.get(3)?,
                            tabled: row.get(4)?,
                            replaced: row.get(5)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    /// Sets what may be done with packs.
    pub(crate) async fn set_states(&self, states: Vec<(PackName, i64)>) -> Result<(), Error> {
        self.database
            .call("mark packs", move |connection| {
                let transaction = connection.transaction()?;
                for (name, state) in &states {
                    transaction
                        .prepare_cached(
                            "UPDATE pack SET state = ?2 WHERE name = ?1 AND state <> ?3",
                        )?
                        .execute(params![name.as_bytes(), state, SWEPT])?;
                }
                transaction.commit()
            })
            .await
    }

    /// Takes out swept packs whose files are gone. One pass over the objects, however many packs there are.
    pub(crate) async fn drop_packs(&self, names: Vec<PackName>) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        self.database
            .call("take packs out", move |connection| {
                let transaction = connection.transaction()?;
                transaction.execute_batch(
                    "CREATE TEMP TABLE IF NOT EXISTS dropped (id INTEGER PRIMARY KEY); DELETE FROM dropped;",
                )?;
                for name in &names {
                    transaction
                        .prepare_cached("INSERT INTO dropped SELECT id FROM pack WHERE name = ?1")?
                        .execute([name.as_bytes()])?;
                }
                transaction.execute_batch(
                    "DELETE FROM object WHERE pack IN (SELECT id FROM dropped);
                     DELETE FROM frame WHERE pack IN (SELECT id FROM dropped);
                     DELETE FROM pack WHERE id IN (SELECT id FROM dropped);",
                )?;
                transaction.commit()
            })
            .await
    }

    /// The objects of a pack after `after`, at most `limit`: in order.
    pub(crate) async fn objects_of(
        &self,
        pack: PackName,
        after: Option<Address>,
        limit: u32,
    ) -> Result<Vec<Address>, Error> {
        self.database
            .call("list objects", move |connection| {
                let after = after.map_or(Vec::new(), |address| address.as_bytes().to_vec());
                let mut query = connection.prepare_cached(
                    "SELECT address FROM object WHERE pack = (SELECT id FROM pack WHERE name = ?1)
                     AND address > ?2 ORDER BY address LIMIT ?3",
                )?;
                query
                    .query_map(params![pack.as_bytes(), after, limit], |row| {
                        row.get(0).map(Address::from_bytes)
                    })?
                    .collect()
            })
            .await
    }

    /// Whether an object is in a pack that may be named.
    pub async fn is_known(&self, address: Address) -> Result<bool, Error> {
        Ok(self.usable_pack(address).await?.is_some())
    }

    /// The same for many objects, in their order.
    pub async fn are_known(&self, addresses: Vec<Address>) -> Result<Vec<bool>, Error> {
        let packs = self.usable_packs(addresses).await?;
        Ok(packs.iter().map(Option::is_some).collect())
    }

    /// A pack that may be named and holds the object.
    pub(crate) async fn usable_pack(&self, address: Address) -> Result<Option<PackId>, Error> {
        self.database
            .call("look an object up", move |connection| {
                usable_pack(connection, &address)
            })
            .await
    }

    /// The same for many objects, in their order.
    pub(crate) async fn usable_packs(
        &self,
        addresses: Vec<Address>,
    ) -> Result<Vec<Option<PackId>>, Error> {
        self.database
            .read("look objects up", move |connection| {
                // By their order in the database, so that none of its pages is read twice.
                let mut order: Vec<usize> = (0..addresses.len()).collect();
                order.sort_unstable_by_key(|place| addresses[*place]);
                let mut packs = vec![None; addresses.len()];
                for place in order {
                    packs[place] = usable_pack(connection, &addresses[place])?;
                }
                Ok(packs)
            })
            .await
    }

    /// Where an object lies: every copy, usable packs first.
    pub(crate) async fn locate(&self, address: Address) -> Result<Vec<Location>, Error> {
        self.database
            .call("look an object up", move |connection| {
                locate(connection, address)
            })
            .await
    }

    /// The same for many objects at once, in their order.
    pub(crate) async fn locate_all(
        &self,
        addresses: Vec<Address>,
    ) -> Result<Vec<Vec<Location>>, Error> {
        self.database
            .read("look objects up", move |connection| {
                let located = addresses.iter();
                located
                    .map(|address| locate(connection, *address))
                    .collect()
            })
            .await
    }

    /// The stored bytes of all packs that are there.
    pub(crate) async fn stored_bytes(&self) -> Result<u64, Error> {
        self.database
            .call("add up packs", |connection| {
                connection
                    .query_row(
                        "SELECT coalesce(sum(stored_bytes), 0) FROM pack WHERE state NOT IN (1, 3)",
                        [],
                        |row| row.get(0),
                    )
                    .map(unsigned)
            })
            .await
    }

    /// The names of packs by their rows, sorted; none where one of them was swept.
    pub(crate) async fn names_of(
        &self,
        packs: Vec<PackId>,
    ) -> Result<Option<Vec<PackName>>, Error> {
        self.database
            .read("look packs up", move |connection| {
                let mut query = connection
                    .prepare_cached("SELECT name FROM pack WHERE id = ?1 AND state <> 3")?;
                let mut names = Vec::with_capacity(packs.len());
                for pack in packs {
                    let name = query.query_row([pack], |row| row.get(0)).optional()?;
                    let Some(name) = name else {
                        return Ok(None);
                    };
                    names.push(PackName::from_bytes(name));
                }
                names.sort_unstable();
                Ok(Some(names))
            })
            .await
    }

    /// Which of these packs are swept or gone.
    pub(crate) async fn unusable_of(&self, packs: Vec<PackId>) -> Result<Vec<PackId>, Error> {
        self.database
            .read("look packs up", move |connection| {
                // The fence of every commit: what the state says is not relied on for what was swept.
                let mut query = connection.prepare_cached(
                    "SELECT count(*) FROM pack WHERE id = ?1 AND state = 0
                     AND NOT EXISTS (SELECT 1 FROM swept WHERE swept.name = pack.name)",
                )?;
                let mut unusable = Vec::new();
                for pack in packs {
                    if query.query_row([pack], |row| row.get::<_, i64>(0))? == 0 {
                        unusable.push(pack);
                    }
                }
                Ok(unusable)
            })
            .await
    }
}

fn add_packs(connection: &mut Connection, packs: &[(Index, i64)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut objects: Vec<(&ObjectRow, PackId)> = Vec::new();
    for (index, state) in packs {
        if let Some(id) = add_pack(&transaction, index, *state)? {
            objects.extend(index.table.objects.iter().map(|row| (row, id)));
        }
    }
    objects.sort_unstable_by_key(|(row, id)| (row.address, *id));
    {
        let mut insert = transaction
            .prepare_cached("INSERT OR IGNORE INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for (row, id) in objects {
            insert.execute(params![
                row.address.as_bytes(),
                id,
                row.frame,
                row.offset,
                row.length,
                row.encoding.code()
            ])?;
        }
    }
    transaction.commit()
}

/// Adds a pack and its frames; gives its row where its objects are still to be added.
fn add_pack(
    transaction: &Connection,
    index: &Index,
    state: i64,
) -> rusqlite::Result<Option<PackId>> {
    let name = index.pack.as_bytes();
    let swept: i64 = transaction
        .prepare_cached("SELECT count(*) FROM swept WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    let read_only = state == USABLE
        && (repairs::has(transaction, "damaged", &index.pack)?
            || repairs::has(transaction, "replaced", &index.pack)?);
    let state = match (swept > 0, read_only) {
        (true, _) => SWEPT,
        (false, true) => READ_ONLY,
        (false, false) => state,
    };
    let known: Option<PackId> = transaction
        .prepare_cached("SELECT id FROM pack WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        transaction
            .prepare_cached("UPDATE pack SET state = ?2 WHERE id = ?1")?
            .execute(params![id, state])?;
        return Ok(None);
    }
    transaction
        .prepare_cached(
            "INSERT INTO pack (name, class, stored_bytes, plain_bytes, header, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            name,
            index.table.class.code(),
            signed(index.stored_bytes),
            signed(index.plain_bytes),
            index.header,
            state
        ])?;
    let id = transaction.last_insert_rowid();
    let mut frames = transaction.prepare_cached("INSERT INTO frame VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut at = 0_u64;
    for (number, frame) in index.table.frames.iter().enumerate() {
        frames.execute(params![
            id,
            number as i64,
            signed(at),
            frame.stored_bytes,
            frame.plain_bytes
        ])?;
        at += u64::from(frame.stored_bytes);
    }
    Ok(Some(id))
}

pub(crate) fn usable_pack(
    connection: &Connection,
    address: &Address,
) -> rusqlite::Result<Option<PackId>> {
    connection
        .prepare_cached(
            "SELECT pack.id FROM object JOIN pack ON pack.id = object.pack
             WHERE object.address = ?1 AND pack.state = 0 ORDER BY pack.id LIMIT 1",
        )?
        .query_row([address.as_bytes()], |row| row.get(0))
        .optional()
}

fn locate(connection: &Connection, address: Address) -> rusqlite::Result<Vec<Location>> {
    let mut query = connection.prepare_cached(
        "SELECT pack.id, name, class, stored_bytes, header, frame, offset, length, encoding
         FROM object JOIN pack ON pack.id = object.pack WHERE object.address = ?1
         ORDER BY CASE pack.state WHEN 0 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 ELSE 3 END, pack.id",
    )?;
    let mut rows = query.query([address.as_bytes()])?;
    let mut locations = Vec::new();
    while let Some(row) = rows.next()? {
        let pack: PackId = row.get(0)?;
        let (Some(class), Some(encoding)) = (
            Class::from_code(row.get(2)?),
            Encoding::from_code(row.get(8)?),
        ) else {
            continue;
        };
        let object = ObjectRow {
            address,
            frame: 0,
            offset: row.get(6)?,
            length: row.get(7)?,
            encoding,
        };
        let wanted = u64::from(object.offset) + u64::from(object.length);
        let (at, frames) = frames_of(connection, pack, row.get(5)?, wanted)?;
        locations.push(Location {
            pack: PackName::from_bytes(row.get(1)?),
            class,
            stored_bytes: unsigned(row.get(3)?),
            header: row.get(4)?,
            at,
            frames,
            row: object,
        });
    }
    Ok(locations)
}

/// The frames from `first` on that hold `wanted` bytes, and where the first begins.
fn frames_of(
    connection: &Connection,
    pack: PackId,
    first: u32,
    wanted: u64,
) -> rusqlite::Result<(u64, Vec<Frame>)> {
    let mut query = connection.prepare_cached(
        "SELECT at, stored_bytes, plain_bytes FROM frame WHERE pack = ?1 AND number >= ?2 ORDER BY number",
    )?;
    let mut rows = query.query(params![pack, first])?;
    let (mut at, mut frames, mut bytes) = (0, Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if frames.is_empty() {
            at = unsigned(row.get(0)?);
        }
        let frame = Frame {
            stored_bytes: row.get(1)?,
            plain_bytes: row.get(2)?,
        };
        bytes += u64::from(frame.plain_bytes);
        frames.push(frame);
        if bytes >= wanted {
            break;
        }
    }
    Ok((at, frames))
}
