//! Leases of blobs and containers, by their states.

use std::time::Duration;

use http::Method;

use super::{Bench, code};

#[test]
fn leased_blob_is_written_by_its_holder_alone() {
    let bench = Bench::new();
    bench.put("/mark", "one");
    let lease = |headers: &[(&str, &str)]| bench.call(Method::PUT, "/mark?comp=lease", headers, "");
    let acquire = [
        ("x-ms-lease-action", "acquire"),
        ("x-ms-lease-duration", "15"),
    ];
    let held = lease(&acquire);
    assert_eq!(held.status.as_u16(), 201);
    let id = held.header("x-ms-lease-id").unwrap().to_owned();
    assert_eq!(code(&lease(&acquire)), (409, "LeaseAlreadyPresent"));
    assert_eq!(code(&bench.put("/mark", "two")), (412, "LeaseIdMissing"));
    let mine = [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-id", id.as_str()),
    ];
    assert_eq!(
        code(&bench.call(Method::PUT, "/mark", &mine, "three")),
        (201, "")
    );
    let renew = [
        ("x-ms-lease-action", "renew"),
        ("x-ms-lease-id", id.as_str()),
    ];
    bench.simulator.advance(std::time::Duration::from_secs(10));
    assert_eq!(code(&lease(&renew)), (200, ""));
    bench.simulator.advance(std::time::Duration::from_secs(10));
    assert_eq!(code(&lease(&acquire)), (409, "LeaseAlreadyPresent"));
    bench.simulator.advance(std::time::Duration::from_secs(10));
    assert_eq!(code(&lease(&acquire)), (201, ""));
    assert_eq!(
        code(&lease(&renew)),
        (409, "LeaseIdMismatchWithLeaseOperation")
    );
    let end = [
        ("x-ms-lease-action", "break"),
        ("x-ms-lease-break-period", "0"),
    ];
    assert_eq!(code(&lease(&end)), (202, ""));
    assert_eq!(code(&bench.put("/mark", "four")), (201, ""));
}

#[test]
fn lease_shows_its_state_until_it_is_broken() {
    let bench = Bench::new();
    bench.put("/mark", "one");
    let shown = || {
        let head = bench.head("/mark");
        let of = |name: &str| head.header(name).unwrap_or_default().to_owned();
        let (status, state) = (of("x-ms-lease-status"), of("x-ms-lease-state"));
        format!("{status} {state} {}", of("x-ms-lease-duration"))
    };
    assert_eq!(shown(), "unlocked available ");
    let lease = |headers: &[(&str, &str)]| bench.act("/mark?comp=lease", headers);
    let id = "4b9a1f6e-0000-4000-8000-000000000001";
    let acquire = [
        ("x-ms-lease-action", "acquire"),
        ("x-ms-lease-duration", "-1"),
        ("x-ms-proposed-lease-id", id),
    ];
    assert_eq!(lease(&acquire).header("x-ms-lease-id"), Some(id));
    assert_eq!(shown(), "locked leased infinite");
    let staged = bench.call(Method::PUT, "/mark?comp=block&blockid=QQ==", &[], "x");
    assert_eq!(code(&staged), (412, "LeaseIdMissing"));
    let strange = [("x-ms-lease-id", "4b9a1f6e-0000-4000-8000-000000000002")];
    let read = bench.get("/mark", &strange);
    assert_eq!(code(&read), (412, "LeaseIdMismatchWithBlobOperation"));
    assert_eq!(bench.get("/mark", &[]).status, 200);
    let end = [
        ("x-ms-lease-action", "break"),
        ("x-ms-lease-break-period", "20"),
    ];
    assert_eq!(lease(&end).header("x-ms-lease-time"), Some("20"));
    assert_eq!(shown(), "locked breaking ");
    let again = lease(&acquire);
    assert_eq!(code(&again), (409, "LeaseIsBreakingAndCannotBeAcquired"));
    bench.simulator.advance(Duration::from_secs(20));
    assert_eq!(shown(), "unlocked broken ");
    let renew = [("x-ms-lease-action", "renew"), ("x-ms-lease-id", id)];
    assert_eq!(
        code(&lease(&renew)),
        (409, "LeaseIsBrokenAndCannotBeRenewed")
    );
    assert_eq!(code(&bench.put("/mark", "two")), (201, ""));
    assert_eq!(shown(), "unlocked available ");
}

#[test]
fn leased_container_is_deleted_by_its_holder_alone() {
    let bench = Bench::new();
    let acquire = [
        ("x-ms-lease-action", "acquire"),
        ("x-ms-lease-duration", "30"),
    ];
    let held = bench.act("?restype=container&comp=lease", &acquire);
    assert_eq!(held.status, 201);
    let id = held.header("x-ms-lease-id").unwrap().to_owned();
    let container = bench.head("?restype=container");
    assert_eq!(container.header("x-ms-lease-state"), Some("leased"));
    assert_eq!(container.header("x-ms-lease-duration"), Some("fixed"));
    assert_eq!(bench.put("/x", "its blobs are free").status, 201);
    let delete =
        |headers: &[(&str, &str)]| bench.call(Method::DELETE, "?restype=container", headers, "");
    assert_eq!(code(&delete(&[])), (412, "LeaseIdMissing"));
    assert_eq!(code(&delete(&[("x-ms-lease-id", &id)])), (202, ""));
}
