//! The tables of the catalogue, step by step: a step is never changed once it was released, only followed.

use rusqlite::Connection;

/// `mlrk`, SQLite's `application_id` of a catalogue.
pub(crate) const APPLICATION_ID: i32 = 0x6d6c_726b;

/// The steps. `user_version` is how many were taken.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE log (
        number INTEGER PRIMARY KEY, hash BLOB NOT NULL, signer BLOB NOT NULL, sort TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE snapshot (
        id TEXT PRIMARY KEY, entry INTEGER NOT NULL, workspace TEXT NOT NULL, outcome TEXT NOT NULL,
        forgotten INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, protected INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE swept (name BLOB PRIMARY KEY) WITHOUT ROWID;
    -- state: 0 usable, 1 its pack or index is gone; ids are never used again, since commits hold them while they run
    CREATE TABLE pack (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, class INTEGER NOT NULL, stored_bytes INTEGER NOT NULL,
        plain_bytes INTEGER NOT NULL, header BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE frame (
        pack INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, stored_bytes INTEGER NOT NULL,
        plain_bytes INTEGER NOT NULL, PRIMARY KEY (pack, number)
    ) WITHOUT ROWID;
    CREATE TABLE object (
        address BLOB NOT NULL, pack INTEGER NOT NULL, frame INTEGER NOT NULL, offset INTEGER NOT NULL,
        length INTEGER NOT NULL, encoding INTEGER NOT NULL, PRIMARY KEY (address, pack)
    ) WITHOUT ROWID;
    -- which packs are needed for what a piece of a manifest or a chunk list names, and for itself
    CREATE TABLE reach (parent BLOB NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY (parent, pack)) WITHOUT ROWID;
    CREATE INDEX reach_pack ON reach (pack);
    CREATE TABLE piece (id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE);
    CREATE TABLE held (
        snapshot TEXT NOT NULL, position INTEGER NOT NULL, piece INTEGER NOT NULL, PRIMARY KEY (snapshot, position)
    ) WITHOUT ROWID;
    CREATE TABLE line (
        id INTEGER PRIMARY KEY, piece INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT,
        part INTEGER NOT NULL, documents INTEGER NOT NULL, gaps INTEGER NOT NULL
    );
    CREATE INDEX line_piece ON line (piece);
    CREATE INDEX line_name ON line (name);
    CREATE TABLE file (line INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB);
    CREATE INDEX file_line ON file (line);
    CREATE TABLE run (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, outcome TEXT,
        snapshot TEXT, error TEXT
    ) WITHOUT ROWID;
    CREATE TABLE gap (
        workspace TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, file TEXT NOT NULL,
        reason TEXT NOT NULL, known INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL, open INTEGER NOT NULL,
        PRIMARY KEY (workspace, kind, name, version, file)
    ) WITHOUT ROWID;
", "
    -- packs that a repair found damaged: nothing new is named in them
    CREATE TABLE damaged (name BLOB PRIMARY KEY) WITHOUT ROWID;
    -- packs whose index cannot be used, by a repair's word: the table in the pack counts
    CREATE TABLE tabled (name BLOB PRIMARY KEY) WITHOUT ROWID;
    -- objects that a repair found in no sound pack
    CREATE TABLE lost (address BLOB PRIMARY KEY) WITHOUT ROWID;
    -- what an earlier version of this program kept of such entries without knowing what they mean
    INSERT OR IGNORE INTO damaged SELECT unhex(value) FROM log, json_each(log.body, '$.body.repair.packs') WHERE sort = 'repair';
    INSERT OR IGNORE INTO tabled SELECT unhex(value) FROM log, json_each(log.body, '$.body.repair.tables') WHERE sort = 'repair';
    INSERT OR IGNORE INTO lost SELECT unhex(value) FROM log, json_each(log.body, '$.body.repair.lost') WHERE sort = 'repair';
    CREATE INDEX file_sha256 ON file (sha256);
    CREATE INDEX held_piece ON held (piece);
", "
    CREATE INDEX log_sort ON log (sort, number);
", "
    -- packs whose objects were repacked: nothing new is named in them
    CREATE TABLE replaced (name BLOB PRIMARY KEY) WITHOUT ROWID;
"];

/// Forgets everything that the repository can give back; the history of runs and gaps stays.
pub(super) const FORGET: &str = "
    DELETE FROM log; DELETE FROM snapshot; DELETE FROM swept; DELETE FROM pack; DELETE FROM frame; DELETE FROM object;
    DELETE FROM reach; DELETE FROM piece; DELETE FROM held; DELETE FROM line; DELETE FROM file;
    DELETE FROM damaged; DELETE FROM tabled; DELETE FROM lost; DELETE FROM replaced;
";

/// Why a database cannot serve as the catalogue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// SQLite says so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// It is another program's.
    #[error("it is no catalogue (application id {0:#x})")]
    Foreign(i32),
    /// A later version of mlark made it.
    #[error("it has schema {0}, which is newer than this program")]
    Newer(u64),
    /// Its pages are damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Makes or migrates the tables, and looks whether the file is sound.
pub(crate) fn prepare(connection: &mut Connection) -> Result<(), Unusable> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let fresh = tables == 0 && application == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(Unusable::Foreign(application));
    }
    if version > STEPS.len() {
        return Err(Unusable::Newer(version as u64));
    }
    if !fresh {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(Unusable::Damaged(found));
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    if version == STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    // Somebody else may have done it while this waited for its turn.
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}
