//! A SQLite database that one thread owns. Everybody else sends it work and awaits the answer.

use std::path::Path;
use std::sync::mpsc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::Error;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle of the thread. The database is closed when the last handle is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    jobs: mpsc::Sender<Job>,
}

impl Database {
    /// Starts the thread for an open connection.
    pub(crate) fn start(mut connection: Connection) -> Result<Self, Error> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("sqlite".to_owned())
            .spawn(move || {
                for job in inbox {
                    job(&mut connection);
                }
            })
            .map_err(|_| Error::Worker {
                what: "the database thread",
            })?;
        Ok(Self { jobs })
    }

    /// Runs work on the thread.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        act: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let stopped = || Error::Worker {
            what: "the database thread",
        };
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more where the caller was cancelled.
            let _ = answer.send(work(connection));
        });
        self.jobs.send(job).map_err(|_| stopped())?;
        result
            .await
            .map_err(|_| stopped())?
            .map_err(|source| Error::Catalogue { act, source })
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
