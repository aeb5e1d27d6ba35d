//! What the daemon does around a backup: hooks, pings, the webhook, retention. In real time, since programs and sockets
//! do not wait for a virtual clock; the daemon's clock is set so that a run is due at once.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use mlark::config::environment::Environment;
use serde_json::Value;

use super::*;

/// A request that the listener got: its first line and its body.
#[derive(Debug)]
struct Call {
    line: String,
    body: String,
}

/// Listens on this machine and answers each request with a status.
fn listener(status: &'static str) -> (u16, Receiver<Call>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, calls) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream.unwrap(), status, &sender));
        }
    });
    (port, calls)
}

fn serve(mut stream: TcpStream, status: &str, calls: &Sender<Call>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    let call = Call {
        line: line.trim().to_owned(),
        body: String::from_utf8(body).unwrap(),
    };
    let _ = calls.send(call);
}

/// Adds to the configuration.
fn more(home: &Path, text: &str) {
    let file = home.join("mlark.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{before}{text}")).unwrap();
}

/// Standard error that asks the daemon to stop when it says some words.
#[derive(Clone)]
struct Attentive {
    said: Arc<Mutex<Vec<u8>>>,
    words: String,
    stop: Shutdown,
}

impl Attentive {
    fn text(&self) -> String {
        String::from_utf8(self.said.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Attentive {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.said.lock().unwrap().extend_from_slice(bytes);
        if self.text().contains(&self.words) {
            self.stop.request();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The run of one night: the daemon starts a second before it, and is stopped when it waits for the next one.
async fn one_run(home: &Path, day: u32) -> Ran {
    let start: jiff::Timestamp = format!("2026-12-{day:02}T01:59:59Z").parse().unwrap();
    let config = home.join("mlark.toml");
    let arguments = [
        "daemon",
        "--no-progress",
        "-v",
        "--config",
        config.to_str().unwrap(),
    ];
    let stop = Shutdown::default();
    let said = Attentive {
        said: Arc::default(),
        words: format!("docs is next, 2026-12-{:02}", day + 1),
        stop: stop.clone(),
    };
    let stderr = said.clone();
    let ran = library(home, &arguments, |context| {
        context.clock = moving_with_timer(start);
        context.shutdown = stop;
        context.stderr = mlark::Sink::new(stderr);
        let variables = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", home.to_str().unwrap()),
            ("AZURE_CLIENT_SECRET", "hunter2"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        context.environment = Environment::from_iter(variables);
    })
    .await;
    Ran {
        err: said.text(),
        ..ran
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_told_what_they_need_and_nothing_else() {
    let home = world();
    let log = home.path().join("hooks");
    let script = format!(
        "env | grep -E '^MLARK_|SECRET' | sort >> '{0}'; echo . >> '{0}'",
        log.display()
    );
    more(
        home.path(),
        &format!(
            "[daemon.hooks]\nbefore_backup = [\"sh\", \"-c\", {script:?}]\nafter_backup = [\"sh\", \"-c\", {script:?}]\non_failure = [\"false\"]\n"
        ),
    );
    let ran = one_run(home.path(), 2).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = fs::read_to_string(log).unwrap();
    let (before, after) = said.split_once(".\n").unwrap();
    assert_eq!(before, "MLARK_HOOK=before_backup\nMLARK_WORKSPACE=docs\n");
    assert!(
        after.contains("MLARK_HOOK=after_backup\nMLARK_OUTCOME=complete\nMLARK_SNAPSHOT="),
        "{after}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(nights(home.path()).len(), 1);
}

/// A file of the machine that holds an address of whoever listens; its path, as the configuration writes it.
fn address(home: &Path, name: &str, port: u16, path: &str) -> String {
    let file = home.join(name);
    fs::write(&file, format!("http://127.0.0.1:{port}{path}\n")).unwrap();
    format!("{file:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_beforehand_keeps_the_backup_from_being_made_and_that_is_told() {
    let home = world();
    let (port, calls) = listener("200 OK");
    let ping = address(home.path(), "ping", port, "/secret-path/{workspace}");
    let hook = address(home.path(), "hook", port, "/hook");
    let told = home.path().join("told");
    more(
        home.path(),
        &format!(
            "[daemon]\nping_url_file = {ping}\nwebhook_url_file = {hook}\n[daemon.hooks]\nbefore_backup = [\"sh\", \"-c\", \"exit 3\"]\non_failure = [\"sh\", \"-c\", \"echo \\\"$MLARK_OUTCOME: $MLARK_REASON\\\" > '{}'\"]\n",
            told.display()
        ),
    );
    let ran = one_run(home.path(), 2).await;
    assert_eq!(nights(home.path()).len(), 0);
    assert!(
        ran.err.contains("A hook failed") && ran.err.contains("exit status: 3"),
        "{}",
        ran.err
    );
    let told = fs::read_to_string(told).unwrap();
    assert!(
        told.starts_with("failed: ") && told.contains("before_backup"),
        "{told}"
    );
    let calls: Vec<Call> = calls.try_iter().collect();
    let lines: Vec<&str> = calls.iter().map(|call| call.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /hook HTTP/1.1",
            "POST /secret-path/docs/start HTTP/1.1",
            "POST /secret-path/docs/fail HTTP/1.1",
        ],
        "the webhook hears the state when the daemon starts, which stays the same"
    );
    assert!(calls[2].body.contains("docs failed"), "{calls:?}");
    let status = binary(home.path(), &["status", "--json", "--config", "mlark.toml"]).json();
    let about = &status["workspaces"][0];
    assert_eq!(about["failed_runs"], 1, "{about}");
    let why = about["last_failure"].as_str().unwrap();
    assert!(why.contains("before_backup"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_backup_pings_with_the_head_of_the_log_and_the_webhook_hears_of_the_change() {
    let home = world();
    let (port, more_calls) = listener("200 OK");
    let ping = address(home.path(), "ping", port, "/ping");
    let hook = address(home.path(), "hook", port, "/hook");
    more(
        home.path(),
        &format!("[daemon]\nping_url_file = {ping}\nwebhook_url_file = {hook}\n"),
    );
    let ran = one_run(home.path(), 2).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let calls: Vec<Call> = more_calls.try_iter().collect();
    let of = |path: &str| -> Vec<&Call> {
        let line = format!("POST {path} HTTP/1.1");
        calls.iter().filter(|call| call.line == line).collect()
    };
    assert_eq!(
        (
            of("/ping/start").len(),
            of("/ping").len(),
            of("/ping/fail").len()
        ),
        (1, 1, 0)
    );
    let status = binary(home.path(), &["status", "--json", "--config", "mlark.toml"]).json();
    let head = status["repository"]["head"].as_str().unwrap().to_owned();
    assert!(
        of("/ping")[0].body.contains(&format!("head {head}\n")),
        "{calls:?}"
    );
    let states: Vec<(Value, Value)> = of("/hook")
        .iter()
        .map(|call| {
            let mut document: Value = serde_json::from_str(&call.body).unwrap();
            (document["was"].take(), document["state"].take())
        })
        .collect();
    assert_eq!(
        states,
        [
            (Value::Null, "no good backup".into()),
            ("no good backup".into(), "good".into()),
        ]
    );

    one_run(home.path(), 3).await;
    let more: Vec<Call> = more_calls.try_iter().collect();
    assert!(
        more.iter().all(|call| !call.line.contains("/hook")),
        "the same state is told once, also by a daemon that starts anew: {more:?}"
    );
    assert_eq!(more.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_does_not_answer_keeps_a_backup_from_being_good() {
    let home = world();
    let (port, calls) = listener("404 Not Found");
    let ping = address(home.path(), "ping", port, "/secret-path");
    more(
        home.path(),
        &format!(
            "[daemon]\nping_url_file = {ping}\nwebhook_url_file = \"/nowhere\"\n[daemon.hooks]\nafter_backup = [\"/no/such/program\"]\n"
        ),
    );
    let ran = one_run(home.path(), 2).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(nights(home.path()).len(), 1);
    assert!(calls.try_iter().count() >= 2);
    for word in [
        "127.0.0.1 answered 404",
        "/nowhere",
        "after_backup, /no/such/program",
    ] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    assert!(!ran.err.contains("secret-path"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_takes_too_long_is_killed_with_what_it_started() {
    let home = world();
    let mark = home.path().join("mark");
    more(
        home.path(),
        &format!(
            "[daemon]\nhook_timeout = \"1s\"\n[daemon.hooks]\nafter_backup = [\"sh\", \"-c\", \"sleep 600 & echo $! > '{}'; wait\"]\n",
            mark.display()
        ),
    );
    let ran = one_run(home.path(), 2).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("took longer than 1s"), "{}", ran.err);
    let id = fs::read_to_string(mark).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}
