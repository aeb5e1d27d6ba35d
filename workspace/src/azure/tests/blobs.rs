//! One suite for blobs, on two services that others and we wrote: the simulator, and Azurite where one runs.
//!
//! `tests/stores/with_azurite.mjs` starts Azurite and names it in `MLARK_AZURITE`. Resource manager and tokens are the
//! simulator's in either case; calls to blobs are led to Azurite by their transport, with its signature in place of the token.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::AUTHORIZATION;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use url::Url;

use super::bench::{Bench, bytes};
use crate::azure::http::Clients;
use crate::azure::{AzureWorkspace, Connection, FileMeta, Place, ReadOptions, Settings, Written};
use crate::{ByteStream, Error, FilePath, SourceFile};

/// Leads calls to blobs to an Azurite.
#[derive(Debug)]
struct ToAzurite {
    simulated: Arc<dyn HttpClient>,
    real: Arc<dyn HttpClient>,
    /// The blob service's address, with an account's signature as its query.
    address: Url,
}

#[async_trait]
impl HttpClient for ToAzurite {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let host = request.url().host_str().unwrap_or_default();
        if !host.contains(".blob.") {
            return self.simulated.execute_request(request).await;
        }
        let mut led = request.clone();
        let url = led.url_mut();
        let path = format!("{}{}", self.address.path(), url.path());
        let own = url.query().map(str::to_owned);
        *url = self.address.clone();
        url.set_path(&path);
        let queries = [own.as_deref(), self.address.query()];
        let query = queries.into_iter().flatten().collect::<Vec<_>>().join("&");
        url.set_query(Some(&query));
        led.headers_mut().remove(AUTHORIZATION);
        self.real.execute_request(&led).await
    }
}

fn stream_of(bytes: &[u8]) -> ByteStream {
    let pieces = bytes.chunks(900_001).map(Bytes::copy_from_slice);
    stream::iter(pieces.map(Ok).collect::<Vec<_>>()).boxed()
}

fn meta(bytes: &[u8]) -> FileMeta {
    FileMeta {
        size: bytes.len() as u64,
        content_type: Some("application/x-apple".to_owned()),
        metadata: BTreeMap::from([("upload_status".to_owned(), "completed".to_owned())]),
        ..FileMeta::default()
    }
}

/// A workspace whose blobs somebody keeps, and a place below which nothing lies.
struct Scene {
    workspace: AzureWorkspace,
    place: Place,
}

impl Scene {
    async fn of(bench: &Bench, settings: Settings, below: &str) -> Result<Self, Error> {
        let connection = Connection::open(settings).await?;
        let workspace =
            AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
        let place = workspace.datastore_place(None, below).await?;
        Ok(Self { workspace, place })
    }

    async fn write(&self, name: &str, meta: &FileMeta, bytes: &[u8]) -> Result<Written, Error> {
        let (path, content) = (FilePath::new(name)?, stream_of(bytes));
        self.workspace
            .write_file(&self.place, &path, meta, content)
            .await
    }

    async fn list(&self) -> Result<BTreeMap<String, SourceFile>, Error> {
        let listed = self.workspace.list_place(&self.place);
        let named = listed.map_ok(|file| (file.path.to_string(), file));
        named.try_collect().await
    }
}

/// The suite.
async fn conforms(scene: &Scene) -> Result<(), Error> {
    assert!(scene.list().await?.is_empty(), "nothing is there");
    written_files_are_listed_and_read(scene).await?;
    existing_files_stay_unless_they_are_to_be_overwritten(scene).await?;
    cut_upload_goes_on_at_the_block(scene).await?;
    wrong_bytes_are_refused(scene).await?;
    file_that_changed_since_it_was_listed_is_told(scene).await
}

async fn written_files_are_listed_and_read(scene: &Scene) -> Result<(), Error> {
    let large: Vec<u8> = (0..9_000_001_u32).map(|at| (at / 3) as u8).collect();
    let contents: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("small", b"abc"),
        ("a/\u{e4} b#%&+.bin", b"named"),
        ("a/four-mib", &large[..4 << 20]),
        ("a/large", &large),
    ];
    for (name, content) in contents {
        let written = scene.write(name, &meta(content), content).await?;
        assert_eq!(written, Written::New, "{name}");
    }
    let listed = scene.list().await?;
    assert_eq!(listed.len(), contents.len(), "{:?}", listed.keys());
    for (name, content) in contents {
        let file = &listed[name];
        assert_eq!(file.size, Some(content.len() as u64), "{name}");
        assert_eq!(file.content_type.as_deref(), Some("application/x-apple"));
        let mark = file.metadata.get("upload_status").map(String::as_str);
        assert_eq!(mark, Some("completed"), "{name}");
        let validators = &file.validators;
        assert!(validators.etag.is_some() && validators.last_modified.is_some());
        assert!(validators.content_md5.is_some(), "{name}");
        assert!(bytes(&scene.workspace, file).await? == content, "{name}");
    }
    Ok(())
}

async fn existing_files_stay_unless_they_are_to_be_overwritten(scene: &Scene) -> Result<(), Error> {
    let large = vec![7; 5_000_000];
    for (name, content) in [("small", &b"other"[..]), ("a/large", &large)] {
        let before = scene.list().await?;
        let present = scene.write(name, &meta(content), content).await?;
        assert_eq!(present, Written::Present, "{name}");
        let same = scene.list().await?;
        assert_eq!(same[name].validators, before[name].validators, "{name}");
        let overwrite = FileMeta {
            overwrite: true,
            ..meta(content)
        };
        scene.write(name, &overwrite, content).await?;
        let after = scene.list().await?;
        assert_ne!(after[name].validators, before[name].validators, "{name}");
        assert!(bytes(&scene.workspace, &after[name]).await? == content);
    }
    Ok(())
}

async fn cut_upload_goes_on_at_the_block(scene: &Scene) -> Result<(), Error> {
    let content: Vec<u8> = (0..14_000_000_u32).map(|at| (at / 5) as u8).collect();
    let whole = meta(&content);
    let cut = scene.write("cut", &whole, &content[..9_000_000]).await;
    assert!(matches!(cut, Err(Error::Damaged { .. })), "{cut:?}");
    assert!(
        !scene.list().await?.contains_key("cut"),
        "it is no file yet"
    );
    assert_eq!(scene.write("cut", &whole, &content).await?, Written::New);
    assert!(bytes(&scene.workspace, &scene.list().await?["cut"]).await? == content);
    Ok(())
}

async fn wrong_bytes_are_refused(scene: &Scene) -> Result<(), Error> {
    let wrong = FileMeta {
        content_md5: Some("XUFAKrxLKna5cZ2REBfFkg==".to_owned()),
        ..meta(b"not hello")
    };
    let refused = scene.write("wrong", &wrong, b"not hello").await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    assert!(!scene.list().await?.contains_key("wrong"));
    Ok(())
}

async fn file_that_changed_since_it_was_listed_is_told(scene: &Scene) -> Result<(), Error> {
    let listed = scene.list().await?;
    let overwrite = FileMeta {
        overwrite: true,
        ..meta(b"changed")
    };
    scene.write("small", &overwrite, b"changed").await?;
    let read = bytes(&scene.workspace, &listed["small"]).await;
    assert!(matches!(read, Err(Error::Changed { .. })), "{read:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_simulator_keeps_blobs_as_the_suite_says() -> Result<(), Error> {
    let bench = Bench::new();
    conforms(&Scene::of(&bench, bench.settings(), "suite").await?).await
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the one place where these tests learn of an Azurite, and say that there is none"
)]
async fn azurite_keeps_blobs_as_the_suite_says() -> Result<(), Error> {
    let Ok(address) = std::env::var("MLARK_AZURITE") else {
        eprintln!("skipped for Azurite: MLARK_AZURITE names none (bash tests/run.sh stores)");
        return Ok(());
    };
    let bench = Bench::new();
    let address = Url::parse(&address).expect("an address");
    let settings = bench.settings();
    let transport = ToAzurite {
        simulated: settings.transport.clone().expect("a transport"),
        real: Clients::new(&Settings::default()).await?.outside,
        address: address.clone(),
    };
    let settings = Settings {
        transport: Some(Arc::new(transport)),
        ..settings
    };
    // No two runs share a place: one Azurite may serve several.
    let below = format!("suite-{}", std::process::id());
    let scene = Scene::of(&bench, settings, &below).await?;
    make_container(&address, &scene.place.container).await?;
    conforms(&scene).await
}

/// Azure ML's containers come with the workspace; here somebody must make them.
async fn make_container(address: &Url, container: &str) -> Result<(), Error> {
    let mut url = address.clone();
    url.set_path(&format!("{}/{container}", address.path()));
    url.query_pairs_mut().append_pair("restype", "container");
    let mut request = Request::new(url, azure_core::http::Method::Put);
    request.insert_header("x-ms-version", "2021-12-02");
    request.insert_header("content-length", "0");
    let client = Clients::new(&Settings::default()).await?.outside;
    let answer = client.execute_request(&request).await;
    let status = answer.map(|answer| u16::from(answer.status()));
    assert!(matches!(status, Ok(201 | 409)), "{status:?}");
    Ok(())
}
