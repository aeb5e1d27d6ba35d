//! MLflow, answered call by call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use http::Method;
use serde_json::{Value, json};

use super::Lag;
use crate::arm::WorkspaceSpec;
use crate::reply::Reply;
use crate::workspace::WorkspaceKey;
use crate::{Caller, Settings, Simulator};

const WS: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";

struct Bench {
    simulator: Simulator,
    caller: Caller,
    key: WorkspaceKey,
    experiment: String,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        let key = simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "westeurope"));
        let mut bench = Self {
            caller: Caller::new(&simulator),
            simulator,
            key,
            experiment: String::new(),
        };
        let made = bench.ok("experiments/create", json!({"name": "exp a"}));
        bench.experiment = made["experiment_id"].as_str().unwrap().to_owned();
        bench
    }

    fn call(&self, method: Method, operation: &str, body: Option<&Value>) -> Reply {
        let target = format!("/mlflow/v1.0{WS}/api/2.0/mlflow/{operation}");
        self.caller.data(method, "westeurope", &target, body)
    }

    fn post(&self, operation: &str, body: Value) -> Reply {
        self.call(Method::POST, operation, Some(&body))
    }

    fn ok(&self, operation: &str, body: Value) -> Value {
        let reply = self.post(operation, body);
        assert_eq!(reply.status, 200, "{}", reply.body_json());
        reply.body_json()
    }

    fn run(&self, tags: Value) -> String {
        let body = json!({"experiment_id": self.experiment, "start_time": 1_700_000_000_000_i64, "run_name": "one", "tags": tags});
        let made = self.ok("runs/create", body);
        made["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }

    fn search(&self, filter: &str) -> usize {
        let body =
            json!({"experiment_ids": [self.experiment], "filter": filter, "max_results": 1000});
        let found = self.ok("runs/search", body);
        found["runs"].as_array().map_or(0, Vec::len)
    }
}

fn code(reply: &Reply) -> (u16, String) {
    let body = reply.body_json();
    (
        reply.status.as_u16(),
        body["error_code"].as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn run_goes_its_way_and_run_history_shows_the_same() {
    let bench = Bench::new();
    let parent = bench.run(json!([]));
    let id = bench.run(json!([{"key": "origin.run", "value": "it's"}, {"key": "mlflow.parentRunId", "value": parent}]));
    bench.ok(
        "runs/log-parameter",
        json!({"run_id": id, "key": "lr", "value": "0.1"}),
    );
    bench.ok(
        "runs/log-parameter",
        json!({"run_uuid": id, "key": "lr", "value": "0.1"}),
    );
    let changed = bench.post(
        "runs/log-parameter",
        json!({"run_id": id, "key": "lr", "value": "0.2"}),
    );
    assert_eq!(code(&changed), (400, "INVALID_PARAMETER_VALUE".to_owned()));
    bench.ok(
        "runs/update",
        json!({"run_id": id, "status": "FINISHED", "end_time": 1_700_000_100_000_i64}),
    );
    let got = bench
        .call(Method::GET, &format!("runs/get?run_id={id}"), None)
        .body_json();
    assert_eq!(got["run"]["info"]["status"], "FINISHED");
    assert_eq!(got["run"]["info"]["end_time"], 1_700_000_100_000_i64);
    let target = format!("/history/v1.0{WS}/runs/{id}");
    let history = bench
        .caller
        .data(Method::GET, "westeurope", &target, None)
        .body_json();
    assert_eq!(
        (&history["status"], &history["parentRunId"]),
        (&json!("Completed"), &json!(parent))
    );
    assert_eq!(bench.search("tags.`origin.run` = \"it's\""), 1);
    let orphan = json!({"experiment_id": bench.experiment, "tags": [{"key": "mlflow.parentRunId", "value": "none"}]});
    assert_eq!(code(&bench.post("runs/create", orphan)).0, 404);
    let unknown = bench.post("experiments/create", json!({"name": "exp a"}));
    assert_eq!(code(&unknown), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
}

#[test]
fn points_that_are_sent_twice_are_there_twice_and_history_has_pages() {
    let bench = Bench::new();
    let id = bench.run(json!([]));
    let metrics: Vec<Value> = (0..40)
        .map(|step| json!({"key": "loss", "value": 0.25, "timestamp": 1_700_000_000_000_i64 + step, "step": step}))
        .chain([json!({"key": "odd", "value": "NaN", "timestamp": 1, "step": 0})])
        .collect();
    let batch = json!({"run_id": id, "metrics": metrics, "params": [{"key": "p", "value": "1"}], "tags": [{"key": "t", "value": "v"}]});
    bench.ok("runs/log-batch", batch.clone());
    bench.ok("runs/log-batch", batch);
    let (mut count, mut token) = (0, String::new());
    loop {
        let target = format!(
            "metrics/get-history?run_id={id}&metric_key=loss&max_results=25000&page_token={token}"
        );
        let page = bench.call(Method::GET, &target, None).body_json();
        count += page["metrics"].as_array().unwrap().len();
        match page["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(count, 80);
    let odd = bench.call(
        Method::GET,
        &format!("metrics/get-history?run_id={id}&metric_key=odd"),
        None,
    );
    assert_eq!(odd.body_json()["metrics"][0]["value"], "NaN");
}

#[test]
fn batch_beyond_a_limit_is_refused_whole() {
    let bench = Bench::new();
    let id = bench.run(json!([]));
    let metrics: Vec<Value> = (0..1_001)
        .map(|step| json!({"key": "m", "value": 1, "timestamp": 1, "step": step}))
        .collect();
    let pairs: Vec<Value> = (0..101)
        .map(|n| json!({"key": format!("k{n}"), "value": "v"}))
        .collect();
    let padded = "x".repeat(1 << 20);
    for body in [
        json!({"run_id": id, "metrics": metrics}),
        json!({"run_id": id, "params": pairs, "metrics": [{"key": "m", "value": 1, "timestamp": 1, "step": 0}]}),
        json!({"run_id": id, "tags": pairs}),
        json!({"run_id": id, "tags": [{"key": "t", "value": padded}]}),
        json!({"run_id": id, "params": [{"key": "p", "value": "1"}, {"key": "p", "value": "2"}]}),
    ] {
        assert_eq!(
            code(&bench.post("runs/log-batch", body)),
            (400, "INVALID_PARAMETER_VALUE".to_owned())
        );
    }
    let got = bench
        .call(Method::GET, &format!("runs/get?run_id={id}"), None)
        .body_json();
    assert!(got["run"]["data"]["metrics"].is_null() && got["run"]["data"]["params"].is_null());
}

#[test]
fn search_finds_a_fresh_run_only_after_its_lag() {
    let bench = Bench::new();
    let lag = Lag {
        searches: 2,
        ..Lag::default()
    };
    bench
        .simulator
        .state()
        .workspace_mut(&bench.key)
        .unwrap()
        .mlflow
        .lag = lag;
    bench.run(json!([{"key": "k", "value": "v"}]));
    assert_eq!(
        (
            bench.search("tags.k = 'v'"),
            bench.search("tags.k = 'v'"),
            bench.search("tags.k = 'v'")
        ),
        (0, 0, 1)
    );
}

#[test]
fn search_goes_by_pages_and_deleted_runs_are_left_out() {
    let bench = Bench::new();
    let ids: Vec<String> = (0..4).map(|_| bench.run(json!([]))).collect();
    let body = json!({"experiment_ids": [bench.experiment], "max_results": 1000});
    let first = bench.ok("runs/search", body.clone());
    assert_eq!(first["runs"].as_array().unwrap().len(), 3);
    let mut next = body;
    next["page_token"] = first["next_page_token"].clone();
    assert_eq!(
        bench.ok("runs/search", next)["runs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    bench.ok("runs/delete", json!({"run_id": ids[0]}));
    let tagged = bench.post(
        "runs/set-tag",
        json!({"run_id": ids[0], "key": "k", "value": "v"}),
    );
    assert_eq!(code(&tagged), (400, "INVALID_STATE".to_owned()));
    assert_eq!(bench.search("attributes.run_name = 'one'"), 3);
    let none = bench.post("runs/search", json!({"experiment_ids": []}));
    assert_eq!(code(&none).0, 400);
    let lost = bench.call(Method::GET, "runs/get?run_id=none", None);
    assert_eq!(code(&lost), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
}
