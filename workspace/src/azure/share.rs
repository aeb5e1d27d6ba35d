//! File shares by REST: a walk of directories and ranged reads. There is no client of Microsoft's for them.
//!
//! Every call carries `x-ms-file-request-intent: backup`, without which Azure Files takes no token (REST version
//! 2022-11-02 and later).

use std::collections::{BTreeMap, VecDeque};

use azure_core::http::{Context, Method, Request};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use url::Url;

use super::answer::Answer;
use super::connection::{Access, Connection, success};
use super::locate;
use super::pager::Names;
use super::place::Place;
use super::range::{Piece, RANGE_BYTES_MAX, Ranged, total};
use super::share_xml::{self, RawEntry, RawPage};
use super::wire::{BodyLimit, Partial};
use crate::{Attributes, Entry, Error, FilePath, Location, SourceFile, Validators};

/// The REST version of Azure Files that is spoken.
const VERSION: &str = "2024-11-04";
/// How many directories are listed ahead.
const AHEAD: usize = 6;

/// A request to a share, with what every one of them carries.
pub(crate) fn request(connection: &Connection, method: Method, url: Url) -> Request {
    let date = connection.clock().now();
    let mut request = Request::new(url, method);
    request.insert_header("x-ms-version", VERSION);
    request.insert_header("x-ms-file-request-intent", "backup");
    request.insert_header("x-ms-allow-trailing-dot", "true");
    request.insert_header(
        "x-ms-date",
        date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    );
    request
}

/// Everything below a directory of a share, directories before what is in them, a page of one at a time.
pub(crate) fn walk(
    connection: &Connection,
    place: &Place,
) -> BoxStream<'static, Result<SourceFile, Error>> {
    let walk = Walk {
        connection: connection.clone(),
        place: place.clone(),
        waiting: VecDeque::from([Part::default()]),
        running: stream::FuturesOrdered::new(),
        markers: Names::default(),
    };
    stream::try_unfold(walk, async |mut walk| {
        let found = walk.next().await?;
        Ok(found.map(|found| (stream::iter(found), walk)))
    })
    .try_flatten()
    .boxed()
}

/// A page of a directory: the first, or the one that a marker names.
#[derive(Clone, Debug, Default)]
struct Part {
    directory: String,
    marker: String,
}

type Listing = futures::future::BoxFuture<'static, Result<(Part, RawPage), Error>>;

struct Walk {
    connection: Connection,
    place: Place,
    waiting: VecDeque<Part>,
    running: stream::FuturesOrdered<Listing>,
    markers: Names,
}

impl Walk {
    /// What one page holds; the directories in it are walked later. A name that no path can hold is an error of its own.
    async fn next(&mut self) -> Result<Option<Vec<Result<SourceFile, Error>>>, Error> {
        while self.running.len() < AHEAD
            && let Some(part) = self.waiting.pop_front()
        {
            let (connection, place) = (self.connection.clone(), self.place.clone());
            self.running.push_back(Box::pin(async move {
                let page = page(&connection, &place, &part).await?;
                Ok((part, page))
            }));
        }
        let Some(listed) = self.running.next().await else {
            return Ok(None);
        };
        let (part, page) = listed?;
        if !page.next_marker.is_empty() {
            let next = Part {
                directory: part.directory.clone(),
                marker: page.next_marker,
            };
            if !self
                .markers
                .is_new(&format!("{}?{}", next.directory, next.marker))
            {
                return Err(Error::Answer {
                    act: format!("GET {}", locate::below(&self.place.url, &next.directory)?),
                    reason: "its pages go round in a circle".to_owned(),
                });
            }
            self.waiting.push_front(next);
        }
        let mut found = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            let path = locate::joined(&part.directory, &entry.name);
            let file = source_file(&self.place, &path, &entry);
            if entry.is_directory && file.is_ok() {
                self.waiting.push_back(Part {
                    directory: path,
                    marker: String::new(),
                });
            }
            found.push(file);
        }
        Ok(Some(found))
    }
}

/// One page of one directory. A directory that is not there is empty.
async fn page(connection: &Connection, place: &Place, part: &Part) -> Result<RawPage, Error> {
    let mut url = locate::below(&place.url, &part.directory)?;
    url.query_pairs_mut()
        .append_pair("restype", "directory")
        .append_pair("comp", "list")
        .append_pair("include", "Timestamps,Etag,Attributes");
    if !part.marker.is_empty() {
        url.query_pairs_mut().append_pair("marker", &part.marker);
    }
    let mut request = request(connection, Method::Get, url);
    request.insert_header("x-ms-file-extended-info", "true");
    match connection
        .send(Access::Token, Context::new(), request)
        .await
    {
        Ok(answer) => share_xml::read(&answer.body).map_err(|reason| answer.unusable(reason)),
        Err(Error::NotFound(_)) => Ok(RawPage::default()),
        Err(error) => Err(error),
    }
}

fn source_file(place: &Place, path: &str, entry: &RawEntry) -> Result<SourceFile, Error> {
    let text = |name: &str| entry.properties.get(name).cloned();
    let time = |name: &str| text(name).and_then(|text| text.parse().ok());
    Ok(SourceFile {
        path: FilePath::new(path)?,
        entry: if entry.is_directory {
            Entry::Directory
        } else {
            Entry::File
        },
        size: (!entry.is_directory)
            .then(|| text("Content-Length")?.parse().ok())
            .flatten(),
        validators: Validators {
            etag: text("Etag"),
            last_modified: text("Last-Modified"),
            content_md5: None,
        },
        content_type: None,
        metadata: BTreeMap::new(),
        tier: None,
        attributes: Some(Attributes {
            created: time("CreationTime"),
            written: time("LastWriteTime"),
            flags: entry.attributes.clone().or_else(|| text("Attributes")),
            mode: None,
        }),
        location: Location::Share(locate::below(&place.url, path)?),
    })
}

/// One file or directory by its own properties; `None` where it is not there.
pub(crate) async fn entry(
    connection: &Connection,
    place: &Place,
    path: &FilePath,
) -> Result<Option<SourceFile>, Error> {
    let url = locate::below(&place.url, path.as_str())?;
    let head = request(connection, Method::Head, url.clone());
    let file = connection
        .exchange(Access::Token, Context::new(), head)
        .await?;
    if file.status == 200 {
        return Ok(Some(from_headers(&file, path, url, Entry::File)));
    }
    let mut address = url.clone();
    address
        .query_pairs_mut()
        .append_pair("restype", "directory");
    let head = request(connection, Method::Head, address);
    match connection.send(Access::Token, Context::new(), head).await {
        Ok(answer) => Ok(Some(from_headers(&answer, path, url, Entry::Directory))),
        Err(Error::NotFound(_)) if matches!(file.status, 404) => Ok(None),
        Err(Error::NotFound(_)) => success(file).map(|_| None),
        Err(error) => Err(error),
    }
}

fn from_headers(answer: &Answer, path: &FilePath, url: Url, entry: Entry) -> SourceFile {
    let text = |name| answer.header(name).map(str::to_owned);
    let time = |name| answer.header(name).and_then(|text| text.parse().ok());
    let is_file = entry == Entry::File;
    SourceFile {
        path: path.clone(),
        entry,
        size: is_file
            .then(|| text("content-length")?.parse().ok())
            .flatten(),
        validators: Validators {
            etag: text("etag"),
            last_modified: text("last-modified"),
            content_md5: text("content-md5"),
        },
        content_type: is_file.then(|| text("content-type")).flatten(),
        metadata: answer
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let key = name.as_str().strip_prefix("x-ms-meta-")?;
                Some((key.to_owned(), value.as_str().to_owned()))
            })
            .collect(),
        tier: None,
        attributes: Some(Attributes {
            created: time("x-ms-file-creation-time"),
            written: time("x-ms-file-last-write-time"),
            flags: text("x-ms-file-attributes"),
            mode: None,
        }),
        location: Location::Share(url),
    }
}

/// Reads a file of a share in ranges. Azure Files knows no `If-Match`: the entity tag of each answer is compared.
#[derive(Debug)]
pub(crate) struct ShareReader {
    pub(crate) connection: Connection,
    pub(crate) url: Url,
}

impl Ranged for ShareReader {
    async fn range(
        &self,
        start: u64,
        length: u64,
        _: Option<&str>,
        digest: bool,
    ) -> Result<Option<Piece>, Error> {
        let mut request = request(&self.connection, Method::Get, self.url.clone());
        let last = start + length.max(1) - 1;
        request.insert_header("x-ms-range", format!("bytes={start}-{last}"));
        if digest {
            request.insert_header("x-ms-range-get-content-md5", "true");
        }
        let limit = BodyLimit(RANGE_BYTES_MAX);
        let ctx = Context::new().with_value(limit).with_value(Partial);
        let answer = self
            .connection
            .exchange(Access::Token, ctx, request)
            .await?;
        if answer.status == 416 {
            return Ok(None);
        }
        let answer = success(answer)?;
        Ok(Some(Piece {
            etag: answer.header("etag").map(str::to_owned),
            // Of an answer with the whole file it would be the property, which no write through SMB keeps right.
            md5: answer
                .header("content-md5")
                .filter(|_| answer.status == 206)
                .map(str::to_owned),
            total: total(&answer.headers),
            bytes: answer.body,
        }))
    }
}
