//! A workspace that is deleted softly, recovered, purged, forgotten.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Bench, WS, code};

#[test]
fn workspace_is_deleted_softly_then_for_good() {
    let bench = Bench::new();
    let delete = bench.call(Method::DELETE, "", None);
    assert_eq!(delete.status, 202);
    assert!(delete.header("location").is_some());
    assert_eq!(code(&bench.get("")), (404, "ResourceNotFound".to_owned()));
    let body = json!({"location": "westeurope", "properties": {}});
    assert_eq!(
        code(&bench.call(Method::PUT, "", Some(&body))),
        (409, "Conflict".to_owned())
    );
    assert_eq!(
        bench
            .call(Method::DELETE, "?forceToPurge=true", None)
            .status,
        202
    );
    assert_eq!(bench.call(Method::PUT, "", Some(&body)).status, 202);
    assert_eq!(bench.get("").status, 200);
}

#[test]
fn recovered_workspace_has_what_is_kept_and_not_what_is_gone() {
    let bench = Bench::new();
    let cluster = json!({"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2"}});
    let located = json!({"location": "westeurope", "properties": cluster});
    bench.call(Method::PUT, "/computes/cpu", Some(&located));
    let endpoint = json!({"location": "westeurope", "properties": {"authMode": "Key"}});
    bench.call(Method::PUT, "/onlineEndpoints/tap", Some(&endpoint));
    bench.put(
        "/models/m/versions/1",
        json!({"modelUri": "azureml://datastores/workspaceblobstore/paths/m"}),
    );
    bench.put(
        "/environments/env/versions/1",
        json!({"image": "python:3.12"}),
    );
    let job = json!({"jobType": "Command", "command": "true", "environmentId": format!("{WS}/environments/env/versions/1")});
    bench.put("/jobs/ended", job.clone());
    bench.simulator.advance(Duration::from_secs(3600));
    assert_eq!(
        bench.get("/jobs/ended").body_json()["properties"]["status"],
        "Completed"
    );
    bench.put("/jobs/running", job);
    assert_eq!(bench.get("/computes/cpu").status, 200);
    assert_eq!(bench.get("/onlineEndpoints/tap").status, 200);

    assert_eq!(bench.call(Method::DELETE, "", None).status, 202);
    assert_eq!(
        bench.get("/models/m/versions/1").status,
        404,
        "nothing answers"
    );
    let patch = json!({"tags": {"a": "b"}});
    assert_eq!(bench.call(Method::PATCH, "", Some(&patch)).status, 404);
    let recover = json!({"location": "westeurope", "properties": {"softDeleteRecovery": true}});
    assert_eq!(bench.call(Method::PUT, "", Some(&recover)).status, 202);
    let shown = bench.get("").body_json();
    assert!(
        shown["properties"]["softDeleteRecovery"].is_null(),
        "it is no property"
    );
    for kept in [
        "/models/m/versions/1",
        "/jobs/ended",
        "/datastores/workspaceblobstore",
    ] {
        assert_eq!(bench.get(kept).status, 200, "{kept}");
    }
    for gone in ["/computes/cpu", "/onlineEndpoints/tap", "/jobs/running"] {
        assert_eq!(bench.get(gone).status, 404, "{gone}");
    }
}

#[test]
fn softly_deleted_workspace_is_gone_after_fourteen_days() {
    let bench = Bench::new();
    bench.call(Method::DELETE, "", None);
    let recover = json!({"location": "westeurope", "properties": {"softDeleteRecovery": true}});
    bench
        .simulator
        .advance(Duration::from_secs(14 * 24 * 3600 - 60));
    assert_eq!(bench.call(Method::PUT, "", Some(&recover)).status, 202);
    bench.call(Method::DELETE, "", None);
    bench.simulator.advance(Duration::from_secs(14 * 24 * 3600));
    let late = bench.call(Method::PUT, "", Some(&recover));
    assert_eq!(code(&late).0, 400);
    let fresh = json!({"location": "westeurope", "properties": {}});
    assert_eq!(
        bench.call(Method::PUT, "", Some(&fresh)).status,
        202,
        "the name is free"
    );
}
