//! A backup's memory does not grow with the size of a file. Measured in a process of its own, simulator included.

use std::process::Command;

use mlark::capture::Counted;
use simulator::blob::{Content, Fill};

use super::cloud::Cloud;
use super::gaps::a_model;

/// The size of the file in the short and in the long form.
const SHORT_BYTES: u64 = 96 << 20;
const LONG_BYTES: u64 = 1 << 30;
/// What the whole process may take, the simulated cloud and its world included.
const LIMIT_KIB: u64 = 256 << 10;

#[test]
fn a_large_file_is_backed_up_within_the_memory_limit() {
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program)
        .args([
            "--exact",
            "backup::memory::large_file",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    let mut lines = output.lines();
    let peak = lines.find_map(|line| line.split_once("peak KiB: ")?.1.parse::<u64>().ok());
    let peak = peak.unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB were resident");
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_large_file_is_backed_up_within_the_memory_limit"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the long form is asked for by a variable; the parent reads the line"
)]
async fn large_file() {
    let size = match std::env::var("MLARK_TESTS_FULL") {
        Ok(_) => LONG_BYTES,
        Err(_) => SHORT_BYTES,
    };
    let cloud = Cloud::small().await;
    let (_, container, blob) = a_model(&cloud);
    {
        let at = cloud.simulator.now();
        let mut state = cloud.simulator.state();
        let account = state.workspace(&cloud.key).unwrap().account.clone();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        let changed = blobs.change(&container, &blob, at, |blob| {
            blob.content = Content::generated(Fill::Noise, 1, size);
            blob.headers.md5 = None;
        });
        changed.unwrap();
    }
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.files_total().count(Counted::Failed), 0);
    assert!(report.bytes.read > size);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    println!("peak KiB: {peak}");
}
