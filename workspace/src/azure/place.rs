//! A place of bytes in Azure Storage: a prefix of a blob container, or a directory of a file share.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::{Attributes, Entry};

/// What keeps the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// A blob container.
    Blob,
    /// A file share.
    Share,
}

/// A prefix of a container, or a directory of a share; also the exact name of one blob or file.
#[derive(Clone)]
pub struct Place {
    /// What keeps the bytes.
    pub store: Store,
    /// The storage account's name.
    pub account: String,
    /// The container or share.
    pub container: String,
    /// The path below it, without a slash at either end; empty for all of it.
    pub path: String,
    /// The datastore that names the account and container, if one does.
    pub datastore: Option<String>,
    /// Whether that is the workspace's default datastore.
    pub is_default: bool,
    /// The address, without a query.
    pub url: Url,
    /// A shared access signature that opens it instead of a token.
    pub(crate) sas: Option<SecretString>,
}

/// Places are equal that name the same bytes, however they are opened.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.store == other.store && self.url == other.url
    }
}

impl Eq for Place {}

/// Writes the address without its query.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("url", &self.url.as_str())
            .field("datastore", &self.datastore)
            .field("sas", &self.sas.is_some())
            .finish_non_exhaustive()
    }
}

/// What a file is written with.
#[derive(Clone, Debug, Default)]
pub struct FileMeta {
    /// Its size in bytes; the stream must be exactly as long.
    pub size: u64,
    /// File or directory (of a share).
    pub entry: Entry,
    /// Content-MD5 in base64, checked against what is sent; `None`: whatever the bytes give is set.
    pub content_md5: Option<String>,
    /// The content type.
    pub content_type: Option<String>,
    /// Blob or file metadata.
    pub metadata: BTreeMap<String, String>,
    /// Times and attributes (of a share).
    pub attributes: Option<Attributes>,
    /// The access tier of a blob; `None`: the account's own. An account that has no tiers is written to without.
    pub tier: Option<String>,
    /// Whether a file that is there already is replaced.
    pub overwrite: bool,
}

/// What came of writing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    New,
    /// One is there already and was left alone ([`FileMeta::overwrite`] was not asked for).
    Present,
}
