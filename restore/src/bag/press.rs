//! The worker that makes one stream of bytes of a bag: tar, digests, encryption, parts. It runs on a thread of its own and is
//! fed and emptied through channels that hold a few pieces, so that memory stays the same whatever the size of a file.

use std::io::{self, Write};

use archive_format::{Encryption, Recipient};
use bytes::Bytes;
use sha2::{Digest, Sha256, Sha512};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::cut::{Cut, Piece};
use super::ledger::Ledger;
use super::record::{Record, Table};
use super::tar;
use crate::Error;

/// How many steps wait at once: most are pieces of files of up to a mebibyte.
const STEPS_MAX: usize = 8;

/// What the worker is told.
#[derive(Debug)]
enum Step {
    /// A file begins; its size is in the record.
    Begin(Box<Record>),
    /// Bytes of it.
    Bytes(Bytes),
    /// It ends.
    End,
    /// A whole small file.
    Text(Box<Record>, Bytes),
    /// Something without bytes.
    Note(Box<Record>),
    /// A row of what was left out.
    Exclude(String),
    /// A table as a file: of the payload, or a tag file.
    Table(Box<Record>, Table),
    /// The digests of all tag files so far, as two tag files.
    TagManifests,
    /// What was written so far.
    Sum(oneshot::Sender<Sum>),
    /// The end.
    Finish,
}

/// What was written so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    /// Bytes of the payload.
    pub(crate) octets: u64,
    /// Its files.
    pub(crate) files: u64,
    /// How many things were left out.
    pub(crate) excluded: u64,
    /// Tag files beside the bag's `data`, with their SHA-256.
    pub(crate) tags: Vec<(String, String)>,
}

/// A whole tar.
#[derive(Debug)]
pub(crate) struct Pressed {
    /// Its length before encryption.
    pub(crate) size: u64,
    /// Its SHA-256 before encryption, in hex.
    pub(crate) sha256: String,
    /// What is known of everything in it.
    pub(crate) ledger: Ledger,
    /// Its tag files with their SHA-256, those below folders left out.
    pub(crate) tags: Vec<(String, String)>,
}

/// The worker, as whoever feeds it has it.
#[derive(Debug)]
pub(crate) struct Press {
    steps: mpsc::Sender<Step>,
    work: Option<JoinHandle<io::Result<Pressed>>>,
}

impl Press {
    /// Begins a bag of this name. `recipient`: for whom the tar is encrypted; none leaves it plain.
    pub(crate) fn begin(
        name: &str,
        recipient: Option<Recipient>,
        part_bytes: Option<u64>,
        ledger: Ledger,
        out: mpsc::Sender<Piece>,
    ) -> Result<Self, Error> {
        let cut = Cut::new(out, part_bytes);
        let gate =
            Gate::new(recipient.as_ref(), cut).map_err(|error| Error::export("the bag", error))?;
        let (steps, incoming) = mpsc::channel(STEPS_MAX);
        let worker = Worker {
            root: format!("{name}/"),
            tar: TarStream {
                gate,
                offset: 0,
                sha256: Sha256::new(),
            },
            ledger,
            tags: Vec::new(),
            open: None,
        };
        let work = tokio::task::spawn_blocking(move || worker.run(incoming));
        Ok(Self {
            steps,
            work: Some(work),
        })
    }

    pub(crate) async fn file(&mut self, record: Record) -> Result<(), Error> {
        self.step(Step::Begin(Box::new(record))).await
    }

    pub(crate) async fn bytes(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.step(Step::Bytes(bytes)).await
    }

    pub(crate) async fn end_of_file(&mut self) -> Result<(), Error> {
        self.step(Step::End).await
    }

    pub(crate) async fn text(&mut self, record: Record, text: String) -> Result<(), Error> {
        let text = Bytes::from(text.into_bytes());
        self.step(Step::Text(Box::new(record), text)).await
    }

    pub(crate) async fn note(&mut self, record: Record) -> Result<(), Error> {
        self.step(Step::Note(Box::new(record))).await
    }

    pub(crate) async fn exclude(&mut self, row: String) -> Result<(), Error> {
        self.step(Step::Exclude(row)).await
    }

    pub(crate) async fn table(&mut self, path: &str, table: Table) -> Result<(), Error> {
        let record = Record::of_bag(path);
        self.step(Step::Table(Box::new(record), table)).await
    }

    pub(crate) async fn tag_manifests(&mut self) -> Result<(), Error> {
        self.step(Step::TagManifests).await
    }

    pub(crate) async fn sum(&mut self) -> Result<Sum, Error> {
        let (answer, sum) = oneshot::channel();
        self.step(Step::Sum(answer)).await?;
        match sum.await {
            Ok(sum) => Ok(sum),
            Err(_) => Err(self.failure().await),
        }
    }

    pub(crate) async fn finish(mut self) -> Result<Pressed, Error> {
        self.step(Step::Finish).await?;
        match self.work.take() {
            Some(work) => ended(work.await),
            None => Err(stopped()),
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), Error> {
        match self.steps.send(step).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Why the worker ended before it was told to.
    async fn failure(&mut self) -> Error {
        match self.work.take() {
            Some(work) => ended(work.await).err().unwrap_or_else(stopped),
            None => stopped(),
        }
    }
}

fn ended(ended: Result<io::Result<Pressed>, tokio::task::JoinError>) -> Result<Pressed, Error> {
    ended
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| Error::export("the bag", error))
}

fn stopped() -> Error {
    Error::export("the bag", "its worker ended")
}

/// Plain or encrypted.
enum Gate {
    Plain(Cut),
    Sealed(Box<Encryption<Cut>>),
}

impl Gate {
    fn new(recipient: Option<&Recipient>, cut: Cut) -> Result<Self, archive_format::Error> {
        Ok(match recipient {
            None => Self::Plain(cut),
            Some(recipient) => Self::Sealed(Box::new(Encryption::begin(&[recipient], cut)?)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(cut) => cut.write_all(bytes),
            Self::Sealed(encryption) => encryption.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(cut) => cut.finish(),
            Self::Sealed(encryption) => encryption.finish()?.finish(),
        }
    }
}

/// The tar before encryption.
struct TarStream {
    gate: Gate,
    offset: u64,
    sha256: Sha256,
}

impl Write for TarStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha256.update(bytes);
        self.gate.write(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
struct Open {
    record: Record,
    written: u64,
    sha256: Sha256,
    sha512: Sha512,
}

impl Open {
    fn take(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        self.sha256.update(bytes);
        self.sha512.update(bytes);
    }

    fn closed(self) -> io::Result<Record> {
        if self.written != self.record.size {
            return Err(io::Error::other(format!(
                "`{}` has {} bytes, and {} were announced",
                self.record.path, self.written, self.record.size
            )));
        }
        Ok(Record {
            sha256: hex::encode(self.sha256.finalize()),
            sha512: hex::encode(self.sha512.finalize()),
            ..self.record
        })
    }
}

struct Worker {
    /// The bag's folder with its slash.
    root: String,
    tar: TarStream,
    ledger: Ledger,
    tags: Vec<(String, String)>,
    open: Option<Open>,
}

impl Worker {
    fn run(mut self, mut steps: mpsc::Receiver<Step>) -> io::Result<Pressed> {
        loop {
            match steps.blocking_recv() {
                Some(Step::Begin(record)) => self.begin(*record)?,
                Some(Step::Bytes(bytes)) => self.bytes(&bytes)?,
                Some(Step::End) => self.end(None)?,
                Some(Step::Text(mut record, text)) => {
                    record.size = text.len() as u64;
                    self.begin(*record)?;
                    self.bytes(&text)?;
                    self.end(Some(&text))?;
                }
                Some(Step::Note(record)) => self.ledger.payload(&record)?,
                Some(Step::Exclude(row)) => self.ledger.exclude(&row)?,
                Some(Step::Table(record, table)) => self.table(*record, table)?,
                Some(Step::TagManifests) => self.tag_manifests()?,
                Some(Step::Sum(answer)) => {
                    let sum = Sum {
                        octets: self.ledger.octets,
                        files: self.ledger.files,
                        excluded: self.ledger.excluded,
                        tags: self.tags.clone(),
                    };
                    // Whoever asked may have given up.
                    let _ = answer.send(sum);
                }
                Some(Step::Finish) => return self.finish(),
                None => return Err(io::Error::other("the export was given up")),
            }
        }
    }

    fn begin(&mut self, mut record: Record) -> io::Result<()> {
        if self.open.is_some() {
            return Err(io::Error::other("a file begins within another"));
        }
        let header = tar::header(&format!("{}{}", self.root, record.path), record.size);
        self.tar.write_all(&header)?;
        record.offset = self.tar.offset;
        self.open = Some(Open {
            record,
            written: 0,
            sha256: Sha256::new(),
            sha512: Sha512::new(),
        });
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let open = self.open.as_mut();
        open.ok_or_else(|| io::Error::other("bytes of no file"))?
            .take(bytes);
        self.tar.write_all(bytes)
    }

    /// Ends a file. The text of a tag file is kept for the seal.
    fn end(&mut self, text: Option<&[u8]>) -> io::Result<()> {
        let open = self.open.take();
        let record = open
            .ok_or_else(|| io::Error::other("no file ends"))?
            .closed()?;
        self.tar.write_all(&vec![0; tar::padding(record.size)])?;
        if record.path.starts_with("data/") {
            return self.ledger.payload(&record);
        }
        if !record.path.contains('/') {
            self.tags.push((record.path.clone(), record.sha256.clone()));
        }
        self.ledger.tag(record, text)
    }

    fn table(&mut self, mut record: Record, table: Table) -> io::Result<()> {
        record.size = self.ledger.length(table);
        record.table = Some(table);
        self.begin(record)?;
        let Self {
            tar, ledger, open, ..
        } = self;
        if let Some(open) = open {
            ledger.write(table, &mut Tee { open, tar })?;
        }
        self.end(None)
    }

    fn tag_manifests(&mut self) -> io::Result<()> {
        let (mut sha256, mut sha512) = (String::new(), String::new());
        self.ledger.each_tag(|record| {
            sha256.push_str(&Table::Sha256.line(&record));
            sha512.push_str(&Table::Sha512.line(&record));
            Ok(())
        })?;
        for (name, text) in [
            ("tagmanifest-sha256.txt", sha256),
            ("tagmanifest-sha512.txt", sha512),
        ] {
            let record = Record {
                size: text.len() as u64,
                ..Record::of_bag(name)
            };
            self.begin(record)?;
            self.bytes(text.as_bytes())?;
            self.end(Some(text.as_bytes()))?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Pressed> {
        self.tar.write_all(&tar::end())?;
        let pressed = Pressed {
            size: self.tar.offset,
            sha256: hex::encode(self.tar.sha256.finalize()),
            ledger: self.ledger,
            tags: self.tags,
        };
        self.tar.gate.finish()?;
        Ok(pressed)
    }
}

/// Writes into the tar, and counts into the file that is open.
struct Tee<'a> {
    open: &'a mut Open,
    tar: &'a mut TarStream,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.take(bytes);
        self.tar.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
