//! A workspace is stored whole, and nothing of it twice.

use mlark::capture::{Counted, Ending};

use super::bench::pass;
use super::cloud::Cloud;

#[tokio::test(start_paused = true)]
async fn everything_that_a_workspace_holds_is_listed_and_saved() {
    let cloud = Cloud::everything().await;
    let census = cloud.census();
    let report = cloud.back_up().await;
    assert_eq!(report.ending, Ending::Complete, "{:?}", report.gaps);
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    for (kind, items) in &census.items {
        let tally = report.items.get(kind.as_str());
        let listed = tally.map_or(0, mlark::capture::Tally::listed);
        let below = if kind == "jobs" { census.child_runs } else { 0 };
        let containers = census.containers.get(kind).copied().unwrap_or_default();
        let expected = items + below + containers;
        assert_eq!(listed, expected as u64, "{kind}");
        assert_eq!(
            tally.map_or(0, |tally| tally.count(Counted::Saved)),
            listed,
            "{kind}"
        );
    }
    let notebooks = report
        .files
        .get("notebooks")
        .map_or(0, |tally| tally.count(Counted::Saved));
    assert_eq!(notebooks, census.share_files as u64);
    assert_eq!(report.files_total().count(Counted::Failed), 0);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_notebook_are_those_of_the_share() {
    let cloud = Cloud::everything().await;
    cloud.back_up().await;
    let (path, bytes) = a_notebook(&cloud);
    assert_eq!(cloud.bytes("notebooks", &path, None, &path).await, bytes);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_workspace_reads_no_file_and_stores_no_content() {
    let cloud = Cloud::everything().await;
    cloud.back_up().await;
    pass(1).await;
    let report = cloud.back_up().await;
    assert_eq!(
        report.items_total().count(Counted::Saved),
        0,
        "{:#?}",
        report.to_json()
    );
    assert_eq!(report.files_total().count(Counted::Saved), 0);
    assert_eq!(report.bytes.new, 0);
    let history = cloud.bench.history().await;
    assert_eq!(history[0].item_count(), history[1].item_count());
}

/// A notebook of the share: its path and its bytes.
pub(super) fn a_notebook(cloud: &Cloud) -> (String, Vec<u8>) {
    let state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let shares = &state.accounts[&workspace.account].shares;
    let share = shares.share(&workspace.notebook_share).unwrap();
    for (path, entry) in share.walk() {
        if let Some(file) = entry.file.as_ref().filter(|_| path.ends_with(".ipynb")) {
            return (path, file.bytes.content().to_bytes().to_vec());
        }
    }
    panic!("the world has notebooks");
}
