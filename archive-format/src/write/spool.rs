//! Lines of a run, in any order, until the commit sorts them: a temporary SQLite file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::catalogue::database::{self, Database};
use crate::magic::LINE_BYTES_MAX;
use crate::{Error, FileEntry, GapEntry, Line, LineKey, json};

/// Lines that a page of the sorted walk holds.
const PAGE_LINES: u32 = 256;

/// Files and gaps of a line that take no turn at a worker thread.
const SPLIT_INLINE: usize = 16;

const DELETE_LINES: &str = "DELETE FROM line WHERE key BETWEEN ?1 AND ?2";

/// The spool.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    database: Database,
}

/// A staged line: its sort bytes, its canonical bytes with the line end.
pub(super) type Staged = (Vec<u8>, Vec<u8>);

/// The key of a staged line, from its sort bytes.
pub(super) fn key_of_line(sort_bytes: &[u8]) -> Result<LineKey, Error> {
    let (item, part) = sort_bytes
        .split_last_chunk::<4>()
        .ok_or(Error::Worker { what: "a spool" })?;
    Ok(LineKey {
        part: u32::from_be_bytes(*part),
        ..key_of(item)?
    })
}

impl Spool {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = database::open_file(path)?;
            // Nothing here outlives the process, so nothing need be durable: one transaction that never ends.
            connection.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
                 CREATE TABLE line (key BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
                 CREATE TABLE item (item BLOB PRIMARY KEY, parts INTEGER NOT NULL) WITHOUT ROWID;
                 BEGIN",
            )?;
            Ok(connection)
        };
        let connection = open().map_err(|source| Error::Catalogue {
            act: "make a spool",
            source,
        })?;
        Ok(Self {
            database: Database::new(connection),
        })
    }

    /// Stages lines of one item: in place of all its parts, or after them.
    pub(super) async fn put(&self, line: Line, replace: bool) -> Result<(), Error> {
        let item = item_bytes(&line.key());
        // Some files are written down where one is; many are work for a worker thread.
        let pieces = if line.files.len() + line.gaps.len() <= SPLIT_INLINE {
            split(line)?
        } else {
            let splitting = tokio::task::spawn_blocking(move || split(line));
            splitting.await.map_err(|_| Error::Worker {
                what: "staging a line",
            })??
        };
        self.database
            .call("stage a line", move |connection| {
                let mut parts: u32 = if replace {
                    connection
                        .prepare_cached(DELETE_LINES)?
                        .execute([&item, &last_of(&item)])?;
                    0
                } else {
                    connection
                        .prepare_cached("SELECT parts FROM item WHERE item = ?1")?
                        .query_row([&item], |row| row.get(0))
                        .optional()?
                        .unwrap_or(0)
                };
                let mut insert =
                    connection.prepare_cached("INSERT OR REPLACE INTO line VALUES (?1, ?2)")?;
                for piece in pieces {
                    let (key, body) = piece
                        .into_part(parts)
                        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                    parts += 1;
                    insert.execute(params![key.sort_bytes(), body])?;
                }
                connection
                    .prepare_cached("INSERT OR REPLACE INTO item VALUES (?1, ?2)")?
                    .execute(params![item, parts])
            })
            .await
            .map(drop)
    }

    /// Takes an item out.
    pub(super) async fn remove(&self, key: &LineKey) -> Result<(), Error> {
        let item = item_bytes(key);
        self.database
            .call("unstage an item", move |connection| {
                connection.execute(DELETE_LINES, [&item, &last_of(&item)])?;
                connection.execute("DELETE FROM item WHERE item = ?1", [&item])
            })
            .await
            .map(drop)
    }

    pub(super) async fn has(&self, key: &LineKey) -> Result<bool, Error> {
        let item = item_bytes(key);
        self.database
            .call("look an item up", move |connection| {
                connection
                    .prepare_cached("SELECT 1 FROM item WHERE item = ?1")?
                    .query_row([&item], |_| Ok(()))
                    .optional()
                    .map(|row| row.is_some())
            })
            .await
    }

    /// Items after a key, in order.
    pub(super) async fn items(
        &self,
        after: Option<&LineKey>,
        limit: usize,
    ) -> Result<Vec<LineKey>, Error> {
        let after = after.map(item_bytes).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let items = self
            .database
            .call("list items", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT item FROM item WHERE item > ?1 ORDER BY item LIMIT ?2",
                )?;
                query
                    .query_map(params![after, limit], |row| row.get::<_, Vec<u8>>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        items.iter().map(|item| key_of(item)).collect()
    }

    /// The lines of an item.
    pub(super) async fn lines_of(&self, key: &LineKey) -> Result<Vec<Line>, Error> {
        let item = item_bytes(key);
        let bodies = self
            .database
            .call("read staged lines", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT body FROM line WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
                )?;
                query
                    .query_map(params![item, last_of(&item)], |row| {
                        row.get::<_, Vec<u8>>(0)
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        bodies
            .iter()
            .map(|body| Line::from_bytes(body.strip_suffix(b"\n").unwrap_or(body)))
            .collect()
    }

    /// A page of all lines in order, after these sort bytes.
    pub(super) async fn page(&self, after: Vec<u8>) -> Result<Vec<Staged>, Error> {
        self.database
            .call("read staged lines", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT key, body FROM line WHERE key > ?1 ORDER BY key LIMIT ?2",
                )?;
                query
                    .query_map(params![after, PAGE_LINES], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?
                    .collect()
            })
            .await
    }
}

/// An item's lines have its bytes as the beginning of their keys; this is the end of them.
fn last_of(item: &[u8]) -> Vec<u8> {
    [item, &[0xff; 4]].concat()
}

/// The sort bytes of an item, without the part.
fn item_bytes(key: &LineKey) -> Vec<u8> {
    let mut bytes = key.sort_bytes();
    bytes.truncate(bytes.len() - 4);
    bytes
}

fn key_of(item: &[u8]) -> Result<LineKey, Error> {
    let text = String::from_utf8_lossy(item);
    let mut parts = text.split('\0').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (kind, name, version) = (next(), next(), next());
    Ok(LineKey::new(
        kind,
        name,
        Some(version).filter(|version| !version.is_empty()),
    ))
}

/// A line that fits.
enum Piece {
    /// As it is written where its number is the one that it has already.
    Whole(LineKey, Vec<u8>, Box<Line>),
    Cut(Line),
}

impl Piece {
    /// Its key and its bytes as the part of that number.
    fn into_part(self, number: u32) -> Result<(LineKey, Vec<u8>), Error> {
        let mut line = match self {
            Self::Whole(key, bytes, _) if key.part == number => return Ok((key, bytes)),
            Self::Whole(_, _, line) => *line,
            Self::Cut(line) => line,
        };
        line.part = number;
        Ok((line.key(), line.to_bytes()?))
    }
}

/// Cuts a line that is too long into several: documents, secrets and gaps first, then files as they fit.
fn split(line: Line) -> Result<Vec<Piece>, Error> {
    let bytes = line.to_bytes()?;
    if bytes.len() <= LINE_BYTES_MAX {
        return Ok(vec![Piece::Whole(line.key(), bytes, Box::new(line))]);
    }
    let key = line.key();
    let empty = || Line {
        settled: line.settled,
        ..Line::new(key.clone())
    };
    let mut lines = Vec::new();
    let mut current = Line {
        files: Vec::new(),
        gaps: Vec::new(),
        ..line.clone()
    };
    // Room for the part's number, brackets and commas, which the sums below do not count.
    let budget = LINE_BYTES_MAX - 256;
    let mut bytes = current.to_bytes()?.len();
    let too_long = |bytes: usize| Error::Line {
        key: key.clone(),
        reason: format!("one entry takes {bytes} bytes, and a line has 64 KiB"),
    };
    if bytes > budget {
        return Err(too_long(bytes));
    }
    let base = empty().to_bytes()?.len();
    let gaps = line.gaps.iter().cloned().map(Part::Gap);
    let files = line
        .files
        .iter()
        .cloned()
        .map(|file| Part::File(Box::new(file)));
    for part in gaps.chain(files) {
        let length = part.json_bytes()? + 1;
        if base + length > budget {
            return Err(too_long(length));
        }
        if bytes + length > budget {
            let full = std::mem::replace(&mut current, empty());
            lines.push(Piece::Cut(full));
            bytes = base;
        }
        bytes += length;
        match part {
            Part::Gap(gap) => current.gaps.push(gap),
            Part::File(file) => current.files.push(*file),
        }
    }
    lines.push(Piece::Cut(current));
    Ok(lines)
}

enum Part {
    Gap(GapEntry),
    File(Box<FileEntry>),
}

impl Part {
    /// Its length in a line.
    fn json_bytes(&self) -> Result<usize, Error> {
        let bytes = match self {
            Self::Gap(gap) => json::to_canonical(gap, "a gap"),
            Self::File(file) => json::to_canonical(file, "a file entry"),
        };
        bytes.map(|bytes| bytes.len())
    }
}
