//! What a backup of an unchanged workspace may cost, and that a change costs what it is worth.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mlark::capture::Counted;
use serde_json::json;
use simulator::documents::Resource;
use simulator::history::Run;
use simulator::metric::{Metric, Point};
use simulator::state::State;
use simulator::workspace::{Workspace, WorkspaceKey};
use simulator::world::{Census, storage_pages};
use workspace::Kind;

use super::bench::pass;
use super::cloud::Cloud;
use super::whole::a_notebook;

#[tokio::test(start_paused = true)]
async fn an_unchanged_workspace_costs_its_listings_and_its_unsettled_jobs_and_nothing_else() {
    let cloud = Cloud::everything().await;
    let asked = cloud.simulator.now();
    cloud.back_up().await;
    cloud.take_requests();
    pass(1).await;
    let report = cloud.back_up().await;
    assert_eq!(report.items_total().count(Counted::Saved), 0);
    let requests = cloud.take_requests();
    let census = cloud.census();
    let expected = Expected::of(&cloud.simulator.state(), &cloud.key, asked);

    let mut rest = requests.clone();
    let mut take = |of: &str| -> u64 {
        let names: Vec<String> = rest
            .keys()
            .filter(|name| name.starts_with(of))
            .cloned()
            .collect();
        names.iter().filter_map(|name| rest.remove(name)).sum()
    };
    assert_eq!(take("Login POST"), 3, "a token for each audience");
    assert_eq!(take("Arm GET /metadata/endpoints"), 1);
    assert_eq!(take("Data GET /discovery"), 1);
    assert_eq!(
        take("Arm GET /subscriptions/"),
        1,
        "the types of the service"
    );
    assert_eq!(take("Arm GET …ws/"), lists(&census));
    assert_eq!(take("Arm GET …ws"), 1);
    assert_eq!(take("File GET"), census.share_requests as u64);
    assert_eq!(
        take("Blob GET /{container} restype=container comp=list"),
        expected.blob_pages
    );
    assert_eq!(
        take("Data GET /history/v1.0…ws/runs/{n}"),
        expected.unsettled - expected.told,
        "a record each, and no list of children"
    );
    assert_eq!(
        take("Data POST /history/v1.0…ws/experiments:query"),
        expected.experiment_pages
    );
    assert_eq!(
        take("Data POST /history/v1.0…ws/experiments/{n}/runs:query"),
        expected.run_pages
    );
    assert_eq!(
        take("Data POST /metric/v2.0…ws/runs/{n}/list"),
        expected.unsettled
    );
    assert_eq!(
        take("Data POST /metric/v2.0…ws/runs/{n}/full"),
        expected.metric_pages
    );
    assert!(rest.is_empty(), "{rest:#?}");
    assert_eq!(report.requests, requests.values().sum::<u64>());
    assert_eq!(report.requests, expected.total(&census));
}

/// What the listings of an unchanged workspace take, counted from what the simulated cloud holds.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    blob_pages: u64,
    /// Jobs and the runs below them.
    unsettled: u64,
    /// Those of them whose record the list of changed runs tells.
    told: u64,
    metric_pages: u64,
    experiment_pages: u64,
    /// Pages of the runs of each experiment that changed, and of the try of the filter.
    run_pages: u64,
}

/// Points of a metric that a page of the simulator holds, for each row of a list's page.
const POINTS_PER_ROW: usize = 8;

impl Expected {
    /// All requests, with the lists of kinds and of the share, the tokens and the addresses.
    pub(crate) fn total(&self, census: &Census) -> u64 {
        let lists = lists(census) + census.share_requests as u64;
        // A token for each audience, the cloud's description, discovery, the workspace itself, the service's types.
        let opening = 3 + 1 + 1 + 1 + 1;
        let runs = 2 * self.unsettled - self.told + self.metric_pages;
        let history = self.experiment_pages + self.run_pages;
        opening + lists + self.blob_pages + runs + history
    }

    /// What they take in a workspace whose jobs were last asked about then.
    pub(crate) fn of(state: &State, key: &WorkspaceKey, asked: Timestamp) -> Self {
        let mut expected = Self::default();
        let page = state.settings.page;
        let workspace = state.workspace(key).unwrap();
        let blobs = &state.accounts[&workspace.account].blobs;
        let listing = |container: &str, prefix: &str| {
            let held = blobs.container(container).unwrap();
            let below = held.blobs.keys().filter(|name| name.starts_with(prefix));
            storage_pages(below.count(), page) as u64
        };
        expected.blob_pages += listing(&workspace.blob_container, "LocalUpload/");
        for code in versions(workspace, "codes") {
            let uri = code.body["properties"]["codeUri"].as_str().unwrap();
            let path = uri.split_once("//").unwrap().1.split_once('/').unwrap().1;
            let (container, folder) = path.split_once('/').unwrap();
            expected.blob_pages += listing(container, folder);
        }
        for model in versions(workspace, "models") {
            let uri = model.body["properties"]["modelUri"].as_str().unwrap();
            if let Some(rest) = uri.strip_prefix("azureml://jobs/") {
                let (job, output) = rest.split_once("/outputs/").unwrap();
                let output = output.split('/').next().unwrap();
                let folder = format!("azureml/{job}/{output}");
                expected.blob_pages += listing(&workspace.blob_container, &folder);
            }
        }
        expected.list_changes(workspace, page, asked - OVERLAP);
        for run in workspace.history.runs() {
            if is_settled(run, asked) {
                continue;
            }
            expected.unsettled += 1;
            let is_job = workspace.documents.get("jobs", &run.run_id).is_some();
            expected.told += u64::from(!is_job && changed(run) >= asked - OVERLAP);
            let artifacts = run.artifact_prefix();
            expected.blob_pages += listing("azureml", artifacts.trim_end_matches('/'));
            for metric in workspace
                .metrics
                .of_run(&run.run_id)
                .into_iter()
                .flat_map(BTreeMap::values)
            {
                let pages = storage_pages(metric.points.len(), page * POINTS_PER_ROW);
                expected.metric_pages += pages as u64;
            }
            let Some(job) = workspace.documents.get("jobs", &run.run_id) else {
                continue;
            };
            let outputs = job.body["properties"]["outputs"].as_object();
            if outputs.is_some_and(|outputs| !outputs.is_empty()) {
                let folder = format!("azureml/{}", run.run_id);
                expected.blob_pages += listing(&workspace.blob_container, &folder);
            }
        }
        expected
    }
}

/// What listing every kind takes: of what lies below other items a list below each.
fn lists(census: &Census) -> u64 {
    let lists = census.list_requests.iter();
    let known = lists.filter(|(kind, _)| Kind::find(kind).is_some());
    known.map(|(_, requests)| *requests as u64).sum()
}

/// How far back changes of runs are looked for, beyond the backup before.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

impl Expected {
    fn list_changes(&mut self, workspace: &Workspace, page: usize, since: Timestamp) {
        let history = &workspace.history;
        let experiments: Vec<_> = history.experiments().collect();
        self.experiment_pages = storage_pages(experiments.len(), page) as u64;
        let mut tried = false;
        for experiment in experiments {
            let of = |run: &&Run| run.experiment == experiment.name && !run.deleted;
            let runs: Vec<&Run> = history.runs().filter(of).collect();
            let changed = runs.iter().filter(|run| changed(run) >= since).count();
            self.run_pages += storage_pages(changed, page) as u64;
            if !tried {
                tried = !runs.is_empty();
                self.run_pages += if tried { 1 } else { 2 };
            }
        }
    }
}

/// When anything of a run changed last.
fn changed(run: &Run) -> Timestamp {
    run.modified.or(run.created).unwrap()
}

fn versions<'a>(workspace: &'a Workspace, kind: &str) -> Vec<&'a Resource> {
    let containers = workspace.documents.list(kind).into_iter();
    containers
        .flat_map(|container| {
            let versions = format!("{kind}/{}/versions", container.name);
            workspace.documents.list(&versions)
        })
        .collect()
}

/// Whether a run ended so long ago that nothing of it is expected to change.
fn is_settled(run: &Run, asked: Timestamp) -> bool {
    let day = SignedDuration::from_hours(24);
    run.is_terminal()
        && run
            .ended
            .is_some_and(|ended| asked.duration_since(ended) >= day)
}

/// A pipeline and a sweep under way, with a child each that is under way too, and one that ended long ago.
fn parents_under_way(cloud: &Cloud) -> Vec<String> {
    let mut state = cloud.simulator.state();
    let workspace = state.workspace_mut(&cloud.key).unwrap();
    let mut parents: Vec<String> = Vec::new();
    for run in workspace.history.runs() {
        parents.extend(
            run.parent
                .clone()
                .filter(|parent| !parents.contains(parent)),
        );
    }
    assert!(parents.len() >= 2, "{parents:?}");
    for parent in &parents {
        let of = |run: &&Run| run.parent.as_ref() == Some(parent);
        let child = workspace.history.runs().find(of).unwrap().run_id.clone();
        for id in [parent, &child] {
            let run = workspace.history.run_mut(id).unwrap();
            run.status = "Running".to_owned();
            run.ended = None;
        }
    }
    parents
}

#[tokio::test(start_paused = true)]
async fn children_of_jobs_under_way_are_asked_about_and_not_listed_again_while_nothing_changes() {
    let cloud = Cloud::small().await;
    let parents = parents_under_way(&cloud);
    let asked = cloud.simulator.now();
    cloud.back_up().await;
    pass(1).await;
    cloud.take_requests();
    let report = cloud.back_up().await;
    assert_eq!(report.items_total().count(Counted::Saved), 0);
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    let census = cloud.census();
    let expected = Expected::of(&cloud.simulator.state(), &cloud.key, asked);
    assert_eq!(report.requests, expected.total(&census));
    let listings = |requests: &BTreeMap<String, u64>| {
        let lists = requests
            .iter()
            .filter(|(name, _)| name.contains("/children"));
        lists.map(|(_, count)| *count).sum::<u64>()
    };
    assert_eq!(listings(&cloud.take_requests()), 0);

    // A new trial: the parent's record says that something happened, and its children are listed.
    let below = |parent: &String| {
        let state = cloud.simulator.state();
        let workspace = state.workspace(&cloud.key).unwrap();
        let of = workspace
            .history
            .runs()
            .filter(|run| run.parent.as_ref() == Some(parent));
        of.count() as u64
    };
    let before: u64 = parents.iter().map(below).sum();
    add_child(&cloud, &parents[0]);
    let report = cloud.back_up().await;
    assert_eq!(listings(&cloud.take_requests()), 1);
    assert_eq!(parents.iter().map(below).sum::<u64>(), before + 1);
    assert_eq!(
        report.items_total().count(Counted::Saved),
        2,
        "parent and child"
    );
    let child = cloud.bench.item("jobs", "new_trial", None).await;
    assert!(child.is_some());
}

fn add_child(cloud: &Cloud, parent: &str) {
    let mut state = cloud.simulator.state();
    let workspace = state.workspace_mut(&cloud.key).unwrap();
    let of = |run: &&Run| run.parent.as_deref() == Some(parent);
    let mut child = workspace.history.runs().find(of).unwrap().clone();
    child.run_id = "new_trial".to_owned();
    workspace.history.insert(child);
    let run = workspace.history.run_mut(parent).unwrap();
    run.tags.insert("trials".to_owned(), "one more".to_owned());
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
pub(super) fn change_notebook(cloud: &Cloud, path: &str, mut bytes: Vec<u8>) {
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
    let name = metrics
        .values()
        .find(|metric| metric.is_scalar())
        .unwrap()
        .name
        .clone();
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
    let asked = |requests: &BTreeMap<String, u64>| {
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
