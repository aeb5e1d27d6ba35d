//! A workspace that was itself restored: its runs are no jobs, and are backed up and restored like any other.

use std::collections::{BTreeMap, BTreeSet};

use ::restore::{OnConflict, VerifyOutcome};
use serde_json::Value;
use simulator::arm::WorkspaceSpec;
use simulator::world::{self, TARGET_SUBSCRIPTION};

use super::bench::Bench;

/// The runs of a dump, by a tag.
fn by_tag<'a>(dump: &'a Value, tag: &str) -> BTreeMap<&'a str, (&'a str, &'a Value)> {
    let runs = dump["runs"].as_object().unwrap().iter();
    let tagged: Vec<_> = runs
        .filter_map(|(id, run)| Some((run["tags"][tag].as_str()?, (id.as_str(), run))))
        .collect();
    let count = tagged.len();
    let tagged: BTreeMap<_, _> = tagged.into_iter().collect();
    assert_eq!(tagged.len(), count, "two runs with the same tag {tag}");
    tagged
}

#[tokio::test(start_paused = true)]
async fn a_restored_workspace_is_backed_up_with_its_runs_and_restored_a_second_time() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    let report = bench.store.back_up(&bench.open(&bench.target).await).await;
    assert!(!report.has_gaps(), "{:#?}", report.gaps);

    let spec = WorkspaceSpec::new(TARGET_SUBSCRIPTION, "rg-third", "ws-third", "northeurope");
    let third = world::target(&bench.simulator, &spec).unwrap();
    let plan = bench.plan_of(&third, &[], OnConflict::Fail).await;
    bench.apply(&plan, &third).await;
    let found = bench.verify(&third, &[]).await;
    assert_eq!(
        found.outcome,
        VerifyOutcome::AsPlanned,
        "{:#?}",
        found.differences
    );

    let (one, two, three) = (
        bench.dump(&bench.source),
        bench.dump(&bench.target),
        bench.dump(&third),
    );
    let (restored, again) = (
        by_tag(&two, "mlark.source_run"),
        by_tag(&three, "mlark.first_source_run"),
    );
    let sources: BTreeSet<&str> = one["runs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(restored.keys().copied().collect::<BTreeSet<_>>(), sources);
    assert_eq!(again.keys().copied().collect::<BTreeSet<_>>(), sources);
    for (source, (id, run)) in again {
        let (before, earlier) = restored[source];
        assert_eq!(run["tags"]["mlark.source_run"], before);
        for tag in ["creator", "created", "status", "started", "ended"] {
            let tag = format!("mlark.{tag}");
            assert_eq!(
                run["tags"][&tag], earlier["tags"][&tag],
                "{tag} of {source}"
            );
        }
        for part in ["experiment", "status", "parameters"] {
            assert_eq!(run[part], earlier[part], "{part} of {source}");
        }
        assert_eq!(
            three["metrics"][id], two["metrics"][before],
            "metrics of {source}"
        );
        assert_eq!(run["parent"].is_null(), earlier["parent"].is_null());
    }
}
