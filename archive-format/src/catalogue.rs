//! The catalogue: a SQLite database of this machine about one repository. It is a cache: everything in it but the
//! history of runs can be made anew from the repository.

pub(crate) mod database;
pub(crate) mod entries;
mod find;
pub(crate) mod lines;
pub(crate) mod marks;
mod needs;
pub(crate) mod objects;
pub(crate) mod removal;
pub(crate) mod repairs;
mod replaced;
mod runs;
mod schema;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use self::database::Database;
use crate::{Digest, Error, LineKey, Outcome, SnapshotId};

/// The database. Cloning it is cheap; one thread owns the connection.
#[derive(Clone, Debug)]
pub struct Catalogue {
    database: Database,
}

/// The id of a run in the catalogue.
pub type RunId = SnapshotId;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It wrote a snapshot.
    Snapshot(SnapshotId, Outcome),
    /// It failed, and wrote none, or only partial ones before.
    Failed(String),
}

/// One run of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The workspace.
    pub workspace: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while it is under way, or when it was killed.
    pub finished: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
}

/// A gap with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapSeen {
    /// The workspace.
    pub workspace: String,
    /// The item.
    pub item: LineKey,
    /// The file or part of it.
    pub file: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether the configuration accepts it.
    pub known: bool,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
}

/// A line of a snapshot as the catalogue keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLine {
    /// Its key.
    pub key: LineKey,
    /// How many documents it has.
    pub documents: u32,
    /// How many gaps.
    pub gaps: u32,
    /// Its files.
    pub files: Vec<HeldFile>,
}

/// A file of a [`HeldLine`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFile {
    /// The path within the item.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256; directories and links have none.
    pub sha256: Option<Digest>,
}

/// Where something occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The item.
    pub item: LineKey,
    /// The file of it that was found; none where the item itself was.
    pub file: Option<HeldFile>,
    /// The snapshots that have it so, oldest first.
    pub snapshots: Vec<SnapshotId>,
}

/// How much a catalogue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Log entries.
    pub entries: u64,
    /// Snapshots that are not forgotten.
    pub snapshots: u64,
    /// Packs.
    pub packs: u64,
    /// Objects in them.
    pub objects: u64,
    /// Manifest lines; one that several snapshots share counts once.
    pub lines: u64,
}

/// A catalogue that could not be used was moved aside.
#[derive(Debug)]
pub(crate) struct MovedAside {
    pub(crate) to: PathBuf,
    pub(crate) reason: String,
}

impl Catalogue {
    /// Opens or makes the database at this path. One that cannot be used is moved aside, never deleted; one of a newer
    /// program is left as it is ([`Error::CatalogueNewer`]).
    pub(crate) async fn open(path: PathBuf) -> Result<(Self, Option<MovedAside>), Error> {
        tokio::task::spawn_blocking(move || open_blocking(&path))
            .await
            .map_err(|_| Error::Worker {
                what: "the database thread",
            })?
    }

    /// What a machine remembers in a repository's folder of the cache, for looking something up while the repository does
    /// not open. None where there is no catalogue, or one that cannot be used: that is moved aside when the repository is
    /// opened, and said then.
    pub(crate) async fn remembered(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join("catalogue.sqlite");
        let opened = tokio::task::spawn_blocking(move || {
            if !path.exists() {
                return Ok(None);
            }
            match prepared(&path) {
                Ok(connection) => Ok(Some(Self {
                    database: Database::new(connection),
                })),
                Err(reason) => {
                    tracing::debug!(path = %path.display(), %reason, "nothing is remembered");
                    Ok(None)
                }
            }
        });
        opened.await.map_err(|_| Error::Worker {
            what: "the database thread",
        })?
    }

    /// Empties the catalogue in a repository's folder of the cache, so that opening the repository makes it anew. The
    /// history of runs and gaps, which no repository holds, stays. Nothing happens where there is none.
    pub async fn clear(folder: &Path) -> Result<(), Error> {
        let path = folder.join("catalogue.sqlite");
        if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            return Ok(());
        }
        let (catalogue, _) = Self::open(path).await?;
        catalogue.forget().await?;
        catalogue
            .database
            .call("empty it", |connection| {
                connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
            })
            .await
    }

    /// Forgets everything that the repository can give back.
    pub(crate) async fn forget(&self) -> Result<(), Error> {
        self.database
            .call("empty it", |connection| {
                let transaction = connection.transaction()?;
                transaction.execute_batch(schema::FORGET)?;
                transaction.commit()
            })
            .await
    }

    /// How much it holds.
    pub async fn holdings(&self) -> Result<Holdings, Error> {
        self.database
            .call("count", |connection| {
                let count = |sql: &str| {
                    connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
                };
                Ok(Holdings {
                    entries: count("SELECT count(*) FROM log")?,
                    snapshots: count("SELECT count(*) FROM snapshot WHERE forgotten = 0")?,
                    packs: count("SELECT count(*) FROM pack")?,
                    objects: count("SELECT count(*) FROM object")?,
                    lines: count("SELECT count(*) FROM line")?,
                })
            })
            .await
    }
}

fn prepared(path: &Path) -> Result<rusqlite::Connection, schema::Unusable> {
    let mut connection = database::open_file(path)?;
    schema::prepare(&mut connection)?;
    Ok(connection)
}

fn open_blocking(path: &Path) -> Result<(Catalogue, Option<MovedAside>), Error> {
    let (connection, moved) = match prepared(path) {
        Ok(connection) => (connection, None),
        Err(schema::Unusable::Sqlite(source)) if is_busy(&source) => {
            return Err(Error::Catalogue {
                act: "open",
                source,
            });
        }
        // Nothing is wrong with it: the program is too old, and the one that made it will be back.
        Err(schema::Unusable::Newer(found)) => {
            return Err(Error::CatalogueNewer {
                path: path.to_owned(),
                found,
                known: schema::STEPS.len() as u64,
            });
        }
        Err(reason) => {
            let moved = move_aside(path, reason.to_string())?;
            let connection = prepared(path).map_err(|error| Error::Local {
                act: "make the catalogue",
                path: path.to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
            (connection, Some(moved))
        }
    };
    let database = Database::new(connection);
    Ok((Catalogue { database }, moved))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, PermissionDenied, ReadOnly,
    };
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked | DiskFull | CannotOpen | PermissionDenied | ReadOnly)
    )
}

/// Renames the database and its journals to the first free `….broken-<n>`.
fn move_aside(path: &Path, reason: String) -> Result<MovedAside, Error> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = (1..10_000)
        .map(|number| format!(".broken-{number}"))
        .find(|suffix| !with(suffix).exists());
    let to = with(&free.unwrap_or_else(|| ".broken".to_owned()));
    std::fs::rename(path, &to).map_err(|source| Error::Local {
        act: "move aside",
        path: path.to_owned(),
        source,
    })?;
    for journal in ["-wal", "-shm"] {
        let mut target = to.as_os_str().to_owned();
        target.push(journal);
        if let Err(error) = std::fs::rename(with(journal), target)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Error::Local {
                act: "move aside",
                path: with(journal),
                source: error,
            });
        }
    }
    Ok(MovedAside { to, reason })
}
