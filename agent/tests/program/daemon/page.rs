//! The status page as a browser and Prometheus ask for it: a real daemon on a port of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;

/// A daemon with a status page, killed when it is dropped.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was answered: the head in lower case, and the body.
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

fn serve(home: &Path, daemon: &str) -> Served {
    let file = home.join("mlark.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!("{text}[daemon]\nlisten = \"127.0.0.1:0\"\n{daemon}"),
    )
    .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlark"))
        .args(["daemon", "--config", "mlark.toml"])
        .current_dir(home)
        .env("HOME", home)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| {
            Some(
                line.split_once("http://")?
                    .1
                    .trim_end_matches('/')
                    .to_owned(),
            )
        })
        .expect("the daemon says where its page is");
    // Nothing that the daemon says later waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    let served = Served { child, address };
    // The repository is opened after the port.
    while served.get("/").status() == "503" {
        std::thread::yield_now();
    }
    served
}

impl Served {
    fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn send(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = &self.address;
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        ))
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }
}

fn back_up(home: &Path) -> String {
    let ran = binary(home, &["backup", "--json", "--config", "mlark.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows = binary(home, &["snapshots", "--json", "--config", "mlark.toml"]).json();
    let last = rows["snapshots"].as_array().unwrap().last().unwrap();
    last["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_page_says_how_things_stand_and_lets_nothing_in() {
    let home = world();
    let id = back_up(home.path());
    let served = serve(home.path(), "");
    let first = served.get("/");
    assert_eq!(first.status(), "200");
    assert!(first.body.contains("The backup is good"), "{}", first.body);
    assert!(
        first.body.contains(&format!("/snapshots/{id}")),
        "{}",
        first.body
    );
    let policy = first
        .head
        .lines()
        .find(|line| line.starts_with("content-security-policy:"))
        .unwrap();
    for rule in [
        "default-src 'none'",
        "style-src 'sha256-",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(
        first.head.contains("x-content-type-options: nosniff"),
        "{}",
        first.head
    );
    assert!(!first.head.contains("set-cookie"), "{}", first.head);
    for (markup, what) in [
        ("<script", "no script"),
        ("style=\"", "no style that the policy refuses"),
        ("http://", "nothing from elsewhere"),
        ("https://", "nothing from elsewhere"),
    ] {
        assert!(!first.body.contains(markup), "{what}: {}", first.body);
    }
    for path in [
        "/other",
        "/snapshots/",
        "/snapshots/latest",
        "/snapshots/../x",
        "/snapshots/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/style.css",
    ] {
        assert_eq!(served.get(path).status(), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = served.send(method, "/", "Content-Length: 0\r\n");
        assert_eq!(answer.status(), "405", "{method}");
    }
    let head = served.send("HEAD", "/", "");
    assert_eq!((head.status(), head.body.as_str()), ("200", ""));
    let rebound = served.ask("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(rebound.status(), "421");
    assert!(!rebound.body.contains("docs"), "{}", rebound.body);
    assert_eq!(served.get("/metrics").status(), "200");
    assert!(served.get("/healthz").body.contains("\"workspaces\""));
}

#[test]
fn with_a_token_nobody_else_learns_more_than_that_it_lives() {
    let home = world();
    back_up(home.path());
    let token = home.path().join("token");
    fs::write(&token, "a-token-for-the-page\n").unwrap();
    let text = format!("token_file = {token:?}\n");
    // The port is open before the repository is read, so that a page without the token is asked for at once.
    let served = serve(home.path(), &text);
    for path in ["/", "/metrics", "/snapshots/x"] {
        let answer = served.get(path);
        assert_eq!(answer.status(), "401", "{path}");
        assert!(
            answer.head.contains("www-authenticate: basic"),
            "{}",
            answer.head
        );
        assert!(!answer.body.contains("docs"), "{}", answer.body);
        let wrong = served.send(
            "GET",
            path,
            "Authorization: Bearer a-token-for-the-pagf\r\n",
        );
        assert_eq!(wrong.status(), "401", "{path}");
    }
    let health = served.get("/healthz");
    let health: serde_json::Value = serde_json::from_str(&health.body).unwrap();
    let keys: Vec<&String> = health.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["alive", "healthy"]);
    for header in [
        "Bearer a-token-for-the-page",
        "Basic bmFtZTphLXRva2VuLWZvci10aGUtcGFnZQ==",
    ] {
        let answer = served.send("GET", "/metrics", &format!("Authorization: {header}\r\n"));
        assert_eq!(answer.status(), "200", "{header}");
    }
}

#[test]
fn a_page_open_to_other_machines_without_a_token_is_refused_at_start() {
    let home = world();
    let file = home.path().join("mlark.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}[daemon]\nlisten = \"0.0.0.0:0\"\n")).unwrap();
    let ran = binary(home.path(), &["daemon", "--config", "mlark.toml"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("token_file"), "{}", ran.err);
}

#[test]
fn a_tree_is_shown_level_by_level_and_so_many_rows_at_a_time() {
    let home = world();
    let source = home.path().join("source");
    fs::create_dir_all(source.join("many/deep")).unwrap();
    for number in 0..520 {
        fs::write(
            source.join(format!("many/{number:04}.txt")),
            format!("{number}"),
        )
        .unwrap();
    }
    fs::write(source.join("many/deep/below.txt"), "deep").unwrap();
    fs::write(source.join("<b>&\"'\u{1b}[2J\u{202e}.txt"), "hostile").unwrap();
    let id = back_up(home.path());
    let served = serve(home.path(), "");
    let top = served
        .get(&format!("/snapshots/{id}/items?kind=files"))
        .body;
    assert!(top.contains("under=many%2F"), "{top}");
    assert!(!top.contains("0000.txt"), "only one level is shown: {top}");
    assert!(
        top.contains("&lt;b&gt;&amp;&quot;&#39;\\u{1b}[2J\\u{202e}.txt"),
        "{top}"
    );
    let (mut path, mut names) = (
        format!("/snapshots/{id}/items?kind=files&under=many%2F"),
        Vec::new(),
    );
    let mut pages = 0;
    loop {
        let page = served.get(&path).body;
        pages += 1;
        let rows: Vec<&str> = page.split("<th scope=\"row\">").skip(1).collect();
        assert!(rows.len() <= 500);
        assert!(
            !page.contains("below.txt"),
            "only one level is shown: {page}"
        );
        names.extend(rows.iter().map(|row| {
            let name = row.split("class=\"name\">").nth(1).unwrap();
            name.split('<').next().unwrap().to_owned()
        }));
        let more = page.split("class=\"more\"><a href=\"").nth(1);
        match more {
            Some(more) => path = more.split('"').next().unwrap().replace("&amp;", "&"),
            None => break,
        }
    }
    let mut wanted: Vec<String> = (0..520).map(|number| format!("{number:04}.txt")).collect();
    wanted.push("deep/".to_owned());
    assert_eq!((pages, names), (2, wanted));
    let file = served.get(&format!(
        "/snapshots/{id}/item?kind=files&name=many%2Fdeep%2Fbelow.txt"
    ));
    assert_eq!(file.status(), "200");
    assert!(file.body.contains("mlark show"), "{}", file.body);
    assert_eq!(
        served
            .get(&format!("/snapshots/{id}/item?kind=files&name=none"))
            .status(),
        "404"
    );
}
