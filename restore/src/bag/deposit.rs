//! Brings what a worker makes to the destination, file after file, as it is made.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use archive_format::storage::{Created, FileUse, Incoming};
use archive_format::{FileName, StreamingStorage};
use futures::StreamExt;
use futures::stream;
use tokio::sync::mpsc;

use super::cut::{Cut, Piece};
use super::seal::StoredFile;
use crate::Error;

/// How many pieces wait between the worker and the upload.
pub(crate) const PIECES_MAX: usize = 4;

/// How the files are named.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// The name of the one file, or what stands before the numbers.
    pub(crate) base: String,
    /// Whether there may be several.
    pub(crate) numbered: bool,
}

impl Names {
    fn of(&self, number: usize) -> Result<FileName, Error> {
        let name = match self.numbered {
            true => format!("{}-{number:03}", self.base),
            false => self.base.clone(),
        };
        FileName::new(name.as_str()).map_err(|error| Error::export(name, error))
    }
}

type Pieces = Arc<tokio::sync::Mutex<mpsc::Receiver<Piece>>>;
type Ended = Arc<Mutex<Option<(u64, String)>>>;

/// Creates the files that come out of a worker.
pub(crate) async fn deposit(
    storage: Arc<dyn StreamingStorage>,
    names: Names,
    used: FileUse,
    pieces: mpsc::Receiver<Piece>,
) -> Result<Vec<StoredFile>, Error> {
    let pieces: Pieces = Arc::new(tokio::sync::Mutex::new(pieces));
    let mut files = Vec::new();
    loop {
        let first = pieces.lock().await.recv().await;
        let Some(first) = first else {
            return Ok(files);
        };
        let name = names.of(files.len() + 1)?;
        let ended = Ended::default();
        let bytes = incoming(Arc::clone(&pieces), Arc::clone(&ended), first);
        let failed = |error| Error::export(name.to_string(), error);
        let created = storage.create_streaming(&name, bytes, used).await;
        match created.map_err(|error| Error::export(name.to_string(), error))? {
            Created::New => {}
            Created::Exists => {
                return Err(failed("there is a file of that name at the destination"));
            }
        }
        let whole = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (size, sha256) = whole.ok_or_else(|| failed("it was stored before it was whole"))?;
        files.push(StoredFile {
            name: name.to_string(),
            size,
            sha256,
        });
    }
}

/// The pieces of one file. A worker that gives up ends it with an error, so that no half of it is ever stored as the whole.
fn incoming(pieces: Pieces, ended: Ended, first: Piece) -> Incoming {
    let state = Some((pieces, ended, Some(first)));
    stream::unfold(state, |state| async move {
        let (pieces, ended, first) = state?;
        let piece = match first {
            Some(first) => Some(first),
            None => pieces.lock().await.recv().await,
        };
        match piece {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some((pieces, ended, None)))),
            Some(Piece::End(size, sha256)) => {
                *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some((size, sha256));
                None
            }
            None => Some((Err(io::Error::other(GivenUp)), None)),
        }
    })
    .boxed()
}

/// The worker ended before the file did.
#[derive(Debug, thiserror::Error)]
#[error("the export was given up")]
pub(crate) struct GivenUp;

/// Creates one file that a function writes.
pub(crate) async fn deposit_made(
    storage: Arc<dyn StreamingStorage>,
    name: String,
    make: impl FnOnce(Cut) -> io::Result<Cut> + Send + 'static,
) -> Result<StoredFile, Error> {
    let (out, pieces) = mpsc::channel(PIECES_MAX);
    let made = tokio::task::spawn_blocking(move || make(Cut::new(out, None))?.finish());
    let names = Names {
        base: name.clone(),
        numbered: false,
    };
    let stored = deposit(storage, names, FileUse::Names, pieces).await;
    let made = made
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let stored = stored?;
    made.map_err(|error| Error::export(name.clone(), error))?;
    stored
        .into_iter()
        .next()
        .ok_or_else(|| Error::export(name, "nothing was written"))
}
