//! The history of runs and gaps of this machine: the only part of the catalogue that the repository does not hold.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Catalogue, GapSeen, Run, RunId, RunOutcome};
use crate::{Error, GapEntry, LineKey, Outcome};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_default()
}

impl Catalogue {
    /// Records that a run began.
    pub async fn run_began(
        &self,
        id: RunId,
        workspace: &str,
        started: Timestamp,
    ) -> Result<(), Error> {
        let workspace = workspace.to_owned();
        self.database
            .call("record a run", move |connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO run (id, workspace, started) VALUES (?1, ?2, ?3)",
                    params![id.to_string(), workspace, started.to_string()],
                )
            })
            .await
            .map(drop)
    }

    /// Records how a run ended.
    pub async fn run_ended(
        &self,
        id: RunId,
        finished: Timestamp,
        outcome: RunOutcome,
    ) -> Result<(), Error> {
        let (word, snapshot, error) = match outcome {
            RunOutcome::Snapshot(snapshot, outcome) => {
                (outcome.as_str(), Some(snapshot.to_string()), None)
            }
            RunOutcome::Failed(reason) => ("failed", None, Some(reason)),
        };
        self.database
            .call("record a run", move |connection| {
                connection.execute(
                    "UPDATE run SET finished = ?2, outcome = ?3, snapshot = ?4, error = ?5 WHERE id = ?1",
                    params![id.to_string(), finished.to_string(), word, snapshot, error],
                )
            })
            .await
            .map(drop)
    }

    /// The newest runs of a workspace (none: of all), newest first.
    pub async fn runs(&self, workspace: Option<&str>, limit: u32) -> Result<Vec<Run>, Error> {
        let workspace = workspace.map(str::to_owned);
        self.database
            .call("list runs", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT id, workspace, started, finished, outcome, snapshot, error FROM run
                     WHERE ?1 IS NULL OR workspace = ?1 ORDER BY id DESC LIMIT ?2",
                )?;
                let rows = query.query_map(params![workspace, limit], read_run)?;
                rows.filter_map(Result::transpose).collect()
            })
            .await
    }

    /// Records the gaps of a finished run: those seen before get a new last sight, the others of the workspace are
    /// closed.
    pub async fn gaps_seen(
        &self,
        workspace: &str,
        at: Timestamp,
        gaps: Vec<(LineKey, GapEntry)>,
    ) -> Result<(), Error> {
        let workspace = workspace.to_owned();
        self.database
            .call("record gaps", move |connection| {
                let transaction = connection.transaction()?;
                transaction
                    .execute("UPDATE gap SET open = 0 WHERE workspace = ?1", [&workspace])?;
                {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO gap VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 1)
                         ON CONFLICT DO UPDATE SET reason = ?6, known = ?7, last = ?8, open = 1",
                    )?;
                    for (item, gap) in &gaps {
                        insert.execute(params![
                            workspace,
                            item.kind,
                            item.name,
                            item.version.as_deref().unwrap_or_default(),
                            gap.file.as_deref().unwrap_or_default(),
                            gap.reason,
                            gap.known,
                            at.to_string()
                        ])?;
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// When gaps of a workspace were last seen or missed.
    pub(crate) async fn gaps_until(&self, workspace: &str) -> Result<Option<Timestamp>, Error> {
        let workspace = workspace.to_owned();
        let last: Option<String> = self
            .database
            .call("list gaps", move |connection| {
                connection.query_row(
                    "SELECT max(last) FROM gap WHERE workspace = ?1",
                    [workspace],
                    |row| row.get(0),
                )
            })
            .await?;
        Ok(last.map(|text| time(&text)))
    }

    /// The open gaps of a workspace (none: of all), as the last finished run saw them.
    pub async fn gaps(&self, workspace: Option<&str>) -> Result<Vec<GapSeen>, Error> {
        let workspace = workspace.map(str::to_owned);
        self.database
            .call("list gaps", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT workspace, kind, name, version, file, reason, known, first, last FROM gap
                     WHERE open = 1 AND (?1 IS NULL OR workspace = ?1)",
                )?;
                query.query_map([workspace], read_gap)?.collect()
            })
            .await
    }

    /// At most so many open gaps of a workspace: those that nobody accepts before the others, the newest first.
    pub async fn newest_gaps(&self, workspace: &str, limit: u32) -> Result<Vec<GapSeen>, Error> {
        let workspace = workspace.to_owned();
        self.database
            .call("list gaps", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT workspace, kind, name, version, file, reason, known, first, last FROM gap
                     WHERE open = 1 AND workspace = ?1 ORDER BY known, first DESC, kind, name LIMIT ?2",
                )?;
                query.query_map(params![workspace, limit], read_gap)?.collect()
            })
            .await
    }
}

/// A row that no version of this program wrote is passed over.
fn read_run(row: &Row<'_>) -> rusqlite::Result<Option<Run>> {
    let Ok(id) = row.get::<_, String>(0)?.parse() else {
        return Ok(None);
    };
    let word: Option<String> = row.get(4)?;
    let snapshot: Option<String> = row.get(5)?;
    let error: Option<String> = row.get(6)?;
    let outcome = match (word.as_deref(), snapshot.and_then(|id| id.parse().ok())) {
        (Some("complete"), Some(id)) => Some(RunOutcome::Snapshot(id, Outcome::Complete)),
        (Some("partial"), Some(id)) => Some(RunOutcome::Snapshot(id, Outcome::Partial)),
        (Some("suspect"), Some(id)) => Some(RunOutcome::Snapshot(id, Outcome::Suspect)),
        (Some(_), _) => Some(RunOutcome::Failed(error.unwrap_or_default())),
        (None, _) => None,
    };
    Ok(Some(Run {
        id,
        workspace: row.get(1)?,
        started: time(&row.get::<_, String>(2)?),
        finished: row.get::<_, Option<String>>(3)?.map(|text| time(&text)),
        outcome,
    }))
}

fn read_gap(row: &Row<'_>) -> rusqlite::Result<GapSeen> {
    let present = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(GapSeen {
        workspace: row.get(0)?,
        item: LineKey::new(
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            present(row.get(3)?),
        ),
        file: present(row.get(4)?),
        reason: row.get(5)?,
        known: row.get(6)?,
        first: time(&row.get::<_, String>(7)?),
        last: time(&row.get::<_, String>(8)?),
    })
}
