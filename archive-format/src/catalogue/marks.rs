//! Marks on objects, for whoever must know which of all objects something needs: in a table of the moment, so that no
//! memory grows with them. They are gone with the process.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::Catalogue;
use super::objects::{PackId, USABLE};
use crate::pack::Class;
use crate::{Address, Error, PackName};

/// Tells tables of this process apart.
static TABLES: AtomicU64 = AtomicU64::new(0);

/// A set of marked objects.
#[derive(Debug)]
pub(crate) struct Marks {
    catalogue: Catalogue,
    table: String,
}

/// How much of a data pack is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) pack: PackName,
    /// The stored bytes of its frames. Of a frame that objects share each has the part that its length is.
    pub(crate) frames_bytes: u64,
    /// Those of objects without a mark.
    pub(crate) unmarked_bytes: u64,
}

impl Marks {
    /// An empty set.
    pub(crate) async fn begin(catalogue: &Catalogue) -> Result<Self, Error> {
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let marks = Self {
            catalogue: catalogue.clone(),
            table: format!("temp.marked_{number}"),
        };
        let sql = format!(
            "CREATE TABLE {} (address BLOB PRIMARY KEY) WITHOUT ROWID",
            marks.table
        );
        let make = move |connection: &mut Connection| connection.execute_batch(&sql);
        marks.catalogue.database.call("begin marks", make).await?;
        Ok(marks)
    }

    /// Removes them.
    pub(crate) async fn end(self) -> Result<(), Error> {
        let sql = format!("DROP TABLE {}", self.table);
        let drop = move |connection: &mut Connection| connection.execute_batch(&sql);
        self.catalogue.database.call("end marks", drop).await
    }

    /// Marks objects.
    pub(crate) async fn add(&self, mut addresses: Vec<Address>) -> Result<(), Error> {
        if addresses.is_empty() {
            return Ok(());
        }
        addresses.sort_unstable();
        let sql = format!("INSERT OR IGNORE INTO {} VALUES (?1)", self.table);
        self.catalogue
            .database
            .call("mark objects", move |connection| {
                let transaction = connection.transaction()?;
                {
                    let mut insert = transaction.prepare_cached(&sql)?;
                    for address in &addresses {
                        insert.execute([address.as_bytes()])?;
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// Those of many objects that are marked, in their order.
    pub(crate) async fn of(&self, addresses: Vec<Address>) -> Result<Vec<Address>, Error> {
        let sql = format!("SELECT 1 FROM {} WHERE address = ?1", self.table);
        self.catalogue
            .database
            .read("look marks up", move |connection| {
                let mut query = connection.prepare_cached(&sql)?;
                let mut marked = Vec::new();
                for address in addresses {
                    if query.exists([address.as_bytes()])? {
                        marked.push(address);
                    }
                }
                Ok(marked)
            })
            .await
    }

    /// How much of each data pack is marked in which something new may be named; packs all of which is marked are left out.
    /// One pass over all objects.
    pub(crate) async fn shares(&self) -> Result<Vec<Share>, Error> {
        // Objects first, since they lie by their addresses as the marks do.
        let sql = format!(
            "SELECT pack.id, name, object.frame, sum(length), sum(CASE WHEN marked.address IS NULL THEN length ELSE 0 END)
             FROM object CROSS JOIN pack ON pack.id = object.pack LEFT JOIN {} AS marked ON marked.address = object.address
             WHERE class <> ?1 AND state = ?2 GROUP BY pack.id, object.frame ORDER BY pack.id, object.frame",
            self.table
        );
        self.catalogue
            .database
            .read("add up packs", move |connection| {
                let mut shares: Vec<Share> = Vec::new();
                let mut group: Option<Group> = None;
                let mut query = connection.prepare(&sql)?;
                let mut rows = query.query([i64::from(Class::Meta.code()), USABLE])?;
                while let Some(row) = rows.next()? {
                    let (id, name): (PackId, [u8; 32]) = (row.get(0)?, row.get(1)?);
                    if group.as_ref().is_none_or(|group| group.id != id) {
                        let ended = group.replace(Group::new(id, PackName::from_bytes(name)));
                        shares.extend(ended.map(|ended| ended.share(connection)).transpose()?);
                    }
                    if let Some(group) = &mut group {
                        let bytes = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
                        group.frames.push((row.get(2)?, bytes(3)?, bytes(4)?));
                    }
                }
                shares.extend(group.map(|ended| ended.share(connection)).transpose()?);
                shares.retain(|share| share.unmarked_bytes > 0);
                Ok(shares)
            })
            .await
    }
}

/// The objects of one pack, by the frames in which they begin.
struct Group {
    id: PackId,
    name: PackName,
    /// The frame, the length of the objects that begin in it, and of those of them without a mark.
    frames: Vec<(u32, u64, u64)>,
}

impl Group {
    fn new(id: PackId, name: PackName) -> Self {
        let frames = Vec::new();
        Self { id, name, frames }
    }

    fn share(&self, connection: &Connection) -> rusqlite::Result<Share> {
        let mut share = Share {
            pack: self.name,
            frames_bytes: 0,
            unmarked_bytes: 0,
        };
        // An object has the frames from its first up to that of the next object.
        let mut query = connection.prepare_cached(
            "SELECT coalesce(sum(stored_bytes), 0) FROM frame WHERE pack = ?1 AND number >= ?2 AND number < ?3",
        )?;
        let nexts = self.frames.iter().skip(1).map(|(frame, _, _)| *frame);
        for ((frame, all, unmarked), next) in self.frames.iter().zip(nexts.chain([u32::MAX])) {
            let stored: i64 =
                query.query_row((self.id, *frame, next), |row| row.get::<_, i64>(0))?;
            let stored = stored.unsigned_abs();
            share.frames_bytes += stored;
            share.unmarked_bytes += match *all {
                // Nothing but an empty object: it takes next to nothing.
                0 => 0,
                all => {
                    let part = u128::from(stored) * u128::from(*unmarked) / u128::from(all);
                    u64::try_from(part).unwrap_or(stored)
                }
            };
        }
        Ok(share)
    }
}
