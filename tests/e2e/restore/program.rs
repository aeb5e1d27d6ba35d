//! The program in this process, with a configuration and a repository of its own and the cloud of a bench.

use std::io::Write;
use std::path::PathBuf;
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

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

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
        let config = self.path("mlark.toml");
        let mut all = vec!["mlark", "--config", config.to_str().unwrap()];
        all.extend(arguments);
        let (status, out, _) = self.typed(&all).await;
        (status, out)
    }

    /// A file of this program's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line as it is typed: how it ended, and what it wrote to standard output and standard error.
    pub(crate) async fn typed(&self, words: &[&str]) -> (ExitStatus, String, String) {
        let (out, err) = (Kept::default(), Kept::default());
        let home = self.path("home").display().to_string();
        let context = Context {
            environment: Environment::from_iter([("HOME".to_owned(), home)]),
            transport: Some(Arc::new(SimulatorTransport::new(&self.bench.simulator))),
            clock: self.bench.store.clock.clone(),
            stdout: Sink::new(out.clone()),
            stderr: Sink::new(err.clone()),
            ..Context::of_process()
        };
        let status = mlark::run(words, context).await;
        (status, out.text(), err.text())
    }
}
