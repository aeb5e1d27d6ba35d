//! Writing to a file share: parents one by one, ranges to a temporary name, then a rename; times and attributes last.
//!
//! Azure Files has no write that is seen whole or not at all, but a rename is one.

use azure_core::http::{Context, Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use url::Url;

use super::answer::is_there_already;
use super::connection::{Access, Connection};
use super::locate;
use super::place::{FileMeta, Place, Written};
use super::range::RANGE_BYTES_MAX;
use super::share::{entry, request};
use super::write::Content;
use crate::{Attributes, Entry, Error, FilePath};

/// What the name of a file ends in while it is written.
const UNFINISHED: &str = ".~mlark";
const NO_ATTRIBUTES: &str = "None";

/// Writes one file or directory of a share.
pub(crate) async fn write(
    connection: &Connection,
    place: &Place,
    path: &FilePath,
    meta: &FileMeta,
    content: Content,
) -> Result<Written, Error> {
    let writer = Writer {
        connection,
        place,
        meta,
    };
    match meta.entry {
        Entry::Directory => writer.directory(path).await,
        Entry::File => writer.file(path, content).await,
        Entry::Symlink(_) => Err(Error::Unsupported {
            what: format!("writing the symbolic link `{path}` to a share"),
        }),
    }
}

struct Writer<'w> {
    connection: &'w Connection,
    place: &'w Place,
    meta: &'w FileMeta,
}

impl Writer<'_> {
    async fn directory(&self, path: &FilePath) -> Result<Written, Error> {
        self.parents(path.as_str()).await?;
        let made = self.make(path.as_str()).await?;
        if made || self.meta.attributes.is_some() {
            let mut url = self.url(path.as_str())?;
            url.set_query(Some("restype=directory&comp=properties"));
            self.send(self.with_attributes(request(self.connection, Method::Put, url)))
                .await?;
        }
        Ok(if made { Written::New } else { Written::Present })
    }

    async fn file(&self, path: &FilePath, mut content: Content) -> Result<Written, Error> {
        if !self.meta.overwrite && entry(self.connection, self.place, path).await?.is_some() {
            return Ok(Written::Present);
        }
        self.parents(path.as_str()).await?;
        let unfinished = format!("{path}{UNFINISHED}");
        let draft = self.url(&unfinished)?;
        self.create(&draft).await?;
        let md5 = self.fill(&draft, &mut content).await?;
        self.finish(&draft, &md5).await?;
        self.rename(&draft, &self.url(path.as_str())?).await
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        locate::below(&self.place.url, path)
    }

    /// Makes the directories above a path, outermost first.
    async fn parents(&self, path: &str) -> Result<(), Error> {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return Ok(());
        };
        // Nearly always it is there already, and one request says so.
        match self.make(parent).await {
            Err(Error::NotFound(_)) => {}
            made => return made.map(|_| ()),
        }
        let ends = parent.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([parent.len()]) {
            self.make(parent.get(..end).unwrap_or(parent)).await?;
        }
        Ok(())
    }

    /// Makes one directory; whether it was not there.
    async fn make(&self, path: &str) -> Result<bool, Error> {
        let mut url = self.url(path)?;
        url.set_query(Some("restype=directory"));
        let mut request = request(self.connection, Method::Put, url);
        request.insert_header("x-ms-file-attributes", "Directory");
        request.insert_header("x-ms-file-creation-time", "now");
        request.insert_header("x-ms-file-last-write-time", "now");
        match self.send(request).await {
            Ok(()) => Ok(true),
            Err(error) if is_there_already(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the file with its final size; its bytes are zero until they are written.
    async fn create(&self, url: &Url) -> Result<(), Error> {
        let mut request = request(self.connection, Method::Put, url.clone());
        request.insert_header("x-ms-type", "file");
        request.insert_header("x-ms-content-length", self.meta.size.to_string());
        request.insert_header("x-ms-file-attributes", NO_ATTRIBUTES);
        request.insert_header("x-ms-file-creation-time", "now");
        request.insert_header("x-ms-file-last-write-time", "now");
        if let Some(content_type) = &self.meta.content_type {
            request.insert_header("x-ms-content-type", content_type.clone());
        }
        for (name, value) in &self.meta.metadata {
            request.insert_header(format!("x-ms-meta-{name}"), value.clone());
        }
        self.send(request).await
    }

    async fn fill(&self, url: &Url, content: &mut Content) -> Result<Vec<u8>, Error> {
        let mut at = url.clone();
        at.set_query(Some("comp=range"));
        let most = usize::try_from(RANGE_BYTES_MAX).unwrap_or(usize::MAX);
        let mut start = 0;
        loop {
            let block = content.next(most).await?;
            if block.is_empty() {
                return content.proven();
            }
            let end = start + block.len() as u64;
            let mut request = request(self.connection, Method::Put, at.clone());
            request.insert_header("x-ms-write", "update");
            request.insert_header("x-ms-range", format!("bytes={start}-{}", end - 1));
            let md5 = <md5::Md5 as md5::Digest>::digest(&block);
            request.insert_header("content-md5", STANDARD.encode(md5));
            request.insert_header("content-type", "application/octet-stream");
            request.set_body(block);
            self.send(request).await?;
            start = end;
        }
    }

    async fn finish(&self, url: &Url, md5: &[u8]) -> Result<(), Error> {
        let mut at = url.clone();
        at.set_query(Some("comp=properties"));
        let mut request = self.with_attributes(request(self.connection, Method::Put, at));
        request.insert_header("x-ms-content-md5", STANDARD.encode(md5));
        if let Some(content_type) = &self.meta.content_type {
            request.insert_header("x-ms-content-type", content_type.clone());
        }
        self.send(request).await
    }

    async fn rename(&self, from: &Url, to: &Url) -> Result<Written, Error> {
        let mut at = to.clone();
        at.set_query(Some("comp=rename"));
        let mut request = self.with_attributes(request(self.connection, Method::Put, at));
        request.insert_header("x-ms-file-rename-source", from.to_string());
        let replace = if self.meta.overwrite { "true" } else { "false" };
        request.insert_header("x-ms-file-rename-replace-if-exists", replace);
        match self.send(request).await {
            Ok(()) => Ok(Written::New),
            // The first of two tries was carried out and only its answer was lost, or somebody else was quicker.
            Err(error) if !self.meta.overwrite && is_there_already(&error) => {
                self.remove(from).await?;
                Ok(Written::Present)
            }
            Err(error) => {
                self.remove(from).await?;
                Err(error)
            }
        }
    }

    async fn remove(&self, url: &Url) -> Result<(), Error> {
        match self
            .send(request(self.connection, Method::Delete, url.clone()))
            .await
        {
            Err(Error::NotFound(_)) => Ok(()),
            removed => removed,
        }
    }

    /// Times and attributes, or what the service sets by itself.
    fn with_attributes(&self, mut request: Request) -> Request {
        let known = self.meta.attributes.as_ref();
        let time = |time: Option<Timestamp>| time.map_or_else(|| "preserve".to_owned(), written);
        let of = |pick: fn(&Attributes) -> Option<Timestamp>| time(known.and_then(pick));
        let is_directory = self.meta.entry == Entry::Directory;
        let flags = known.and_then(|known| known.flags.clone());
        let flags = flags.unwrap_or_else(|| {
            let plain = if is_directory {
                "Directory"
            } else {
                NO_ATTRIBUTES
            };
            plain.to_owned()
        });
        request.insert_header("x-ms-file-attributes", flags);
        request.insert_header("x-ms-file-creation-time", of(|known| known.created));
        request.insert_header("x-ms-file-last-write-time", of(|known| known.written));
        request
    }

    async fn send(&self, request: Request) -> Result<(), Error> {
        self.connection
            .send(Access::Token, Context::new(), request)
            .await
            .map(|_| ())
    }
}

/// A time with the seven digits of a second that Azure Files keeps.
fn written(time: Timestamp) -> String {
    format!(
        "{}.{:07}Z",
        time.strftime("%Y-%m-%dT%H:%M:%S"),
        time.subsec_nanosecond() / 100
    )
}
