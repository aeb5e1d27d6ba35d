#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::json;

use super::{Commit, Lifetime, SnapshotWriter};
use crate::log::{Body, Forget, Sweep};
use crate::pack::Class;
use crate::planes::Encoding;
use crate::{
    Content, Error, FileEntry, FilePath, InitOptions, KeyChain, Line, LineKey, LocalStorage,
    OpenOptions, Outcome, PackName, Repository, SnapshotId, SnapshotRecord,
};

struct World {
    folder: tempfile::TempDir,
    keys: crate::MachineKey,
}

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = InitOptions {
        owners: Vec::new(),
        unencrypted: true,
        pack_bytes: 1 << 20,
        label: "machine".to_owned(),
        program: "test".to_owned(),
        now: now(),
    };
    let storage = Arc::new(LocalStorage::new(folder.path().join("repository")));
    let keys = Repository::init(storage, options)
        .await
        .unwrap()
        .machine_key;
    World { folder, keys }
}

impl World {
    async fn open(&self, cache: &str) -> Repository {
        let storage = Arc::new(LocalStorage::new(self.folder.path().join("repository")));
        let keys = KeyChain {
            machine: Some(self.keys.clone()),
            owners: Vec::new(),
        };
        let options = OpenOptions {
            cache: self.folder.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "test".to_owned(),
        };
        Repository::open(storage, keys, options).await.unwrap()
    }
}

async fn store(writer: &SnapshotWriter, bytes: &[u8]) -> Content {
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::copy_from_slice(bytes))]);
    writer.file(Lifetime::Files, stream).await.unwrap()
}

async fn stage(writer: &SnapshotWriter, name: &str, content: Content) {
    let mut line = Line::new(LineKey::new("models", name, None::<String>));
    line.files
        .push(FileEntry::new(FilePath::new("f").unwrap(), Some(content)));
    writer.line(line).await.unwrap();
}

fn complete() -> Commit {
    Commit {
        outcome: Outcome::Complete,
        finished: now(),
        ..Commit::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_stored_by_planes_as_a_file_lies_as_it_is_in_meta_packs() {
    let world = world().await;
    let repository = world.open("a").await;
    let inner = &repository.inner;
    for class in [Class::Files, Class::Meta] {
        let words = (0..40_000_u32).map(|word| word + class.code() as u32 * 1_000_000);
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let fresh = super::FreshObjects::begin(inner, now()).await.unwrap();
        let address = fresh.store(class, bytes.clone().into()).await.unwrap();
        fresh.finish().await.unwrap();
        let found = inner.catalogue.locate(address).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].row.encoding == Encoding::Plain,
            class == Class::Meta
        );
        assert_eq!(inner.objects.get(address).await.unwrap(), bytes);
    }
}

/// What a later version does: forgets the snapshots, and sweeps all packs and deletes them.
async fn sweep_all(repository: &Repository, forget: &[SnapshotId], delete: bool) -> Vec<PackName> {
    let inner = &repository.inner;
    let run = SnapshotId::new(now()).unwrap();
    let forget = Forget {
        snapshots: forget.to_vec(),
        reason: "test".to_owned(),
    };
    let body = || async { Ok(Some(Body::Forget(forget.clone()))) }.boxed();
    assert!(inner.append(run, now(), body).await.unwrap());
    let listed = inner.listed("packs/").await.unwrap();
    let packs: Vec<PackName> = listed.into_iter().map(|(name, _)| name).collect();
    let sweep = Sweep {
        packs: packs.clone(),
        list: Vec::new(),
        list_packs: Vec::new(),
    };
    let body = || async { Ok(Some(Body::Sweep(sweep.clone()))) }.boxed();
    assert!(inner.append(run, now(), body).await.unwrap());
    if delete {
        for name in &packs {
            inner
                .storage
                .delete(&crate::FileName::pack(name))
                .await
                .unwrap();
            inner
                .storage
                .delete(&crate::FileName::index(name))
                .await
                .unwrap();
        }
    }
    packs
}

async fn first(repository: &Repository) -> SnapshotRecord {
    let writer = repository.begin("prod", json!({}), now()).await.unwrap();
    let content = store(&writer, b"shared bytes").await;
    stage(&writer, "a", content).await;
    writer.commit(complete()).await.unwrap()
}

async fn read_all(repository: &Repository, record: &SnapshotRecord) -> Vec<u8> {
    let reader = repository.snapshot(record);
    let item = reader.item("models", "a", None).await.unwrap().unwrap();
    let content = item.files[0].content.clone().unwrap();
    reader
        .file(&content)
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_never_names_a_swept_pack() {
    for delete in [false, true] {
        let world = world().await;
        let (repository, sweeper) = (world.open("writer").await, world.open("sweeper").await);
        let old = first(&repository).await;
        let writer = repository.begin("prod", json!({}), now()).await.unwrap();
        // The bytes are known, so nothing is stored; then everything is swept by somebody else.
        let content = store(&writer, b"shared bytes").await;
        stage(&writer, "a", content).await;
        let swept = sweep_all(&sweeper, &[old.id], delete).await;
        let refused = writer.commit(complete()).await;
        assert!(
            matches!(refused, Err(Error::Gone { ref items }) if items.len() == 1),
            "{refused:?}"
        );
        // The old one is forgotten, not damaged, and to be read as long as its files are there.
        let late = world.open("late").await;
        let gone = late.snapshot(&old).item("models", "a", None).await;
        match delete {
            true => assert!(matches!(gone, Err(Error::Forgotten { .. })), "{gone:?}"),
            false => assert!(gone.unwrap().is_some()),
        }
        let content = store(&writer, b"shared bytes").await;
        stage(&writer, "a", content).await;
        let record = writer.commit(complete()).await.unwrap();
        assert_eq!(read_all(&repository, &record).await, b"shared bytes");
        let fresh = world.open("fresh").await;
        let needed = crate::check::packs::packs_of(&fresh.inner, &record)
            .await
            .unwrap();
        assert!(
            needed.iter().all(|name| !swept.contains(name)),
            "a swept name came back"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_packs_that_were_swept_before_the_commit_are_written_again_under_new_names() {
    let world = world().await;
    let (repository, sweeper) = (world.open("writer").await, world.open("sweeper").await);
    let writer = repository.begin("prod", json!({}), now()).await.unwrap();
    let content = store(&writer, b"own bytes").await;
    stage(&writer, "a", content).await;
    writer.packer.flush().await.unwrap();
    let swept = sweep_all(&sweeper, &[], true).await;
    assert_eq!(swept.len(), 1);
    assert!(matches!(
        writer.commit(complete()).await,
        Err(Error::Gone { .. })
    ));
    let content = store(&writer, b"own bytes").await;
    stage(&writer, "a", content).await;
    let record = writer.commit(complete()).await.unwrap();
    assert_eq!(read_all(&repository, &record).await, b"own bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_snapshot_counts_once_it_is_accepted() {
    let world = world().await;
    let repository = world.open("a").await;
    let writer = repository.begin("prod", json!({}), now()).await.unwrap();
    let suspect = Commit {
        outcome: Outcome::Suspect,
        ..complete()
    };
    let record = writer.commit(suspect).await.unwrap();
    assert!(matches!(
        repository.resolve("latest").await,
        Err(Error::SnapshotUnknown { .. })
    ));
    assert_eq!(
        repository.resolve("latest-any:prod").await.unwrap().record,
        record
    );
    repository.accept(&[record.id], now()).await.unwrap();
    repository.accept(&[record.id], now()).await.unwrap();
    assert_eq!(repository.head().await.unwrap().0, 3, "accepted once");
    let fresh = world.open("b").await;
    assert_eq!(fresh.resolve("latest:prod").await.unwrap().record, record);
    assert_eq!(fresh.accepted().await.unwrap(), [record.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_thousands_of_chunks_has_a_tree_of_lists() {
    let world = world().await;
    let repository = world.open("a").await;
    let writer = repository.begin("prod", json!({}), now()).await.unwrap();
    // Zeros are cut at the largest chunk, and are one object however often they come.
    let piece = Bytes::from(vec![0; 4 << 20]);
    let pieces = std::iter::repeat_n(piece, 100).map(Ok::<_, std::io::Error>);
    let content = writer
        .file(Lifetime::Files, futures::stream::iter(pieces))
        .await
        .unwrap();
    assert_eq!(content.size, 400 << 20);
    assert_eq!(
        content.chunk_list.map(|list| (list.depth, list.chunks)),
        Some((1, 100))
    );
    stage(&writer, "a", content.clone()).await;
    let record = writer.commit(complete()).await.unwrap();
    let mut stream = repository.snapshot(&record).file(&content);
    let mut bytes = 0;
    while let Some(piece) = stream.try_next().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!(bytes, 400 << 20);
    assert!(crate::Repository::stored_bytes(&repository).await.unwrap() < 1 << 20);
}
