//! What only object stores can do to us: lost answers of a create, tiers, names that somebody else put there, and what is
//! held in memory while a large file goes up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive_format::storage::{Created, FileUse, StorageFault};
use archive_format::{Error, FileName, Storage};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use crate::stores::{azurite, azurite_container, object};
use crate::world::{Tested, World, backup, model, noise, restore};

/// What a store does to its first creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It writes and does not answer.
    AnswerLost,
    /// It does not write and does not answer.
    RequestLost,
    /// Somebody else's file comes first, and there is no answer.
    Overtaken,
}

/// A store with trouble.
#[derive(Debug)]
struct Troubled {
    inner: InMemory,
    trouble: Trouble,
    left: AtomicU64,
    puts: AtomicU64,
}

impl Troubled {
    fn new(trouble: Trouble, times: u64) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            trouble,
            left: AtomicU64::new(times),
            puts: AtomicU64::new(0),
        })
    }
}

impl fmt::Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory with trouble")
    }
}

#[async_trait]
impl ObjectStore for Troubled {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        assert_eq!(opts.mode, PutMode::Create, "every write creates");
        self.puts.fetch_add(1, Ordering::SeqCst);
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if left.is_err() {
            return self.inner.put_opts(location, payload, opts).await;
        }
        match self.trouble {
            Trouble::AnswerLost => {
                self.inner.put_opts(location, payload, opts).await?;
            }
            Trouble::RequestLost => {}
            Trouble::Overtaken => {
                self.inner.put(location, "another's".into()).await?;
            }
        }
        Err(object_store::Error::Generic {
            store: "test",
            source: "https://a.example/c/x?sig=SECRET: the connection was closed".into(),
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(
        &self,
        location: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_knows_its_own_file() -> Tested {
    let name = FileName::log(1);
    for (trouble, times, expected) in [
        (Trouble::AnswerLost, 1, Created::New),
        (Trouble::AnswerLost, 9, Created::New),
        (Trouble::RequestLost, 1, Created::New),
        (Trouble::RequestLost, 4, Created::New),
        (Trouble::Overtaken, 1, Created::Exists),
        (Trouble::Overtaken, 9, Created::Exists),
    ] {
        let store = Troubled::new(trouble, times);
        let storage = object(store, "p", None)?;
        let created = storage.create(&name, Bytes::from_static(b"mine")).await?;
        assert_eq!(created, expected, "{trouble:?} {times}");
        let kept = storage.read(&name, 100).await?;
        let mine = kept.as_ref() == b"mine";
        assert_eq!(mine, expected == Created::New, "{trouble:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_never_answered_is_unclear_and_says_no_secret() -> Tested {
    let store = Troubled::new(Trouble::RequestLost, 1000);
    let storage = object(store.clone(), "p", None)?;
    let name = FileName::log(1);
    let lost = storage.create(&name, Bytes::from_static(b"mine"));
    let error = lost.await.err().ok_or("it was not lost")?;
    assert_eq!(error.fault, StorageFault::Unclear);
    assert_eq!(store.puts.load(Ordering::SeqCst), 5);
    let text = format!("{error} {} {error:?}", error.source);
    assert!(
        text.contains("closed") && !text.contains("SECRET"),
        "{text}"
    );
    Ok(())
}

#[tokio::test]
async fn data_packs_alone_are_kept_in_the_data_tier() -> Tested {
    let store = Arc::new(InMemory::new());
    let storage: Arc<dyn Storage> = Arc::new(object(store.clone(), "", Some("Cool"))?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pack");
    let class = async |name: &FileName| -> Tested<Option<String>> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let path = ObjectPath::parse(name.as_str())?;
        let found = store.get_opts(&path, options).await?;
        let class = found.attributes.get(&Attribute::StorageClass);
        Ok(class.map(|class| class.as_ref().to_owned()))
    };
    for bytes in [100, 90 << 20] {
        std::fs::write(&file, vec![7; bytes])?;
        for (used, expected) in [(FileUse::Contents, Some("Cool")), (FileUse::Names, None)] {
            let name = FileName::new(format!("packs/ab/{bytes}-{}", expected.is_some()))?;
            storage.create_from_file(&name, &file, used).await?;
            assert_eq!(class(&name).await?.as_deref(), expected, "{bytes} {used:?}");
        }
    }
    let index = FileName::new("index/x")?;
    storage.create(&index, Bytes::from_static(b"x")).await?;
    assert_eq!(class(&index).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_prefix_that_names_could_be_mistaken_with_is_refused() -> Tested {
    for prefix in ["/a", "a/", "a//b", "../a", "a b", "ü", "a?b", "."] {
        let made = object(Arc::new(InMemory::new()), prefix, None);
        let error = made.err().ok_or(prefix)?;
        assert!(matches!(error.downcast_ref(), Some(Error::Id { .. })));
    }
    Ok(())
}

#[tokio::test]
async fn a_neighbour_in_the_same_store_is_not_seen() -> Tested {
    let store = Arc::new(InMemory::new());
    for place in [
        "a/b/log/0000000001",
        "a/bc/log/0000000002",
        "log/0000000003",
    ] {
        store.put(&ObjectPath::parse(place)?, "x".into()).await?;
    }
    let storage = object(store, "a/b", None)?;
    let found: Vec<_> = storage.list("").try_collect().await?;
    let found: Vec<_> = found.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(found, ["log/0000000001"]);
    assert_eq!(storage.list("lo").count().await, 1);
    assert_eq!(storage.describe(), "test://a/b");
    Ok(())
}

#[tokio::test]
async fn names_that_somebody_else_put_there_are_passed_over() -> Tested {
    let store = Arc::new(InMemory::new());
    for place in [
        "log/UPPER",
        "log/with space",
        "log/ü",
        "log/.hidden/x",
        "log/0000000001",
    ] {
        store.put(&ObjectPath::from(place), "x".into()).await?;
    }
    let storage = object(store, "", None)?;
    let found: Vec<_> = storage.list("log/").try_collect().await?;
    let found: Vec<_> = found.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(found, ["log/0000000001"]);
    Ok(())
}

/// Puts a blob under any name that Azure takes.
async fn plant(address: &str, name: &str) -> Tested {
    use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
    let (service, signature) = address.split_once('?').ok_or("it has no signature")?;
    let request = http::Request::put(format!("{service}/mlark/{name}?{signature}"))
        .header("x-ms-version", "2021-12-02")
        .header("x-ms-blob-type", "BlockBlob")
        .header("content-length", "1")
        .body(HttpRequestBody::from(Bytes::from_static(b"x")))?;
    let options = object_store::ClientOptions::new().with_allow_http(true);
    let answer = ReqwestConnector::default()
        .connect(&options)?
        .execute(request)
        .await?;
    assert_eq!(answer.status(), 201, "{name}");
    Ok(())
}

#[tokio::test]
async fn hostile_names_on_azurite_end_no_listing() -> Tested {
    let Some(address) = azurite() else {
        return Ok(());
    };
    for name in [
        "hostile/log/0000000001",
        "hostile/log//0000000002",
        "hostile/log/0000000003/",
        "hostile/log/a%0Ab",
        "hostile/log/%C3%BC%26amp%3B%3C",
        "hostile/log/0000000004",
    ] {
        plant(&address, name).await?;
    }
    let storage = object(azurite_container(&address, "mlark")?, "hostile", None)?;
    let found: Vec<_> = storage.list("log/").try_collect().await?;
    let mut found: Vec<_> = found.iter().map(|file| file.name.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["log/0000000001", "log/0000000004"]);
    Ok(())
}

#[tokio::test]
async fn an_archived_blob_of_azurite_is_a_fault_of_its_own() -> Tested {
    let Some(address) = azurite() else {
        return Ok(());
    };
    let storage = object(
        azurite_container(&address, "mlark")?,
        "tiers",
        Some("Archive"),
    )?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pack");
    for bytes in [1000, 20 << 20] {
        std::fs::write(&file, vec![7; bytes])?;
        let name = FileName::new(format!("packs/ab/{bytes}"))?;
        let create = async || {
            storage
                .create_from_file(&name, &file, FileUse::Contents)
                .await
        };
        assert_eq!(create().await?, Created::New);
        assert_eq!(create().await?, Created::Exists);
        assert_eq!(storage.size(&name).await?, Some(bytes as u64));
        let whole = storage.read(&name, 1 << 30).await.err();
        let part = storage.read_range(&name, 3..7).await.err();
        for error in [whole, part] {
            let error = error.ok_or("an archived blob was read")?;
            assert_eq!(error.fault, StorageFault::Archived, "{error:?}");
        }
        let names = FileName::new(format!("packs/ab/{bytes}-meta"))?;
        storage
            .create_from_file(&names, &file, FileUse::Names)
            .await?;
        assert!(storage.read(&names, 1 << 30).await? == vec![7; bytes]);
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_container_of_azurite_is_named_as_such() -> Tested {
    let Some(address) = azurite() else {
        return Ok(());
    };
    let storage = object(azurite_container(&address, "nothere")?, "", None)?;
    let name = FileName::record();
    let faults = [
        storage.read(&name, 100).await.err(),
        storage.read_range(&name, 0..1).await.err(),
        storage.create(&name, Bytes::new()).await.err(),
        storage.list("").try_next().await.err(),
        storage.size(&name).await.err(),
    ];
    for error in faults {
        let error = error.ok_or("it went well")?;
        assert_eq!(error.fault, StorageFault::NoStore, "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_signature_of_azurite_is_named_and_not_shown() -> Tested {
    let Some(address) = azurite() else {
        return Ok(());
    };
    let (service, _) = address.split_once('?').ok_or("it has no signature")?;
    let forged = format!(
        "{service}?sv=2020-12-06&ss=b&srt=sco&sp=rwdl&se=2099-01-01T00:00:00Z&sig=SECRET0000000000000000000000000000000000000%3D"
    );
    let storage = object(azurite_container(&forged, "mlark")?, "", None)?;
    let name = FileName::record();
    let errors = [
        storage.read(&name, 100).await.err(),
        storage.create(&name, Bytes::new()).await.err(),
        storage.list("").try_next().await.err(),
        storage.delete(&name).await.err(),
    ];
    for error in errors {
        let error = error.ok_or("it went well")?;
        assert_eq!(error.fault, StorageFault::Denied, "{error:?}");
        let text = format!("{error} {} {error:?}", error.source);
        assert!(!text.contains("SECRET"), "{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_in_each_store_azurite_too_gives_back_what_went_in() -> Tested {
    for backend in crate::stores::Backend::at_hand() {
        let world = World::on(backend, true, 1 << 20).await?;
        let things = [
            model("a", noise(5 << 20, 1)),
            model("b", noise(300_000, 2)),
            model("c", Vec::new()),
        ];
        let record = backup(&world.open().await?, &things).await?;
        let elsewhere = world.open_at(world.storage(), "another cache").await?;
        assert_eq!(restore(&elsewhere, &record).await?, things, "{backend:?}");
    }
    Ok(())
}
