//! The record of restores: before a step its intent is written, after it what came of it. A help, not the truth:
//! without it a restore finds what is done by comparing. It holds names, sizes, addresses and states, no document and
//! no secret.
//!
//! One SQLite file in the folder that the caller gives. Every call runs on tokio's blocking threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use workspace::ItemId;

use crate::{Error, Plan};

#[cfg(test)]
mod tests;

/// The name of the file in the caller's folder.
pub const JOURNAL_FILE: &str = "restores.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS restore (
        plan TEXT PRIMARY KEY, snapshot TEXT NOT NULL, target TEXT NOT NULL, steps INTEGER NOT NULL,
        started TEXT NOT NULL, finished TEXT, outcome TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS step (
        plan TEXT NOT NULL, step INTEGER NOT NULL, item TEXT NOT NULL, state TEXT NOT NULL,
        target TEXT, reason TEXT, changed TEXT NOT NULL, PRIMARY KEY (plan, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS run (
        target TEXT NOT NULL, source TEXT NOT NULL, run TEXT NOT NULL, snapshot TEXT NOT NULL,
        PRIMARY KEY (target, source)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS place (
        target TEXT NOT NULL, item TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (target, item)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
";

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It was about to be done; it may have been, wholly or in part.
    Intended,
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

impl StepState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Intended,
        }
    }
}

/// What is noted of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is about to be done.
    Intended,
    /// It is done; what became of the item in the target.
    Done(String),
    /// It failed; why.
    Failed(String),
}

/// A restore that the journal knows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restoration {
    /// The plan's id.
    pub plan: String,
    /// The snapshot.
    pub snapshot: String,
    /// The target.
    pub target: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it is under way, or was cut off.
    pub finished: Option<Timestamp>,
    /// `complete`, `partial` or `failed`.
    pub outcome: Option<String>,
    /// Steps of the plan that change something.
    pub steps: u64,
    /// Steps done.
    pub done: u64,
    /// Steps that failed.
    pub failed: u64,
}

/// What a restore made of something under another name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeOf {
    /// The job's id, or the item of the snapshot.
    pub source: String,
    /// The target.
    pub target: String,
    /// The run's id, or the item of the target.
    pub made: String,
}

/// The journal of one machine.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Journal {
    /// Opens or makes the journal in a folder, which must exist.
    pub async fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(JOURNAL_FILE);
        let file = path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let connection = Connection::open(&file)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(SCHEMA)?;
            Ok::<_, rusqlite::Error>(connection)
        })
        .await;
        let connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(source)) => return Err(failure("open what is", &path, source)),
            Err(source) => return Err(failure("open what is", &path, source)),
        };
        Ok(Self {
            path,
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// A restore begins, or goes on.
    pub async fn begin(&self, plan: &Plan, now: Timestamp) -> Result<(), Error> {
        let (id, snapshot, target) = (
            plan.plan.clone(),
            plan.snapshot.clone(),
            plan.target.clone(),
        );
        let steps = i64::try_from(plan.changes()).unwrap_or(i64::MAX);
        self.run("write the restore's begin", move |connection| {
            connection.execute(
                "INSERT INTO restore (plan, snapshot, target, steps, started) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (plan) DO UPDATE SET finished = NULL, outcome = NULL",
                params![id, snapshot, target, steps, now.to_string()],
            )
        })
        .await
        .map(drop)
    }

    /// A restore ended.
    pub async fn finish(
        &self,
        plan: &str,
        outcome: &'static str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let plan = plan.to_owned();
        self.run("write the restore's end", move |connection| {
            connection.execute(
                "UPDATE restore SET finished = ?2, outcome = ?3 WHERE plan = ?1",
                params![plan, now.to_string(), outcome],
            )
        })
        .await
        .map(drop)
    }

    /// A step is about to be done: written before anything of it is sent.
    pub async fn intend(
        &self,
        plan: &str,
        step: &crate::Step,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.note(plan, &[(step, Noted::Intended)], now).await
    }

    /// A step is done; `target` is what became of the item there.
    pub async fn done(
        &self,
        plan: &str,
        step: &crate::Step,
        target: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let noted = Noted::Done(target.to_owned());
        self.note(plan, &[(step, noted)], now).await
    }

    /// A step failed.
    pub async fn failed(
        &self,
        plan: &str,
        step: &crate::Step,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let noted = Noted::Failed(reason.to_owned());
        self.note(plan, &[(step, noted)], now).await
    }

    /// Notes several steps, all or none of them.
    pub async fn note(
        &self,
        plan: &str,
        steps: &[(&crate::Step, Noted)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let plan = plan.to_owned();
        let rows: Vec<(u32, String, Noted)> = steps
            .iter()
            .map(|(step, noted)| (step.step, step.item.to_string(), noted.clone()))
            .collect();
        self.run("write a step", move |connection| {
            let transaction = connection.unchecked_transaction()?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO step (plan, step, item, state, target, reason, changed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?;
                let now = now.to_string();
                for (number, item, noted) in rows {
                    let (state, target, reason) = noted.columns();
                    insert.execute(params![plan, number, item, state, target, reason, now])?;
                }
            }
            transaction.commit()
        })
        .await
    }

    /// The steps of a plan that were begun, by number.
    pub async fn steps(&self, plan: &str) -> Result<BTreeMap<u32, StepState>, Error> {
        let plan = plan.to_owned();
        self.run("read the steps", move |connection| {
            let mut query = connection.prepare("SELECT step, state FROM step WHERE plan = ?1")?;
            let rows = query.query_map(params![plan], |row| {
                Ok((
                    row.get::<_, u32>(0)?,
                    StepState::parse(&row.get::<_, String>(1)?),
                ))
            })?;
            rows.collect()
        })
        .await
    }

    /// Items that some restore into this target began since a time and did not end well: they may be there in part, and a search may
    /// not show yet what was made last.
    pub async fn unfinished(
        &self,
        target: &str,
        since: Timestamp,
    ) -> Result<BTreeSet<String>, Error> {
        let target = target.to_owned();
        self.run("read what was left over", move |connection| {
            let mut query = connection.prepare(
                "SELECT s.item, s.changed FROM step s JOIN restore r USING (plan)
                 WHERE r.target = ?1 AND s.state <> 'done'",
            )?;
            let rows = query.query_map(params![target], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut items = BTreeSet::new();
            for row in rows {
                let (item, changed) = row?;
                let is_old = changed
                    .parse()
                    .is_ok_and(|changed: Timestamp| changed < since);
                if !is_old {
                    items.insert(item);
                }
            }
            Ok(items)
        })
        .await
    }

    /// Whether a plan was begun here.
    pub async fn knows(&self, plan: &str) -> Result<bool, Error> {
        let plan = plan.to_owned();
        self.run("look for a restore", move |connection| {
            let mut query = connection.prepare("SELECT 1 FROM restore WHERE plan = ?1")?;
            query.exists(params![plan])
        })
        .await
    }

    /// Notes which run a job became, as soon as the service said so.
    pub async fn note_run(&self, plan: &Plan, job: &str, run: &str) -> Result<(), Error> {
        let (target, snapshot) = (plan.target.clone(), plan.snapshot.clone());
        let (job, run) = (job.to_owned(), run.to_owned());
        self.run("note a run", move |connection| {
            connection.execute(
                "INSERT OR REPLACE INTO run (target, source, run, snapshot) VALUES (?1, ?2, ?3, ?4)",
                params![target, job, run, snapshot],
            )
        })
        .await
        .map(drop)
    }

    /// The runs that restores into a target made, by the job. A search does not show them at once; the journal does.
    pub async fn runs(&self, target: &str) -> Result<BTreeMap<String, String>, Error> {
        let target = target.to_owned();
        self.run("read the runs", move |connection| {
            let mut query = connection.prepare("SELECT source, run FROM run WHERE target = ?1")?;
            let rows = query.query_map(params![target], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
        .await
    }

    /// The runs that were made of a job, or the job that a run was made of, in every target.
    pub async fn runs_of(&self, name: &str) -> Result<Vec<MadeOf>, Error> {
        let name = name.to_owned();
        self.run("find a run", move |connection| {
            let mut query = connection.prepare(
                "SELECT source, target, run FROM run WHERE source = ?1 OR run = ?1 ORDER BY target, run",
            )?;
            let rows = query.query_map(params![name], made_of)?;
            rows.collect()
        })
        .await
    }

    /// What was made under another name or version, in every target, by either name: `NAME`, `KIND/NAME` or
    /// `KIND/NAME:VERSION`, in which `*`, `?` and `[…]` stand for characters. Jobs become runs, and have [`Self::runs_of`].
    pub async fn renamed_of(&self, pattern: &str) -> Result<Vec<MadeOf>, Error> {
        let pattern = pattern.to_owned();
        self.run("find what was renamed", move |connection| {
            let mut query = connection.prepare(
                "SELECT DISTINCT s.item, r.target, s.target FROM step s JOIN restore r USING (plan)
                 WHERE s.state = 'done' AND s.target <> s.item AND s.item NOT GLOB 'jobs/*' AND (
                    s.item = ?1 OR s.target = ?1 OR s.item GLOB ?1 OR s.target GLOB ?1
                    OR s.item GLOB ?1 || ':*' OR s.target GLOB ?1 || ':*'
                    OR s.item GLOB '*/' || ?1 OR s.target GLOB '*/' || ?1
                    OR s.item GLOB '*/' || ?1 || ':*' OR s.target GLOB '*/' || ?1 || ':*')
                 ORDER BY r.target, s.item, s.target LIMIT 10000",
            )?;
            let rows = query.query_map(params![pattern], made_of)?;
            rows.collect()
        })
        .await
    }

    /// Items of a snapshot that were made in a target under another name or version.
    pub async fn renamed(
        &self,
        snapshot: &str,
        target: &str,
    ) -> Result<Vec<(ItemId, ItemId)>, Error> {
        let (snapshot, target) = (snapshot.to_owned(), target.to_owned());
        let pairs: Vec<(String, String)> = self
            .run("read what was renamed", move |connection| {
                let mut query = connection.prepare(
                    "SELECT s.item, s.target FROM step s JOIN restore r USING (plan)
                     WHERE r.snapshot = ?1 AND r.target = ?2 AND s.state = 'done' AND s.target <> s.item
                     ORDER BY s.changed",
                )?;
                let rows = query.query_map(params![snapshot, target], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await?;
        let parsed = pairs.iter().filter_map(|(from, to)| {
            let (from, to): (ItemId, ItemId) = (from.parse().ok()?, to.parse().ok()?);
            (from.kind == to.kind && from.kind != "jobs").then_some((from, to))
        });
        Ok(parsed.collect())
    }

    /// Notes the place that a service gave for an item's bytes, before any is written there.
    pub async fn note_place(&self, target: &str, item: &str, place: &str) -> Result<(), Error> {
        let (target, item, place) = (target.to_owned(), item.to_owned(), place.to_owned());
        self.run("note a place", move |connection| {
            connection.execute(
                "INSERT OR REPLACE INTO place (target, item, place) VALUES (?1, ?2, ?3)",
                params![target, item, place],
            )
        })
        .await
        .map(drop)
    }

    /// The place that a service gave for an item's bytes in an attempt before.
    pub async fn place(&self, target: &str, item: &str) -> Result<Option<String>, Error> {
        let (target, item) = (target.to_owned(), item.to_owned());
        self.run("read a place", move |connection| {
            connection
                .query_row(
                    "SELECT place FROM place WHERE target = ?1 AND item = ?2",
                    params![target, item],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }

    /// All restores, newest first.
    pub async fn restorations(&self) -> Result<Vec<Restoration>, Error> {
        self.run("read the restores", |connection| {
            let mut query = connection.prepare(
                "SELECT plan, snapshot, target, started, finished, outcome, steps,
                    (SELECT count(*) FROM step s WHERE s.plan = r.plan AND s.state = 'done'),
                    (SELECT count(*) FROM step s WHERE s.plan = r.plan AND s.state = 'failed')
                 FROM restore r ORDER BY started DESC, plan DESC",
            )?;
            let rows = query.query_map([], restoration)?;
            rows.collect()
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        act: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || work(&lock(&connection))).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(failure(act, &self.path, source)),
            Err(source) => Err(failure(act, &self.path, source)),
        }
    }
}

impl Noted {
    fn columns(self) -> (&'static str, Option<String>, Option<String>) {
        match self {
            Self::Intended => (StepState::Intended.as_str(), None, None),
            Self::Done(target) => (StepState::Done.as_str(), Some(target), None),
            Self::Failed(reason) => (StepState::Failed.as_str(), None, Some(reason)),
        }
    }
}

/// A panic of another call leaves SQLite itself in order, so the lock is taken all the same.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(act: &'static str, path: &Path, source: impl Into<crate::error::Cause>) -> Error {
    Error::Journal {
        act,
        path: path.display().to_string(),
        source: source.into(),
    }
}

fn made_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<MadeOf> {
    Ok(MadeOf {
        source: row.get(0)?,
        target: row.get(1)?,
        made: row.get(2)?,
    })
}

fn restoration(row: &rusqlite::Row<'_>) -> rusqlite::Result<Restoration> {
    let count = |index| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.unsigned_abs());
    Ok(Restoration {
        plan: row.get(0)?,
        snapshot: row.get(1)?,
        target: row.get(2)?,
        started: time(row.get(3)?, 3)?,
        finished: row
            .get::<_, Option<String>>(4)?
            .map(|text| time(text, 4))
            .transpose()?,
        outcome: row.get(5)?,
        steps: count(6)?,
        done: count(7)?,
        failed: count(8)?,
    })
}

fn time(text: String, column: usize) -> rusqlite::Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
