//! Each sort of fault, as a client meets it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Fault, Rule};
use crate::arm::WorkspaceSpec;
use crate::call::Service;
use crate::clock::FixedClock;
use crate::reply::{Reply, WireFault};
use crate::{Caller, Settings, Simulator};

struct Bench {
    simulator: Simulator,
    caller: Caller,
    workspace: String,
    blob: String,
}

impl Bench {
    fn new() -> Self {
        let clock = FixedClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        let simulator = Simulator::with_clock(Settings::default(), Arc::new(clock));
        let key = simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "westeurope"));
        let (workspace, blob) = {
            let state = simulator.state();
            let found = state.workspace(&key).unwrap();
            let base = state.cloud.blob_url(&found.account);
            (found.arm_id(), format!("{base}/azureml/x"))
        };
        Self {
            caller: Caller::new(&simulator),
            simulator,
            workspace,
            blob,
        }
    }

    /// The fault strikes the next call, and no other.
    fn once(&self, fault: Fault) {
        let rule = Rule {
            times: Some(1),
            ..Rule::always(fault)
        };
        self.simulator.set_faults(1, vec![rule]);
    }

    fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let target = format!("{}{path}?api-version=2024-04-01", self.workspace);
        self.caller.arm(method, &target, body)
    }

    fn put(&self, body: &'static str) -> Reply {
        let headers = [("x-ms-blob-type", "BlockBlob"), ("if-none-match", "*")];
        self.caller.storage(Method::PUT, &self.blob, &headers, body)
    }

    fn get(&self) -> Reply {
        self.caller.storage(Method::GET, &self.blob, &[], "")
    }
}

#[test]
fn throttling_is_told_in_seconds_as_a_date_and_in_milliseconds() {
    let bench = Bench::new();
    bench.once(Fault::Throttle {
        retry_after: 7,
        date: false,
    });
    let told = bench.arm(Method::GET, "", None);
    assert_eq!(
        (told.status.as_u16(), told.header("retry-after")),
        (429, Some("7"))
    );
    bench.once(Fault::Throttle {
        retry_after: 7,
        date: true,
    });
    let told = bench.get();
    assert_eq!(told.header("x-ms-error-code"), Some("ServerBusy"));
    assert_eq!(told.status, 503);
    assert_eq!(
        told.header("retry-after"),
        Some("Fri, 15 Jan 2027 08:00:07 GMT")
    );
    bench.once(Fault::ThrottleMs { ms: 1500 });
    let told = bench.arm(Method::GET, "", None);
    assert_eq!(
        (
            told.header("x-ms-retry-after-ms"),
            told.header("retry-after")
        ),
        (Some("1500"), None)
    );
}

#[test]
fn errors_come_in_the_form_of_their_service() {
    let bench = Bench::new();
    for status in [500, 503] {
        bench.once(Fault::Status { status, code: None });
        let arm = bench.arm(Method::GET, "", None);
        assert_eq!(arm.status, status);
        assert!(arm.body_json()["error"]["code"].is_string());
        bench.once(Fault::Status { status, code: None });
        let blob = bench.get();
        assert!(
            String::from_utf8_lossy(&blob.body).contains("<Error><Code>"),
            "{status}"
        );
    }
}

#[test]
fn success_that_is_reported_as_failure_was_a_success() {
    let bench = Bench::new();
    bench.once(Fault::Failed { status: 500 });
    assert_eq!(bench.put("x").status, 500);
    assert_eq!(bench.get().status, 200);
    bench.once(Fault::Reset { executed: true });
    let change = json!({"tags": {"a": "b"}});
    assert_eq!(
        bench.arm(Method::PATCH, "", Some(&change)).fault,
        WireFault::Reset
    );
    assert_eq!(
        bench.arm(Method::GET, "", None).body_json()["tags"]["a"],
        "b"
    );
    bench.once(Fault::Reset { executed: false });
    let other = json!({"tags": {"c": "d"}});
    bench.arm(Method::PATCH, "", Some(&other));
    assert!(bench.arm(Method::GET, "", None).body_json()["tags"]["c"].is_null());
}

#[test]
fn call_that_is_delivered_twice_is_answered_as_the_second_time() {
    let bench = Bench::new();
    bench.once(Fault::Twice);
    let put = bench.put("x");
    assert_eq!(put.header("x-ms-error-code"), Some("BlobAlreadyExists"));
    assert_eq!(bench.get().status, 200);
}

#[test]
fn token_is_called_expired_once_and_only_where_one_was_sent() {
    let bench = Bench::new();
    bench.put("x");
    let rule = Rule::always(Fault::ExpiredToken);
    bench.simulator.set_faults(1, vec![rule]);
    let told = bench.get();
    assert_eq!(told.status, 401);
    assert!(told.header("www-authenticate").unwrap().contains("expired"));
    assert_eq!(bench.get().status, 200, "the next token is a new one");
    let metadata = "https://management.sim.localhost/metadata/endpoints?api-version=2022-09-01";
    assert_eq!(
        bench.caller.send(Method::GET, metadata, "", None).status,
        200
    );
}

#[test]
fn skewed_clock_dates_its_answers_and_what_they_ask_to_wait_for() {
    let bench = Bench::new();
    bench.once(Fault::ClockSkew {
        seconds: -600,
        retry_after: None,
    });
    let told = bench.arm(Method::GET, "", None);
    assert_eq!(
        (told.status.as_u16(), told.header("date")),
        (200, Some("Fri, 15 Jan 2027 07:50:00 GMT"))
    );
    bench.once(Fault::ClockSkew {
        seconds: 600,
        retry_after: Some(5),
    });
    let told = bench.arm(Method::GET, "", None);
    assert_eq!(told.header("date"), Some("Fri, 15 Jan 2027 08:10:00 GMT"));
    assert_eq!(
        told.header("retry-after"),
        Some("Fri, 15 Jan 2027 08:10:05 GMT")
    );
}

#[test]
fn stale_list_lacks_what_was_made_just_now_and_the_item_itself_is_there() {
    let bench = Bench::new();
    let image = json!({"properties": {"image": "python:3.12"}});
    bench.arm(Method::PUT, "/environments/e/versions/1", Some(&image));
    let listed = || {
        let page = bench
            .arm(Method::GET, "/environments/e/versions", None)
            .body_json();
        page["value"].as_array().unwrap().len()
    };
    assert_eq!(listed(), 1);
    bench
        .simulator
        .set_faults(1, vec![Rule::always(Fault::StaleList { seconds: 60 })]);
    assert_eq!(listed(), 0);
    assert_eq!(
        bench
            .arm(Method::GET, "/environments/e/versions/1", None)
            .status,
        200
    );
    bench.simulator.advance(Duration::from_secs(60));
    assert_eq!(listed(), 1);
}

#[test]
fn slow_and_cut_bodies_are_whole_in_what_they_promise() {
    let bench = Bench::new();
    bench.put("0123456789");
    bench.once(Fault::SlowBody { ms: 50, pieces: 4 });
    let slow = bench.get();
    let pause = Duration::from_millis(50);
    assert_eq!(slow.fault, WireFault::SlowBody { pause, pieces: 4 });
    assert_eq!(slow.pieces(4).concat(), b"0123456789");
    bench.once(Fault::Truncate { bytes: None });
    let cut = bench.get();
    assert_eq!((cut.fault, cut.body.len()), (WireFault::Truncate(5), 10));
    bench.once(Fault::Truncate { bytes: None });
    let head = bench.caller.storage(Method::HEAD, &bench.blob, &[], "");
    assert_eq!(head.fault, WireFault::None, "there is no body to cut");
    bench.once(Fault::Slow { ms: 40 });
    assert_eq!(
        bench.get().fault,
        WireFault::Slow(Duration::from_millis(40))
    );
}

#[test]
fn call_that_comes_again_after_a_failure_is_told_and_one_after_a_success_is_not() {
    let bench = Bench::new();
    let retried = || bench.simulator.state().arrivals.retried().to_vec();
    bench.put("x");
    bench.get();
    bench.get();
    assert_eq!(retried(), []);
    bench.put("y");
    bench.put("y");
    assert_eq!(retried(), [], "a conflict twice is two questions");
    let again = |id: &str| {
        let headers = [
            ("x-ms-blob-type", "BlockBlob"),
            ("if-none-match", "*"),
            ("x-ms-client-request-id", id),
        ];
        bench
            .caller
            .storage(Method::PUT, &bench.blob, &headers, "z")
    };
    again("one");
    again("two");
    assert_eq!(retried(), []);
    again("two");
    assert_eq!(retried().len(), 1, "the same question again");
    bench.once(Fault::Status {
        status: 500,
        code: None,
    });
    bench.get();
    bench.get();
    let last = retried().pop().unwrap();
    assert_eq!(
        (last.after, last.method.as_str(), last.route.as_str()),
        (500, "GET", "/{container}/{path}")
    );
    let state = bench.simulator.state();
    let reads = state
        .arrivals
        .count(Service::Blob, "GET", "/{container}/{path}");
    assert_eq!(reads, 4);
}
