//! `seal.json`: what is stored of an export, and that it is whole. It is written last of all.

use archive_format::log::LogHead;
use archive_format::{Digest, ExportId, RepositoryId, SnapshotId, json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::custody::Custody;
use crate::Error;

/// The edition of what an export consists of.
pub const EDITION: u32 = 1;

/// The record's name in the seal.
pub const NAME: &str = "seal.json";

/// The largest `seal.json`, and the largest signature: lists of files, not of contents.
pub(super) const RECORD_BYTES_MAX: u64 = 64 << 20;

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name: of a part that at the destination, of a file of the seal that within `NAME.seal/`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// The tar before encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainTar {
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// What `seal.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealRecord {
    /// The edition.
    pub edition: u32,
    /// The export.
    pub export: ExportId,
    /// What the names of its files begin with, and the bag's folder in the tar.
    pub name: String,
    /// The repository.
    pub repository: RepositoryId,
    /// The workspace's name in the configuration.
    pub workspace: String,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The log as it ended when the export began.
    pub log: LogHead,
    /// When it was made.
    pub created: Timestamp,
    /// The program that made it.
    pub program: String,
    /// The tar as it is stored: one file, or several that follow one another.
    pub parts: Vec<StoredFile>,
    /// The tar itself.
    pub tar: PlainTar,
    /// Whether it is encrypted: then `keys/export-<id>.age` of the repository opens it.
    pub encrypted: bool,
    /// For whom that key was wrapped besides the owners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The access tier of the tar, in the service's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Until when it is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    /// The other files of the seal that were there when it was written.
    pub files: Vec<StoredFile>,
    /// Where the chain of custody in the bag ends; later events go on from there.
    pub custody: Custody,
    /// The time-stamp authority that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_url: Option<String>,
}

impl SealRecord {
    /// The bytes of `seal.json`: canonical JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let value = serde_json::to_value(self).map_err(|error| Error::export(NAME, error))?;
        Ok(json::canonical(&value))
    }

    /// Reads `seal.json`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::export(NAME, error))?;
        match record.edition {
            EDITION => Ok(record),
            found => Err(Error::ExportEdition {
                found,
                known: EDITION,
            }),
        }
    }

    /// Its SHA-256, as the log names it.
    pub fn digest(&self) -> Result<Digest, Error> {
        Ok(Digest::of(&self.to_bytes()?))
    }
}
