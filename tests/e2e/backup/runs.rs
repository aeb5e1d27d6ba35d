//! Runs that no list of jobs shows: logged with MLflow by notebooks and by the scripts of jobs.

use http::Method;
use jiff::Timestamp;
use mlark::capture::{Counted, Ending, Event, Observer, back_up};
use mlark::shutdown::Shutdown;
use serde_json::{Value, json};
use simulator::history::Filters;
use std::sync::Mutex;
use workspace::Selection;

use super::bench::pass;
use super::cloud::Cloud;
use super::cost::Expected;

/// Logs as somebody with a notebook, by MLflow's own interface.
pub(crate) struct Notebook<'a>(pub(crate) &'a Cloud);

impl Notebook<'_> {
    fn post(&self, operation: &str, body: &Value) -> Value {
        let (arm_id, region) = {
            let state = self.0.simulator.state();
            let workspace = state.workspace(&self.0.key).unwrap();
            (workspace.arm_id(), workspace.location.clone())
        };
        let target = format!("/mlflow/v1.0{arm_id}/api/2.0/mlflow/{operation}");
        let caller = self.0.caller();
        let reply = caller.data(Method::POST, &region, &target, Some(body));
        assert_eq!(reply.status, 200, "{operation}: {}", reply.body_json());
        reply.body_json()
    }

    /// Makes an experiment; says its id.
    fn experiment(&self, name: &str) -> String {
        let made = self.post("experiments/create", &json!({"name": name}));
        made["experiment_id"].as_str().unwrap().to_owned()
    }

    /// Makes a run with a point of a metric, which ends at once; says its id.
    pub(crate) fn run(&self, experiment: &str, tags: &[(&str, &str)]) -> String {
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let now = self.0.simulator.now().as_millisecond();
        let body = json!({"experiment_id": experiment, "start_time": now, "tags": tags});
        let made = self.post("runs/create", &body);
        let id = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let point = json!({"run_id": id, "key": "loss", "value": 0.5, "timestamp": now, "step": 1});
        self.post("runs/log-metric", &point);
        let end = json!({"run_id": id, "status": "FINISHED", "end_time": now});
        self.post("runs/update", &end);
        id
    }

    /// A run that a script logs below its job's own.
    fn below(&self, job: &str) -> String {
        let experiment = {
            let state = self.0.simulator.state();
            let history = &state.workspace(&self.0.key).unwrap().history;
            let name = &history.run(job).unwrap().experiment;
            history.experiment(name).unwrap().id.clone()
        };
        self.run(&experiment, &[("mlflow.parentRunId", job)])
    }
}

/// A command job that ended long ago and has nothing below it.
fn a_plain_job(cloud: &Cloud) -> String {
    let state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let mut runs = workspace.history.runs();
    let plain = runs.find(|run| {
        run.status == "Completed"
            && run.parent.is_none()
            && workspace.history.children(&run.run_id).is_empty()
            && workspace.documents.get("jobs", &run.run_id).is_some()
    });
    plain.unwrap().run_id.clone()
}

fn now(cloud: &Cloud) -> Timestamp {
    cloud.simulator.now()
}

/// Checks that the newest snapshot has all runs of the workspace.
async fn all_are_there(cloud: &Cloud) {
    let runs: Vec<String> = {
        let state = cloud.simulator.state();
        let history = &state.workspace(&cloud.key).unwrap().history;
        history.runs().map(|run| run.run_id.clone()).collect()
    };
    for run in runs {
        let item = cloud.bench.item("jobs", &run, None).await;
        assert!(item.is_some(), "{run} is missing");
        assert!(item.unwrap().gaps.is_empty(), "{run}");
    }
}

async fn has(cloud: &Cloud, run: &str) -> bool {
    cloud.bench.item("jobs", run, None).await.is_some()
}

#[tokio::test(start_paused = true)]
async fn runs_that_no_list_of_jobs_shows_are_kept_and_cost_a_page_an_experiment_later() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    // More experiments and more runs than a page has.
    let mut alone = Vec::new();
    for number in 0..9 {
        let experiment = notebook.experiment(&format!("notes {number}"));
        for _ in 0..=number {
            alone.push(notebook.run(&experiment, &[("team", "nlp")]));
        }
    }
    let job = a_plain_job(&cloud);
    let nested = notebook.below(&job);
    let deeper = notebook.below(&alone[3]);
    pass(48).await;
    let asked = now(&cloud);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    all_are_there(&cloud).await;
    let item = cloud.bench.item("jobs", &nested, None).await.unwrap();
    assert_eq!(item.more["below"], json!(job));
    let metric = "metrics/loss.jsonl";
    assert!(item.files.iter().any(|file| file.path.as_str() == metric));
    let item = cloud.bench.item("jobs", &deeper, None).await.unwrap();
    assert_eq!(item.more["below"], json!(alone[3]));
    let item = cloud.bench.item("jobs", &alone[0], None).await.unwrap();
    assert_eq!(item.more["unlisted"], json!(true));
    assert!(item.settled);

    pass(1).await;
    cloud.take_requests();
    let report = cloud.back_up().await;
    assert_eq!(report.items_total().count(Counted::Saved), 0);
    let expected = Expected::of(&cloud.simulator.state(), &cloud.key, asked);
    assert_eq!(report.requests, expected.total(&cloud.census()));
    all_are_there(&cloud).await;
    assert!(cloud.bench.item("jobs", &alone[0], None).await.unwrap() == item);
}

#[tokio::test(start_paused = true)]
async fn a_new_run_below_an_unchanged_job_and_a_late_tag_are_noticed() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    let experiment = notebook.experiment("notes");
    let (alone, other) = (
        notebook.run(&experiment, &[]),
        notebook.run(&experiment, &[]),
    );
    pass(48).await;
    cloud.back_up().await;
    pass(48).await;
    let job = a_plain_job(&cloud);
    let nested = notebook.below(&job);
    let tag = json!({"run_id": alone, "key": "verdict", "value": "good"});
    notebook.post("runs/set-tag", &tag);
    cloud.bench.seen.take();
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    let mut seen = cloud.bench.seen.take();
    seen.retain(|event| event.starts_with("Saved"));
    seen.sort();
    let mut wished = [
        format!("Saved jobs/{alone}"),
        format!("Saved jobs/{nested}"),
    ];
    wished.sort();
    assert_eq!(seen, wished);
    assert!(has(&cloud, &other).await);
    let item = cloud.bench.item("jobs", &nested, None).await.unwrap();
    assert_eq!(item.more["below"], json!(job));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_gone_leaves_the_snapshots_once_it_was_asked_for_by_its_name() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    let experiment = notebook.experiment("notes");
    let (gone, stays) = (
        notebook.run(&experiment, &[]),
        notebook.run(&experiment, &[]),
    );
    // The service does not list it any more, and still has it.
    let hidden = notebook.run(&experiment, &[]);
    pass(48).await;
    cloud.back_up().await;
    {
        let mut state = cloud.simulator.state();
        let history = &mut state.workspace_mut(&cloud.key).unwrap().history;
        history.remove(&gone).unwrap();
        history.run_mut(&hidden).unwrap().deleted = true;
    }
    pass(1).await;
    cloud.back_up().await;
    assert!(has(&cloud, &gone).await, "nobody has asked for it yet");
    pass(31 * 24).await;
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    assert!(!has(&cloud, &gone).await);
    assert!(has(&cloud, &stays).await && has(&cloud, &hidden).await);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_understand_the_filter_is_asked_for_all_runs() {
    for filters in [Filters::Refused, Filters::MatchNothing, Filters::Ignored] {
        let cloud = Cloud::small().await;
        let notebook = Notebook(&cloud);
        let experiment = notebook.experiment("notes");
        let old = notebook.run(&experiment, &[]);
        pass(48).await;
        cloud.back_up().await;
        {
            let mut state = cloud.simulator.state();
            state.workspace_mut(&cloud.key).unwrap().history.filters = filters.clone();
        }
        pass(48).await;
        let new = notebook.run(&experiment, &[]);
        let report = cloud.back_up().await;
        assert!(!report.has_gaps(), "{filters:?}: {:#?}", report.gaps);
        assert!(
            has(&cloud, &old).await && has(&cloud, &new).await,
            "{filters:?}"
        );
        all_are_there(&cloud).await;
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_a_selection_left_out_are_found_when_it_takes_them_again() {
    let mut cloud = Cloud::small().await;
    let (experiment, job) = (Notebook(&cloud).experiment("notes"), a_plain_job(&cloud));
    let out = Notebook(&cloud).run(&experiment, &[]);
    let nested = Notebook(&cloud).below(&job);
    pass(48).await;
    let start = now(&cloud);
    let select = |text: &str| Selection::parse([text], start).unwrap();
    for text in [
        format!("!jobs/{out}"),
        format!("!jobs/{job}"),
        "models".to_owned(),
    ] {
        cloud.bench.policy.selection = select(&text);
        cloud.back_up().await;
        assert!(
            !(has(&cloud, &out).await && has(&cloud, &nested).await),
            "{text}"
        );
        pass(48).await;
    }
    cloud.bench.policy.selection = Selection::everything();
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    all_are_there(&cloud).await;
}

/// Asks for a stop at the item of this number.
struct StopAt<'a> {
    stop: &'a Shutdown,
    left: Mutex<usize>,
}

impl Observer for StopAt<'_> {
    fn event(&self, event: &Event<'_>) {
        let is_run = matches!(event, Event::Item(id, _) if id.kind == "jobs");
        let mut left = self.left.lock().unwrap();
        if is_run && *left > 0 {
            *left -= 1;
            if *left == 0 {
                self.stop.request();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn backups_that_are_stopped_among_the_runs_lose_none_of_them() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    let experiment = notebook.experiment("notes");
    let job = a_plain_job(&cloud);
    for _ in 0..6 {
        notebook.run(&experiment, &[]);
        notebook.below(&job);
    }
    pass(48).await;
    let bench = &cloud.bench;
    let mut partial = 0;
    for round in 0..4 {
        for at in [5, 20, 30, 36] {
            let stop = Shutdown::default();
            let observer = StopAt {
                stop: &stop,
                left: Mutex::new(at),
            };
            let source = cloud.open().await;
            let report = back_up(&source, &bench.repository, &bench.policy, &observer, &stop).await;
            partial += usize::from(report.is_ok_and(|report| report.ending == Ending::Partial));
            notebook.below(&job);
        }
        let report = cloud.back_up().await;
        assert_eq!(report.ending, Ending::Complete, "{round}");
        assert!(!report.has_gaps(), "{:#?}", report.gaps);
        all_are_there(&cloud).await;
        notebook.run(&experiment, &[]);
        pass(48).await;
    }
    assert!(partial > 4, "only {partial} backups were stopped");
}

#[tokio::test(start_paused = true)]
async fn an_experiment_that_cannot_be_listed_is_a_gap_and_its_runs_are_kept() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    let experiment = notebook.experiment("notes");
    let old = notebook.run(&experiment, &[]);
    pass(48).await;
    cloud.back_up().await;
    pass(48).await;
    let new = notebook.run(&experiment, &[]);
    {
        let mut state = cloud.simulator.state();
        let history = &mut state.workspace_mut(&cloud.key).unwrap().history;
        history.filters = Filters::Denied("notes".to_owned());
    }
    let report = cloud.back_up().await;
    assert_eq!(report.gaps.len(), 1, "{:#?}", report.gaps);
    assert!(report.gaps[0].reason.contains("Runs that are no jobs"));
    assert!(has(&cloud, &old).await && !has(&cloud, &new).await);
    {
        let mut state = cloud.simulator.state();
        let history = &mut state.workspace_mut(&cloud.key).unwrap().history;
        history.filters = Filters::Applied;
    }
    pass(24 * 3).await;
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    all_are_there(&cloud).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_record_names_no_experiment_keeps_the_one_that_it_was_found_in() {
    let cloud = Cloud::small().await;
    let notebook = Notebook(&cloud);
    let experiment = notebook.experiment("notes");
    let (alone, named) = (
        notebook.run(&experiment, &[]),
        notebook.run(&experiment, &[]),
    );
    let below = notebook.run(&experiment, &[("mlflow.parentRunId", &alone)]);
    let of_job = notebook.below(&a_plain_job(&cloud));
    {
        let mut state = cloud.simulator.state();
        let history = &mut state.workspace_mut(&cloud.key).unwrap().history;
        for run in [&alone, &below] {
            let run = history.run_mut(run).unwrap();
            run.more.insert("experimentName".to_owned(), Value::Null);
        }
    }
    // A second backup takes over what the first one found.
    for _ in 0..2 {
        cloud.back_up().await;
        for (run, noted) in [
            (&alone, Some("notes")),
            (&below, Some("notes")),
            (&named, None),
            (&of_job, None),
        ] {
            let item = cloud.bench.item("jobs", run, None).await.unwrap();
            let experiment = item.more.get("experiment").and_then(Value::as_str);
            assert_eq!(experiment, noted, "{run}");
        }
        pass(48).await;
    }
}
