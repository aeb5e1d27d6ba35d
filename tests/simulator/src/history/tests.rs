//! Run history, metrics, artifacts and discovery, answered call by call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use http::Method;
use serde_json::{Value, json};

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
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        let key = simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "westeurope"));
        let caller = Caller::new(&simulator);
        Self {
            simulator,
            caller,
            key,
        }
    }

    fn call(&self, method: Method, service: &str, path: &str, body: Option<&Value>) -> Reply {
        let target = format!("/{service}{WS}/{path}");
        self.caller.data(method, "westeurope", &target, body)
    }

    fn run(&self, id: &str, body: Value) -> Value {
        let path = format!("experiments/exp%20a/runs/{id}?api-version=v1.0");
        let reply = self.call(Method::PATCH, "history/v1.0", &path, Some(&body));
        assert_eq!(reply.status, 200, "{}", reply.body_json());
        reply.body_json()
    }

    fn get(&self, path: &str) -> Value {
        self.call(Method::GET, "history/v1.0", path, None)
            .body_json()
    }

    fn post(&self, service: &str, path: &str, body: &Value) -> Value {
        let reply = self.call(Method::POST, service, path, Some(body));
        assert_eq!(reply.status, 200, "{}", reply.body_json());
        reply.body_json()
    }
}

#[test]
fn run_is_made_by_patch_and_keeps_what_it_does_not_know() {
    let bench = Bench::new();
    let made = bench.run("r1", json!({"displayName": "one", "tags": {"a": "1"}, "properties": {"p": "x"},
        "status": "Completed", "startTimeUtc": "2026-01-02T03:04:05.1234567Z", "compute": {"vmSize": "D3"}, "fresh": [1]}));
    assert_eq!(made["status"], "Completed");
    let changed = bench.run("r1", json!({"tags": {"b": "2"}, "hidden": true}));
    assert_eq!(changed["tags"], json!({"a": "1", "b": "2"}));
    let got = bench.get("runs/r1");
    assert_eq!((&got["hidden"], &got["fresh"]), (&json!(true), &json!([1])));
    assert_eq!(got["startTimeUtc"], "2026-01-02T03:04:05.1234567Z");
    assert_eq!(got["compute"]["vmSize"], "D3");
    assert_eq!(got["dataContainerId"], "dcid.r1");
    assert_eq!(
        bench.get("experiments/exp%20a")["experimentId"],
        got["experimentId"]
    );
}

#[test]
fn written_properties_and_taken_run_ids_are_refused() {
    let bench = Bench::new();
    bench.run("r1", json!({"properties": {"p": "x"}}));
    let path = "experiments/exp%20a/runs/r1";
    let change = json!({"properties": {"p": "y"}});
    let refused = bench.call(Method::PATCH, "history/v1.0", path, Some(&change));
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body_json()["error"]["code"], "UserError");
    let elsewhere = bench.call(
        Method::PATCH,
        "history/v1.0",
        "experiments/other/runs/r1",
        Some(&json!({})),
    );
    assert!(
        elsewhere.body_json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("already exists")
    );
    let twice = bench.call(Method::POST, "history/v1.0", "runs/r1", Some(&json!({})));
    assert_eq!(twice.status, 409);
    assert_eq!(
        bench
            .call(
                Method::GET,
                "history/v1.0",
                "experiments/other/runs/r1",
                None
            )
            .status,
        404
    );
}

#[test]
fn workspace_must_be_there_and_in_the_region() {
    let bench = Bench::new();
    let target = format!("/history/v1.0{WS}/runs/r1");
    assert_eq!(
        bench
            .caller
            .data(Method::GET, "eastus", &target, None)
            .status,
        404
    );
    let other = target.replace("workspaces/w", "workspaces/x");
    assert_eq!(
        bench
            .caller
            .data(Method::GET, "westeurope", &other, None)
            .status,
        404
    );
    let client = bench.simulator.state().directory.principals[0]
        .client_id
        .clone();
    bench
        .simulator
        .state()
        .directory
        .principal_mut(&client)
        .unwrap()
        .denied = vec!["experiments/runs/read".to_owned()];
    assert_eq!(
        bench
            .call(Method::GET, "history/v1.0", "runs/r1", None)
            .status,
        403
    );
}

#[test]
fn children_and_queries_come_in_pages() {
    let bench = Bench::new();
    bench.run("root", json!({}));
    for n in 0..7 {
        bench.run(
            &format!("child{n}"),
            json!({"parentRunId": "root", "status": if n < 5 { "Completed" } else { "Failed" }}),
        );
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("runs/root/children?$continuationtoken={token}"));
        seen.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["runId"].as_str().unwrap().to_owned()),
        );
        assert!(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .all(|run| run["rootRunId"] == "root")
        );
        match page["continuationToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        (0..7).map(|n| format!("child{n}")).collect::<Vec<_>>()
    );
    let failed = bench.post(
        "history/v1.0",
        "experiments/exp%20a/runs:query",
        &json!({"filter": "status eq 'Failed' and ParentRunId eq 'root'"}),
    );
    assert_eq!(failed["value"].as_array().unwrap().len(), 2);
    let odd = bench.call(
        Method::POST,
        "history/v1.0",
        "experiments/exp%20a/runs:query",
        Some(&json!({"filter": "status"})),
    );
    assert_eq!(odd.status, 400);
    let some = bench.post(
        "history/v1.0",
        "experiments/exp%20a/runs/runIds",
        &json!({"runIds": ["root", "none"]}),
    );
    assert!(some["runs"]["root"].is_object() && some["errors"]["none"].is_object());
}

#[test]
fn metric_history_comes_in_pages_and_keeps_every_point() {
    let bench = Bench::new();
    bench.run("r1", json!({}));
    let points: Vec<Value> = (0..60)
        .map(|step| json!({"createdUtc": "2026-01-02T03:04:05Z", "step": step, "data": {"loss": 0.5}}))
        .collect();
    let sent = json!({"values": [
        {"name": "loss", "columns": {"loss": "Double"}, "value": points},
        {"name": "rows", "columns": {"a": "String", "b": "Double"}, "value": [{"step": 0, "data": {"a": "x", "b": 1}}]},
    ]});
    bench.post("metric/v2.0", "runs/r1/batch", &sent);
    bench.post("metric/v2.0", "runs/r1/batch", &sent);
    let list = bench.post("metric/v2.0", "runs/r1/list", &json!({}));
    assert_eq!(list["value"][0]["metricKey"]["name"], "loss");
    assert_eq!(
        list["value"][1]["columns"],
        json!({"a": "String", "b": "Double"})
    );
    let (mut steps, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = bench.post(
            "metric/v2.0",
            "runs/r1/full",
            &json!({"metricName": "loss", "continuationToken": token}),
        );
        steps.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|point| point["step"].as_i64().unwrap()),
        );
        token = page["continuationToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(steps, (0..60).chain(0..60).collect::<Vec<_>>());
    let none = bench.call(
        Method::POST,
        "metric/v2.0",
        "runs/r1/full",
        Some(&json!({"metricName": "none"})),
    );
    assert_eq!(none.status, 404);
}

#[test]
fn artifacts_are_listed_signed_and_written_through_their_address() {
    let bench = Bench::new();
    bench.run("r1", json!({}));
    let paths = json!({"paths": [{"path": "outputs/a b.txt"}, {"path": "user_logs/std_log.txt"}]});
    let made = bench.post(
        "artifact/v2.0",
        "artifacts/ExperimentRun/dcid.r1/batch/metadata",
        &paths,
    );
    let address = |path: &str| {
        let found = &made["artifactContentInformation"][path]["contentUri"];
        found.as_str().unwrap().to_owned()
    };
    // As azureml-mlflow writes it: nothing may be there yet.
    let headers = [
        ("authorization", ""),
        ("x-ms-blob-type", "BlockBlob"),
        ("if-none-match", "*"),
    ];
    for path in ["outputs/a b.txt", "user_logs/std_log.txt"] {
        let put = bench
            .caller
            .storage(Method::PUT, &address(path), &headers, "hello");
        assert_eq!(put.status, 201, "{put:?}");
    }
    let address = address("outputs/a b.txt");
    let forged = address.replace("r1", "r2");
    assert_eq!(
        bench
            .caller
            .storage(Method::PUT, &forged, &headers, "x")
            .status,
        403
    );
    let target = "artifacts/prefix/contentinfo/ExperimentRun/dcid.r1?path=outputs/";
    let found = bench
        .call(Method::GET, "artifact/v2.0", target, None)
        .body_json();
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    let address = found["value"][0]["contentUri"].as_str().unwrap();
    let got = bench
        .caller
        .storage(Method::GET, address, &headers[..1], "");
    assert_eq!(&got.body[..], b"hello");
    let logs = bench.get("runs/r1/details");
    assert!(logs["logFiles"]["user_logs/std_log.txt"].is_string());
    assert!(logs["logFiles"]["outputs/a b.txt"].is_null());
    let again = bench.post(
        "artifact/v2.0",
        "artifacts/ExperimentRun/dcid.r1/batch/metadata",
        &paths,
    );
    assert_eq!(again["errors"].as_object().unwrap().len(), 2);
    assert_eq!(
        bench
            .call(
                Method::GET,
                "artifact/v2.0",
                "artifacts/ExperimentRun/dcid.none",
                None
            )
            .status,
        404
    );
}

#[test]
fn completed_job_leaves_logs_metrics_and_outputs() {
    let bench = Bench::new();
    let environment = json!({"properties": {"image": "x"}});
    let put = |path: &str, body: &Value| {
        let target = format!("{WS}/{path}?api-version=2024-10-01-preview");
        let reply = bench.caller.arm(Method::PUT, &target, Some(body));
        assert_eq!(reply.status, 201, "{}", reply.body_json());
    };
    put("environments/e/versions/1", &environment);
    put(
        "jobs/j1",
        &json!({"properties": {"jobType": "Command", "command": "x", "environmentId": format!("{WS}/environments/e/versions/1"),
        "inputs": {"lr": {"value": "0.1", "jobInputType": "literal"}}, "outputs": {"model": {"jobOutputType": "uri_folder"}}}}),
    );
    assert_eq!(bench.get("runs/j1")["parameters"], json!({"lr": "0.1"}));
    bench
        .simulator
        .advance(std::time::Duration::from_secs(3_600));
    assert_eq!(bench.get("runs/j1")["status"], "Completed");
    assert!(bench.get("runs/j1/details")["logFiles"]["user_logs/std_log.txt"].is_string());
    let full = bench.post(
        "metric/v2.0",
        "runs/j1/full",
        &json!({"metricName": "loss"}),
    );
    assert_eq!(full["value"].as_array().unwrap().len(), 12);
    let state = bench.simulator.state();
    let workspace = state.workspace(&bench.key).unwrap();
    let blobs = &state.accounts[&workspace.account].blobs;
    assert!(
        blobs
            .blob(&workspace.blob_container, "azureml/j1/model/result.bin")
            .is_ok()
    );
}

#[test]
fn discovery_needs_no_token_and_names_the_region() {
    let bench = Bench::new();
    let url = format!(
        "{}/discovery",
        bench.simulator.state().cloud.data_url("westeurope")
    );
    let found = bench.caller.send(Method::GET, &url, "", None);
    assert_eq!(
        found.body_json()["history"],
        "https://westeurope.api.sim.localhost"
    );
}
