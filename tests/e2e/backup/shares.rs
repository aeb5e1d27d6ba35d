//! Notebooks read from a snapshot of their share, where the configuration wants one.

use mlark::capture::{Counted, Ending, Event, Observer, Report, back_up};
use simulator::state::CLIENT_ID;
use workspace::Role;
use workspace::azure::{AzureWorkspace, ReadOptions};

use super::cloud::Cloud;
use super::cost::change_notebook;
use super::whole::a_notebook;
use crate::faults::manifest;

async fn open(cloud: &Cloud) -> AzureWorkspace {
    let options = ReadOptions {
        share_snapshot: true,
        ..ReadOptions::default()
    };
    let connection = cloud.connect().await;
    AzureWorkspace::open(&connection, &cloud.name, options)
        .await
        .unwrap()
}

fn snapshots(cloud: &Cloud) -> usize {
    let state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let shares = &state.accounts[&workspace.account].shares;
    shares.moments(&workspace.notebook_share).len()
}

/// Requests that change something at the file service.
fn changes(cloud: &Cloud) -> u64 {
    let requests = cloud.take_requests();
    let changes = requests.iter().filter(|(name, _)| {
        name.starts_with("File ") && !name.contains(" GET ") && !name.contains(" HEAD ")
    });
    changes.map(|(_, count)| *count).sum()
}

#[tokio::test(start_paused = true)]
async fn a_share_is_left_alone_unless_a_snapshot_is_wanted() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    assert_eq!(changes(&cloud), 0);
    let expected = manifest::lines(&cloud.bench.newest().await).await;

    let report = cloud.bench.back_up(&open(&cloud).await).await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    assert_eq!(report.files_total().count(Counted::Saved), 0);
    assert_eq!(
        (changes(&cloud), snapshots(&cloud)),
        (2, 0),
        "made and deleted"
    );
    let found = manifest::lines(&cloud.bench.newest().await).await;
    manifest::assert_equal(&found, &expected, "from a snapshot");
}

/// Changes a notebook when the first file is read: the listing is through by then.
struct Edits<'a>(&'a Cloud, std::sync::Once);

impl Observer for Edits<'_> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Reading) {
            self.1.call_once(|| {
                let (path, bytes) = a_notebook(self.0);
                change_notebook(self.0, &path, bytes);
            });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_notebook_that_is_edited_meanwhile_is_kept_as_it_was_when_the_backup_began() {
    let cloud = Cloud::small().await;
    let (path, before) = a_notebook(&cloud);
    let source = open(&cloud).await;
    let edits = Edits(&cloud, std::sync::Once::new());
    let bench = &cloud.bench;
    let report = back_up(
        &source,
        &bench.repository,
        &bench.policy,
        &edits,
        &bench.stop,
    )
    .await;
    let report: Report = report.unwrap();
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    assert_eq!(cloud.bytes("notebooks", &path, None, &path).await, before);
    assert_eq!(snapshots(&cloud), 0);
    // The next one has what was written since.
    let report = bench.back_up(&open(&cloud).await).await;
    assert_eq!(report.files["notebooks"].count(Counted::Saved), 1);
    assert_ne!(cloud.bytes("notebooks", &path, None, &path).await, before);
}

#[tokio::test(start_paused = true)]
async fn without_any_one_action_of_its_role_the_share_is_read_as_it_is_and_the_action_is_named() {
    for action in Role::share_snapshot().actions {
        let cloud = Cloud::small().await;
        {
            let mut state = cloud.simulator.state();
            let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
            principal.denied = vec![action.name().to_owned()];
        }
        let report = cloud.bench.back_up(&open(&cloud).await).await;
        assert_eq!(report.ending, Ending::Complete);
        assert_eq!(report.gaps.len(), 1, "{action}: {:#?}", report.gaps);
        let gap = &report.gaps[0];
        assert_eq!(gap.item, "notebooks");
        assert!(gap.reason.contains(action.name()), "{action}: {gap:?}");
        let saved = report.files["notebooks"].count(Counted::Saved);
        assert_eq!(saved, report.files["notebooks"].listed(), "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_makes_no_snapshot_and_a_stopped_run_leaves_none() {
    let mut cloud = Cloud::small().await;
    cloud.bench.policy.dry_run = true;
    cloud.bench.back_up(&open(&cloud).await).await;
    assert_eq!(changes(&cloud), 0);
    cloud.bench.policy.dry_run = false;
    struct Stops<'a>(&'a mlark::shutdown::Shutdown);
    impl Observer for Stops<'_> {
        fn event(&self, event: &Event<'_>) {
            if matches!(event, Event::Reading) {
                self.0.request();
            }
        }
    }
    let stop = mlark::shutdown::Shutdown::default();
    let bench = &cloud.bench;
    let source = open(&cloud).await;
    let stops = Stops(&stop);
    let report = back_up(&source, &bench.repository, &bench.policy, &stops, &stop).await;
    assert_eq!(report.unwrap().ending, Ending::Partial);
    assert_eq!((changes(&cloud), snapshots(&cloud)), (2, 0));
}
