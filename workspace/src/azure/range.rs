//! Reading a file of a store range by range, some ranges ahead, and proving at the end that it is the one that was listed.
//!
//! A connection that is cut loses nothing: what came is taken, and the rest of that range is asked for.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesOrdered};
use md5::{Digest, Md5};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ByteStream, Error, SourceFile};

/// The longest range that is asked for at once, and so the largest piece of a stream.
pub(crate) const RANGE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many ranges of one file are under way at once.
const AHEAD: usize = 4;
/// How many ranges all files of a connection together may have under way besides the first of each.
pub(crate) const AHEAD_OF_ALL: usize = 6;
/// How often in a row a range may be cut short.
const CUTS_MAX: u32 = 10;
/// The wait after a cut, times how many there were in a row.
const CUT_WAIT: Duration = Duration::from_millis(250);

/// One range as it came; cut short where the connection was.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// The entity tag of the whole.
    pub(crate) etag: Option<String>,
    /// The length of the whole.
    pub(crate) total: Option<u64>,
    /// The Content-MD5 of the range that was asked for, in base64, where the service gave it.
    pub(crate) md5: Option<String>,
}

/// Something that can be read range by range.
pub(crate) trait Ranged: Send + Sync + 'static {
    /// One range, with its own digest where that is asked for; `None` where it begins behind the end (416), as every range
    /// of an empty file does.
    fn range(
        &self,
        start: u64,
        length: u64,
        etag: Option<&str>,
        digest: bool,
    ) -> impl Future<Output = Result<Option<Piece>, Error>> + Send;
}

/// A range that was asked for, and what came of it.
struct Asked {
    start: u64,
    length: u64,
    came: Result<Option<Piece>, Error>,
    _ahead: Option<OwnedSemaphorePermit>,
}

struct Reading<R> {
    from: Arc<R>,
    path: String,
    /// How many bytes were handed on.
    at: u64,
    /// How many bytes were asked for.
    asked: u64,
    under_way: FuturesOrdered<BoxFuture<'static, Asked>>,
    ahead: Arc<Semaphore>,
    size: Option<u64>,
    etag: Option<String>,
    md5: Option<(String, Md5)>,
    cuts: u32,
}

/// The bytes of a file. A broken connection costs what is left of one range; a change meanwhile, a wrong length or a wrong
/// Content-MD5 ends the stream in an error. Ranges are read ahead as far as the semaphore lets them.
pub(crate) fn read(from: impl Ranged, file: &SourceFile, ahead: Arc<Semaphore>) -> ByteStream {
    let reading = Reading {
        from: Arc::new(from),
        path: file.path.to_string(),
        at: 0,
        asked: 0,
        under_way: FuturesOrdered::new(),
        ahead,
        size: file.size,
        etag: file.validators.etag.clone(),
        md5: file
            .validators
            .content_md5
            .clone()
            .map(|stated| (stated, Md5::new())),
        cuts: 0,
    };
    stream::try_unfold(reading, async |mut reading| {
        let piece = reading.next().await?;
        Ok(piece.map(|piece| (piece, reading)))
    })
    .boxed()
}

impl<R: Ranged> Reading<R> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.size == Some(self.at) {
            self.prove()?;
            return Ok(None);
        }
        self.ask_ahead();
        let Some(asked) = self.under_way.next().await else {
            return Err(self.damaged("it has no more ranges".to_owned()));
        };
        let piece = match asked.came {
            Ok(Some(piece)) => piece,
            Ok(None) if self.size.is_none() && self.at == 0 => return Ok(None),
            Ok(None) => return Err(self.changed()),
            // Another entity tag. Any other conflict, such as that of an archived blob, is an error of its own.
            Err(Error::Conflict(refusal)) if refusal.status == 412 => return Err(self.changed()),
            Err(error) => return Err(error),
        };
        let missing = self.check(&piece, asked.length)?;
        self.at += piece.bytes.len() as u64;
        self.asked = self.asked.max(self.at);
        if let Some((_, md5)) = &mut self.md5 {
            md5.update(&piece.bytes);
        }
        match missing {
            0 => self.cuts = 0,
            missing => self.go_on(asked.start + piece.bytes.len() as u64, missing)?,
        }
        Ok(Some(piece.bytes))
    }

    /// Asks for the next range, and for others behind it once it is known what is read and how long it is.
    fn ask_ahead(&mut self) {
        loop {
            let first = self.under_way.is_empty();
            let known = self.size.is_some() && self.etag.is_some();
            if !first && (!known || self.under_way.len() >= AHEAD) {
                return;
            }
            let length = match self.size {
                Some(size) => size.saturating_sub(self.asked).min(RANGE_BYTES_MAX),
                None => RANGE_BYTES_MAX,
            };
            if length == 0 {
                return;
            }
            let permit = match first {
                true => None,
                false => match self.ahead.clone().try_acquire_owned() {
                    Ok(permit) => Some(permit),
                    Err(_) => return,
                },
            };
            let asking = self.ask(self.asked, length, Duration::ZERO, permit);
            self.under_way.push_back(asking);
            self.asked += length;
        }
    }

    /// Asks for what a cut left of a range, before anything that is behind it.
    fn go_on(&mut self, start: u64, length: u64) -> Result<(), Error> {
        self.cuts += 1;
        if self.cuts > CUTS_MAX {
            return Err(Error::Broken {
                act: format!("the reading of `{}`", self.path),
                tries: self.cuts,
                source: "the answer ended too early".into(),
            });
        }
        let asking = self.ask(start, length, CUT_WAIT * self.cuts, None);
        self.under_way.push_front(asking);
        self.asked = self.asked.max(start + length);
        Ok(())
    }

    fn ask(
        &self,
        start: u64,
        length: u64,
        wait: Duration,
        permit: Option<OwnedSemaphorePermit>,
    ) -> BoxFuture<'static, Asked> {
        let (from, etag) = (self.from.clone(), self.etag.clone());
        // Where the service keeps no digest of the whole, or may keep an old one, it makes one of each range.
        let digest = self.md5.is_none();
        Box::pin(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Asked {
                start,
                length,
                came: from.range(start, length, etag.as_deref(), digest).await,
                _ahead: permit,
            }
        })
    }

    /// How many bytes of the range are missing, because the connection was cut.
    fn check(&mut self, piece: &Piece, length: u64) -> Result<u64, Error> {
        let bare = |etag: &str| etag.trim_matches('"').to_owned();
        match (&self.etag, &piece.etag) {
            (Some(held), Some(came)) if bare(held) != bare(came) => return Err(self.changed()),
            (None, Some(came)) => self.etag = Some(came.clone()),
            _ => {}
        }
        match (self.size, piece.total) {
            (Some(size), Some(total)) if size != total => return Err(self.changed()),
            (None, Some(total)) => self.size = Some(total),
            (None, None) => self.size = Some(self.at + piece.bytes.len() as u64),
            _ => {}
        }
        let left = self.size.unwrap_or_default().saturating_sub(self.at);
        let expected = length.min(left);
        let came = piece.bytes.len() as u64;
        match (expected.checked_sub(came), &piece.md5) {
            (Some(0), Some(stated)) if came > 0 => {
                let found = STANDARD.encode(Md5::digest(&piece.bytes));
                match found == *stated {
                    true => Ok(0),
                    false => Err(self.damaged(format!(
                        "the Content-MD5 of what came at {} is {found} and not {stated}",
                        self.at
                    ))),
                }
            }
            (Some(missing), _) if came > 0 => Ok(missing),
            _ => Err(self.damaged(format!("{came} bytes came where {expected} were asked for"))),
        }
    }

    fn prove(&mut self) -> Result<(), Error> {
        let Some((stated, md5)) = self.md5.take() else {
            return Ok(());
        };
        let found = STANDARD.encode(md5.finalize());
        if found == stated {
            Ok(())
        } else {
            Err(self.damaged(format!("its Content-MD5 is {found} and not {stated}")))
        }
    }

    fn changed(&self) -> Error {
        Error::Changed {
            path: self.path.clone(),
        }
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            reason,
        }
    }
}

/// The length of the whole, from `Content-Range: bytes 0-4/5` or else `Content-Length`.
pub(crate) fn total(headers: &Headers) -> Option<u64> {
    let header = |name| headers.get_optional_str(&HeaderName::from_static(name));
    match header("content-range") {
        Some(range) => range.rsplit('/').next()?.parse().ok(),
        None => header("content-length")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
