//! A blob as it is kept, and what a write of one brings.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::content::Content;
use super::copy::Copied;
use super::tier::{Rehydration, Tier};
use super::worm::Retention;

/// Metadata of a blob, file or container, its names in lower case.
pub type Metadata = BTreeMap<String, String>;

/// The content headers of a blob or file that a client may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// Content-Type.
    pub content_type: Option<String>,
    /// Content-Encoding.
    pub encoding: Option<String>,
    /// Content-Language.
    pub language: Option<String>,
    /// Content-Disposition.
    pub disposition: Option<String>,
    /// Cache-Control.
    pub cache_control: Option<String>,
    /// Content-MD5, as the client or the service set it.
    pub md5: Option<[u8; 16]>,
}

/// A block blob: what is current, an earlier version, or a snapshot.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its bytes.
    pub content: Content,
    /// The content headers.
    pub headers: ContentHeaders,
    /// Its metadata.
    pub metadata: Metadata,
    /// The entity tag, without quotes.
    pub etag: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last written.
    pub modified: Timestamp,
    /// The access tier, where one was set; else the account's, which is Hot.
    pub tier: Option<Tier>,
    /// When the tier was set, where one was.
    pub tier_changed: Option<Timestamp>,
    /// The way out of the archive, where it is under way.
    pub rehydration: Option<Rehydration>,
    /// The committed blocks: id and size. Empty after a Put Blob.
    pub blocks: Vec<(String, u64)>,
    /// Its version, where the account keeps versions.
    pub version: Option<String>,
    /// Until when it must stay as it is.
    pub retention: Option<Retention>,
    /// Whether it must stay as it is until somebody says otherwise.
    pub held: bool,
    /// The copy that made it, where one did.
    pub copied: Option<Copied>,
    /// Whether it is a directory of a hierarchical namespace, and has no bytes.
    pub directory: bool,
    /// A status with which every read of the content is refused. Listings show the blob as usual.
    pub unreadable: Option<u16>,
}

impl Blob {
    /// The tier that it lies in, and is paid for.
    pub fn tier(&self) -> Tier {
        self.tier.unwrap_or_default()
    }
}

/// What a write of a blob brings besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The content headers.
    pub headers: ContentHeaders,
    /// The metadata.
    pub metadata: Metadata,
    /// The access tier.
    pub tier: Option<Tier>,
    /// The way out of the archive, where the bytes come from there.
    pub rehydration: Option<Rehydration>,
    /// Until when it is to stay as it is; the container's default where it is not said.
    pub retention: Option<Retention>,
    /// Whether it is held from the first.
    pub held: bool,
    /// The copy that makes it, where one does.
    pub copied: Option<Copied>,
    /// Whether it is a directory.
    pub directory: bool,
}
