//! What a newer service has and the table has not is kept whole, told, and never restored.

use ::restore::{Action, OnConflict};
use serde_json::{Map, Value, json};
use simulator::Simulator;
use simulator::documents::Resource;
use simulator::workspace::WorkspaceKey;
use workspace::Role;

use crate::backup::cloud::Cloud;
use crate::restore::bench::Bench;
use crate::roles::give;

/// Puts two collections into a workspace that nobody knows, one of them with versions.
fn newer(simulator: &Simulator, key: &WorkspaceKey) {
    let now = simulator.now();
    let mut state = simulator.state();
    let documents = &mut state.workspace_mut(key).unwrap().documents;
    let mut put = |collection: &str, name: &str, properties: Value| {
        let body = Map::from_iter([("properties".to_owned(), properties)]);
        documents.put(collection, Resource::new(name, body, "somebody", now));
    };
    put(
        "quantumJobs",
        "first",
        json!({"qubits": 7, "apiKey": "key-of-quanta", "nested": {"more": [1, null, 2.50]}}),
    );
    put("quanta", "gate", json!({"isArchived": true}));
    put(
        "quanta/gate/versions",
        "1",
        json!({"isArchived": true, "shape": "square"}),
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_that_nobody_knows_are_kept_whole_without_credentials() {
    let cloud = Cloud::small().await;
    newer(&cloud.simulator, &cloud.key);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let shown = cloud.simulator.dump(&cloud.key).unwrap();
    let newest = cloud.bench.newest().await;
    for (kind, name, version, id) in [
        ("quantumJobs", "first", None, "quantumJobs/first"),
        ("quanta", "gate", None, "quanta/gate"),
        ("quanta", "gate", Some("1"), "quanta/gate/versions/1"),
    ] {
        let item = cloud.bench.item(kind, name, version).await.unwrap();
        let saved = newest.document(&item.documents[0]).await.unwrap();
        let mut expected = shown["documents"][id].clone();
        if let Some(key) = expected.pointer_mut("/properties/apiKey") {
            *key = Value::Null;
        }
        assert_eq!(saved, expected, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_does_not_have_them_makes_no_gap_of_kinds_that_nobody_knows() {
    let cloud = Cloud::small().await;
    newer(&cloud.simulator, &cloud.key);
    give(&cloud.simulator, &Role::backup(), None);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let seen = cloud.bench.seen.take();
    for kind in ["quantumJobs", "quanta"] {
        assert!(seen.contains(&format!("no {kind}")), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn kinds_that_nobody_knows_are_told_in_a_plan_and_left_out() {
    let bench = Bench::small().await;
    newer(&bench.simulator, &bench.source);
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;
    let plan = bench.plan_of(&bench.target, &[], OnConflict::Fail).await;
    let steps = plan.steps.iter();
    let unknown = steps.filter(|step| step.item.kind.starts_with("quant"));
    let unknown: Vec<(String, Action)> = unknown
        .map(|step| (step.item.to_string(), step.action))
        .collect();
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    assert!(
        unknown
            .iter()
            .all(|(_, action)| *action == Action::Impossible),
        "{unknown:?}"
    );
}
