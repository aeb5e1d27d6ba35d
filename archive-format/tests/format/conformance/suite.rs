//! What every store must keep to, whoever runs it: the stores of this crate's tests, and the end-to-end tests on the simulated
//! cloud, which take this file in as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use archive_format::storage::{Created, FileUse, StorageFault};
use archive_format::{FileName, Storage};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Tested, noise};

/// The whole suite over a new store.
pub(crate) async fn conforms(storage: &Arc<dyn Storage>) -> Tested {
    files_are_created_once_and_read_exactly(storage.as_ref()).await?;
    empty_files_are_files(storage.as_ref()).await?;
    local_files_are_taken_whole(storage.as_ref()).await?;
    prefixes_may_end_within_a_part(storage.as_ref()).await?;
    racing_creates_have_one_winner(storage).await?;
    racing_large_files_have_one_winner(storage).await?;
    a_listing_says_when_a_file_was_written(storage.as_ref()).await?;
    long_listings_come_whole(storage.as_ref()).await
}

pub(super) async fn fault_of<T>(
    act: impl Future<Output = Result<T, archive_format::StorageError>>,
) -> Option<StorageFault> {
    act.await.err().map(|error| error.fault)
}

async fn listed(storage: &dyn Storage, prefix: &str) -> Tested<Vec<(String, u64)>> {
    let files = storage
        .list(prefix)
        .map_ok(|file| (file.name.to_string(), file.size));
    let mut files: Vec<_> = files.try_collect().await?;
    files.sort();
    Ok(files)
}

async fn files_are_created_once_and_read_exactly(storage: &dyn Storage) -> Tested {
    let name = FileName::new("packs/ab/abc")?;
    assert_eq!(storage.size(&name).await?, None);
    assert_eq!(
        fault_of(storage.read(&name, 10)).await,
        Some(StorageFault::NotFound)
    );
    assert_eq!(listed(storage, "packs/").await?, []);
    let first = Bytes::from_static(b"0123456789");
    assert_eq!(storage.create(&name, first.clone()).await?, Created::New);
    for again in [first.clone(), Bytes::from_static(b"another"), Bytes::new()] {
        assert_eq!(storage.create(&name, again).await?, Created::Exists);
    }
    assert_eq!(storage.read(&name, 10).await?, first);
    assert_eq!(storage.read(&name, 1 << 20).await?, first);
    assert_eq!(storage.size(&name).await?, Some(10));
    for limit in [0, 1, 9] {
        let fault = fault_of(storage.read(&name, limit)).await;
        assert_eq!(fault, Some(StorageFault::TooLarge), "{limit}");
    }
    for range in [0..10, 2..5, 9..10, 0..1, 4..4, 10..10] {
        let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
        assert_eq!(storage.read_range(&name, range).await?, first[start..end]);
    }
    for range in [5..11, 9..1000, 10..11, 11..12, 4000..5000, 11..11] {
        let fault = fault_of(storage.read_range(&name, range.clone())).await;
        assert_eq!(fault, Some(StorageFault::TooShort), "{range:?}");
    }
    let missing = FileName::new("packs/ab/no")?;
    for range in [0..1, 0..0, 7..9] {
        let fault = fault_of(storage.read_range(&missing, range.clone())).await;
        assert_eq!(fault, Some(StorageFault::NotFound), "{range:?}");
    }
    storage.delete(&name).await?;
    storage.delete(&name).await?;
    storage.delete(&missing).await?;
    assert_eq!(storage.size(&name).await?, None);
    assert_eq!(
        storage.create(&name, Bytes::from_static(b"anew")).await?,
        Created::New,
        "a deleted name is free"
    );
    storage.delete(&name).await?;
    Ok(())
}

async fn empty_files_are_files(storage: &dyn Storage) -> Tested {
    let name = FileName::record();
    assert_eq!(storage.create(&name, Bytes::new()).await?, Created::New);
    assert_eq!(
        storage.create(&name, Bytes::from_static(b"x")).await?,
        Created::Exists
    );
    for limit in [0, 1, 1000] {
        assert_eq!(storage.read(&name, limit).await?, Bytes::new(), "{limit}");
    }
    assert_eq!(storage.read_range(&name, 0..0).await?, Bytes::new());
    assert_eq!(
        fault_of(storage.read_range(&name, 0..1)).await,
        Some(StorageFault::TooShort)
    );
    assert_eq!(storage.size(&name).await?, Some(0));
    assert_eq!(
        listed(storage, "").await?,
        [("repository.json".to_owned(), 0)]
    );
    storage.delete(&name).await?;
    Ok(())
}

async fn local_files_are_taken_whole(storage: &dyn Storage) -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("local");
    for (number, bytes) in [0, 11, (8 << 20) + 5, (16 << 20) + 1, 33 << 20]
        .into_iter()
        .enumerate()
    {
        let content = noise(bytes, number as u64);
        std::fs::write(&file, &content)?;
        let name = FileName::new(format!("packs/cd/{number}"))?;
        let used = [FileUse::Contents, FileUse::Names][number % 2];
        let create = async || storage.create_from_file(&name, &file, used).await;
        assert_eq!(create().await?, Created::New, "{bytes}");
        assert_eq!(create().await?, Created::Exists, "{bytes}");
        std::fs::remove_file(&file)?;
        assert!(
            storage.read(&name, bytes as u64).await? == content,
            "{bytes}"
        );
        storage.delete(&name).await?;
    }
    let name = FileName::new("packs/cd/absent")?;
    let absent = storage.create_from_file(&name, &file, FileUse::Contents);
    assert!(absent.await.is_err());
    assert_eq!(listed(storage, "packs/cd").await?, []);
    Ok(())
}

async fn prefixes_may_end_within_a_part(storage: &dyn Storage) -> Tested {
    let names = [
        "keys/1-data.age",
        "keys2",
        "log/0000000001",
        "logs/x",
        "packs/aa/aa1",
        "packs/ab/ab1",
        "packs/ab/ab2",
    ];
    for name in names {
        storage
            .create(&FileName::new(name)?, Bytes::from_static(b"x"))
            .await?;
    }
    for prefix in [
        "",
        "k",
        "keys",
        "keys/",
        "keys/1-",
        "log",
        "log/",
        "log/00000000",
        "packs/a",
        "packs/ab",
        "packs/ab/",
        "packs/ab/ab2",
        "packs/ab/ab22",
        "packs/b",
        "no/folder/at/all",
    ] {
        let found: Vec<_> = listed(storage, prefix).await?;
        let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        let wanted: Vec<_> = names
            .into_iter()
            .filter(|name| name.starts_with(prefix))
            .collect();
        assert_eq!(found, wanted, "{prefix}");
    }
    for name in names {
        storage.delete(&FileName::new(name)?).await?;
    }
    Ok(())
}

async fn racing_creates_have_one_winner(storage: &Arc<dyn Storage>) -> Tested {
    for number in 0..12 {
        let name = FileName::log(number);
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..16_u8 {
            let (storage, name) = (Arc::clone(storage), name.clone());
            racers.spawn(async move {
                let bytes = Bytes::from(vec![racer; 5000]);
                (racer, storage.create(&name, bytes).await)
            });
        }
        let mut winners = Vec::new();
        while let Some(done) = racers.join_next().await {
            let (racer, created) = done?;
            if created? == Created::New {
                winners.push(racer);
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(storage.read(&name, 5000).await?, vec![winners[0]; 5000]);
        storage.delete(&name).await?;
    }
    Ok(())
}

async fn racing_large_files_have_one_winner(storage: &Arc<dyn Storage>) -> Tested {
    let folder = tempfile::tempdir()?;
    let name = FileName::new("packs/ef/large")?;
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..3_u8 {
        let file = folder.path().join(racer.to_string());
        std::fs::write(&file, vec![racer; 17 << 20])?;
        let (storage, name) = (Arc::clone(storage), name.clone());
        racers.spawn(async move {
            let created = storage.create_from_file(&name, &file, FileUse::Contents);
            (racer, created.await)
        });
    }
    let mut winners = Vec::new();
    while let Some(done) = racers.join_next().await {
        let (racer, created) = done?;
        if created? == Created::New {
            winners.push(racer);
        }
    }
    assert_eq!(winners.len(), 1);
    let stored = storage.read(&name, 17 << 20).await?;
    assert!(stored == vec![winners[0]; 17 << 20]);
    storage.delete(&name).await?;
    Ok(())
}

async fn a_listing_says_when_a_file_was_written(storage: &dyn Storage) -> Tested {
    let name = FileName::new("index/young")?;
    storage.create(&name, Bytes::from_static(b"x")).await?;
    let here = jiff::Timestamp::try_from(tempfile::tempfile()?.metadata()?.modified()?)?;
    let file = storage.list("index/").try_next().await?;
    let file = file.ok_or("it is not listed")?;
    // Sweeps pass over what is young; each of these stores can tell.
    let written = file.modified.ok_or("it does not say when")?;
    assert!(
        here.duration_since(written).as_secs().abs() <= 600,
        "{file:?}"
    );
    storage.delete(&name).await?;
    Ok(())
}

async fn long_listings_come_whole(storage: &dyn Storage) -> Tested {
    let count = 5_200;
    let names: BTreeSet<String> = (0..count)
        .map(|number| format!("index/{:08x}", (number * 2_654_435_761_u64) % (1 << 32)))
        .collect();
    let created = futures::stream::iter(&names).map(|name| async {
        let name = FileName::new(name.clone())?;
        Tested::Ok(storage.create(&name, Bytes::from_static(b"x")).await?)
    });
    let created: Vec<_> = created.buffer_unordered(32).try_collect().await?;
    assert!(created.iter().all(|created| *created == Created::New));
    for prefix in ["index/", "index/a", ""] {
        let found = listed(storage, prefix).await?;
        let wanted = names.iter().filter(|name| name.starts_with(prefix));
        assert!(
            found.iter().map(|(name, _)| name).eq(wanted),
            "{prefix}: {} files",
            found.len()
        );
    }
    let first: Vec<_> = storage.list("index/").take(3).try_collect().await?;
    assert_eq!(first.len(), 3, "a listing may be left early");
    Ok(())
}
