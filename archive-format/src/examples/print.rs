//! How the page prints bytes: rows of an offset, up to 16 bytes and what they are; text with its line ends shown.

use std::fmt::Write;

/// Bytes of a row.
const ROW_BYTES: usize = 16;

/// Characters of a row of text.
const ROW_CHARACTERS: usize = 120;

/// Bytes on their way into rows.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    at: usize,
    out: String,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            out: String::new(),
        }
    }

    /// Prints the next bytes, with a note behind the first row.
    pub(super) fn take(&mut self, length: usize, note: &str) {
        let field = &self.bytes[self.at..self.at + length];
        for (number, row) in field.chunks(ROW_BYTES).enumerate() {
            let pairs: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            let note = if number == 0 { note } else { "" };
            let row = format!(
                "{:04x}  {:<47}  {note}",
                self.at + number * ROW_BYTES,
                pairs.join(" ")
            );
            writeln!(self.out, "{}", row.trim_end()).unwrap();
        }
        self.at += length;
    }

    /// Passes over zeros.
    pub(super) fn skip(&mut self, length: usize) {
        let zeros = &self.bytes[self.at..self.at + length];
        assert!(zeros.iter().all(|byte| *byte == 0));
        self.at += length;
    }

    /// The rows. Nothing may be left.
    pub(super) fn end(self) -> String {
        assert_eq!(self.at, self.bytes.len());
        self.out
    }
}

/// Text broken into rows after commas; where it has a line end itself stands `↵`.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap().replace('\n', "↵\n");
    let mut out = String::new();
    for line in text.lines() {
        let mut row = String::new();
        for part in line.split_inclusive(',') {
            if !row.is_empty() && row.len() + part.len() > ROW_CHARACTERS {
                writeln!(out, "{row}").unwrap();
                row.clear();
            }
            row += part;
        }
        writeln!(out, "{row}").unwrap();
    }
    out
}
