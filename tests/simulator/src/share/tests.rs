//! Azure Files, answered call by call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use http::Method;

use crate::arm::WorkspaceSpec;
use crate::reply::Reply;
use crate::{Caller, Settings, Simulator};

struct Bench {
    caller: Caller,
    base: String,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        let key = simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "westeurope"));
        let state = simulator.state();
        let workspace = state.workspace(&key).unwrap();
        let base = format!(
            "{}/{}",
            state.cloud.file_url(&workspace.account),
            workspace.notebook_share
        );
        drop(state);
        Self {
            caller: Caller::new(&simulator),
            base,
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        self.caller
            .storage(method, &format!("{}{path}", self.base), headers, body)
    }

    fn directory(&self, path: &str) -> Reply {
        self.call(Method::PUT, &format!("{path}?restype=directory"), &[], "")
    }

    fn file(&self, path: &str, bytes: &'static [u8]) {
        let size = bytes.len().to_string();
        let headers = [
            ("x-ms-type", "file"),
            ("x-ms-content-length", size.as_str()),
            ("x-ms-file-attributes", "None"),
            ("x-ms-file-creation-time", "2024-01-02T03:04:05.1234567Z"),
        ];
        assert_eq!(
            self.call(Method::PUT, path, &headers, "").status,
            201,
            "{path}"
        );
        if !bytes.is_empty() {
            let written = self.range(path, 0, bytes);
            assert_eq!(written.status, 201);
        }
    }

    fn range(&self, path: &str, at: usize, bytes: &'static [u8]) -> Reply {
        let range = format!("bytes={at}-{}", at + bytes.len() - 1);
        let headers = [("x-ms-range", range.as_str()), ("x-ms-write", "update")];
        self.call(Method::PUT, &format!("{path}?comp=range"), &headers, bytes)
    }
}

fn code(reply: &Reply) -> (u16, &str) {
    (
        reply.status.as_u16(),
        reply.header("x-ms-error-code").unwrap_or_default(),
    )
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[test]
fn token_without_intent_or_recent_version_opens_nothing() {
    let bench = Bench::new();
    let without = bench.call(
        Method::GET,
        "?restype=directory&comp=list",
        &[("x-ms-file-request-intent", "")],
        "",
    );
    assert_eq!(code(&without), (400, "MissingRequiredHeader"));
    let old = bench.call(
        Method::GET,
        "?restype=directory&comp=list",
        &[("x-ms-version", "2021-06-08")],
        "",
    );
    assert_eq!(old.status, 400);
    assert_eq!(
        bench
            .call(Method::GET, "?restype=directory&comp=list", &[], "")
            .status,
        200
    );
}

#[test]
fn parents_come_first_and_names_are_compared_without_case() {
    let bench = Bench::new();
    assert_eq!(
        code(&bench.directory("/Users/alice")),
        (404, "ParentNotFound")
    );
    assert_eq!(bench.directory("/Users").status, 201);
    assert_eq!(bench.directory("/Users/Alice").status, 201);
    assert_eq!(
        code(&bench.directory("/users/ALICE")),
        (409, "ResourceAlreadyExists")
    );
    bench.file("/Users/alice/My%20Notebook%20%231%20100%25.ipynb", b"{}");
    let listed = text(&bench.call(
        Method::GET,
        "/users/alice?restype=directory&comp=list",
        &[],
        "",
    ));
    assert!(listed.contains("<File><Name>My Notebook #1 100%.ipynb</Name><Properties><Content-Length>2</Content-Length></Properties></File>"), "{listed}");
    let top = text(&bench.call(Method::GET, "/Users?restype=directory&comp=list", &[], ""));
    assert!(top.contains("<Directory><Name>Alice</Name><Properties /></Directory>"));
    let full = bench.call(Method::DELETE, "/Users/Alice?restype=directory", &[], "");
    assert_eq!(code(&full), (409, "DirectoryNotEmpty"));
}

#[test]
fn listing_has_pages_times_and_etags() {
    let bench = Bench::new();
    for name in ["a", "B", "c", "D"] {
        bench.file(&format!("/{name}"), b"x");
    }
    let path = "?restype=directory&comp=list&include=Timestamps,Etag,Attributes,PermissionKey";
    let first = text(&bench.call(Method::GET, path, &[], ""));
    assert_eq!(first.matches("<File>").count(), 3);
    assert!(first.contains("<CreationTime>2024-01-02T03:04:05.1234567Z</CreationTime>"));
    assert!(first.contains("<Attributes>Archive</Attributes>") && first.contains("<FileId>"));
    let head = bench.call(Method::HEAD, "/a", &[], "");
    let etag = head.header("etag").unwrap().replace('"', "&quot;");
    assert!(first.contains(&format!("<Etag>{etag}</Etag>")));
    let marker = first
        .split("<NextMarker>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let second = text(&bench.call(Method::GET, &format!("{path}&marker={marker}"), &[], ""));
    assert!(second.contains("<Name>D</Name>") && second.contains("<NextMarker />"));
}

#[test]
fn ranges_are_written_within_the_size_and_at_most_4_mib() {
    static LARGE: [u8; (4 << 20) + 1] = [7; (4 << 20) + 1];
    let bench = Bench::new();
    let headers = [("x-ms-type", "file"), ("x-ms-content-length", "5000000")];
    bench.call(Method::PUT, "/big", &headers, "");
    assert_eq!(
        code(&bench.range("/big", 0, &LARGE)),
        (413, "RequestBodyTooLarge")
    );
    assert_eq!(bench.range("/big", 0, &LARGE[..4 << 20]).status, 201);
    assert_eq!(
        code(&bench.range("/big", 4_999_999, b"ab")),
        (416, "InvalidRange")
    );
    assert_eq!(bench.range("/big", 4_999_998, b"ab").status, 201);
    let part = bench.call(
        Method::GET,
        "/big",
        &[("x-ms-range", "bytes=4999990-4999999")],
        "",
    );
    assert_eq!(&part.body[..], b"\0\0\0\0\0\0\0\0ab");
    let ranges = text(&bench.call(Method::GET, "/big?comp=rangelist", &[], ""));
    assert!(ranges.contains("<Range><Start>4999998</Start><End>4999999</End></Range>"));
}

#[test]
fn empty_file_has_no_range_and_no_digest_is_computed() {
    let bench = Bench::new();
    bench.file("/empty", b"");
    let refused = bench.call(
        Method::GET,
        "/empty",
        &[("x-ms-range", "bytes=0-33554431")],
        "",
    );
    assert_eq!(code(&refused), (416, "InvalidRange"));
    let whole = bench.call(Method::GET, "/empty", &[], "");
    assert_eq!(
        (whole.status.as_u16(), whole.header("content-md5")),
        (200, None)
    );
}

#[test]
fn renamed_file_keeps_times_and_content() {
    let bench = Bench::new();
    bench.file("/a.tmp", b"x");
    bench.file("/b", b"y");
    let set = [
        ("x-ms-file-last-write-time", "2023-05-06T07:08:09.7654321Z"),
        ("x-ms-file-attributes", "ReadOnly|Archive"),
    ];
    let changed = bench.call(Method::PUT, "/a.tmp?comp=properties", &set, "");
    assert_eq!(
        changed.header("x-ms-file-attributes"),
        Some("ReadOnly | Archive")
    );
    let source = format!("{}/a.tmp", bench.base);
    let headers = [("x-ms-file-rename-source", source.as_str())];
    assert_eq!(
        code(&bench.call(Method::PUT, "/b?comp=rename", &headers, "")),
        (409, "ResourceAlreadyExists")
    );
    let headers = [headers[0], ("x-ms-file-rename-replace-if-exists", "true")];
    assert_eq!(
        bench
            .call(Method::PUT, "/b?comp=rename", &headers, "")
            .status,
        200
    );
    let moved = bench.call(Method::GET, "/b", &[], "");
    assert_eq!(text(&moved), "x");
    assert_eq!(
        moved.header("x-ms-file-last-write-time"),
        Some("2023-05-06T07:08:09.7654321Z")
    );
    assert_eq!(
        code(&bench.call(Method::GET, "/a.tmp", &[], "")),
        (404, "ResourceNotFound")
    );
}

#[test]
fn snapshot_shows_the_share_as_it_was_until_it_is_deleted() {
    let bench = Bench::new();
    bench.directory("/d");
    bench.file("/d/a.txt", b"before");
    let taken = bench.call(
        Method::PUT,
        "?restype=share&comp=snapshot",
        &[("x-ms-meta-why", "backup")],
        "",
    );
    assert_eq!(taken.status, 201);
    let moment = taken.header("x-ms-snapshot").unwrap().to_owned();
    bench.file("/d/a.txt", b"after!");
    bench.file("/d/b.txt", b"new");
    let old = |target: &str| {
        bench.call(
            Method::GET,
            &format!("{target}sharesnapshot={moment}"),
            &[],
            "",
        )
    };
    assert_eq!(text(&old("/d/a.txt?")), "before");
    assert_eq!(
        text(&bench.call(Method::GET, "/d/a.txt", &[], "")),
        "after!"
    );
    assert_eq!(code(&old("/d/b.txt?")), (404, "ResourceNotFound"));
    let listed = text(&old("/d?restype=directory&comp=list&"));
    assert!(
        listed.contains("a.txt") && !listed.contains("b.txt"),
        "{listed}"
    );
    let ranges = text(&old("/d/a.txt?comp=rangelist&"));
    assert!(ranges.contains("<End>5</End>"), "{ranges}");
    assert_eq!(
        old("?restype=share&").header("x-ms-meta-why"),
        Some("backup")
    );
    let write = [("x-ms-type", "file"), ("x-ms-content-length", "0")];
    let refused = bench.call(
        Method::PUT,
        &format!("/d/c.txt?sharesnapshot={moment}"),
        &write,
        "",
    );
    assert_eq!(code(&refused), (400, "ShareSnapshotOperationNotSupported"));
    let delete =
        |target: &str, headers: &[(&str, &str)]| bench.call(Method::DELETE, target, headers, "");
    assert_eq!(
        code(&delete("?restype=share", &[])),
        (409, "ShareHasSnapshots")
    );
    let one = format!("?restype=share&sharesnapshot={moment}");
    assert_eq!(delete(&one, &[]).status, 202);
    assert_eq!(code(&old("/d/a.txt?")), (404, "ShareSnapshotNotFound"));
    assert_eq!(code(&delete(&one, &[])), (404, "ShareSnapshotNotFound"));
    bench.call(Method::PUT, "?restype=share&comp=snapshot", &[], "");
    let all = [("x-ms-delete-snapshots", "include")];
    assert_eq!(delete("?restype=share", &all).status, 202);
    assert_eq!(
        code(&bench.call(Method::GET, "?restype=share", &[], "")),
        (404, "ShareNotFound")
    );
}

#[test]
fn shares_are_listed_by_pages_with_their_snapshots() {
    let bench = Bench::new();
    for _ in 0..3 {
        bench.call(Method::PUT, "?restype=share&comp=snapshot", &[], "");
    }
    let account = bench.base.rsplit_once('/').unwrap().0.to_owned();
    let mut marker = String::new();
    let (mut shares, mut snapshots, mut pages) = (0, 0, 0);
    loop {
        let encoded: String = url::form_urlencoded::byte_serialize(marker.as_bytes()).collect();
        let url = format!("{account}/?comp=list&include=snapshots&marker={encoded}");
        let page = text(&bench.caller.storage(Method::GET, &url, &[], ""));
        shares += page.matches("<Share>").count();
        snapshots += page.matches("<Snapshot>").count();
        pages += 1;
        match page
            .split("<NextMarker>")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
        {
            Some(next) => next.clone_into(&mut marker),
            None => break,
        }
    }
    assert_eq!(
        (shares, snapshots, pages),
        (5, 3, 2),
        "two shares, three moments of one"
    );
}
