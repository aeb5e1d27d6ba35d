//! A temporary list of blobs on disk: what one flat listing found, asked for by prefix.
//!
//! A private SQLite database without a name; the operating system removes it with the process. One piece of work at a time
//! has it, on a thread where it may block.

use std::sync::Arc;

use rusqlite::{Connection, params};
use tokio::sync::Mutex;

use super::blob::BlobEntry;
use crate::Error;
use crate::error::Cause;

/// How many entries are handed out at once.
const BATCH: usize = 512;

/// The list.
#[derive(Debug)]
pub(crate) struct Spool {
    database: Arc<Mutex<Connection>>,
}

impl Spool {
    /// An empty list.
    pub(crate) fn open() -> Result<Self, Error> {
        let database = Connection::open("").map_err(broken)?;
        database
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2048;
                 CREATE TABLE blob (container TEXT NOT NULL, name TEXT NOT NULL, entry TEXT NOT NULL,
                                    PRIMARY KEY (container, name)) WITHOUT ROWID;",
            )
            .map_err(broken)?;
        Ok(Self {
            database: Arc::new(Mutex::new(database)),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut database = Arc::clone(&self.database).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || job(&mut database)).await;
        done.map_err(broken)?.map_err(broken)
    }

    /// Adds entries of a container.
    pub(crate) async fn add(&self, container: &str, entries: Vec<BlobEntry>) -> Result<(), Error> {
        let container = container.to_owned();
        self.run(move |database| {
            let transaction = database.transaction()?;
            {
                let mut insert = transaction
                    .prepare_cached("INSERT OR REPLACE INTO blob VALUES (?1, ?2, ?3)")?;
                for entry in entries {
                    let text = serde_json::to_string(&entry).map_err(|error| {
                        rusqlite::Error::ToSqlConversionFailure(Box::new(error))
                    })?;
                    insert.execute(params![container, entry.name, text])?;
                }
            }
            transaction.commit()
        })
        .await
    }

    /// The next entries at or below a path of a container, in the order of names, behind the given one.
    pub(crate) async fn next(
        &self,
        container: &str,
        path: &str,
        behind: Option<String>,
    ) -> Result<Vec<BlobEntry>, Error> {
        let container = container.to_owned();
        let path = path.to_owned();
        self.run(move |database| {
            // `0` follows `/`: what lies between them is below the path.
            let mut select = database.prepare_cached(
                "SELECT entry FROM blob
                 WHERE container = ?1 AND name > ?2 AND name >= ?3 AND (?3 = '' OR name < ?4)
                   AND (?3 = '' OR name = ?3 OR name >= ?5)
                 ORDER BY name LIMIT ?6",
            )?;
            let after = behind.unwrap_or_default();
            let rows = select.query_map(
                params![
                    container,
                    after,
                    path,
                    format!("{path}0"),
                    format!("{path}/"),
                    i64::try_from(BATCH).unwrap_or(i64::MAX)
                ],
                |row| row.get::<_, String>(0),
            )?;
            rows.map(|text| {
                serde_json::from_str(&text?).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(
                        0,
                        rusqlite::types::Type::Text,
                        Box::new(error),
                    )
                })
            })
            .collect()
        })
        .await
    }
}

fn broken(source: impl Into<Cause>) -> Error {
    Error::Local {
        what: "the temporary list of blobs".to_owned(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validators;

    fn entry(name: &str) -> BlobEntry {
        BlobEntry {
            name: name.to_owned(),
            size: 1,
            validators: Validators::default(),
            content_type: None,
            metadata: Default::default(),
            tier: None,
        }
    }

    #[tokio::test]
    async fn only_what_is_at_or_below_a_path_is_found() -> Result<(), Error> {
        let spool = Spool::open()?;
        let names = [
            "a/b", "a/b!", "a/b-1/x", "a/b/c", "a/b/d/e", "a/b0", "a/bc", "z",
        ];
        spool
            .add("one", names.iter().copied().map(entry).collect())
            .await?;
        spool.add("two", vec![entry("a/b/other")]).await?;
        let found = spool.next("one", "a/b", None).await?;
        let found: Vec<&str> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(found, ["a/b", "a/b/c", "a/b/d/e"]);
        assert_eq!(spool.next("one", "", None).await?.len(), names.len());
        let rest = spool.next("one", "a/b", Some("a/b/c".to_owned())).await?;
        assert_eq!(rest.len(), 1);
        Ok(())
    }
}
