//! A bag that comes as a tar (RFC 8493 section 4): one folder at its top, read once from front to back.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use super::checksum::Algorithm;
use super::judge::{Judge, Judgement};
use super::{ReadError, Reading, path};

/// How much is read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// The checksums of payload, whose manifests come after it: those that RFC 8493 asks every reader to know.
const PAYLOAD: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// Reads a bag from a tar and judges it, and the tar with it; the source is read to its end. Blocks.
///
/// # Errors
/// [`ReadError::Read`] where the source itself cannot be read: a tar that is broken is a [`Judgement`].
pub fn read_tar(source: impl Read, reading: Reading<'_>) -> Result<Judgement, ReadError> {
    let failure = Rc::new(RefCell::new(None));
    let mut archive = tar::Archive::new(Watched {
        source,
        failure: Rc::clone(&failure),
    });
    let mut judge = Judge::new(reading);
    let whole = members(&mut archive, &mut judge);
    let whole = match whole {
        Ok(going) => {
            // The end of a tar is two blocks of zeros, and zeros up to the end of a record.
            going && rest(archive.into_inner(), &mut judge)?
        }
        Err(End::Limit(error)) => return Err(error),
        Err(End::Broken(error)) => {
            if let Some(source) = failure.borrow_mut().take() {
                return Err(unread(source));
            }
            judge.error("", format!("is a broken tar: {error}"));
            return Ok(judge.judgement);
        }
    };
    match whole {
        true => Ok(judge.finish()),
        false => Ok(judge.judgement),
    }
}

fn unread(source: io::Error) -> ReadError {
    ReadError::Read {
        path: "the tar".to_owned(),
        source,
    }
}

enum End {
    Broken(io::Error),
    Limit(ReadError),
}

/// Reads the members; whether they were all read.
fn members<R: Read>(archive: &mut tar::Archive<R>, judge: &mut Judge<'_>) -> Result<bool, End> {
    let mut top: Option<String> = None;
    let mut buffer = vec![0; PIECE_BYTES];
    for member in archive.entries().map_err(End::Broken)? {
        let mut member = member.map_err(End::Broken)?;
        let sort = member.header().entry_type();
        let full = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let Some(path) = below(&full, &mut top, judge) else {
            continue;
        };
        if sort.is_dir() || path.is_empty() {
            continue;
        }
        if !sort.is_file() {
            judge.error(&path, "is neither a file nor a folder");
            continue;
        }
        let algorithms = match path::is_payload(&path) {
            true => &PAYLOAD[..],
            false => &Algorithm::ALL[..],
        };
        let Some(passing) = judge.begin(&path, algorithms).map_err(End::Limit)? else {
            continue;
        };
        let goes_on = judge.pass(passing, &mut member, &mut buffer);
        if !goes_on.map_err(End::Broken)? {
            return Ok(false);
        }
    }
    if top.is_none() {
        judge.error("", "is an empty tar");
    }
    Ok(true)
}

/// A member's path below the bag; `None` where it is not to be looked at.
fn below(full: &str, top: &mut Option<String>, judge: &mut Judge<'_>) -> Option<String> {
    let trimmed = full.strip_suffix('/').unwrap_or(full);
    let Ok((inside, _)) = path::parse(trimmed) else {
        judge.error(full, "leads out of the tar");
        return None;
    };
    let (first, rest) = inside.split_once('/').unwrap_or((&inside, ""));
    match top {
        Some(top) if top != first => {
            judge.error(&inside, "lies beside the bag's folder");
            return None;
        }
        Some(_) => {}
        None => *top = Some(first.to_owned()),
    }
    if rest.is_empty() && !full.ends_with('/') {
        judge.error(&inside, "lies beside the bag's folder");
        return None;
    }
    Some(rest.to_owned())
}

/// Reads what comes after the tar's end; whether to go on.
fn rest(mut source: impl Read, judge: &mut Judge<'_>) -> Result<bool, ReadError> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut told = false;
    loop {
        let read = source.read(&mut buffer).map_err(unread)?;
        if read == 0 {
            return Ok(true);
        }
        if !told && buffer[..read].iter().any(|byte| *byte != 0) {
            told = true;
            judge.error("", "has bytes after the end of the tar");
        }
        if !judge.goes_on(read as u64) {
            return Ok(false);
        }
    }
}

/// Remembers the source's own failure, which the tar reader wraps.
struct Watched<R> {
    source: R,
    failure: Rc<RefCell<Option<io::Error>>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let again = io::Error::new(error.kind(), error.to_string());
                *self.failure.borrow_mut() = Some(again);
            }
        })
    }
}
