//! What is remembered of a bag while it is written: records of its payload and of its tag files, the texts of the latter, and
//! what was left out. Tables are made of it at the end, as often as they are needed, a line at a time.

use std::io::{self, BufRead, Write};
use std::path::Path;

use super::record::{Record, Table};
use super::spool::Spool;

/// A record's line is never longer: paths are bounded by the format.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What is remembered.
#[derive(Debug)]
pub(crate) struct Ledger {
    payload: Spool,
    tags: Spool,
    texts: Spool,
    exclusions: Spool,
    /// How long each table of the payload is so far, with its head.
    lengths: [u64; 4],
    /// Bytes and files of the payload.
    pub(crate) octets: u64,
    pub(crate) files: u64,
    /// How many things were left out.
    pub(crate) excluded: u64,
}

impl Ledger {
    /// An empty one, with its files in this folder.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let spool = |part: &str| Spool::create(folder, &format!("{name}.{part}"));
        let mut exclusions = spool("exclusions")?;
        exclusions.append(Table::Exclusions.head().as_bytes())?;
        Ok(Self {
            payload: spool("payload")?,
            tags: spool("tags")?,
            texts: spool("texts")?,
            exclusions,
            lengths: Table::OF_PAYLOAD.map(|table| table.head().len() as u64),
            octets: 0,
            files: 0,
            excluded: 0,
        })
    }

    /// Notes something of the payload.
    pub(crate) fn payload(&mut self, record: &Record) -> io::Result<()> {
        for (table, length) in Table::OF_PAYLOAD.iter().zip(&mut self.lengths) {
            *length += table.line(record).len() as u64;
        }
        if !record.path.is_empty() {
            self.octets += record.size;
            self.files += 1;
        }
        append(&mut self.payload, record)
    }

    /// Notes a tag file, whose text is kept where it is no table.
    pub(crate) fn tag(&mut self, mut record: Record, text: Option<&[u8]>) -> io::Result<()> {
        if let Some(text) = text {
            record.text_at = Some(self.texts.bytes());
            self.texts.append(text)?;
        }
        append(&mut self.tags, &record)
    }

    /// Notes something that is not in the bag.
    pub(crate) fn exclude(&mut self, row: &str) -> io::Result<()> {
        self.excluded += 1;
        self.exclusions.append(row.as_bytes())
    }

    /// How long a table is now.
    pub(crate) fn length(&self, table: Table) -> u64 {
        match Table::OF_PAYLOAD.iter().position(|other| *other == table) {
            Some(place) => self.lengths[place],
            None => self.exclusions.bytes(),
        }
    }

    /// Writes a table as it is now.
    pub(crate) fn write(&mut self, table: Table, out: &mut dyn Write) -> io::Result<()> {
        if table == Table::Exclusions {
            return io::copy(&mut self.exclusions.read_from(0)?, out).map(drop);
        }
        out.write_all(table.head().as_bytes())?;
        each(&mut self.payload, |record| {
            out.write_all(table.line(&record).as_bytes())
        })
    }

    /// Looks at every tag file, in the order in which they were written.
    pub(crate) fn each_tag(
        &mut self,
        take: impl FnMut(Record) -> io::Result<()>,
    ) -> io::Result<()> {
        each(&mut self.tags, take)
    }

    /// Writes the text of a tag file.
    pub(crate) fn write_tag(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        match (record.table, record.text_at) {
            (Some(table), _) => self.write(table, out),
            (None, Some(at)) => {
                let mut text = io::Read::take(self.texts.read_from(at)?, record.size);
                io::copy(&mut text, out).map(drop)
            }
            (None, None) => Err(io::Error::other("the text of a tag file was not kept")),
        }
    }
}

fn append(spool: &mut Spool, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    spool.append(&line)
}

fn each(spool: &mut Spool, mut take: impl FnMut(Record) -> io::Result<()>) -> io::Result<()> {
    let mut lines = spool.read_from(0)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read =
            io::Read::take(&mut lines, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        take(serde_json::from_slice(&line)?)?;
    }
}
