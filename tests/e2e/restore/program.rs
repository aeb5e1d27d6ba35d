//! The program in this process, with a configuration and a repository of its own and the cloud of a bench.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use mlark::config::environment::Environment;
use mlark::{Context, ExitStatus, Sink};
use simulator::SimulatorTransport;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};

use super::bench::Bench;

/// Commands are run with it.
pub(crate) struct Program<'a> {
    bench: &'a Bench,
    folder: tempfile::TempDir,
}

/// What is written is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> Program<'a> {
    /// Backs up the source of a bench as `prod`; `more` is further configuration.
    pub(crate) fn new(bench: &'a Bench, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let arm = bench.simulator.state().cloud.arm_url();
        std::fs::write(folder.path().join("secret"), CLIENT_SECRET).unwrap();
        let text = format!(
            "[repository]\nurl = \"{at}/repository\"\ncache = \"{at}/cache\"\nkey_file = \"{at}/agent.key\"\n\
             [azure]\ncloud = \"{arm}\"\ncredential = \"client-secret\"\ntenant_id = \"{TENANT}\"\n\
             client_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{at}/secret\"\n\
             [[workspace]]\nname = \"prod\"\nurl = \"{}\"\n{more}",
            bench.name(&bench.source)
        );
        std::fs::write(folder.path().join("mlark.toml"), text).unwrap();
        Self { bench, folder }
    }

    /// One command: how it ended, and what it wrote to standard output.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let kept = Kept::default();
        let context = Context {
            environment: Environment::from_iter(BTreeMap::<String, String>::new()),
            transport: Some(Arc::new(SimulatorTransport::new(&self.bench.simulator))),
            clock: self.bench.store.clock.clone(),
            stdout: Sink::new(kept.clone()),
            stderr: Sink::new(std::io::sink()),
            ..Context::of_process()
        };
        let config = self.folder.path().join("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap()];
        all.extend(arguments);
        let status = mlark::run(all, context).await;
        let bytes = kept.0.lock().unwrap().clone();
        (status, String::from_utf8(bytes).unwrap())
    }
}
