//! One line of a manifest, its key, and the item that the lines of one name make together.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DocumentEntry, FileEntry, GapEntry, SecretEntry};
use crate::magic::LINE_BYTES_MAX;
use crate::{Address, Error, json};

/// What a line is sorted by: kind, name, version (none before all), part, each by its UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineKey {
    /// The kind, such as `models`.
    pub kind: String,
    /// The name within the kind.
    pub name: String,
    /// The version, for versioned kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// 0, and 1, 2, … for the further lines of an item with many files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u32,
}

impl LineKey {
    /// The first line of an item.
    pub fn new(
        kind: impl Into<String>,
        name: impl Into<String>,
        version: Option<impl Into<String>>,
    ) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            version: version.map(Into::into),
            part: 0,
        }
    }

    /// Whether both name the same item.
    pub fn same_item(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && self.version == other.version
    }

    /// The bytes that a hash of the key covers and that a spool sorts by: the parts with a NUL between, then the part
    /// as four bytes, most significant first.
    pub(crate) fn sort_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.kind.len() + self.name.len() + 16);
        bytes.extend_from_slice(self.kind.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.version.as_deref().unwrap_or_default().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&self.part.to_be_bytes());
        bytes
    }

    /// What it compares by, without a copy.
    pub(crate) fn sort_key(&self) -> SortKey<'_> {
        (&self.kind, &self.name, self.version.as_deref(), self.part)
    }
}

/// A key that is borrowed. It compares as [`LineKey`] does.
pub(crate) type SortKey<'a> = (&'a str, &'a str, Option<&'a str>, u32);

/// Writes `KIND/NAME[:VERSION]`.
impl fmt::Display for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)?;
        match &self.version {
            Some(version) => write!(f, ":{version}"),
            None => Ok(()),
        }
    }
}

fn is_zero(part: &u32) -> bool {
    *part == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// One line of a manifest: an item, or a further part of one that has many files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The kind, such as `models`.
    pub kind: String,
    /// The name within the kind.
    pub name: String,
    /// The version, for versioned kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// 0, and 1, 2, … for further lines of the item.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u32,
    /// The item's documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentEntry>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// What was listed and not saved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapEntry>,
    /// Its secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretEntry>,
    /// When everything about the item was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// Whether nothing about it is expected to change any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub settled: bool,
    /// Fields that a later version, or the caller, wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Line {
    /// An empty line of an item.
    pub fn new(key: LineKey) -> Self {
        Self {
            kind: key.kind,
            name: key.name,
            version: key.version,
            part: key.part,
            documents: Vec::new(),
            files: Vec::new(),
            gaps: Vec::new(),
            secrets: Vec::new(),
            asked: None,
            settled: false,
            more: Map::new(),
        }
    }

    /// Its key.
    pub fn key(&self) -> LineKey {
        LineKey {
            kind: self.kind.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            part: self.part,
        }
    }

    /// What it is sorted by, without a copy.
    pub(crate) fn sort_key(&self) -> SortKey<'_> {
        (&self.kind, &self.name, self.version.as_deref(), self.part)
    }

    /// Refuses a key that no item has.
    fn check_key(&self) -> Result<(), Error> {
        let version = self.version.as_deref();
        let mut parts = [Some(&*self.kind), Some(&*self.name), version]
            .into_iter()
            .flatten();
        let reason = match parts.clone().any(str::is_empty) {
            true => "a part of its key is empty",
            false if parts.any(|part| part.contains('\0')) => "its key holds a NUL",
            false => return Ok(()),
        };
        Err(Error::Line {
            key: self.key(),
            reason: reason.to_owned(),
        })
    }

    /// Every object that it names, chunk lists themselves included (not what they list).
    pub fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        let contents = self.files.iter().filter_map(|file| file.content.as_ref());
        let of_files = contents.flat_map(|content| {
            let chunks = content.chunks.iter().map(|chunk| chunk.address);
            chunks.chain(content.chunk_list.map(|list| list.address))
        });
        self.documents
            .iter()
            .map(|document| document.address)
            .chain(of_files)
            .chain(self.secrets.iter().map(|secret| secret.address))
    }

    /// The line as canonical JSON with its line end.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.check_key()?;
        let mut bytes = json::to_canonical(self, "a manifest line")?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a line without its line end. The bytes must be canonical.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let line: Self = json::from_canonical(bytes, LINE_BYTES_MAX - 1, "a manifest line")?;
        line.check_key()?;
        Ok(line)
    }
}

/// Everything that the lines of one item say together.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The key of its first line.
    pub key: LineKey,
    /// Its documents.
    pub documents: Vec<DocumentEntry>,
    /// Its files.
    pub files: Vec<FileEntry>,
    /// Its gaps.
    pub gaps: Vec<GapEntry>,
    /// Its secrets.
    pub secrets: Vec<SecretEntry>,
    /// When everything about it was last asked for.
    pub asked: Option<Timestamp>,
    /// Whether nothing about it is expected to change any more.
    pub settled: bool,
    /// Other fields of its first line.
    pub more: Map<String, Value>,
}

impl Item {
    /// Begins with a first line.
    pub fn from_line(line: Line) -> Self {
        Self {
            key: LineKey {
                part: 0,
                ..line.key()
            },
            documents: line.documents,
            files: line.files,
            gaps: line.gaps,
            secrets: line.secrets,
            asked: line.asked,
            settled: line.settled,
            more: line.more,
        }
    }

    /// Adds what a further line of the same item says.
    pub fn append(&mut self, line: Line) {
        self.documents.extend(line.documents);
        self.files.extend(line.files);
        self.gaps.extend(line.gaps);
        self.secrets.extend(line.secrets);
    }

    /// The item as one line, of any length: what a writer stages, which cuts it into parts where needed.
    pub fn into_line(self) -> Line {
        Line {
            documents: self.documents,
            files: self.files,
            gaps: self.gaps,
            secrets: self.secrets,
            asked: self.asked,
            settled: self.settled,
            more: self.more,
            ..Line::new(self.key)
        }
    }
}
