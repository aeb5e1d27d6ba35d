//! A blob of many gigabytes without any order in it, which the simulator neither holds nor stores: backed up and restored
//! through cuts, within the memory limit. Simulator and mlark share the process.

use mlark_tests::apart::{self, peak_kib, tell};
use mlark_tests::length::{figures, short_or_long};
use simulator::Simulator;
use simulator::blob::{Content, Fill};
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use simulator::workspace::WorkspaceKey;
use simulator::world::World;

use super::LIMIT_KIB;
use crate::restore::bench::Bench;

/// The size of the blob in the short and in the long form.
const SHORT_BYTES: u64 = 2 << 30;
const LONG_BYTES: u64 = 20 << 30;
/// What the long form needs on disk besides the blob itself: the last pack, and the catalogue.
const SPARE_BYTES: u64 = 2 << 30;
/// What else is transferred: the rest of the small world, and lists.
const REST_BYTES: u64 = 4 << 20;
const CUTS: u64 = 10;
const RANGE_BYTES: u64 = 4 << 20;
const SEED: u64 = 20;

#[test]
fn a_huge_blob_is_backed_up_and_restored_through_ten_cuts_within_the_memory_limit() {
    let said = apart::run("size::blob::there_and_back", std::env::temp_dir()).unwrap();
    let figure = |name: &str| said.figure(name).unwrap();
    let size = figure("blob bytes");
    let twice = figure("bytes read beyond the blob");
    assert!(twice < size / 100, "{twice} bytes were read twice");
    let sent_twice = figure("bytes written beyond the blob");
    assert!(
        sent_twice <= CUTS * RANGE_BYTES + REST_BYTES,
        "{sent_twice} bytes were written twice"
    );
    for name in ["peak KiB after the backup", "peak KiB after the restore"] {
        let peak = figure(name);
        assert!(peak < LIMIT_KIB, "{name}: {peak}");
    }
    let backup = figure("peak KiB after the backup") >> 10;
    let restore = figure("peak KiB after the restore") >> 10;
    let line = format!(
        "a blob of {} GiB through {CUTS} cuts each way: {} KiB read twice, {} KiB written twice; VmHWM {backup} MiB after the \
         backup, {restore} MiB after the restore",
        size >> 30,
        twice >> 10,
        sent_twice >> 10,
    );
    figures(&line).unwrap();
}

/// The size of the blob, once it is known that the disk bears it.
fn size() -> u64 {
    let wanted = short_or_long(SHORT_BYTES, LONG_BYTES);
    let folder = std::env::temp_dir();
    let (needs, has) = (wanted + SPARE_BYTES, free_bytes(&folder));
    assert!(
        has >= needs,
        "a blob of {} GiB needs {} GiB of disk, and {} has {}: name another folder with TMPDIR",
        wanted >> 30,
        needs >> 30,
        folder.display(),
        has >> 30,
    );
    wanted
}

fn free_bytes(folder: &std::path::Path) -> u64 {
    let output = std::process::Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().nth(1).unwrap().trim().parse().unwrap()
}

/// Cuts calls of that sort short, ten of them, spread over the transfer of `size` bytes.
fn cuts(method: &str, contains: &str, size: u64, fault: Fault) -> Rule {
    let calls = size / RANGE_BYTES;
    Rule {
        method: Some(method.to_owned()),
        contains: Some(contains.to_owned()),
        every: Some(calls / (CUTS + 2)),
        times: Some(CUTS),
        ..Rule::always(fault).on(Service::Blob)
    }
}

/// Puts a blob in place of the largest file of a model.
pub(crate) fn put(simulator: &Simulator, key: &WorkspaceKey, content: &Content) -> String {
    let at = simulator.now();
    let mut state = simulator.state();
    let workspace = state.workspace(key).unwrap();
    let (account, container) = (workspace.account.clone(), workspace.blob_container.clone());
    let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
    let held = blobs.container(&container).unwrap();
    let models = held
        .blobs
        .iter()
        .filter(|(name, _)| name.starts_with("LocalUpload/"));
    let largest = models.max_by_key(|(_, blob)| blob.content.size()).unwrap();
    let name = largest.0.clone();
    let changed = blobs.change(&container, &name, at, |blob| {
        blob.content = content.clone();
        blob.headers.md5 = None;
    });
    changed.unwrap();
    name
}

/// The folder of an upload, as it stands in an address.
fn folder(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').take(2).collect();
    parts.join("/")
}

/// The account of the target, and the blob there.
fn restored(bench: &Bench, name: &str) -> (Option<(Fill, u64)>, u64) {
    let state = bench.simulator.state();
    let target = &state.workspaces[&bench.target];
    let blobs = &state.accounts[&target.account].blobs;
    let base = name.rsplit('/').next().unwrap();
    let found = blobs
        .iter()
        .flat_map(|(_, container)| container.blobs.iter());
    let found = found.filter(|(path, _)| path.ends_with(base));
    let (_, blob) = found.max_by_key(|(_, blob)| blob.content.size()).unwrap();
    (blob.content.origin(), blob.content.size())
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by a_huge_blob_is_backed_up_and_restored_through_ten_cuts_within_the_memory_limit"]
async fn there_and_back() {
    let bench = Bench::of(&World::small(3)).await;
    let size = size();
    let content = Content::generated(Fill::Cipher, SEED, size);
    let name = put(&bench.simulator, &bench.source, &content);
    tell("blob bytes", size);

    bench.simulator.state().arrivals.reset();
    bench.simulator.set_faults(
        1,
        vec![cuts(
            "GET",
            &folder(&name),
            size,
            Fault::Truncate { bytes: None },
        )],
    );
    let source = bench.open(&bench.source).await;
    let report = bench.store.back_up(&source).await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert!(report.bytes.read >= size);
    assert_eq!(struck(&bench), CUTS);
    let read = bench.simulator.state().arrivals.sent(Service::Blob);
    tell("bytes read beyond the blob", read.saturating_sub(size));
    tell("peak KiB after the backup", peak_kib().unwrap());

    {
        let mut state = bench.simulator.state();
        let account = state.workspaces[&bench.target].account.clone();
        state
            .accounts
            .get_mut(&account)
            .unwrap()
            .blobs
            .recognise(content);
        state.arrivals.reset();
    }
    let lost = Fault::Reset { executed: true };
    bench
        .simulator
        .set_faults(2, vec![cuts("PUT", "blockid=", size, lost)]);
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    assert_eq!(struck(&bench), CUTS);
    let written = bench.simulator.state().arrivals.received(Service::Blob);
    tell(
        "bytes written beyond the blob",
        written.saturating_sub(size),
    );
    assert_eq!(restored(&bench, &name), (Some((Fill::Cipher, SEED)), size));
    tell("peak KiB after the restore", peak_kib().unwrap());
}

fn struck(bench: &Bench) -> u64 {
    let state = bench.simulator.state();
    state.faults.rules().map(|(_, struck)| struck).sum()
}
