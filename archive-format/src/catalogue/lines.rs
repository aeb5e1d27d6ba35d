//! What each snapshot holds, by the pieces of its manifest: a piece that many snapshots share is kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::objects::{PackId, signed};
use super::{Catalogue, HeldFile, HeldLine};
use crate::{Address, Error, Line, LineKey, SnapshotId};

/// So many items are named where what a snapshot holds is lost.
pub(crate) const ITEMS_MAX: u32 = 1000;

impl Catalogue {
    /// The packs that are needed for a piece or chunk list and what it names; none where that is not known.
    pub(crate) async fn reach(&self, parent: Address) -> Result<Option<BTreeSet<PackId>>, Error> {
        self.database
            .call("look packs up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT reach.pack, coalesce(pack.state, 1) FROM reach LEFT JOIN pack ON pack.id = reach.pack
                     WHERE parent = ?1",
                )?;
                let rows = query
                    .query_map([parent.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<rusqlite::Result<Vec<(PackId, i64)>>>()?;
                let usable = !rows.is_empty() && rows.iter().all(|(_, state)| *state == 0);
                Ok(usable.then(|| rows.into_iter().map(|(pack, _)| pack).collect()))
            })
            .await
    }

    /// Remembers the packs of a piece or chunk list.
    pub(crate) async fn set_reach(
        &self,
        parent: Address,
        packs: BTreeSet<PackId>,
    ) -> Result<(), Error> {
        self.database
            .call("remember packs", move |connection| {
                let transaction = connection.transaction()?;
                transaction.execute("DELETE FROM reach WHERE parent = ?1", [parent.as_bytes()])?;
                {
                    let mut insert =
                        transaction.prepare_cached("INSERT INTO reach VALUES (?1, ?2)")?;
                    for pack in packs {
                        insert.execute(params![parent.as_bytes(), pack])?;
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// Whether the lines of a piece are kept.
    pub(crate) async fn has_piece(&self, piece: Address) -> Result<bool, Error> {
        self.database
            .call("look a piece up", move |connection| {
                connection
                    .prepare_cached("SELECT 1 FROM piece WHERE address = ?1")?
                    .query_row([piece.as_bytes()], |_| Ok(()))
                    .optional()
                    .map(|row| row.is_some())
            })
            .await
    }

    /// The items of a snapshot, as they were kept; at most 1,000.
    pub(crate) async fn item_keys(&self, snapshot: SnapshotId) -> Result<Vec<LineKey>, Error> {
        let lines = self.lines(snapshot, 0, ITEMS_MAX).await?;
        let keys = lines.into_iter().map(|line| line.key);
        Ok(keys.filter(|key| key.part == 0).collect())
    }

    /// The items in a piece, as they were kept; at most 1,000.
    pub(crate) async fn piece_keys(&self, piece: Address) -> Result<Vec<LineKey>, Error> {
        self.database
            .call("look a piece up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT kind, name, version FROM line JOIN piece ON piece.id = line.piece
                     WHERE piece.address = ?1 AND part = 0 ORDER BY line.id LIMIT ?2",
                )?;
                query
                    .query_map(params![piece.as_bytes(), ITEMS_MAX], |row| {
                        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
                        Ok(LineKey::new(kind, name, row.get::<_, Option<String>>(2)?))
                    })?
                    .collect()
            })
            .await
    }

    /// Keeps the lines of a piece.
    pub(crate) async fn add_piece(
        &self,
        piece: Address,
        lines: Arc<Vec<Line>>,
    ) -> Result<(), Error> {
        self.database
            .call("keep a piece", move |connection| {
                let transaction = connection.transaction()?;
                let added = transaction.execute(
                    "INSERT OR IGNORE INTO piece (address) VALUES (?1)",
                    [piece.as_bytes()],
                )?;
                if added == 1 {
                    let id = transaction.last_insert_rowid();
                    let mut insert_line = transaction.prepare_cached(
                        "INSERT INTO line (piece, kind, name, version, part, documents, gaps)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?;
                    let mut insert_file =
                        transaction.prepare_cached("INSERT INTO file VALUES (?1, ?2, ?3, ?4)")?;
                    for line in lines.iter() {
                        insert_line.execute(params![
                            id,
                            line.kind,
                            line.name,
                            line.version,
                            line.part,
                            line.documents.len() as i64,
                            line.gaps.len() as i64
                        ])?;
                        let row = transaction.last_insert_rowid();
                        for file in &line.files {
                            let digest = file
                                .content
                                .as_ref()
                                .map(|content| *content.sha256.as_bytes());
                            insert_file.execute(params![
                                row,
                                file.path.as_str(),
                                signed(file.size()),
                                digest
                            ])?;
                        }
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// The pieces of a snapshot with a line that has a gap, in order.
    pub(crate) async fn pieces_with_gaps(
        &self,
        snapshot: SnapshotId,
    ) -> Result<Vec<Address>, Error> {
        self.database
            .call("look gaps up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT piece.address FROM held JOIN piece ON piece.id = held.piece WHERE held.snapshot = ?1
                     AND EXISTS (SELECT 1 FROM line WHERE line.piece = piece.id AND line.gaps > 0) ORDER BY held.position",
                )?;
                query
                    .query_map([snapshot.to_string()], |row| row.get(0).map(Address::from_bytes))?
                    .collect()
            })
            .await
    }

    /// Remembers which pieces a snapshot has, in order.
    pub(crate) async fn hold(
        &self,
        snapshot: SnapshotId,
        pieces: Vec<Address>,
    ) -> Result<(), Error> {
        self.database
            .call("keep a snapshot", move |connection| {
                let transaction = connection.transaction()?;
                let id = snapshot.to_string();
                transaction.execute("DELETE FROM held WHERE snapshot = ?1", [&id])?;
                {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO held SELECT ?1, ?2, piece.id FROM piece WHERE piece.address = ?3",
                    )?;
                    for (position, piece) in pieces.iter().enumerate() {
                        insert.execute(params![id, position as i64, piece.as_bytes()])?;
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// Whether the lines of a snapshot are kept.
    pub(crate) async fn holds(&self, snapshot: SnapshotId) -> Result<bool, Error> {
        self.database
            .call("look a snapshot up", move |connection| {
                connection
                    .query_row(
                        "SELECT 1 FROM held WHERE snapshot = ?1 LIMIT 1",
                        [snapshot.to_string()],
                        |_| Ok(()),
                    )
                    .optional()
                    .map(|row| row.is_some())
            })
            .await
    }

    /// Lines of a snapshot with the sizes and digests of their files, in order, from the line number `from` on, at most
    /// `limit`. Empty where the catalogue does not hold the snapshot's lines.
    pub async fn lines(
        &self,
        snapshot: SnapshotId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<HeldLine>, Error> {
        self.database
            .call("list lines", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT line.id, kind, name, version, part, documents, gaps FROM held
                     JOIN line ON line.piece = held.piece WHERE held.snapshot = ?1
                     ORDER BY held.position, line.id LIMIT ?2 OFFSET ?3",
                )?;
                let mut files = connection.prepare_cached(
                    "SELECT path, size, sha256 FROM file WHERE line = ?1 ORDER BY rowid",
                )?;
                let mut rows = query.query(params![snapshot.to_string(), limit, signed(from)])?;
                let mut lines = Vec::new();
                while let Some(row) = rows.next()? {
                    let id: i64 = row.get(0)?;
                    let files = files.query_map([id], |row| {
                        Ok(HeldFile {
                            path: row.get(0)?,
                            size: row.get::<_, i64>(1)?.unsigned_abs(),
                            sha256: row
                                .get::<_, Option<[u8; 32]>>(2)?
                                .map(crate::Digest::from_bytes),
                        })
                    })?;
                    lines.push(HeldLine {
                        key: LineKey {
                            kind: row.get(1)?,
                            name: row.get(2)?,
                            version: row.get(3)?,
                            part: row.get(4)?,
                        },
                        documents: row.get(5)?,
                        gaps: row.get(6)?,
                        files: files.collect::<rusqlite::Result<_>>()?,
                    });
                }
                Ok(lines)
            })
            .await
    }
}
