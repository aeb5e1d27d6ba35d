//! What a run has to remember between its stages, in a private temporary database: items whose files are still to be
//! read, and what items refer to. A workspace may have millions of either, so none of it stays in memory.
//!
//! It holds names, sizes, places and states, never a document and never a secret, and vanishes with the run.

use archive_format::{Database, FileEntry};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use workspace::{ItemId, SourceFile};

use super::Error;

mod before;
mod items;
mod record;
mod targets;

/// The temporary database.
#[derive(Clone, Debug)]
pub(super) struct Staging(Database);

/// An item whose files are not all read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StagedItem {
    rank: i64,
    item: i64,
}

/// A file that is to be read.
#[derive(Clone, Debug)]
pub(super) struct StagedFile {
    /// Whose.
    pub(super) staged: StagedItem,
    /// Its name.
    pub(super) item: ItemId,
    /// What the listing said about it.
    pub(super) file: SourceFile,
    /// What the snapshot before says about it.
    pub(super) before: Option<FileEntry>,
    /// Where it stands in the order of reading.
    pub(super) place: Place,
}

/// A place in the order of reading: rank, item, path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rank: i64,
    item: i64,
    path: String,
}

/// What is kept about an item whose files are being read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept<H> {
    /// What was sealed with it.
    pub(super) head: H,
    /// Whether one of its files differs from before.
    pub(super) changed: bool,
    /// How many of its files are still to be read.
    pub(super) open: i64,
}

/// Something that an item refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What is referred to.
    pub(super) id: ItemId,
    /// By whom first.
    pub(super) referrer: String,
    /// Whether it is taken even where the selection leaves it out.
    pub(super) always: bool,
}

/// Nothing here outlives the process, so it is one transaction that never ends.
/// A file has a `source` while it is to be read, then an `entry`, or none of them where it became a gap.
const SCHEMA: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -4096;
    CREATE TABLE item (
        id INTEGER PRIMARY KEY,
        rank INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version TEXT,
        head TEXT NOT NULL,
        open INTEGER NOT NULL,
        fresh INTEGER NOT NULL DEFAULT 0,
        changed INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX fresh ON item (fresh) WHERE fresh = 1;
    CREATE TABLE file (
        rank INTEGER NOT NULL,
        item INTEGER NOT NULL,
        path TEXT NOT NULL,
        source TEXT,
        before TEXT,
        entry TEXT,
        PRIMARY KEY (rank, item, path)
    ) WITHOUT ROWID;
    CREATE TABLE before (
        item TEXT NOT NULL,
        path TEXT NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (item, path)
    ) WITHOUT ROWID;
    CREATE TABLE target (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        referrer TEXT NOT NULL,
        always INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, name, version)
    ) WITHOUT ROWID;
    CREATE INDEX undone ON target (done) WHERE done = 0;
    CREATE TABLE parent (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE relisted (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE claimed (name TEXT PRIMARY KEY) WITHOUT ROWID;
    BEGIN;
";

impl Staging {
    /// Makes an empty one. Its file, where it needs one, has no name and vanishes when it is closed.
    pub(super) async fn new() -> Result<Self, Error> {
        let opening = tokio::task::spawn_blocking(|| {
            let connection = Connection::open("")?;
            connection.execute_batch(SCHEMA)?;
            // Else each new value of a parameter plans a statement anew that a partial index could serve.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            Ok(connection)
        });
        let opened = opening.await.map_err(|_| Error::Worker)?;
        let connection = opened.map_err(|source| Error::Staging { source })?;
        Ok(Self(Database::new(connection)))
    }

    async fn with<T, F>(&self, act: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.0.call("remember", act).await.map_err(failed)
    }
}

fn failed(error: archive_format::Error) -> Error {
    match error {
        archive_format::Error::Catalogue { source, .. } => Error::Staging { source },
        _ => Error::Worker,
    }
}

fn text<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Remember { source })
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Remember { source })
}

#[cfg(test)]
mod tests;
