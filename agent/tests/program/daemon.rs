//! The daemon: simulated nights in virtual time, and the binary as systemd meets it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test says where"
)]

mod around;
mod beside;
mod page;

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mlark::clock::{Clock, moving_with_timer};
use mlark::shutdown::Shutdown;
use tempfile::TempDir;

use crate::program::{Ran, binary, library};

/// A home with a repository and a folder that is backed up each night.
fn world() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("source")).unwrap();
    fs::write(home.path().join("source/a.txt"), "alpha\n").unwrap();
    configure(home.path(), "0 2 * * *");
    let ran = binary(
        home.path(),
        &["init", "--unencrypted", "--config", "mlark.toml"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    home
}

fn configure(home: &Path, schedule: &str) {
    let text = format!(
        "[repository]\nurl = {:?}\ncache = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {:?}\nschedule = {schedule:?}\n",
        home.join("repository"),
        home.join("cache"),
        home.join("source"),
    );
    fs::write(home.join("mlark.toml"), text).unwrap();
}

/// Runs the daemon from one moment to another. Nothing but the daemon's own waiting moves the time, so that it stands
/// while a backup works on other threads; the clock itself asks to stop when the last moment has come.
async fn daemon(home: &Path, from: &str, to: &str) -> Ran {
    let moving = moving_with_timer(from.parse().unwrap());
    let shutdown = Shutdown::default();
    let (end, asked) = (to.parse().unwrap(), shutdown.clone());
    let clock = Clock::new(move || {
        let now = moving.now();
        if now >= end {
            asked.request();
        }
        now
    });
    let config = home.join("mlark.toml");
    let arguments = [
        "daemon",
        "--no-progress",
        "--config",
        config.to_str().unwrap(),
    ];
    let ran = library(home, &arguments, |context| {
        context.clock = clock;
        context.shutdown = shutdown;
    })
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// When each snapshot was taken, to the minute.
fn nights(home: &Path) -> Vec<String> {
    let ran = binary(home, &["snapshots", "--json", "--config", "mlark.toml"]);
    let rows = ran.json()["snapshots"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    rows.iter()
        .map(|row| row["time"].as_str().unwrap()[..16].to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_simulated_night_makes_one_snapshot() {
    let home = world();
    daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-04T12:00:00Z").await;
    assert_eq!(
        nights(home.path()),
        ["2026-12-02T02:00", "2026-12-03T02:00", "2026-12-04T02:00"]
    );
}

#[tokio::test(start_paused = true)]
async fn nights_missed_while_the_machine_was_off_are_made_up_for_once() {
    let home = world();
    daemon(home.path(), "2026-12-01T12:00:00Z", "2026-12-02T12:00:00Z").await;
    daemon(home.path(), "2026-12-06T09:30:00Z", "2026-12-07T12:00:00Z").await;
    assert_eq!(
        nights(home.path()),
        ["2026-12-02T02:00", "2026-12-06T09:30", "2026-12-07T02:00"]
    );
}

/// The binary with a socket on which it tells what systemd would hear.
struct Service {
    child: Child,
    socket: UnixDatagram,
}

impl Service {
    fn start(home: &Path) -> Self {
        let path = home.join("notify");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mlark"))
            .args(["daemon", "--no-progress", "--config", "mlark.toml"])
            .env_clear()
            .env("HOME", home)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "60000000")
            .current_dir(home)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, socket }
    }

    /// Waits until the daemon says something that begins like this; what it said before is in the answer too.
    fn hears(&self, words: &str) -> String {
        let mut heard = String::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self
                .socket
                .recv(&mut buffer)
                .unwrap_or_else(|_| panic!("no {words} after: {heard}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            heard.push_str(&text);
            if text.lines().any(|line| line.starts_with(words)) {
                return heard;
            }
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

#[test]
fn a_daemon_that_still_starts_survives_the_wish_to_read_its_configuration_again() {
    let home = world();
    // The start waits for a cloud that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let file = home.path().join("mlark.toml");
    let text = fs::read_to_string(&file).unwrap();
    let more = format!(
        "[azure]\ncloud = \"https://127.0.0.1:{port}\"\ncredential = \"client-secret\"\ntenant_id = \"t\"\n\
         client_id = \"c\"\nclient_secret_file = {:?}\n[[workspace]]\nname = \"team\"\n\
         url = \"azureml://subscriptions/a0000000-0000-4000-8000-00000000000a/resourceGroups/rg/workspaces/ws-*\"\n",
        home.path().join("secret"),
    );
    fs::write(home.path().join("secret"), "secret").unwrap();
    fs::write(&file, format!("{text}{more}")).unwrap();
    let mut service = Service::start(home.path());
    let _held = silent.accept().unwrap();
    service.signal("-HUP");
    service.signal("-TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[test]
fn systemd_hears_ready_reloading_watchdog_and_stopping() {
    let home = world();
    let mut service = Service::start(home.path());
    let heard = service.hears("READY=1");
    assert!(heard.contains("WATCHDOG=1"), "{heard}");
    assert!(service.hears("STATUS=").contains("docs is next"));
    // Still the process that was started, with the allocator bound.
    let variables = fs::read(format!("/proc/{}/environ", service.child.id())).unwrap();
    let mut variables = variables.split(|byte| *byte == 0);
    assert!(variables.any(|one| one == b"MALLOC_ARENA_MAX=2"));

    configure(home.path(), "0 3 31 2 *");
    service.signal("-HUP");
    service.hears("RELOADING=1");
    service.hears("READY=1");

    configure(home.path(), "30 4 * * *");
    service.signal("-HUP");
    service.hears("READY=1");
    assert!(service.hears("STATUS=").contains("04:30"));

    service.signal("-TERM");
    service.hears("STOPPING=1");
    let status = service.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut said = String::new();
    let mut stderr = service.child.stderr.take().expect("it was piped");
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    assert!(
        said.contains("never comes") && said.contains("stays in force"),
        "{said}"
    );
    assert!(said.contains("was read again"), "{said}");
}
