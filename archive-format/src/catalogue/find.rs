//! Where something occurs, across all snapshots whose lines the catalogue holds.

use rusqlite::{Row, params};

use super::{Catalogue, HeldFile, Occurrence};
use crate::{Digest, Error, LineKey, SnapshotId};

/// Items by `NAME`, `KIND/NAME` or `KIND/NAME:VERSION`.
const ITEMS: &str = "
    SELECT kind, name, version, NULL, NULL, NULL, held.snapshot FROM line JOIN held ON held.piece = line.piece
    WHERE line.part = 0 AND (name GLOB ?1 OR kind || '/' || name GLOB ?1
        OR kind || '/' || name || ':' || coalesce(version, '') GLOB ?1)
    ORDER BY kind, name, version, held.snapshot";

/// Files by path or by its last part.
const FILES: &str = "
    SELECT kind, name, version, path, size, sha256, held.snapshot FROM file JOIN line ON line.id = file.line
    JOIN held ON held.piece = line.piece WHERE path GLOB ?1 OR path GLOB '*/' || ?1
    ORDER BY kind, name, version, path, sha256, held.snapshot";

/// Files by the beginning of their digest.
const DIGESTS: &str = "
    SELECT kind, name, version, path, size, sha256, held.snapshot FROM file JOIN line ON line.id = file.line
    JOIN held ON held.piece = line.piece WHERE sha256 >= ?1 AND sha256 <= ?2
    ORDER BY kind, name, version, path, sha256, held.snapshot";

/// The fewest digits by which a digest is looked for.
const DIGITS_MIN: usize = 8;

impl Catalogue {
    /// Where items or files occur whose name, path or digest fits: `*` and `?` stand for characters, `[…]` for one of
    /// them; eight and more hexadecimal digits are the beginning of a file's SHA-256. At most `limit` are given.
    pub async fn find(&self, pattern: &str, limit: usize) -> Result<Vec<Occurrence>, Error> {
        let pattern = pattern.to_owned();
        let mut found = self
            .database
            .call("look for it", move |connection| {
                let mut found = Found {
                    limit,
                    all: Vec::new(),
                };
                for sql in [ITEMS, FILES] {
                    let mut query = connection.prepare_cached(sql)?;
                    let mut rows = query.query([&pattern])?;
                    while let Some(row) = rows.next()? {
                        found.add(row)?;
                    }
                }
                if let Some((low, high)) = digest_range(&pattern) {
                    let mut query = connection.prepare_cached(DIGESTS)?;
                    let mut rows = query.query(params![low, high])?;
                    while let Some(row) = rows.next()? {
                        found.add(row)?;
                    }
                }
                Ok(found.all)
            })
            .await?;
        for occurrence in &mut found {
            occurrence.snapshots.sort_unstable();
            occurrence.snapshots.dedup();
        }
        Ok(found)
    }
}

/// What was found so far; rows of one thing follow each other.
struct Found {
    limit: usize,
    all: Vec<Occurrence>,
}

impl Found {
    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let item = LineKey {
            kind: row.get(0)?,
            name: row.get(1)?,
            version: row.get(2)?,
            part: 0,
        };
        let file = match row.get::<_, Option<String>>(3)? {
            None => None,
            Some(path) => Some(HeldFile {
                path,
                size: row.get::<_, i64>(4)?.unsigned_abs(),
                sha256: row.get::<_, Option<[u8; 32]>>(5)?.map(Digest::from_bytes),
            }),
        };
        let Ok(snapshot) = row.get::<_, String>(6)?.parse::<SnapshotId>() else {
            return Ok(());
        };
        let full = self.all.len() >= self.limit;
        match self.all.last_mut() {
            Some(last) if last.item == item && last.file == file => last.snapshots.push(snapshot),
            _ if full => {}
            _ => self.all.push(Occurrence {
                item,
                file,
                snapshots: vec![snapshot],
            }),
        }
        Ok(())
    }
}

/// The digests that begin with these digits.
fn digest_range(pattern: &str) -> Option<([u8; 32], [u8; 32])> {
    let digits = pattern.len();
    let is_hex = pattern.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(DIGITS_MIN..=64).contains(&digits) {
        return None;
    }
    let filled = |with: &str| -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        let text = format!(
            "{}{}",
            pattern.to_ascii_lowercase(),
            with.repeat(64 - digits)
        );
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(bytes)
    };
    Some((filled("0")?, filled("f")?))
}
