//! A test of this binary in a process of its own, and the figures that it prints.

use std::process::{Command, Stdio};

/// What the process may take: the limit that the configuration has by default.
pub(super) const LIMIT_KIB: u64 = 256 << 10;

/// Runs an ignored test alone; what it prints must not be lost, so it is shown.
#[expect(
    clippy::print_stdout,
    reason = "the record of long forms keeps these figures"
)]
pub(super) fn run(test: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{output}");
    for line in output.lines().filter(|line| line.starts_with("figure ")) {
        println!("{line}");
    }
    output
}

/// A figure that the process printed.
pub(super) fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().find_map(|line| {
        let (found, value) = line.strip_prefix("figure ")?.split_once(": ")?;
        (found == name).then_some(value)
    });
    line.unwrap().parse().unwrap()
}

/// Prints a figure for the process that waits for it.
#[expect(clippy::print_stdout, reason = "the parent reads the line")]
pub(super) fn tell(name: &str, value: u64) {
    println!("figure {name}: {value}");
}

/// The most memory that was resident in this process so far, in KiB (proc(5), `VmHWM`).
pub(super) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

/// Whether the long forms are asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the long form is asked for by a variable"
)]
pub(super) fn is_long() -> bool {
    std::env::var("MLARK_TESTS_FULL").is_ok()
}
