//! A backup's memory does not grow with the size of a file. Measured in a process of its own, simulator included.

use mlark::capture::Counted;
use mlark_tests::apart::{self, peak_kib, tell};
use mlark_tests::length::short_or_long;
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
    let said = apart::run("backup::memory::large_file", std::env::temp_dir()).unwrap();
    let peak = said.figure("peak KiB").unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB were resident");
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_large_file_is_backed_up_within_the_memory_limit"]
async fn large_file() {
    let size = short_or_long(SHORT_BYTES, LONG_BYTES);
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
    tell("peak KiB", peak_kib().unwrap());
}
