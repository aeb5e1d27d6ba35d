//! Versions that writes leave behind, snapshots that somebody takes, and how both are listed and deleted.

use http::Method;
use serde_json::json;

use super::{Bench, code, text};

fn versioned() -> Bench {
    let bench = Bench::new();
    let on = json!({"properties": {"isVersioningEnabled": true}});
    bench.arm(Method::PUT, "/blobServices/default", &[], &on);
    bench
}

fn version(reply: &crate::reply::Reply) -> String {
    reply.header("x-ms-version-id").unwrap().to_owned()
}

#[test]
fn each_write_leaves_the_blob_as_it_was_behind() {
    let bench = Bench::new();
    bench.put("/a", "before");
    assert_eq!(bench.head("/a").header("x-ms-version-id"), None);
    let on = json!({"properties": {"isVersioningEnabled": true}});
    bench.arm(Method::PUT, "/blobServices/default", &[], &on);
    let first = version(&bench.put("/a", "one"));
    let second = version(&bench.put("/a", "two"));
    let third = version(&bench.act("/a?comp=metadata", &[("x-ms-meta-k", "v")]));
    assert!(first < second && second < third);
    let head = bench.head("/a");
    assert_eq!(head.header("x-ms-version-id"), Some(third.as_str()));
    assert_eq!(head.header("x-ms-is-current-version"), Some("true"));
    let old = bench.get(&format!("/a?versionid={first}"), &[]);
    assert_eq!(text(&old), "one");
    assert_eq!(old.header("x-ms-is-current-version"), None);
    let properties = bench.act("/a?comp=properties", &[("x-ms-blob-content-type", "a/b")]);
    assert_eq!(properties.status, 200);
    assert_eq!(version(&bench.head("/a")), third, "no new version");
    let listed = text(&bench.get("?restype=container&comp=list&include=versions", &[]));
    assert!(
        listed.contains("<IsCurrentVersion>true</IsCurrentVersion>")
            || listed.contains("<NextMarker>2!")
    );
    let write = bench.act(&format!("/a?versionid={first}&comp=metadata"), &[]);
    assert_eq!(code(&write), (400, "InvalidQueryParameterValue"));
}

#[test]
fn listing_of_versions_goes_by_pages_and_ends_with_the_current_one() {
    let bench = versioned();
    for name in ["/a", "/b"] {
        for body in ["1", "2", "3", "4"] {
            bench.put(name, body);
        }
    }
    let mut marker = String::new();
    let mut rows = Vec::new();
    loop {
        let encoded: String = url::form_urlencoded::byte_serialize(marker.as_bytes()).collect();
        let target = format!("?restype=container&comp=list&include=versions&marker={encoded}");
        let page = text(&bench.get(&target, &[]));
        for row in page.split("<Blob>").skip(1) {
            let name = row
                .split("<Name>")
                .nth(1)
                .unwrap()
                .split('<')
                .next()
                .unwrap();
            rows.push((name.to_owned(), row.contains("<IsCurrentVersion>true")));
        }
        let next = page.split("<NextMarker>").nth(1);
        match next.and_then(|rest| rest.split('<').next()) {
            Some(next) => next.clone_into(&mut marker),
            None => break,
        }
    }
    let one = |name: &str, current| (name.to_owned(), current);
    let of = |name| {
        [
            one(name, false),
            one(name, false),
            one(name, false),
            one(name, true),
        ]
    };
    assert_eq!(rows, [of("a"), of("b")].concat());
    let plain = text(&bench.get("?restype=container&comp=list", &[]));
    assert_eq!(plain.matches("<Blob>").count(), 2);
    assert!(!plain.contains("VersionId"));
}

#[test]
fn deleted_blob_stays_as_a_version_until_that_goes_too() {
    let bench = versioned();
    let only = version(&bench.put("/a", "one"));
    let current = bench.delete(&format!("/a?versionid={only}"));
    assert_eq!(code(&current), (403, "OperationNotAllowedOnRootBlob"));
    let gone = bench.delete("/a");
    assert_eq!(
        (
            gone.status.as_u16(),
            gone.header("x-ms-delete-type-permanent")
        ),
        (202, None)
    );
    assert_eq!(code(&bench.get("/a", &[])), (404, "BlobNotFound"));
    let target = format!("/a?versionid={only}");
    assert_eq!(text(&bench.get(&target, &[])), "one");
    let source = format!("{}{target}", bench.base);
    assert_eq!(
        bench.act("/a", &[("x-ms-copy-source", &source)]).status,
        202
    );
    assert_eq!(text(&bench.get("/a", &[])), "one", "promoted");
    assert_eq!(bench.delete(&target).status, 202);
    assert_eq!(code(&bench.get(&target, &[])), (404, "BlobNotFound"));
    assert_eq!(text(&bench.get("/a", &[])), "one");
}

#[test]
fn snapshot_is_read_listed_and_in_the_way_of_a_delete() {
    let bench = Bench::new();
    bench.put("/a", "one");
    let taken = bench.act("/a?comp=snapshot", &[]);
    assert_eq!(taken.status, 201);
    let moment = taken.header("x-ms-snapshot").unwrap().to_owned();
    let second = bench.act("/a?comp=snapshot", &[]);
    assert_ne!(second.header("x-ms-snapshot"), Some(moment.as_str()));
    bench.put("/a", "two");
    let target = format!("/a?snapshot={moment}");
    assert_eq!(text(&bench.get(&target, &[])), "one");
    let listed = text(&bench.get("?restype=container&comp=list&include=snapshots", &[]));
    assert!(
        listed.contains(&format!("<Snapshot>{moment}</Snapshot>")),
        "{listed}"
    );
    assert_eq!(listed.matches("<Blob>").count(), 3);
    assert_eq!(code(&bench.delete("/a")), (409, "SnapshotsPresent"));
    assert_eq!(bench.delete(&target).status, 202);
    let alone = [("x-ms-delete-snapshots", "only")];
    assert_eq!(bench.call(Method::DELETE, "/a", &alone, "").status, 202);
    assert_eq!(text(&bench.get("/a", &[])), "two");
    assert_eq!(bench.delete("/a").status, 202);
}
