//! Several workspaces of one daemon: two large ones side by side within the memory limit, and those that a pattern means,
//! of which new ones come and old ones go.

use archive_format::{Outcome, RunOutcome};
use jiff::{Timestamp, ToSpan};
use mlark_tests::apart::{self, peak_kib, tell};
use mlark_tests::length::{figures, is_long, short_or_long};
use simulator::blob::{Content, Fill};
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use simulator::world::World;

use super::site::{Place, Site, hours_after};
use crate::size::LIMIT_KIB;
use crate::size::blob::put;

const START: &str = "2026-12-01T12:00:00Z";
/// The largest file of each workspace in the short and in the long form.
const SHORT_BYTES: u64 = 512 << 20;
const LONG_BYTES: u64 = 4 << 30;

#[test]
fn two_large_workspaces_side_by_side_stay_within_the_memory_limit() {
    let folder = std::env::temp_dir();
    let said = apart::run("daemon::beside::side_by_side", folder).unwrap();
    let peak = said.figure("peak KiB").unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB were resident");
    if is_long() {
        let line = format!(
            "two workspaces side by side, each with a file of {} GiB: VmHWM {} MiB, the simulated cloud included",
            LONG_BYTES >> 30,
            peak >> 10
        );
        figures(&line).unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "run in a process of its own, by two_large_workspaces_side_by_side_stay_within_the_memory_limit"]
async fn side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let size = short_or_long(SHORT_BYTES, LONG_BYTES);
    let mut rest = "[daemon]\nat_once = 2\n".to_owned();
    for (name, seed) in [("one", 3), ("two", 4)] {
        let mut world = World::small(seed);
        world.spec.name = format!("ws-{name}");
        let key = world.build(&site.simulator).unwrap();
        put(
            &site.simulator,
            &key,
            &Content::generated(Fill::Cipher, seed, size),
        );
        let url = Place(world.spec).url();
        rest.push_str(&format!(
            "[[workspace]]\nname = \"{name}\"\nurl = \"{url}\"\nschedule = \"0 2 * * *\"\n"
        ));
    }
    site.configure(None, &rest);
    site.init().await;
    // Each takes its time, so that neither is over before the other begins.
    let slow = Rule::always(Fault::Slow { ms: 50 }).on(Service::Blob);
    site.simulator.set_faults(1, vec![slow]);
    site.daemon_until(hours_after(start, 24), &[]).await;

    let repository = site.repository().await;
    let runs = repository.catalogue().runs(None, 10).await.unwrap();
    let [one, two] = &runs[..] else {
        panic!("{runs:?}: {}", site.said.text());
    };
    for run in [one, two] {
        let whole = matches!(
            run.outcome,
            Some(RunOutcome::Snapshot(_, Outcome::Complete))
        );
        assert!(whole, "{run:?}: {}", site.said.text());
    }
    let begun_last = one.started.max(two.started);
    let ended_first = one.finished.min(two.finished).unwrap();
    assert!(begun_last < ended_first, "they were not side by side");
    for record in repository.history().await.unwrap() {
        assert!(record.bytes.listed > size, "{record:?}");
    }
    tell("peak KiB", peak_kib().unwrap());
}

#[tokio::test(start_paused = true)]
async fn workspaces_of_a_pattern_come_and_go_and_both_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let first = site.workspace("ws-first");
    site.workspace("other");
    let url = first.url().replace("ws-first", "ws-*");
    site.configure(
        None,
        &format!("[[workspace]]\nname = \"team\"\nurl = \"{url}\"\nschedule = \"0 2 * * *\"\n"),
    );
    site.init().await;
    let life = async {
        site.wait_until(hours_after(start, 24)).await;
        let second = site.workspace("ws-second");
        site.wait_until(hours_after(start, 24) + 90.minutes()).await;
        assert!(
            site.said
                .text()
                .contains("team.ws-second: a new workspace fits the pattern"),
            "{}",
            site.said.text()
        );
        site.wait_until(hours_after(start, 48)).await;
        first.delete(&site);
        site.wait_until(hours_after(start, 48) + 90.minutes()).await;
        assert!(
            site.said
                .text()
                .contains("team.ws-first: the workspace is not there any more, or"),
            "{}",
            site.said.text()
        );
        second
    };
    let (_, _second) = tokio::join!(site.daemon_until(hours_after(start, 72), &[]), life);

    let history = site.repository().await.history().await.unwrap();
    let mut nights: Vec<(&str, String)> = history
        .iter()
        .map(|record| {
            (
                record.workspace.as_str(),
                record.started.to_string()[..13].to_owned(),
            )
        })
        .collect();
    // Two that run at the same time end in any order.
    nights.sort_by(|(one, at), (other, also)| (at, one).cmp(&(also, other)));
    let night = |workspace, day: &str| (workspace, format!("2026-12-{day}T02"));
    assert_eq!(
        nights,
        [
            night("team.ws-first", "02"),
            night("team.ws-first", "03"),
            night("team.ws-second", "03"),
            night("team.ws-second", "04"),
        ],
        "{}",
        site.said.text()
    );
    let said = site.said.text();
    assert_eq!(said.matches("fits the pattern").count(), 1, "{said}");
    assert_eq!(said.matches("is not there any more").count(), 1, "{said}");

    // A new start does not tell it again, and days later nobody waits for it.
    site.daemon_until(hours_after(start, 120), &[]).await;
    let said = site.said.text();
    assert_eq!(said.matches("is not there any more").count(), 1, "{said}");
    let status = site.json(&["status"]).await;
    assert_eq!(status["healthy"], true, "{status}");
    let first = &status["workspaces"][0];
    assert_eq!(first["workspace"], "team.ws-first", "{status}");
    assert_eq!(first["state"], "gone", "{status}");
}
