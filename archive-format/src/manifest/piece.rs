//! Pieces: the sorted lines of a manifest, cut at line ends where a hash of the line's key says so.
//!
//! The hash covers the key alone, so that a line whose content changed is cut at the same place, and a change touches
//! one piece. A line is an end with a probability of its length in 64 KiB, so that pieces are about that long whatever
//! their lines are.

use sha2::{Digest, Sha256};

use super::{Line, LineKey};
use crate::Error;
use crate::magic::{PIECE_BYTES, PIECE_BYTES_MAX};

/// Whether a piece ends after this line.
fn ends(key: &LineKey, line_bytes: usize) -> bool {
    let hash: [u8; 32] = Sha256::digest(key.sort_bytes()).into();
    let [a, b, c, d, ..] = hash;
    u64::from(u32::from_be_bytes([a, b, c, d])) * PIECE_BYTES < (line_bytes as u64) << 32
}

/// A piece that is whole.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) first: LineKey,
    pub(crate) count: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Gathers lines, which must come sorted, into pieces.
#[derive(Debug, Default)]
pub(crate) struct PieceCutter {
    first: Option<LineKey>,
    last: Option<LineKey>,
    count: u64,
    bytes: Vec<u8>,
}

impl PieceCutter {
    /// Adds a line with its line end; gives the piece that it ends.
    pub(crate) fn push(&mut self, key: LineKey, line: &[u8]) -> Result<Option<Piece>, Error> {
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(Error::Line {
                key,
                reason: "it is out of order".to_owned(),
            });
        }
        // A forced end comes before the line that would make the piece too long.
        let forced = if self.bytes.len() + line.len() > PIECE_BYTES_MAX {
            self.finish()
        } else {
            None
        };
        self.bytes.extend_from_slice(line);
        self.count += 1;
        self.first.get_or_insert_with(|| key.clone());
        let end = ends(&key, line.len());
        self.last = Some(key);
        // At most one of both: a forced end leaves one line, and a lone line that also ends waits for the next push.
        Ok(match (forced, end) {
            (None, true) => self.finish(),
            (forced, _) => forced,
        })
    }

    /// What is gathered and not yet given.
    pub(crate) fn finish(&mut self) -> Option<Piece> {
        let first = self.first.take()?;
        Some(Piece {
            first,
            count: std::mem::take(&mut self.count),
            bytes: std::mem::take(&mut self.bytes),
        })
    }
}

/// Reads a piece: every line canonical, within its limit, and after the one before.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let refused = |reason: &str| Error::Json {
        what: "a piece of a manifest".to_owned(),
        reason: reason.to_owned(),
    };
    if bytes.len() > PIECE_BYTES_MAX {
        return Err(refused("it is longer than 256 KiB"));
    }
    let Some(bytes) = bytes.strip_suffix(b"\n") else {
        return Err(refused("its last line does not end"));
    };
    let mut lines: Vec<Line> = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = Line::from_bytes(line)?;
        if lines
            .last()
            .is_some_and(|last| last.sort_key() >= line.sort_key())
        {
            return Err(Error::Line {
                key: line.key(),
                reason: "it is out of order or there twice".to_owned(),
            });
        }
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{PieceCutter, parse};
    use crate::magic::{LINE_BYTES_MAX, PIECE_BYTES_MAX};
    use crate::{Error, GapEntry, Line, LineKey};

    fn line(number: usize, reason: &str) -> Line {
        let mut line = Line::new(LineKey::new(
            "jobs",
            format!("job-{number:05}"),
            None::<String>,
        ));
        line.gaps.push(GapEntry {
            file: None,
            reason: reason.to_owned(),
            known: false,
        });
        line
    }

    fn cut(lines: impl Iterator<Item = Line>) -> Vec<Vec<u8>> {
        let mut cutter = PieceCutter::default();
        let mut pieces = Vec::new();
        for line in lines {
            pieces.extend(cutter.push(line.key(), &line.to_bytes().unwrap()).unwrap());
        }
        pieces.extend(cutter.finish());
        pieces.into_iter().map(|piece| piece.bytes).collect()
    }

    #[test]
    fn one_change_touches_one_piece() {
        let text = "x".repeat(900);
        let before = cut((0..3000).map(|number| line(number, &text)));
        let changed =
            cut((0..3000)
                .map(|number| line(number, if number == 1500 { "changed" } else { &text })));
        let new = changed
            .iter()
            .filter(|piece| !before.contains(piece))
            .count();
        assert_eq!(new, 1);
        let average = before.iter().map(Vec::len).sum::<usize>() / before.len();
        assert!((40_000..110_000).contains(&average), "{average}");
        let inserted = cut((0..3000).flat_map(|number| {
            let extra = (number == 700).then(|| {
                let mut extra = line(number, &text);
                extra.name.push('a');
                extra
            });
            [line(number, &text)].into_iter().chain(extra)
        }));
        assert!(
            inserted
                .iter()
                .filter(|piece| !before.contains(piece))
                .count()
                <= 2
        );
    }

    #[test]
    fn a_line_and_a_piece_at_their_limits_are_read_and_one_byte_more_is_refused() {
        let of_length = |number, length: usize| {
            let short = line(number, "").to_bytes().unwrap().len();
            let bytes = line(number, &"x".repeat(length - short))
                .to_bytes()
                .unwrap();
            assert_eq!(bytes.len(), length);
            bytes
        };
        assert_eq!(parse(&of_length(1, LINE_BYTES_MAX)).unwrap().len(), 1);
        assert!(matches!(
            parse(&of_length(1, LINE_BYTES_MAX + 1)),
            Err(Error::Limit { .. })
        ));
        let lines = |last| {
            let full = (0..3).map(|number| of_length(number, LINE_BYTES_MAX));
            full.chain([of_length(3, last)])
                .collect::<Vec<_>>()
                .concat()
        };
        let most = lines(LINE_BYTES_MAX);
        assert_eq!(most.len(), PIECE_BYTES_MAX);
        assert_eq!(parse(&most).unwrap().len(), 4);
        let more = [most, of_length(4, 200)].concat();
        assert!(
            matches!(parse(&more), Err(Error::Json { ref reason, .. }) if reason.contains("256 KiB"))
        );
    }

    #[test]
    fn lines_out_of_order_are_refused() {
        let mut cutter = PieceCutter::default();
        cutter
            .push(line(2, "").key(), &line(2, "").to_bytes().unwrap())
            .unwrap();
        assert!(
            cutter
                .push(line(1, "").key(), &line(1, "").to_bytes().unwrap())
                .is_err()
        );
        let mut bytes = line(2, "").to_bytes().unwrap();
        bytes.extend(line(1, "").to_bytes().unwrap());
        assert!(parse(&bytes).is_err());
        let twice = [
            line(1, "").to_bytes().unwrap(),
            line(1, "").to_bytes().unwrap(),
        ]
        .concat();
        assert!(parse(&twice).is_err());
        assert!(parse(b"").is_err());
        assert!(parse(b"{ \"kind\":\"a\",\"name\":\"b\"}\n").is_err());
    }
}
