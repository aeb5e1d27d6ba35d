//! What ARM answers, call by call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod recovery;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::arm::WorkspaceSpec;
use crate::reply::Reply;
use crate::{Caller, Settings, Simulator};

const SUB: &str = "b0000000-0000-4000-8000-00000000000b";
const WS: &str = "/subscriptions/b0000000-0000-4000-8000-00000000000b/resourceGroups/rg-one/providers/Microsoft.MachineLearningServices/workspaces/ws-one";
const V: &str = "api-version=2024-10-01-preview";

struct Bench {
    simulator: Simulator,
    caller: Caller,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        simulator.create_workspace(&WorkspaceSpec::new(SUB, "rg-one", "ws-one", "westeurope"));
        let caller = Caller::new(&simulator);
        Self { simulator, caller }
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let sign = if path.contains('?') { '&' } else { '?' };
        self.caller
            .arm(method, &format!("{WS}{path}{sign}{V}"), body)
    }

    fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None)
    }

    fn put(&self, path: &str, properties: Value) -> Reply {
        self.call(
            Method::PUT,
            path,
            Some(&json!({ "properties": properties })),
        )
    }

    fn names(&self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut reply = self.get(path);
        loop {
            assert_eq!(reply.status, 200, "{:?}", reply.body_json());
            let body = reply.body_json();
            names.extend(
                body["value"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["name"].as_str().unwrap().to_owned()),
            );
            let Some(next) = body["nextLink"].as_str() else {
                return names;
            };
            let target = next
                .strip_prefix("https://management.sim.localhost")
                .unwrap();
            reply = self.caller.arm(Method::GET, target, None);
        }
    }

    fn environment(&self) {
        self.put(
            "/environments/env/versions/1",
            json!({"image": "ubuntu:24.04"}),
        );
    }

    fn job(&self, name: &str) -> Reply {
        self.put(&format!("/jobs/{name}"), json!({"jobType": "Command", "command": "true", "environmentId": format!("{WS}/environments/env/versions/1")}))
    }
}

fn code(reply: &Reply) -> (u16, String) {
    (
        reply.status.as_u16(),
        reply.body_json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

#[test]
fn workspace_shows_where_everything_is() {
    let bench = Bench::new();
    let body = bench.get("").body_json();
    assert_eq!(body["id"], WS);
    assert_eq!(
        body["properties"]["discoveryUrl"],
        "https://westeurope.api.sim.localhost/discovery"
    );
    let uri = format!("azureml://westeurope.api.sim.localhost/mlflow/v1.0{WS}");
    assert_eq!(body["properties"]["mlFlowTrackingUri"], uri);
    let mut stores = bench.names("/datastores");
    stores.sort();
    assert_eq!(
        stores,
        [
            "workspaceartifactstore",
            "workspaceblobstore",
            "workspacefilestore",
            "workspaceworkingdirectory"
        ]
    );
    let store = bench.get("/datastores/workspaceblobstore").body_json();
    let guid = body["properties"]["workspaceId"].as_str().unwrap();
    assert_eq!(
        store["properties"]["containerName"],
        format!("azureml-blobstore-{guid}")
    );
    assert_eq!(store["properties"]["isDefault"], true);
    assert_eq!(
        store["properties"]["credentials"],
        json!({"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey"}})
    );
    let share = bench
        .get("/datastores/workspaceworkingdirectory")
        .body_json()["properties"]["fileShareName"]
        .clone();
    assert!(
        !share.as_str().unwrap().contains(guid),
        "the share has a guid of its own"
    );
}

#[test]
fn api_version_is_demanded_and_known() {
    let bench = Bench::new();
    let call = |query: &str| code(&bench.caller.arm(Method::GET, &format!("{WS}{query}"), None));
    assert_eq!(call(""), (400, "MissingApiVersionParameter".to_owned()));
    assert_eq!(
        call("?api-version=2031-01-01"),
        (400, "NoRegisteredProviderFound".to_owned())
    );
    assert_eq!(
        call("?api-version=soon"),
        (400, "InvalidApiVersionParameter".to_owned())
    );
    assert_eq!(call("?api-version=2025-12-01").0, 200);
}

#[test]
fn tokens_are_checked_for_audience_age_and_presence() {
    let bench = Bench::new();
    let url = format!("https://management.sim.localhost{WS}?{V}");
    let with = |token: &str| code(&bench.caller.send(Method::GET, &url, token, None));
    assert_eq!(with(""), (401, "AuthenticationFailed".to_owned()));
    assert_eq!(
        with("nonsense"),
        (401, "InvalidAuthenticationToken".to_owned())
    );
    assert_eq!(
        with(&bench.caller.token("https://storage.azure.com")),
        (401, "InvalidAuthenticationTokenAudience".to_owned())
    );
    let good = bench.caller.token("https://management.sim.localhost/");
    assert_eq!(with(&good).0, 200);
    bench.simulator.advance(Duration::from_secs(7200));
    assert_eq!(with(&good), (401, "ExpiredAuthenticationToken".to_owned()));
}

#[test]
fn denied_action_is_a_403_that_names_it() {
    let bench = Bench::new();
    bench.simulator.state().directory.principals[0]
        .denied
        .push("schedules/read".to_owned());
    let reply = bench.get("/schedules?listViewType=All");
    assert_eq!(code(&reply), (403, "AuthorizationFailed".to_owned()));
    let text = reply.body_json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.contains("does not have authorization to perform action 'Microsoft.MachineLearningServices/workspaces/schedules/read'"), "{text}");
    assert_eq!(bench.get("/jobs").status, 200);
}

#[test]
fn pages_are_followed_to_the_end_past_an_empty_one() {
    let bench = Bench::new();
    for n in 0..10 {
        let reply = bench.put(
            &format!("/data/d{n}/versions/1"),
            json!({"dataType": "uri_file", "dataUri": format!("https://x/{n}")}),
        );
        assert_eq!(reply.status, 201);
    }
    assert_eq!(bench.names("/data").len(), 10);
    assert_eq!(super::pages(10, 3), 5);
}

#[test]
fn archived_and_disabled_items_are_hidden_unless_asked_for() {
    let bench = Bench::new();
    bench.environment();
    for n in 1..=2 {
        bench.put(
            &format!("/data/d/versions/{n}"),
            json!({"dataType": "uri_file", "dataUri": "https://x/1", "isArchived": n == 1}),
        );
    }
    assert_eq!(bench.names("/data/d/versions"), ["2"]);
    assert_eq!(
        bench.names("/data/d/versions?listViewType=ArchivedOnly"),
        ["1"]
    );
    assert_eq!(
        bench.names("/data/d/versions?listViewType=All&$orderBy=createdtime%20desc"),
        ["2", "1"]
    );
    let job = json!({"jobType": "Command", "command": "true", "environmentId": format!("{WS}/environments/env/versions/1")});
    let trigger = json!({"triggerType": "Cron", "expression": "0 2 * * *"});
    let action = json!({"actionType": "CreateJob", "jobDefinition": job});
    bench.put(
        "/schedules/off",
        json!({"isEnabled": false, "action": action, "trigger": trigger}),
    );
    assert!(bench.names("/schedules").is_empty());
    assert_eq!(bench.names("/schedules?listViewType=DisabledOnly"), ["off"]);
    let put = bench.put("/data/d", json!({"isArchived": true}));
    assert_eq!(put.status, 200);
    assert!(
        bench.names("/data/d/versions").is_empty(),
        "versions of an archived container are hidden"
    );
}

#[test]
fn container_knows_latest_and_next_version() {
    let bench = Bench::new();
    bench.put(
        "/models/m/versions/7",
        json!({"modelUri": "azureml://datastores/workspaceblobstore/paths/a"}),
    );
    bench.put(
        "/models/m/versions/3",
        json!({"modelUri": "azureml://datastores/workspaceblobstore/paths/b"}),
    );
    let properties = bench.get("/models/m").body_json()["properties"].clone();
    assert_eq!(
        (
            properties["latestVersion"].as_str(),
            properties["nextVersion"].as_str()
        ),
        (Some("3"), Some("8"))
    );
}

#[test]
fn fixed_members_cannot_change_and_the_rest_can() {
    let bench = Bench::new();
    bench.environment();
    let changed = bench.put(
        "/environments/env/versions/1",
        json!({"image": "debian:13"}),
    );
    assert_eq!(code(&changed), (400, "UserError".to_owned()));
    let mut shown = bench.get("/environments/env/versions/1").body_json()["properties"].clone();
    shown["tags"] = json!({"a": "b"});
    shown["unheardOf"] = serde_json::from_str(r#"{"deep": [1, 2.50]}"#).unwrap();
    let again = bench.put("/environments/env/versions/1", shown);
    assert_eq!(again.status, 200);
    let body = again.body_json();
    assert_eq!(body["properties"]["tags"]["a"], "b");
    assert_eq!(
        body["properties"]["unheardOf"]["deep"].to_string(),
        "[1,2.50]"
    );
    assert_eq!(body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(body["properties"]["image"], "ubuntu:24.04");
}

#[test]
fn references_must_lead_somewhere_in_this_workspace() {
    let bench = Bench::new();
    bench.environment();
    let with = |member: &str, value: Value| {
        let mut job = json!({"jobType": "Command", "command": "true", "environmentId": format!("{WS}/environments/env/versions/1")});
        job[member] = value;
        bench.put("/jobs/probe", job)
    };
    let other = WS.replace("ws-one", "ws-two");
    for (member, value) in [
        (
            "environmentId",
            json!(format!("{WS}/environments/env/versions/2")),
        ),
        ("environmentId", json!("azureml:env:9")),
        ("computeId", json!(format!("{WS}/computes/none"))),
        ("codeId", json!(format!("{other}/codes/c/versions/1"))),
        (
            "inputs",
            json!({"d": {"jobInputType": "uri_file", "uri": "azureml://datastores/none/paths/x"}}),
        ),
        (
            "inputs",
            json!({"d": {"jobInputType": "uri_file", "uri": "azureml://jobs/none/outputs/x/paths/y"}}),
        ),
        (
            "inputs",
            json!({"d": {"jobInputType": "uri_file", "uri": format!("azureml://locations/westeurope/workspaces/{SUB}/data/d/versions/1")}}),
        ),
    ] {
        let reply = with(member, value.clone());
        assert_eq!(code(&reply), (400, "ValidationError".to_owned()), "{value}");
    }
    let fine = with("command", json!(format!("{other}/codes/c/versions/1")));
    assert_eq!(
        fine.status,
        201,
        "free text is no reference: {:?}",
        fine.body_json()
    );
    let registry = "azureml://registries/azureml/environments/sklearn/versions/1";
    let reply = bench.put(
        "/jobs/with-registry",
        json!({"jobType": "Command", "command": "x", "environmentId": registry}),
    );
    assert_eq!(reply.status, 201);
    let lower = WS
        .replace("resourceGroups", "resourcegroups")
        .replace("ws-one", "WS-One");
    let id = format!("azureml:{lower}/environments/env/versions/1");
    let reply = bench.put("/jobs/with-prefix", json!({"jobType": "Command", "command": "x", "environmentId": id, "computeId": "serverless"}));
    assert_eq!(reply.status, 201);
}

#[test]
fn job_runs_its_course_and_takes_no_other_specification() {
    let bench = Bench::new();
    bench.environment();
    assert_eq!(
        bench.job("j").body_json()["properties"]["status"],
        "Starting"
    );
    bench.simulator.advance(Duration::from_secs(20));
    assert_eq!(
        bench.get("/jobs/j").body_json()["properties"]["status"],
        "Running"
    );
    bench.simulator.advance(Duration::from_secs(20));
    let shown = bench.get("/jobs/j").body_json()["properties"].clone();
    assert_eq!(shown["status"], "Completed");
    let mut tagged = shown.clone();
    tagged["tags"] = json!({"k": "v"});
    tagged["isArchived"] = json!(true);
    assert_eq!(bench.put("/jobs/j", tagged).status, 200);
    assert!(bench.names("/jobs").is_empty(), "archived");
    assert_eq!(
        bench.get("/jobs/j").body_json()["properties"]["tags"]["k"],
        "v"
    );
    let mut changed = shown;
    changed["command"] = json!("false");
    assert_eq!(
        code(&bench.put("/jobs/j", changed)),
        (400, "UserError".to_owned())
    );
}

#[test]
fn jobs_are_listed_newest_first() {
    let bench = Bench::new();
    bench.environment();
    for name in ["a", "b", "c", "d"] {
        bench.job(name);
    }
    assert_eq!(bench.names("/jobs"), ["d", "c", "b", "a"]);
}

#[test]
fn secrets_come_by_post_alone_and_stay_when_a_put_leaves_them_out() {
    let bench = Bench::new();
    let key = json!({"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "c2VjcmV0"}});
    let store = |credentials: Value| json!({"datastoreType": "AzureBlob", "accountName": "elsewhere", "containerName": "lake", "credentials": credentials});
    assert_eq!(
        code(&bench.put("/datastores/ext", store(key.clone()))).0,
        400,
        "the account cannot be reached"
    );
    assert_eq!(
        bench
            .put("/datastores/ext?skipValidation=true", store(key))
            .status,
        201
    );
    let none = json!({"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey"}});
    assert_eq!(
        bench
            .put("/datastores/ext?skipValidation=true", store(none))
            .status,
        200
    );
    assert!(!String::from_utf8_lossy(&bench.get("/datastores/ext").body).contains("c2VjcmV0"));
    let secret = bench
        .call(Method::POST, "/datastores/ext/listSecrets", None)
        .body_json();
    assert_eq!(
        secret,
        json!({"secretsType": "AccountKey", "key": "c2VjcmV0"})
    );
    let asked = json!({"expirableSecret": true, "expireAfterHours": 1});
    let sas = bench
        .call(
            Method::POST,
            "/datastores/workspaceblobstore/listSecrets",
            Some(&asked),
        )
        .body_json();
    assert_eq!(sas["secretsType"], "Sas");
    assert!(sas["sasToken"].as_str().unwrap().contains("sig="));
}

#[test]
fn code_upload_gives_a_new_place_each_time_and_is_found_by_hash() {
    let bench = Bench::new();
    assert!(
        bench
            .names("/codes/new/versions?hash=abc&hashVersion=202208")
            .is_empty()
    );
    let pending = || {
        bench
            .call(
                Method::POST,
                "/codes/new/versions/1/startPendingUpload",
                Some(&json!({"pendingUploadType": "TemporaryBlobReference"})),
            )
            .body_json()
    };
    let (one, two) = (pending(), pending());
    let uri = |body: &Value| {
        body["blobReferenceForConsumption"]["blobUri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_ne!(uri(&one), uri(&two));
    assert!(
        one["blobReferenceForConsumption"]["credential"]["sasUri"]
            .as_str()
            .unwrap()
            .starts_with(&uri(&one))
    );
    let put = bench.put("/codes/new/versions/1", json!({"codeUri": format!("{}/src", uri(&one)), "isAnonymous": true, "properties": {"hash_sha256": "abc", "hash_version": 202_208}}));
    assert_eq!(put.status, 201, "{:?}", put.body_json());
    assert_eq!(
        bench.names("/codes/other/versions?hash=abc&hashVersion=202208"),
        ["1"]
    );
}

#[test]
fn schedule_is_an_operation_that_ends() {
    let bench = Bench::new();
    bench.environment();
    let job = json!({"jobType": "Command", "command": "true", "environmentId": format!("{WS}/environments/env/versions/1")});
    let put = bench.put("/schedules/s", json!({"action": {"actionType": "CreateJob", "jobDefinition": job}, "trigger": {"triggerType": "Cron", "expression": "0 2 * * *"}}));
    assert_eq!(
        (
            put.status.as_u16(),
            put.body_json()["properties"]["provisioningState"]
                .as_str()
                .unwrap()
                .to_owned()
        ),
        (201, "Creating".to_owned())
    );
    let url = put.header("azure-asyncoperation").unwrap().to_owned();
    assert!(
        url.contains("/locations/westeurope/mfeOperationsStatus/"),
        "{url}"
    );
    let token = bench.caller.token("https://management.sim.localhost");
    let poll = || {
        bench
            .caller
            .send(Method::GET, &url, &token, None)
            .body_json()["status"]
            .clone()
    };
    assert_eq!(poll(), "InProgress");
    bench.simulator.advance(Duration::from_secs(1));
    assert_eq!(poll(), "Succeeded");
    assert_eq!(
        bench.get("/schedules/s").body_json()["properties"]["provisioningState"],
        "Succeeded"
    );
    let missing = json!({"action": {"actionType": "CreateJob", "jobDefinition": {"sourceJobId": format!("{WS}/jobs/none"), "jobType": "Command", "experimentName": ""}}, "trigger": {}});
    assert_eq!(code(&bench.put("/schedules/t", missing)).0, 400);
}

#[test]
fn component_has_a_default_version_and_its_own_name() {
    let bench = Bench::new();
    let spec = |name: &str| json!({"componentSpec": {"name": name, "version": "1", "type": "command", "command": "x"}});
    assert_eq!(
        code(&bench.put("/components/step/versions/1", spec("other"))).0,
        400
    );
    assert_eq!(
        bench
            .put("/components/step/versions/1", spec("step"))
            .status,
        201
    );
    assert_eq!(
        bench
            .get("/components/step/versions/azureml_default")
            .body_json()["name"],
        "1"
    );
}

#[test]
fn unknown_collections_are_kept_whole() {
    let bench = Bench::new();
    let put = bench.put("/inferencePools/pool", json!({"anything": {"goes": true}}));
    assert_eq!(put.status, 201);
    assert_eq!(
        bench.get("/inferencePools/pool").body_json()["properties"]["anything"]["goes"],
        true
    );
}

#[test]
fn deployment_needs_its_endpoint() {
    let bench = Bench::new();
    let deployment = json!({"endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2"});
    let reply = bench.put("/onlineEndpoints/ep-x/deployments/blue", deployment.clone());
    assert_eq!(code(&reply), (404, "ParentResourceNotFound".to_owned()));
    bench.put("/onlineEndpoints/ep-x", json!({"authMode": "Key"}));
    assert_eq!(
        bench
            .put("/onlineEndpoints/ep-x/deployments/blue", deployment)
            .status,
        201
    );
}
