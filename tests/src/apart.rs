//! A test in a process of its own, so that the memory that is measured is its own, and the figures that it tells.
//!
//! Such a test is `#[ignore]`d and run by its parent alone.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// Names the folder that the parent made to the process.
pub const FOLDER: &str = "MLARK_TESTS_FOLDER";

/// What stands in front of a figure.
const MARK: &str = "figure ";

/// What a process said on standard output.
#[derive(Debug)]
pub struct Said(pub String);

impl Said {
    /// Of a process that ended.
    ///
    /// # Errors
    ///
    /// What it said, where it failed.
    pub fn of(output: &Output) -> Result<Self, String> {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(Self(said))
        } else {
            Err(said)
        }
    }

    /// A figure that the process told.
    ///
    /// # Errors
    ///
    /// It told none of that name.
    pub fn figure(&self, name: &str) -> Result<u64, String> {
        let found = self.0.lines().find_map(|line| figure_in(line, name));
        found.ok_or_else(|| format!("no {name} in {}", self.0))
    }
}

/// A figure of that name, where a line of a process that is still at work tells it.
#[must_use]
pub fn figure_in(line: &str, name: &str) -> Option<u64> {
    let (_, figure) = line.split_once(MARK)?;
    let (found, value) = figure.split_once(": ")?;
    (found == name).then(|| value.parse().ok())?
}

/// The command that runs one ignored test of this binary alone, in a process that knows the folder.
///
/// # Errors
///
/// The system does not say where this binary is.
pub fn command(test: &str, folder: impl AsRef<OsStr>) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        // As the program does for itself (agent/src/arenas.rs).
        .env("MALLOC_ARENA_MAX", "2")
        .stderr(Stdio::inherit());
    Ok(command)
}

/// Runs one ignored test of this binary alone.
///
/// # Errors
///
/// It cannot be started, or failed; then what it said.
pub fn run(test: &str, folder: impl AsRef<OsStr>) -> Result<Said, String> {
    let ran = command(test, folder).and_then(|mut command| command.output());
    Said::of(&ran.map_err(|error| error.to_string())?)
}

/// The folder that the parent made.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent names the folder in a variable"
)]
pub fn folder() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

/// Tells a figure to the process that waits for it.
#[expect(clippy::print_stdout, reason = "the parent reads the line")]
pub fn tell(name: &str, value: u64) {
    println!("{MARK}{name}: {value}");
}

/// The most memory that was resident in this process so far, in KiB (proc(5), `VmHWM`).
///
/// # Errors
///
/// The kernel does not say it.
pub fn peak_kib() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let peak = status.lines().find_map(|line| {
        let peak = line.strip_prefix("VmHWM:")?;
        peak.trim().trim_end_matches(" kB").parse().ok()
    });
    peak.ok_or_else(|| format!("no VmHWM in {status}"))
}
