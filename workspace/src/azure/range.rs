//! Reading a file of a store range by range, and proving at the end that it is the one that was listed.

use azure_core::http::headers::{HeaderName, Headers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use md5::{Digest, Md5};

use crate::{ByteStream, Error, SourceFile};

/// The longest range that is asked for at once, and so the largest piece of a stream.
pub(crate) const RANGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One range as it came.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// The entity tag of the whole.
    pub(crate) etag: Option<String>,
    /// The length of the whole.
    pub(crate) total: Option<u64>,
}

/// Something that can be read range by range.
pub(crate) trait Ranged: Send + Sync + 'static {
    /// One range; `None` where it begins behind the end (416), as every range of an empty file does.
    fn range(
        &self,
        start: u64,
        length: u64,
        etag: Option<&str>,
    ) -> impl Future<Output = Result<Option<Piece>, Error>> + Send;
}

struct Reading<R> {
    from: R,
    path: String,
    at: u64,
    size: Option<u64>,
    etag: Option<String>,
    md5: Option<(String, Md5)>,
}

/// The bytes of a file. A broken connection costs one range; a change meanwhile, a wrong length or a wrong Content-MD5
/// ends the stream in an error.
pub(crate) fn read(from: impl Ranged, file: &SourceFile) -> ByteStream {
    let reading = Reading {
        from,
        path: file.path.to_string(),
        at: 0,
        size: file.size,
        etag: file.validators.etag.clone(),
        md5: file
            .validators
            .content_md5
            .clone()
            .map(|stated| (stated, Md5::new())),
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
        let length = match self.size {
            Some(size) => (size - self.at).min(RANGE_BYTES_MAX),
            None => RANGE_BYTES_MAX,
        };
        let piece = match self.from.range(self.at, length, self.etag.as_deref()).await {
            Ok(Some(piece)) => piece,
            Ok(None) if self.size.is_none() && self.at == 0 => return Ok(None),
            Ok(None) => return Err(self.changed()),
            // 412: another entity tag. 404: deleted since it was listed.
            Err(Error::Conflict(_)) => return Err(self.changed()),
            Err(error) => return Err(error),
        };
        self.check(&piece, length)?;
        self.at += piece.bytes.len() as u64;
        if let Some((_, md5)) = &mut self.md5 {
            md5.update(&piece.bytes);
        }
        Ok(Some(piece.bytes))
    }

    fn check(&mut self, piece: &Piece, length: u64) -> Result<(), Error> {
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
        if piece.bytes.len() as u64 != expected || expected == 0 {
            return Err(self.damaged(format!(
                "{} bytes came where {expected} were asked for",
                piece.bytes.len()
            )));
        }
        Ok(())
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
