//! A directory or file of a share: its name, times, attributes and bytes.

use jiff::Timestamp;

use super::extents::Extents;
use crate::blob::{ContentHeaders, Metadata};

/// A directory or file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name as it was first written.
    pub name: String,
    /// The bytes; `None` for a directory.
    pub file: Option<File>,
    /// Times and attributes.
    pub properties: Properties,
    /// Its metadata.
    pub metadata: Metadata,
    /// The entity tag, without quotes.
    pub etag: String,
    /// When it was last written, as Last-Modified says it.
    pub modified: Timestamp,
    /// The number that the service knows it by.
    pub id: u64,
    /// A status with which every read of the content is refused.
    pub unreadable: Option<u16>,
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Its bytes.
    pub bytes: Extents,
    /// The content headers.
    pub headers: ContentHeaders,
}

/// What the file system keeps about an entry. Times are whole multiples of 100 ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// When it was created.
    pub created: Timestamp,
    /// When its content was last written.
    pub written: Timestamp,
    /// When anything of it changed.
    pub changed: Timestamp,
    /// Attribute names, such as `Archive | Hidden`.
    pub attributes: String,
    /// The key of its permission.
    pub permission: String,
}

/// The permission that every entry inherits.
const PERMISSION: &str = "14543083284386042866*10834542393117066297";

impl Properties {
    /// Those of a new file.
    pub fn of_file(at: Timestamp) -> Self {
        Self::new(at, "Archive")
    }

    /// Those of a new directory.
    pub fn of_directory(at: Timestamp) -> Self {
        Self::new(at, "Directory")
    }

    fn new(at: Timestamp, attributes: &str) -> Self {
        let at = super::time::whole_ticks(at);
        Self {
            created: at,
            written: at,
            changed: at,
            attributes: attributes.to_owned(),
            permission: PERMISSION.to_owned(),
        }
    }
}
