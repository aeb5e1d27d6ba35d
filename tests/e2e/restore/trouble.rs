//! Restores while the cloud misbehaves or refuses.

use ::restore::{Action, OnConflict, OutcomeWord, VerifyOutcome};
use simulator::faults::{Fault, Rule};
use simulator::state::CLIENT_ID;

use super::bench::{Bench, Watch};

/// One call in five is throttled, one in ten fails, loses its connection or half of its answer.
pub(super) fn storm() -> Vec<Rule> {
    let some = |share: f64, fault: Fault| Rule::always(fault).with_probability(share);
    vec![
        some(
            0.2,
            Fault::Throttle {
                retry_after: 2,
                date: false,
            },
        ),
        some(
            0.03,
            Fault::Status {
                status: 500,
                code: None,
            },
        ),
        some(0.02, Fault::Reset { executed: false }),
        some(0.02, Fault::Reset { executed: true }),
        some(0.03, Fault::Truncate { bytes: None }),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_restore_through_a_storm_ends_whole_and_without_a_run_too_many() {
    let bench = Bench::small().await;
    bench.simulator.set_faults(11, storm());
    let mut plan = bench.plan().await;
    let jobs = plan
        .steps
        .iter()
        .filter(|step| step.item.kind == "jobs")
        .count();
    // A call may fail more often than a client tries; then the same command is given again.
    for attempt in 0.. {
        assert!(attempt < 4, "four attempts are not enough");
        let watch = Watch::default();
        let outline = bench
            .apply_watched(&plan, &bench.target, &watch, "journal")
            .await
            .unwrap();
        if outline.outcome == OutcomeWord::Complete {
            break;
        }
        plan = bench.plan().await;
    }
    bench.simulator.set_faults(0, Vec::new());
    never_too_early(&bench);
    let found = bench.verify(&bench.target, &[]).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
    assert_eq!(
        bench.dump(&bench.target)["runs"].as_object().unwrap().len(),
        jobs
    );
}

/// Two files of one directory make sure of it at the same time; those are two callers and no early retry.
fn never_too_early(bench: &Bench) {
    let state = bench.simulator.state();
    let early = state.arrivals.early().iter();
    let own: Vec<_> = early
        .filter(|call| !call.contains("restype=directory"))
        .collect();
    assert!(own.is_empty(), "{own:#?}");
}

fn deny(bench: &Bench, patterns: &[&str]) {
    let mut state = bench.simulator.state();
    let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
    principal.denied = patterns
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .collect();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_fails_with_a_reason_and_the_rest_goes_on() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    deny(&bench, &["environments/versions/write"]);
    let watch = Watch::default();
    let outline = bench
        .apply_watched(&plan, &bench.target, &watch, "journal")
        .await
        .unwrap();
    assert_eq!(outline.outcome, OutcomeWord::Partial);
    let failed: Vec<_> = outline
        .failures
        .iter()
        .map(|failure| failure.item.as_str())
        .collect();
    assert!(
        failed.iter().any(|item| item.starts_with("environments/")),
        "{failed:?}"
    );
    let waits: Vec<_> = outline
        .failures
        .iter()
        .filter(|failure| failure.item.starts_with("components/"))
        .collect();
    assert!(
        waits
            .iter()
            .all(|failure| failure.reason.contains("which it needs, failed")),
        "{waits:#?}"
    );
    assert!(
        !failed
            .iter()
            .any(|item| item.starts_with("jobs/") || item.starts_with("notebooks/")),
        "{failed:?}"
    );

    deny(&bench, &[]);
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &[]).await;
    assert_eq!(
        found.outcome,
        VerifyOutcome::AsPlanned,
        "{:#?}",
        found.differences
    );
}

#[tokio::test(start_paused = true)]
async fn a_compute_that_the_target_lacks_is_a_row_and_not_a_surprise() {
    let bench = Bench::small().await;
    {
        let mut state = bench.simulator.state();
        let target = state.workspaces.get_mut(&bench.target).unwrap();
        target.documents.remove("computes", "gpu-cluster");
    }
    let plan = bench.plan().await;
    let rows: Vec<_> = plan
        .losses
        .iter()
        .filter(|loss| loss.reason.contains("computes/gpu-cluster"))
        .collect();
    assert!(!rows.is_empty());
    assert!(
        rows.iter()
            .all(|row| row.action == Action::Manual && row.item.kind != "computes")
    );
    let compute = plan
        .steps
        .iter()
        .find(|step| step.item.to_string() == "computes/gpu-cluster")
        .unwrap();
    assert_eq!(compute.action, Action::Manual);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_written_only_when_that_was_asked_and_stand_in_no_plan() {
    let bench = Bench::small().await;
    let mut request = bench.request(&["datastores"], OnConflict::Fail);
    request.options.include.secrets = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    let secrets: Vec<String> = {
        let dump = bench.dump(&bench.source);
        let all = dump["secrets"].as_object().unwrap();
        all.values()
            .flat_map(strings)
            .filter(|text| text.len() > 20)
            .collect()
    };
    assert!(!secrets.is_empty());
    let text = String::from_utf8(plan.to_json().unwrap()).unwrap();
    assert!(secrets.iter().all(|secret| !text.contains(secret)));
    bench.apply(&plan, &bench.target).await;
    let (before, after) = (bench.dump(&bench.source), bench.dump(&bench.target));
    let foreign = ["lake_by_key", "lake_by_sas"];
    for name in foreign {
        let of = |dump: &serde_json::Value| dump["secrets"][format!("datastores/{name}")].clone();
        assert!(of(&before).is_object(), "{name}");
        assert_eq!(of(&before), of(&after), "{name}");
    }

    let journal = std::fs::read(
        bench
            .store
            .path()
            .join("journal")
            .join(::restore::journal::JOURNAL_FILE),
    )
    .unwrap();
    let journal = String::from_utf8_lossy(&journal);
    assert!(secrets.iter().all(|secret| !journal.contains(secret)));
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(items) => items.iter().flat_map(strings).collect(),
        serde_json::Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapping_renames_and_references_follow() {
    let bench = Bench::small().await;
    let mut request = bench.request(&["schedules", "computes"], OnConflict::Fail);
    request.options.mapping = "[computes]\n\"cpu-cluster\" = \"gpu-cluster\"\n[names]\n\"datastores/lake_by_key\" = \"datastores/lake_mapped\"\n".to_owned();
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let dump = bench.dump(&bench.target);
    let schedules: Vec<_> = dump["documents"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with("schedules/"))
        .map(|(_, document)| document.to_string())
        .collect();
    assert!(!schedules.is_empty());
    assert!(
        schedules
            .iter()
            .all(|text| !text.contains("computes/cpu-cluster")),
        "{schedules:#?}"
    );
    assert!(
        schedules
            .iter()
            .any(|text| text.contains("computes/gpu-cluster"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_waits_for_longer_than_its_lease_is_written_under_another() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    let wait = Fault::Throttle {
        retry_after: 40,
        date: false,
    };
    bench.simulator.set_faults(
        1,
        vec![Rule {
            method: Some("PUT".to_owned()),
            contains: Some("/mlark/restore.lock".to_owned()),
            // The mark is written, leased, and written again under the lease.
            skip: 2,
            times: Some(1),
            ..Rule::always(wait)
        }],
    );
    bench.apply(&plan, &bench.target).await;
    let state = bench.simulator.state();
    let struck: u64 = state.faults.rules().map(|(_, struck)| struck).sum();
    assert_eq!(struck, 1);
}
