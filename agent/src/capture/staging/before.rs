//! Files that the snapshot before has of an item with more of them than memory should hold.

use archive_format::FileEntry;
use rusqlite::{OptionalExtension, params};

use super::super::Error;
use super::{Staging, parsed, text};

impl Staging {
    /// Keeps some of them, by the name of the item.
    pub(in crate::capture) async fn keep_before(
        &self,
        item: String,
        files: Vec<FileEntry>,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(files.len());
        for file in &files {
            rows.push((file.path.as_str().to_owned(), text(file)?));
        }
        self.with(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO before (item, path, entry) VALUES (?, ?, ?)",
            )?;
            for (path, entry) in rows {
                insert.execute(params![item, path, entry])?;
            }
            Ok(())
        })
        .await
    }

    /// One of them.
    pub(in crate::capture) async fn before(
        &self,
        item: &str,
        path: &str,
    ) -> Result<Option<FileEntry>, Error> {
        let (item, path) = (item.to_owned(), path.to_owned());
        let entry: Option<String> = self
            .with(move |connection| {
                connection
                    .prepare_cached("SELECT entry FROM before WHERE item = ? AND path = ?")?
                    .query_row(params![item, path], |row| row.get(0))
                    .optional()
            })
            .await?;
        entry.as_deref().map(parsed).transpose()
    }

    /// Forgets those of an item.
    pub(in crate::capture) async fn drop_before(&self, item: &str) -> Result<(), Error> {
        let item = item.to_owned();
        self.with(move |connection| {
            connection
                .prepare_cached("DELETE FROM before WHERE item = ?")?
                .execute(params![item])
                .map(drop)
        })
        .await
    }
}
