//! Runs the program: the binary with an environment of its own, or the library in-process.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test says where"
)]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use mlark::config::environment::Environment;
use mlark::{Context, Sink};
use serde_json::Value;

/// What a run said and came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as the one JSON document that it must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs the binary with a home of its own and no other variable.
pub(crate) fn binary(home: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_mlark"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .output()
        .expect("the program runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Runs the library in-process with a home of its own; `change` alters the context first.
pub(crate) async fn library(
    home: &Path,
    arguments: &[&str],
    change: impl FnOnce(&mut Context),
) -> Ran {
    let (out, err) = (Written::default(), Written::default());
    let mut context = Context::of_process();
    let home = home.to_str().unwrap().to_owned();
    context.environment = Environment::from_iter([("HOME".to_owned(), home)]);
    context.stdout = Sink::new(out.clone());
    context.stderr = Sink::new(err.clone());
    context.terminals = mlark::Terminals::default();
    change(&mut context);
    let arguments = std::iter::once("mlark").chain(arguments.iter().copied());
    let status = mlark::run(arguments, context).await;
    Ran {
        code: i32::from(status.code()),
        out: out.text(),
        err: err.text(),
    }
}
