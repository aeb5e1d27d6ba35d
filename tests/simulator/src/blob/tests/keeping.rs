//! What keeps blobs as they are: policies and holds of containers, and of single blobs.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Bench, code, text};
use crate::clock::http_date;
use crate::reply::Reply;

const CONTAINER: &str = "/blobServices/default/containers/azureml";
const POLICY: &str = "/blobServices/default/containers/azureml/immutabilityPolicies/default";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn of_days(days: i64) -> Value {
    json!({"properties": {"immutabilityPeriodSinceCreationInDays": days}})
}

fn etag(reply: &Reply) -> String {
    reply.body_json()["etag"].as_str().unwrap().to_owned()
}

#[test]
fn policy_of_a_container_keeps_each_blob_from_its_creation_on() {
    let bench = Bench::new();
    bench.put("/a", "x");
    bench.simulator.advance(2 * DAY);
    let made = bench.arm(Method::PUT, POLICY, &[], &of_days(3));
    assert_eq!(made.status, 200);
    assert_eq!(made.body_json()["properties"]["state"], "Unlocked");
    assert_eq!(bench.put("/b", "x").status, 201, "a new one is taken");
    let due_to_policy = (409, "BlobImmutableDueToPolicy");
    assert_eq!(code(&bench.put("/a", "y")), due_to_policy);
    let block = "<BlockList></BlockList>";
    let listed = bench.call(Method::PUT, "/a?comp=blocklist", &[], block);
    assert_eq!(code(&listed), due_to_policy);
    let source = format!("{}/b", bench.base);
    let copied = bench.act("/a", &[("x-ms-copy-source", &source)]);
    assert_eq!(code(&copied), due_to_policy);
    for comp in ["metadata", "properties", "snapshot"] {
        let changed = bench.act(&format!("/a?comp={comp}"), &[]);
        assert_eq!(code(&changed), due_to_policy, "{comp}");
    }
    let tier = bench.act("/a?comp=tier", &[("x-ms-access-tier", "Cool")]);
    assert_eq!(tier.status, 200, "a tier may change");
    assert_eq!(code(&bench.delete("/a")), due_to_policy);
    bench.simulator.advance(DAY);
    assert_eq!(code(&bench.put("/a", "y")), due_to_policy, "never again");
    assert_eq!(code(&bench.delete("/a")), (202, ""));
    assert_eq!(code(&bench.delete("/b")), due_to_policy, "it is younger");
    let container = bench.head("?restype=container");
    assert_eq!(
        container.header("x-ms-has-immutability-policy"),
        Some("true")
    );
}

#[test]
fn locked_policy_is_extended_five_times_and_never_shortened() {
    let bench = Bench::new();
    let act = |method: Method, path: &str, etag: &str, body: &Value| {
        let target = format!("{POLICY}{path}");
        bench.arm(method, &target, &[("if-match", etag)], body)
    };
    let first = etag(&bench.arm(Method::PUT, POLICY, &[], &of_days(9)));
    let second = etag(&bench.arm(Method::PUT, POLICY, &[], &of_days(5)));
    assert_ne!(first, second, "an unlocked one is shortened");
    let early = act(Method::POST, "/extend", &second, &of_days(9));
    assert_eq!(early.status, 409, "only a locked one is extended");
    let unmatched = bench.arm(Method::POST, &format!("{POLICY}/lock"), &[], &Value::Null);
    assert_eq!(unmatched.status, 400, "the ETag must be named");
    assert_eq!(act(Method::POST, "/lock", &first, &Value::Null).status, 412);
    let locked = act(Method::POST, "/lock", &second, &Value::Null);
    assert_eq!(locked.body_json()["properties"]["state"], "Locked");
    let mut etag = etag(&locked);
    assert_eq!(bench.arm(Method::PUT, POLICY, &[], &of_days(4)).status, 409);
    assert_eq!(act(Method::DELETE, "", &etag, &Value::Null).status, 409);
    assert_eq!(act(Method::POST, "/extend", &etag, &of_days(4)).status, 409);
    for days in 6..=10 {
        let longer = act(Method::POST, "/extend", &etag, &of_days(days));
        assert_eq!(longer.status, 200, "{days}");
        etag = super::keeping::etag(&longer);
    }
    assert_eq!(
        act(Method::POST, "/extend", &etag, &of_days(11)).status,
        409
    );
    let shown = bench
        .arm(Method::GET, CONTAINER, &[], &Value::Null)
        .body_json();
    let policy = &shown["properties"]["immutabilityPolicy"];
    assert_eq!(
        policy["properties"]["immutabilityPeriodSinceCreationInDays"],
        10
    );
    assert_eq!(policy["updateHistory"].as_array().map(Vec::len), Some(8));
}

#[test]
fn unlocked_policy_goes_and_a_container_with_one_is_deleted_empty_and_by_the_manager() {
    let bench = Bench::new();
    bench.put("/a", "x");
    let made = bench.arm(Method::PUT, POLICY, &[], &of_days(1));
    let data_plane = || bench.delete("?restype=container");
    assert_eq!(
        code(&data_plane()),
        (409, "ContainerImmutabilityPolicyLocked")
    );
    let manager = || bench.arm(Method::DELETE, CONTAINER, &[], &Value::Null);
    assert_eq!(manager().status, 409);
    let account = bench.arm(Method::DELETE, "", &[], &Value::Null);
    assert_eq!(account.status, 409);
    bench.simulator.advance(DAY);
    assert_eq!(bench.delete("/a").status, 202);
    assert_eq!(data_plane().status, 409);
    assert_eq!(manager().status, 200);
    assert_eq!(manager().status, 204);
    let again = bench.arm(Method::PUT, CONTAINER, &[], &json!({}));
    assert_eq!(again.status, 201);
    let policy = bench.arm(Method::PUT, POLICY, &[], &of_days(2));
    assert_ne!(etag(&policy), etag(&made));
    let named = [("if-match", etag(&policy))];
    let named = [(named[0].0, named[0].1.as_str())];
    let gone = bench.arm(Method::DELETE, POLICY, &named, &Value::Null);
    assert_eq!(
        gone.body_json()["properties"]["immutabilityPeriodSinceCreationInDays"],
        0
    );
    assert_eq!(bench.delete("?restype=container").status, 202);
}

#[test]
fn legal_hold_of_a_container_keeps_everything_until_its_last_tag_is_taken() {
    let bench = Bench::new();
    bench.put("/a", "x");
    let hold = |act: &str, tags: &[&str]| {
        let body = json!({ "tags": tags });
        bench.arm(Method::POST, &format!("{CONTAINER}/{act}"), &[], &body)
    };
    assert_eq!(hold("setLegalHold", &["no"]).status, 400, "too short a tag");
    let set = hold("setLegalHold", &["Case17", "audit"]).body_json();
    assert_eq!(
        set,
        json!({"hasLegalHold": true, "tags": ["case17", "audit"]})
    );
    assert_eq!(
        code(&bench.delete("/a")),
        (409, "BlobImmutableDueToLegalHold")
    );
    assert_eq!(
        code(&bench.put("/a", "y")),
        (409, "BlobImmutableDueToLegalHold")
    );
    assert_eq!(
        code(&bench.delete("?restype=container")),
        (409, "ContainerHasLegalHold")
    );
    let container = bench.head("?restype=container");
    assert_eq!(container.header("x-ms-has-legal-hold"), Some("true"));
    hold("clearLegalHold", &["audit"]);
    assert_eq!(bench.delete("/a").status, 409);
    let cleared = hold("clearLegalHold", &["case17"]).body_json();
    assert_eq!(cleared, json!({"hasLegalHold": false, "tags": []}));
    assert_eq!(bench.delete("/a").status, 202);
}

#[test]
fn retention_of_one_blob_keeps_its_version_until_its_date() {
    let bench = Bench::of_versions();
    let put = bench.put("/a", "one");
    let version = put.header("x-ms-version-id").unwrap().to_owned();
    let until = |days: u32| {
        let at = bench.simulator.now().checked_add(days * DAY);
        http_date(at.unwrap())
    };
    let set = |until: &str, mode: &str| {
        let headers = [
            ("x-ms-immutability-policy-until-date", until),
            ("x-ms-immutability-policy-mode", mode),
        ];
        bench.act("/a?comp=immutabilityPolicies", &headers)
    };
    let etag = bench.head("/a").header("etag").unwrap().to_owned();
    let long = set(&until(9), "Unlocked");
    assert_eq!(
        long.header("x-ms-immutability-policy-mode"),
        Some("unlocked")
    );
    assert_eq!(set(&until(5), "Unlocked").status, 200, "shortened");
    assert_eq!(set("Mon, 01 Jan 2001 00:00:00 GMT", "Unlocked").status, 400);
    assert_eq!(set(&until(5), "Locked").status, 200);
    assert_eq!(set(&until(4), "Locked").status, 409);
    assert_eq!(set(&until(6), "Unlocked").status, 409);
    assert_eq!(set(&until(6), "Locked").status, 200);
    let gone = bench.delete("/a?comp=immutabilityPolicies");
    assert_eq!(code(&gone), (409, "ImmutabilityPolicyDeleteOnLockedPolicy"));
    let head = bench.head("/a");
    assert_eq!(head.header("x-ms-immutability-policy-mode"), Some("locked"));
    assert_eq!(head.header("etag"), Some(etag.as_str()), "no write");
    let listed = text(&bench.get(
        "?restype=container&comp=list&include=immutabilitypolicy",
        &[],
    ));
    assert!(listed.contains("<ImmutabilityPolicyMode>locked</ImmutabilityPolicyMode>"));
    let changed = bench.act("/a?comp=metadata", &[("x-ms-meta-k", "v")]);
    assert_eq!(code(&changed), (409, "BlobImmutableDueToPolicy"));
    assert_eq!(bench.put("/a", "two").status, 201, "a new version");
    let old = format!("/a?versionid={version}");
    assert_eq!(text(&bench.get(&old, &[])), "one");
    assert_eq!(code(&bench.delete(&old)), (409, "BlobImmutableDueToPolicy"));
    assert_eq!(bench.delete("/a").status, 202);
    bench.simulator.advance(6 * DAY);
    assert_eq!(bench.delete(&old).status, 202);
}

#[test]
fn hold_of_one_blob_comes_with_its_write_or_later_and_goes_when_it_is_told() {
    let bench = Bench::of_versions();
    let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-legal-hold", "true")];
    let put = bench.call(Method::PUT, "/a", &headers, "x");
    assert_eq!(put.status, 201);
    let version = put.header("x-ms-version-id").unwrap().to_owned();
    assert_eq!(bench.head("/a").header("x-ms-legal-hold"), Some("true"));
    let listed = text(&bench.get("?restype=container&comp=list&include=legalhold", &[]));
    assert!(listed.contains("<LegalHold>true</LegalHold>"));
    bench.delete("/a");
    let old = format!("/a?versionid={version}");
    assert_eq!(
        code(&bench.delete(&old)),
        (409, "BlobImmutableDueToLegalHold")
    );
    let off = bench.act(
        &format!("{old}&comp=legalhold"),
        &[("x-ms-legal-hold", "false")],
    );
    assert_eq!(off.header("x-ms-legal-hold"), Some("false"));
    assert_eq!(bench.delete(&old).status, 202);
}

#[test]
fn default_of_a_container_is_what_a_new_blob_gets() {
    let bench = Bench::of_versions();
    let path = "/blobServices/default/containers/vault/immutabilityPolicies/default";
    assert_eq!(bench.arm(Method::PUT, path, &[], &of_days(7)).status, 200);
    let version = bench
        .put("/a", "x")
        .header("x-ms-version-id")
        .unwrap()
        .to_owned();
    let head = bench.head("/a");
    let until = bench
        .simulator
        .now()
        .checked_add(jiff::SignedDuration::from_hours(7 * 24));
    assert_eq!(
        head.header("x-ms-immutability-policy-until-date"),
        Some(http_date(until.unwrap()).as_str())
    );
    bench.delete("/a");
    let old = format!("/a?versionid={version}");
    assert_eq!(code(&bench.delete(&old)), (409, "BlobImmutableDueToPolicy"));
    bench.simulator.advance(7 * DAY);
    assert_eq!(bench.delete(&old).status, 202);
}

#[test]
fn single_blobs_are_kept_only_in_a_container_that_is_made_for_it() {
    let bench = Bench::new();
    bench.put("/a", "x");
    let hold = [("x-ms-legal-hold", "true")];
    assert_eq!(bench.act("/a?comp=legalhold", &hold).status, 409);
    let enable = json!({"properties": {"immutableStorageWithVersioning": {"enabled": true}}});
    let new = "/blobServices/default/containers/other";
    assert_eq!(
        bench.arm(Method::PUT, new, &[], &enable).status,
        409,
        "no versions"
    );
    let on = json!({"properties": {"isVersioningEnabled": true, "changeFeed": {"enabled": true}}});
    let service = bench
        .arm(Method::PUT, "/blobServices/default", &[], &on)
        .body_json();
    assert_eq!(service["properties"]["changeFeed"]["enabled"], true, "kept");
    assert_eq!(
        bench.arm(Method::PUT, CONTAINER, &[], &enable).status,
        409,
        "to be migrated"
    );
    let migrate = || {
        bench.arm(
            Method::POST,
            &format!("{CONTAINER}/migrate"),
            &[],
            &Value::Null,
        )
    };
    assert_eq!(migrate().status, 409, "no policy");
    bench.arm(Method::PUT, POLICY, &[], &of_days(1));
    let migrated = migrate();
    assert_eq!(migrated.status, 202);
    assert!(
        migrated
            .header("location")
            .unwrap()
            .contains("/Microsoft.Storage/locations/westeurope/")
    );
    let shown = bench
        .arm(Method::GET, CONTAINER, &[], &Value::Null)
        .body_json();
    assert_eq!(
        shown["properties"]["immutableStorageWithVersioning"]["enabled"],
        true
    );
    assert_eq!(bench.act("/a?comp=legalhold", &hold).status, 200);
}

#[test]
fn who_may_write_may_not_keep() {
    let bench = Bench::of_versions();
    bench.put("/a", "x");
    let deny = |action: &str| {
        let mut state = bench.simulator.state();
        let known = state
            .directory
            .principal_mut(crate::state::CLIENT_ID)
            .unwrap();
        known.denied = vec![action.to_owned()];
    };
    deny("immutableStorage/runAsSuperUser/action");
    let hold = [("x-ms-legal-hold", "true")];
    let refused = (403, "AuthorizationPermissionMismatch");
    assert_eq!(code(&bench.act("/a?comp=legalhold", &hold)), refused);
    let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-legal-hold", "true")];
    assert_eq!(code(&bench.call(Method::PUT, "/b", &headers, "x")), refused);
    assert_eq!(bench.put("/b", "x").status, 201);
    deny("deleteBlobVersion/action");
    let version = bench
        .head("/b")
        .header("x-ms-version-id")
        .unwrap()
        .to_owned();
    bench.delete("/b");
    assert_eq!(
        code(&bench.delete(&format!("/b?versionid={version}"))),
        refused
    );
    deny("immutabilityPolicies/lock/action");
    let path = "/blobServices/default/containers/vault/immutabilityPolicies/default/lock";
    let lock = bench.arm(Method::POST, path, &[], &Value::Null);
    assert_eq!(lock.status, 403);
}
