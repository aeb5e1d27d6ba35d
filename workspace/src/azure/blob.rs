//! Blobs through Microsoft's client: flat listings and ranged reads.

use std::collections::BTreeMap;
use std::num::NonZero;

use azure_core::http::{ClientMethodOptions, Context, Etag, Url};
use azure_core::time::to_rfc7231;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlobItem, HttpRange,
    ListBlobsIncludeItem,
};
use azure_storage_blob::{
    BlobClient, BlobClientOptions, BlobContainerClient, BlobContainerClientOptions,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::answer::{act, from_core};
use super::connection::{Access, Connection};
use super::locate;
use super::pager::Names;
use super::place::Place;
use super::range::{Piece, RANGE_BYTES_MAX, Ranged};
use super::traffic::Service;
use super::wire::{BodyLimit, Partial};
use crate::{Entry, Error, FilePath, Location, SourceFile, Validators};

/// A blob as a listing shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobEntry {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) validators: Validators,
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tier: Option<String>,
}

impl BlobEntry {
    fn read(item: BlobItem) -> Option<Self> {
        let properties = item.properties.unwrap_or_default();
        let metadata: BTreeMap<String, String> = item
            .metadata
            .and_then(|metadata| metadata.values)
            .unwrap_or_default()
            .into_iter()
            .collect();
        Some(Self {
            name: item.name?,
            size: properties.content_length.unwrap_or_default(),
            validators: Validators {
                etag: properties.etag.map(|etag| etag.to_string()),
                last_modified: properties.last_modified.as_ref().map(to_rfc7231),
                // A listing shows an empty element for a blob that has none (Azure Storage, List Blobs).
                content_md5: properties
                    .content_md5
                    .filter(|md5| !md5.is_empty())
                    .map(|md5| STANDARD.encode(md5)),
            },
            content_type: properties.content_type,
            metadata,
            // One that was never set is the account's own, which may be another tomorrow.
            tier: properties
                .access_tier
                .filter(|_| properties.access_tier_inferred != Some(true))
                .map(|tier| tier.to_string()),
        })
    }

    /// Whether it stands for a folder of an account with a hierarchical namespace, and holds no bytes.
    fn is_folder(&self) -> bool {
        let marked = self
            .metadata
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case("hdi_isfolder") && value == "true");
        marked && self.size == 0
    }

    /// The file that it is, seen from a place: what is below it keeps its path, the place itself its base name.
    pub(crate) fn file(self, place: &Place) -> Result<SourceFile, Error> {
        let path = match self.name.strip_prefix(&place.path) {
            Some("") => self.name.rsplit('/').next().unwrap_or_default(),
            Some(below) => below.trim_start_matches('/'),
            None => &self.name,
        };
        Ok(SourceFile {
            path: FilePath::new(path)?,
            entry: Entry::File,
            size: Some(self.size),
            location: Location::Blob(locate::below(&container_url(place)?, &self.name)?),
            validators: self.validators,
            content_type: self.content_type,
            metadata: self.metadata,
            tier: self.tier,
            attributes: None,
        })
    }
}

/// Whether a name is the path itself or below it; an empty path is above all.
pub(crate) fn is_within(path: &str, name: &str) -> bool {
    match name.strip_prefix(path) {
        Some(rest) => path.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// The container's own address, without a signature.
pub(crate) fn container_url(place: &Place) -> Result<Url, Error> {
    let mut url = place.url.clone();
    url.set_path("/");
    url.set_query(None);
    locate::below(&url, &place.container)
}

/// How a place is opened: the client's options, and the address with its signature where it has one.
pub(crate) fn opened(
    connection: &Connection,
    place: &Place,
    mut url: Url,
) -> (azure_core::http::ClientOptions, Url) {
    match &place.sas {
        Some(sas) => {
            url.set_query(Some(sas.expose_secret()));
            (connection.options(Service::Blob, Access::Open), url)
        }
        None => (connection.options(Service::Blob, Access::Token), url),
    }
}

/// Every blob at or below a place, in the order of names. A container that is not there is empty.
pub(crate) fn list(
    connection: &Connection,
    place: &Place,
) -> BoxStream<'static, Result<BlobEntry, Error>> {
    match pages(connection, place) {
        Ok(pages) => pages
            .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
            .try_flatten()
            .boxed(),
        Err(error) => stream::once(async { Err(error) }).boxed(),
    }
}

/// The same, a page at a time.
pub(crate) fn pages(
    connection: &Connection,
    place: &Place,
) -> Result<impl Stream<Item = Result<Vec<BlobEntry>, Error>> + Send + use<>, Error> {
    let container = container_url(place)?;
    let act = act(azure_core::http::Method::Get, &container);
    let (client_options, url) = opened(connection, place, container);
    let options = BlobContainerClientOptions {
        client_options,
        ..BlobContainerClientOptions::default()
    };
    let client = BlobContainerClient::new(url, None, Some(options))
        .map_err(|error| from_core(error, &act))?;
    let pages = client
        .list_blobs(Some(BlobContainerClientListBlobsOptions {
            include: Some(vec![ListBlobsIncludeItem::Metadata]),
            prefix: (!place.path.is_empty()).then(|| place.path.clone()),
            ..BlobContainerClientListBlobsOptions::default()
        }))
        .map_err(|error| from_core(error, &act))?
        .into_pages();
    let state = Some((pages, Names::default(), place.path.clone(), act));
    Ok(stream::try_unfold(state, async |state| {
        let Some((mut pages, mut markers, path, act)) = state else {
            return Ok(None);
        };
        let page = match pages.try_next().await {
            Ok(Some(page)) => page.into_model().map_err(|error| from_core(error, &act))?,
            Ok(None) => return Ok(None),
            Err(error) => {
                return match from_core(error, &act) {
                    Error::NotFound(refusal) if refusal.code == "ContainerNotFound" => Ok(None),
                    error => Err(error),
                };
            }
        };
        let marker = page.next_marker.clone().unwrap_or_default();
        if !marker.is_empty() && !markers.is_new(&marker) {
            return Err(Error::Answer {
                act,
                reason: "its pages go round in a circle".to_owned(),
            });
        }
        // Names come sorted: behind the folder there are only names that begin with the same letters.
        let behind = format!("{path}0");
        let beyond = !path.is_empty()
            && page
                .blob_items
                .last()
                .and_then(|item| item.name.as_ref())
                .is_some_and(|name| *name >= behind);
        let entries = page
            .blob_items
            .into_iter()
            .filter_map(BlobEntry::read)
            .filter(|entry| is_within(&path, &entry.name) && !entry.is_folder())
            .collect();
        let next = (!beyond).then_some((pages, markers, path, act));
        Ok(Some((entries, next)))
    }))
}

/// Reads a blob in ranges, each on condition that it is still the one that was listed.
pub(crate) struct BlobReader {
    client: BlobClient,
    act: String,
}

impl BlobReader {
    pub(crate) fn new(
        connection: &Connection,
        url: &Url,
        sas: Option<&secrecy::SecretString>,
    ) -> Result<Self, Error> {
        let act = act(azure_core::http::Method::Get, url);
        let mut url = url.clone();
        let access = match sas {
            Some(sas) => {
                url.set_query(Some(sas.expose_secret()));
                Access::Open
            }
            None => Access::Token,
        };
        let options = BlobClientOptions {
            client_options: connection.options(Service::Blob, access),
            ..BlobClientOptions::default()
        };
        let client =
            BlobClient::new(url, None, Some(options)).map_err(|error| from_core(error, &act))?;
        Ok(Self { client, act })
    }
}

impl Ranged for BlobReader {
    async fn range(
        &self,
        start: u64,
        length: u64,
        etag: Option<&str>,
        digest: bool,
    ) -> Result<Option<Piece>, Error> {
        let limit = BodyLimit(RANGE_BYTES_MAX);
        let context = Context::new().with_value(limit).with_value(Partial);
        let one = NonZero::<usize>::MIN;
        let options = BlobClientDownloadOptions {
            range: Some(HttpRange::new(start, length)),
            range_get_content_md5: digest.then_some(true),
            if_match: etag.map(|etag| Etag::from(quoted(etag))),
            parallel: Some(one),
            partition_size: usize::try_from(RANGE_BYTES_MAX).ok().and_then(NonZero::new),
            method_options: ClientMethodOptions { context },
            ..BlobClientDownloadOptions::default()
        };
        let answer = match self.client.download(Some(options)).await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .http_status()
                    .is_some_and(|status| u16::from(status) == 416) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(from_core(error, &self.act)),
        };
        let etag = answer.properties.etag.map(|etag| etag.to_string());
        let total = super::range::total(&answer.headers);
        let md5 = answer.properties.content_md5;
        let bytes: Bytes = answer
            .body
            .collect()
            .await
            .map_err(|error| from_core(error, &self.act))?;
        Ok(Some(Piece {
            bytes,
            etag,
            total,
            md5: md5.filter(|_| digest).map(|md5| STANDARD.encode(md5)),
        }))
    }
}

/// An entity tag as a header carries it; listings leave the quotes out.
pub(crate) fn quoted(etag: &str) -> String {
    if etag.ends_with('"') {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_within_its_folder_and_not_within_a_longer_name() {
        assert!(is_within("a/b", "a/b") && is_within("a/b", "a/b/c") && is_within("", "x"));
        assert!(
            !is_within("a/b", "a/bc") && !is_within("a/b", "a/b-1/c") && !is_within("a/b", "a")
        );
    }
}
