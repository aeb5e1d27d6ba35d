//! What a newer service has and the table has not is kept whole, told, and never restored.

use std::collections::BTreeMap;

use ::restore::{Action, OnConflict};
use mlark::capture::Counted;
use serde_json::{Map, Value, json};
use simulator::Simulator;
use simulator::documents::Resource;
use simulator::faults::{Fault, Rule};
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
    let told = [("quanta", 2), ("quantumJobs", 1)];
    let told = told.map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(report.unfamiliar, BTreeMap::from(told));
    assert_eq!(report.undiscovered, None);
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
async fn what_lies_right_below_an_unknown_kind_is_kept_and_what_lies_deeper_is_told() {
    let cloud = Cloud::small().await;
    newer(&cloud.simulator, &cloud.key);
    let ids = [
        "quantumJobs/first/steps/one",
        "quantumJobs/first/steps/two",
        "quanta/gate/parts/left",
        "quanta/gate/parts/left/bits/zero",
    ];
    {
        let now = cloud.simulator.now();
        let mut state = cloud.simulator.state();
        let documents = &mut state.workspace_mut(&cloud.key).unwrap().documents;
        for (number, id) in ids.iter().enumerate() {
            let (collection, name) = id.rsplit_once('/').unwrap();
            let body = Map::from_iter([("properties".to_owned(), json!({"number": number}))]);
            documents.put(collection, Resource::new(name, body, "somebody", now));
        }
    }
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let told = [
        ("quanta", 2),
        ("quanta.parts", 1),
        ("quantumJobs", 1),
        ("quantumJobs.steps", 2),
    ];
    let told = told.map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(report.unfamiliar, BTreeMap::from(told));
    assert_eq!(report.unreached, ["quanta/parts/bits"]);
    assert_eq!(report.to_json()["unreached"], json!(["quanta/parts/bits"]));
    let remarks = report.remarks();
    assert!(
        remarks
            .iter()
            .any(|line| line.contains("`quanta/parts/bits`")),
        "{remarks:?}"
    );
    let shown = cloud.simulator.dump(&cloud.key).unwrap();
    let newest = cloud.bench.newest().await;
    for (kind, name, id) in [
        ("quantumJobs.steps", "first/one", ids[0]),
        ("quantumJobs.steps", "first/two", ids[1]),
        ("quanta.parts", "gate/left", ids[2]),
    ] {
        let item = cloud.bench.item(kind, name, None).await.unwrap();
        let saved = newest.document(&item.documents[0]).await.unwrap();
        assert_eq!(saved, shown["documents"][id], "{id}");
    }
    // The next backup finds nothing new.
    let again = cloud.back_up().await;
    assert_eq!(again.items["quanta.parts"].count(Counted::Unchanged), 1);
    // What is no collection below one holds nothing; what is one and refuses is a gap.
    for (status, code, gaps) in [
        (405, "MethodNotAllowed", &[][..]),
        (500, "InternalServerError", &["quantumJobs.steps"][..]),
    ] {
        let fault = Fault::Status {
            status,
            code: Some(code.to_owned()),
        };
        let rule = Rule {
            contains: Some("/steps?".to_owned()),
            ..Rule::always(fault)
        };
        cloud.simulator.set_faults(1, vec![rule]);
        let report = cloud.back_up().await;
        let found: Vec<&str> = report.gaps.iter().map(|gap| gap.item.as_str()).collect();
        assert_eq!(found, gaps, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn that_kinds_could_not_be_looked_for_is_told_and_no_gap() {
    let cloud = Cloud::small().await;
    newer(&cloud.simulator, &cloud.key);
    give(&cloud.simulator, &Role::backup(), None);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let why = report.undiscovered.clone().unwrap();
    assert!(
        why.contains("Microsoft.Resources/subscriptions/providers/read"),
        "{why}"
    );
    assert_eq!(report.to_json()["undiscovered"], why);
    let remarks = report.remarks();
    assert!(
        remarks.iter().any(|line| line.contains("doctor --grant")),
        "{remarks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_there_and_cannot_be_listed_is_a_gap_though_nobody_knows_it() {
    for (status, code) in [(403, "AuthorizationFailed"), (500, "InternalServerError")] {
        let cloud = Cloud::small().await;
        newer(&cloud.simulator, &cloud.key);
        refuse(&cloud, status, code);
        let report = cloud.back_up().await;
        let gaps: Vec<&str> = report.gaps.iter().map(|gap| gap.item.as_str()).collect();
        assert_eq!(gaps, ["quantumJobs"], "{status}");
        assert_eq!(report.items["quantumJobs"].count(Counted::Failed), 1);
    }
    // What is no collection holds nothing.
    let cloud = Cloud::small().await;
    newer(&cloud.simulator, &cloud.key);
    refuse(&cloud, 405, "MethodNotAllowed");
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    let seen = cloud.bench.seen.take();
    assert!(seen.contains(&"no quantumJobs".to_owned()));
}

fn refuse(cloud: &Cloud, status: u16, code: &str) {
    let fault = Fault::Status {
        status,
        code: Some(code.to_owned()),
    };
    let rule = Rule {
        contains: Some("/quantumJobs?".to_owned()),
        ..Rule::always(fault)
    };
    cloud.simulator.set_faults(1, vec![rule]);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_type_that_nobody_knows_is_kept_whole_and_told_by_each_backup() {
    let cloud = Cloud::small().await;
    let name = {
        let mut state = cloud.simulator.state();
        let documents = &mut state.workspace_mut(&cloud.key).unwrap().documents;
        let name = documents.list("jobs")[0].name.clone();
        let job = documents.get_mut("jobs", &name).unwrap();
        job.set_property("jobType", "Quantum".into());
        job.set_property("qubits", json!({"count": 7, "apart": [1, null]}));
        name
    };
    for _ in 0..2 {
        let report = cloud.back_up().await;
        assert!(!report.has_gaps(), "{:?}", report.gaps);
        let told = ("jobs of type Quantum".to_owned(), 1);
        assert_eq!(report.unfamiliar, BTreeMap::from([told]));
    }
    let item = cloud.bench.item("jobs", &name, None).await.unwrap();
    let newest = cloud.bench.newest().await;
    let of_arm = item.documents.iter().find(|one| one.form == "arm").unwrap();
    let saved = newest.document(of_arm).await.unwrap();
    assert_eq!(saved["properties"]["jobType"], "Quantum");
    assert_eq!(saved["properties"]["qubits"]["apart"], json!([1, null]));
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
