//! Blob storage, answered call by call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod keeping;
mod leases;
mod tiers;
mod versions;

use http::Method;
use serde_json::{Value, json};

use crate::arm::WorkspaceSpec;
use crate::blob::{Bills, Content, Fill, Written};
use crate::reply::Reply;
use crate::{Caller, Settings, Simulator};

struct Bench {
    simulator: Simulator,
    caller: Caller,
    account: String,
    base: String,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        let key = simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "westeurope"));
        let account = simulator.state().workspace(&key).unwrap().account.clone();
        let base = format!("{}/azureml", simulator.state().cloud.blob_url(&account));
        Self {
            caller: Caller::new(&simulator),
            simulator,
            account,
            base,
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Reply {
        self.caller
            .storage(method, &format!("{}{path}", self.base), headers, body)
    }

    fn put(&self, path: &str, body: &'static str) -> Reply {
        self.call(Method::PUT, path, &[("x-ms-blob-type", "BlockBlob")], body)
    }

    /// Sends a `PUT` with headers alone.
    fn act(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.call(Method::PUT, path, headers, "")
    }

    fn head(&self, path: &str) -> Reply {
        self.call(Method::HEAD, path, &[], "")
    }

    fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, &[], "")
    }

    /// A resource manager call about the account; `path` comes after its id.
    fn arm(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let (url, id) = {
            let state = self.simulator.state();
            let id = state.accounts[&self.account].arm_id.clone();
            (state.cloud.arm_url(), id)
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{url}{id}{path}?api-version=2023-01-01"))
            .header(
                "authorization",
                format!("Bearer {}", self.caller.token(&url)),
            );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = bytes::Bytes::from(body.to_string());
        self.simulator.handle(request.body(body).unwrap())
    }

    /// Another container with policies of single blobs, in place of the usual one.
    fn of_versions() -> Self {
        let mut bench = Self::new();
        let on = json!({"properties": {"isVersioningEnabled": true}});
        let service = bench.arm(Method::PUT, "/blobServices/default", &[], &on);
        assert_eq!(service.status, 200);
        let enabled = json!({"properties": {"immutableStorageWithVersioning": {"enabled": true}}});
        let path = "/blobServices/default/containers/vault";
        assert_eq!(bench.arm(Method::PUT, path, &[], &enabled).status, 201);
        bench.base = bench.base.replace("/azureml", "/vault");
        bench
    }

    fn bills(&self) -> Bills {
        self.simulator.state().accounts[&self.account]
            .blobs
            .bills
            .clone()
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.call(Method::GET, path, headers, "")
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
fn blob_comes_back_with_its_validators_and_a_new_write_changes_them() {
    let bench = Bench::new();
    let headers = [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-meta-upload_status", "completed"),
        ("content-type", "text/plain"),
        ("if-none-match", "*"),
    ];
    let put = bench.call(Method::PUT, "/a%20b/%C3%BC%23.txt", &headers, "hello");
    assert_eq!(put.status, 201);
    let again = bench.call(Method::PUT, "/a%20b/%C3%BC%23.txt", &headers, "hello");
    assert_eq!(code(&again), (409, "BlobAlreadyExists"));
    let got = bench.get("/a%20b/%C3%BC%23.txt", &[]);
    assert_eq!(text(&got), "hello");
    assert_eq!(got.header("content-md5"), Some("XUFAKrxLKna5cZ2REBfFkg=="));
    assert_eq!(got.header("content-type"), Some("text/plain"));
    assert_eq!(got.header("x-ms-meta-upload_status"), Some("completed"));
    assert_eq!(got.header("etag"), put.header("etag"));
    let etag = got.header("etag").unwrap();
    assert!(etag.starts_with("\"0x8D"));
    assert_eq!(
        bench
            .get("/a%20b/%C3%BC%23.txt", &[("if-none-match", etag)])
            .status,
        304
    );
    bench.call(Method::PUT, "/a%20b/%C3%BC%23.txt", &headers[..3], "other");
    let stale = bench.get("/a%20b/%C3%BC%23.txt", &[("if-match", etag)]);
    assert_eq!(code(&stale), (412, "ConditionNotMet"));
}

#[test]
fn ranges_are_cut_and_an_empty_blob_has_none() {
    let bench = Bench::new();
    bench.put("/x", "0123456789");
    bench.put("/empty", "");
    let part = bench.get("/x", &[("x-ms-range", "bytes=2-4"), ("range", "bytes=0-0")]);
    assert_eq!((part.status.as_u16(), text(&part).as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("content-md5"), None);
    assert!(part.header("x-ms-blob-content-md5").is_some());
    let asked = [
        ("range", "bytes=8-33554431"),
        ("x-ms-range-get-content-md5", "true"),
    ];
    let tail = bench.get("/x", &asked);
    assert_eq!(text(&tail), "89");
    assert_eq!(tail.header("content-range"), Some("bytes 8-9/10"));
    assert!(tail.header("content-md5").is_some());
    let empty = bench.get("/empty", &[("x-ms-range", "bytes=0-33554431")]);
    assert_eq!(code(&empty), (416, "InvalidRange"));
    assert_eq!(bench.get("/empty", &[]).status, 200);
    assert_eq!(code(&bench.get("/none", &[])), (404, "BlobNotFound"));
}

#[test]
fn wrong_digest_is_refused() {
    let bench = Bench::new();
    let headers = [
        ("x-ms-blob-type", "BlockBlob"),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ];
    assert_eq!(bench.call(Method::PUT, "/x", &headers, "hello").status, 201);
    let wrong = bench.call(Method::PUT, "/x", &headers, "hellO");
    assert_eq!(code(&wrong), (400, "Md5Mismatch"));
}

#[test]
fn block_list_makes_a_blob_without_a_digest() {
    let bench = Bench::new();
    for (id, body) in [("QQ==", "abc"), ("Qg==", "def")] {
        let staged = bench.call(
            Method::PUT,
            &format!("/big?comp=block&blockid={id}"),
            &[],
            body,
        );
        assert_eq!(staged.status, 201);
    }
    assert_eq!(code(&bench.get("/big", &[])), (404, "BlobNotFound"));
    let held = bench.get("/big?comp=blocklist&blocklisttype=all", &[]);
    assert!(
        text(&held).contains("<UncommittedBlocks><Block><Name>QQ==</Name><Size>3</Size></Block>")
    );
    let list = "<?xml version=\"1.0\"?><BlockList><Latest>Qg==</Latest><Uncommitted>QQ==</Uncommitted></BlockList>";
    let wrong = "<BlockList><Committed>QQ==</Committed></BlockList>";
    let refused = bench.call(Method::PUT, "/big?comp=blocklist", &[], wrong);
    assert_eq!(code(&refused), (400, "InvalidBlockList"));
    let sent = [("x-ms-blob-content-type", "model/x"), ("x-ms-meta-a", "b")];
    assert_eq!(
        bench
            .call(Method::PUT, "/big?comp=blocklist", &sent, list)
            .status,
        201
    );
    let got = bench.get("/big", &[]);
    assert_eq!(text(&got), "defabc");
    assert_eq!(got.header("content-md5"), None);
    assert_eq!(got.header("content-type"), Some("model/x"));
    assert_eq!(got.header("x-ms-meta-a"), Some("b"));
}

#[test]
fn listing_goes_by_pages_and_shows_what_the_service_shows() {
    let bench = Bench::new();
    for name in ["d/1", "d/2", "d/e/3", "d/e/4", "d/f&g", "z"] {
        let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-meta-k", "v")];
        bench.call(
            Method::PUT,
            &format!("/{}", name.replace('&', "%26")),
            &headers,
            "x",
        );
    }
    let first = text(&bench.get(
        "?restype=container&comp=list&prefix=d/&maxresults=5000&include=metadata",
        &[],
    ));
    assert_eq!(first.matches("<Blob>").count(), 3);
    assert!(first.contains("<Metadata><k>v</k></Metadata>"));
    let marker = first
        .split("<NextMarker>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let second = text(&bench.get(
        &format!("?restype=container&comp=list&prefix=d/&marker={marker}"),
        &[],
    ));
    assert!(second.contains("<Name>d/e/4</Name>") && second.contains("<Name>d/f&amp;g</Name>"));
    assert!(second.contains("<NextMarker />") && !second.contains("<Metadata>"));
    let tree = text(&bench.get(
        "?restype=container&comp=list&prefix=d/&delimiter=/&maxresults=3",
        &[],
    ));
    assert!(tree.contains("<BlobPrefix><Name>d/e/</Name></BlobPrefix>"));
    assert_eq!(tree.matches("<Blob>").count(), 2);
    let head = bench.call(Method::HEAD, "/z", &[], "");
    let quoted = head.header("etag").unwrap();
    let last = text(&bench.get("?restype=container&comp=list&prefix=z", &[]));
    assert!(last.contains(&format!("<Etag>{}</Etag>", quoted.trim_matches('"'))));
    assert!(
        last.contains("<AccessTier>Hot</AccessTier>")
            && last.contains("<BlobType>BlockBlob</BlobType>")
    );
}

#[test]
fn unreadable_and_archived_blobs_are_listed_and_not_read() {
    let bench = Bench::new();
    bench.put("/locked", "x");
    bench.put("/cold", "x");
    bench.call(
        Method::PUT,
        "/cold?comp=tier",
        &[("x-ms-access-tier", "Archive")],
        "",
    );
    {
        let mut state = bench.simulator.state();
        let blobs = &mut state.accounts.get_mut(&bench.account).unwrap().blobs;
        blobs
            .set_unreadable("azureml", "locked", Some(403))
            .unwrap();
    }
    let refused = bench.get("/locked", &[]);
    assert_eq!(code(&refused), (403, "AuthorizationPermissionMismatch"));
    assert_eq!(code(&bench.get("/cold", &[])), (409, "BlobArchived"));
    assert_eq!(bench.call(Method::HEAD, "/locked", &[], "").status, 200);
    let listed = text(&bench.get("?restype=container&comp=list", &[]));
    assert!(
        listed.contains("<Name>locked</Name>")
            && listed.contains("<AccessTier>Archive</AccessTier>")
    );
}

#[test]
fn copy_keeps_metadata_and_deleted_blobs_are_gone() {
    let bench = Bench::new();
    let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-meta-k", "v")];
    bench.call(Method::PUT, "/from", &headers, "x");
    let source = format!("{}/from", bench.base);
    let copied = bench.call(Method::PUT, "/to", &[("x-ms-copy-source", &source)], "");
    assert_eq!(
        (copied.status.as_u16(), copied.header("x-ms-copy-status")),
        (202, Some("success"))
    );
    assert_eq!(bench.get("/to", &[]).header("x-ms-meta-k"), Some("v"));
    assert_eq!(bench.call(Method::DELETE, "/from", &[], "").status, 202);
    assert_eq!(
        code(&bench.call(Method::DELETE, "/from", &[], "")),
        (404, "BlobNotFound")
    );
}

#[test]
fn generated_blobs_are_read_by_range_without_being_held() {
    let bench = Bench::new();
    let content = Content::generated(Fill::Noise, 3, 1 << 40);
    let expected = content.slice((1 << 39)..(1 << 39) + 16).to_bytes();
    {
        let now = bench.simulator.now();
        let mut state = bench.simulator.state();
        let blobs = &mut state.accounts.get_mut(&bench.account).unwrap().blobs;
        blobs
            .commit(
                "azureml",
                "huge",
                content,
                Vec::new(),
                Written::default(),
                now,
            )
            .unwrap();
    }
    let range = format!("bytes={}-{}", 1_u64 << 39, (1_u64 << 39) + 15);
    assert_eq!(bench.get("/huge", &[("x-ms-range", &range)]).body, expected);
}
