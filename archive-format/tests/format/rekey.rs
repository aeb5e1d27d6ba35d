//! Changes of keys under trouble: races, crashes at every write, storages that delete nothing; and what is read of an
//! encrypted pack.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use archive_format::storage::{Created, FileUse, StorageFault, StoredFile};
use archive_format::{Error, FileName, Pair, Repository, Storage, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::faulty::{Fault, Faulty};
use crate::keys::{by_passphrase, open_as, passphrase};
use crate::world::{Failure, Tested, World, backup, decrypt, model, noise, now, restore};

#[tokio::test(flavor = "multi_thread")]
async fn owners_who_add_owners_at_once_and_a_machine_that_backs_up_all_get_through() -> Tested {
    let world = Arc::new(World::new(true).await?);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..3_u64 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let cache = format!("cache-{number}");
            let mut added = Vec::new();
            if number == 0 {
                let repository = world.open_as_machine(&cache).await?;
                for seed in 0..6 {
                    backup(
                        &repository,
                        &[model(&format!("m-{seed}"), noise(20_000, seed))],
                    )
                    .await?;
                }
            } else {
                let repository = world.open_at(world.storage(), &cache).await?;
                for name in 0..3 {
                    let pair = Pair::generate();
                    repository
                        .add_owner(pair.to_recipient(), &format!("{number}-{name}"), now())
                        .await?;
                    added.push(pair);
                }
            }
            Ok::<_, Failure>(added)
        });
    }
    let mut added = Vec::new();
    while let Some(done) = tasks.join_next().await {
        added.extend(done??);
    }
    let repository = world.open().await?;
    assert_eq!(repository.head().await?.0, 1 + 6 + 6);
    let keys = repository.keys().await?;
    assert_eq!((keys.owners(), keys.holders.len()), (7, 8));
    // Files of the newest edition are left, and none of those who lost a race.
    assert_eq!(world.files("keys").len(), 3, "{:?}", world.files("keys"));
    for (number, pair) in added.into_iter().enumerate() {
        let opened = open_as(&world, vec![pair.into()], &format!("added-{number}")).await?;
        for record in opened.history().await? {
            assert_eq!(restore(&opened, &record).await?.len(), 1);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_made_anew_under_a_running_backup_leave_it_whole() -> Tested {
    let world = World::new(true).await?;
    let machine = world.open_as_machine("machine").await?;
    let owner = world.open().await?;
    let writer = machine.begin("prod", serde_json::json!({}), now()).await?;
    crate::world::put(&writer, &model("a", noise(50_000, 1))).await?;
    owner.rotate_keys(Vec::new(), now()).await?;
    crate::world::put(&writer, &model("b", noise(50_000, 2))).await?;
    let record = writer.commit(crate::world::complete()).await?;
    for cache in ["cache", "fresh"] {
        let repository = world.open_at(world.storage(), cache).await?;
        assert_eq!(repository.head().await?.0, 3);
        assert_eq!(restore(&repository, &record).await?.len(), 2);
    }
    // What others wrote with the new keys is read by a program that has been open since before.
    backup(
        &world.open_at(world.storage(), "other").await?,
        &[model("c", noise(500, 3))],
    )
    .await?;
    machine.refresh().await?;
    assert_eq!(machine.history().await?.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_of_a_change_leaves_keys_that_open_and_can_be_changed() -> Tested {
    for fault in [
        Fault::Crash,
        Fault::CrashAfter,
        Fault::LostAnswer,
        Fault::LostRequest,
    ] {
        for at in 0..4 {
            let world = World::with_owners(vec![passphrase("first")?]).await?;
            let faulty = Faulty::new(world.storage(), fault, at);
            let keys = archive_format::KeyChain {
                machine: Some(world.machine.clone()),
                owners: by_passphrase("first"),
            };
            let storage: Arc<dyn Storage> = Arc::new(faulty);
            let repository = Repository::open(storage, keys, world.options("cache")).await?;
            let late = Pair::generate();
            let changed = repository
                .add_owner(late.to_recipient(), "late", now())
                .await;
            let case = format!("{fault:?} at {at}: {changed:?}");
            drop(repository);
            let again = open_as(&world, by_passphrase("first"), "cache").await?;
            let there = again.keys().await?.find("late").is_ok();
            assert!(there || changed.is_err(), "{case}");
            let opened = open_as(&world, vec![late.clone().into()], "late").await;
            assert_eq!(opened.is_ok(), there, "{case}");
            let next = Pair::generate();
            again.add_owner(next.to_recipient(), "next", now()).await?;
            let next = open_as(&world, vec![next.into()], "next").await?;
            assert_eq!(
                next.keys().await?.owners(),
                2 + usize::from(there),
                "{case}"
            );
            // Nothing of the crash is left: what no entry names went with the change after it.
            assert_eq!(
                world.files("keys").len(),
                6,
                "{case}: {:?}",
                world.files("keys")
            );
        }
    }
    Ok(())
}

/// A store that deletes nothing, and counts what is read.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Arc<dyn Storage>,
    ranges: Mutex<Vec<(String, Range<u64>)>>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            ranges: Mutex::default(),
        })
    }

    /// The parts of files that were read since this was asked before.
    pub(crate) fn take(&self) -> Vec<(String, Range<u64>)> {
        std::mem::take(&mut self.ranges.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Storage for Watched {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.inner.create(name, bytes).await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        holds: FileUse,
    ) -> Result<Created, StorageError> {
        self.inner.create_from_file(name, file, holds).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        assert!(
            !name.as_str().starts_with("packs/"),
            "a pack was read whole"
        );
        self.inner.read(name, limit).await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.ranges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name.to_string(), range.clone()));
        self.inner.read_range(name, range).await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        self.inner.size(name).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        self.inner.list(prefix)
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        Err(StorageError {
            act: "delete",
            name: name.to_string(),
            place: self.describe(),
            fault: StorageFault::Denied,
            source: "this store keeps everything".into(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_deletes_nothing_keeps_old_key_files_and_that_is_said() -> Tested {
    let removed = Pair::generate();
    let stays = Pair::generate();
    let world = World::with_owners(vec![stays.to_recipient(), removed.to_recipient()]).await?;
    let storage: Arc<dyn Storage> = Watched::new(world.storage());
    let keys = archive_format::KeyChain {
        machine: None,
        owners: vec![stays.clone().into()],
    };
    let repository = Repository::open(storage, keys, world.options("cache")).await?;
    let removed_name = removed.to_recipient().to_string();
    let changed = repository.remove_holder(&removed_name, now()).await?;
    let kept: Vec<&str> = changed.kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept.iter().all(|name| name.starts_with("keys/1-")));
    assert!(
        changed
            .kept
            .iter()
            .all(|(_, why)| why.contains("keeps everything"))
    );
    // His old files are still there, and do not let him in.
    let refused = open_as(&world, vec![removed.into()], "removed").await;
    assert!(
        matches!(refused, Err(Error::NoKey(archive_format::KeyLack::Removed))),
        "{refused:?}"
    );
    open_as(&world, vec![stays.into()], "stays").await?;
    Ok(())
}

/// What a chunk of age's STREAM holds, and what it takes in the file.
const PLAIN: u64 = 64 << 10;
const CHUNK: u64 = PLAIN + 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_small_object_of_a_large_encrypted_pack_costs_the_chunks_that_it_touches() -> Tested {
    let world = World::new(true).await?;
    let watched = Watched::new(world.storage());
    let storage: Arc<dyn Storage> = Arc::clone(&watched) as Arc<dyn Storage>;
    let things: Vec<_> = (0..40)
        .map(|number| model(&format!("m-{number:02}"), noise(100_000, number)))
        .collect();
    let record = backup(&world.open().await?, &things).await?;
    let largest = world
        .files("packs")
        .into_iter()
        .filter_map(|path| Some((std::fs::metadata(&path).ok()?.len(), path)))
        .max()
        .ok_or("no pack")?;
    assert!(largest.0 > 50 * CHUNK, "{largest:?}");
    let repository = world.open_at(storage, "watched").await?;
    let reader = repository.snapshot(&record);
    let mut lines = reader.lines();
    let mut files = Vec::new();
    while let Some(line) = futures::TryStreamExt::try_next(&mut lines).await? {
        let content = line.files.first().and_then(|file| file.content.clone());
        files.push(content.ok_or("no content")?);
    }
    watched.take();
    let mut touched = 0;
    for (number, content) in files.iter().enumerate() {
        let bytes: Vec<Bytes> = futures::TryStreamExt::try_collect(reader.file(content)).await?;
        assert_eq!(bytes.concat(), things[number].files[0].1);
        let ranges = watched.take();
        assert_eq!(ranges.len(), 1, "one ranged request: {ranges:?}");
        let (name, range) = &ranges[0];
        let file = world.root().join(name);
        assert_eq!(file, largest.1);
        // The header and nonce are not read again: they stand in the index. What is read are whole chunks, exactly those in
        // which the object's frame lies, and nothing else can be decrypted.
        let stored = std::fs::read(&file)?.len() as u64;
        let (header, frame) = frame_of(&world, &file, content.chunks[0].address.as_bytes())?;
        let first = frame.start / PLAIN;
        let last = (frame.end - 1) / PLAIN;
        let expected = header + first * CHUNK..stored.min(header + (last + 1) * CHUNK);
        assert_eq!(*range, expected, "chunks {first} to {last} of {stored}");
        touched += last + 1 - first;
    }
    let all = largest.0.div_ceil(CHUNK);
    assert!(
        (2 * 40..=3 * 40).contains(&touched),
        "{touched} chunks were decrypted for 40 objects, of {all}"
    );
    Ok(())
}

/// The length of an encrypted pack's header, and where the frame of an object lies before encryption: as FORMAT.md says, by
/// the index.
fn frame_of(world: &World, pack: &Path, address: &[u8]) -> Tested<(u64, Range<u64>)> {
    let name = pack.file_name().ok_or("no name")?;
    let index = world.root().join("index").join(name);
    let index = decrypt(&index, &world.secrets("meta")?[0])?.ok_or("it does not open")?;
    let number = |at: usize| -> Tested<usize> {
        let bytes = index.get(at..at + 4).ok_or("the index is short")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    let header = number(56)?;
    let table = 60 + header;
    let (frames, objects) = (number(table + 32)?, number(table + 36)?);
    let rows = table + 48 + 8 * frames;
    let row = (0..objects).map(|row| rows + 48 * row);
    let mut row = row.filter(|row| index[*row..].starts_with(address));
    let frame = number(row.next().ok_or("it is not in this pack")? + 32)?;
    let mut start = 0;
    for before in 0..frame {
        start += number(table + 48 + 8 * before)? as u64;
    }
    let end = start + number(table + 48 + 8 * frame)? as u64;
    Ok((header as u64, start..end))
}
