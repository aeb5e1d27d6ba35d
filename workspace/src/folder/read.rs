//! Reading a file of a folder in pieces, and knowing that it stayed the same meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use rustix::fs::{FileType, Mode, OFlags};
use tokio::sync::mpsc;

use super::beneath::Beneath;
use super::{blocking, walk};
use crate::{ByteStream, Entry, Error, SourceFile};

/// Bytes read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that wait for whoever takes them.
const PIECES_WAITING: usize = 2;

/// The bytes of a file as it was listed; directories and links have none.
pub(super) async fn bytes(beneath: Arc<Beneath>, file: SourceFile) -> Result<ByteStream, Error> {
    if file.entry != Entry::File {
        return Ok(stream::empty().boxed());
    }
    if file.size.is_some_and(|size| size <= PIECE_BYTES as u64) {
        let piece = blocking(move || whole(&beneath, &file)).await;
        return Ok(stream::iter([piece]).boxed());
    }
    let opened = {
        let beneath = Arc::clone(&beneath);
        let file = file.clone();
        blocking(move || open(&beneath, &file)).await?
    };
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send(&beneath, &file, opened, &sender) {
            // Whoever listens no more needs no error.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Ok(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
    .boxed())
}

/// Opens a file and checks that it is the listed one. Without waiting: a pipe would wait for a writer for ever.
fn open(beneath: &Beneath, file: &SourceFile) -> Result<File, Error> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let path = file.path.as_str();
    let opened = beneath
        .parent(&file.path)
        .and_then(|(at, name)| Ok(rustix::fs::openat(&at, name, flags, Mode::empty())?))
        .map_err(|error| beneath.failed("Reading", path, error))?;
    let stat =
        rustix::fs::fstat(&opened).map_err(|error| beneath.failed("Reading", path, error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::Unsupported {
            what: format!("Reading `{path}`, a device, pipe or socket,"),
        });
    }
    let opened = File::from(opened);
    same(beneath, file, &opened)?;
    Ok(opened)
}

/// A file of one piece, read in one go.
fn whole(beneath: &Beneath, file: &SourceFile) -> Result<Bytes, Error> {
    let opened = open(beneath, file)?;
    let size = file.size.unwrap_or_default();
    let mut piece = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    io::Read::by_ref(&mut &opened)
        .take(size + 1)
        .read_to_end(&mut piece)
        .map_err(|error| beneath.failed("Reading", file.path.as_str(), error))?;
    if piece.len() as u64 != size {
        return Err(changed(file));
    }
    same(beneath, file, &opened)?;
    Ok(Bytes::from(piece))
}

fn send(
    beneath: &Beneath,
    file: &SourceFile,
    mut opened: File,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    let mut total = 0_u64;
    loop {
        let left = file.size.map_or(PIECE_BYTES as u64, |size| size - total);
        let room = left.clamp(1, PIECE_BYTES as u64);
        let mut piece = Vec::with_capacity(usize::try_from(room).unwrap_or(PIECE_BYTES));
        let read = io::Read::by_ref(&mut opened)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .map_err(|error| beneath.failed("Reading", file.path.as_str(), error))?;
        if read == 0 {
            break;
        }
        total += read as u64;
        // A file that grows without end is not read without end.
        if file.size.is_some_and(|size| total > size) {
            return Err(changed(file));
        }
        if sender.blocking_send(Ok(Bytes::from(piece))).is_err() {
            return Ok(());
        }
    }
    if file.size.is_some_and(|size| total != size) {
        return Err(changed(file));
    }
    same(beneath, file, &opened)
}

/// Refuses a file that is not what the listing said.
fn same(beneath: &Beneath, file: &SourceFile, opened: &File) -> Result<(), Error> {
    let stat = rustix::fs::fstat(opened)
        .map_err(|error| beneath.failed("Reading", file.path.as_str(), error))?;
    let size = u64::try_from(stat.st_size).ok();
    if file.size.is_some_and(|listed| Some(listed) != size)
        || walk::validators(&stat).last_modified != file.validators.last_modified
    {
        return Err(changed(file));
    }
    Ok(())
}

fn changed(file: &SourceFile) -> Error {
    Error::Changed {
        path: file.path.to_string(),
    }
}
