//! The seal beside the tar: its tag files, its table, and where in the tar each file lies, so that one of them is read without
//! the rest. Of an encrypted export all of that is in one tar that its key opens; of a plain one each is a file, but for what
//! lies in folders, which is a tar.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use archive_format::{Encryption, Pair, Recipient};

use super::cut::Cut;
use super::deposit::deposit_made;
use super::ledger::Ledger;
use super::press::Pressed;
use super::record::{Record, Table};
use super::seal::StoredFile;
use super::{Work, signing, tar};
use crate::Error;

/// The table of the payload in the seal.
const INDEX: &str = "index.csv";
/// Where each file lies in the tar.
const MEMBERS: &str = "members.jsonl";
/// The signature over the tag files.
pub const SIGNATURE: &str = "bag.sig.json";
/// The question for a time stamp of that signature, and the answer.
pub const QUESTION: &str = "timestamp.tsq";
/// See [`QUESTION`].
pub const ANSWER: &str = "timestamp.tsr";
/// What lies in folders, of a plain export.
const SIGNATURES: &str = "signatures.tar";

type Shared = Arc<Mutex<Ledger>>;

/// Something of the seal.
#[derive(Clone, Debug)]
enum Part {
    /// A tag file of the bag.
    Tag(Box<Record>),
    /// A table.
    Table(&'static str, Table),
}

impl Part {
    fn name(&self) -> &str {
        match self {
            Self::Tag(record) => &record.path,
            Self::Table(name, _) => name,
        }
    }

    /// Where each file of the tar lies is said of its tag files too, which are no payload.
    fn length(&self, ledger: &mut Ledger) -> io::Result<u64> {
        match self {
            Self::Tag(record) => Ok(record.size),
            Self::Table(_, table) => {
                let mut length = ledger.length(*table);
                if *table == Table::Members {
                    ledger.each_tag(|record| {
                        length += table.line(&record).len() as u64;
                        Ok(())
                    })?;
                }
                Ok(length)
            }
        }
    }

    fn write(&self, ledger: &mut Ledger, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Tag(record) => ledger.write_tag(record, out),
            Self::Table(_, table) => {
                ledger.write(*table, out)?;
                if *table == Table::Members {
                    ledger.each_tag(|record| out.write_all(table.line(&record).as_bytes()))?;
                }
                Ok(())
            }
        }
    }
}

/// Writes the signature over the tag files and, where an authority is to be asked, the question for its time stamp.
pub(super) async fn signature(
    work: &Work<'_>,
    bundle: Option<String>,
) -> Result<Vec<StoredFile>, Error> {
    let mut files = Vec::new();
    let Some(bundle) = bundle else {
        return Ok(files);
    };
    let query = match &work.request.timestamp_url {
        Some(_) => Some(signing::question(bundle.as_bytes())?),
        None => None,
    };
    let texts = [(SIGNATURE, Some(bundle.into_bytes())), (QUESTION, query)];
    for (name, bytes) in texts {
        if let Some(bytes) = bytes {
            let made = move |mut cut: Cut| cut.write_all(&bytes).map(|()| cut);
            files.push(file(work, name, made).await?);
        }
    }
    Ok(files)
}

/// Writes the files of the seal but for its record.
pub(super) async fn files(work: &Work<'_>, pressed: Pressed) -> Result<Vec<StoredFile>, Error> {
    let ledger: Shared = Arc::new(Mutex::new(pressed.ledger));
    let recipient = work.pair.as_ref().map(Pair::to_recipient);
    let mut files = Vec::new();
    if let Some(recipient) = recipient {
        let made = move |cut| sealed_tar(&ledger, &recipient, cut);
        files.push(file(work, "tags.tar.age", made).await?);
        return Ok(files);
    }
    let (parts, nested) = {
        let ledger = Arc::clone(&ledger);
        let look = tokio::task::spawn_blocking(move || top_parts(&ledger));
        look.await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| Error::export("the seal", error))?
    };
    for part in parts {
        let name = format!("tags/{}", part.name());
        let ledger = Arc::clone(&ledger);
        let made = move |mut cut: Cut| {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            part.write(&mut ledger, &mut cut)?;
            Ok(cut)
        };
        files.push(file(work, &name, made).await?);
    }
    if nested {
        let made = move |mut cut: Cut| {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let parts = tags(&mut ledger, |path| path.contains('/'))?;
            write_tar(&mut ledger, &parts, &mut cut)?;
            Ok(cut)
        };
        files.push(file(work, &format!("tags/{SIGNATURES}"), made).await?);
    }
    Ok(files)
}

async fn file(
    work: &Work<'_>,
    name: &str,
    made: impl FnOnce(Cut) -> io::Result<Cut> + Send + 'static,
) -> Result<StoredFile, Error> {
    let storage = Arc::clone(&work.destination.storage);
    let whole = format!("{}.seal/{name}", work.request.name);
    let stored = deposit_made(storage, whole, made).await?;
    Ok(StoredFile {
        name: name.to_owned(),
        ..stored
    })
}

/// What lies in no folder, and whether anything else is there.
fn top_parts(ledger: &Shared) -> io::Result<(Vec<Part>, bool)> {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let mut parts = tags(&mut ledger, |path| !path.contains('/'))?;
    parts.push(Part::Table(INDEX, Table::Index));
    parts.push(Part::Table(MEMBERS, Table::Members));
    let nested = !tags(&mut ledger, |path| path.contains('/'))?.is_empty();
    Ok((parts, nested))
}

fn tags(ledger: &mut Ledger, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    ledger.each_tag(|record| {
        if wanted(&record.path) {
            parts.push(Part::Tag(Box::new(record)));
        }
        Ok(())
    })?;
    Ok(parts)
}

fn sealed_tar(ledger: &Shared, recipient: &Recipient, cut: Cut) -> io::Result<Cut> {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = Encryption::begin(&[recipient], cut).map_err(io::Error::other)?;
    let mut parts = tags(&mut ledger, |_| true)?;
    parts.push(Part::Table(INDEX, Table::Index));
    parts.push(Part::Table(MEMBERS, Table::Members));
    write_tar(&mut ledger, &parts, &mut out)?;
    out.finish()
}

fn write_tar(ledger: &mut Ledger, parts: &[Part], out: &mut dyn Write) -> io::Result<()> {
    for part in parts {
        let length = part.length(ledger)?;
        out.write_all(&tar::header(part.name(), length))?;
        part.write(ledger, out)?;
        out.write_all(&vec![0; tar::padding(length)])?;
    }
    out.write_all(&tar::end())
}
