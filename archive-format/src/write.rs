//! Writing a snapshot.

use bytes::Bytes;
use futures::Stream;
use serde_json::Value;

use crate::{
    Address, ByteCounts, Content, Error, FileCounts, KindCounts, Line, LineKey, Outcome,
    SecretEntry, SnapshotRecord,
};

/// How long something is likely to live: packs are filled by it, so that whole packs die together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifetime {
    /// Documents and secrets.
    Documents,
    /// Files of models, code, environments, notebooks, data.
    Files,
    /// Logs, metrics and outputs of jobs.
    Outputs,
}

/// An object that is in the repository, or will be by the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its address.
    pub address: Address,
    /// Its length in bytes.
    pub size: u64,
}

/// Where a secret belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// The JSON pointer in the document.
    pub pointer: String,
    /// The form of the document; none: no document carries it.
    pub form: Option<String>,
}

/// Why a file was not stored: its source failed, or the archive.
#[derive(Debug, thiserror::Error)]
pub enum FileError<E: std::error::Error + 'static> {
    /// The stream ended in an error. Nothing is wrong with the archive.
    #[error("The file could not be read")]
    Source(#[source] E),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] Error),
}

/// What a commit says besides the lines.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// How the run ended.
    pub outcome: Outcome,
    /// Items by kind.
    pub items: std::collections::BTreeMap<String, KindCounts>,
    /// Files.
    pub files: FileCounts,
    /// Bytes listed and read; `new` and `stored` are filled in by the writer.
    pub bytes: ByteCounts,
    /// Requests sent.
    pub requests: u64,
    /// Tags.
    pub tags: Vec<String>,
}

/// Writes one run's snapshots. Every method may be called from many tasks at once; memory stays bounded.
#[derive(Debug)]
pub struct SnapshotWriter {
    run: crate::SnapshotId,
}

const LATER: Error = Error::Worker { what: "this build" };

impl SnapshotWriter {
    /// The run's id.
    pub fn run(&self) -> crate::SnapshotId {
        self.run
    }

    /// Stores a document as canonical JSON.
    pub async fn document(&self, document: &Value) -> Result<Stored, Error> {
        let _ = document;
        Err(LATER)
    }

    /// Stores the bytes of a file as they come, in bounded memory. Its size and SHA-256 are in the answer.
    pub async fn file<S, E>(&self, lifetime: Lifetime, stream: S) -> Result<Content, FileError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let _ = (lifetime, stream);
        Err(LATER.into())
    }

    /// Stores a secret, unless it is the one that `previous` names. Refused in an unencrypted repository.
    pub async fn secret(
        &self,
        place: SecretPlace,
        secret: &[u8],
        previous: Option<&SecretEntry>,
    ) -> Result<SecretEntry, Error> {
        let _ = (place, secret, previous);
        Err(LATER)
    }

    /// Whether every object that the line names is in a pack that may be named: only then may an old line be staged again.
    pub async fn reusable(&self, line: &Line) -> Result<bool, Error> {
        let _ = line;
        Err(LATER)
    }

    /// Stages an item, in any order: its line of any length, which is cut into parts where needed. Replaces all parts
    /// that were staged for the item.
    pub async fn line(&self, line: Line) -> Result<(), Error> {
        let _ = line;
        Err(LATER)
    }

    /// Stages further parts of an item, after those there.
    pub async fn append(&self, line: Line) -> Result<(), Error> {
        let _ = line;
        Err(LATER)
    }

    /// Takes an item out again, with all its parts.
    pub async fn remove(&self, key: &LineKey) -> Result<(), Error> {
        let _ = key;
        Err(LATER)
    }

    /// Whether the item is staged.
    pub async fn has(&self, key: &LineKey) -> Result<bool, Error> {
        let _ = key;
        Err(LATER)
    }

    /// Keys of staged items after `after`, in the manifest's order, at most `limit`; `part` is 0 in each.
    pub async fn keys(&self, after: Option<&LineKey>, limit: usize) -> Result<Vec<LineKey>, Error> {
        let _ = (after, limit);
        Err(LATER)
    }

    /// The staged lines of an item.
    pub async fn staged(&self, key: &LineKey) -> Result<Vec<Line>, Error> {
        let _ = key;
        Err(LATER)
    }

    /// Bytes in objects that the repository did not have, and what new packs take there.
    pub fn written(&self) -> ByteCounts {
        ByteCounts::default()
    }

    /// Commits what is staged as a snapshot. May be called again later in the same run, with more staged.
    /// [`Error::Gone`] names items whose content must be stored again first.
    pub async fn commit(&self, commit: Commit) -> Result<SnapshotRecord, Error> {
        let _ = commit;
        Err(LATER)
    }
}
