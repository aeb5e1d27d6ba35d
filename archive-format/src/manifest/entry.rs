//! What a manifest line says about documents, files, gaps and secrets of an item.
//!
//! Every entry keeps the fields that a later version wrote (`more`), so that an older program carries them on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::FilePath;
use crate::{Address, Content, Digest, Mac};

/// A document of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentEntry {
    /// Its shape: `arm`, `runhistory`, `azml`.
    pub form: String,
    /// The api-version that it was read with.
    pub api_version: String,
    /// When it was read.
    pub read: Timestamp,
    /// The object: canonical JSON.
    pub address: Address,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-256 of the canonical document without its volatile fields. Equal means unchanged: who writes cannot read
    /// old documents, and compares by this.
    pub fingerprint: Digest,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// Bytes.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link, kept as a link: the text of its target.
    Symlink(String),
}

/// What a service said about a file's content; equal validators and size mean an unchanged file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag, as the service wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Last-Modified, as the service wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Content-MD5 in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_md5: Option<String>,
}

/// What a file system keeps about an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its content was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
    /// Azure Files: the attribute names, such as `Archive | Hidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// A folder: the permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// A file of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The path within the item.
    pub path: FilePath,
    /// File, directory or link.
    #[serde(default, skip_serializing_if = "is_file")]
    pub entry: EntryKind,
    /// The bytes; directories and links have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// What told a change.
    #[serde(default, skip_serializing_if = "is_default")]
    pub validators: Validators,
    /// The content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Blob or file metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The blob's access tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Times and attributes of a share or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl FileEntry {
    /// A plain file with nothing but its bytes.
    pub fn new(path: FilePath, content: Option<Content>) -> Self {
        Self {
            path,
            entry: EntryKind::File,
            content,
            validators: Validators::default(),
            content_type: None,
            metadata: BTreeMap::new(),
            tier: None,
            attributes: None,
            more: Map::new(),
        }
    }

    /// The length of its bytes; 0 for directories and links.
    pub fn size(&self) -> u64 {
        self.content.as_ref().map_or(0, |content| content.size)
    }
}

fn is_file(entry: &EntryKind) -> bool {
    *entry == EntryKind::File
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Something that was listed and not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapEntry {
    /// The file or part; none means the item itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether the configuration accepts it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub known: bool,
}

/// A secret of an item: an object of its own, with 32 random bytes in front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretEntry {
    /// The JSON pointer (RFC 6901) in the item's document where it stands or would stand.
    pub pointer: String,
    /// The form of the document that the pointer is of; none: no document carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// The object.
    pub address: Address,
    /// The object's length: that of the secret, and 32.
    pub size: u64,
    /// HMAC-SHA-256 of the secret; equal means unchanged.
    pub hmac: Mac,
}
