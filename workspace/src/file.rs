//! Files of an item: a checked path within the item, what the service says about it, and where its bytes lie.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Error;

/// A relative path of `/`-separated parts. Never absolute, never with `.` or `..` or an empty part, a NUL or a
/// backslash-free root: what a hostile name could use to leave its place is refused here, once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// The longest path that is taken, in bytes. Azure Files allows 2,048 characters, Azure Blob 1,024.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

impl FilePath {
    /// Checks a path; the error says what is wrong with it.
    pub fn new(path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        let refused = |reason| {
            Err(Error::Path {
                path: path.clone(),
                reason,
            })
        };
        if path.is_empty() {
            return refused("it is empty");
        }
        if path.len() > PATH_BYTES_MAX {
            return refused("it is longer than 8 KiB");
        }
        if path.starts_with('/') {
            return refused("it is absolute");
        }
        if path.contains('\0') {
            return refused("it holds a NUL");
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refused("it has an empty part, `.` or `..`");
        }
        Ok(Self(path))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FilePath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        Self::new(path)
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

/// What a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// Bytes.
    #[default]
    File,
    /// A directory of a share or folder.
    Directory,
    /// A symbolic link of a folder, kept as a link: the text of its target.
    Symlink(String),
}

/// What the service says about a file's content; equal validators and size mean an unchanged file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag, as the service wrote it.
    pub etag: Option<String>,
    /// Last-Modified, as the service wrote it (a folder: nanoseconds since 1970).
    pub last_modified: Option<String>,
    /// Content-MD5 in base64.
    pub content_md5: Option<String>,
}

/// What a file system keeps about an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When its content was last written.
    pub written: Option<Timestamp>,
    /// Azure Files: the attribute names, such as `Archive | Hidden`.
    pub flags: Option<String>,
    /// A folder: the permission bits.
    pub mode: Option<u32>,
}

/// Where the bytes of a file are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A blob.
    Blob(Url),
    /// A file or directory of an Azure Files share.
    Share(Url),
    /// The full history of one metric of a run, as JSON lines.
    Metric {
        /// The run's id.
        run: String,
        /// The metric's name.
        metric: String,
        /// Its namespace, where it has one.
        namespace: Option<String>,
    },
    /// A path of a folder.
    Local(PathBuf),
}

/// A file of an item as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path within the item.
    pub path: FilePath,
    /// File, directory or link.
    pub entry: Entry,
    /// Its size in bytes, where a listing says it (a metric's history has none before it is read).
    pub size: Option<u64>,
    /// What tells a change.
    pub validators: Validators,
    /// The content type.
    pub content_type: Option<String>,
    /// Blob or file metadata. The official SDK takes an upload for complete by it, so it is kept and restored.
    pub metadata: BTreeMap<String, String>,
    /// The blob's access tier.
    pub tier: Option<String>,
    /// Times and attributes of a share or folder.
    pub attributes: Option<Attributes>,
    /// Where its bytes are.
    pub location: Location,
}
