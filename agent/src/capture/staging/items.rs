//! Items with files to read, and items with more files than memory should hold.

use archive_format::FileEntry;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use workspace::{ItemId, SourceFile};

use super::super::Error;
use super::record::FileRecord;
use super::{Kept, Place, StagedFile, StagedItem, Staging, parsed, text};

impl Staging {
    /// Begins an item.
    pub(in crate::capture) async fn open(
        &self,
        rank: i64,
        id: &ItemId,
    ) -> Result<StagedItem, Error> {
        let id = id.clone();
        self.with(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO item (rank, kind, name, version, head, open) VALUES (?, ?, ?, ?, '', 0)
                     RETURNING id",
                )?
                .query_row(params![rank, id.kind, id.name, id.version], |row| {
                    Ok(StagedItem { rank, item: row.get(0)? })
                })
        })
        .await
    }

    /// Adds files to an item: those to read with what was before, and those whose manifest entry is known.
    pub(in crate::capture) async fn add(
        &self,
        item: StagedItem,
        to_read: Vec<(SourceFile, Option<FileEntry>)>,
        ready: Vec<FileEntry>,
    ) -> Result<(), Error> {
        let rows = rows(to_read, ready)?;
        self.with(move |connection| insert(connection, item, rows))
            .await
    }

    /// Begins an item, adds its files and ends the adding, all at once.
    pub(in crate::capture) async fn stage<H: Serialize>(
        &self,
        rank: i64,
        id: &ItemId,
        to_read: Vec<(SourceFile, Option<FileEntry>)>,
        ready: Vec<FileEntry>,
        head: &H,
    ) -> Result<StagedItem, Error> {
        let (id, head) = (id.clone(), text(head)?);
        let open = i64::try_from(to_read.len()).unwrap_or(i64::MAX);
        let rows = rows(to_read, ready)?;
        self.with(move |connection| {
            let item = connection
                .prepare_cached(
                    "INSERT INTO item (rank, kind, name, version, head, open) VALUES (?, ?, ?, ?, ?, ?)
                     RETURNING id",
                )?
                .query_row(
                    params![rank, id.kind, id.name, id.version, head, open],
                    |row| Ok(StagedItem { rank, item: row.get(0)? }),
                )?;
            insert(connection, item, rows)?;
            Ok(item)
        })
        .await
    }

    /// Ends the adding: keeps what else is to be remembered, and says how many files are to be read.
    pub(in crate::capture) async fn seal<H: Serialize>(
        &self,
        item: StagedItem,
        head: &H,
    ) -> Result<i64, Error> {
        let head = text(head)?;
        self.with(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE item SET head = ?, open = (SELECT count(*) FROM file
                         WHERE rank = ? AND item = ? AND source IS NOT NULL)
                     WHERE id = ? RETURNING open",
                )?
                .query_row(params![head, item.rank, item.item, item.item], |row| {
                    row.get(0)
                })
        })
        .await
    }

    /// The next files to read after a place, in the order of reading; at most `count`.
    pub(in crate::capture) async fn files_after(
        &self,
        after: Place,
        count: u32,
    ) -> Result<Vec<StagedFile>, Error> {
        let rows = self
            .with(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT f.rank, f.item, f.path, f.source, f.before, i.kind, i.name, i.version
                     FROM file f JOIN item i ON i.id = f.item
                     WHERE (f.rank, f.item, f.path) > (?, ?, ?) AND f.source IS NOT NULL
                     ORDER BY f.rank, f.item, f.path LIMIT ?",
                )?;
                let start = params![after.rank, after.item, after.path, count];
                let rows = select.query_map(start, staged_row)?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(StagedFile {
                    staged: StagedItem {
                        rank: row.place.rank,
                        item: row.place.item,
                    },
                    item: row.id,
                    file: parsed::<FileRecord<'_>>(&row.source)?.into_file()?,
                    before: row.before.as_deref().map(parsed).transpose()?,
                    place: row.place,
                })
            })
            .collect()
    }

    /// Keeps a file's manifest entry, or that it has none (`None`: a gap), and whether it differs from before. Says
    /// whether it was the item's last one.
    pub(in crate::capture) async fn file_done(
        &self,
        file: &StagedFile,
        entry: Option<&FileEntry>,
        changed: bool,
    ) -> Result<bool, Error> {
        let entry = entry.map(text).transpose()?;
        let place = file.place.clone();
        self.with(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE file SET source = NULL, before = NULL, entry = ?
                     WHERE rank = ? AND item = ? AND path = ?",
                )?
                .execute(params![entry, place.rank, place.item, place.path])?;
            let open: i64 = connection
                .prepare_cached(
                    "UPDATE item SET open = open - 1, fresh = 1, changed = changed OR ?
                     WHERE id = ? RETURNING open",
                )?
                .query_row(params![changed, place.item], |row| row.get(0))?;
            Ok(open == 0)
        })
        .await
    }

    /// Items of which files were read since they were last handed out here, and which are not closed yet.
    pub(in crate::capture) async fn fresh(&self) -> Result<Vec<(StagedItem, ItemId)>, Error> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "UPDATE item SET fresh = 0 WHERE fresh = 1 RETURNING rank, id, kind, name, version",
                )?
                .query_map([], |row| {
                    let staged = StagedItem {
                        rank: row.get(0)?,
                        item: row.get(1)?,
                    };
                    let id = ItemId {
                        kind: row.get(2)?,
                        name: row.get(3)?,
                        version: row.get(4)?,
                    };
                    Ok((staged, id))
                })?
                .collect()
        })
        .await
    }

    /// Changes what is remembered about an item, such as a gap of one of its files.
    pub(in crate::capture) async fn change<H>(
        &self,
        item: StagedItem,
        change: impl FnOnce(&mut H) + Send + 'static,
    ) -> Result<(), Error>
    where
        H: Serialize + DeserializeOwned,
    {
        let kept = self
            .with(move |connection| {
                let head: String = connection
                    .prepare_cached("SELECT head FROM item WHERE id = ?")?
                    .query_row(params![item.item], |row| row.get(0))?;
                let changed = serde_json::from_str::<H>(&head).and_then(|mut head| {
                    change(&mut head);
                    serde_json::to_string(&head)
                });
                let changed = match changed {
                    Ok(changed) => changed,
                    Err(error) => return Ok(Err(error)),
                };
                connection
                    .prepare_cached("UPDATE item SET head = ? WHERE id = ?")?
                    .execute(params![changed, item.item])?;
                Ok(Ok(()))
            })
            .await?;
        kept.map_err(|source| Error::Remember { source })
    }

    /// What is remembered about an item; nothing once it is closed.
    pub(in crate::capture) async fn head<H: DeserializeOwned>(
        &self,
        item: StagedItem,
    ) -> Result<Option<Kept<H>>, Error> {
        let found = self.with(move |connection| kept_row(connection, item));
        found.await?.map(Kept::parse).transpose()
    }

    /// Takes an item out with all entries of its files, in the order of their paths; none where there are more than
    /// `count`, and then it stays. Nothing once it is closed.
    pub(in crate::capture) async fn take<H: DeserializeOwned>(
        &self,
        item: StagedItem,
        count: u32,
    ) -> Result<Option<(Kept<H>, Option<Vec<FileEntry>>)>, Error> {
        let found = self
            .with(move |connection| {
                let Some(kept) = kept_row(connection, item)? else {
                    return Ok(None);
                };
                let entries = entries(connection, item, "", count.saturating_add(1))?;
                if entries.len() > count as usize {
                    return Ok(Some((kept, None)));
                }
                delete(connection, item)?;
                Ok(Some((kept, Some(entries))))
            })
            .await?;
        let Some((kept, entries)) = found else {
            return Ok(None);
        };
        let entries = entries.map(|entries| entries.iter().map(|entry| parsed(entry)).collect());
        Ok(Some((Kept::parse(kept)?, entries.transpose()?)))
    }

    /// The manifest entries of an item's files in the order of their paths, after a path; at most `count`.
    pub(in crate::capture) async fn entries_after(
        &self,
        item: StagedItem,
        after: String,
        count: u32,
    ) -> Result<Vec<FileEntry>, Error> {
        let entries = self
            .with(move |connection| entries(connection, item, &after, count))
            .await?;
        entries.iter().map(|entry| parsed(entry)).collect()
    }

    /// Forgets an item and its files.
    pub(in crate::capture) async fn close(&self, item: StagedItem) -> Result<(), Error> {
        self.with(move |connection| delete(connection, item)).await
    }
}

impl<H: DeserializeOwned> Kept<H> {
    fn parse((head, changed, open): KeptRow) -> Result<Self, Error> {
        Ok(Self {
            head: parsed(&head)?,
            changed,
            open,
        })
    }
}

/// Head, changed, open.
type KeptRow = (String, bool, i64);

fn kept_row(connection: &Connection, item: StagedItem) -> rusqlite::Result<Option<KeptRow>> {
    connection
        .prepare_cached("SELECT head, changed, open FROM item WHERE id = ?")?
        .query_row(params![item.item], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()
}

fn entries(
    connection: &Connection,
    item: StagedItem,
    after: &str,
    count: u32,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT entry FROM file WHERE rank = ? AND item = ? AND path > ? AND entry IS NOT NULL
             ORDER BY path LIMIT ?",
        )?
        .query_map(params![item.rank, item.item, after, count], |row| {
            row.get(0)
        })?
        .collect()
}

fn delete(connection: &Connection, item: StagedItem) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM file WHERE rank = ? AND item = ?")?
        .execute(params![item.rank, item.item])?;
    connection
        .prepare_cached("DELETE FROM item WHERE id = ?")?
        .execute(params![item.item])?;
    Ok(())
}

/// A file's row: path, source, before, entry.
type FileRow = (String, Option<String>, Option<String>, Option<String>);

fn rows(
    to_read: Vec<(SourceFile, Option<FileEntry>)>,
    ready: Vec<FileEntry>,
) -> Result<Vec<FileRow>, Error> {
    let mut rows = Vec::with_capacity(to_read.len() + ready.len());
    for (file, before) in to_read {
        let source = text(&FileRecord::of(&file))?;
        let before = before.as_ref().map(text).transpose()?;
        rows.push((file.path.as_str().to_owned(), Some(source), before, None));
    }
    for entry in ready {
        let path = entry.path.as_str().to_owned();
        rows.push((path, None, None, Some(text(&entry)?)));
    }
    Ok(rows)
}

fn insert(connection: &Connection, item: StagedItem, rows: Vec<FileRow>) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO file (rank, item, path, source, before, entry)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for (path, source, before, entry) in rows {
        insert.execute(params![item.rank, item.item, path, source, before, entry])?;
    }
    Ok(())
}

/// A row of [`Staging::files_after`].
struct Row {
    place: Place,
    source: String,
    before: Option<String>,
    id: ItemId,
}

fn staged_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        place: Place {
            rank: row.get(0)?,
            item: row.get(1)?,
            path: row.get(2)?,
        },
        source: row.get(3)?,
        before: row.get(4)?,
        id: ItemId {
            kind: row.get(5)?,
            name: row.get(6)?,
            version: row.get(7)?,
        },
    })
}
