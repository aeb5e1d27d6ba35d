//! What every store must keep to. Each store runs the same suite.

use std::sync::Arc;

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, LocalStorage, Storage};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::world::Tested;

async fn conforms(storage: Arc<dyn Storage>) -> Tested {
    let name = FileName::new("packs/ab/abc")?;
    assert_eq!(storage.size(&name).await?, None);
    let missing = storage.read(&name, 10).await.map_err(|error| error.fault);
    assert_eq!(missing, Err(StorageFault::NotFound));
    assert_eq!(storage.list("packs/").try_collect::<Vec<_>>().await?, []);
    assert_eq!(
        storage
            .create(&name, Bytes::from_static(b"0123456789"))
            .await?,
        Created::New
    );
    assert_eq!(
        storage
            .create(&name, Bytes::from_static(b"another"))
            .await?,
        Created::Exists
    );
    assert_eq!(storage.read(&name, 10).await?.as_ref(), b"0123456789");
    assert_eq!(storage.read_range(&name, 2..5).await?.as_ref(), b"234");
    assert_eq!(storage.read_range(&name, 4..4).await?.as_ref(), b"");
    assert_eq!(storage.size(&name).await?, Some(10));
    let large = storage.read(&name, 9).await.map_err(|error| error.fault);
    assert_eq!(large, Err(StorageFault::TooLarge));
    let beyond = storage
        .read_range(&name, 5..11)
        .await
        .map_err(|error| error.fault);
    assert_eq!(beyond, Err(StorageFault::TooShort));
    let gone = storage
        .read_range(&FileName::new("packs/ab/no")?, 0..1)
        .await
        .map_err(|error| error.fault);
    assert_eq!(gone, Err(StorageFault::NotFound));

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("local");
    std::fs::write(&file, b"from a file")?;
    let second = FileName::new("packs/cd/def")?;
    assert_eq!(
        storage.create_from_file(&second, &file).await?,
        Created::New
    );
    assert_eq!(
        storage.create_from_file(&second, &file).await?,
        Created::Exists
    );
    std::fs::remove_file(&file)?;
    assert_eq!(storage.read(&second, 100).await?.as_ref(), b"from a file");
    storage.create(&FileName::record(), Bytes::new()).await?;

    let mut listed: Vec<_> = storage.list("packs/").try_collect().await?;
    listed.sort_by(|left, right| left.name.cmp(&right.name));
    // Sweeps pass over what is young, so a store that can say when a file was written says it.
    let here = jiff::Timestamp::try_from(tempfile::tempfile()?.metadata()?.modified()?)?;
    for file in &listed {
        let age = file
            .modified
            .map(|time| here.duration_since(time).as_secs());
        assert!(age.is_none_or(|age| age.abs() <= 600), "{file:?}");
    }
    let listed: Vec<_> = listed
        .iter()
        .map(|file| (file.name.as_str(), file.size))
        .collect();
    assert_eq!(listed, [("packs/ab/abc", 10), ("packs/cd/def", 11)]);
    assert_eq!(storage.list("").try_collect::<Vec<_>>().await?.len(), 3);
    storage.delete(&second).await?;
    storage.delete(&second).await?;
    assert_eq!(storage.size(&second).await?, None);
    racing_creates_have_one_winner(storage).await
}

async fn racing_creates_have_one_winner(storage: Arc<dyn Storage>) -> Tested {
    for number in 0..20 {
        let name = FileName::log(number);
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..8_u8 {
            let (storage, name) = (Arc::clone(&storage), name.clone());
            racers.spawn(async move {
                (
                    racer,
                    storage.create(&name, Bytes::from(vec![racer; 5000])).await,
                )
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
        assert_eq!(
            storage.read(&name, 5000).await?.as_ref(),
            vec![winners[0]; 5000]
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_store_conforms() -> Tested {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("deep/repository");
    conforms(Arc::new(LocalStorage::new(&root))).await?;
    let left = std::fs::read_dir(root.join(".tmp"))?.count();
    assert_eq!(left, 0, "temporary files are removed");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| -> Tested<u32> {
            Ok(std::fs::metadata(root.join(path))?.permissions().mode() & 0o777)
        };
        assert_eq!(mode("packs/ab/abc")?, 0o600);
        assert_eq!(mode("packs")?, 0o700);
    }
    Ok(())
}

#[test]
fn names_that_no_repository_has_are_refused() {
    for name in [
        "",
        "/",
        "a//b",
        "../a",
        "a/..",
        ".tmp/x",
        "A",
        "a b",
        "a/.hidden",
        "ü",
    ] {
        assert!(FileName::new(name).is_err(), "{name}");
    }
}
