//! What a repository holds as a file beside it tells: made from what was put in, and compared with what comes out.
//!
//! A committed archive has such a file, so that it can be read in ten years by a program, by a second reader, and by a
//! person who looks for what should be there.

use std::collections::BTreeMap;
use std::path::Path;

use archive_format::{
    Digest, EntryKind, FileEntry, GapEntry, Line, LineKey, Pair, Repository, SnapshotId,
    SnapshotReader, SnapshotRecord, json,
};
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::{Failure, Tested, decrypt_bytes, files_below, secrets_below};

/// A repository, its keys and everything in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The version of the format.
    pub(crate) format: u64,
    /// What made it.
    pub(crate) program: String,
    /// The sort of each entry of the log, from the first.
    pub(crate) log: Vec<String>,
    /// What a check finds odd, by its name.
    pub(crate) odd: Vec<String>,
    /// The snapshots that are not forgotten and count, the oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Every other file of the folder.
    pub(crate) files: BTreeMap<String, Bytes>,
}

/// Some bytes. They are written as their number and their SHA-256 with a space between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Bytes {
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        format!("{} {}", bytes.size, bytes.sha256)
    }
}

impl TryFrom<String> for Bytes {
    type Error = Failure;

    fn try_from(text: String) -> Result<Self, Failure> {
        let (size, sha256) = text.split_once(' ').ok_or("no space")?;
        Ok(Self {
            size: size.parse()?,
            sha256: sha256.parse()?,
        })
    }
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
        }
    }
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) id: SnapshotId,
    pub(crate) workspace: String,
    pub(crate) outcome: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) accepted: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) protected: bool,
    /// All lines of its manifest as they stand there, one after another.
    pub(crate) lines: Bytes,
    /// Its items, sorted.
    pub(crate) items: Vec<Item>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) documents: Vec<Document>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<File>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gaps: Vec<Gap>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<Secret>,
}

/// A document by its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) form: String,
    pub(crate) bytes: Bytes,
}

/// A file, a directory or a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Bytes>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) directory: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) symlink: Option<String>,
}

/// What was listed and not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    pub(crate) reason: String,
    pub(crate) known: bool,
}

/// A secret by its place; the digest is that of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) pointer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<String>,
    pub(crate) bytes: Bytes,
}

impl From<&GapEntry> for Gap {
    fn from(gap: &GapEntry) -> Self {
        Self {
            file: gap.file.clone(),
            reason: gap.reason.clone(),
            known: gap.known,
        }
    }
}

impl Told {
    /// Reads what is told of the archive in a folder.
    pub(crate) fn read(folder: &Path) -> Tested<Self> {
        let text = std::fs::read(folder.join(Self::NAME))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The file's name.
    pub(crate) const NAME: &str = "expected.json";
}

/// The lines of a snapshot, and their bytes as they stand in its manifest.
pub(crate) async fn lines(reader: &SnapshotReader) -> Tested<(Vec<Line>, Bytes)> {
    let lines: Vec<Line> = reader.lines().try_collect().await?;
    let mut text = Vec::new();
    for line in &lines {
        text.extend(json::canonical(&serde_json::to_value(line)?));
        text.push(b'\n');
    }
    Ok((lines, Bytes::of(&text)))
}

/// Everything that a snapshot holds, each byte of it read.
pub(crate) async fn snapshot(repository: &Repository, record: &SnapshotRecord) -> Tested<Snapshot> {
    let reader = repository.snapshot(record);
    let (lines, text) = lines(&reader).await?;
    let mut items: Vec<Item> = Vec::new();
    for line in &lines {
        match items.last_mut() {
            Some(item) if line.part > 0 => item.add(&reader, line).await?,
            _ => {
                let mut item = Item::new(&line.key());
                item.add(&reader, line).await?;
                items.push(item);
            }
        }
    }
    Ok(Snapshot {
        id: record.id,
        workspace: record.workspace.clone(),
        outcome: record.outcome.to_string(),
        accepted: repository.accepted().await?.contains(&record.id),
        protected: repository.protected().await?.contains(&record.id),
        lines: text,
        items,
    })
}

impl Item {
    /// What items are sorted by.
    pub(crate) fn key(&self) -> (String, String, Option<String>) {
        (self.kind.clone(), self.name.clone(), self.version.clone())
    }

    /// An item of which nothing is known yet.
    pub(crate) fn new(key: &LineKey) -> Self {
        Self {
            kind: key.kind.clone(),
            name: key.name.clone(),
            version: key.version.clone(),
            documents: Vec::new(),
            files: Vec::new(),
            gaps: Vec::new(),
            secrets: Vec::new(),
        }
    }

    async fn add(&mut self, reader: &SnapshotReader, line: &Line) -> Tested {
        for document in &line.documents {
            let bytes = reader.document_bytes(document).await?;
            self.documents.push(Document::of(&document.form, &bytes));
        }
        for file in &line.files {
            self.files.push(File::read(reader, file).await?);
        }
        self.gaps.extend(line.gaps.iter().map(Gap::from));
        for secret in &line.secrets {
            let json = reader.secret(secret).await?;
            let form = secret.form.as_deref();
            self.secrets
                .push(Secret::of(&secret.pointer, form, json.expose_secret()));
        }
        Ok(())
    }
}

impl Document {
    pub(crate) fn of(form: &str, bytes: &[u8]) -> Self {
        Self {
            form: form.to_owned(),
            bytes: Bytes::of(bytes),
        }
    }
}

impl Secret {
    pub(crate) fn of(pointer: &str, form: Option<&str>, json: &[u8]) -> Self {
        Self {
            pointer: pointer.to_owned(),
            form: form.map(str::to_owned),
            bytes: Bytes::of(json),
        }
    }
}

impl File {
    async fn read(reader: &SnapshotReader, file: &FileEntry) -> Tested<Self> {
        let mut found = Self {
            path: file.path.to_string(),
            ..Self::default()
        };
        match (&file.entry, &file.content) {
            (EntryKind::Directory, None) => found.directory = true,
            (EntryKind::Symlink(target), None) => found.symlink = Some(target.clone()),
            (EntryKind::File, Some(content)) => {
                let parts: Vec<bytes::Bytes> = reader.file(content).try_collect().await?;
                found.bytes = Some(Bytes::of(&parts.concat()));
            }
            other => return Err(format!("{}: {other:?}", found.path).into()),
        }
        Ok(found)
    }
}

/// Every file below a folder but the one that tells of them, by its relative name.
pub(crate) fn files(folder: &Path) -> Tested<BTreeMap<String, Bytes>> {
    let mut files = BTreeMap::new();
    for path in files_below(folder) {
        let name = path.strip_prefix(folder)?.to_str().ok_or("no text")?;
        if name != Told::NAME {
            files.insert(name.to_owned(), Bytes::of(&std::fs::read(&path)?));
        }
    }
    Ok(files)
}

/// The sort of each entry of a repository's log, by the library of age and nothing of this crate.
pub(crate) fn log(repository: &Path, owner: Option<&Pair>) -> Tested<Vec<String>> {
    let meta = owner
        .map(|owner| secrets_below(repository, "meta", owner))
        .transpose()?;
    let mut sorts = Vec::new();
    for path in files_below(&repository.join("log")) {
        let stored = std::fs::read(&path)?;
        let end = stored.iter().position(|byte| *byte == b'\n');
        let mut body = stored[end.ok_or("no line")? + 1..].to_vec();
        if let Some(pairs) = &meta {
            let opened = pairs.iter().map(|pair| decrypt_bytes(&body, pair));
            let opened: Vec<_> = opened.collect::<Tested<_>>()?;
            body = opened.into_iter().flatten().next().ok_or("no key fits")?;
        }
        let body: Value = serde_json::from_slice(&body)?;
        let sort = body["body"].as_object().and_then(|sort| sort.keys().next());
        sorts.push(sort.ok_or("no sort")?.clone());
    }
    Ok(sorts)
}
