//! Runs that are stopped, and what they refer to when something appears while they list.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive_format::Outcome;
use http::Method;
use mlark::capture::{Counted, Ending, Event, Observer, back_up};
use mlark::shutdown::Shutdown;
use serde_json::json;

use simulator::faults::{Fault, Rule};

use super::cloud::Cloud;

/// Asks for a stop at the file of this number.
struct StopAt<'a> {
    stop: &'a Shutdown,
    files: AtomicU64,
    at: u64,
}

impl Observer for StopAt<'_> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::File(..))
            && self.files.fetch_add(1, Ordering::Relaxed) + 1 == self.at
        {
            self.stop.request();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_backup_goes_on_from_its_partial_snapshot() {
    let cloud = Cloud::small().await;
    let source = cloud.open().await;
    let stop = Shutdown::default();
    let observer = StopAt {
        stop: &stop,
        files: AtomicU64::new(0),
        at: 60,
    };
    let bench = &cloud.bench;
    let first = back_up(&source, &bench.repository, &bench.policy, &observer, &stop).await;
    let first = first.unwrap();
    assert_eq!(first.ending, Ending::Partial);
    let done = first.files_total().count(Counted::Saved);
    assert!(done > 20, "{done} files were read before the stop");

    let second = cloud.back_up().await;
    assert_eq!(second.ending, Ending::Complete);
    let read = second.files_total().count(Counted::Saved);
    let known = second.files_total().count(Counted::Unchanged);
    assert!(known + 8 >= done, "{known} of {done} files were known");
    assert_eq!(known + read, second.files_total().listed());
    assert_eq!(
        bench.outcomes().await,
        [Outcome::Partial, Outcome::Complete]
    );
}

/// A job that has others below it, and one of those.
fn parent_and_child(cloud: &Cloud) -> (String, String) {
    let state = cloud.simulator.state();
    let history = &state.workspace(&cloud.key).unwrap().history;
    let mut children = history.runs().filter(|run| run.parent.is_some());
    let child = children.next().unwrap();
    (child.parent.clone().unwrap(), child.run_id.clone())
}

#[tokio::test(start_paused = true)]
async fn children_that_a_stopped_first_backup_did_not_reach_are_taken_by_the_next() {
    let cloud = Cloud::small().await;
    let (parent, child) = parent_and_child(&cloud);
    let bench = &cloud.bench;
    // Whatever is asked about the child takes so long that a stop comes before, when all else is done.
    let slow = Rule {
        contains: Some(child.clone()),
        ..Rule::always(Fault::Slow { ms: 600_000 })
    };
    cloud.simulator.set_faults(1, vec![slow]);
    let source = cloud.open().await;
    let stop = Shutdown::default();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        stop.request();
    };
    let first = back_up(
        &source,
        &bench.repository,
        &bench.policy,
        &bench.seen,
        &stop,
    );
    let (first, ()) = tokio::join!(first, stopping);
    assert_eq!(first.unwrap().ending, Ending::Partial);
    assert!(bench.item("jobs", &parent, None).await.is_some());
    assert!(bench.item("jobs", &child, None).await.is_none());

    cloud.simulator.set_faults(1, Vec::new());
    let second = cloud.back_up().await;
    assert_eq!(second.ending, Ending::Complete);
    assert!(!second.has_gaps(), "{:#?}", second.gaps);
    assert!(bench.item("jobs", &child, None).await.is_some());
}

/// Makes a job with an environment of its own while the jobs are being listed: the environments are through by then.
struct Submit<'a>(&'a Cloud);

impl Observer for Submit<'_> {
    fn event(&self, event: &Event<'_>) {
        let Event::Listing(kind) = event else { return };
        if kind.name != "jobs" {
            return;
        }
        let base = self.0.name.arm_id();
        let put = |path: &str, properties: serde_json::Value| {
            let target = format!("{base}/{path}?api-version=2024-04-01");
            let body = json!({ "properties": properties });
            let reply = self.0.caller().arm(Method::PUT, &target, Some(&body));
            assert!(reply.status.is_success(), "{reply:?}");
        };
        put(
            "environments/CliV2AnonymousEnvironment/versions/0123456789abcdef0123456789abcdef",
            json!({"image": "python:3.12", "isAnonymous": true}),
        );
        put(
            "jobs/just_now",
            json!({
                "jobType": "Command", "command": "echo", "experimentName": "closure",
                "environmentId": format!("{base}/environments/CliV2AnonymousEnvironment/versions/0123456789abcdef0123456789abcdef"),
                "computeId": format!("{base}/computes/cpu-cluster"),
            }),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_environment_made_meanwhile_is_fetched_because_a_job_names_it() {
    let cloud = Cloud::small().await;
    let source = cloud.open().await;
    let bench = &cloud.bench;
    let submit = Submit(&cloud);
    let report = back_up(
        &source,
        &bench.repository,
        &bench.policy,
        &submit,
        &bench.stop,
    )
    .await;
    let report = report.unwrap();
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert!(bench.item("jobs", "just_now", None).await.is_some());
    let version = Some("0123456789abcdef0123456789abcdef");
    let environment = bench
        .item("environments", "CliV2AnonymousEnvironment", version)
        .await;
    assert_eq!(environment.unwrap().documents.len(), 1);
}
