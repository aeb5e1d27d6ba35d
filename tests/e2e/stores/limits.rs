//! `[limits]` of the configuration, as the whole program keeps to them: a folder that is backed up into the simulated cloud and
//! restored from it, in virtual time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus, Sink};
use simulator::SimulatorTransport;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};
use tokio::time::Instant;

use super::Store;

/// How long each request takes, so that several can be under way.
const WAY: Duration = Duration::from_millis(50);
const MIB: u64 = 1 << 20;
/// The longest part in which a pack goes up.
const PART: u64 = 8 * MIB;
/// What is backed up; it cannot be made smaller.
const BYTES: u64 = 26 * MIB;

/// What went over the wire.
#[derive(Debug, Default)]
struct Tally {
    /// When bodies left, and their lengths.
    sent: Vec<(Instant, u64)>,
    /// When answers came, and their lengths.
    came: Vec<(Instant, u64)>,
    under_way: HashMap<String, usize>,
    /// The most requests at once to one host.
    at_once: usize,
}

/// A transport that counts.
#[derive(Debug)]
struct Meter {
    inner: SimulatorTransport,
    tally: Mutex<Tally>,
}

#[async_trait]
impl HttpClient for Meter {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        {
            let mut tally = self.tally.lock().unwrap();
            let bytes = request.body().len().unwrap_or_default();
            tally.sent.push((Instant::now(), bytes));
            let count = tally.under_way.entry(host.clone()).or_default();
            *count += 1;
            let count = *count;
            tally.at_once = tally.at_once.max(count);
        }
        tokio::time::sleep(WAY).await;
        let answer = self.inner.execute_request(request).await;
        let (status, headers, body) = answer?.deconstruct();
        let body = body.collect().await?;
        let mut tally = self.tally.lock().unwrap();
        tally.came.push((Instant::now(), body.len() as u64));
        *tally.under_way.get_mut(&host).unwrap() -= 1;
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// A machine with a folder to back up.
struct Machine {
    store: Store,
    home: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let source = home.path().join("source");
        std::fs::create_dir(&source).unwrap();
        let mut state = 88_172_645_463_325_252_u64;
        let noise: Vec<u8> = (0..BYTES)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        std::fs::write(source.join("noise.bin"), noise).unwrap();
        Self {
            store: Store::new(),
            home,
        }
    }

    /// Runs the program with these limits; gives what went over the wire.
    async fn run(&self, limits: &str, words: &[&str]) -> Tally {
        let at = self.home.path();
        let (home, account) = (at.display(), &self.store.account);
        let arm = self.store.simulator.state().cloud.arm_url();
        let text = format!(
            "[repository]\nurl = \"az://{account}/mlark/a\"\ncache = \"{home}/cache\"\n\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\n\
             [[workspace]]\nname = \"docs\"\nurl = \"{home}/source\"\n[limits]\n{limits}\n"
        );
        let config = at.join("mlark.toml");
        std::fs::write(&config, text).unwrap();
        let meter = Arc::new(Meter {
            inner: SimulatorTransport::new(&self.store.simulator),
            tally: Mutex::default(),
        });
        let variables = [
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT_ID),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let context = Context {
            environment: Environment::from_iter(variables),
            transport: Some(meter.clone()),
            stdout: Sink::new(std::io::sink()),
            stderr: Sink::new(std::io::sink()),
            ..Context::of_process()
        };
        let all = [&["mlark", "--config", config.to_str().unwrap()], words].concat();
        assert_eq!(
            mlark::run(all, context).await,
            ExitStatus::Done,
            "{words:?}"
        );
        std::mem::take(&mut *meter.tally.lock().unwrap())
    }

    async fn restore(&self, limits: &str, into: &Path) -> Tally {
        let into = into.to_str().unwrap();
        let words = ["restore", "apply", "latest", "--into", into, "--yes"];
        self.run(limits, &words).await
    }
}

fn sum(went: &[(Instant, u64)]) -> u64 {
    went.iter().map(|(_, bytes)| bytes).sum()
}

/// Whether in every stretch of time no more went than a rate allows, and so much besides.
fn keeps_to(went: &[(Instant, u64)], rate: u64, besides: u64) -> bool {
    (0..went.len()).all(|first| {
        (first..went.len()).all(|last| {
            let time = went[last].0.duration_since(went[first].0).as_secs_f64();
            sum(&went[first..=last]) as f64 <= time * rate as f64 + besides as f64
        })
    })
}

#[tokio::test(start_paused = true)]
async fn what_goes_out_and_what_comes_in_keeps_to_its_rate() {
    let machine = Machine::new();
    machine.run("", &["init", "--unencrypted"]).await;
    let up = machine.run("upload = \"2 MiB/s\"", &["backup"]).await;
    assert!(sum(&up.sent) > BYTES, "{}", sum(&up.sent));
    assert!(keeps_to(&up.sent, 2 * MIB, PART), "{:?}", up.sent);
    let into = machine.home.path().join("into");
    let down = machine.restore("download = \"1 MiB/s\"", &into).await;
    assert!(sum(&down.came) > BYTES, "{}", sum(&down.came));
    // What is under way when a piece comes has come as well, and waits for its turn.
    assert!(keeps_to(&down.came, MIB, PART), "{:?}", down.came);
    let name = "noise.bin";
    let source = machine.home.path().join("source").join(name);
    assert!(std::fs::read(into.join(name)).unwrap() == std::fs::read(source).unwrap());
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_at_once_than_are_allowed() {
    for (limits, at_once) in [
        ("concurrency = 2", 2..=2),
        ("concurrency = \"auto\"", 3..=32),
    ] {
        let machine = Machine::new();
        machine.run("", &["init", "--unencrypted"]).await;
        let tally = machine.run(limits, &["backup"]).await;
        assert!(
            at_once.contains(&tally.at_once),
            "{limits}: {}",
            tally.at_once
        );
    }
}
