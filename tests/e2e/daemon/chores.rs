//! What the daemon does besides backups, by schedules of its own: drills.

use archive_format::log::DrillOutcome;
use archive_format::{Identity, Said};
use jiff::Timestamp;
use mlark::ExitStatus;
use mlark::shutdown::Shutdown;

use super::site::{Place, Site, hours_after};

/// A Tuesday.
const START: &str = "2026-12-01T12:00:00Z";

/// Backups every night, and a drill on Sundays at the same time.
fn configure(site: &Site<'_>, place: &Place) {
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n[drill]\nschedule = \"0 2 * * 0\"\n",
            place.url()
        ),
    );
}

async fn drills(site: &Site<'_>) -> Vec<Said<archive_format::log::Drill>> {
    site.repository().await.drills().await.unwrap()
}

fn day(moment: Timestamp) -> String {
    moment.to_string()[..10].to_owned()
}

#[tokio::test(start_paused = true)]
async fn drills_come_by_their_schedule_behind_the_backup_of_the_same_time_and_are_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    configure(&site, &site.workspace("ws"));
    site.init().await;
    // Over the first Sunday, and off over the second.
    site.daemon_until(hours_after(start, 11 * 24), &[]).await;
    let first = drills(&site).await;
    let [sunday] = &first[..] else {
        panic!("{first:?}: {}", site.said.text());
    };
    assert_eq!(day(sunday.what.started), "2026-12-06");
    assert_eq!(sunday.what.outcome, DrillOutcome::Same, "{sunday:?}");
    let history = site.repository().await.history().await.unwrap();
    let of_that_night = history
        .iter()
        .find(|record| day(record.started) == "2026-12-06")
        .unwrap();
    assert_eq!(
        sunday.what.snapshot, of_that_night.id,
        "the backup went first"
    );

    site.wait_until(hours_after(start, 13 * 24)).await;
    site.daemon_until(hours_after(start, 14 * 24), &[]).await;
    let second = drills(&site).await;
    assert_eq!(second.len(), 2, "{second:?}: {}", site.said.text());
    assert_eq!(
        day(second[1].what.started),
        "2026-12-14",
        "it was missed, and made up for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_fails_is_said_and_comes_again_with_its_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    configure(&site, &place);
    site.init().await;
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    // The documents of the first night lie in the largest pack of then.
    let packs = std::fs::read_dir(folder.path().join("repository/packs")).unwrap();
    let pack = packs
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let whole = std::fs::read(&pack).unwrap();
    let mut harmed = whole.clone();
    let middle = harmed.len() / 2;
    harmed[middle] ^= 0xff;
    std::fs::write(&pack, harmed).unwrap();
    site.daemon_until(hours_after(start, 6 * 24), &[]).await;
    let said = site.said.text();
    assert!(said.contains("a drill: "), "{said}");
    std::fs::write(&pack, whole).unwrap();
    site.daemon_until(hours_after(start, 13 * 24), &[]).await;
    let outcomes: Vec<DrillOutcome> = drills(&site)
        .await
        .iter()
        .map(|said| said.what.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [DrillOutcome::Failed, DrillOutcome::Same],
        "{}",
        site.said.text()
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_the_owners_part_says_so_and_backs_up_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    configure(&site, &site.workspace("ws"));
    let owner = Identity::generate()
        .to_recipient()
        .to_public_text()
        .unwrap();
    let words = ["init", "--recipient", &owner];
    let init = site.mlark(&words, &[], Shutdown::default());
    assert_eq!(init.await, ExitStatus::Done, "{}", site.said.text());
    site.daemon_until(hours_after(start, 6 * 24), &[]).await;
    let said = site.said.text();
    assert!(
        said.contains("[drill]") && said.contains("owner's part"),
        "{said}"
    );
    let status = site.json(&["status"]).await;
    assert_eq!(status["workspaces"][0]["state"], "good", "{status}");
    assert_eq!(status["drills"].as_array().unwrap().len(), 0);
}
