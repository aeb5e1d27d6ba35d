//! A SQLite database that one piece of work at a time has, on a thread where it may block. Everybody else waits in turn.
//!
//! The runtime knows of the work, so that where time is virtual it stands while a database works.

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Mutex;

use crate::Error;

/// A handle of the database, which is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    connection: Arc<Mutex<Held>>,
}

/// The connection, closed where that may block.
#[derive(Debug)]
struct Held(Option<Connection>);

impl Drop for Held {
    fn drop(&mut self) {
        let connection = self.0.take();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(connection))),
            Err(_) => drop(connection),
        }
    }
}

impl Database {
    /// Takes an open connection.
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Held(Some(connection)))),
        }
    }

    /// Does work with the connection. Begun work is done to its end, also where the caller is cancelled.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        act: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let broken = || Error::Worker {
            what: "the database's work",
        };
        let mut held = Arc::clone(&self.connection).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || held.0.as_mut().map(work)).await;
        match done {
            Ok(Some(answer)) => answer.map_err(|source| Error::Catalogue { act, source }),
            Ok(None) | Err(_) => Err(broken()),
        }
    }
}

/// Opens a file of the cache; a missing one is made, readable by its owner alone.
pub(crate) fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    #[cfg(unix)]
    {
        // SQLite would give it the process's usual mode; an existing file stays as it is.
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        if let Err(error) = options.open(path) {
            tracing::debug!(path = %path.display(), %error, "the database file cannot be made");
        }
    }
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // A plan made once holds: otherwise a statement is planned anew whenever another value is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.execute_batch(
        "PRAGMA cache_size = -4096; PRAGMA temp_store = FILE; PRAGMA foreign_keys = OFF;",
    )?;
    Ok(connection)
}
