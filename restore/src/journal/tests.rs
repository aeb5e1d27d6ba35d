#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use workspace::{Identity, ItemId};

use super::*;
use crate::{Action, Estimate, Options, Step, Work};

fn plan() -> Plan {
    let item = ItemId::versioned("models", "m", "1");
    Plan {
        edition: Plan::edition(),
        plan: "01P".to_owned(),
        snapshot: "01S".to_owned(),
        selectors: Vec::new(),
        target: "azureml://t".to_owned(),
        source: Identity::Folder("/a".into()),
        identity: Identity::Folder("/b".into()),
        options: Options::default(),
        steps: vec![Step {
            step: 1,
            item: item.clone(),
            action: Action::Create,
            work: Work::Document,
            target: item,
            reason: String::new(),
            needs: Vec::new(),
            after: Vec::new(),
            overwrite: false,
            files: 0,
            bytes: 0,
        }],
        losses: Vec::new(),
        manual: Vec::new(),
        runs: BTreeMap::new(),
        sightings: Vec::new(),
        estimate: Estimate::default(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[tokio::test]
async fn a_step_is_intended_then_done_also_for_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let journal = Journal::open(folder.path()).await.unwrap();
    journal.begin(&plan, at(1)).await.unwrap();
    journal
        .intend(&plan.plan, &plan.steps[0], at(2))
        .await
        .unwrap();
    drop(journal);

    let journal = Journal::open(folder.path()).await.unwrap();
    let steps = journal.steps(&plan.plan).await.unwrap();
    assert_eq!(steps, BTreeMap::from([(1, StepState::Intended)]));
    journal
        .done(&plan.plan, &plan.steps[0], "models/m:1", at(3))
        .await
        .unwrap();
    journal.finish(&plan.plan, "complete", at(4)).await.unwrap();

    let restorations = journal.restorations().await.unwrap();
    assert_eq!(restorations.len(), 1);
    assert_eq!(
        (
            restorations[0].steps,
            restorations[0].done,
            restorations[0].failed
        ),
        (1, 1, 0)
    );
    assert_eq!(restorations[0].finished, Some(at(4)));
    assert_eq!(restorations[0].outcome.as_deref(), Some("complete"));
}

#[tokio::test]
async fn a_restore_that_goes_on_is_under_way_again_and_keeps_its_begin() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let journal = Journal::open(folder.path()).await.unwrap();
    journal.begin(&plan, at(1)).await.unwrap();
    journal
        .failed(&plan.plan, &plan.steps[0], "no", at(2))
        .await
        .unwrap();
    journal.finish(&plan.plan, "failed", at(3)).await.unwrap();
    journal.begin(&plan, at(9)).await.unwrap();
    let found = journal.restorations().await.unwrap();
    assert_eq!(
        (found[0].started, found[0].finished, found[0].failed),
        (at(1), None, 1)
    );
}

#[tokio::test]
async fn runs_are_found_by_either_name_and_places_by_item() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).await.unwrap();
    journal.note_run(&plan(), "job-1", "run-9").await.unwrap();
    journal.note_run(&plan(), "job-1", "run-9").await.unwrap();
    let expected = vec![MadeOf {
        source: "job-1".to_owned(),
        target: "azureml://t".to_owned(),
        made: "run-9".to_owned(),
    }];
    assert_eq!(journal.runs_of("job-1").await.unwrap(), expected);
    assert_eq!(journal.runs_of("run-9").await.unwrap(), expected);

    assert_eq!(journal.place("t", "codes/c:1").await.unwrap(), None);
    journal
        .note_place("t", "codes/c:1", "https://a/b")
        .await
        .unwrap();
    assert_eq!(
        journal.place("t", "codes/c:1").await.unwrap().as_deref(),
        Some("https://a/b")
    );
}

#[tokio::test]
async fn what_was_begun_and_not_done_is_left_over_for_the_next_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let journal = Journal::open(folder.path()).await.unwrap();
    journal.begin(&plan, at(1)).await.unwrap();
    assert!(
        journal
            .unfinished(&plan.target, Timestamp::MIN)
            .await
            .unwrap()
            .is_empty()
    );
    journal
        .intend(&plan.plan, &plan.steps[0], at(2))
        .await
        .unwrap();
    let left = journal
        .unfinished(&plan.target, Timestamp::MIN)
        .await
        .unwrap();
    assert_eq!(left, BTreeSet::from(["models/m:1".to_owned()]));
    assert!(
        journal
            .unfinished("azureml://other", Timestamp::MIN)
            .await
            .unwrap()
            .is_empty()
    );
    journal
        .done(&plan.plan, &plan.steps[0], "models/m:1", at(3))
        .await
        .unwrap();
    assert!(
        journal
            .unfinished(&plan.target, Timestamp::MIN)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_was_made_under_another_version_is_found_by_either_name() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, plan) = (Journal::open(folder.path()).await.unwrap(), plan());
    journal.begin(&plan, at(1)).await.unwrap();
    let step = &plan.steps[0];
    journal
        .done(&plan.plan, step, "models/other:7", at(2))
        .await
        .unwrap();
    let expected = vec![MadeOf {
        source: "models/m:1".to_owned(),
        target: plan.target.clone(),
        made: "models/other:7".to_owned(),
    }];
    for pattern in [
        "m",
        "models/m",
        "models/m:1",
        "m:*",
        "other",
        "models/oth*",
        "models/other:7",
    ] {
        assert_eq!(
            journal.renamed_of(pattern).await.unwrap(),
            expected,
            "{pattern}"
        );
    }
    for pattern in ["models", "models/m:2", "oth", "1", "7"] {
        assert_eq!(journal.renamed_of(pattern).await.unwrap(), [], "{pattern}");
    }
    journal
        .done(&plan.plan, step, "models/m:1", at(3))
        .await
        .unwrap();
    assert_eq!(journal.renamed_of("m").await.unwrap(), []);
}
