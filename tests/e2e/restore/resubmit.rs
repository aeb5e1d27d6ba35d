//! Jobs that had not ended are submitted again where that is asked for, each once.

use std::collections::BTreeMap;

use ::restore::{Action, OnConflict, Plan, Request, VerifyOutcome, Work};
use serde_json::{Value, json};

use super::bench::{Bench, Watch};
use super::crash::die_after;

fn request(bench: &Bench) -> Request {
    let mut request = bench.request(&["jobs", "environments", "codes"], OnConflict::Fail);
    request.options.include.resubmit = true;
    request
}

async fn plan(bench: &Bench) -> Plan {
    bench.plan_request(&bench.target, &request(bench)).await
}

/// The jobs of the target that ARM shows, by name.
fn jobs(bench: &Bench) -> BTreeMap<String, Value> {
    let state = bench.simulator.state();
    let documents = state.workspaces[&bench.target].documents.list("jobs");
    let jobs = documents.into_iter();
    jobs.map(|job| (job.name.clone(), Value::Object(job.body.clone())))
        .collect()
}

/// The jobs of the source that had not ended.
fn open_jobs(bench: &Bench) -> Vec<String> {
    let state = bench.simulator.state();
    let runs = state.workspaces[&bench.source].history.runs();
    let open = runs.filter(|run| !run.is_terminal() && run.parent.is_none());
    let mut names: Vec<String> = open.map(|run| run.run_id.clone()).collect();
    names.sort();
    names
}

fn resubmissions(plan: &Plan) -> Vec<&::restore::Step> {
    let steps = plan.steps.iter();
    steps.filter(|step| step.work == Work::Resubmit).collect()
}

#[tokio::test(start_paused = true)]
async fn jobs_that_had_not_ended_are_submitted_again_once_and_only_when_asked() {
    let bench = Bench::small().await;
    let open = open_jobs(&bench);
    assert!(!open.is_empty());
    let unasked = bench
        .plan_of(&bench.target, &["jobs"], OnConflict::Fail)
        .await;
    assert!(resubmissions(&unasked).is_empty());
    let plan = plan(&bench).await;
    let mut planned: Vec<String> = resubmissions(&plan)
        .iter()
        .map(|step| step.target.name.clone())
        .collect();
    planned.sort();
    assert_eq!(planned, open);
    let rows = plan
        .losses
        .iter()
        .filter(|loss| loss.what == "its work so far");
    assert!(
        rows.clone()
            .all(|row| row.reason.contains("paid for once more"))
    );
    assert_eq!(rows.count(), open.len());
    bench.apply(&plan, &bench.target).await;

    let there = jobs(&bench);
    assert_eq!(
        there.keys().collect::<Vec<_>>(),
        open.iter().collect::<Vec<_>>()
    );
    let source = simulator::world::SOURCE_SUBSCRIPTION;
    for (name, job) in &there {
        assert_eq!(job["properties"]["tags"]["mlark.resubmitted"], json!(name));
        for field in ["computeId", "environmentId", "codeId"] {
            let text = job["properties"][field].as_str().unwrap_or_default();
            assert!(
                !text.is_empty() && !text.contains(source),
                "{name} {field}: {text}"
            );
        }
    }
    let found = bench.verify_request(&bench.target, &request(&bench)).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
    let again = self::plan(&bench).await;
    assert_eq!(again.changes(), 0, "{:#?}", again.steps);
    // Carried out once more by somebody without the journal, the old plan submits nothing either.
    bench
        .apply_watched(&plan, &bench.target, &Watch::default(), "another")
        .await
        .unwrap();
    assert_eq!(jobs(&bench).len(), open.len());
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_dies_while_it_submits_makes_no_second_job() {
    // How far a restore gets within so many polls depends on the machine: each dies a little later than the one before,
    // until one ended first, and then from the beginning again.
    let (mut cut, mut polls) = (0, 0);
    for _ in 0..40 {
        if cut == 5 {
            break;
        }
        let bench = Bench::small().await;
        let open = open_jobs(&bench);
        let plan = plan(&bench).await;
        let before = plan.changes() - resubmissions(&plan).len() as u64;
        let before = usize::try_from(before).unwrap();
        let died = die_after(&bench, &plan, before, polls).await;
        let cut_off = (died as u64) < plan.changes();
        let runs = |bench: &Bench| {
            let state = bench.simulator.state();
            let history = &state.workspaces[&bench.target].history;
            history
                .runs()
                .filter(|run| open.contains(&run.run_id))
                .count()
        };
        let again = self::plan(&bench).await;
        let outline = bench
            .apply_watched(&again, &bench.target, &Watch::default(), "another")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        assert_eq!(jobs(&bench).keys().cloned().collect::<Vec<_>>(), open);
        assert_eq!(runs(&bench), open.len(), "cut after {polls} polls");
        (cut, polls) = if cut_off {
            (cut + 1, polls + 1)
        } else {
            (cut, 0)
        };
    }
    assert_eq!(cut, 5, "restores that were cut off before their end");
}

#[tokio::test(start_paused = true)]
async fn a_job_of_the_same_name_that_somebody_else_made_stays_and_a_row_says_so() {
    let bench = Bench::small().await;
    let open = open_jobs(&bench);
    bench.apply(&plan(&bench).await, &bench.target).await;
    {
        let mut state = bench.simulator.state();
        let target = state.workspaces.get_mut(&bench.target).unwrap();
        let job = target.documents.get_mut("jobs", &open[0]).unwrap();
        job.set_property("tags", json!({}));
        target.history.run_mut(&open[0]).unwrap().tags.clear();
    }
    let before = jobs(&bench);
    let plan = plan(&bench).await;
    let row = plan
        .losses
        .iter()
        .find(|loss| loss.what == "its submission");
    let row = row.expect("a row says that the name is taken");
    assert_eq!(
        (row.action, row.item.name.as_str()),
        (Action::Manual, open[0].as_str())
    );
    assert_eq!(plan.changes(), 0, "{:#?}", plan.steps);
    assert_eq!(jobs(&bench), before);
}
