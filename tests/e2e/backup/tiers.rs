//! Archived blobs: gaps, or brought back where the configuration wants that; and blobs whose tier changes.

use mlark::capture::{Counted, Ending, Report};
use simulator::blob::Tier;
use simulator::state::CLIENT_ID;
use workspace::azure::{Archived, AzureWorkspace, Priority, ReadOptions};

use super::bench::pass;
use super::cloud::Cloud;
use super::gaps::a_model;

const REHYDRATE: ReadOptions = ReadOptions {
    archived: Archived::Rehydrate(Priority::Standard),
    job_outputs: workspace::azure::JobOutputs::LogsAndOutputs,
    data: workspace::azure::DataBytes::DefaultDatastore,
    datastore_access: workspace::azure::DatastoreAccess::Entra,
    share_snapshot: false,
};

async fn back_up(cloud: &Cloud, options: ReadOptions) -> Report {
    let connection = cloud.connect().await;
    let source = AzureWorkspace::open(&connection, &cloud.name, options).await;
    cloud.bench.back_up(&source.unwrap()).await
}

/// Gives every file of a model a tier; says which item it is, and how many files.
fn set_tier(cloud: &Cloud, tier: Tier) -> (String, usize) {
    let (item, container, folder) = a_model(cloud);
    let mut state = cloud.simulator.state();
    let account = state.workspace(&cloud.key).unwrap().account.clone();
    let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
    let held = blobs.container(&container).unwrap();
    let below = held.blobs.keys().filter(|name| name.starts_with(&folder));
    let names: Vec<String> = below.cloned().collect();
    for name in &names {
        blobs.set_tier(&container, name, tier).unwrap();
    }
    (item, names.len())
}

fn tier_requests(cloud: &Cloud) -> u64 {
    let requests = cloud.take_requests();
    let sets = requests
        .iter()
        .filter(|(name, _)| name.contains("comp=tier"));
    sets.map(|(_, count)| *count).sum()
}

#[tokio::test(start_paused = true)]
async fn an_archived_blob_is_a_gap_that_says_so_and_nothing_is_changed() {
    let cloud = Cloud::small().await;
    let (item, files) = set_tier(&cloud, Tier::Archive);
    let report = cloud.back_up().await;
    assert_eq!(report.ending, Ending::Complete);
    assert_eq!(report.gaps.len(), files, "{:?}", report.gaps);
    for gap in &report.gaps {
        assert_eq!(gap.item, item);
        assert!(gap.reason.contains("is archived (BlobArchived)"), "{gap:?}");
    }
    assert_eq!(tier_requests(&cloud), 0);
}

#[tokio::test(start_paused = true)]
async fn archived_blobs_are_brought_back_and_the_backup_after_that_has_them() {
    let cloud = Cloud::small().await;
    let (item, files) = set_tier(&cloud, Tier::Archive);
    let report = back_up(&cloud, REHYDRATE).await;
    assert_eq!(report.gaps.len(), files, "{:?}", report.gaps);
    let asked = |report: &Report| {
        let reasons = report.gaps.iter().map(|gap| gap.reason.as_str());
        reasons
            .filter(|reason| reason.contains("is asked for now"))
            .count()
    };
    assert_eq!(asked(&report), files);
    assert_eq!(tier_requests(&cloud), files as u64);

    pass(16).await;
    let report = back_up(&cloud, REHYDRATE).await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.files_total().count(Counted::Saved), files as u64);
    assert_eq!(tier_requests(&cloud), 0);
    let (name, version) = item.trim_start_matches("models/").split_once(':').unwrap();
    let found = cloud
        .bench
        .item("models", name, Some(version))
        .await
        .unwrap();
    assert!(found.gaps.is_empty() && found.files.len() == files);
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_was_saved_before_it_was_archived_stays_in_every_snapshot() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    set_tier(&cloud, Tier::Archive);
    cloud.take_requests();
    let report = back_up(&cloud, REHYDRATE).await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.files_total().count(Counted::Saved), 0);
    assert_eq!(tier_requests(&cloud), 0);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_bring_a_blob_back_is_told_the_action_that_is_missing() {
    let cloud = Cloud::small().await;
    set_tier(&cloud, Tier::Archive);
    {
        let mut state = cloud.simulator.state();
        let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
        principal.denied = vec!["blobs/write".to_owned()];
    }
    let report = back_up(&cloud, REHYDRATE).await;
    assert!(!report.gaps.is_empty());
    for gap in &report.gaps {
        let named = gap.reason.contains("containers/blobs/write");
        assert!(
            named && gap.reason.starts_with("Permission is missing"),
            "{gap:?}"
        );
    }
}
