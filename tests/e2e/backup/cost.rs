//! What a backup of an unchanged workspace may cost, and that a change costs what it is worth.

use mlark::capture::Counted;
use serde_json::json;
use simulator::metric::{Metric, Point};

use super::bench::pass;
use super::cloud::Cloud;
use super::whole::a_notebook;

#[tokio::test(start_paused = true)]
async fn an_unchanged_workspace_costs_its_listings_and_its_unsettled_jobs() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    cloud.take_requests();
    pass(1).await;
    let report = cloud.back_up().await;
    assert_eq!(report.items_total().count(Counted::Saved), 0);
    let requests = cloud.take_requests();
    println!("{requests:#?}");
    let census = cloud.census();
    println!("{census:#?}");
    let lists: usize = census.list_requests.values().sum();
    let count = |of: &str| {
        let matching = requests.iter().filter(|(name, _)| name.contains(of));
        matching.map(|(_, count)| *count).sum::<u64>()
    };
    assert_eq!(count("Arm GET …ws/"), lists as u64);
    assert_eq!(count("File GET"), census.share_requests as u64);
}

#[tokio::test(start_paused = true)]
async fn one_byte_one_tag_and_one_metric_are_read_and_stored_and_nothing_else() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    pass(1).await;
    let (notebook, bytes) = a_notebook(&cloud);
    change_notebook(&cloud, &notebook, bytes);
    let model = change_tag(&cloud);
    let job = add_point(&cloud);
    cloud.bench.seen.take();
    let report = cloud.back_up().await;
    let mut saved: Vec<String> = cloud.bench.seen.take();
    saved.retain(|event| event.starts_with("Saved"));
    saved.sort();
    let mut expected = vec![
        format!("Saved jobs/{job}"),
        format!("Saved models/{model}"),
        format!("Saved notebooks/{notebook}"),
    ];
    expected.sort();
    assert_eq!(saved, expected, "{:#?}", report.to_json());
    assert_eq!(report.items_total().count(Counted::Saved), 3);
    assert_eq!(report.files_total().count(Counted::Saved), 2);
}

/// Changes the last byte of a notebook; its size stays.
fn change_notebook(cloud: &Cloud, path: &str, mut bytes: Vec<u8>) {
    let at = cloud.simulator.now();
    let mut state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let (account, share) = (workspace.account.clone(), workspace.notebook_share.clone());
    let last = bytes.last_mut().unwrap();
    *last = last.wrapping_add(1);
    let shares = &mut state.accounts.get_mut(&account).unwrap().shares;
    let size = bytes.len() as u64;
    let changed = shares.change(&share, path, at, |entry| {
        let file = entry.file.as_mut().unwrap();
        file.bytes.update(0, bytes.into());
        assert_eq!(file.bytes.size(), size);
        Ok(())
    });
    changed.unwrap();
}

/// Changes one tag of one version of a model; says which.
fn change_tag(cloud: &Cloud) -> String {
    let mut state = cloud.simulator.state();
    let workspace = state.workspace_mut(&cloud.key).unwrap();
    let containers = workspace.documents.list("models");
    let name = containers[0].name.clone();
    let versions = format!("models/{name}/versions");
    let version = workspace.documents.list(&versions)[0].name.clone();
    let model = workspace.documents.get_mut(&versions, &version).unwrap();
    model.set_property("tags", json!({"changed": "yes"}));
    format!("{name}:{version}")
}

/// Logs a point of a metric of a running job; says which.
fn add_point(cloud: &Cloud) -> String {
    let at = cloud.simulator.now();
    let mut state = cloud.simulator.state();
    let workspace = state.workspace_mut(&cloud.key).unwrap();
    let running = workspace.history.runs().find(|run| !run.is_terminal());
    let job = running.unwrap().run_id.clone();
    let metrics = workspace.metrics.of_run(&job).unwrap();
    let name = metrics.values().find(|metric| metric.is_scalar()).unwrap().name.clone();
    let mut more = Metric::scalar(&name, &job);
    more.points.push(Point::scalar(&name, 0.5, 1_000, at));
    workspace.metrics.append(&job, more);
    job
}

#[tokio::test(start_paused = true)]
async fn a_settled_job_is_asked_about_again_after_thirty_days() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    pass(48).await;
    cloud.back_up().await;
    cloud.take_requests();
    pass(1).await;
    cloud.back_up().await;
    let asked = |requests: &std::collections::BTreeMap<String, u64>| {
        let data = requests.iter().filter(|(name, _)| name.starts_with("Data"));
        data.map(|(_, count)| *count).sum::<u64>()
    };
    let settled = asked(&cloud.take_requests());
    pass(31 * 24).await;
    let report = cloud.back_up().await;
    let again = asked(&cloud.take_requests());
    assert!(again > settled + 10, "{settled} requests, then {again}");
    assert_eq!(report.files_total().count(Counted::Saved), 0);
    pass(1).await;
    cloud.back_up().await;
    assert_eq!(asked(&cloud.take_requests()), settled);
}
