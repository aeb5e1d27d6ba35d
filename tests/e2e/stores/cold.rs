//! Tiers, copies out of the archive, locks and holds: on the simulated cloud in virtual time, and what an Azurite can do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use archive_format::storage::{
    ColdStorage, FileUse, Keeping, Lock, LockMode, Priority, StorageFault, Tier, Way,
};
use archive_format::{FileName, Storage};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use mlark::Context;
use mlark::config::{Azure, Repository};
use mlark::store::{self, Address};
use simulator::blob::Priority as Billed;
use simulator::blob::Tier as Lies;
use simulator::state::CLIENT_SECRET;

use super::{Store, large};

/// A storage whose container has version-level immutability.
pub(super) fn keep_by_file(store: &Store) {
    let mut state = store.simulator.state();
    let blobs = &mut state.accounts.get_mut(&store.account).unwrap().blobs;
    blobs.versioning = true;
    blobs.container_mut("mlark").unwrap().worm.of_versions = true;
}

fn cold(storage: &Arc<dyn Storage>) -> &dyn ColdStorage {
    storage.cold().expect("the store has tiers")
}

fn pack(number: u32) -> FileName {
    FileName::new(format!("packs/ab/{number:064}")).unwrap()
}

async fn put(storage: &Arc<dyn Storage>, folder: &Path, number: u32, bytes: usize) -> FileName {
    let (name, file) = (pack(number), large(folder, bytes));
    let created = storage.create_from_file(&name, &file, FileUse::Contents);
    created.await.unwrap();
    name
}

async fn fault(storage: &Arc<dyn Storage>, name: &FileName) -> Option<StorageFault> {
    let read = storage.read_range(name, 0..2).await;
    read.err().map(|error| error.fault)
}

/// What every store with tiers does: a file is moved, archived, and read from its copy once that is there.
async fn moves_and_comes_back(storage: &Arc<dyn Storage>, way: Way, waits: impl AsyncFn()) {
    let folder = tempfile::tempdir().unwrap();
    let name = put(storage, folder.path(), 1, 5000).await;
    let bytes = storage.read(&name, 10_000).await.unwrap();
    let cold = cold(storage);
    let tier = async |name: &FileName| cold.state(name).await.unwrap().unwrap().tier;
    for to in [Tier::Cool, Tier::Cold, Tier::Hot, Tier::Archive] {
        cold.set_tier(&name, to).await.unwrap();
        assert_eq!(tier(&name).await, Some(to));
    }
    let state = cold.state(&name).await.unwrap().unwrap();
    assert!(!state.is_readable() && state.size == 5000);
    assert_eq!(fault(storage, &name).await, Some(StorageFault::Archived));
    assert_eq!(cold.state(&pack(9)).await.unwrap(), None, "no such file");

    for _ in 0..2 {
        let sent = cold.rehydrate(&name, way, Priority::Standard);
        sent.await.unwrap();
    }
    waits().await;
    if way == Way::Copy {
        assert_eq!(tier(&name).await, Some(Tier::Archive), "it stays");
        let copy = cold.state(&name.copy().unwrap()).await.unwrap().unwrap();
        assert!(copy.is_readable(), "{copy:?}");
    }
    assert_eq!(storage.read(&name, 10_000).await.unwrap(), bytes);
    assert_eq!(
        storage.read_range(&name, 7..11).await.unwrap(),
        bytes.slice(7..11)
    );
    let listed: Vec<_> = cold.states("packs/").try_collect().await.unwrap();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [name], "{listed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_archived_file_is_read_from_its_copy_and_asked_for_in_vain_once() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    moves_and_comes_back(&storage, Way::Copy, async || {
        let name = pack(1);
        assert_eq!(fault(&storage, &name).await, Some(StorageFault::Archived));
        tokio::time::sleep(Duration::from_secs(16 * 3600)).await;
    })
    .await;
    let bills = {
        let state = store.simulator.state();
        state.accounts[&store.account].blobs.bills.clone()
    };
    assert_eq!(bills.rehydrations(Billed::Standard), 1, "sent twice");
    assert_eq!(bills.rehydrated_bytes(Billed::Standard), 5000);
    assert_eq!(
        bills.early_byte_days(Lies::Archive),
        0,
        "nothing left early"
    );
    let in_vain = bills.operations(simulator::blob::Class::Read, Lies::Archive);
    // Two reads in vain before the copy was there, and the first one after; and the copying itself.
    assert_eq!(in_vain, 3 + 1, "{}", bills.to_json());
    // What was told is not even asked for.
    let again = store.open("mlark", CLIENT_SECRET).await.unwrap();
    again.use_copies(vec![pack(1)]);
    again.read_range(&pack(1), 0..1).await.unwrap();
    let state = store.simulator.state();
    let bills = &state.accounts[&store.account].blobs.bills;
    let after = bills.operations(simulator::blob::Class::Read, Lies::Archive);
    assert_eq!(after, in_vain);
}

#[tokio::test(start_paused = true)]
async fn a_file_comes_back_in_place_and_what_is_left_of_its_least_time_is_paid() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let name = put(&storage, folder.path(), 1, 3000).await;
    let cold = cold(&storage);
    cold.set_tier(&name, Tier::Archive).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10 * 24 * 3600)).await;
    let before = cold.state(&name).await.unwrap().unwrap();
    let expected = before.early_byte_days(store.simulator.now());
    assert_eq!(expected, 3000 * 170);
    for _ in 0..2 {
        let sent = cold.rehydrate(&name, Way::InPlace, Priority::High);
        sent.await.unwrap();
    }
    let state = cold.state(&name).await.unwrap().unwrap();
    assert_eq!(state.returning, Some(Tier::Hot));
    tokio::time::sleep(Priority::High.within(3000)).await;
    assert_eq!(storage.read(&name, 10_000).await.unwrap().len(), 3000);
    let state = store.simulator.state();
    let bills = &state.accounts[&store.account].blobs.bills;
    assert_eq!(bills.early_byte_days(Lies::Archive), expected);
    assert_eq!(bills.rehydrations(Billed::High), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lock_and_a_hold_keep_a_file_and_a_container_not_made_for_it_says_so() {
    let store = Store::new();
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let name = put(&storage, folder.path(), 1, 10).await;
    let in_days = |days: i64| -> Timestamp {
        let until = store.simulator.now() + SignedDuration::from_hours(24 * days);
        Timestamp::from_second(until.as_second()).unwrap()
    };
    let lock = |days, mode| Lock {
        until: in_days(days),
        mode,
    };
    assert_eq!(cold(&storage).keeping().await.unwrap(), Keeping::default());
    let refused = cold(&storage).lock(&name, lock(3, LockMode::Locked)).await;
    assert_eq!(refused.unwrap_err().fault, StorageFault::Unsupported);

    keep_by_file(&store);
    let cold = cold(&storage);
    assert!(cold.keeping().await.unwrap().by_file);
    let kept = async || cold.state(&name).await.unwrap().unwrap();
    for wanted in [
        lock(3, LockMode::Unlocked),
        lock(2, LockMode::Locked),
        lock(5, LockMode::Locked),
    ] {
        cold.lock(&name, wanted).await.unwrap();
        assert_eq!(kept().await.lock, Some(wanted));
        let listed: Vec<_> = cold.states("packs/").try_collect().await.unwrap();
        assert_eq!(listed, [(name.clone(), kept().await)]);
    }
    let shorter = lock(4, LockMode::Locked);
    assert!(kept().await.lock.unwrap().refuses(&shorter).is_some());
    let refused = cold.lock(&name, shorter).await.unwrap_err();
    assert_eq!(refused.fault, StorageFault::Kept, "the service as well");
    cold.hold(&name, true).await.unwrap();
    assert!(kept().await.held);
    tokio::time::sleep(Duration::from_secs(6 * 24 * 3600)).await;
    let refused = storage.delete(&name).await.unwrap_err();
    assert_eq!(refused.fault, StorageFault::Kept, "{refused:?}");
    cold.hold(&name, false).await.unwrap();
    storage.delete(&name).await.unwrap();
}

/// The container of an Azurite, opened as the program does: by the account's key, and by a signature.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the one place where these tests learn of an Azurite, and say that there is none"
)]
async fn azurite(folder: &Path, by_key: bool) -> Option<Arc<dyn Storage>> {
    let Ok(address) = std::env::var("MLARK_AZURITE") else {
        eprintln!("skipped for Azurite: MLARK_AZURITE names none (bash tests/run.sh stores)");
        return None;
    };
    let (service, signature) = address.split_once('?').unwrap();
    let account = service.rsplit('/').next().unwrap();
    let secret = match by_key {
        true => std::env::var("MLARK_AZURITE_KEY").unwrap(),
        false => signature.to_owned(),
    };
    let file = folder.join("secret");
    std::fs::write(&file, secret).unwrap();
    let repository = Repository {
        endpoint: Some(service.to_owned()),
        sas_file: (!by_key).then(|| file.clone()),
        account_key_file: by_key.then_some(file),
        ..Repository::default()
    };
    let prefix = format!("cold-{}-{by_key}", std::process::id());
    let address = Address::parse(&format!("az://{account}/mlark/{prefix}")).unwrap();
    let (azure, context) = (Azure::default(), Context::of_process());
    let opened = store::open(&address, &repository, &azure, &context).await;
    Some(opened.unwrap())
}

#[tokio::test]
async fn azurite_moves_files_between_tiers_and_out_of_the_archive() {
    for by_key in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let Some(storage) = azurite(folder.path(), by_key).await else {
            return;
        };
        let probe = FileName::new("probe/one").unwrap();
        storage.create(&probe, Bytes::new()).await.unwrap();
        // It copies nothing out of the archive, and what moves out of it is there at once.
        moves_and_comes_back(&storage, Way::InPlace, async || {}).await;
        let keeping = cold(&storage).keeping().await.unwrap();
        assert_eq!(keeping, Keeping::default());
    }
}
