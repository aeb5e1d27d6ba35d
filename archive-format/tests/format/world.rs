//! A repository in a temporary folder, and what the tests put into it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::{
    Commit, Digest, DocumentEntry, FileEntry, FilePath, Identity, InitOptions, KeyChain, Lifetime,
    Line, LineKey, MachineKey, OpenOptions, Outcome, Pair, Recipient, Repository, SnapshotRecord,
    SnapshotWriter, Storage, Stored,
};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::stores::Backend;

/// What the tests' functions fail with.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A result of a test.
pub(crate) type Tested<T = ()> = Result<T, Failure>;

/// A fixed time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap_or_default()
}

/// A repository with its keys.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) owner: Option<Pair>,
    pub(crate) machine: MachineKey,
    store: Arc<dyn Storage>,
}

impl World {
    /// A new repository.
    pub(crate) async fn new(encrypted: bool) -> Tested<Self> {
        Self::with_packs(encrypted, 64 << 20).await
    }

    /// A new repository with packs of a size.
    pub(crate) async fn with_packs(encrypted: bool, pack_bytes: u64) -> Tested<Self> {
        Self::on(Backend::Local, encrypted, pack_bytes).await
    }

    /// A new repository in a store of this kind.
    pub(crate) async fn on(backend: Backend, encrypted: bool, pack_bytes: u64) -> Tested<Self> {
        let folder = tempfile::tempdir()?;
        let store = backend.store(folder.path())?;
        Self::at(folder, store, encrypted, pack_bytes).await
    }

    /// A new repository in a store; only the caches lie in a folder.
    pub(crate) async fn over(
        store: Arc<dyn Storage>,
        encrypted: bool,
        pack_bytes: u64,
    ) -> Tested<Self> {
        Self::at(tempfile::tempdir()?, store, encrypted, pack_bytes).await
    }

    async fn at(
        folder: tempfile::TempDir,
        store: Arc<dyn Storage>,
        encrypted: bool,
        pack_bytes: u64,
    ) -> Tested<Self> {
        let owner = encrypted.then(Pair::generate);
        let options = options(owner.as_ref(), pack_bytes);
        let made = Repository::init(Arc::clone(&store), options).await?;
        Ok(Self {
            folder,
            owner,
            machine: made.machine_key,
            store,
        })
    }

    /// A new repository of these owners, whose keys the test keeps.
    pub(crate) async fn with_owners(owners: Vec<Recipient>) -> Tested<Self> {
        let folder = tempfile::tempdir()?;
        let store = Backend::Local.store(folder.path())?;
        let options = InitOptions {
            owners,
            unencrypted: false,
            ..options(None, 64 << 20)
        };
        let made = Repository::init(Arc::clone(&store), options).await?;
        Ok(Self {
            folder,
            owner: None,
            machine: made.machine_key,
            store,
        })
    }

    /// Opens it with the machine's key alone, with a cache of this name.
    pub(crate) async fn open_as_machine(
        &self,
        cache: &str,
    ) -> Result<Repository, archive_format::Error> {
        let keys = KeyChain {
            machine: Some(self.machine.clone()),
            owners: Vec::new(),
        };
        Repository::open(self.storage(), keys, self.options(cache)).await
    }

    /// The repository's own secrets of a sort, newest first, as the owner's key opens them: of the highest edition.
    pub(crate) fn secrets(&self, sort: &str) -> Tested<Vec<Pair>> {
        let owner = self.owner.as_ref().ok_or("no owner")?;
        secrets_below(&self.root(), sort, owner)
    }

    /// Whether a pair opens a file of the repository.
    pub(crate) fn opens(&self, file: &Path, pair: &Pair) -> Tested<bool> {
        Ok(decrypt(file, pair)?.is_some())
    }

    /// The repository's folder, where it lies on the local disk.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// The store.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.store)
    }

    /// Opens it with all keys and one cache.
    pub(crate) async fn open(&self) -> Result<Repository, archive_format::Error> {
        self.open_at(self.storage(), "cache").await
    }

    /// Opens it through a store, with a cache of this name.
    pub(crate) async fn open_at(
        &self,
        storage: Arc<dyn Storage>,
        cache: &str,
    ) -> Result<Repository, archive_format::Error> {
        Repository::open(storage, self.keys(), self.options(cache)).await
    }

    /// All keys.
    pub(crate) fn keys(&self) -> KeyChain {
        KeyChain {
            machine: Some(self.machine.clone()),
            owners: self.owner.clone().map(Identity::from).into_iter().collect(),
        }
    }

    /// How it is opened.
    pub(crate) fn options(&self, cache: &str) -> OpenOptions {
        OpenOptions {
            cache: self.folder.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "test 1".to_owned(),
        }
    }

    /// The names of all files below a folder of the repository, sorted.
    pub(crate) fn files(&self, prefix: &str) -> Vec<PathBuf> {
        files_below(&self.root().join(prefix))
    }
}

/// The own secrets of the repository in a folder of a sort, newest first, as an owner's key opens them: of the highest
/// edition.
pub(crate) fn secrets_below(root: &Path, sort: &str, owner: &Pair) -> Tested<Vec<Pair>> {
    let suffix = format!("-{sort}.age");
    let newest = files_below(&root.join("keys"))
        .into_iter()
        .rfind(|path| path.to_string_lossy().ends_with(&suffix))
        .ok_or("no key file")?;
    let text = decrypt(&newest, owner)?.ok_or("the owner does not open it")?;
    Ok(Pair::parse_file(&String::from_utf8(text)?)?)
}

/// Decrypts a file with the age library; none where the key does not fit.
pub(crate) fn decrypt(file: &Path, pair: &Pair) -> Tested<Option<Vec<u8>>> {
    decrypt_bytes(&std::fs::read(file)?, pair)
}

/// The same of bytes that are at hand.
pub(crate) fn decrypt_bytes(bytes: &[u8], pair: &Pair) -> Tested<Option<Vec<u8>>> {
    let key: age::x25519::Identity = pair
        .to_secret_text()
        .expose_secret()
        .parse()
        .map_err(|error: &str| error.to_owned())?;
    let opened = age::Decryptor::new(bytes)?;
    match opened.decrypt(std::iter::once(&key as &dyn age::Identity)) {
        Err(age::DecryptError::NoMatchingKeys) => Ok(None),
        opened => {
            let mut plain = Vec::new();
            opened?.read_to_end(&mut plain)?;
            Ok(Some(plain))
        }
    }
}

/// What `init` is told.
pub(crate) fn options(owner: Option<&Pair>, pack_bytes: u64) -> InitOptions {
    InitOptions {
        owners: owner.map(Pair::to_recipient).into_iter().collect(),
        unencrypted: owner.is_none(),
        pack_bytes,
        label: "machine".to_owned(),
        program: "test 1".to_owned(),
        now: now(),
    }
}

/// All files below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Bytes without repeats, the same for the same seed.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// 32-bit floats as weights have them: small, their mantissas without pattern.
pub(crate) fn floats(count: usize, seed: u64) -> Vec<u8> {
    let noise = noise(count * 4, seed);
    let words = noise
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    words
        .flat_map(|word| ((f64::from(word) / f64::from(u32::MAX) - 0.5) as f32 * 0.1).to_le_bytes())
        .collect()
}

/// A stream of these bytes in pieces.
pub(crate) fn stream(
    bytes: Vec<u8>,
) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let pieces: Vec<_> = bytes
        .chunks(300_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    futures::stream::iter(pieces)
}

/// An item of a test: a name, a document and files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thing {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) document: Value,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// A model with a file.
pub(crate) fn model(name: &str, bytes: Vec<u8>) -> Thing {
    Thing {
        kind: "models",
        name: name.to_owned(),
        document: json!({"name": name, "properties": {"description": "a model", "n": 1.50}}),
        files: vec![("weights.bin".to_owned(), bytes)],
    }
}

/// The entry of a document in a line.
pub(crate) fn arm(stored: Stored, fingerprint: Digest) -> DocumentEntry {
    DocumentEntry {
        form: "arm".to_owned(),
        api_version: "2025-12-01".to_owned(),
        read: now(),
        address: stored.address,
        size: stored.size,
        fingerprint,
        more: Map::new(),
    }
}

/// Stores a thing and stages its line.
pub(crate) async fn put(writer: &SnapshotWriter, thing: &Thing) -> Tested {
    let stored = writer.document(&thing.document).await?;
    let mut line = Line::new(LineKey::new(thing.kind, thing.name.clone(), Some("1")));
    line.documents.push(arm(stored, Digest::of(b"")));
    for (path, bytes) in &thing.files {
        let content = writer.file(Lifetime::Files, stream(bytes.clone())).await?;
        line.files
            .push(FileEntry::new(FilePath::new(path.clone())?, Some(content)));
    }
    writer.line(line).await?;
    Ok(())
}

/// One backup of these things.
pub(crate) async fn backup(repository: &Repository, things: &[Thing]) -> Tested<SnapshotRecord> {
    let writer = repository
        .begin("prod", json!({"folder": "/x"}), now())
        .await?;
    for thing in things {
        put(&writer, thing).await?;
    }
    Ok(writer.commit(complete()).await?)
}

/// A commit of a finished run.
pub(crate) fn complete() -> Commit {
    Commit {
        outcome: Outcome::Complete,
        finished: now(),
        ..Commit::default()
    }
}

/// Everything a snapshot holds.
pub(crate) async fn restore(
    repository: &Repository,
    record: &SnapshotRecord,
) -> Tested<Vec<Thing>> {
    let reader = repository.snapshot(record);
    let mut lines = reader.lines();
    let mut things = Vec::new();
    while let Some(line) = lines.try_next().await? {
        let document = match line.documents.first() {
            Some(entry) => reader.document(entry).await?,
            None => Value::Null,
        };
        let mut files = Vec::new();
        for file in &line.files {
            let content = file.content.as_ref().ok_or("a file without content")?;
            let bytes: Vec<Bytes> = reader.file(content).try_collect().await?;
            files.push((file.path.to_string(), bytes.concat()));
        }
        let kind = ["models", "jobs", "notebooks"]
            .into_iter()
            .find(|kind| *kind == line.kind);
        things.push(Thing {
            kind: kind.ok_or("an unknown kind")?,
            name: line.name,
            document,
            files,
        });
    }
    Ok(things)
}
