//! An export of many gigabytes into an object store that keeps nothing of it: within the memory limit, and without a copy on
//! the local disk. The repository is filled in one process, and the export measured in another.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::restore::bag::{Actor, Destination};
use ::restore::{BagRequest, Stop, Unobserved, export_bag};
use archive_format::keys::write_exclusive;
use archive_format::storage::ObjectStorage;
use archive_format::storage::object::{Completion, ObjectOptions};
use archive_format::{
    Commit, ExportId, FileEntry, FilePath, Identity, InitOptions, KeyChain, Lifetime, Line,
    LineKey, LocalStorage, MachineKey, OpenOptions, Outcome, Pair, Repository, SnapshotWriter,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use mlark_tests::apart::{self, folder, peak_kib, tell};
use mlark_tests::length::{figures, short_or_long};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart,
};
use serde_json::json;
use simulator::blob::{Content, Fill};

use super::LIMIT_KIB;

/// The size of the file in the short and in the long form.
const SHORT_BYTES: u64 = 300 << 20;
const LONG_BYTES: u64 = 5 << 30;
/// Small items besides.
const ITEMS: u64 = 3000;
/// What the export may write to the local disk.
const DISK_BYTES_MAX: u64 = 100 << 20;
const READ_BYTES: u64 = 4 << 20;

#[test]
fn an_export_streams_within_the_memory_limit_and_leaves_no_copy_on_the_disk() {
    let home = tempfile::tempdir().unwrap();
    apart::run("size::export::fill", home.path()).unwrap();
    let said = apart::run("size::export::streamed", home.path()).unwrap();
    let figure = |name: &str| said.figure(name).unwrap();
    let (size, stored) = (figure("file bytes"), figure("bytes stored"));
    assert!(
        stored > size && stored < size + size / 50 + (64 << 20),
        "{stored} of {size}"
    );
    let (peak, disk) = (figure("peak KiB"), figure("bytes written to the disk"));
    assert!(peak < LIMIT_KIB, "{peak} KiB");
    assert!(disk < DISK_BYTES_MAX, "{disk} bytes");
    let line = format!(
        "an encrypted export of {} MiB and {ITEMS} small items into an object store: VmHWM {} MiB, {} KiB written to the local disk",
        stored >> 20,
        peak >> 10,
        disk >> 10,
    );
    figures(&line).unwrap();
}

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

async fn open(home: &Path) -> Repository {
    let text = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    let keys = KeyChain {
        machine: Some(MachineKey::parse(&text("machine.key")).unwrap()),
        owners: Pair::parse_file(&text("owner.key"))
            .unwrap()
            .into_iter()
            .map(Identity::from)
            .collect(),
    };
    let options = OpenOptions {
        cache: home.join("cache"),
        trusted_signers: Vec::new(),
        expect_head: None,
        tolerate_damage: false,
        program: "test".to_owned(),
    };
    let storage = Arc::new(LocalStorage::new(home.join("repository")));
    Repository::open(storage, keys, options).await.unwrap()
}

#[tokio::test]
#[ignore = "run in a process of its own, by an_export_streams_within_the_memory_limit_and_leaves_no_copy_on_the_disk"]
async fn fill() {
    let home = folder().unwrap();
    let owner = Pair::generate();
    let options = InitOptions {
        owners: vec![owner.to_recipient()],
        unencrypted: false,
        pack_bytes: 64 << 20,
        label: "machine".to_owned(),
        program: "test".to_owned(),
        now: now(),
    };
    let storage = Arc::new(LocalStorage::new(home.join("repository")));
    let made = Repository::init(storage, options).await.unwrap();
    write_exclusive(&home.join("owner.key"), &owner.to_file_text(now())).unwrap();
    write_exclusive(&home.join("machine.key"), &made.machine_key.to_text()).unwrap();
    let repository = open(&home).await;
    let writer = repository
        .begin("prod", json!({"Folder": "/x"}), now())
        .await
        .unwrap();
    let size = short_or_long(SHORT_BYTES, LONG_BYTES);
    let content = Content::generated(Fill::Cipher, 5, size);
    let pieces = (0..size.div_ceil(READ_BYTES)).map(move |piece| {
        let start = piece * READ_BYTES;
        let slice = content.slice(start..(start + READ_BYTES).min(size));
        Ok::<Bytes, std::io::Error>(slice.to_bytes())
    });
    put(&writer, "weights.bin", stream::iter(pieces)).await;
    for item in 0..ITEMS {
        let bytes = Bytes::from(format!("item {item}\n"));
        let one = stream::once(async move { Ok::<_, std::io::Error>(bytes) });
        put(&writer, &format!("small/{item:05}.txt"), one).await;
    }
    let commit = Commit {
        outcome: Outcome::Complete,
        finished: now(),
        ..Commit::default()
    };
    writer.commit(commit).await.unwrap();
}

async fn put(
    writer: &SnapshotWriter,
    name: &str,
    bytes: impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send,
) {
    let content = writer.file(Lifetime::Files, bytes).await.unwrap();
    let mut line = Line::new(LineKey::new("files", name, None::<String>));
    let base = name.rsplit('/').next().unwrap();
    line.files
        .push(FileEntry::new(FilePath::new(base).unwrap(), Some(content)));
    writer.line(line).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by an_export_streams_within_the_memory_limit_and_leaves_no_copy_on_the_disk"]
async fn streamed() {
    let home = folder().unwrap();
    let repository = open(&home).await;
    let record = repository.history().await.unwrap().remove(0);
    let store = Arc::new(Sink::default());
    let options = ObjectOptions {
        place: "sink".to_owned(),
        prefix: String::new(),
        data_class: None,
        completion: Completion::CreateOnly,
    };
    let inner: Arc<dyn ObjectStore> = store.clone();
    let destination = Destination {
        storage: Arc::new(ObjectStorage::new(inner, options).unwrap()),
        url: "sink".to_owned(),
        split_bytes: 64 << 30,
        tier: None,
        retain_until: None,
    };
    let request = BagRequest {
        export: ExportId::new(now()).unwrap(),
        name: "large".to_owned(),
        selectors: Vec::new(),
        now: now(),
        partial: false,
        plain: false,
        recipients: Vec::new(),
        hold: false,
        by: Actor::default(),
        checks: Vec::new(),
        signer: None,
        timestamp_url: None,
        folder: home.join("cache/exports"),
    };
    let before = written();
    let reader = repository.snapshot(&record);
    let bagged = export_bag(
        &reader,
        &destination,
        &request,
        &Unobserved,
        &Stop::default(),
    )
    .await
    .unwrap();
    tell("bytes written to the disk", written() - before);
    tell("file bytes", short_or_long(SHORT_BYTES, LONG_BYTES));
    assert_eq!(bagged.items, ITEMS + 1);
    assert_eq!(bagged.parts[0].size, store.taken.load(Ordering::Relaxed));
    tell("bytes stored", bagged.parts[0].size);
    tell("peak KiB", peak_kib().unwrap());
}

/// What this process had written to the disk so far, by the kernel's count.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.unwrap().trim().parse().unwrap()
}

/// A store that keeps small files, and of those that come in parts their length alone.
#[derive(Debug, Default)]
struct Sink {
    small: InMemory,
    taken: Arc<AtomicU64>,
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

#[derive(Debug)]
struct Taking(Arc<AtomicU64>);

#[async_trait]
impl MultipartUpload for Taking {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.0
            .fetch_add(data.content_length() as u64, Ordering::Relaxed);
        Box::pin(async move {
            // Held for a while, as a network holds it.
            tokio::task::yield_now().await;
            drop(data);
            Ok(())
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        Ok(PutResult {
            e_tag: None,
            version: None,
            extensions: Default::default(),
        })
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Sink {
    async fn put_opts(
        &self,
        at: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.small.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        _at: &ObjectPath,
        _options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Taking(Arc::clone(&self.taken))))
    }

    async fn get_opts(
        &self,
        at: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.small.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.small.delete_stream(at)
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.small.list(prefix)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        self.small.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.small.copy_opts(from, to, options).await
    }
}
