//! A SQLite database that one piece of work at a time has, on a thread where it may block. Everybody else waits in turn.
//!
//! The runtime knows of the work, so that where time is virtual it stands while a database works. Most work takes less
//! time than handing it to a thread and waking whoever waits for it, so what came in meanwhile is done in one go, and then
//! all are told at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

use crate::Error;

/// Does some work, and gives what tells the one who waits for it.
type Job = Box<dyn FnOnce(&mut Connection) -> Answer + Send>;

type Answer = Box<dyn FnOnce() + Send>;

/// So many answers wait for each other at most.
const ANSWERS_AT_ONCE: usize = 16;

/// A handle of the database, which is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Database {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    connection: Mutex<Held>,
}

/// Work that waits, and whether somebody is at it.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    at_work: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("jobs", &self.jobs.len())
            .field("at_work", &self.at_work)
            .finish()
    }
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
    pub fn new(connection: Connection) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                connection: Mutex::new(Held(Some(connection))),
            }),
        }
    }

    /// Looks many things up, all of them in the state of one moment. Each statement for itself would lock the file and give
    /// it free again, which takes longer than to look one row up.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        act: &'static str,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.call(act, |connection| {
            look(&*connection.transaction_with_behavior(TransactionBehavior::Deferred)?)
        })
        .await
    }

    /// Does work with the connection, in the order of the calls, and to its end, also where the caller is cancelled; `act`
    /// names it in an error ([`Error::Catalogue`]).
    pub async fn call<T: Send + 'static>(
        &self,
        act: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = work(connection);
            Box::new(move || {
                // Nobody waits any more where the caller was cancelled.
                let _ = answer.send(done);
            })
        });
        if self.shared.push(job) {
            let turn = Turn {
                shared: Arc::clone(&self.shared),
                done: false,
            };
            drop(tokio::task::spawn_blocking(move || turn.work()));
        }
        match result.await {
            Ok(done) => done.map_err(|source| Error::Catalogue { act, source }),
            Err(_) => Err(Error::Worker {
                what: "the database's work",
            }),
        }
    }
}

impl Shared {
    /// Adds work; whether nobody is there to do it.
    fn push(&self, job: Job) -> bool {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        !std::mem::replace(&mut queue.at_work, true)
    }

    /// The next work; where there is none, nobody is at work any more.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        let job = queue.jobs.pop_front();
        queue.at_work = job.is_some();
        job
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn at the work that waits. Where it ends before that is done (after a panic, or with the runtime), those who wait
/// are told so.
struct Turn {
    shared: Arc<Shared>,
    done: bool,
}

impl Turn {
    fn work(mut self) {
        let mut held = self
            .shared
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = held.0.as_mut() else {
            return;
        };
        let mut answers: Vec<Answer> = Vec::new();
        while let Some(job) = self.shared.next() {
            answers.push(job(connection));
            if answers.len() >= ANSWERS_AT_ONCE || self.shared.queue().jobs.is_empty() {
                answers.drain(..).for_each(|answer| answer());
            }
        }
        // From here on somebody else may have the next turn.
        self.done = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.shared.queue();
            queue.at_work = false;
            let untold = std::mem::take(&mut queue.jobs);
            drop(queue);
            drop(untold);
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
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // A plan made once holds: otherwise a statement is planned anew whenever another value is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    // Several runs write one catalogue. A transaction that reads first and then writes would be refused at once, without
    // any waiting, where another one wrote in between (SQLITE_BUSY_SNAPSHOT); so each takes its turn when it begins.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    connection.execute_batch(
        "PRAGMA cache_size = -4096; PRAGMA temp_store = FILE; PRAGMA foreign_keys = OFF;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use futures::future::join_all;
    use rusqlite::Connection;

    use super::Database;
    use crate::Error;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_many_ask_at_once_is_done_in_its_order_and_everybody_is_told() {
        let database = Database::new(Connection::open_in_memory().unwrap());
        let make = |connection: &mut Connection| connection.execute("CREATE TABLE n (n)", []);
        database.call("make a table", make).await.unwrap();
        for _ in 0..50 {
            let adding = (0..100).map(|number: i64| {
                database.call("add", move |connection| {
                    connection.execute("INSERT INTO n VALUES (?)", [number])?;
                    Ok(connection.last_insert_rowid() % 100)
                })
            });
            let rows: Vec<i64> = join_all(adding)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect();
            let wanted: Vec<i64> = (1..100).chain([0]).collect();
            assert_eq!(rows, wanted);
        }
    }

    #[test]
    fn a_transaction_that_reads_before_it_writes_is_not_overtaken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.sqlite");
        let mut one = super::open_file(&path).unwrap();
        one.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE n (n)")
            .unwrap();
        let transaction = one.transaction().unwrap();
        let count = |connection: &Connection| -> i64 {
            let count = connection.query_row("SELECT count(*) FROM n", [], |row| row.get(0));
            count.unwrap()
        };
        assert_eq!(count(&transaction), 0);
        let other = std::thread::spawn(move || {
            let mut other = super::open_file(&path).unwrap();
            let transaction = other.transaction().unwrap();
            let seen = count(&transaction);
            transaction.execute("INSERT INTO n VALUES (2)", []).unwrap();
            transaction.commit().unwrap();
            seen
        });
        transaction.execute("INSERT INTO n VALUES (1)", []).unwrap();
        transaction.commit().unwrap();
        assert_eq!(other.join().unwrap(), 1, "it waited");
    }

    #[tokio::test]
    async fn after_a_panic_those_who_wait_are_told_and_the_next_are_served() {
        let database = Database::new(Connection::open_in_memory().unwrap());
        #[expect(clippy::panic, reason = "what is tested")]
        let broken = database.call("fail", |_| -> rusqlite::Result<()> { panic!("on purpose") });
        let behind = database.call("wait", |_| Ok(()));
        let (broken, _) = futures::join!(broken, behind);
        assert!(matches!(broken, Err(Error::Worker { .. })));
        database.call("go on", |_| Ok(())).await.unwrap();
    }
}
