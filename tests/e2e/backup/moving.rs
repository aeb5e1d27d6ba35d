//! Files that change while they are read, and credentials that a document or a datastore holds.

use std::sync::atomic::{AtomicU64, Ordering};

use mlark::capture::{Counted, Event, Observer, back_up};
use simulator::world::World;

use super::bench::Bench;
use super::cloud::Cloud;
use super::cost::change_notebook;
use super::gaps::a_model;
use super::whole::a_notebook;

/// Writes a notebook again when it is about to be read, once.
struct Writes<'a> {
    cloud: &'a Cloud,
    path: String,
    bytes: Vec<u8>,
    again: AtomicU64,
}

impl Observer for Writes<'_> {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::File(_, path) if path.as_str() == self.path => {
                change_notebook(self.cloud, &self.path, self.bytes.clone());
            }
            Event::Again(..) => {
                self.again.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changed_before_it_was_read_is_listed_and_read_again() {
    let cloud = Cloud::small().await;
    let (path, _) = a_notebook(&cloud);
    let (_, bytes) = a_notebook(&cloud);
    let writes = Writes {
        cloud: &cloud,
        path: path.clone(),
        bytes,
        again: AtomicU64::new(0),
    };
    let (source, bench) = (cloud.open().await, &cloud.bench);
    let report = back_up(
        &source,
        &bench.repository,
        &bench.policy,
        &writes,
        &bench.stop,
    );
    let report = report.await.unwrap();
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(writes.again.load(Ordering::Relaxed), 1);
    let (_, now) = a_notebook(&cloud);
    assert_eq!(cloud.bytes("notebooks", &path, None, &path).await, now);
    let report = cloud.back_up().await;
    assert_eq!(
        report.files_total().count(Counted::Saved),
        0,
        "its validators are the new ones"
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_are_objects_of_their_own_and_the_same_ones_are_not_stored_again() {
    let mut cloud = Cloud::of(&World::small(7), Bench::encrypted().await);
    cloud.bench.policy.secrets = true;
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let first = cloud
        .bench
        .item("datastores", "lake_by_key", None)
        .await
        .unwrap();
    assert!(!first.secrets.is_empty(), "{first:?}");
    let report = cloud.back_up().await;
    assert_eq!(report.items["datastores"].count(Counted::Saved), 0);
    let second = cloud
        .bench
        .item("datastores", "lake_by_key", None)
        .await
        .unwrap();
    assert_eq!(first.secrets, second.secrets);
}

#[tokio::test(start_paused = true)]
async fn no_credential_is_asked_for_where_none_may_be_stored() {
    let mut cloud = Cloud::small().await;
    cloud.bench.policy.secrets = true;
    cloud.back_up().await;
    let item = cloud
        .bench
        .item("datastores", "lake_by_key", None)
        .await
        .unwrap();
    assert!(item.secrets.is_empty(), "the repository is not encrypted");
    let requests = cloud.take_requests();
    assert!(
        !requests.keys().any(|name| name.contains("listSecrets")),
        "{requests:?}"
    );
}

/// Writes a blob of a model again when it is about to be read, once.
struct Overwrites<'a> {
    cloud: &'a Cloud,
    container: String,
    blob: String,
    again: AtomicU64,
}

impl Observer for Overwrites<'_> {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::File(_, path) if self.blob.ends_with(path.as_str()) => {
                let at = self.cloud.simulator.now();
                let mut state = self.cloud.simulator.state();
                let account = state.workspace(&self.cloud.key).unwrap().account.clone();
                let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
                let changed = blobs.change(&self.container, &self.blob, at, |blob| {
                    blob.content = bytes::Bytes::from_static(b"other bytes").into();
                    blob.headers.md5 = None;
                });
                changed.unwrap();
            }
            Event::Again(..) => {
                self.again.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_changed_after_its_listing_is_listed_and_read_again() {
    let cloud = Cloud::small().await;
    let (item, container, folder) = a_model(&cloud);
    let blob = a_blob(&cloud, &container, &folder);
    let overwrites = Overwrites {
        cloud: &cloud,
        container,
        blob: blob.clone(),
        again: AtomicU64::new(0),
    };
    let (source, bench) = (cloud.open().await, &cloud.bench);
    let report = back_up(
        &source,
        &bench.repository,
        &bench.policy,
        &overwrites,
        &bench.stop,
    );
    let report = report.await.unwrap();
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(overwrites.again.load(Ordering::Relaxed), 1);
    let (name, version) = item
        .strip_prefix("models/")
        .unwrap()
        .split_once(':')
        .unwrap();
    let path = match blob[folder.len()..].trim_start_matches('/') {
        "" => blob.rsplit('/').next().unwrap(),
        below => below,
    };
    let stored = cloud.bytes("models", name, Some(version), path).await;
    assert_eq!(stored, b"other bytes");
}

/// The first blob below a folder.
fn a_blob(cloud: &Cloud, container: &str, folder: &str) -> String {
    let state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let blobs = &state.accounts[&workspace.account].blobs;
    let held = blobs.container(container).unwrap();
    let below = held.blobs.keys().find(|name| name.starts_with(folder));
    below.unwrap().clone()
}
