//! What cannot be had is a gap with its reason, and the rest is saved; trouble that passes is no gap.

use std::time::Duration;

use mlark::capture::{Counted, Ending, Error};
use serde_json::Value;
use simulator::call::Service;
use simulator::faults::{Fault, Rule};

use super::cloud::Cloud;
use super::whole::a_notebook;

fn refusal(status: u16, code: &str) -> Fault {
    Fault::Status {
        status,
        code: Some(code.to_owned()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_workspace_under_throttling_and_faults_is_backed_up_complete() {
    let cloud = Cloud::small().await;
    let throttle = Fault::Throttle {
        retry_after: 3,
        date: false,
    };
    let rules = [
        (throttle, 0.2),
        (refusal(500, "InternalServerError"), 0.017),
        (Fault::Reset { executed: false }, 0.017),
        (Fault::Truncate { bytes: None }, 0.017),
    ];
    let rules = rules.map(|(fault, share)| Rule::always(fault).with_probability(share));
    cloud.simulator.set_faults(11, rules.to_vec());
    let report = cloud.back_up().await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.items_total().count(Counted::Failed), 0);
    cloud.take_requests();
    cloud.simulator.set_faults(0, Vec::new());
    let report = cloud.back_up().await;
    assert_eq!(
        report.files_total().count(Counted::Saved),
        0,
        "all of it was right"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_is_a_gap_and_the_rest_is_saved() {
    let cloud = Cloud::small().await;
    let (path, _) = a_notebook(&cloud);
    set_unreadable(&cloud, &path, Some(403));
    let report = cloud.back_up().await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(report.has_gaps());
    assert_eq!(report.gaps.len(), 1, "{:?}", report.gaps);
    assert_eq!(report.gaps[0].item, format!("notebooks/{path}"));
    assert_eq!(report.gaps[0].file.as_deref(), Some(path.as_str()));
    assert!(
        report.gaps[0].reason.starts_with("Permission is missing"),
        "{:?}",
        report.gaps
    );
    let tally = report.files["notebooks"];
    assert_eq!(tally.count(Counted::Failed), 1);
    assert_eq!(tally.count(Counted::Saved), tally.listed() - 1);

    set_unreadable(&cloud, &path, None);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps());
    assert_eq!(
        report.files_total().count(Counted::Saved),
        1,
        "only what was missing is read"
    );
}

fn set_unreadable(cloud: &Cloud, path: &str, status: Option<u16>) {
    let mut state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let (account, share) = (workspace.account.clone(), workspace.notebook_share.clone());
    let shares = &mut state.accounts.get_mut(&account).unwrap().shares;
    shares.set_unreadable(&share, path, status).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_on_one_kind_is_a_gap_and_no_suspicion() {
    let cloud = Cloud::small().await;
    cloud.back_up().await;
    let denied = Rule {
        contains: Some("/schedules".to_owned()),
        ..Rule::always(refusal(403, "AuthorizationFailed"))
    };
    cloud.simulator.set_faults(1, vec![denied]);
    let report = cloud.back_up().await;
    assert_eq!(
        report.ending,
        Ending::Complete,
        "what may not be listed is not lost"
    );
    assert_eq!(report.gaps.len(), 1, "{:?}", report.gaps);
    assert_eq!(report.gaps[0].item, "schedules");
    assert!(report.items["jobs"].count(Counted::Unchanged) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_listing_fails_half_way_keeps_what_was_listed() {
    let cloud = Cloud::small().await;
    let broken = Rule {
        path: Some(format!("{}/jobs", cloud.name.arm_id())),
        contains: Some("skip".to_owned()),
        ..Rule::always(refusal(500, "InternalServerError"))
    };
    cloud.simulator.set_faults(1, vec![broken]);
    let report = cloud.back_up().await;
    let gap = report.gaps.iter().find(|gap| gap.item == "jobs");
    assert!(gap.is_some(), "{:?}", report.gaps);
    let first_page = report.items["jobs"].count(Counted::Saved);
    assert!(first_page >= 7, "{first_page}");
}

#[tokio::test(start_paused = true)]
async fn a_compute_that_is_gone_is_no_gap_though_jobs_that_ran_name_it() {
    let cloud = Cloud::small().await;
    let gone: Vec<String> = {
        let mut state = cloud.simulator.state();
        let documents = &mut state.workspace_mut(&cloud.key).unwrap().documents;
        let computes = documents.list("computes");
        let names: Vec<String> = computes.iter().map(|one| one.name.clone()).collect();
        for name in &names {
            documents.remove("computes", name).unwrap();
        }
        let jobs = documents.list("jobs");
        let named = |name: &String| {
            let end = Value::from(format!("/computes/{name}")).to_string();
            let end = end.trim_start_matches('"').to_owned();
            jobs.iter()
                .any(|job| Value::from(job.body.clone()).to_string().contains(&end))
        };
        names.iter().filter(|name| named(name)).cloned().collect()
    };
    assert!(!gone.is_empty(), "a job names a compute");
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.items["computes"].listed(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_listed_there_is_an_error_and_no_snapshot() {
    let cloud = Cloud::small().await;
    let source = cloud.open().await;
    let denied = |service| Rule::always(refusal(403, "AuthorizationFailed")).on(service);
    let rules = vec![
        denied(Service::Arm),
        denied(Service::File),
        denied(Service::Blob),
    ];
    cloud.simulator.set_faults(1, rules);
    let error = cloud.bench.try_back_up(&source).await;
    assert!(matches!(error, Err(Error::Unreadable { .. })), "{error:?}");
    assert!(cloud.bench.history().await.is_empty());
    let runs = cloud
        .bench
        .repository
        .catalogue()
        .runs(Some("prod"), 5)
        .await
        .unwrap();
    assert!(
        matches!(runs[0].outcome, Some(archive_format::RunOutcome::Failed(_))),
        "{runs:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_whose_blobs_are_gone_is_a_gap() {
    let cloud = Cloud::small().await;
    let (item, container, prefix) = a_model(&cloud);
    {
        let mut state = cloud.simulator.state();
        let account = state.workspace(&cloud.key).unwrap().account.clone();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        assert!(blobs.delete_prefix(&container, &prefix) > 0);
    }
    let report = cloud.back_up().await;
    assert_eq!(report.gaps.len(), 1, "{:?}", report.gaps);
    assert_eq!(report.gaps[0].item, item);
    assert_eq!(report.items["models"].count(Counted::Failed), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
}

/// A model on the default blob container: its id, the container, and the path of its files.
pub(super) fn a_model(cloud: &Cloud) -> (String, String, String) {
    let state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    for container in workspace.documents.list("models") {
        let versions = format!("models/{}/versions", container.name);
        for version in workspace.documents.list(&versions) {
            let uri = version.body["properties"]["modelUri"].as_str().unwrap();
            if let Some((_, path)) = uri.split_once("/datastores/workspaceblobstore/paths/") {
                let id = format!("models/{}:{}", container.name, version.name);
                return (id, workspace.blob_container.clone(), path.to_owned());
            }
        }
    }
    panic!("the world has a model on the default datastore");
}
