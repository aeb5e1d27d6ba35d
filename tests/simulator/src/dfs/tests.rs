//! A hierarchical namespace, by its own service and by the Blob service.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use http::Method;

use crate::account::Account;
use crate::reply::Reply;
use crate::{Caller, Settings, Simulator};

struct Bench {
    caller: Caller,
    dfs: String,
    blob: String,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings {
            page: 3,
            ..Settings::default()
        });
        let (dfs, blob) = {
            let mut state = simulator.state();
            let mut account = Account::new("lake", "/lake", &mut state.random);
            account.blobs.hierarchical = true;
            state.accounts.insert("lake".to_owned(), account);
            (state.cloud.dfs_url("lake"), state.cloud.blob_url("lake"))
        };
        let bench = Self {
            caller: Caller::new(&simulator),
            dfs: format!("{dfs}/fs"),
            blob: format!("{blob}/fs"),
        };
        assert_eq!(
            bench.dfs(Method::PUT, "?resource=filesystem", "").status,
            201
        );
        bench
    }

    fn dfs(&self, method: Method, target: &str, body: impl Into<Bytes>) -> Reply {
        let url = format!("{}{target}", self.dfs);
        self.caller.storage(method, &url, &[], body)
    }

    fn file(&self, path: &str, text: &'static str) {
        let steps = [
            (Method::PUT, "resource=file".to_owned(), ""),
            (Method::PATCH, "action=append&position=0".to_owned(), text),
            (
                Method::PATCH,
                format!("action=flush&position={}", text.len()),
                "",
            ),
        ];
        for (method, query, body) in steps {
            let done = self.dfs(method, &format!("{path}?{query}"), body);
            assert!(done.status.is_success(), "{path} {query}: {done:?}");
        }
    }

    /// The names of a listing, all pages of it.
    fn names(&self, query: &str) -> Vec<String> {
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let target = format!("?resource=filesystem&{query}&continuation={token}");
            let page = self.dfs(Method::GET, &target, "");
            for row in page.body_json()["paths"].as_array().unwrap() {
                names.push(row["name"].as_str().unwrap().to_owned());
            }
            match page.header("x-ms-continuation") {
                Some(next) => {
                    token = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                }
                None => return names,
            }
        }
    }
}

fn code(reply: &Reply) -> (u16, String) {
    let code = reply.body_json()["error"]["code"]
        .as_str()
        .map(str::to_owned);
    (reply.status.as_u16(), code.unwrap_or_default())
}

#[test]
fn appended_bytes_are_a_file_when_they_are_flushed_without_a_gap() {
    let bench = Bench::new();
    bench.dfs(Method::PUT, "/d/a?resource=file", "");
    bench.dfs(Method::PATCH, "/d/a?action=append&position=0", "abc");
    bench.dfs(Method::PATCH, "/d/a?action=append&position=5", "gap");
    let early = bench.dfs(Method::PATCH, "/d/a?action=flush&position=8", "");
    assert_eq!(code(&early), (400, "InvalidFlushPosition".to_owned()));
    assert_eq!(bench.dfs(Method::GET, "/d/a", "").body, "");
    bench.dfs(Method::PATCH, "/d/a?action=append&position=3", "de");
    let flushed = bench.dfs(Method::PATCH, "/d/a?action=flush&position=8", "");
    assert_eq!(flushed.status, 200);
    assert_eq!(bench.dfs(Method::GET, "/d/a", "").body, "abcdegap");
    let by_blob = bench
        .caller
        .storage(Method::GET, &format!("{}/d/a", bench.blob), &[], "");
    assert_eq!(by_blob.body, "abcdegap");
    let none = bench.dfs(Method::GET, "/d/none", "");
    assert_eq!(code(&none), (404, "PathNotFound".to_owned()));
}

#[test]
fn directories_come_with_their_files_and_are_listed_renamed_and_deleted() {
    let bench = Bench::new();
    for path in ["/a/b/1", "/a/2", "/a-z", "/c/3"] {
        bench.file(path, "x");
    }
    assert_eq!(
        bench.names("recursive=true"),
        ["a", "a-z", "a/2", "a/b", "a/b/1", "c", "c/3"]
    );
    assert_eq!(bench.names("recursive=false&directory=a"), ["a/2", "a/b"]);
    let within = bench.dfs(Method::PUT, "/a/2/x?resource=file", "");
    assert_eq!(
        code(&within),
        (409, "PathConflict".to_owned()),
        "below a file"
    );
    let source = [("x-ms-rename-source", "/fs/a")];
    let url = format!("{}/d/e", bench.dfs);
    assert_eq!(
        bench.caller.storage(Method::PUT, &url, &source, "").status,
        201
    );
    assert_eq!(
        bench.names("recursive=true&directory=d"),
        ["d/e", "d/e/2", "d/e/b", "d/e/b/1"]
    );
    let full = bench.dfs(Method::DELETE, "/d", "");
    assert_eq!(code(&full), (409, "DirectoryNotEmpty".to_owned()));
    assert_eq!(
        bench.dfs(Method::DELETE, "/d?recursive=true", "").status,
        200
    );
    assert_eq!(bench.names("recursive=true"), ["a-z", "c", "c/3"]);
}

#[test]
fn blob_service_shows_directories_as_marked_blobs() {
    let bench = Bench::new();
    let headers = [("x-ms-blob-type", "BlockBlob")];
    let url = format!("{}/x/y/z.txt", bench.blob);
    assert_eq!(
        bench
            .caller
            .storage(Method::PUT, &url, &headers, "text")
            .status,
        201
    );
    let list = format!(
        "{}?restype=container&comp=list&include=metadata",
        bench.blob
    );
    let listed = bench.caller.storage(Method::GET, &list, &[], "");
    let listed = String::from_utf8_lossy(&listed.body).into_owned();
    assert_eq!(
        listed.matches("<hdi_isfolder>true</hdi_isfolder>").count(),
        2
    );
    assert_eq!(
        listed
            .matches("<ResourceType>directory</ResourceType>")
            .count(),
        2
    );
    assert!(listed.contains("<Name>x/y/z.txt</Name>"));
    let onto = format!("{}/x/y", bench.blob);
    assert_eq!(
        bench
            .caller
            .storage(Method::PUT, &onto, &headers, "file")
            .status,
        409
    );
    assert_eq!(
        bench.caller.storage(Method::DELETE, &onto, &[], "").status,
        409
    );
    let head = bench.dfs(Method::HEAD, "/x/y", "");
    assert_eq!(head.header("x-ms-resource-type"), Some("directory"));
}
