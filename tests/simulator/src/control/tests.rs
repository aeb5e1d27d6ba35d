//! The control interface, and with it faults, counts and early retries.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::FixedClock;
use crate::reply::{Reply, WireFault};
use crate::{Caller, Settings, Simulator};

const SUB: &str = "c0000000-0000-4000-8000-00000000000c";

fn bench() -> (Simulator, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::at(
        Timestamp::from_second(1_800_000_000).unwrap(),
    ));
    (
        Simulator::with_clock(Settings::default(), Arc::clone(&clock) as _),
        clock,
    )
}

fn control(simulator: &Simulator, method: Method, path: &str, body: Option<&Value>) -> Reply {
    let url = format!("https://control.sim.localhost{path}");
    Caller::new(simulator).send(method, &url, "", body)
}

fn make(simulator: &Simulator) -> Value {
    let body = json!({"subscription": SUB, "group": "rg", "name": "ws", "location": "eastus"});
    let reply = control(simulator, Method::POST, "/workspaces", Some(&body));
    assert_eq!(reply.status, 200);
    reply.body_json()
}

fn workspace(simulator: &Simulator) -> Reply {
    let id = format!(
        "/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    );
    Caller::new(simulator).arm(Method::GET, &format!("{id}?api-version=2024-04-01"), None)
}

#[test]
fn workspace_is_made_dumped_and_purged() {
    let (simulator, _) = bench();
    let dump = make(&simulator);
    assert_eq!(
        dump["documents"]["datastores/workspaceblobstore"]["properties"]["isDefault"],
        true
    );
    let account = dump["account"].as_str().unwrap();
    let url = format!("https://control.sim.localhost/blobs/{account}/azureml/a/b.txt");
    let put = http::Request::builder()
        .method("PUT")
        .uri(&url)
        .body(Bytes::from_static(b"abc"))
        .unwrap();
    assert_eq!(simulator.handle(put).status, 200);
    let dump = control(
        &simulator,
        Method::GET,
        &format!("/workspaces/{SUB}/rg/ws"),
        None,
    )
    .body_json();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(dump["blobs"]["azureml/a/b.txt"]["sha256"], hash);
    let purge = control(
        &simulator,
        Method::DELETE,
        &format!("/workspaces/{SUB}/rg/ws?purge=true&account=true"),
        None,
    );
    assert_eq!(purge.status, 200);
    assert!(simulator.state().accounts.is_empty());
    assert_eq!(workspace(&simulator).status, 404);
}

#[test]
fn requests_are_counted_by_route_and_control_calls_are_not() {
    let (simulator, _) = bench();
    make(&simulator);
    control(&simulator, Method::DELETE, "/requests", None);
    workspace(&simulator);
    workspace(&simulator);
    let counts = control(&simulator, Method::GET, "/requests", None).body_json();
    assert_eq!(counts["total"], 2);
    assert_eq!(
        counts["requests"][0],
        json!({"service": "arm", "method": "GET", "route": "…ws", "status": 200, "count": 2})
    );
}

#[test]
fn same_seed_strikes_the_same_calls() {
    let strikes = |seed: u64| -> Vec<bool> {
        let (simulator, _) = bench();
        make(&simulator);
        let rules = json!({"seed": seed, "rules": [{"probability": 0.3, "fault": {"kind": "status", "status": 500}}]});
        assert_eq!(
            control(&simulator, Method::PUT, "/faults", Some(&rules)).status,
            200
        );
        (0..40)
            .map(|_| workspace(&simulator).status == 500)
            .collect()
    };
    assert_eq!(strikes(7), strikes(7));
    assert_ne!(strikes(7), strikes(8));
    let struck = strikes(7).iter().filter(|struck| **struck).count();
    assert!((4..22).contains(&struck), "{struck} of 40 at 30 %");
}

#[test]
fn metadata_is_kept_clean_unless_it_is_named() {
    let (simulator, _) = bench();
    let metadata = || {
        let url = "https://management.sim.localhost/metadata/endpoints?api-version=2022-09-01";
        Caller::new(&simulator)
            .send(Method::GET, url, "", None)
            .status
            .as_u16()
    };
    control(
        &simulator,
        Method::POST,
        "/faults",
        Some(&json!({"fault": {"kind": "status", "status": 500}})),
    );
    assert_eq!(metadata(), 200);
    control(
        &simulator,
        Method::POST,
        "/faults",
        Some(&json!({"path": "/metadata/", "fault": {"kind": "status", "status": 500}})),
    );
    assert_eq!(metadata(), 500);
}

#[test]
fn retry_before_its_time_is_recorded() {
    let (simulator, clock) = bench();
    make(&simulator);
    for date in [false, true] {
        let rule =
            json!({"times": 1, "fault": {"kind": "throttle", "retry_after": 5, "date": date}});
        control(&simulator, Method::POST, "/faults", Some(&rule));
        assert_eq!(workspace(&simulator).status, 429);
        clock.advance(Duration::from_secs(5));
        assert_eq!(workspace(&simulator).status, 200);
        simulator.assert_no_early_retries();
    }
    control(
        &simulator,
        Method::POST,
        "/faults",
        Some(&json!({"times": 1, "fault": {"kind": "throttle", "retry_after": 5}})),
    );
    assert_eq!(workspace(&simulator).status, 429);
    clock.advance(Duration::from_secs(4));
    workspace(&simulator);
    assert_eq!(simulator.state().arrivals.early().len(), 1);
}

#[test]
fn wire_faults_go_with_the_answer() {
    let (simulator, _) = bench();
    make(&simulator);
    let fault = |body: Value| {
        control(
            &simulator,
            Method::PUT,
            "/faults",
            Some(&json!({"rules": [{"fault": body}]})),
        );
        workspace(&simulator).fault
    };
    assert_eq!(fault(json!({"kind": "reset"})), WireFault::Reset);
    assert_eq!(
        fault(json!({"kind": "truncate", "bytes": 10})),
        WireFault::Truncate(10)
    );
    assert_eq!(
        fault(json!({"kind": "slow", "ms": 1500})),
        WireFault::Slow(Duration::from_millis(1500))
    );
    control(&simulator, Method::DELETE, "/faults", None);
    assert_eq!(workspace(&simulator).fault, WireFault::None);
}

#[test]
fn unknown_members_of_a_rule_are_refused() {
    let (simulator, _) = bench();
    let reply = control(
        &simulator,
        Method::POST,
        "/faults",
        Some(&json!({"probabilty": 1, "fault": {"kind": "reset"}})),
    );
    assert_eq!(reply.status, 400);
}

#[test]
fn principal_is_made_and_denied() {
    let (simulator, _) = bench();
    make(&simulator);
    let known = json!({"secret": "s", "denied": ["workspaces/read"]});
    assert_eq!(
        control(&simulator, Method::PUT, "/principals/reader", Some(&known)).status,
        200
    );
    let id = format!(
        "/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    );
    let reply = Caller::of(&simulator, "reader").arm(
        Method::GET,
        &format!("{id}?api-version=2024-04-01"),
        None,
    );
    assert_eq!(reply.status, 403);
}

#[test]
fn searches_of_runs_may_be_told_to_lag() {
    let (simulator, clock) = bench();
    make(&simulator);
    let at = format!("/workspaces/{SUB}/rg/ws/searches");
    let told = control(
        &simulator,
        Method::POST,
        &at,
        Some(&json!({"lag_seconds": 30})),
    );
    assert_eq!(told.status, 200);
    let mlflow = |operation: &str, body: Value| {
        let target = format!(
            "/mlflow/v1.0/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/api/2.0/mlflow/{operation}"
        );
        let caller = Caller::new(&simulator);
        caller
            .data(Method::POST, "eastus", &target, Some(&body))
            .body_json()
    };
    let made = mlflow("experiments/create", json!({"name": "exp"}));
    let experiment = &made["experiment_id"];
    mlflow("runs/create", json!({"experiment_id": experiment}));
    let found = || {
        let found = mlflow("runs/search", json!({"experiment_ids": [experiment]}));
        found["runs"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(found(), 0);
    clock.advance(Duration::from_secs(29));
    assert_eq!(found(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(found(), 1);
    let other = format!("/workspaces/{SUB}/rg/other/searches");
    assert_eq!(control(&simulator, Method::POST, &other, None).status, 404);
}
