//! Tiers, the way out of the archive over simulated hours, and what it all costs.

use std::time::Duration;

use http::Method;

use super::{Bench, code, text};
use crate::blob::{Class, Priority, Tier};

const HOUR: Duration = Duration::from_secs(3600);

fn archived(bench: &Bench, path: &str) {
    bench.put(path, "0123456789");
    let archive = [("x-ms-access-tier", "Archive")];
    assert_eq!(
        bench.act(&format!("{path}?comp=tier"), &archive).status,
        200
    );
}

#[test]
fn archived_blob_comes_back_after_hours_and_is_read_only_then() {
    let bench = Bench::new();
    archived(&bench, "/cold");
    let etag = bench.head("/cold").header("etag").unwrap().to_owned();
    assert_eq!(code(&bench.get("/cold", &[])), (409, "BlobArchived"));
    let back = bench.act("/cold?comp=tier", &[("x-ms-access-tier", "Cool")]);
    assert_eq!(back.status, 202);
    let head = bench.head("/cold");
    assert_eq!(head.header("x-ms-access-tier"), Some("Archive"));
    assert_eq!(
        head.header("x-ms-archive-status"),
        Some("rehydrate-pending-to-cool")
    );
    assert_eq!(head.header("x-ms-rehydrate-priority"), Some("Standard"));
    let listed = text(&bench.get("?restype=container&comp=list", &[]));
    assert!(
        listed.contains("<ArchiveStatus>rehydrate-pending-to-cool</ArchiveStatus>"),
        "{listed}"
    );
    bench.simulator.advance(HOUR);
    assert_eq!(code(&bench.get("/cold", &[])), (409, "BlobBeingRehydrated"));
    let hot = bench.act("/cold?comp=tier", &[("x-ms-access-tier", "Hot")]);
    assert_eq!(code(&hot), (409, "BlobBeingRehydrated"));
    assert_eq!(
        code(&bench.put("/cold", "other")),
        (409, "BlobBeingRehydrated")
    );
    bench.simulator.advance(15 * HOUR);
    let got = bench.get("/cold", &[]);
    assert_eq!(text(&got), "0123456789");
    assert_eq!(got.header("etag"), Some(etag.as_str()));
    let head = bench.head("/cold");
    assert_eq!(head.header("x-ms-access-tier"), Some("Cool"));
    assert_eq!(head.header("x-ms-archive-status"), None);
    assert!(head.header("x-ms-access-tier-change-time").is_some());
}

#[test]
fn priority_is_raised_and_never_lowered() {
    let bench = Bench::new();
    archived(&bench, "/cold");
    let back = |priority: &str| {
        let headers = [
            ("x-ms-access-tier", "Hot"),
            ("x-ms-rehydrate-priority", priority),
        ];
        bench.act("/cold?comp=tier", &headers).status.as_u16()
    };
    let shown = || {
        let head = bench.head("/cold");
        head.header("x-ms-rehydrate-priority").map(str::to_owned)
    };
    assert_eq!(back("Standard"), 202);
    assert_eq!(bench.bills().rehydrated_bytes(Priority::Standard), 10);
    assert_eq!(back("High"), 202);
    assert_eq!(back("Standard"), 202);
    assert_eq!(shown().as_deref(), Some("High"));
    assert_eq!(back("Urgent"), 400);
    bench.simulator.advance(HOUR);
    assert_eq!(bench.get("/cold", &[]).status, 200);
    let bills = bench.bills();
    assert_eq!(bills.rehydrated_bytes(Priority::Standard), 0);
    assert_eq!(bills.rehydrated_bytes(Priority::High), 10);
    assert_eq!(bills.rehydrations(Priority::High), 1);
}

#[test]
fn copy_of_an_archived_blob_is_on_its_way_and_the_source_stays() {
    let bench = Bench::new();
    archived(&bench, "/cold");
    let source = format!("{}/cold", bench.base);
    let copy = |to: &str, tier: &str| {
        let headers = [
            ("x-ms-copy-source", source.as_str()),
            ("x-ms-access-tier", tier),
            ("x-ms-rehydrate-priority", "High"),
        ];
        bench.act(to, &headers)
    };
    assert_eq!(code(&copy("/cold", "Hot")), (409, "BlobArchived"));
    assert_eq!(code(&copy("/back", "Archive")), (409, "BlobArchived"));
    let copied = copy("/back", "Hot");
    assert_eq!(copied.status, 202);
    let head = bench.head("/back");
    assert_eq!(
        head.header("x-ms-archive-status"),
        Some("rehydrate-pending-to-hot")
    );
    assert_eq!(head.header("x-ms-copy-source"), Some(source.as_str()));
    assert_eq!(head.header("x-ms-copy-id"), copied.header("x-ms-copy-id"));
    bench.simulator.advance(HOUR);
    assert_eq!(text(&bench.get("/back", &[])), "0123456789");
    assert_eq!(code(&bench.get("/cold", &[])), (409, "BlobArchived"));
    let bills = bench.bills();
    assert_eq!(bills.operations(Class::Read, Tier::Archive), 2);
    assert_eq!(bills.rehydrated_bytes(Priority::High), 10);
    assert_eq!(bills.early_byte_days(Tier::Archive), 0);
}

#[test]
fn copy_obeys_the_conditions_on_its_source() {
    let bench = Bench::new();
    bench.put("/from", "x");
    let source = format!("{}/from", bench.base);
    let wrong = [
        ("x-ms-copy-source", source.as_str()),
        ("x-ms-source-if-match", "\"0x8D0\""),
    ];
    assert_eq!(
        code(&bench.act("/to", &wrong)),
        (412, "SourceConditionNotMet")
    );
    let etag = bench.head("/from").header("etag").unwrap().to_owned();
    let right = [
        ("x-ms-copy-source", source.as_str()),
        ("x-ms-source-if-match", etag.as_str()),
    ];
    assert_eq!(bench.act("/to", &right).status, 202);
}

#[test]
fn calls_are_billed_by_class_and_tier_and_leaving_too_early_is_paid() {
    let bench = Bench::new();
    let cool = [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-access-tier", "Cool"),
    ];
    bench.call(Method::PUT, "/c", &cool, "0123456789");
    bench.get("/c", &[]);
    bench.get("/c", &[("range", "bytes=0-3")]);
    bench.get("/none", &[]);
    bench.head("/c");
    bench.get("?restype=container&comp=list", &[]);
    bench.simulator.advance(24 * 20 * HOUR);
    bench.act("/c?comp=tier", &[("x-ms-access-tier", "Archive")]);
    bench.simulator.advance(24 * 100 * HOUR);
    bench.act("/c?comp=tier", &[("x-ms-access-tier", "Hot")]);
    let bills = bench.bills();
    assert_eq!(bills.operations(Class::Write, Tier::Cool), 1);
    assert_eq!(bills.written_bytes(Tier::Cool), 10);
    assert_eq!(bills.operations(Class::Read, Tier::Cool), 2);
    assert_eq!(bills.read_bytes(Tier::Cool), 14);
    assert_eq!(
        bills.operations(Class::Read, Tier::Hot),
        1,
        "refused, and billed"
    );
    assert_eq!(bills.operations(Class::Other, Tier::Cool), 1);
    assert_eq!(bills.operations(Class::List, Tier::Hot), 1);
    assert_eq!(
        bills.operations(Class::Write, Tier::Archive),
        1,
        "tier down"
    );
    assert_eq!(bills.operations(Class::Read, Tier::Archive), 1, "tier up");
    assert_eq!(bills.early_byte_days(Tier::Cool), 10 * (30 - 20));
    assert_eq!(bills.early_byte_days(Tier::Archive), 10 * (180 - 100));
    let account = &bench.account;
    let url = format!("https://control.sim.localhost/bills/{account}");
    let shown = bench.caller.send(Method::GET, &url, "", None).body_json();
    assert_eq!(shown["early_byte_days"]["Archive"], 800);
    bench.caller.send(Method::DELETE, &url, "", None);
    assert_eq!(bench.bills().read_bytes(Tier::Cool), 0);
}
